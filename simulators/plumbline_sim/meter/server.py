"""Simulated meters behind a Modbus TCP port; written apart from the gateway's client on purpose.

It answers like the real family: exception 1 for the wrong table, 3 for too many registers, 2 for addresses
outside the map, 4 while it cannot measure.
"""

from __future__ import annotations

import asyncio
import os
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from plumbline.clock import Clock, to_us
from plumbline.errors import ConfigError
from plumbline_edge.meters.profile import Profile
from plumbline_sim.meter.encode import Answered, CannotAnswer, Encoder, Values
from plumbline_sim.meter.oplog import Operation, OpLog
from plumbline_sim.meter.ports import who_listens
from plumbline_sim.meter.sunspec import SunSpecEncoder, SunSpecLayout

FaultKind = Literal[
    "silent",
    "slow",
    "exception",
    "garbage",
    "half",
    "wrong_transaction",
    "wrong_unit",
    "wrong_length",
    "reset",
]

_TABLES: Final = {3: "holding", 4: "input"}
_HEADER: Final = struct.Struct(">HHHB")
_MOST_REGISTERS: Final = 125
_REFRESH_S: Final = 0.2  # simulated; a real meter renews its registers a few times a second
_GATEWAY_TARGET_SILENT: Final = 11


class Source(Protocol):
    """Where a simulated meter's values come from."""

    def at(self, when_s: float) -> Values | None:
        """The values at a simulated time (seconds since 1970 UTC); None while the meter cannot measure at all."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a meter misbehaves: `seconds` late when slow, `code` when it answers an exception."""

    kind: FaultKind
    seconds: float = 0.0
    code: int = 4


@dataclass(slots=True, kw_only=True)
class SimulatedMeter:
    """One meter behind a port. Set `fault` at any time; None is health.

    `sunspec` says where a SunSpec device keeps the models; without it, registers stand where the profile has them.
    """

    name: str
    unit: int
    profile: Profile
    source: Source
    fault: Fault | None = None
    sunspec: SunSpecLayout | None = None
    encoder: Encoder = field(init=False)
    _seen_s: float = field(init=False, default=float("-inf"))
    _seen: Values | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.encoder = (
            Encoder(self.profile) if self.sunspec is None else SunSpecEncoder(self.profile, self.sunspec)
        )

    def values_at(self, when_s: float) -> Values | None:
        """The source's values, renewed at most every 0.2 simulated seconds: one poll's reads agree."""
        if not self._seen_s <= when_s < self._seen_s + _REFRESH_S:
            self._seen, self._seen_s = self.source.at(when_s), when_s
        return self._seen


