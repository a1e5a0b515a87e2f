"""One meter: takes its turn on the bus, asks, decodes and checks, and keeps count of how it does."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace

from plumbline.clock import Clock
from plumbline.errors import Refused, Unreachable
from plumbline.messages import DeviceHealth, Event, EventCode, Frame
from plumbline.metrics import Flaw
from plumbline_edge.meters.dlt645.reader import Dlt645Reader
from plumbline_edge.meters.doubts.selfcheck import Events, SelfCheck
from plumbline_edge.meters.doubts.suspicion import Suspicion
from plumbline_edge.meters.modbus.learn import Learned
from plumbline_edge.meters.modbus.locate import locate
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import ReadRegisters
from plumbline_edge.meters.modbus.reader import NOT_THERE, ModbusReader
from plumbline_edge.meters.modbus.serial_number import text_of
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_edge.meters.reader import Answer, Miss, Reader
from plumbline_edge.meters.remembered import Known, Remembered, family_of
from plumbline_edge.meters.standing import Standing, Status
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.wire.pace import Pace
from plumbline_edge.meters.wire.question import Question

log = logging.getLogger(__name__)
T = TypeVar("T")

_RELEARN_S: Final = 7 * 86_400.0
"""After so long, what a meter once refused is asked for again."""
_NUMBER_EVERY_S: Final = 86_400.0
"""How often a meter is asked who it is, besides at the start and when it is back."""
_PROBE_WAITS_S: Final = 10.0
"""How long a meter that fell silent lets those that live go before it on their wire, in real seconds."""
_REPLACED_AT_MOST_EVERY_S: Final = 3600.0
_SEARCH_S: Final = 1.0
"""Real seconds of one poll that the search for a SunSpec model may take from neighbours on the wire; it goes on at the
next poll. A list of 64 models whose device answers just in time takes minutes."""


class _StillLooking(BusFailure):
    """It answers, and where its model is will be known at a later poll."""


class Meter:
    """One meter on a bus, under its site's name. `address` is a DL/T 645 meter's; others have a `unit`.

    `probe_s` bounds how long a meter that fell silent may hold up its neighbours on the wire, in real seconds.
    `clock` times only how long it is left alone, and how old is what was found out about it.
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
        address: str = "",
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
        self._address = address
        self._probe_s = probe_s
        self._quiet_s = profile.min_gap_ms / 1e3 if bus.framing == "rtu" else 0.0
        self._remembered = remembered or Remembered(None)
        family = family_of(profile)
        known = self._remembered.of(name)
        self._known = known if known.family == family else Known(family=family)
        self._reader = None if profile.protocol == "sunspec" else self._reader_of(self._known)
        self._check = None if self._reader is None else self._check_of(self._reader)
        self._in_place = self._reader is not None
        self._learned_at_s = clock.mono()
        self._late_seen = 0
        self._was_late = False
        self._refusal: ExceptionAnswer
        self._found_out: dict[str, bytes | ExceptionAnswer] = {}
        """What the search for its SunSpec model has been told so far, by what was asked."""
        self._away: BusFailure | None = None
        """Why it gave no answer when it was last asked in vain."""
        self._ask_number_at_s: float | None = clock.mono() if profile.serial_number else None
        self._news: list[Event] = []
        self._told_until_s: dict[str, float] = {}

    def _reader_of(self, known: Known) -> Reader:
        profile = self.profile
        if profile.protocol == "dlt645":
            return Dlt645Reader(profile, self._address)
        if known.base is not None:
            profile = profile.at(known.base)
        learned = Learned(barriers=frozenset(known.barriers), refused=frozenset(known.refused))
        gap = self._bus.worth_bridging(self._quiet_s)
        return ModbusReader(profile, self.unit, self._bus.framing, max_gap=gap, learned=learned)

    def _check_of(self, reader: Reader) -> SelfCheck:
        check = SelfCheck(self.name, reader.profile, reader.decoded)
        check.serial_number(self._known.serial_number)
        return check

    @property
    def suspicions(self) -> tuple[Suspicion, ...]:
        """What the last look at its values found to be probably wrong with wiring or settings."""
        return () if self._check is None else self._check.suspected

    @property
    def spans(self) -> tuple[Span, ...]:
        """The reads of one Modbus poll, the probe's first."""
        return self._reader.spans if isinstance(self._reader, ModbusReader) else ()

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
        """See Standing.due. A meter that answered late lives: it is asked again at once, and waited for longer.

        One that is always later than it may be waited for is left alone as any silent one: it would cost its neighbours
        the longest wait at every tick.
        """
        self._was_late = self.pace.late > self._late_seen and self.pace.within_reach
        self._late_seen = self.pace.late
        if self._was_late:
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
        return self._bus.turn(work, may_wait_s=_PROBE_WAITS_S if self.status == "silent" else 0.0)

    def take_news(self) -> list[Event]:
        """What the last polls showed besides values; told once."""
        news, self._news = self._news, []
        return news

    async def poll(self) -> Frame:
        """Ask once for everything, with the wire to itself; stops at the first silence.

        A read without an answer costs its own metrics only: None, with the reason. Raises Unreachable where
        nothing was answered, Refused where every read was answered with an exception: there is no frame then.
        """
        return await self._poll(again=False)

    async def _poll(self, *, again: bool) -> Frame:
        began_s = asyncio.get_running_loop().time()
        reader, answers = await self._answers()
        values, flaws = reader.decode(answers)
        blocks = reader.blocks(answers)
        missed = any(isinstance(answer, Miss) for answer in answers)
        if missed:
            self._doubt_place()
        if self._learn(reader, answers) and not again:
            return await self._poll(again=True)  # what was refused in one piece may come in two
        if missed and not any(isinstance(answer, bytes) for answer in answers):
            if self.status != "degraded":
                log.warning(
                    "meter %s refuses everything: %s. %s", self.name, self._refusal, self._refusal.hint
                )
            self.standing.spoke("degraded")
            raise self._refusal
        if reader.has_learned:
            self._know(reader.known(self._known))
        self.standing.answers += 1
        self.latency_s = asyncio.get_running_loop().time() - began_s
        assert self._check is not None
        judged = self._check.polled(self._clock.mono(), values, flaws, blocks)
        self._tell(judged.events)
        self.standing.spoke("degraded" if missed else "ok")
        if not missed and self._ask_number_at_s is not None and self._clock.mono() >= self._ask_number_at_s:
            await self._ask_number()
        return Frame(device=self.name, metrics=self.metrics, values=values, flaws=judged.flaws)

    async def _answers(self) -> tuple[Reader, list[Answer]]:
        """What the meter said to the questions of one poll, and who asked them. Raises as `poll`."""
        try:
            reader = self._reader if self._reader is not None and self._in_place else await self._locate()
            self._believe_again(reader)
            return reader, await self._ask(reader.questions)
        except _StillLooking:
            self.standing.spoke("degraded")
            raise
        except Unreachable as away:
            kind = away.kind if isinstance(away, BusFailure) else ""
            if kind != "late":  # it was not even asked
                self._fell_silent(no_wire=kind == "connection")
            raise
        except Refused:  # a SunSpec device without such a model; to find that out takes many reads
            self.standing.is_no_such_meter(self._clock.mono())
            raise

    async def _ask_one(self, question: Question, *, hurried: bool = False) -> bytes:
        hurried = (hurried or self.status == "silent") and not self._was_late
        most_s = self._probe_s if hurried else None
        try:
            return await self._bus.ask(question, self.pace, quiet_s=self._quiet_s, most_s=most_s)
        except BusFailure as away:
            if away.kind != "late":
                self.errors[away.kind] += 1
            log.debug("%s: %s", self.name, away)
            raise

    async def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        answers: list[Answer] = []
        for question in questions:
            try:
                # what was missing from the last poll may not hold up the neighbours at every poll
                hurried = bool(answers) and self.status == "degraded"
                answers.append(await self._ask_one(question, hurried=hurried))
            except ExceptionAnswer as no:
                self.errors[f"exception_{no.code}"] += 1
                log.debug("%s: %s", self.name, no)
                answers.append(Miss(flaw=Flaw.EXCEPTION, code=no.code))
                self._refusal = no
            except BusFailure as away:
                if not any(isinstance(answer, bytes) for answer in answers):
                    if away.kind != "late":
                        self._away = away
                    elif self._away is not None:  # that it was not asked explains nothing
                        why = self._away
                        raise BusFailure(str(why), kind=why.kind, hint=why.hint) from None
                    raise
                miss = Miss(flaw=Flaw.GARBAGE if away.kind in ("garbage", "crc") else Flaw.TIMEOUT)
                return answers + [miss] * (len(questions) - len(answers))
        return answers

    async def _locate(self) -> Reader:
        """The reader of a SunSpec device, once it said where its meter is; a restart of it may move that."""
        before, began_s = self._known.base, asyncio.get_running_loop().time()

        async def ask(question: Question) -> bytes:
            key = question.what
            if key not in self._found_out:
                held_s = asyncio.get_running_loop().time() - began_s
                if self._probe_s is not None and held_s > _SEARCH_S:
                    raise _StillLooking(
                        f"{question.whom}: still looking for its SunSpec model", kind="timeout"
                    )
                try:
                    self._found_out[key] = await self._ask_one(question)
                except ExceptionAnswer as no:
                    self._found_out[key] = no
            told = self._found_out[key]
            if isinstance(told, ExceptionAnswer):
                raise told
            return told

        try:
            found = await locate(ask, self.unit, self.profile, self._bus.framing, known=before)
        except _StillLooking:
            raise
        except (Refused, Unreachable):
            self._found_out.clear()
            raise
        self._found_out.clear()
        self._in_place = True
        if self._reader is not None and found.base == before:
            return self._reader
        if found.base != before:
            log.info("meter %s: SunSpec model %d at %d", self.name, found.model, found.base)
            self._know(replace(self._known, base=found.base, barriers=(), refused=()))
        reader = self._reader = self._reader_of(self._known)
        self._check = self._check_of(reader)
        return reader

    def _doubt_place(self) -> None:
        """Look at the next poll whether a SunSpec device's model still begins where it did."""
        self._in_place = self.profile.protocol != "sunspec"

    def _believe_again(self, reader: Reader) -> None:
        """Ask a week after the last refusal for all of the profile again."""
        mono_s = self._clock.mono()
        if reader.has_learned and mono_s - self._learned_at_s > _RELEARN_S:
            self._learned_at_s = mono_s
            reader.forget()
            self._replanned(reader)
            self._know(reader.known(self._known))

    def _learn(self, reader: Reader, answers: Sequence[Answer]) -> bool:
        """Whether the next questions are others because of these answers."""
        learned = reader.learn(answers)
        if learned:
            self._replanned(reader)
            self._learned_at_s = self._clock.mono()
            log.info("meter %s: what it will not answer has changed; it is asked in %d reads",
                     self.name, len(reader.questions))  # fmt: skip
        return learned

    def _replanned(self, reader: Reader) -> None:
        if self._check is not None:
            self._check.replanned(reader.decoded)

    def _know(self, known: Known) -> None:
        self._known = known
        self._remembered.keep(self.name, known)

    def _fell_silent(self, *, no_wire: bool) -> None:
        self._doubt_place()
        self.standing.fell_silent(self._clock.mono(), no_wire=no_wire)
        if self.standing.status == "silent":
            if self._reader is not None:
                self._reader.was_away()
                self._replanned(self._reader)
            if self.profile.serial_number is not None:  # whoever answers next says who it is
                self._ask_number_at_s = self._clock.mono()

    async def _ask_number(self) -> None:
        """Ask who it is; another number than before is another meter."""
        place = self.profile.serial_number
        assert place is not None
        question = ReadRegisters(
            self.unit, place.function, Span(place.address, place.address + place.count), self._bus.framing
        )
        self._ask_number_at_s = self._clock.mono() + _NUMBER_EVERY_S
        try:
            number = text_of(place, await self._ask_one(question))
        except ExceptionAnswer as no:
            if no.code in NOT_THERE:  # it has no number to tell; busy is no such answer
                self._ask_number_at_s = None
            return
        except Unreachable:
            return
        if not number:
            return
        self._know(replace(self._known, serial_number=number))
        if self._check is not None:
            self._tell(self._check.serial_number(number))

    def _tell(self, events: Events) -> None:
        """An event each; a meter that is another one at every look is broken, and said to be one once an hour."""
        mono_s = self._clock.mono()
        for code, text in events:
            if mono_s < self._told_until_s.get(code, mono_s):
                log.debug("meter %s: %s", self.name, text)
                continue
            if code == EventCode.METER_REPLACED:
                self._told_until_s[code] = mono_s + _REPLACED_AT_MOST_EVERY_S
            log.warning("meter %s: %s", self.name, text)
            self._news.append(Event(code=code, subject=self.name, text=text))
