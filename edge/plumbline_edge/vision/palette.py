"""The colours of the eight stages, and what the stages are called beside them."""

from __future__ import annotations

from typing import Final

from plumbline.stages import Track

Bgr = tuple[int, int, int]

_RGB: Final = ("440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725")
STAGE_BGR: Final[tuple[Bgr, ...]] = tuple(
    (int(rgb[4:6], 16), int(rgb[2:4], 16), int(rgb[0:2], 16)) for rgb in _RGB
)
"""Viridis (CC0) in eight steps: each is lighter than the one before, so that the order holds without colours too."""

STAGE_NAMES: Final[dict[Track, tuple[str, ...]]] = {
    "new": (
        "untouched", "excavation", "foundation", "columns, slabs",
        "infill walls", "windows", "cladding", "finish",
    ),
    "reno": (
        "old facade", "scaffold up", "stripped, repaired", "insulation boards",
        "base coat, mesh", "finish coat", "windows, sills", "scaffold down",
    ),
}  # fmt: skip
"""Short enough for a legend."""
