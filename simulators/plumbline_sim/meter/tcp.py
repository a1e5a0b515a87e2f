"""Simulated meters behind a Modbus TCP port; written apart from the gateway's client on purpose."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from plumbline.clock import Clock
from plumbline_sim.meter.faults import Fault, spoiled_frame
from plumbline_sim.meter.oplog import Operation, OpLog
from plumbline_sim.meter.panel import Panel, SimulatedMeter
from plumbline_sim.meter.ports import listening

_HEADER: Final = struct.Struct(">HHHB")
_LONGEST: Final = 254


class MeterServer(Panel):
    """Meters on one host and port, told apart by their unit numbers.

    `async with` listens; `port` is then the real one (0 asks for a free one). Raises ConfigError where the port is
    taken, and says by whom.
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
        faults: Iterable[Fault] = (),
    ) -> None:
        super().__init__(meters, clock=clock, oplog=oplog, seed=seed, faults=faults)
        self.host = host
        self.port = port
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await listening(lambda: _Connection(self), self.host, self.port)
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

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


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
            if protocol or not 2 <= length <= _LONGEST:
                self.transport.abort()
                return
            if len(self._received) < 6 + length:
                return
            pdu = self._received[_HEADER.size : 6 + length]
            self._received = self._received[6 + length :]
            self._serve(transaction, unit, pdu)

    def _serve(self, transaction: int, unit: int, pdu: bytes) -> None:
        said = self._server.hear(unit, pdu, "tcp")
        if "reset" in said.active:
            self.transport.abort()
            self._server.note(said.operation)
            return
        if not said.pdu:
            self._server.note(said.operation)
            return
        if "wrong_transaction" in said.active:
            transaction ^= 0x5A5A
        frame = _HEADER.pack(transaction, 0, len(said.pdu) + 1, said.unit) + said.pdu
        frame = spoiled_frame(frame, said.active, self._server.rng)
        if said.delay_s:
            asyncio.get_running_loop().call_later(said.delay_s, self._send, frame, said.operation)
        else:
            self._send(frame, said.operation)

    def _send(self, frame: bytes, operation: Operation | None) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(frame)
        self._server.note(operation)
