"""When the next photo is due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_capture(now: datetime, at: Iterable[str], zone: ZoneInfo) -> datetime:
    """The first of the local times of day `at` (HH:MM) strictly after `now`, in UTC."""
    today = now.astimezone(zone).date()
    times = [time.fromisoformat(text) for text in at]
    moments = (
        datetime.combine(today + timedelta(days=days), moment, zone).astimezone(UTC)
        for days in (0, 1, 2)  # a day may lack a time of day when clocks change
        for moment in times
    )
    return min(moment for moment in moments if moment > now)
