"""One meter: takes its turn on the bus, asks, decodes and checks, and keeps count of how it does."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from plumbline.clock import Clock
from plumbline.errors import Unreachable
from plumbline.messages import DeviceHealth, Frame
from plumbline.metrics import Flaw
from plumbline_edge.meters.bus import Bus
from plumbline_edge.meters.check import latest
from plumbline_edge.meters.decode import Flaws, Values
from plumbline_edge.meters.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.learn import Learned
from plumbline_edge.meters.pace import Pace
from plumbline_edge.meters.plan import Span
from plumbline_edge.meters.profile import Profile
from plumbline_edge.meters.question import Question
from plumbline_edge.meters.reader import Answer, Miss, ModbusReader, family_of
from plumbline_edge.meters.remembered import Known, Remembered
from plumbline_edge.meters.standing import Standing, Status

log = logging.getLogger(__name__)
T = TypeVar("T")

_RELEARN_S: Final = 7 * 86_400.0
"""After so long, what a meter once refused is asked for again."""
_LIVE, _PROBING = 0, 1


class Meter:
    """One meter on a bus, under its site's name.

    `probe_s` bounds how long a meter that fell silent may hold up its neighbours on the wire, in real seconds.
    `clock` times only how long it is left alone.
    """

    def __init__(
        self,
        *,
        name: str,
        profile: Profile,
        unit: int,
        bus: Bus,
        every_s: float,
        clock: Clock,
        timeout_s: float = 1.0,
        probe_s: float | None = None,
        remembered: Remembered | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.every_s = every_s
        self.profile = profile
        self.unit = unit
        self.metrics: tuple[int, ...] = tuple(metric.code for metric in profile.metrics)
        """Codes of a frame's values, in the profile's order."""
        self.standing = Standing(every_s, rng or random.Random())
        self.pace = Pace(timeout_s)
        self.latency_s: float | None = None
        """Real seconds that the last answered poll took."""
        self._bus = bus
        self._clock = clock
        self._probe_s = probe_s
        self._quiet_s = profile.min_gap_ms / 1e3 if bus.framing == "rtu" else 0.0
        self._remembered = remembered or Remembered(None)
        self._family = family_of(profile)
        known = self._remembered.of(name)
        if known.family != self._family:
            known = Known(family=self._family)
        self._reader = ModbusReader(
            profile, unit, bus.framing, max_gap=bus.max_gap,
            learned=Learned(barriers=frozenset(known.barriers), refused=frozenset(known.refused)),
        )  # fmt: skip
        self._learned_at_s = clock.mono()
        self._late_seen = 0
        self._before: Values | None = None
        self._refusal: ExceptionAnswer

    @property
    def spans(self) -> tuple[Span, ...]:
        """The reads of one poll, the probe's first."""
        return self._reader.spans

    @property
    def status(self) -> Status:
        return self.standing.status

    @property
    def errors(self) -> Counter[str]:
        return self.standing.errors

    @property
    def answers(self) -> int:
        return self.standing.answers

    def due(self, mono_s: float) -> bool:
        """See Standing.due. A meter that answered late lives: it is asked again, and waited for longer."""
        if self.pace.late > self._late_seen:
            self._late_seen = self.pace.late
            self.standing.wake()
        return self.standing.due(mono_s)

    def health(self) -> DeviceHealth:
        return DeviceHealth(
            name=self.name,
            status=self.status,
            answers=self.answers,
            errors=dict(self.errors) | ({"late": self.pace.late} if self.pace.late else {}),
            latency_ms=None if self.latency_s is None else round(self.latency_s * 1e3, 1),
        )

    async def close(self) -> None:
        """Let go of the wire."""
        await self._bus.stop()

    def queue(self, work: Callable[[], Awaitable[T]]) -> asyncio.Future[T]:
        """Run `work` when this meter has the wire; those that live come before one that fell silent."""
        return self._bus.turn(work, rank=_PROBING if self.status == "silent" else _LIVE)

    async def poll(self) -> Frame:
        """Ask once for everything, with the wire to itself; stops at the first silence.

        A read without an answer costs its own metrics only: None, with the reason. Raises Unreachable where
        nothing was answered, Refused where every read was answered with an exception: there is no frame then.
        """
        began_s = asyncio.get_running_loop().time()
        decode = self._reader.decode  # of this plan: learning may change it
        try:
            answers = await self._ask(self._reader.questions)
        except Unreachable:
            self.standing.fell_silent(self._clock.mono())
            raise
        missed = any(isinstance(answer, Miss) for answer in answers)
        if missed or self._reader.learned:
            self._learn(answers)
        if missed and not any(isinstance(answer, bytes) for answer in answers):
            self.standing.spoke("degraded")
            raise self._refusal
        self.standing.answers += 1
        self.latency_s = asyncio.get_running_loop().time() - began_s
        values, flaws = decode(answers)
        flaws += self._doubts(values, flaws)
        self._before = latest(values, self._before)
        self.standing.spoke("degraded" if missed else "ok")
        return Frame(device=self.name, metrics=self.metrics, values=values, flaws=flaws)

    async def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        answers: list[Answer] = []
        most_s = self._probe_s if self.status == "silent" and not self.pace.late else None
        for question in questions:
            try:
                answers.append(await self._bus.ask(question, self.pace, quiet_s=self._quiet_s, most_s=most_s))
            except ExceptionAnswer as no:
                self.errors[f"exception_{no.code}"] += 1
                log.debug("%s: %s", self.name, no)
                answers.append(Miss(flaw=Flaw.EXCEPTION, code=no.code))
                self._refusal = no
            except BusFailure as away:
                self.errors[away.kind] += 1
                log.debug("%s: %s", self.name, away)
                if not any(isinstance(answer, bytes) for answer in answers):
                    raise
                miss = Miss(flaw=Flaw.GARBAGE if away.kind in ("garbage", "crc") else Flaw.TIMEOUT)
                return answers + [miss] * (len(questions) - len(answers))
        return answers

    def _learn(self, answers: Sequence[Answer]) -> None:
        mono_s = self._clock.mono()
        if self._reader.learned and mono_s - self._learned_at_s > _RELEARN_S:
            self._learned_at_s = mono_s
            self._reader.forget()
            return
        if not self._reader.learn(answers):
            return
        self._learned_at_s = mono_s
        learned = self._reader.learned
        log.info(
            "meter %s will not answer some reads of its profile: %d barriers, %d registers left out",
            self.name, len(learned.barriers), len(learned.refused),
        )  # fmt: skip
        known = Known(
            family=self._family,
            barriers=tuple(sorted(learned.barriers)),
            refused=tuple(sorted(learned.refused)),
        )
        self._remembered.keep(self.name, known)

    def _doubts(self, values: Values, flaws: Flaws) -> Flaws:
        """What physics adds; a value that already has a flaw keeps its own."""
        flawed = {position for position, _ in flaws}
        return tuple(
            (position, int(flaw))
            for position, flaw in self._reader.physics.doubts(values, self._before)
            if position not in flawed
        )
