"""The zones of a photo as shapes to draw over it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from plumbline.messages import Facade, ZoneProgress

Quad = Sequence[tuple[float, float]]
_Point = tuple[float, float]

_ZONE_ID: Final = re.compile(r"f(\d{1,3})b(\d{1,3})")
_LEVELS: Final = 5
_MOST_FACADES: Final = 20
_MOST_ZONES: Final = 2_500


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneShape:
    """One zone in picture pixels. `percent` None: never seen; `hidden`: not visible now, the last value stands."""

    id: str
    floor: int
    bay: int
    points: str
    x: float
    y: float
    size: float
    percent: float | None
    hidden: bool

    @property
    def level(self) -> int:
        """0 for 0-19 %, ... 4 for 80-100 %."""
        return 0 if self.percent is None else min(int(self.percent / 100 * _LEVELS), _LEVELS - 1)


def all_shapes(
    quad: Quad,
    grid: tuple[int, int],
    facades: Sequence[Facade],
    zones: Sequence[ZoneProgress],
    width: int,
    height: int,
) -> list[ZoneShape]:
    """The shapes of every facade of a picture: the only one's, or those of `facades`, whose zones bear its name."""
    shapes = zone_shapes(quad, grid, zones, width, height)
    for facade in facades[:_MOST_FACADES]:
        shapes += zone_shapes(facade.quad, facade.grid, zones, width, height, prefix=f"{facade.name}.")
    return shapes


def zone_shapes(
    quad: Quad,
    grid: tuple[int, int],
    zones: Sequence[ZoneProgress],
    width: int,
    height: int,
    *,
    prefix: str = "",
) -> list[ZoneShape]:
    """A shape for each zone that the grid has; none where the quad is no convex shape clockwise from top left.

    `quad` in shares of the picture, `grid` is (floors, bays), zone `f1b1` after `prefix` is the ground floor's left
    bay.
    """
    floors, bays = grid
    if len(quad) != 4 or not 0 < floors * bays <= _MOST_ZONES or not _is_convex(quad):
        return []
    to_picture = _Homography(quad)

    def at(across: float, up: float) -> _Point:
        x, y = to_picture(across / bays, 1 - up / floors)
        return x * width, y * height

    shapes = []
    for zone in zones:
        named = _ZONE_ID.fullmatch(zone.id.removeprefix(prefix)) if zone.id.startswith(prefix) else None
        if named is None:
            continue
        floor, bay = int(named[1]), int(named[2])
        if not (1 <= floor <= floors and 1 <= bay <= bays):
            continue
        corners = [at(bay - 1, floor), at(bay, floor), at(bay, floor - 1), at(bay - 1, floor - 1)]
        x, y = at(bay - 0.5, floor - 0.5)
        shapes.append(
            ZoneShape(
                id=zone.id,
                floor=floor,
                bay=bay,
                points=" ".join(f"{px:.1f},{py:.1f}" for px, py in corners),
                x=round(x, 1),
                y=round(y, 1),
                size=round(_label_size(corners), 1),
                percent=zone.percent,
                hidden=zone.stage is None,
            )
        )
    return shapes


def _label_size(corners: Sequence[_Point]) -> float:
    """The type size that lets three digits stand inside the zone."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min((max(xs) - min(xs)) * 0.42, (max(ys) - min(ys)) * 0.5)


def _is_convex(quad: Quad) -> bool:
    edges = [(x1 - x0, y1 - y0) for (x0, y0), (x1, y1) in pairwise((*quad, quad[0]))]
    return all(ax * by - ay * bx > 1e-9 for (ax, ay), (bx, by) in pairwise((*edges, edges[0])))


class _Homography:
    """Takes the unit square's (0,0), (1,0), (1,1), (0,1) to a quad's corners.

    Heckbert, Fundamentals of Texture Mapping, 1989, section 2.2.3.
    """

    def __init__(self, quad: Quad) -> None:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
        sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
        ax, ay, bx, by = x1 - x2, y1 - y2, x3 - x2, y3 - y2
        turn = ax * by - bx * ay
        g, h = (sx * by - bx * sy) / turn, (ax * sy - sx * ay) / turn
        self._x = (x1 - x0 + g * x1, x3 - x0 + h * x3, x0)
        self._y = (y1 - y0 + g * y1, y3 - y0 + h * y3, y0)
        self._w = (g, h, 1.0)

    def __call__(self, u: float, v: float) -> _Point:
        x, y, w = (row[0] * u + row[1] * v + row[2] for row in (self._x, self._y, self._w))
        return x / w, y / w
