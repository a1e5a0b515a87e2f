"""One zone's photos brought into line: works rise, no faster than a crew can; what falls back is said, not hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

DAYS: Final = 20
"""Days with a usable photo that count."""
MAX_RISE_PP: Final = 20.0
"""Percentage points a day that a zone is believed to rise where the site file names no crew rate: the fastest zone of
a 60-day project rises 14 [M, simulated projects]."""
CREW_MARGIN: Final = 3.0
REGRESS_PP: Final = 6.0
REGRESS_DAYS: Final = 3
GAIN: Final = 0.6
"""Share of a rise that is taken over at once. Isotonic regression ends at the highest mean of any last days, so at its
end it follows noise upwards: by 2.2 points of the whole site where a zone's noise is 8, against 0.7 so, and 1 day's
delay costs 0.3 [M, simulated projects]. A plain "never falls" would add 5.9."""
_RECENT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What one local day's photos showed of a zone together; `weight` adds up how much of it was visible in each."""

    on: date
    percent: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A zone's last days. `level` is its percent as of `at`, when it could last be seen; None before that.

    `doubted` are days too far below to be believed yet, `base` is the level that the newest day began with.
    `fell_from` is what the zone was before it fell back, as long as it has not come back to that.
    """

    level: float | None = None
    at: datetime | None = None
    days: tuple[Day, ...] = ()
    doubted: tuple[Day, ...] = ()
    base: float | None = None
    base_on: date | None = None
    fell_from: float | None = None

    @property
    def newest(self) -> Day | None:
        """The newest day, believed or not."""
        return max((*self.days[-1:], *self.doubted[-1:]), key=lambda day: day.on, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regress:
    """A zone stayed below what it was: from and to which percent. Rework, demolition, a moved camera or a cover."""

    before: float
    after: float


def step(
    course: Course,
    percent: float,
    weight: float,
    at: datetime,
    *,
    half_pp: float,
    max_rise_pp: float = MAX_RISE_PP,
) -> tuple[Course, Regress | None]:
    """One photo further, `at` in the site's time zone; `weight` is the zone's visible share, above 0.

    A photo older than the newest changes nothing. One below the level by more than REGRESS_PP and `half_pp`, the
    half width of its 90 % interval, is held back; on the REGRESS_DAYS-th such day in a row the zone follows it and
    the regress is returned, once.
    """
    if course.at is not None and at < course.at:
        return course, None
    newest = course.newest
    on = at.date() if newest is None else max(at.date(), newest.on)
    if newest is not None and newest.on < on:
        course = replace(course, base=course.level, base_on=newest.on)
    days = tuple(day for day in course.days if day.on != on)
    doubted = tuple(day for day in course.doubted if day.on != on)
    earlier = newest if newest is not None and newest.on == on else None
    today = _with(earlier, on, min(percent, _ceiling(course, on, max_rise_pp)), weight)
    settled = _settled(course.base, days)
    if settled is not None and today.percent < settled - max(REGRESS_PP, half_pp):
        held = replace(course, at=at, level=course.base, days=days, doubted=(*doubted, today))
        return (held, None) if len(held.doubted) < REGRESS_DAYS else _followed(held)
    believed = (*days, today)[-DAYS:]
    level = _risen(course.base, isotonic_end(believed))
    came_back = course.fell_from is not None and level >= course.fell_from - REGRESS_PP
    return replace(
        course,
        at=at,
        level=level,
        days=believed,
        doubted=(),
        fell_from=None if came_back else course.fell_from,
    ), None


def restarted(course: Course, at: datetime) -> Course:
    """The zone at its last level as of `at`, for when the days before cannot be dated."""
    if course.level is None:
        return Course()
    today = Day(on=at.date(), percent=course.level, weight=1.0)
    return Course(level=course.level, at=at, days=(today,), fell_from=course.fell_from)


def isotonic_end(days: Sequence[Day]) -> float:
    """The last value of the weighted least-squares fit that never falls. Pool adjacent violators."""
    blocks: list[tuple[float, float]] = []
    for day in days:
        mean, weight = day.percent, day.weight
        while blocks and blocks[-1][0] >= mean:
            before, its_weight = blocks.pop()
            mean = (mean * weight + before * its_weight) / (weight + its_weight)
            weight += its_weight
        blocks.append((mean, weight))
    return blocks[-1][0]


def _with(earlier: Day | None, on: date, percent: float, weight: float) -> Day:
    if earlier is None:
        return Day(on=on, percent=percent, weight=weight)
    total = earlier.weight + weight
    mean = (earlier.percent * earlier.weight + percent * weight) / total
    return Day(on=on, percent=mean, weight=total)


def _ceiling(course: Course, on: date, max_rise_pp: float) -> float:
    if course.base is None or course.base_on is None:
        return 100.0
    return min(100.0, course.base + max_rise_pp * max(1, (on - course.base_on).days))


def _settled(base: float | None, days: Sequence[Day]) -> float | None:
    """The level that more than one day bears out: falling back from a single outlier is no regress."""
    if base is None or len(days) < 2:
        return None
    return min(base, sorted(day.percent for day in days[-_RECENT:])[-2])


def _risen(base: float | None, fitted: float) -> float:
    return fitted if base is None or fitted <= base else base + GAIN * (fitted - base)


def _followed(course: Course) -> tuple[Course, Regress]:
    """The zone at its new level, and what to say of it."""
    assert course.base is not None
    *before, _ = course.doubted
    level = isotonic_end(course.doubted)
    fallen = replace(
        course,
        level=level,
        days=course.doubted,
        doubted=(),
        base=isotonic_end(before),
        base_on=before[-1].on,
        fell_from=max(course.base, course.fell_from or 0.0),
    )
    return fallen, Regress(before=course.base, after=level)
