"""Gives what was observed its time and its place in the outbox; the only way in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from plumbline.clock import Clock, Trust, boot_id, lesser, to_us
from plumbline.messages import Anchor, Body, Event, Gap, Health, Lane, Photo
from plumbline_edge.outbox import Draft, Outbox

_TRIES: Final = 3
_TOGETHER_S: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time by both clocks, and how far the wall clock could be trusted just then."""

    at: datetime
    mono: float
    trust: Trust

    @property
    def offset_us(self) -> int:
        """Wall time minus time since boot."""
        return to_us(self.at) - round(self.mono * 1e6)

    def saw(self, body: Body) -> Observation:
        return Observation(moment=self, body=body)


def moment(clock: Clock) -> Moment:
    """Now, whole: a step or a first synchronisation that falls between two questions spoils nothing.

    Trust is asked before and after the time, and the lesser word counts: a wrong time never gets a good flag. The
    two clocks are read within a millisecond of each other, where three tries suffice for that.
    """
    before = clock.trust()
    for _ in range(_TRIES):
        began, at, mono = clock.mono(), clock.wall(), clock.mono()
        if mono - began < _TOGETHER_S:
            break
    return Moment(at=at, mono=mono, trust=lesser(before, clock.trust()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something that was true at a moment."""

    moment: Moment
    body: Body


class Recorder:
    """Commits observations, then tells whoever sends them. `boot` names this boot; left out, the kernel is asked."""

    def __init__(
        self, outbox: Outbox, clock: Clock, committed: Callable[[], None], *, boot: str | None = None
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._committed = committed
        self.boot = boot or boot_id()

    def now(self) -> Moment:
        return moment(self._clock)

    async def keep(self, observations: Sequence[Observation]) -> None:
        """Return once all of them are durable, in one commit. Raises Unreachable where the card fails."""
        if not observations:
            return
        await self._outbox.append(
            [
                Draft(
                    lane=lane_of(seen.body),
                    at_us=to_us(seen.moment.at),
                    boot=self.boot,
                    mono_us=round(seen.moment.mono * 1e6),
                    clock=seen.moment.trust,
                    body=seen.body,
                )
                for seen in observations
            ]
        )
        self._committed()


def lane_of(body: Body) -> Lane:
    """What happened and how the gateway does goes before readings, readings before pictures."""
    match body:
        case Event() | Health() | Gap() | Anchor():
            return "status"
        case Photo():
            return "photo"
        case _:
            return "data"
