"""A unit that is known to be there: what it answers to the questions by which it is recognised, each asked once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal

from plumbline.errors import Refused
from plumbline_edge.commission import recognise
from plumbline_edge.commission.recognise import Place
from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_edge.meters.modbus.questions import ReadIdentification, read_registers
from plumbline_edge.meters.modbus.sunspec import Found, discover
from plumbline_edge.meters.profiles.profile import Function, Profile
from plumbline_edge.meters.profiles.profile import places as register_places
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.wire.question import Question

_POLITE_S: Final = 0.1
"""Silence between questions to a meter nobody knows yet; the slowest of the profiles wants less."""

Ask = Callable[[Question, float], Awaitable[bytes]]
"""Asks one question after so many seconds of silence. Raises as Bus.ask does."""


class Known:
    """A unit that is there: what it answers, each question asked once."""

    def __init__(self, bus: Bus, unit: int, ask: Ask) -> None:
        self._bus, self._unit, self._ask = bus, unit, ask
        self._read: dict[tuple[Function, Span], bytes | None] = {}
        self._objects: dict[int, bytes | None] = {}

    async def place(self, place: Place) -> bytes | None:
        if place.function == recognise.DEVICE_IDENTIFICATION:
            return await self.object(place.address)
        span = Span(place.address, place.address + place.count)
        return await self.read(3 if place.function == 3 else 4, span)

    async def read(self, function: Function, span: Span) -> bytes | None:
        key = function, span
        if key not in self._read:
            self._read[key] = await self._asked(
                read_registers(self._unit, function, span, framing_of(self._bus))
            )
        return self._read[key]

    async def object(self, number: int) -> bytes | None:
        """Of function 43; who does not know one of them is not asked for the others."""
        if self._objects and not any(self._objects.values()):
            return None
        if number not in self._objects:
            self._objects[number] = await self._asked(
                ReadIdentification(self._unit, number, framing_of(self._bus))
            )
        return self._objects[number]

    async def located(self, profile: Profile) -> tuple[Profile | None, str]:
        """The profile as this meter would have it, None where it cannot be its; and what a SunSpec device says."""
        if profile.protocol != "sunspec":
            return (profile if profile.protocol == "modbus" else None), ""
        steps = discover(profile)
        try:
            function, start, count = next(steps)
            while True:
                answer = await self.read(function, Span(start, start + count))
                function, start, count = steps.send(answer)
        except StopIteration as end:
            found: Found = end.value
        except Refused:
            return None, ""
        named = " ".join(word for word in (found.maker, found.device) if word)
        return profile.at(found.base), f"SunSpec model {found.model} {named}".strip()

    async def own_words(self) -> str:
        """Vendor and product by function 43; empty where it has no such words."""
        told = [recognise.shown_text(await self.object(number) or b"") for number in (0, 1)]
        return " ".join(word for word in told if word)[:60]

    async def blocks(self, profile: Profile, *, whole: bool) -> dict[Span, bytes]:
        """What it answers to the profile's reads; only the probe where that already shows that it does not fit."""
        probe = profile.register(profile.probe)
        first = Span(probe.address, probe.end)
        answer = await self.read(profile.function, first)
        if not whole and (answer is None or not recognise.may_be(profile, first, answer)):
            return {}
        spans = plan_reads(
            register_places(profile),
            max_words=profile.max_registers,
            max_gap=min(profile.max_gap, self._bus.max_gap),
            barriers=profile.barriers,
        )
        told = {span: await self.read(profile.function, span) for span in spans}
        return {span: answer for span, answer in told.items() if answer is not None}

    async def _asked(self, question: Question) -> bytes | None:
        quiet_s = _POLITE_S if self._bus.framing == "rtu" else 0.0
        try:
            return await self._ask(question, quiet_s)
        except (ExceptionAnswer, BusFailure):
            return None


def framing_of(bus: Bus) -> Literal["tcp", "rtu"]:
    return "tcp" if bus.framing == "tcp" else "rtu"
