"""The families a scene is drawn from, and which of them training never sees.

A hold-out by family (materials, net colours, cameras, window presets) says what an unseen seed cannot: how the model
does on a site that looks unlike every site it learned from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """How houses of one kind look: colours are RGB here, sizes metres; `skin` is the number of `Pattern.WINDOWS`."""

    walls: tuple[Bgr, ...]
    roofs: tuple[Bgr, ...]
    skin: int
    roof: Literal["flat", "gable", "hip", "mansard"]
    floors: tuple[int, int]
    unit_m: tuple[float, float] = (3.0, 3.0)
    long_m: tuple[float, float] = (14.0, 30.0)
    deep_m: tuple[float, float] = (10.0, 15.0)


NEIGHBOURS: Final[dict[Split, dict[str, Block]]] = {
    "train": {
        "terrace": Block(
            walls=((133, 78, 62), (148, 92, 72), (112, 70, 58), (168, 130, 100)), roofs=((92, 62, 52), (84, 82, 84), (108, 72, 58)),
            skin=0, roof="gable", floors=(2, 3), unit_m=(2.6, 2.9), long_m=(12, 34), deep_m=(8, 11),
        ),
        "panels": Block(
            walls=((186, 184, 176), (170, 172, 172), (196, 184, 160), (158, 166, 172)), roofs=((88, 88, 88), (70, 70, 72)),
            skin=2, roof="flat", floors=(5, 12), unit_m=(3.2, 2.8), long_m=(30, 70), deep_m=(11, 14),
        ),
        "old_town": Block(
            walls=((205, 182, 132), (196, 160, 130), (184, 188, 170), (214, 204, 184), (178, 132, 112)),
            roofs=((120, 66, 48), (96, 84, 78), (72, 76, 80)), skin=1, roof="mansard", floors=(4, 6), unit_m=(2.5, 3.3),
            long_m=(16, 32), deep_m=(11, 15),
        ),
        "offices": Block(
            walls=((120, 128, 136), (160, 162, 164), (92, 100, 108)), roofs=((110, 112, 114), (140, 140, 138)),
            skin=3, roof="flat", floors=(4, 12), unit_m=(1.5, 3.5), long_m=(20, 46), deep_m=(14, 24),
        ),
        "villas": Block(
            walls=((226, 220, 206), (216, 204, 170), (200, 206, 206), (170, 120, 96)), roofs=((146, 78, 54), (96, 66, 56), (70, 70, 74)),
            skin=1, roof="gable", floors=(1, 2), unit_m=(3.2, 2.8), long_m=(9, 14), deep_m=(8, 11),
        ),
        "brick_flats": Block(
            walls=((176, 140, 104), (150, 104, 80), (190, 164, 128)), roofs=((96, 94, 92), (116, 84, 70)),
            skin=0, roof="hip", floors=(4, 6), unit_m=(2.9, 2.9), long_m=(24, 56), deep_m=(11, 13),
        ),
        "sheds": Block(
            walls=((150, 156, 160), (176, 176, 170), (110, 130, 150)), roofs=((140, 146, 150), (160, 160, 156)),
            skin=4, roof="gable", floors=(2, 3), unit_m=(5.0, 3.4), long_m=(24, 50), deep_m=(16, 26),
        ),
    },
    "holdout": {
        "white_slabs": Block(
            walls=((232, 232, 228), (222, 226, 228)), roofs=((150, 150, 148), (96, 110, 82)), skin=4, roof="flat",
            floors=(5, 9), unit_m=(4.2, 3.0), long_m=(22, 44), deep_m=(13, 17),
        ),
        "clinker": Block(
            walls=((84, 58, 54), (70, 56, 56)), roofs=((60, 62, 66), (92, 60, 52)), skin=0, roof="hip",
            floors=(3, 7), unit_m=(3.6, 3.1), long_m=(18, 40), deep_m=(11, 14),
        ),
    },
}  # fmt: skip
FENCES: Final[dict[Split, dict[str, tuple[str, tuple[Bgr, ...]]]]] = {
    "train": {
        "sheet_blue": ("sheet", ((46, 92, 150), (40, 84, 138))),
        "sheet_green": ("sheet", ((52, 104, 74), (60, 110, 80))),
        "sheet_white": ("sheet", ((214, 216, 216), (204, 206, 208))),
        "sheet_grey": ("sheet", ((134, 140, 144), (126, 130, 134))),
        "boards": ("boards", ((176, 142, 100), (166, 134, 96), (184, 152, 110))),
        "boards_white": ("print", ((226, 226, 222), (220, 222, 222), (60, 110, 160))),
        "prints": ("print", ((240, 240, 238), (228, 122, 40), (44, 62, 92))),
        "concrete": ("slabs", ((168, 168, 162), (158, 158, 154))),
        "mesh": ("mesh", ((176, 180, 182),)),
    },
    "holdout": {
        "turquoise": ("print", ((126, 206, 196), (110, 196, 188), (240, 244, 242))),
        "red_white": ("sheet", ((186, 54, 46), (232, 230, 228))),
        "mesh_green": ("mesh", ((60, 120, 80),)),
    },
}
VEHICLES: Final[dict[Split, dict[str, tuple[Bgr, ...]]]] = {
    "train": {
        "yellow": ((236, 176, 32), (228, 164, 40)),
        "orange": ((226, 112, 36), (216, 98, 30)),
        "white": ((232, 232, 230), (222, 224, 226)),
        "red": ((170, 40, 36), (156, 44, 40)),
        "blue": ((42, 82, 140), (50, 96, 150)),
    },
    "holdout": {"green": ((56, 118, 66), (66, 128, 70)), "grey": ((92, 98, 104), (112, 116, 120))},
}
CARS: Final[dict[Split, dict[str, Bgr]]] = {
    "train": {
        "silver": (178, 182, 186), "black": (28, 30, 34), "white": (232, 232, 230), "grey": (98, 102, 108),
        "red": (150, 30, 32), "blue": (36, 60, 110),
    },
    "holdout": {"beige": (196, 184, 158), "green": (40, 78, 58)},
}  # fmt: skip
TREES: Final[dict[Split, dict[str, tuple[Bgr, float, float]]]] = {
    # leaf colour in summer as RGB, crown's height over its width, how closed the crown is
    "train": {
        "lime": ((74, 104, 44), 1.15, 1.0),
        "maple": ((84, 108, 46), 0.95, 1.0),
        "birch": ((104, 126, 62), 1.7, 0.7),
        "oak": ((62, 86, 40), 0.85, 1.0),
        "spruce": ((42, 66, 44), 2.4, 1.0),
    },
    "holdout": {"poplar": ((82, 108, 54), 3.0, 0.9), "plum": ((96, 44, 50), 1.0, 0.9)},
}
AROUND: Final[dict[str, dict[Split, dict[str, Any]]]] = {
    "neighbour": NEIGHBOURS, "fence": FENCES, "vehicle": VEHICLES, "car": CARS, "tree": TREES,
}  # fmt: skip
"""What stands around a site; colours are RGB."""
