"""What meters add to an indicator: consumption between readings, consumption outside hours, hours at work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

LONGEST_GAP: Final = timedelta(hours=1)
"""Between readings further apart nobody knows when the energy went."""
FELL: Final = "counter_fell"
GAP: Final = "gap"
SILENT: Final = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one meter has added up to so far; `counter` is where it stood at `at`, None before its first reading."""

    at: datetime
    counter: float | None = None
    total: float = 0.0


def consumed(
    count: Count, readings: Iterable[tuple[datetime, float]], *, outside: tuple[int, int] | None, tz: tzinfo
) -> tuple[Count, frozenset[str]]:
    """The count after `readings` of a counter, ascending, and what makes the stretch doubtful.

    A counter that falls was replaced or set back: what it lacks is not guessed, it counts on from where it stands.
    With `outside`, a difference is spread evenly over the time between its readings, and only the share outside
    these hours counts.
    """
    flags: set[str] = set()
    for at, counter in readings:
        if count.counter is None:
            count = Count(at=at, counter=counter, total=count.total)
            continue
        grown = counter - count.counter
        if grown < 0:
            flags.add(FELL)
            grown = 0.0
        if outside is not None and grown:
            if at - count.at > LONGEST_GAP:
                flags.add(GAP)
            grown *= share_outside(count.at, at, outside, tz)
        count = Count(at=at, counter=counter, total=count.total + grown)
    return count, frozenset(flags)


def share_outside(start: datetime, end: datetime, hours: tuple[int, int], tz: tzinfo) -> float:
    """The share of the time from `start` to `end` that lies before the first or after the second hour of the day."""
    if end <= start:
        return 0.0
    begin, finish = start.astimezone(tz), end.astimezone(tz)
    inside = timedelta(0)
    day = begin.date()
    while day <= finish.date():
        midnight = datetime.combine(day, time(), tz)
        opens, closes = midnight + timedelta(hours=hours[0]), midnight + timedelta(hours=hours[1])
        inside += max(min(closes, finish) - max(opens, begin), timedelta(0))
        day += timedelta(days=1)
    return 1 - inside / (finish - begin)


def hours_at_work(
    means: Sequence[Sequence[tuple[datetime, float]]], above: float, *, expected: int
) -> tuple[int, frozenset[str]]:
    """In how many hours the devices' hourly means together are over `above`; an hour that nobody measured is a gap."""
    hours: dict[datetime, float] = {}
    for device in means:
        for at, mean in device:
            hours[at] = hours.get(at, 0.0) + mean
    if not hours:
        return 0, frozenset((SILENT,))
    return sum(mean > above for mean in hours.values()), frozenset((GAP,) if len(hours) < expected else ())


def steps(start: datetime, end: datetime, every: timedelta) -> list[tuple[datetime, datetime]]:
    """From `start` to the last multiple of `every` that is not after `end`; the first step may be a shorter one."""
    epoch = datetime(1970, 1, 1, tzinfo=start.tzinfo)
    first = epoch + -((epoch - start) // every) * every
    times = [start] if first > start else []
    at = first
    while at <= end:
        times.append(at)
        at += every
    return list(pairwise(times))
