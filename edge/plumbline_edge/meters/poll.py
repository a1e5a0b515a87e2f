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
from plumbline.messages import DeviceHealth, Event, Frame
from plumbline.metrics import Flaw
from plumbline_edge.meters.bus import Bus
from plumbline_edge.meters.dlt645_reader import Dlt645Reader
from plumbline_edge.meters.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.learn import Learned
from plumbline_edge.meters.locate import locate
from plumbline_edge.meters.modbus import ReadRegisters
from plumbline_edge.meters.modbus_reader import ModbusReader
from plumbline_edge.meters.pace import Pace
from plumbline_edge.meters.plan import Span
from plumbline_edge.meters.profile import Profile, places
from plumbline_edge.meters.question import Question
from plumbline_edge.meters.reader import Answer, Miss, Reader
from plumbline_edge.meters.remembered import Known, Remembered, family_of
from plumbline_edge.meters.selfcheck import Events, SelfCheck
from plumbline_edge.meters.serial_number import text_of
from plumbline_edge.meters.standing import Standing, Status
from plumbline_edge.meters.suspicion import Suspicion

log = logging.getLogger(__name__)
T = TypeVar("T")

_RELEARN_S: Final = 7 * 86_400.0
"""After so long, what a meter once refused is asked for again."""
_NUMBER_EVERY_S: Final = 86_400.0
"""How often a meter is asked who it is, besides at the start and when it is back."""
_LIVE, _PROBING = 0, 1
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
        self._reader = self._reader_of(self._known)
        self._check = None if self._reader is None else self._check_of(self._reader)
        self._learned_at_s = clock.mono()
        self._late_seen = 0
        self._refusal: ExceptionAnswer
        self._found_out: dict[str, bytes | ExceptionAnswer] = {}
        """What the search for its SunSpec model has been told so far, by what was asked."""
        self._away: BusFailure | None = None
        """Why it gave no answer when it was last asked in vain."""
        self._ask_number_at_s: float | None = clock.mono() if profile.serial_number else None
        self._news: list[Event] = []

    def _reader_of(self, known: Known) -> Reader | None:
        """None while nobody knows where the meter's SunSpec model begins."""
        profile = self.profile
        if profile.protocol == "dlt645":
            return Dlt645Reader(profile, self._address)
        if profile.protocol == "sunspec":
            if known.base is None or known.base + max(place.end for place in places(profile)) > 1 << 16:
                return None
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
        try:
            reader = self._reader or await self._locate()
            answers = await self._ask(reader.questions)
        except _StillLooking:
            self.standing.spoke("degraded")
            raise
        except (
            Unreachable,
            Refused,
        ):  # refused: no SunSpec meter; a hundred questions are not asked each second
            self._fell_silent()
            raise
        values, flaws = reader.decode(answers)
        blocks = reader.blocks(answers)
        missed = any(isinstance(answer, Miss) for answer in answers)
        if (missed or reader.has_learned) and self._learn(reader, answers) and not again:
            return await self._poll(again=True)  # what was refused in one piece may come in two
        if missed and not any(isinstance(answer, bytes) for answer in answers):
            if self.status != "degraded":
                log.warning(
                    "meter %s refuses everything: %s. %s", self.name, self._refusal, self._refusal.hint
                )
            self.standing.spoke("degraded")
            raise self._refusal
        self.standing.answers += 1
        self.latency_s = asyncio.get_running_loop().time() - began_s
        assert self._check is not None
        judged = self._check.polled(self._clock.mono(), values, flaws, blocks)
        self._tell(judged.events)
        self.standing.spoke("degraded" if missed else "ok")
        if not missed and self._ask_number_at_s is not None and self._clock.mono() >= self._ask_number_at_s:
            await self._ask_number()
        return Frame(device=self.name, metrics=self.metrics, values=values, flaws=judged.flaws)

    async def _ask_one(self, question: Question) -> bytes:
        most_s = self._probe_s if self.status == "silent" and not self.pace.late else None
        return await self._bus.ask(question, self.pace, quiet_s=self._quiet_s, most_s=most_s)

    async def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        answers: list[Answer] = []
        for question in questions:
            try:
                answers.append(await self._ask_one(question))
            except ExceptionAnswer as no:
                self.errors[f"exception_{no.code}"] += 1
                log.debug("%s: %s", self.name, no)
                answers.append(Miss(flaw=Flaw.EXCEPTION, code=no.code))
                self._refusal = no
            except BusFailure as away:
                self.errors[away.kind] += 1
                log.debug("%s: %s", self.name, away)
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
        """The reader of a SunSpec device, once it said where its meter is."""
        began_s = asyncio.get_running_loop().time()

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
            found = await locate(ask, self.unit, self.profile, self._bus.framing)
        except _StillLooking:
            raise
        except (Refused, Unreachable):
            self._found_out.clear()
            raise
        self._found_out.clear()
        log.info("meter %s: SunSpec model %d at %d", self.name, found.model, found.base)
        self._know(replace(self._known, base=found.base))
        reader = self._reader = self._reader_of(self._known)
        assert reader is not None
        self._check = self._check_of(reader)
        return reader

    def _learn(self, reader: Reader, answers: Sequence[Answer]) -> bool:
        """Whether the next questions are others because of these answers."""
        mono_s = self._clock.mono()
        if reader.has_learned and mono_s - self._learned_at_s > _RELEARN_S:
            self._learned_at_s = mono_s
            reader.forget()
            self._replanned(reader)
            return False
        learned = reader.learn(answers)
        if learned:
            self._replanned(reader)
            self._learned_at_s = mono_s
            log.info("meter %s will not answer all of its profile; the rest is asked in %d reads",
                     self.name, len(reader.questions))  # fmt: skip
            self._know(reader.known(self._known))
        return learned

    def _replanned(self, reader: Reader) -> None:
        if self._check is not None:
            self._check.replanned(reader.decoded)

    def _know(self, known: Known) -> None:
        self._known = known
        self._remembered.keep(self.name, known)

    def _fell_silent(self) -> None:
        self.standing.fell_silent(self._clock.mono())
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
        except Refused:
            self._ask_number_at_s = None  # it has no number to tell
            return
        except Unreachable:
            return
        if not number:
            return
        self._know(replace(self._known, serial_number=number))
        if self._check is not None:
            self._tell(self._check.serial_number(number))

    def _tell(self, events: Events) -> None:
        for code, text in events:
            log.warning("meter %s: %s", self.name, text)
            self._news.append(Event(code=code, subject=self.name, text=text))
