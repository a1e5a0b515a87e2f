"""Watches how wall time and time since boot stand to each other, and records each change as an anchor."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from plumbline.clock import Clock, Trust
from plumbline.errors import Unreachable
from plumbline.messages import Anchor, Event, EventCode
from plumbline_edge.recorder import Moment, Recorder

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
_TOLERATED_US: Final = 500_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered between two looks."""

    offset_us: int
    """At the last look; where it jumps from one look to the next, somebody set the clock."""
    anchored_us: int
    """In the last anchor; slow drift adds up against this one."""
    trust: Trust


def watch(
    before: Standing | None, offset_us: int, trust: Trust
) -> tuple[Standing, Anchor | None, Event | None]:
    """One look further: a new anchor where one is needed, and an event where the clock was set.

    The first look always anchors; later ones do when the trust changed or the offset is more than half a second from
    the last anchor's.
    """
    if before is None:
        return (
            Standing(offset_us=offset_us, anchored_us=offset_us, trust=trust),
            Anchor(offset_us=offset_us),
            None,
        )
    stepped_us = offset_us - before.offset_us
    stepped = abs(stepped_us) > _TOLERATED_US
    drifted = abs(offset_us - before.anchored_us) > _TOLERATED_US
    if not stepped and not drifted and trust == before.trust:
        return Standing(offset_us=offset_us, anchored_us=before.anchored_us, trust=trust), None, None
    after = Standing(offset_us=offset_us, anchored_us=offset_us, trust=trust)
    anchor = Anchor(offset_us=offset_us, before_us=before.anchored_us, before=before.trust)
    event = Event(code=EventCode.CLOCK_CHANGED, text=_sentence(stepped_us, before.trust, trust))
    return after, anchor, event if stepped else None


class ClockWatch:
    """Looks every second. A simulated clock is looked at once: nothing sets it, and it may run very fast."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._standing: Standing | None = None
        self._set = asyncio.Event()
        self.counters = {"clock_steps": 0, "clock_anchors": 0}

    async def run(self) -> None:
        while await self.look() != "simulated":
            await self._clock.sleep(_LOOK_EVERY_S)

    async def look(self) -> Trust:
        """Record what has changed since the last look; how far the clock can be trusted now."""
        now = self._recorder.now()
        after, anchor, event = watch(self._standing, now.offset_us, now.trust)
        if anchor is not None:
            self._set.set()
            self._set = asyncio.Event()
            if not await self._kept(now, anchor, event):
                return now.trust  # the standing stays as it was: the next look tries again
        self._standing = after
        if event is not None:
            log.warning("clock: %s", event.text)
        return now.trust

    async def until(self, due: datetime) -> None:
        """Return when the wall clock reaches `due`, or as soon as it is set anew: then ask again what is due."""
        changed = self._set
        seconds = (due - self._clock.wall()).total_seconds()
        if seconds <= 0:
            return
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        waiting = asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait((sleeping, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, waiting):
                task.cancel()
            await asyncio.gather(sleeping, waiting, return_exceptions=True)

    async def _kept(self, now: Moment, anchor: Anchor, event: Event | None) -> bool:
        with contextlib.suppress(Unreachable):  # the cycle has said that the card fails
            await self._recorder.keep([now.saw(body) for body in (anchor, event) if body is not None])
            self.counters["clock_anchors"] += 1
            self.counters["clock_steps"] += event is not None
            return True
        return False


def _sentence(stepped_us: int, before: Trust, after: Trust) -> str:
    way = "forward" if stepped_us > 0 else "back"
    by = timedelta(microseconds=abs(stepped_us))
    trust = f"it is {after}" if before == after else f"it was {before} and is {after}"
    return f"the clock was set {way} by {by}; {trust}"
