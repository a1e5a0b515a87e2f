"""Polls meters on aligned ticks and keeps what they said in one commit per cycle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol

from plumbline.clock import Clock
from plumbline.errors import Refused, Unreachable
from plumbline.messages import Event, EventCode, Frame
from plumbline_edge.meters.standing import Status
from plumbline_edge.outage import Outage
from plumbline_edge.recorder import Observation, Recorder
from plumbline_edge.schedule import next_tick

log = logging.getLogger(__name__)

_GRACE_S: Final = 0.25
_GRACE_SHARE: Final = 0.25
"""Real seconds, at most this share of a period, that meters which answered wait for their neighbours before they are
committed without them."""
_TOGETHER_S: Final = 1.0
_LAST_ANSWERS_S: Final = 10.0
"""Real seconds that a stop waits for them: a device that answers slowly for ever holds up no update."""
_AT_ONCE: Final = 8
_SPREAD_S: Final = 0.004
"""So many meters are asked at once, then as many so much later: none waits for a crowd, each at the same moment of
every period."""


class Pollable(Protocol):
    """One meter: how it does, whether it wants to be asked, and one poll of it."""

    @property
    def name(self) -> str: ...
    @property
    def every_s(self) -> float: ...
    @property
    def status(self) -> Status: ...

    def due(self, mono_s: float) -> bool:
        """Whether to ask it now; a meter that fell silent is asked rarely."""
        ...

    def queue(self, work: Callable[[], Awaitable[list[Observation]]]) -> asyncio.Future[list[Observation]]:
        """What `work` brings, once it is this meter's turn on its wire."""
        ...

    def take_news(self) -> list[Event]:
        """What happened with it besides; told once."""
        ...

    async def poll(self) -> Frame:
        """What it says now. Raises Unreachable or Refused: then there is nothing to keep."""
        ...


class Cycle:
    """All meters with the same period; `run` until cancelled, then `stop` keeps what is still being answered."""

    def __init__(self, meters: Sequence[Pollable], recorder: Recorder, clock: Clock) -> None:
        self._meters = meters
        self._every_s = meters[0].every_s
        self._grace_s = min(_GRACE_S, _GRACE_SHARE * self._every_s)
        self._recorder = recorder
        self._clock = clock
        self._asked: dict[str, asyncio.Future[list[Observation]]] = {}
        self._heard: set[str] = set()
        self._card = Outage("outbox")
        self._answering: set[str] = set()
        self._faulty: set[str] = set()
        self.counters = dict.fromkeys(
            ("cycles", "ticks_missed", "polls_skipped", "polls_failed", "frames", "observations_not_kept"), 0
        )

    async def run(self) -> None:
        tick = await self._next_tick(None)
        while True:
            await self._round()
            tick = await self._next_tick(tick)
            if self.counters["cycles"] == 1:
                self._say_who_answers()

    async def stop(self) -> None:
        """Keep what meters are still answering, within 10 s; those that wait for their wire are asked no more."""
        for name, task in self._asked.items():
            if name not in self._answering:
                task.cancel()
        asked = [task for task in self._asked.values() if not task.done()]
        if asked:
            await asyncio.wait(asked, timeout=_LAST_ANSWERS_S)
        await self._keep(self._take_answers())

    async def _next_tick(self, last_s: float | None) -> float:
        """Sleep until the next tick, in seconds since boot; ticks that passed meanwhile are counted, not run."""
        mono_s = self._clock.mono()
        due_s, missed = next_tick(self._clock.wall().timestamp(), mono_s, last_s, self._every_s)
        self.counters["ticks_missed"] += missed
        if self._asked:
            await self._gather_for(due_s - mono_s)
        else:
            await self._clock.sleep(due_s - mono_s)
        return due_s

    async def _gather_for(self, seconds: float) -> None:
        """Sleep, and keep what slow wires bring meanwhile, together what comes within a second."""
        sleeper = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            while not sleeper.done():
                await asyncio.wait({sleeper}, timeout=_TOGETHER_S if self._asked else None)
                await self._keep(self._take_answers())
        finally:
            sleeper.cancel()

    def _say_who_answers(self) -> None:
        """Once, after a whole period: also a slow wire has brought its first answers by then."""
        names = [meter.name for meter in self._meters if meter.name in self._heard]
        if names:
            log.info("%s answer%s", ", ".join(names), "s" if len(names) == 1 else "")

    async def _round(self) -> None:
        self.counters["cycles"] += 1
        late = self._take_answers()
        for i, meter in enumerate(self._meters):
            if i and i % _AT_ONCE == 0:
                await asyncio.sleep(_SPREAD_S)
            if meter.name in self._asked:
                self.counters["polls_skipped"] += 1
            elif meter.due(self._clock.mono()):
                self._asked[meter.name] = meter.queue(partial(self._ask, meter))
        if self._asked:
            await asyncio.wait(self._asked.values(), timeout=self._grace_s)
        await self._keep(late + self._take_answers())

    async def _ask(self, meter: Pollable) -> list[Observation]:
        """What there is to keep of one poll, now that it is the meter's turn."""
        self._answering.add(meter.name)
        try:
            return await self._polled(meter)
        finally:
            self._answering.discard(meter.name)

    async def _polled(self, meter: Pollable) -> list[Observation]:
        """A frame, and an event where the meter fell silent or came back."""
        before = meter.status
        asked = self._recorder.now()
        try:
            frame = await meter.poll()
        except Exception as why:  # noqa: BLE001 - one meter's fault, whatever it is, harms no other
            self.counters["polls_failed"] += 1
            if not isinstance(why, (Unreachable, Refused)):
                return self._found_faulty(meter, why)
            if meter.status != "silent" or before == "silent":
                return []
            log.warning("meter %s lost: %s", meter.name, why)
            return [
                self._recorder.now().saw(Event(code=EventCode.METER_LOST, subject=meter.name, text=str(why)))
            ]
        self.counters["frames"] += 1
        self._heard.add(meter.name)
        seen = [asked.saw(event) for event in meter.take_news()]
        if before == "silent" or meter.name in self._faulty:
            self._faulty.discard(meter.name)
            log.warning("meter %s back", meter.name)
            seen.append(asked.saw(Event(code=EventCode.METER_BACK, subject=meter.name)))
        return [*seen, asked.saw(frame)]

    def _found_faulty(self, meter: Pollable, why: Exception) -> list[Observation]:
        """A mistake of ours, or of its settings: the traceback once, and an event, until the meter is read again."""
        if meter.name in self._faulty:
            return []
        self._faulty.add(meter.name)
        log.error("meter %s cannot be read, and that is no fault of its own", meter.name, exc_info=why)
        text = f"cannot be read: {type(why).__name__}: {why}"
        return [self._recorder.now().saw(Event(code=EventCode.METER_LOST, subject=meter.name, text=text))]

    def _take_answers(self) -> list[Observation]:
        """What meters have answered since last asked for; those still answering stay asked."""
        answered = [self._asked.pop(name) for name, task in list(self._asked.items()) if task.done()]
        return [seen for task in answered if not task.cancelled() for seen in task.result()]

    async def _keep(self, observations: list[Observation]) -> None:
        try:
            await self._recorder.keep(observations)
        except Unreachable as why:
            self.counters["observations_not_kept"] += len(observations)
            self._card.failed(why)
        else:
            self._card.worked()
