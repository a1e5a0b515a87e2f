"""When a photo was taken, as its file's name tells."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Final

_DATED: Final = re.compile(
    r"(?<!\d)(20\d\d)([-_.]?)(\d\d)\2(\d\d)(?:[T_ .-]{0,3}(\d\d)[-_:h.]?(\d\d)(?:[-_:m.]?(\d\d)(Z)?)?)?(?!\d{5})"
)


def day_and_time(name: str, zone: tzinfo) -> tuple[date, datetime | None] | None:
    """The day in a name like east_20260501-1000.jpg or 2026-05-01 10.00.00.jpg, and the time where it has one.

    Local in `zone`, unless a Z follows the seconds: that is UTC, as the gateway names its own photos.
    """
    found = _DATED.search(name)
    if found is None:
        return None
    year, _, month, day, hour, minute, second, utc = found.groups()
    try:
        on = date(int(year), int(month), int(day))
    except ValueError:  # digits that are no date
        return None
    if hour is None:
        return on, None
    try:
        at = datetime(
            on.year, on.month, on.day, int(hour), int(minute), int(second or 0), tzinfo=UTC if utc else zone
        )
    except ValueError:
        return None
    return at.astimezone(zone).date(), at.astimezone(zone)