class MeterServer:
    """Meters on one host and port, told apart by their unit numbers.

    The time that meters live in is `clock`'s. `async with` listens; `port` is then the real one (0 asks for a free
    one). Raises ConfigError where the port is taken, and says by whom.
    """

    def __init__(
        self,
        meters: Iterable[SimulatedMeter],
        *,
        clock: Clock,
        oplog: OpLog | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self.meters = {meter.unit: meter for meter in meters}
        self.host = host
        self.port = port
        self.clock = clock
        self.oplog = oplog
        self.rng = random.Random(seed)
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), self.host, self.port)
        except OSError as error:
            holder = who_listens(self.port)
            raise ConfigError(
                f"cannot listen on {self.host}:{self.port}: {os.strerror(error.errno or 0)}"
                + (f" by {holder}" if holder else ""),
                hint="End that program, or choose another --port (0 picks a free one).",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.drop_connections()
        await self._server.wait_closed()

    def drop_connections(self) -> None:
        """Cut every connection, as when the meter's power fails."""
        for connection in tuple(self.connections):
            connection.transport.abort()

    def answer(self, unit: int, pdu: bytes) -> tuple[bytes, Operation | None]:
        """The answer to one request, faults aside, and what it says."""
        meter = self.meters.get(unit)
        code = pdu[0]
        if meter is None:
            return bytes((code | 0x80, _GATEWAY_TARGET_SILENT)), None
        start, count = struct.unpack(">HH", pdu[1:5]) if len(pdu) == 5 else (0, 0)
        now = self.clock.wall()
        values: tuple[tuple[str, int | None], ...] = ()
        try:
            answered = _look(meter, code, start, count, now.timestamp())
        except _ModbusException as no:
            reply, outcome = bytes((code | 0x80, no.code)), f"exception {no.code}"
        else:
            reply, outcome = bytes((code, 2 * count)) + answered.block, "values"
            values = answered.values
        return reply, Operation(
            device=meter.name, mono_s=asyncio.get_running_loop().time(), at_us=to_us(now), table=_TABLES.get(code, str(code)),
            start=start, count=count, outcome=outcome,
            poll=any(metric == meter.profile.probe for metric, _ in values), values=values,
        )  # fmt: skip


class _ModbusException(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _look(meter: SimulatedMeter, code: int, start: int, count: int, when_s: float) -> Answered:
    """What the meter says to one read. Raises _ModbusException."""
    if code != meter.profile.function:
        raise _ModbusException(1)
    if not 1 <= count <= min(_MOST_REGISTERS, meter.profile.max_registers):
        raise _ModbusException(3)
    registers = meter.encoder.registers_in(start, count)
    if registers is None:
        raise _ModbusException(2)
    values = meter.values_at(when_s)
    if values is None:
        raise _ModbusException(4)
    try:
        return meter.encoder.block(start, count, registers, values)
    except CannotAnswer:
        raise _ModbusException(4) from None


class _Connection(asyncio.Protocol):
    """One client: frames in, answers out, in order."""

    transport: asyncio.Transport

    def __init__(self, server: MeterServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(self._received)
            if protocol or not 2 <= length <= 254:
                self.transport.abort()
                return
            if len(self._received) < 6 + length:
                return
            pdu = self._received[_HEADER.size : 6 + length]
            self._received = self._received[6 + length :]
            self._serve(transaction, unit, pdu)

    def _serve(self, transaction: int, unit: int, pdu: bytes) -> None:
        meter = self._server.meters.get(unit)
        fault = meter.fault if meter is not None else None
        answer, operation = self._server.answer(unit, pdu)
        frame = _HEADER.pack(transaction, 0, len(answer) + 1, unit) + answer
        if fault is None:
            self._send(frame, operation)
        elif fault.kind == "slow":
            asyncio.get_running_loop().call_later(fault.seconds, self._send, frame, operation)
        else:
            self._misbehave(fault, frame, pdu, operation)

    def _send(self, frame: bytes, operation: Operation | None) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(frame)
        self._note(operation)

    def _misbehave(self, fault: Fault, frame: bytes, pdu: bytes, operation: Operation | None) -> None:
        rng = self._server.rng
        match fault.kind:
            case "silent":
                sent = b""
            case "exception":
                sent = frame[:4] + b"\0\3" + frame[6:7] + bytes((pdu[0] | 0x80, fault.code))
            case "garbage":
                sent = rng.randbytes(rng.randint(1, 300))
            case "half":
                sent = frame[: max(1, len(frame) // 2)]
            case "wrong_transaction":
                sent = (int.from_bytes(frame[:2]) ^ 0x5A5A).to_bytes(2) + frame[2:]
            case "wrong_unit":
                sent = frame[:6] + bytes((frame[6] ^ 1,)) + frame[7:]
            case "wrong_length":
                sent = (
                    frame[:4]
                    + (len(frame) - 8).to_bytes(2)
                    + frame[6:8]
                    + bytes(((frame[8] - 2) & 0xFF,))
                    + frame[9:-2]
                )
            case _:
                sent = b""
                self.transport.abort()
        if sent:
            self.transport.write(sent)
        if operation is not None:
            outcome = f"exception {fault.code}" if fault.kind == "exception" else fault.kind
            self._note(
                Operation(
                    device=operation.device, mono_s=operation.mono_s, at_us=operation.at_us, table=operation.table,
                    start=operation.start, count=operation.count, outcome=outcome,
                )
            )  # fmt: skip

    def _note(self, operation: Operation | None) -> None:
        if operation is not None and self._server.oplog is not None:
            self._server.oplog.add(operation)
