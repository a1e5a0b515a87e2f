"""How much may still be sent today over a link that is paid by the megabyte."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from plumbline.clock import Clock
from plumbline.messages import Lane

_LIVE_SHARE: Final = 1.2
"""Live readings go on a little beyond the budget; photos and backlog can wait for tomorrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What went out on one local day."""

    day: str
    """ISO date; empty: before the clock was ever set."""
    sent: int
    """Bytes of payload."""


class Budget:
    """Counts payload bytes by the site's local days; `daily_mb` None: only counts."""

    def __init__(
        self, daily_mb: float | None, *, zone: ZoneInfo, clock: Clock, spent: Spent | None = None
    ) -> None:
        self._daily_bytes = None if daily_mb is None else daily_mb * 1e6
        self._zone = zone
        self._clock = clock
        self._day = "" if spent is None else spent.day
        self._sent = 0 if spent is None else max(0, spent.sent)

    @property
    def limited(self) -> bool:
        return self._daily_bytes is not None

    def spend(self, size: int) -> None:
        self._turn()
        self._sent += size

    def allows(self, lane: Lane, *, live: bool) -> bool:
        """Status always; live readings up to 120 % of the day's budget; photos and backlog up to 100 %."""
        if self._daily_bytes is None or lane == "status":
            return True
        self._turn()
        share = _LIVE_SHARE if live and lane == "data" else 1.0
        return self._sent < self._daily_bytes * share

    def spent(self) -> Spent:
        self._turn()
        return Spent(day=self._day, sent=self._sent)

    def gauges(self) -> dict[str, float]:
        gauges = {"bytes_sent_today": float(self.spent().sent)}
        if self._daily_bytes is not None:
            gauges["budget_left_mb"] = round(max(0.0, self._daily_bytes - self._sent) / 1e6, 3)
        return gauges

    def _turn(self) -> None:
        """Begin a new day; a clock that was never set cannot say that there is one."""
        if self._clock.trust() == "unset":
            return
        today: date = self._clock.wall().astimezone(self._zone).date()
        if today.isoformat() != self._day:
            if self._day:  # what went out before the clock was set belongs to the first day that it told
                self._sent = 0
            self._day = today.isoformat()
