"""Plan and photos as the geometry of a chart: pure numbers, the template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from plumbline_central.indicators import Curve, Observation
from plumbline_central.plan import PlanCurve
from plumbline_central.web.times import local

_MOST_POINTS: Final = 400
_SIDE: Final = 1000.0
_TICKS: Final = 6
_TOLERANCE_STEPS: Final = 120
_DAY_STEPS: Final = (1, 2, 5, 7, 14)
_MONTH_STEPS: Final = (1, 2, 3, 6, 12, 24, 60)
_STRETCH: Final = 0.5
"""How far past plan and photos the chart may grow to include today, as a share of their span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One photo on the chart; x and y in percent from the top left. `y` is 100 where it could not be judged."""

    x: float
    y: float
    outside: bool
    observation: Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A place on the time axis, in percent from the left."""

    x: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines and areas as SVG points in a square of 1000; y grows downwards. Empty strings where there is nothing."""

    start: datetime
    end: datetime
    planned: str
    tolerance: str
    interval: str
    actual: str
    dots: tuple[Dot, ...]
    unusable: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    today: float | None
    latest: Dot | None
    latest_planned_y: float | None


def chart(curve: Curve, now: datetime, limit_pp: float) -> Chart | None:
    """The chart of a site as it stands at `now`; None where there is neither plan nor photo."""
    bounds = _bounds(curve, now)
    if bounds is None:
        return None
    start, end = bounds
    plan = curve.baseline.curve if curve.baseline else None

    def x(at: datetime) -> float:
        return (at - start) / (end - start) * 100

    valid = _thinned([seen for seen in curve.actual if _is_judged(seen)], start, end)
    dots = tuple(
        Dot(x=x(seen.at), y=100 - seen.percent, outside=_is_outside(seen, limit_pp), observation=seen)
        for seen in valid
        if seen.percent is not None
    )
    unusable = tuple(
        Dot(x=x(seen.at), y=100.0, outside=False, observation=seen)
        for seen in _thinned([seen for seen in curve.actual if not _is_judged(seen)], start, end)
    )
    latest = dots[-1] if dots else None
    due = latest.observation.planned if latest else None
    return Chart(
        start=start,
        end=end,
        planned=_line([(x(at), percent) for at, percent in _plan_points(plan, start, end)]) if plan else "",
        tolerance=_tolerance(plan, start, end, limit_pp) if plan else "",
        interval=_interval(dots),
        actual=_line([(dot.x, 100 - dot.y) for dot in dots]),
        dots=dots,
        unusable=unusable,
        ticks=tuple(Tick(x=x(at), at=at) for at in _ticks(start, end)),
        today=x(now) if start <= now <= end else None,
        latest=latest,
        latest_planned_y=None if due is None else 100 - due,
    )


def _is_judged(seen: Observation) -> bool:
    return seen.valid and seen.percent is not None


def _bounds(curve: Curve, now: datetime) -> tuple[datetime, datetime] | None:
    times = [at for at, _ in curve.planned] + [seen.at for seen in curve.actual]
    if not times:
        return None
    start, end = min(times), max(times)
    span = max(end - start, timedelta(days=2))
    if end - start < span:
        start -= (span - (end - start)) / 2
        end = start + span
    if end < now <= end + span * _STRETCH:
        end = now + span * 0.02
    return start, end


def _is_outside(seen: Observation, limit_pp: float) -> bool:
    return (
        seen.percent is not None and seen.planned is not None and abs(seen.percent - seen.planned) > limit_pp
    )


def _thinned(seen: list[Observation], start: datetime, end: datetime) -> list[Observation]:
    """The last observation of each of 400 steps of time; all of them where they are fewer."""
    if len(seen) <= _MOST_POINTS:
        return seen
    step = (end - start) / _MOST_POINTS
    return list({(one.at - start) // step: one for one in seen}.values())


def _plan_points(curve: PlanCurve, start: datetime, end: datetime) -> list[tuple[datetime, float]]:
    """The plan's own points, and its level at both ends of the chart."""
    (first, percent), (last, _) = curve.points[0], curve.points[-1]
    before = [(start, 0.0), (first, 0.0)] if first > start else []
    jump = [] if before or percent == 0 else [(first, 0.0)]
    after = [(end, curve.planned_at(end))] if last < end else []
    return [*before, *jump, *curve.points, *after]


def _line(points: Sequence[tuple[float, float]]) -> str:
    """SVG points from (x in percent, percent done)."""
    return " ".join(f"{x * _SIDE / 100:.1f},{_SIDE - y * _SIDE / 100:.1f}" for x, y in points)


def _tolerance(curve: PlanCurve, start: datetime, end: datetime, limit_pp: float) -> str:
    evenly = {start + (end - start) * i / _TOLERANCE_STEPS for i in range(_TOLERANCE_STEPS + 1)}
    times = sorted(evenly | {at for at, _ in curve.points})
    middle = [((at - start) / (end - start) * 100, curve.planned_at(at)) for at in times]
    upper = [(x, min(y + limit_pp, 100.0)) for x, y in middle]
    lower = [(x, max(y - limit_pp, 0.0)) for x, y in reversed(middle)]
    return _line([*upper, *lower])


def _interval(dots: Sequence[Dot]) -> str:
    sure = [(dot.x, dot.observation.low, dot.observation.high) for dot in dots]
    known = [(x, low, high) for x, low, high in sure if low is not None and high is not None]
    if len(known) < 2:
        return ""
    return _line([*((x, high) for x, _, high in known), *((x, low) for x, low, _ in reversed(known))])


def _ticks(start: datetime, end: datetime) -> list[datetime]:
    """Few midnights or firsts of months, evenly over the chart, in local time."""
    first = local(start).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    days = (end - start) / timedelta(days=1)
    for step in _DAY_STEPS:
        if days / step <= _TICKS:
            return _up_to(end, [first + timedelta(days=step * i) for i in range(_TICKS + 1)])
    month = first.year * 12 + first.month - 1 + (first.day > 1)
    for step in _MONTH_STEPS:
        if days / 30.5 / step <= _TICKS:
            break
    firsts = [month + step * i for i in range(_TICKS + 2)]
    return _up_to(end, [first.replace(year=m // 12, month=m % 12 + 1, day=1) for m in firsts])


def _up_to(end: datetime, times: list[datetime]) -> list[datetime]:
    return [at for at in times if at <= end]
