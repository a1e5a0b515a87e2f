"""Simulated meters behind one wire, and what each says to a request; the wire's own framing is another file's.

They answer like the real family: exception 1 for the wrong table, 3 for too many registers, 2 for addresses
outside the map, 4 while they cannot measure.
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from plumbline.clock import Clock, to_us
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_sim.meter import identity
from plumbline_sim.meter.encode import Answered, CannotAnswer, Encoder, Values
from plumbline_sim.meter.faults import (
    Active,
    Fault,
    Memory,
    WireKind,
    on_now,
    spoiled_pdu,
    spoiled_unit,
    swapped,
)
from plumbline_sim.meter.oplog import Operation, OpLog
from plumbline_sim.meter.sunspec import SunSpecEncoder, SunSpecLayout, usual_layout

WRITES: Final = frozenset((5, 6, 15, 16, 21, 22, 23))
"""Functions that change something in a meter."""
_TABLES: Final = {3: "holding", 4: "input"}
_MOST_REGISTERS: Final = 125
_REFRESH_S: Final = 0.2  # simulated; a real meter renews its registers a few times a second
_GATEWAY_TARGET_SILENT: Final = 11


class Source(Protocol):
    """Where a simulated meter's values come from."""

    def at(self, when_s: float) -> Values | None:
        """The values at a simulated time (seconds since 1970 UTC); None while the meter cannot measure at all."""
        ...


