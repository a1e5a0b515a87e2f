"""UTC times in the words of people on site: China Standard Time, and how long ago."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Final

from plumbline_central.web.texts import Texts

SHANGHAI: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""No summer time since 1991, so a fixed offset does, and no zone database is needed."""

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
_CLOCKS_DIFFER_S: Final = 60
_JUST_NOW_S: Final = 2


def local(at: datetime) -> datetime:
    return at.astimezone(SHANGHAI)


def day(texts: Texts, at: datetime, now: datetime | None = None) -> str:
    """The date; with its year where `now` is in another one, or is not given."""
    there = local(at)
    with_year = now is None or local(now).year != there.year
    if texts.language == "zh":
        return f"{there.year}年{there.month}月{there.day}日" if with_year else f"{there.month}月{there.day}日"
    month = _MONTHS[there.month - 1]
    return f"{there.day} {month} {there.year}" if with_year else f"{there.day} {month}"


def moment(texts: Texts, at: datetime, now: datetime) -> str:
    """The date and the time of day."""
    return f"{day(texts, at, now)} {local(at):%H:%M}"


def stamp(texts: Texts, at: datetime, now: datetime) -> str:
    """The time of day, with its date where that is not today's."""
    return f"{local(at):%H:%M}" if local(at).date() == local(now).date() else moment(texts, at, now)


def age(texts: Texts, seconds: float) -> str:
    """How long ago something was. static/live.js says it the same way."""
    if seconds < -_CLOCKS_DIFFER_S:
        return texts("age.ahead")
    if seconds < _JUST_NOW_S:
        return texts("age.now")
    key, n = _largest_unit("age", seconds)
    return texts(key, n=n)


def span(texts: Texts, seconds: float) -> str:
    """A length of time, in its largest whole unit from minutes up."""
    key, n = _largest_unit("span", max(seconds, _MINUTE))
    return texts(key, n=n)


def _largest_unit(group: str, seconds: float) -> tuple[str, int]:
    if seconds < _MINUTE:
        return f"{group}.seconds", int(seconds)
    if seconds < _HOUR:
        return f"{group}.minutes", int(seconds / _MINUTE)
    if seconds < 2 * _DAY:
        return f"{group}.hours", int(seconds / _HOUR)
    return f"{group}.days", int(seconds / _DAY)
