"""On-delay and off-delay: what is found has to stay found, and what is gone has to stay gone, before anyone is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long a condition must be found before it is raised, and not be found before it counts as gone."""

    on_s: float = 0.0
    off_s: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.on_s < 1e9 and 0 <= self.off_s < 1e9):
            raise ValueError("delays are seconds, at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latch:
    """What is remembered of one slot between two looks."""

    on: bool = False
    since: datetime | None = None
    """Since when the looks say the other thing than `on`."""
    off_at: datetime | None = None
    """When it went off last."""

    def explains(self, now: datetime, linger: timedelta) -> bool:
        """Whether it may still explain other alerts: on, about to be, or off for less than `linger`."""
        return self.on or self.since is not None or (self.off_at is not None and now < self.off_at + linger)


NO_DELAY: Final = Delays()


def step(
    latch: Latch, now: datetime, delays: Delays, *, found: bool
) -> tuple[Latch, Literal["on", "off"] | None]:
    """One look further. A clock that was set back starts the wait anew; it never shortens it."""
    if found == latch.on:
        return Latch(on=latch.on, off_at=latch.off_at), None
    since = min(latch.since or now, now)
    if now - since < timedelta(seconds=delays.on_s if found else delays.off_s):
        return Latch(on=latch.on, since=since, off_at=latch.off_at), None
    if found:
        return Latch(on=True), "on"
    return Latch(off_at=now), "off"
