"""Takes the few polls of a meter that the commissioning check judges, with the raw answers where there are registers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from plumbline.errors import Refused, Unreachable
from plumbline.metrics import Flaw
from plumbline_edge.commission.check import Doubt, Refusal, commissioning_check
from plumbline_edge.commission.known import framing_of
from plumbline_edge.meters.doubts.suspicion import Poll
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_edge.meters.modbus.questions import read_registers
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.profile import Profile, places
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wire.failure import ExceptionAnswer

POLLS: Final = 5
EVERY_S: Final = 0.6
_WITHIN_S: Final = 3.0
_KEPT: Final = 720
_ADDRESS_REFUSALS: Final = frozenset((2, 3))


@dataclass(slots=True, kw_only=True)
class Looked:
    """What was seen of one meter, oldest first; `add` goes on while somebody watches. Bounded."""

    profile: Profile
    polls: list[Poll] = field(default_factory=list)
    refused: tuple[Refusal, ...] = ()

    def add(self, poll: Poll) -> None:
        self.polls.append(poll)
        del self.polls[:-_KEPT]

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        if not self.polls and not self.refused:
            return ()
        return commissioning_check(self.profile, self.polls, self.refused)


async def look(meter: Meter, bus: Bus, *, polls: int = POLLS, every_s: float = EVERY_S) -> Looked:
    """Some polls within about three seconds; what the wire or the meter does wrong only makes them fewer.

    Registers beside the profile's are asked for only where its own are refused or cannot be right.
    """
    loop = asyncio.get_running_loop()
    looked = Looked(profile=meter.profile)
    reads = _Reads(meter, bus) if meter.profile.protocol == "modbus" else None
    give_up_s = loop.time() + _WITHIN_S
    for number in range(polls):
        if number:
            if loop.time() + every_s > give_up_s:
                break
            await asyncio.sleep(every_s)
        try:
            if reads is None:
                frame = await meter.queue(meter.poll)
                looked.add(Poll(mono_s=loop.time(), values=frame.values))
                continue
            looked.add(await meter.queue(reads.poll))
            looked.refused = tuple(reads.refused)
            if number == 0 and (looked.doubts or reads.flawed):
                await meter.queue(reads.widen)
        except (Refused, Unreachable):
            break
    return looked


class _Reads:
    """A Modbus meter's reads, with more around them once they look wrong."""

    def __init__(self, meter: Meter, bus: Bus) -> None:
        self.refused: list[Refusal] = []
        self.flawed = False
        self._meter, self._bus, self._profile = meter, bus, meter.profile
        self._quiet_s = self._profile.min_gap_ms / 1e3 if bus.framing == "rtu" else 0.0
        self._places = sorted(Span(place.address, place.end) for place in places(self._profile))
        self._spans: Sequence[Span] = plan_reads(
            places(self._profile),
            max_words=self._profile.max_registers,
            max_gap=min(self._profile.max_gap, bus.worth_bridging(self._quiet_s)),
            barriers=self._profile.barriers,
        )
        self._around: dict[Span, Span] = {}
        """What is read instead of a span: it, and a register on either side."""
        self._hopeless: set[Span] = set()

    async def poll(self) -> Poll:
        """Raises Unreachable at the first silence. A read that is refused is tried register by register, from then on."""
        answers: dict[Span, bytes | Flaw] = {}
        blocks: list[tuple[Span, bytes]] = []
        todo = list(self._spans)
        while todo:
            span = todo.pop(0)
            if span in self._hopeless:
                answers[span] = Flaw.EXCEPTION
                continue
            around = self._around.get(span, span)
            told = await self._read(around)
            if isinstance(told, int):
                parts = [own for own in self._places if span.start <= own.start < span.end]
                if told in _ADDRESS_REFUSALS and parts != [span]:
                    todo = parts + todo
                    continue
                if told in _ADDRESS_REFUSALS:
                    self.refused.append(Refusal(span=span, code=told, answers=await self._beside(span)))
                    self._hopeless.add(span)
                answers[span] = Flaw.EXCEPTION
                continue
            blocks.append((around, told))
            first = 2 * (span.start - around.start)
            answers[span] = told[first : first + 2 * span.count]
        self._spans = tuple(answers)
        values, flaws = Decoder(self._profile, self._spans).decode(list(answers.values()))
        self.flawed = bool(flaws)
        return Poll(mono_s=asyncio.get_running_loop().time(), values=values, blocks=tuple(blocks))

    async def _beside(self, own: Span) -> frozenset[int]:
        """How far off, one down or up, as many registers do answer as were refused."""
        near = [(off, Span(own.start + off, own.end + off)) for off in (-1, 1) if own.start + off >= 0]
        return frozenset([off for off, span in near if not isinstance(await self._read(span), int)])

    async def widen(self) -> None:
        """From now on read one register more on either side, where the meter answers that."""
        for span in self._spans:
            wide = Span(max(0, span.start - 1), span.end + 1)
            cut = any(wide.start < wall < wide.end for wall in self._profile.barriers)
            if span in self._hopeless or cut or wide.count > self._profile.max_registers:
                continue
            if not isinstance(await self._read(wide), int):
                self._around[span] = wide

    async def _read(self, span: Span) -> bytes | int:
        """The registers, or the exception's code."""
        question = read_registers(self._meter.unit, self._profile.function, span, framing_of(self._bus))
        try:
            return await self._bus.ask(question, self._meter.pace, quiet_s=self._quiet_s)
        except ExceptionAnswer as no:
            return no.code
