"""What walls, boards, old skins, paints, nets, scaffolds and frames sites are built of, and which training never sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from plumbline_sim.scene.mesh import Pattern

Split = Literal["train", "holdout"]
Bgr = tuple[int, int, int]
Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coursed:
    """A material laid in units: colours are BGR, unit sizes metres."""

    colours: tuple[Bgr, ...]
    joint: Bgr
    unit_m: tuple[float, float]
    spread: int = 10
    dots: bool = False
    pattern: Pattern = Pattern.COURSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaffold:
    """A scaffold's colours (RGB) and grid; `tube_m` as thick as it looks with its couplers."""

    tube: Rgb
    plank: Rgb
    toe: Rgb
    lift_m: float = 2.0
    field_m: float = 2.5
    tube_m: float = 0.06
    rails: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Works:
    """A frame builder's concrete and gear, RGB."""

    concrete: Rgb
    panel: Rgb
    ply: Rgb
    prop: Rgb
    rail: Rgb
    mesh: Rgb | None = None


def _bgr(rgb: Rgb) -> Bgr:
    return rgb[2], rgb[1], rgb[0]


def _laid(
    *rgbs: Rgb, joint: Rgb | None = None, unit: tuple[float, float] = (0.5, 0.25), spread: int = 10,
    pattern: Pattern = Pattern.COURSED,
) -> Coursed:  # fmt: skip
    seam = joint or (int(rgbs[0][0] * 0.8), int(rgbs[0][1] * 0.8), int(rgbs[0][2] * 0.8))
    return Coursed(colours=tuple(_bgr(c) for c in rgbs), joint=_bgr(seam), unit_m=unit, spread=spread,
                   dots=pattern is Pattern.BOARDS, pattern=pattern)  # fmt: skip


_BOARDS, _PANEL, _STAINED, _RIBBED, _WOOD, _METAL = (
    Pattern.BOARDS, Pattern.PANEL, Pattern.STAINED, Pattern.RIBBED, Pattern.WOOD, Pattern.METAL
)  # fmt: skip

