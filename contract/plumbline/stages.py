"""The stages a zone of a building passes through, and what each is worth by default.

Shared ground of the model (which names stages), the gateway (which turns them into percent), the scene
simulator (which knows the truth) and the plan (which is cut to the same visible scope).
"""

from __future__ import annotations

from typing import Final, Literal

Track = Literal["new", "reno"]

TRACKS: Final[tuple[Track, ...]] = ("new", "reno")

STAGES: Final[dict[Track, tuple[str, ...]]] = {
    "new": (
        "untouched", "excavation", "foundation", "columns_slab",
        "infill_wall", "window", "insulation_cladding", "finish",
    ),
    "reno": (
        "old_facade", "scaffold_up", "stripped_repaired", "insulation_boards",
        "base_coat", "finish_coat", "windows_sills", "scaffold_down",
    ),
}  # fmt: skip
"""Index = stage number 0..7."""

DEFAULT_VALUES: Final[dict[Track, tuple[float, ...]]] = {
    "new": (0.0, 0.04, 0.12, 0.40, 0.58, 0.70, 0.86, 1.0),
    "reno": (0.0, 0.08, 0.22, 0.45, 0.60, 0.80, 0.92, 1.0),
}
"""Cumulative share of a zone's visible works done when a stage is reached: our default where a site's bill of
quantities names none; a site file may override it per zone."""

AUX_CLASSES: Final[tuple[str, ...]] = (
    "building", "window_glazed", "opening", "sky", "ground",
    "vegetation", "scaffold_net", "machine_vehicle", "person",
)  # fmt: skip

QUALITY_CLASSES: Final[tuple[str, ...]] = (
    "dark", "blur", "fog_rain", "obstructed", "lens_dirt", "not_a_site",
)  # fmt: skip
