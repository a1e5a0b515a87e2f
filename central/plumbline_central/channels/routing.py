"""Who is told of what: routes by site, severity, rule, owner and time of day. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, tzinfo
from fnmatch import fnmatchcase
from typing import Final

from plumbline_central.alerts.alert import Notice, Rule, What
from plumbline_central.deviation import Severity

_HOURS: Final = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII)

QUIET_WHATS: frozenset[What] = frozenset(
    {"assigned", "suppressed", "unsuppressed", "shelved", "unshelved", "out_of_service", "in_service"}
)
"""Steps that programs want to know of and people do not, unless a route asks for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A time of day in central's time zone; over midnight where `until` is not after `start`."""

    start: time
    until: time
    weekdays: frozenset[int] = frozenset(range(7))
    """0 is Monday; of the day on which the hours begin."""

    @classmethod
    def all_day(cls, weekdays: frozenset[int]) -> Hours:
        """From midnight to midnight: what begins on a day ends where the next one begins."""
        return cls(start=time(0), until=time(0), weekdays=weekdays)

    def holds(self, local: datetime) -> bool:
        now = local.time().replace(tzinfo=None)
        today, yesterday = local.weekday(), (local.weekday() - 1) % 7
        if self.start < self.until:
            return self.start <= now < self.until and today in self.weekdays
        return (now >= self.start and today in self.weekdays) or (
            now < self.until and yesterday in self.weekdays
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Notices that fit go to `channels`; an empty condition fits all."""

    channels: tuple[str, ...]
    sites: tuple[str, ...] = ()
    """Names or patterns such as "school-*"."""
    severities: tuple[Severity, ...] = ()
    rules: tuple[Rule, ...] = ()
    owners: tuple[str, ...] = ()
    """Whom the alert is assigned to."""
    whats: tuple[What, ...] = ()
    """Which steps; empty: all but those of `QUIET_WHATS`."""
    hours: Hours | None = None
    only: bool = False
    """Later routes are not asked for what fits this one."""

    def fits(self, notice: Notice, local: datetime) -> bool:
        alert = notice.alert
        return (
            (not self.sites or any(fnmatchcase(alert.site, pattern) for pattern in self.sites))
            and (not self.severities or alert.severity in self.severities)
            and (not self.rules or alert.rule in self.rules)
            and (not self.owners or alert.assigned_to in self.owners)
            and (notice.what in self.whats if self.whats else notice.what not in QUIET_WHATS)
            and (self.hours is None or self.hours.holds(local))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Which channels hear of a notice: `always`, and those of the routes that fit it, in order and each once."""

    tz: tzinfo
    always: tuple[str, ...] = ()
    """Channels for programs, which get every step."""
    routes: Sequence[Route] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Every channel that can hear of anything."""
        return tuple(dict.fromkeys((*self.always, *(c for route in self.routes for c in route.channels))))

    def channels(self, notice: Notice) -> tuple[str, ...]:
        found = list(self.always)
        for route in self.routes:
            if route.fits(notice, notice.at.astimezone(self.tz)):
                found += route.channels
                if route.only:
                    break
        return tuple(dict.fromkeys(found))


def hours_of(text: str, weekdays: frozenset[int] = frozenset(range(7))) -> Hours | None:
    """The hours written like 07:30-19:00; None where that is none."""
    found = _HOURS.fullmatch(text)
    if found is None:
        return None
    start, until = (time.fromisoformat(part) for part in found.groups())
    return None if start == until else Hours(start=start, until=until, weekdays=weekdays)
