"""One outer face of a building as arrays: wall pieces and openings in its own metres, and how the day's parts cut them.

A face's axes: u to the right and y up on the face seen from outside, z out of it; the judged facade is the face whose
axes are the world's. `Mesh.add` turns the side faces into place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.parts import Parts
from plumbline_sim.scene.presets import Preset

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """What never changes: rectangles are x0, y0, x1, y1 in metres, zones count floor * bays + bay."""

    floors: int
    bays: int
    bay_m: float
    storey_m: float
    walls: Floats
    wall_zone: Ints
    openings: Floats
    opening_zone: Ints
    mullions: Ints
    balconies: Floats
    """[n, 3]: x0, x1 and the floor's height, one per balcony."""
    balcony_zone: Ints
    loggia: NDArray[np.bool_]

    @property
    def width_m(self) -> float:
        return self.bays * self.bay_m

    @property
    def height_m(self) -> float:
        return self.floors * self.storey_m


@dataclass(frozen=True, slots=True)
class Pieces:
    """Rectangles cut by the parts of a day, each of one stage; `source` says which rectangle it was."""

    rect_m: Floats
    stage: Ints
    source: Ints
    zone: Ints

    def at(self, *stages: int) -> Pieces:
        """Those at one of these stages."""
        here = np.isin(self.stage, stages)
        return Pieces(self.rect_m[here], self.stage[here], self.source[here], self.zone[here])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayFace:
    """A face with the stage of every bit of it on one day."""

    face: Face
    parts: Parts

    def cut(self, rects: Floats, zones: Ints) -> Pieces:
        """These rectangles, each of one zone, cut where the zone's stage changes."""
        starts = np.searchsorted(self.parts.zone, np.arange(self.face.floors * self.face.bays))
        ends = np.searchsorted(self.parts.zone, zones, side="right")
        found = []
        for step in (0, 1):
            part = starts[zones] + step
            has = part < ends
            inside = self.parts.rect_m[np.minimum(part, len(self.parts.zone) - 1)]
            low, high = np.maximum(rects[:, :2], inside[:, :2]), np.minimum(rects[:, 2:], inside[:, 2:])
            has &= np.all(high - low > 0.01, axis=1)
            found.append((np.hstack([low, high])[has], self.parts.stage[part[has]], np.flatnonzero(has)))
        rect, stage, source = (np.concatenate(values) for values in zip(*found, strict=True))
        return Pieces(rect, stage, source, zones[source])

    def stage_at(self, x: Floats, y: Floats) -> Ints:
        """The stage at points of the face; -1 outside it."""
        face = self.face
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        bay, floor = np.floor(x / face.bay_m).astype(int), np.floor(y / face.storey_m).astype(int)
        inside = (bay >= 0) & (bay < face.bays) & (floor >= 0) & (floor < face.floors)
        zone = np.where(inside, floor * face.bays + bay, 0)
        first = np.searchsorted(self.parts.zone, zone)
        second = np.minimum(first + 1, len(self.parts.zone) - 1)
        rect = self.parts.rect_m[first]
        within = (x >= rect[..., 0]) & (x <= rect[..., 2]) & (y >= rect[..., 1]) & (y <= rect[..., 3])
        use = np.where(within | (self.parts.zone[second] != zone), first, second)
        stages: Ints = np.where(inside, self.parts.stage[use], -1)
        return stages


def face_of(
    floors: int, bay_m: float, storey_m: float, presets: list[Preset | None], *, entrance: int | None = None
) -> Face:
    """A face whose bays have these presets from left to right; None is a blank wall.

    `entrance` is the bay with a door on the ground floor.
    """
    walls, holes, panes, terraces = [], [], [], []
    for bay, preset in enumerate(presets):
        boxes = [] if preset is None else [(x0, 1 - y1, x1, 1 - y0) for x0, y0, x1, y1 in preset.openings]
        walls += [(bay, *box) for box in _around(boxes)]
        holes += [(bay, *box) for box in boxes]
        panes += [preset.mullions for _ in boxes] if preset is not None else []
        if preset is not None and preset.balcony:
            pad = (1 - preset.balcony) / 2 + 0.01
            terraces.append((bay, pad, 1 - pad, float(preset.loggia)))
    bays = len(presets)
    wall_rects, wall_zone = _everywhere(np.array(walls), floors, bays, bay_m, storey_m)
    hole_rects, hole_zone = _everywhere(np.array(holes).reshape(-1, 5), floors, bays, bay_m, storey_m)
    if entrance is not None and len(hole_rects):
        _open_down(wall_rects, wall_zone, hole_rects, hole_zone, entrance, storey_m)
    balconies = np.array([(bay * bay_m + a * bay_m, bay * bay_m + b * bay_m, floor * storey_m, floor * bays + bay, glazed)
                          for floor in range(1, floors) for bay, a, b, glazed in terraces]).reshape(-1, 5)  # fmt: skip
    return Face(
        floors=floors, bays=bays, bay_m=bay_m, storey_m=storey_m, walls=wall_rects, wall_zone=wall_zone,
        openings=hole_rects, opening_zone=hole_zone, mullions=np.tile(np.array(panes, int), floors),
        balconies=balconies[:, :3], balcony_zone=balconies[:, 3].astype(int), loggia=balconies[:, 4] > 0,
    )  # fmt: skip


def _around(boxes: list[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """The unit square without these boxes, as upright strips."""
    cuts = sorted({0.0, 1.0, *(v for box in boxes for v in (box[0], box[2]))})
    pieces = []
    for left, right in pairwise(cuts):
        middle, low = (left + right) / 2, 0.0
        for _, y0, _, y1 in sorted((b for b in boxes if b[0] < middle < b[2]), key=lambda b: b[1]):
            pieces.append((left, low, right, y0))
            low = y1
        pieces.append((left, low, right, 1.0))
    return [p for p in pieces if p[3] - p[1] > 1e-6]


def _everywhere(shares: Floats, floors: int, bays: int, bay_m: float, storey_m: float) -> tuple[Floats, Ints]:
    """Rectangles given as (bay, shares of the cell) repeated on every floor."""
    floor = np.repeat(np.arange(floors), len(shares))
    every = np.tile(shares, (floors, 1))
    bay = every[:, 0]
    rects = np.stack(
        [(bay + every[:, 1]) * bay_m, (floor + every[:, 2]) * storey_m,
         (bay + every[:, 3]) * bay_m, (floor + every[:, 4]) * storey_m], axis=1,
    )  # fmt: skip
    return rects, (floor * bays + bay).astype(int)


def _open_down(
    walls: Floats, wall_zone: Ints, holes: Floats, hole_zone: Ints, bay: int, storey_m: float
) -> None:
    """The ground floor's first opening of `bay` becomes a door: it reaches down, the wall below it goes."""
    at = np.flatnonzero(hole_zone == bay)
    if not len(at):
        return
    x0, y0, x1, _ = holes[at[0]]
    below = (
        (wall_zone == bay)
        & (walls[:, 0] >= x0 - 1e-6)
        & (walls[:, 2] <= x1 + 1e-6)
        & (walls[:, 3] <= y0 + 1e-6)
    )
    walls[below, 3] = walls[below, 1] + 0.02
    holes[at[0], 1] = 0.02
    holes[at[0], 3] = min(holes[at[0], 3], 0.86 * storey_m)
