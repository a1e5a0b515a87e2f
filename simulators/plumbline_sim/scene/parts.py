"""The facade cut into upright rectangles of one stage each: what is drawn, and what is true, both follow from these.

A zone at stage 3.4 is 40 % of its area at stage 4 and 60 % at stage 3; `Project.fill_modes` says from which side the
next stage comes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.project import Project


@dataclass(frozen=True, slots=True)
class Parts:
    """`rect_m` [n, 4] is x0, y0, x1, y1 in facade metres (y up from the ground); `stage` 0..7 and `zone` are [n].

    `zone` is floor * bays + bay. Together they cover the facade without overlap.
    """

    rect_m: NDArray[np.float64]
    stage: NDArray[np.int64]
    zone: NDArray[np.int64]

    def at(self, *stages: int) -> NDArray[np.bool_]:
        """Which parts are at one of these stages."""
        return np.isin(self.stage, stages)


def facade_parts(project: Project, day: float) -> Parts:
    """The parts of the facade on `day`."""
    stages = project.zone_stages(day)
    rects, numbers, zones = [], [], []
    for floor in range(project.floors):
        for bay in range(project.bays):
            x0, y0 = bay * project.bay_m, floor * project.storey_m
            x1, y1 = x0 + project.bay_m, y0 + project.storey_m
            whole = int(np.floor(stages[floor, bay] + 1e-9))
            share = float(stages[floor, bay]) - whole
            zone = floor * project.bays + bay
            if share < 0.02 or whole >= 7:
                rects.append((x0, y0, x1, y1))
                numbers.append(min(round(float(stages[floor, bay])), 7))
                zones.append(zone)
                continue
            done, left = _split((x0, y0, x1, y1), share, project.fill_modes[whole])
            rects += [done, left]
            numbers += [whole + 1, whole]
            zones += [zone, zone]
    return Parts(np.array(rects), np.array(numbers), np.array(zones))


def _split(
    rect: tuple[float, float, float, float], share: float, mode: int
) -> tuple[tuple[float, float, float, float], tuple[float, float, float, float]]:
    """The done part and the rest; mode 0 from the left, 1 from the right, 2 upwards, 3 downwards."""
    x0, y0, x1, y1 = rect
    across, up = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    if mode == 0:
        return (x0, y0, across, y1), (across, y0, x1, y1)
    if mode == 1:
        turn = x1 - share * (x1 - x0)
        return (turn, y0, x1, y1), (x0, y0, turn, y1)
    if mode == 2:
        return (x0, y0, x1, up), (x0, up, x1, y1)
    turn = y1 - share * (y1 - y0)
    return (x0, turn, x1, y1), (x0, y0, x1, turn)
