"""One zone's photos brought into line: works rise, no faster than a crew can; what falls back is said, not hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

DAYS: Final = 10
"""Days with a usable photo that are kept; older ones weigh less than a hundredth of today."""
MEMORY_DAYS: Final = 2.0
"""A day's weight falls to 1/e in so many days. One gain a photo, whatever the time between two, made the site lag by 1.1
points with a photo a day and by 4 with one every fourth; isotonic regression ends at the highest mean of any last days and
so follows noise upwards. The end of a line that never falls, through days that fade, does neither. Zone noise 0, 3,
6, 9 points, a photo every 1, 2, 4, 7 days [M, tests/bench/filter.py, even seeds]: the site is off by -0.3 to +0.1 on the
mean; its mean error is 0.55, 1.08, 1.65 with a photo a day, the photos' own 0.63, 1.30, 1.99, and below theirs at
each pace. Longer memories are calmer where photos are noisy, and late where they are not."""
MAX_RISE_PP: Final = 20.0
"""Percentage points a day that a zone is believed to rise where the site file names no crew rate: the fastest zone of
a 60-day project rises 14 [M, simulated projects]."""
CREW_MARGIN: Final = 3.0
REGRESS_PP: Final = 6.0
REGRESS_DAYS: Final = 3
REGRESS_OF: Final = 4
"""So many of the last so many days with a photo must be doubted: one noisy day must not start the count anew."""
_RECENT: Final = 5
_BORNE_OUT: Final = 3
"""So many of the last _RECENT days must have shown the level that a day is held against. At a photo a day and a zone noise of
6 points one fall in 3,000 zone-days is said though there was none, with one day fewer one in 900; a fall of 40 points is
said after 3 days, after more than 4 in 0.7 % of cases at a noise of 9 [M, the same]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What one local day's photos showed of a zone together; `weight` adds up how much of it was visible in each."""

    on: date
    percent: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A zone's last days. `level` is its percent as of `at`, when it could last be seen; None before that.

    `doubted` are recent days too far below to be believed yet, `base` is the level that the newest day began with.
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
    half width of its 90 % interval, is held back; when REGRESS_DAYS of the last REGRESS_OF days are such, the zone
    follows them and the regress is returned, once.
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
    ceiling = _ceiling(course, on, max_rise_pp)
    today = _with(earlier, on, min(percent, ceiling), weight)
    settled = _settled(course.base, days)
    if settled is not None and today.percent < settled - max(REGRESS_PP, half_pp):
        doubted = _recent(days, (*doubted, today))
        held = replace(course, at=at, level=course.base, days=days, doubted=doubted)
        return (held, None) if len(doubted) < REGRESS_DAYS else _followed(held)
    believed = (*days, today)[-DAYS:]
    level = min(line_end(believed), ceiling)
    came_back = course.fell_from is not None and level >= course.fell_from - REGRESS_PP
    return replace(
        course,
        at=at,
        level=level,
        days=believed,
        doubted=_recent(believed, doubted),
        fell_from=None if came_back else course.fell_from,
    ), None


def is_doubted(course: Course) -> bool:
    """Whether the newest day is held back."""
    newest = course.newest
    return newest is not None and newest in course.doubted[-1:]


def restarted(course: Course, at: datetime) -> Course:
    """The zone at its last level as of `at`, for when the days before cannot be dated."""
    if course.level is None:
        return Course()
    today = Day(on=at.date(), percent=course.level, weight=1.0)
    return Course(level=course.level, at=at, days=(today,), fell_from=course.fell_from)


def forgotten(course: Course) -> Course:
    """The zone with its last level and nothing to compare the next photo with, for when another model judges it."""
    return Course(level=course.level, at=course.at, fell_from=course.fell_from)


def line_end(days: Sequence[Day]) -> float:
    """Where the line that fits the days best and never falls stands on the last of them; never past what they showed.

    Days count by their weight, and less the older they are. On an even rise it lies on it, however far apart days are.
    """
    ages = [(days[-1].on - day.on).days for day in days]
    weights = [day.weight * math.exp(-age / MEMORY_DAYS) for day, age in zip(days, ages, strict=True)]
    total = math.fsum(weights)
    age = math.fsum(w * a for w, a in zip(weights, ages, strict=True)) / total
    mean = math.fsum(w * day.percent for w, day in zip(weights, days, strict=True)) / total
    spread = math.fsum(w * (a - age) ** 2 for w, a in zip(weights, ages, strict=True))
    fall = math.fsum(w * (a - age) * d.percent for w, a, d in zip(weights, ages, days, strict=True))
    rise = max(-fall / spread, 0.0) if spread > 0 else 0.0
    shown = [day.percent for day in days]
    return min(max(mean + rise * age, min(shown)), max(shown))


def _recent(believed: Sequence[Day], doubted: Sequence[Day]) -> tuple[Day, ...]:
    """Those doubted days that are among the last REGRESS_OF days with a photo."""
    on = sorted(day.on for day in (*believed, *doubted))[-REGRESS_OF:]
    return tuple(day for day in doubted if day.on >= on[0])


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
    """The level that most of the recent days bear out: falling back from a few outliers is no regress."""
    if base is None or len(days) < 2:
        return None
    recent = sorted(day.percent for day in days[-_RECENT:])
    return min(base, recent[max(len(recent) - _BORNE_OUT, 0)])


def _followed(course: Course) -> tuple[Course, Regress]:
    """The zone at its new level, and what to say of it."""
    assert course.base is not None
    *before, _ = course.doubted
    level = line_end(course.doubted)
    fallen = replace(
        course,
        level=level,
        days=course.doubted,
        doubted=(),
        base=line_end(before),
        base_on=before[-1].on,
        fell_from=max(course.base, course.fell_from or 0.0),
    )
    return fallen, Regress(before=course.base, after=level)
