"""The facade's zones in the model's output, and what the model says of each: numpy and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError
from plumbline.stages import AUX_CLASSES

Quad = Sequence[tuple[float, float]]
"""Four corners clockwise from top left, in shares of the picture's width and height."""

MIN_VISIBLE: Final = 0.35
"""Below this share of a zone's area the model's word is not taken for it."""

HIDING: Final = tuple(AUX_CLASSES.index(name) for name in ("scaffold_net", "machine_vehicle", "person"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneReading:
    """What one photo shows of one zone. `percent` and `stage` are None below MIN_VISIBLE."""

    id: str
    percent: float | None
    visible: float
    stage: int | None
    reached: tuple[float, ...] = ()
    """Mean P(stage >= 1..7) over its visible part, where `percent` and `stage` come from."""


def zone_ids(floors: int, bays: int, prefix: str = "") -> tuple[str, ...]:
    """`f1b1` is the ground floor's left bay; floor by floor from the ground, as weights are written."""
    return tuple(f"{prefix}f{floor}b{bay}" for floor in range(1, floors + 1) for bay in range(1, bays + 1))


def percent_of(reached: Sequence[float], values: Sequence[float]) -> float:
    """0..100 from P(stage >= 1..7) and the 8 cumulative values of the stages."""
    gained = np.diff(np.asarray(values, np.float64)) @ np.asarray(reached, np.float64)
    return float(np.clip(100.0 * gained, 0, 100))


def likeliest(reached: Sequence[float]) -> int:
    """The likeliest stage 0..7 where P(stage >= 1..7) is `reached`."""
    return int((-np.diff([1.0, *reached, 0.0])).argmax())


def doubt(reached: Sequence[float]) -> float:
    """How undecided the model is between the stages, 0..1: the mean binary entropy of P(stage >= 1..7) in bits."""
    p = np.clip(np.asarray(reached, np.float64), 1e-9, 1 - 1e-9)
    return float(np.clip(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).mean(), 0, 1)) if p.size else 1.0


def square_to_quad(quad: Quad) -> NDArray[np.float64]:
    """The 3x3 homography that takes (0,0), (1,0), (1,1), (0,1) to the quad's corners.

    Raises ConfigError where the corners are not those of a convex quadrilateral, clockwise from top left.
    Heckbert, Fundamentals of Texture Mapping, 1989, section 2.2.3.
    """
    corners = np.asarray(quad, np.float64)
    if corners.shape != (4, 2) or not (_turns(corners) > 1e-9).all():
        raise ConfigError(
            f"the facade {corners.tolist()} is not a convex shape, clockwise from top left",
            hint="Click the four corners anew: top left, top right, bottom right, bottom left.",
        )
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    g, h = np.linalg.solve([[x1 - x2, x3 - x2], [y1 - y2, y3 - y2]], [sx, sy])
    return np.array(
        [[x1 - x0 + g * x1, x3 - x0 + h * x3, x0], [y1 - y0 + g * y1, y3 - y0 + h * y3, y0], [g, h, 1.0]]
    )


def _turns(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the outline turns right at each corner; all positive: convex and clockwise, where y points down."""
    edges = np.roll(corners, -1, axis=0) - corners
    after = np.roll(edges, -1, axis=0)
    return np.asarray(edges[:, 0] * after[:, 1] - edges[:, 1] * after[:, 0])


def zone_map(quad: Quad, floors: int, bays: int, size_hw: tuple[int, int]) -> NDArray[np.int16]:
    """Which zone each pixel's centre lies in, [h, w]: its place in `zone_ids`, -1 outside the facade."""
    height, width = size_hw
    ys, xs = np.mgrid[0:height, 0:width]
    points = np.stack([(xs + 0.5) / width, (ys + 0.5) / height, np.ones(size_hw)])
    u, v, w = np.tensordot(np.linalg.inv(square_to_quad(quad)), points, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        across, down = u / w, v / w
        inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1) & (w > 0)
    floor = floors - 1 - np.floor(np.where(inside, down, 0) * floors)
    bay = np.floor(np.where(inside, across, 0) * bays)
    return np.where(inside, floor * bays + bay, -1).astype(np.int16)


def zone_corners(quad: Quad, floors: int, bays: int) -> NDArray[np.float64]:
    """The corners [floors * bays, 4, 2] of each zone in picture shares, in the order of `zone_ids`."""
    grid = np.stack(np.meshgrid(np.linspace(0, 1, bays + 1), np.linspace(1, 0, floors + 1)), axis=-1)
    mapped = np.concatenate([grid, np.ones((*grid.shape[:2], 1))], axis=2) @ square_to_quad(quad).T
    at = mapped[..., :2] / mapped[..., 2:]
    # rows run from the ground up: the upper edge of floor f is row f + 1
    corners = np.stack([at[1:, :-1], at[1:, 1:], at[:-1, 1:], at[:-1, :-1]], axis=2)
    return np.asarray(corners.reshape(-1, 4, 2))


def pool(
    stage: NDArray[Any],
    aux: NDArray[Any],
    quad: Quad,
    floors: int,
    bays: int,
    values: Sequence[float],
    *,
    prefix: str = "",
    shown: NDArray[Any] | None = None,
) -> tuple[ZoneReading, ...]:
    """What the model's maps say of each zone, in the order of `zone_ids`.

    `stage` [7, h, w] is P(stage >= k), `aux` [9, h, w] the class probabilities, `quad` in shares of the same view,
    `values` the 8 cumulative values of the stages. A part of a zone outside the view, or where `shown` [h, w] is
    false, counts as not visible. `prefix` stands before each zone's name.
    """
    count = floors * bays
    zone = zone_map(quad, floors, bays, (stage.shape[1], stage.shape[2])).ravel()
    seen = (zone >= 0) & ~np.isin(aux.argmax(axis=0).ravel(), HIDING)
    if shown is not None:
        seen &= np.asarray(shown, np.bool_).ravel()
    seen_px = np.bincount(zone[seen], minlength=count)
    held_px = np.bincount(zone[zone >= 0], minlength=count)
    whole_px = np.maximum(held_px, _expected_px(quad, floors, bays, (stage.shape[1], stage.shape[2])))
    visible = seen_px / np.maximum(whole_px, 1)
    maps = stage.reshape(7, -1).astype(np.float64)
    sums = np.stack([np.bincount(zone[seen], maps[k][seen], minlength=count) for k in range(7)])
    means: NDArray[np.float64] = np.clip(sums / np.maximum(seen_px, 1), 0, 1)
    return tuple(
        _reading(name, float(visible[i]), means[:, i].tolist(), values)
        for i, name in enumerate(zone_ids(floors, bays, prefix))
    )


def _reading(name: str, visible: float, reached: list[float], values: Sequence[float]) -> ZoneReading:
    if visible < MIN_VISIBLE:
        return ZoneReading(id=name, percent=None, visible=visible, stage=None)
    return ZoneReading(
        id=name,
        percent=percent_of(reached, values),
        visible=visible,
        stage=likeliest(reached),
        reached=tuple(reached),
    )


def _expected_px(quad: Quad, floors: int, bays: int, size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """The area of each zone in pixels where it reaches past the view; 0 where it lies within, and pixels are counted."""
    corners = zone_corners(quad, floors, bays)
    x, y = corners[..., 0] * size_hw[1], corners[..., 1] * size_hw[0]
    area = 0.5 * np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1))
    past = ((corners < 0) | (corners > 1)).any(axis=(1, 2))
    return np.where(past, area, 0.0)
