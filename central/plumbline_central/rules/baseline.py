"""What a meter usually uses at each hour of the week, learned so that no single night or fault can teach it much."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise, zip_longest
from math import sqrt
from statistics import median
from typing import Final

HOUR: Final = timedelta(hours=1)
LONGEST_GAP: Final = timedelta(hours=1)
"""Between readings further apart nobody knows when the energy went."""
MOST_KWH: Final = 5_000.0
"""No meter of a construction site counts more in an hour; a counter that jumps by more misread."""
_MAD_TO_SIGMA: Final = 1.4826
_LEAST_SPREAD: Final = 0.05
"""As a share of what is usual: a few weeks that happen to agree are no promise."""

Hour = tuple[datetime, float]
"""The start of a full hour, and the energy used in it in kWh."""
Slot = tuple[int, int]
"""Weekday, 1 to 7, and hour, local time."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The median of an hour of the week, and one robust standard deviation of it."""

    kwh: float
    spread_kwh: float


def hourly(readings: Sequence[tuple[datetime, float]], start: datetime, end: datetime) -> Iterator[Hour]:
    """The hours from `start` to `end`, full hours both, whose energy is known from a counter's readings, ascending.

    An hour that no readings enclose within `LONGEST_GAP`, in which the counter fell (rolled over, was replaced, was
    misread) or jumped, has none: it is left out, never taken for 0.
    """
    sound = _sound(readings)
    times = [at for at, _ in sound]
    before = _stood(sound, times, start)
    at = start
    while at + HOUR <= end:
        within = sound[bisect_right(times, at) : bisect_left(times, at + HOUR)]
        stood = _stood(sound, times, at + HOUR)
        if before is not None and stood is not None:
            counted = [before, *(value for _, value in within), stood]
            if all(left <= right for left, right in pairwise(counted)) and stood - before <= MOST_KWH:
                yield at, stood - before
        before, at = stood, at + HOUR


def learn(hours: Sequence[Hour], tz: tzinfo, least_weeks: int) -> Mapping[Slot, Usual]:
    """By hour of the week; those that were seen in fewer than `least_weeks` weeks have nothing usual.

    A few weeks say little of how far an hour strays, so all weekdays together say it of an hour of the day.
    """
    seen: defaultdict[Slot, list[float]] = defaultdict(list)
    for at, kwh in hours:
        seen[slot(at, tz)].append(kwh)
    middles = {key: median(values) for key, values in seen.items() if len(values) >= least_weeks}
    strays: defaultdict[int, list[float]] = defaultdict(list)
    for key, middle in middles.items():
        count = len(seen[key])
        strays[key[1]] += [sqrt(count / (count - 1)) * abs(value - middle) for value in seen[key]]
    spreads = {hour: _MAD_TO_SIGMA * median(values) for hour, values in strays.items()}
    return {
        key: Usual(middle, max(spreads[key[1]], _LEAST_SPREAD * middle)) for key, middle in middles.items()
    }


def slot(at: datetime, tz: tzinfo) -> Slot:
    local = at.astimezone(tz)
    return local.isoweekday(), local.hour


def _sound(readings: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """Without single readings above or below both their neighbours where these agree with each other."""
    kept: list[tuple[datetime, float]] = []
    for now, after in zip_longest(readings, readings[1:]):
        if kept and after and kept[-1][1] <= after[1] and not kept[-1][1] <= now[1] <= after[1]:
            continue
        kept.append(now)
    return kept


def _stood(sound: Sequence[tuple[datetime, float]], times: Sequence[datetime], at: datetime) -> float | None:
    """Where the counter stood at `at`, on the line between the readings around it."""
    right = bisect_left(times, at)
    if right == len(times):
        return None
    if times[right] == at:
        return sound[right][1]
    if right == 0:
        return None
    (left_at, left), (right_at, value) = sound[right - 1], sound[right]
    if right_at - left_at > LONGEST_GAP or value < left:
        return None
    return left + (value - left) * ((at - left_at) / (right_at - left_at))
