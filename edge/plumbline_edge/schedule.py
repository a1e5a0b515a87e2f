"""When the next poll and the next photo are due, whatever happens to the wall clock meanwhile.

How much time has passed is asked of the clock that never steps; the wall clock only says where the ticks and the
times of day lie. So a step makes no tick and no photo that the time between did not hold, and loses none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

_SAME_DAY: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A photo that was taken: the moment it had been due at, and when that was in seconds since boot."""

    due: datetime
    mono: float


def next_tick(wall_s: float, mono_s: float, last_s: float | None, every_s: float) -> tuple[float, int]:
    """The next whole multiple of `every_s`, in seconds since boot, and how many ticks passed unused since `last_s`.

    `last_s` is when the last tick was due. Two ticks are never nearer than half a period and never farther than one
    and a half, unless some were missed: a step shifts where multiples lie, once.
    """
    due_s = mono_s + (floor(wall_s / every_s) + 1) * every_s - wall_s
    if last_s is None:
        return due_s, 0
    if due_s - last_s < every_s / 2:
        due_s += every_s
    return due_s, max(0, round((due_s - last_s) / every_s) - 1)


def next_capture(now: datetime, at: Iterable[str], zone: ZoneInfo) -> datetime:
    """The first of the local times of day `at` (HH:MM) strictly after `now`, in UTC.

    Where clocks change, a time of day that comes twice counts once, the first time; one that is left out counts when
    it would have been.
    """
    today = now.astimezone(zone).date()
    times = [time.fromisoformat(text) for text in at]
    moments = (
        datetime.combine(today + timedelta(days=days), moment, zone).astimezone(UTC)
        for days in (-1, 0, 1, 2)  # a day may lack a time of day when clocks change
        for moment in times
    )
    return min(moment for moment in moments if moment > now)


def due_capture(
    wall: datetime, mono: float, since: float, taken: Sequence[Taken], at: Sequence[str], zone: ZoneInfo
) -> datetime:
    """The first time of day that came after `since` (seconds since boot) and has no photo yet; it may have passed.

    `wall` and `mono` are now. All is dated by today's clock, also `since`: after a step forward over a time of day
    the photo is due at once if that time truly passed while we were watching, and after a step back a photo is not
    taken a second time for the same time of day.
    """
    boot = wall - timedelta(seconds=mono)
    due = next_capture(boot + timedelta(seconds=since), at, zone)
    while any(
        photo.due == due and abs(boot + timedelta(seconds=photo.mono) - due) < _SAME_DAY for photo in taken
    ):
        due = next_capture(due, at, zone)
    return due