@dataclass(slots=True, kw_only=True)
class SimulatedMeter:
    """One meter on a wire. Set `fault` at any time; None is health. `faults` come and go by themselves.

    `turnaround_s`: what it takes from a request's end to its answer, in real seconds. Without a `serial_number` it
    has one made of its name. `sunspec` says where a SunSpec device keeps its models; left out, where most do.
    """

    name: str
    unit: int
    profile: Profile
    source: Source
    fault: Fault | None = None
    faults: tuple[Fault, ...] = ()
    turnaround_s: float = 0.0
    serial_number: str = ""
    sunspec: SunSpecLayout | None = None
    encoder: Encoder = field(init=False)
    memory: Memory = field(init=False, default_factory=Memory)
    places: dict[identity.Place, bytes] = field(init=False)
    objects: dict[int, bytes] = field(init=False)
    _seen_s: float = field(init=False, default=float("-inf"))
    _seen: Values | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        layout = self.sunspec or usual_layout(self.profile)
        self.encoder = Encoder(self.profile) if layout is None else SunSpecEncoder(self.profile, layout)
        self.serial_number = self.serial_number or identity.number_of(self.name)
        self.places = identity.places(self.profile, self.serial_number)
        self.objects = identity.objects(self.profile)

    def values_at(self, when_s: float) -> Values | None:
        """The source's values, renewed at most every 0.2 simulated seconds: one poll's reads agree."""
        if not self._seen_s <= when_s < self._seen_s + _REFRESH_S:
            self._seen, self._seen_s = self.source.at(when_s), when_s
        return self._seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What goes back for one request, before it is framed: nothing where `pdu` is empty.

    `active` are the faults that the wire has still to play. `operation` is for the ground truth, to be noted when
    the answer is sent.
    """

    unit: int
    pdu: bytes
    delay_s: float = 0.0
    active: Active = field(default_factory=Active)
    operation: Operation | None = None


class Panel:
    """Meters on one wire, told apart by their unit numbers. The time that they live in is `clock`'s.

    `faults` are the bus's own: they meet requests to any meter.
    """

    def __init__(
        self,
        meters: Iterable[SimulatedMeter],
        *,
        clock: Clock,
        oplog: OpLog | None = None,
        seed: int = 0,
        faults: Iterable[Fault] = (),
    ) -> None:
        self.meters = {meter.unit: meter for meter in meters}
        self.clock = clock
        self.oplog = oplog
        self.rng = random.Random(seed)
        self.faults = tuple(faults)
        self.writes = 0
        """Requests heard that would have changed something in a meter, whoever they were for."""
        self._began = clock.wall()

    def hear(self, unit: int, pdu: bytes, wire: WireKind) -> Said:
        """What the meters do with one request. A unit that nobody has is answered as a TCP gateway does."""
        if pdu[0] in WRITES:
            self.writes += 1
        meter = self.meters.get(unit)
        since_s = (self.clock.wall() - self._began).total_seconds()
        own = () if meter is None else (*((meter.fault,) if meter.fault else ()), *meter.faults)
        active = on_now((*own, *self.faults), since_s, wire, self.rng)
        if meter is None:
            if wire == "tcp":
                return Said(unit=unit, pdu=bytes((pdu[0] | 0x80, _GATEWAY_TARGET_SILENT)), active=active)
            return Said(unit=unit, pdu=b"", active=active)
        now_s = asyncio.get_running_loop().time()
        pdu, operation = self._answer(meter, pdu, active)
        if now_s < meter.memory.silent_until_s:
            return Said(unit=unit, pdu=b"", active=active, operation=_spoiled(operation, "reboot"))
        if not meter.memory.begins_reboot(active, now_s):
            active = active.without("reboot")
        return Said(
            unit=spoiled_unit(unit, active),
            pdu=b"" if "silent" in active else spoiled_pdu(pdu, active),
            delay_s=meter.turnaround_s + active.delay_s,
            active=active,
            operation=_spoiled(operation, active.outcome) if active.outcome else operation,
        )

    def answer(self, unit: int, pdu: bytes) -> tuple[bytes, Operation | None]:
        """The answer to one request, faults aside, and what it says."""
        meter = self.meters.get(unit)
        if meter is None:
            return bytes((pdu[0] | 0x80, _GATEWAY_TARGET_SILENT)), None
        return self._answer(meter, pdu, Active())

    def note(self, operation: Operation | None) -> None:
        """Add to the ground truth what has been sent."""
        if operation is not None and self.oplog is not None:
            self.oplog.add(operation)

    def _answer(self, meter: SimulatedMeter, pdu: bytes, active: Active) -> tuple[bytes, Operation]:
        code = pdu[0]
        start, count = struct.unpack(">HH", pdu[1:5]) if len(pdu) == 5 else (0, 0)
        now = self.clock.wall()
        values: tuple[tuple[str, int | None], ...] = ()
        try:
            if code == identity.READ_DEVICE_IDENTIFICATION:
                reply = identity.device_identification(pdu, meter.objects)
            elif (told := meter.places.get((code, start, count))) is not None:
                reply = bytes((code, len(told))) + told
            else:
                answered = _look(meter, code, start, count, now.timestamp(), active)
                reply, values = bytes((code, 2 * count)) + answered.block, answered.values
        except (_ModbusException, identity.NoSuchObject) as no:
            reply, outcome = bytes((code | 0x80, no.code)), f"exception {no.code}"
        else:
            outcome = "values"
        return reply, Operation(
            device=meter.name, mono_s=asyncio.get_running_loop().time(), at_us=to_us(now), table=_TABLES.get(code, str(code)),
            start=start, count=count, outcome=outcome,
            poll=any(metric == meter.profile.probe for metric, _ in values), values=values,
        )  # fmt: skip


class _ModbusException(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _look(
    meter: SimulatedMeter, code: int, start: int, count: int, when_s: float, active: Active
) -> Answered:
    """What the meter says to one read. Raises _ModbusException."""
    if code != meter.profile.function:
        raise _ModbusException(1)
    if not 1 <= count <= min(_MOST_REGISTERS, meter.profile.max_registers):
        raise _ModbusException(3)
    registers = meter.encoder.registers_in(start, count)
    if registers is None:
        raise _ModbusException(2)
    values = meter.memory.values(meter.values_at(when_s), active, meter.profile)
    if values is None:
        raise _ModbusException(4)
    try:
        answered = meter.encoder.block(start, count, registers, values)
    except CannotAnswer:
        raise _ModbusException(4) from None
    if "swapped_words" not in active:
        return answered
    return replace(answered, block=swapped(answered.block, start, registers))


def _spoiled(operation: Operation, outcome: str) -> Operation:
    """Whatever was sent, no value of it counts; a whole answer in the wrong word order is still a poll."""
    return replace(operation, outcome=outcome, poll=operation.poll and outcome == "swapped_words", values=())
