"""Gives what was observed its time and its place in the outbox; the only way in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from plumbline.clock import Clock, boot_id, to_us
from plumbline.messages import Anchor, Body, Event, Gap, Health, Lane, Photo
from plumbline_edge.outbox import Draft, Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time by both clocks: wall time, and seconds since boot."""

    at: datetime
    mono: float

    def saw(self, body: Body) -> Observation:
        return Observation(moment=self, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Something that was true at a moment."""

    moment: Moment
    body: Body


class Recorder:
    """Commits observations, then tells whoever sends them."""

    def __init__(self, outbox: Outbox, clock: Clock, committed: Callable[[], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._committed = committed
        self._boot = boot_id()

    def now(self) -> Moment:
        return Moment(at=self._clock.wall(), mono=self._clock.mono())

    async def keep(self, observations: Sequence[Observation]) -> None:
        """Return once all of them are durable, in one commit. Raises Unreachable where the card fails."""
        if not observations:
            return
        trust = self._clock.trust()
        await self._outbox.append(
            [
                Draft(
                    lane=lane_of(seen.body),
                    at_us=to_us(seen.moment.at),
                    boot=self._boot,
                    mono_us=round(seen.moment.mono * 1e6),
                    clock=trust,
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
