"""The families a scene is drawn from, and which of them training never sees.

A hold-out by family (materials, net colours, cameras, window presets) says what an unseen seed cannot: how the model
does on a site that looks unlike every site it learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Split = Literal["train", "holdout"]
Bgr = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coursed:
    """A material laid in units: colours are BGR, unit sizes metres."""

    colours: tuple[Bgr, ...]
    joint: Bgr
    unit_m: tuple[float, float]
    spread: int = 10
    dots: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Openings of one bay, as (x0, y0, x1, y1) shares of the storey cell, y down from the slab above."""

    openings: tuple[tuple[float, float, float, float], ...]
    balcony: float = 0.0
    mullions: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraRange:
    """Where a camera of this family stands and how it looks; metres and degrees, yaw of either sign."""

    height_m: tuple[float, float]
    yaw_deg: tuple[float, float]
    hfov_deg: tuple[float, float]
    k1: tuple[float, float] = (-0.02, 0.02)


INFILL: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "aerated": Coursed(
            colours=((205, 210, 212), (190, 196, 200)), joint=(160, 165, 168), unit_m=(0.62, 0.25)
        ),
        "red_brick": Coursed(
            colours=((62, 78, 150), (70, 92, 170)), joint=(120, 130, 140), unit_m=(0.5, 0.16)
        ),
        "grey_block": Coursed(
            colours=((140, 142, 142), (120, 124, 126)), joint=(95, 98, 98), unit_m=(0.4, 0.2)
        ),
        "ceramic": Coursed(
            colours=((70, 110, 195), (80, 125, 205)), joint=(130, 140, 150), unit_m=(0.38, 0.24)
        ),
    },
    "holdout": {
        "silicate": Coursed(
            colours=((165, 195, 205), (150, 185, 200)), joint=(120, 140, 150), unit_m=(0.5, 0.18)
        ),
        "clinker": Coursed(colours=((50, 55, 90), (60, 66, 105)), joint=(90, 95, 100), unit_m=(0.5, 0.16)),
    },
}
BOARDS: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "eps_white": Coursed(
            colours=((238, 238, 236),), joint=(205, 205, 203), unit_m=(1.0, 0.5), spread=5, dots=True
        ),
        "wool_yellow": Coursed(
            colours=((105, 190, 215), (95, 178, 205)), joint=(70, 140, 165), unit_m=(1.2, 0.6), dots=True
        ),
        "eps_grey": Coursed(
            colours=((120, 118, 116),), joint=(95, 92, 92), unit_m=(1.0, 0.5), spread=7, dots=True
        ),
        "wool_olive": Coursed(
            colours=((90, 140, 150), (84, 132, 142)), joint=(60, 100, 110), unit_m=(1.0, 0.6), dots=True
        ),
    },
    "holdout": {
        "xps_blue": Coursed(
            colours=((205, 170, 120),), joint=(170, 140, 95), unit_m=(1.2, 0.6), spread=6, dots=True
        ),
        "pir_foil": Coursed(colours=((175, 178, 180),), joint=(120, 122, 125), unit_m=(1.2, 1.2), spread=14),
    },
}
OLD: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "plaster": Coursed(
            colours=((130, 165, 180), (120, 158, 176)), joint=(120, 152, 168), unit_m=(6.0, 3.0), spread=6
        ),
        "panel": Coursed(
            colours=((150, 158, 160), (142, 150, 154)), joint=(90, 95, 98), unit_m=(3.2, 2.9), spread=8
        ),
        "old_brick": Coursed(
            colours=((75, 90, 135), (85, 100, 150)), joint=(110, 118, 124), unit_m=(0.5, 0.16)
        ),
        "grey_render": Coursed(
            colours=((138, 140, 140),), joint=(130, 132, 132), unit_m=(5.0, 3.0), spread=7
        ),
    },
    "holdout": {
        "tile_mosaic": Coursed(
            colours=((170, 150, 120), (185, 165, 135)), joint=(140, 130, 110), unit_m=(0.3, 0.3), spread=14
        ),
        "ochre": Coursed(
            colours=((95, 150, 190), (90, 142, 182)), joint=(88, 138, 176), unit_m=(4.0, 3.0), spread=6
        ),
    },
}
PAINTS: Final[dict[Split, dict[str, tuple[Bgr, ...]]]] = {
    "train": {
        "warm": ((150, 205, 235), (170, 215, 240), (130, 180, 225)),
        "white": ((235, 238, 240), (225, 228, 230), (245, 245, 245)),
        "terracotta": ((85, 110, 185), (100, 130, 200), (75, 95, 165)),
        "pastel_green": ((175, 210, 185), (160, 205, 175), (150, 190, 165)),
        "grey": ((170, 172, 172), (150, 154, 156), (120, 124, 128)),
    },
    "holdout": {
        "blue_grey": ((190, 170, 145), (205, 185, 160)),
        "salmon": ((150, 165, 225), (160, 178, 235)),
    },
}
NETS: Final[dict[Split, dict[str, Bgr]]] = {
    "train": {
        "green": (70, 120, 55),
        "blue": (170, 110, 50),
        "white": (225, 228, 228),
        "grey": (130, 132, 132),
    },
    "holdout": {"beige": (150, 180, 200), "black": (45, 45, 45)},
}
PRESETS: Final[dict[Split, dict[str, Preset]]] = {
    "train": {
        "punched": Preset(openings=((0.24, 0.3, 0.76, 0.76),)),
        "pair": Preset(openings=((0.12, 0.3, 0.42, 0.76), (0.58, 0.3, 0.88, 0.76)), mullions=0),
        "french": Preset(openings=((0.3, 0.2, 0.7, 0.94),), balcony=0.75),
        "loggia": Preset(openings=((0.14, 0.22, 0.62, 0.92), (0.7, 0.3, 0.9, 0.75)), balcony=1.0),
        "wide": Preset(openings=((0.12, 0.28, 0.88, 0.78),), mullions=2),
    },
    "holdout": {
        "ribbon": Preset(openings=((0.04, 0.32, 0.96, 0.74),), mullions=3),
        "triple": Preset(
            openings=((0.1, 0.26, 0.3, 0.8), (0.4, 0.26, 0.6, 0.8), (0.7, 0.26, 0.9, 0.8)), mullions=0
        ),
    },
}
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
    "infill": INFILL, "boards": BOARDS, "old": OLD, "paint": PAINTS, "net": NETS, "preset": PRESETS, "camera": CAMERAS,
}  # fmt: skip