INFILL: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "aerated": _laid((212, 210, 205), (200, 196, 190), unit=(0.62, 0.25)),
        "red_brick": _laid(
            (150, 78, 62), (170, 92, 70), joint=(140, 130, 120), unit=(0.25, 0.077), spread=16
        ),
        "grey_block": _laid((142, 142, 140), (126, 124, 120), joint=(98, 98, 95), unit=(0.4, 0.2)),
        "ceramic": _laid((195, 110, 70), (205, 125, 80), joint=(150, 140, 130), unit=(0.38, 0.24), spread=14),
        "keramzit": _laid((118, 110, 102), (104, 98, 92), joint=(140, 136, 130), unit=(0.4, 0.2), spread=14),
        "yellow_brick": _laid((205, 172, 118), (190, 158, 108), joint=(160, 150, 135), unit=(0.25, 0.077)),
        "gypsum_sheath": _laid((188, 184, 160), (176, 178, 150), unit=(1.2, 2.6), spread=5, pattern=_PANEL),
        "precast": _laid((168, 166, 160), (156, 154, 150), unit=(3.2, 2.9), spread=6, pattern=_PANEL),
        "steel_stud_green": _laid(
            (120, 150, 128), (132, 158, 136), unit=(1.2, 2.4), spread=6, pattern=_PANEL
        ),
        "poured": _laid((158, 155, 148), (148, 146, 142), unit=(2.4, 1.2), spread=5, pattern=_PANEL),
        "tuff": _laid((176, 138, 122), (160, 126, 112), joint=(120, 110, 102), unit=(0.45, 0.22), spread=18),
    },
    "holdout": {
        "silicate": _laid(
            (205, 195, 165), (200, 185, 150), joint=(150, 140, 120), unit=(0.25, 0.14), spread=8
        ),
        "clinker": _laid((90, 55, 50), (105, 66, 60), joint=(100, 95, 90), unit=(0.25, 0.077)),
        "timber_frame": _laid((196, 160, 108), (206, 172, 122), unit=(1.25, 0.2), spread=14, pattern=_WOOD),
        "osb": _laid((190, 148, 92), (178, 136, 84), unit=(1.25, 2.5), spread=9, pattern=_PANEL),
    },
}
BOARDS: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "eps_white": _laid((236, 238, 238), unit=(1.0, 0.5), spread=4, pattern=_BOARDS),
        "wool_yellow": _laid((215, 190, 105), (205, 178, 95), unit=(1.2, 0.6), spread=9, pattern=_BOARDS),
        "eps_grey": _laid((116, 118, 120), unit=(1.0, 0.5), spread=6, pattern=_BOARDS),
        "wool_olive": _laid((150, 140, 90), (142, 132, 84), unit=(1.0, 0.6), spread=9, pattern=_BOARDS),
        "eps_speckled": _laid((190, 192, 194), (200, 201, 202), unit=(1.0, 0.5), spread=9, pattern=_BOARDS),
        "wool_brown": _laid((150, 116, 76), (160, 126, 84), unit=(1.2, 0.6), spread=8, pattern=_BOARDS),
        "wool_black_fleece": _laid((52, 52, 54), (60, 60, 62), unit=(1.2, 0.6), spread=5, pattern=_BOARDS),
        "xps_pink": _laid((222, 168, 170), (214, 160, 160), unit=(1.25, 0.6), spread=5, pattern=_BOARDS),
        "xps_green": _laid((150, 190, 160), (158, 196, 168), unit=(1.25, 0.6), spread=5, pattern=_BOARDS),
        "wool_cream": _laid((226, 214, 168), (220, 206, 158), unit=(1.0, 0.5), spread=7, pattern=_BOARDS),
        "pur_beige": _laid((212, 196, 160), (206, 188, 150), unit=(1.2, 0.6), spread=6, pattern=_BOARDS),
    },
    "holdout": {
        "xps_blue": _laid((120, 170, 205), unit=(1.2, 0.6), spread=5, pattern=_BOARDS),
        "pir_foil": _laid((180, 178, 175), joint=(125, 122, 120), unit=(1.2, 1.2), spread=14, pattern=_METAL),
        "cork": _laid((112, 78, 52), (102, 72, 50), unit=(1.0, 0.5), spread=14, pattern=_BOARDS),
    },
}
OLD: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "plaster": _laid((180, 165, 130), (176, 158, 120), unit=(6.0, 3.0), spread=8, pattern=_STAINED),
        "panel": _laid(
            (160, 158, 150), (154, 150, 142), joint=(98, 95, 90), unit=(3.2, 2.9), spread=8, pattern=_PANEL
        ),
        "old_brick": _laid(
            (135, 90, 75), (150, 100, 85), joint=(124, 118, 110), unit=(0.25, 0.077), spread=16
        ),
        "grey_render": _laid((140, 140, 138), (128, 128, 124), unit=(5.0, 3.0), spread=9, pattern=_STAINED),
        "panel_bluegrey": _laid((142, 150, 156), (134, 142, 150), unit=(3.2, 2.9), spread=7, pattern=_PANEL),
        "silicate_brick": _laid(
            (202, 196, 184), (192, 186, 174), joint=(160, 156, 150), unit=(0.25, 0.09), spread=12
        ),
        "yellow_stucco": _laid((206, 176, 112), (198, 168, 104), unit=(6.0, 3.0), spread=8, pattern=_STAINED),
        "pink_stucco": _laid((196, 158, 142), (188, 150, 136), unit=(6.0, 3.0), spread=8, pattern=_STAINED),
        "green_stucco": _laid((142, 164, 136), (132, 154, 126), unit=(6.0, 3.0), spread=8, pattern=_STAINED),
        "panel_cream": _laid((204, 194, 168), (194, 184, 158), unit=(3.0, 2.8), spread=7, pattern=_PANEL),
        "yellow_brick_old": _laid(
            (186, 150, 98), (174, 138, 90), joint=(150, 140, 128), unit=(0.25, 0.077), spread=14
        ),
        "dirty_white": _laid((206, 204, 196), (196, 194, 186), unit=(6.0, 3.0), spread=10, pattern=_STAINED),
    },
    "holdout": {
        "tile_mosaic": _laid(
            (120, 150, 170), (135, 165, 185), joint=(110, 130, 140), unit=(0.3, 0.3), spread=16
        ),
        "ochre": _laid((190, 150, 95), (182, 142, 90), unit=(4.0, 3.0), spread=6, pattern=_PANEL),
        "asbestos_slate": _laid(
            (150, 152, 148), (138, 140, 138), unit=(0.17, 1.2), spread=9, pattern=_RIBBED
        ),
    },
}
CLADDINGS: Final[dict[Split, dict[str, Coursed]]] = {
    "train": {
        "render": _laid((230, 230, 230), unit=(1, 1), spread=3, pattern=Pattern.PLAIN),
        "render_two": _laid((230, 230, 230), unit=(1, 1), spread=3, pattern=Pattern.PLAIN),
        "render_rough": _laid((230, 230, 230), unit=(1, 1), spread=6, pattern=Pattern.PLAIN),
        "cassette": _laid(
            (172, 176, 180), (84, 92, 104), (214, 206, 190), unit=(1.2, 0.6), spread=4, pattern=_PANEL
        ),
        "fibre_cement": _laid(
            (150, 140, 128), (196, 190, 182), (96, 98, 100), unit=(1.5, 3.0), spread=5, pattern=_PANEL
        ),
        "brick_slip": _laid((140, 74, 58), (176, 134, 98), (96, 72, 62), unit=(0.25, 0.077), spread=18),
        "porcelain": _laid(
            (192, 182, 166), (120, 116, 112), (168, 120, 90), unit=(0.6, 0.6), spread=7, pattern=_PANEL
        ),
        "seamed_metal": _laid(
            (120, 126, 130), (74, 78, 84), (150, 112, 84), unit=(0.45, 1), spread=4, pattern=_RIBBED
        ),
    },
    "holdout": {
        "timber": _laid((150, 104, 64), (172, 128, 84), unit=(2.0, 0.14), spread=16, pattern=_WOOD),
        "corten": _laid((134, 72, 42), (118, 64, 40), unit=(1.2, 2.4), spread=14, pattern=_PANEL),
        "limestone": _laid((218, 204, 172), (208, 192, 158), unit=(0.9, 0.45), spread=9, pattern=_PANEL),
    },
}
PAINTS: Final[dict[Split, dict[str, tuple[Bgr, ...]]]] = {
    "train": {
        "warm": ((150, 205, 235), (170, 215, 240), (130, 180, 225)),
        "white": ((235, 238, 240), (225, 228, 230), (245, 245, 245)),
        "terracotta": ((85, 110, 185), (100, 130, 200), (75, 95, 165)),
        "pastel_green": ((175, 210, 185), (160, 205, 175), (150, 190, 165)),
        "grey": ((170, 172, 172), (150, 154, 156), (120, 124, 128)),
        "sand": ((165, 195, 215), (150, 180, 200), (140, 165, 185)),
        "anthracite": ((72, 70, 68), (92, 88, 84), (60, 60, 62)),
        "peach": ((165, 195, 240), (180, 205, 240), (150, 180, 225)),
        "brick_red": ((62, 66, 140), (70, 80, 156), (60, 72, 150)),
        "olive": ((90, 140, 140), (110, 160, 158), (100, 128, 124)),
        "brown": ((70, 96, 128), (84, 112, 144), (60, 84, 112)),
    },
    "holdout": {
        "blue_grey": ((190, 170, 145), (205, 185, 160)),
        "salmon": ((150, 165, 225), (160, 178, 235)),
        "lilac": ((205, 170, 185), (215, 180, 200)),
    },
}
BASES: Final[dict[Split, dict[str, tuple[Bgr, ...]]]] = {
    "train": {
        "cement": ((150, 154, 156), (138, 142, 146)),
        "light_cement": ((186, 190, 192), (176, 180, 184)),
        "white_adhesive": ((218, 222, 224), (208, 212, 216)),
        "beige_adhesive": ((165, 182, 194), (158, 174, 186)),
        "dark_cement": ((112, 116, 118), (124, 128, 130)),
        "warm_grey": ((146, 156, 164), (136, 148, 158)),
        "greenish": ((150, 162, 154), (142, 154, 146)),
        "yellow_primer": ((150, 190, 206), (160, 196, 210)),
    },
    "holdout": {
        "pink_primer": ((170, 172, 208), (178, 182, 216)),
        "blue_primer": ((196, 178, 158), (188, 168, 148)),
        "anthracite_adhesive": ((84, 82, 80), (94, 92, 90)),
    },
}
NETS: Final[dict[Split, dict[str, Bgr]]] = {
    "train": {
        "green": (70, 120, 55), "dark_green": (52, 84, 36), "mint": (150, 185, 130), "blue": (170, 110, 50),
        "light_blue": (205, 170, 120), "white": (225, 228, 228), "grey": (130, 132, 132), "red": (50, 52, 170),
        "orange": (50, 110, 225), "sheet_white": (232, 234, 234), "sheet_grey": (196, 198, 198),
    },
    "holdout": {"beige": (150, 180, 200), "black": (45, 45, 45), "violet": (140, 80, 110)},
}  # fmt: skip
SCAFFOLDS: Final[dict[Split, dict[str, Scaffold]]] = {
    "train": {
        "galvanised": Scaffold(tube=(160, 164, 168), plank=(150, 152, 154), toe=(178, 150, 108)),
        "galvanised_wood": Scaffold(tube=(150, 154, 158), plank=(164, 136, 98), toe=(176, 146, 104), field_m=3.07),
        "alu": Scaffold(tube=(186, 190, 194), plank=(176, 178, 180), toe=(188, 190, 192), field_m=2.5, tube_m=0.05),
        "dull_zinc": Scaffold(tube=(118, 122, 126), plank=(138, 124, 104), toe=(126, 112, 92), field_m=2.57),
        "tube_and_board": Scaffold(tube=(142, 134, 126), plank=(152, 116, 82), toe=(146, 104, 70), field_m=2.1, rails=3),
        "heavy_grey": Scaffold(tube=(126, 130, 134), plank=(120, 122, 124), toe=(190, 166, 76), field_m=2.57, tube_m=0.075),
        "red_frame": Scaffold(tube=(146, 62, 54), plank=(144, 122, 92), toe=(152, 128, 96), field_m=3.0, tube_m=0.05),
        "yellow_frame": Scaffold(tube=(190, 160, 70), plank=(148, 126, 94), toe=(156, 134, 100), field_m=3.0, tube_m=0.05),
        "blue_frame": Scaffold(tube=(66, 92, 138), plank=(146, 126, 98), toe=(154, 132, 102), field_m=2.5, tube_m=0.05),
        "rusty": Scaffold(tube=(116, 88, 70), plank=(130, 106, 80), toe=(136, 110, 82), field_m=2.0, tube_m=0.055),
        "green_frame": Scaffold(tube=(66, 108, 80), plank=(142, 124, 96), toe=(150, 130, 100), field_m=2.5, tube_m=0.05),
    },
    "holdout": {
        "orange_frame": Scaffold(tube=(206, 118, 56), plank=(186, 160, 120), toe=(196, 168, 124), field_m=1.8, lift_m=1.8),
        "white_frame": Scaffold(tube=(226, 226, 224), plank=(206, 208, 208), toe=(190, 70, 60), field_m=2.5),
        "bamboo": Scaffold(tube=(190, 162, 100), plank=(172, 148, 96), toe=(172, 148, 96), field_m=1.4, lift_m=1.7, tube_m=0.09),
    },
}  # fmt: skip
WORKS: Final[dict[Split, dict[str, Works]]] = {
    "train": {
        "yellow_ply": Works(concrete=(160, 157, 150), panel=(226, 184, 50), ply=(196, 154, 92), prop=(196, 60, 48), rail=(190, 192, 194)),
        "red_panel": Works(concrete=(150, 148, 144), panel=(188, 58, 46), ply=(150, 104, 66), prop=(210, 160, 40), rail=(214, 176, 50)),
        "plain_ply": Works(concrete=(172, 168, 160), panel=(172, 134, 84), ply=(182, 144, 92), prop=(140, 142, 144), rail=(176, 138, 90)),
        "blue_panel": Works(concrete=(146, 148, 148), panel=(50, 92, 160), ply=(168, 130, 84), prop=(60, 96, 160), rail=(200, 200, 202)),
        "brown_film": Works(concrete=(180, 176, 166), panel=(110, 70, 48), ply=(96, 62, 44), prop=(208, 170, 60), rail=(170, 172, 174)),
        "white_screen": Works(concrete=(164, 160, 154), panel=(224, 190, 60), ply=(190, 150, 96), prop=(176, 60, 50), rail=(206, 208, 208),
                              mesh=(226, 228, 228)),
        "orange_mesh": Works(concrete=(154, 150, 144), panel=(216, 176, 56), ply=(180, 140, 88), prop=(150, 150, 150), rail=(180, 140, 92),
                             mesh=(230, 110, 50)),
        "blue_mesh": Works(concrete=(166, 164, 158), panel=(180, 60, 50), ply=(170, 132, 86), prop=(200, 160, 50), rail=(188, 190, 192),
                           mesh=(60, 100, 176)),
    },
    "holdout": {
        "green_panel": Works(concrete=(136, 134, 126), panel=(60, 132, 84), ply=(120, 96, 66), prop=(60, 130, 80), rail=(70, 140, 90)),
        "grey_alu": Works(concrete=(190, 188, 182), panel=(186, 190, 194), ply=(206, 196, 170), prop=(190, 194, 198), rail=(220, 80, 60),
                          mesh=(80, 84, 88)),
        "warm_concrete": Works(concrete=(186, 166, 142), panel=(206, 206, 200), ply=(214, 180, 120), prop=(120, 70, 120), rail=(236, 236, 230)),
    },
}  # fmt: skip
FRAMES: Final[dict[Split, dict[str, Rgb]]] = {
    "train": {
        "white": (240, 240, 240), "off_white": (226, 222, 212), "brown": (84, 58, 42), "anthracite": (58, 60, 64),
        "light_grey": (168, 170, 172), "oak": (150, 104, 60), "dark_green": (44, 66, 52), "black": (30, 30, 32),
        "bronze": (98, 80, 62),
    },
    "holdout": {"red": (150, 44, 40), "blue": (52, 84, 132), "yellow": (214, 178, 70)},
}  # fmt: skip
