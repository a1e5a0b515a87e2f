"""Where the windows and balconies of one bay lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plumbline_sim.scene.materials import Split

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Openings of one bay, as (x0, y0, x1, y1) shares of the storey cell, y down from the slab above."""

    openings: tuple[Box, ...]
    balcony: float = 0.0
    mullions: int = 1
    loggia: bool = False
    """The balcony is glazed or parapeted from slab to slab."""


PRESETS: Final[dict[Split, dict[str, Preset]]] = {
    "train": {
        "punched": Preset(openings=((0.24, 0.3, 0.76, 0.76),)),
        "pair": Preset(openings=((0.12, 0.3, 0.42, 0.76), (0.58, 0.3, 0.88, 0.76)), mullions=0),
        "french": Preset(openings=((0.3, 0.2, 0.7, 0.94),), balcony=0.75),
        "loggia": Preset(
            openings=((0.14, 0.22, 0.62, 0.92), (0.7, 0.3, 0.9, 0.75)), balcony=1.0, loggia=True
        ),
        "wide": Preset(openings=((0.12, 0.28, 0.88, 0.78),), mullions=2),
        "small": Preset(openings=((0.34, 0.32, 0.66, 0.7),)),
        "uneven": Preset(openings=((0.1, 0.28, 0.48, 0.76), (0.64, 0.28, 0.86, 0.76)), mullions=1),
        "window_door": Preset(
            openings=((0.16, 0.28, 0.52, 0.74), (0.52, 0.2, 0.76, 0.95)), balcony=0.85, mullions=1
        ),
        "tall": Preset(openings=((0.36, 0.14, 0.64, 0.9),), mullions=0),
        "stair": Preset(openings=((0.38, 0.46, 0.62, 0.82),), mullions=0),
        "tall_pair": Preset(openings=((0.14, 0.16, 0.36, 0.92), (0.64, 0.16, 0.86, 0.92)), mullions=0),
        "glassy": Preset(openings=((0.08, 0.14, 0.92, 0.94),), balcony=0.95, mullions=3),
    },
    "holdout": {
        "ribbon": Preset(openings=((0.04, 0.32, 0.96, 0.74),), mullions=3),
        "triple": Preset(
            openings=((0.1, 0.26, 0.3, 0.8), (0.4, 0.26, 0.6, 0.8), (0.7, 0.26, 0.9, 0.8)), mullions=0
        ),
        "corner": Preset(openings=((0.05, 0.2, 0.55, 0.93), (0.74, 0.24, 0.9, 0.5)), balcony=0.6, mullions=1),
    },
}
