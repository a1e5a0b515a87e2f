"""Plans to start from: straight, S-shaped, or through milestones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from plumbline.errors import ConfigError
from plumbline_central.plan import Kind, PlanCurve

_MOST_POINTS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From when to when, how much in the end, and how far apart the points are."""

    start: datetime
    end: datetime
    total: float = 100.0
    step: timedelta = timedelta(days=7)
    kind: Kind = "percent"


def linear(stretch: Stretch) -> PlanCurve:
    """The same share every day."""
    return _drawn(stretch, lambda share: share)


def logistic(stretch: Stretch, *, steepness: float = 8.0, middle: float = 0.5) -> PlanCurve:
    """Slow, fast, slow: a logistic curve cut at both ends and stretched to begin at 0 and end at the total.

    `steepness` is the logistic's rate over the whole stretch, over 0 to 50; `middle` is where it is steepest, as a
    share of the stretch.
    """
    if not 0 < steepness <= 50 or not 0 < middle < 1:
        raise ConfigError(
            f"steepness {steepness:g}, middle {middle:g} make no S",
            hint="steepness over 0 to 50, middle between 0 and 1.",
        )

    def raw(share: float) -> float:
        return 1 / (1 + math.exp(-steepness * (share - middle)))

    low, high = raw(0.0), raw(1.0)
    return _drawn(stretch, lambda share: (raw(share) - low) / (high - low))


def through(start: datetime, due: Sequence[tuple[datetime, float]], *, total: float = 100.0) -> PlanCurve:
    """From 0 at `start` through milestones, each with its weight: what is due by then is its share of all weights."""
    weights = sum(weight for _, weight in due)
    if weights <= 0:
        raise ConfigError("no milestone has a weight", hint="Give at least one of them a weight over 0.")
    points, reached = {start: 0.0}, 0.0
    for at, weight in sorted(due):
        if at < start:
            raise ConfigError(f"a milestone is due on {at:%Y-%m-%d}, before the start", hint="Start earlier.")
        reached += weight
        points[at] = min(total * reached / weights, total)
    points[max(points)] = total
    return PlanCurve(points=tuple(points.items()))


def _drawn(stretch: Stretch, shape: Callable[[float], float]) -> PlanCurve:
    whole = stretch.end - stretch.start
    if whole <= timedelta(0) or stretch.step <= timedelta(0):
        raise ConfigError("the end is not after the start", hint="Name the start first, and a step over 0.")
    if whole / stretch.step > _MOST_POINTS:
        raise ConfigError(f"more than {_MOST_POINTS} points", hint="Take a longer step.")
    times = [stretch.start + stretch.step * i for i in range(math.ceil(whole / stretch.step))]
    values = [stretch.total * min(max(shape((at - stretch.start) / whole), 0.0), 1.0) for at in times]
    return PlanCurve(
        points=(*zip(times, values, strict=True), (stretch.end, stretch.total)), kind=stretch.kind
    )
