"""The families a scene is drawn from, and which of them training never sees.

A hold-out by family (materials, net colours, cameras, window presets) says what an unseen seed cannot: how the model
does on a site that looks unlike every site it learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from plumbline_sim.scene.materials import (
    BASES,
    BOARDS,
    CLADDINGS,
    FRAMES,
    INFILL,
    NETS,
    OLD,
    PAINTS,
    SCAFFOLDS,
    WORKS,
    Bgr,
    Coursed,
    Split,
)
from plumbline_sim.scene.presets import PRESETS, Preset

__all__ = [
    "BOARDS",
    "CAMERAS",
    "CATALOGUES",
    "INFILL",
    "NETS",
    "OLD",
    "PRESETS",
    "Bgr",
    "CameraRange",
    "Coursed",
    "Preset",
    "Split",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRange:
    """Where a camera of this family stands and how it looks; metres and degrees, yaw of either sign."""

    height_m: tuple[float, float]
    yaw_deg: tuple[float, float]
    hfov_deg: tuple[float, float]
    k1: tuple[float, float] = (-0.02, 0.02)


CAMERAS: Final[dict[Split, dict[str, CameraRange]]] = {
    "train": {
        "pole": CameraRange(height_m=(4.0, 13.0), yaw_deg=(0.0, 36.0), hfov_deg=(52.0, 82.0)),
        "roof": CameraRange(height_m=(13.0, 35.0), yaw_deg=(0.0, 34.0), hfov_deg=(42.0, 66.0)),
        "mast": CameraRange(
            height_m=(8.0, 20.0), yaw_deg=(8.0, 40.0), hfov_deg=(60.0, 90.0), k1=(-0.05, 0.0)
        ),
        "phone": CameraRange(height_m=(2.0, 6.0), yaw_deg=(0.0, 42.0), hfov_deg=(58.0, 74.0)),
        "far": CameraRange(height_m=(6.0, 30.0), yaw_deg=(0.0, 38.0), hfov_deg=(36.0, 50.0)),
        "oblique": CameraRange(height_m=(8.0, 30.0), yaw_deg=(38.0, 50.0), hfov_deg=(44.0, 70.0)),
    },
    "holdout": {
        "tele": CameraRange(height_m=(9.0, 24.0), yaw_deg=(0.0, 36.0), hfov_deg=(24.0, 35.0)),
        "corner": CameraRange(
            height_m=(16.0, 34.0), yaw_deg=(36.0, 48.0), hfov_deg=(70.0, 80.0), k1=(-0.07, -0.05)
        ),
        "wide": CameraRange(
            height_m=(5.0, 14.0), yaw_deg=(0.0, 30.0), hfov_deg=(84.0, 95.0), k1=(-0.07, -0.05)
        ),
    },
}
CATALOGUES: Final[dict[str, dict[Split, dict[str, Any]]]] = {
    "infill": INFILL, "boards": BOARDS, "old": OLD, "paint": PAINTS, "net": NETS, "preset": PRESETS,
    "cladding": CLADDINGS, "base": BASES, "scaffolding": SCAFFOLDS, "works": WORKS, "frame": FRAMES, "camera": CAMERAS,
}  # fmt: skip
