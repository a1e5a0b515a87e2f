"""Simulated meters that speak Modbus RTU: on a serial line, or on a TCP port as behind a transparent converter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from plumbline.clock import Clock
from plumbline_edge.meters.profiles.profile import Parity
from plumbline_sim.meter.faults import Fault
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.panel import Panel, SimulatedMeter
from plumbline_sim.meter.ports import listening
from plumbline_sim.meter.pty import DevicePort, Port, PtyPort
from plumbline_sim.meter.wire import Medium, Pace, SerialWire, Slave

_USUAL_BAUD: Final = 9_600


def pace_of(baud: int | None, parity: Parity = "N", stop_bits: int = 1) -> Pace | None:
    """How long a byte takes on such a line; None: no time."""
    if baud is None:
        return None
    return Pace(baud=baud, bits=1 + 8 + (parity != "N") + stop_bits)


class RtuServer(Panel):
    """Meters on a serial line: a pseudo-terminal, which clients open at `path`, or a real adapter's `device`.

    With a `baud` bytes take the time on the pseudo-terminal that they would on a wire; without, none. A real
    adapter takes its own. A `link` is made to point at the pseudo-terminal. `slaves` are meters of other protocols
    on the same line. `async with` opens; raises ConfigError where that is not possible.
    """

    def __init__(
        self,
        meters: Iterable[SimulatedMeter],
        *,
        clock: Clock,
        oplog: OpLog | None = None,
        link: Path | None = None,
        device: str | None = None,
        baud: int | None = None,
        parity: Parity = "N",
        stop_bits: int = 1,
        seed: int = 0,
        faults: Iterable[Fault] = (),
        slaves: Iterable[Slave] = (),
    ) -> None:
        super().__init__(meters, clock=clock, oplog=oplog, seed=seed, faults=faults)
        self.baud, self.parity, self.stop_bits = baud, parity, stop_bits
        self._device = device
        self._link = link
        self._slaves = tuple(slaves)
        self._port: Port | None = None
        self._wire: SerialWire | None = None

    @property
    def path(self) -> str:
        """Where a client opens the line: the link, else /dev/pts/N; of a real adapter, its own name."""
        assert self._port is not None, "the line is open inside `async with` only"
        return self._port.path

    @property
    def address(self) -> str:
        return self.path

    async def __aenter__(self) -> Self:
        pace = None
        if self._device is not None:
            baud = self.baud or _USUAL_BAUD
            self._port = DevicePort(self._device, baud=baud, parity=self.parity, stop_bits=self.stop_bits)
        else:
            self._port = PtyPort(self._link)
            pace = pace_of(self.baud, self.parity, self.stop_bits)
        self._wire = SerialWire(
            self, self._port.write, kind="rtu", medium=Medium(pace=pace), slaves=self._slaves
        )
        self._port.listen(self._wire.received)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._wire is not None
        assert self._port is not None
        await self._wire.close()
        self._port.close()


class RtuTcpServer(Panel):
    """Meters behind a converter that passes RTU frames through a TCP port as they are.

    All connections share the one wire; an answer goes to the connection that asked. Else as RtuServer.
    """

    def __init__(
        self,
        meters: Iterable[SimulatedMeter],
        *,
        clock: Clock,
        oplog: OpLog | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        baud: int | None = None,
        parity: Parity = "N",
        stop_bits: int = 1,
        seed: int = 0,
        faults: Iterable[Fault] = (),
        slaves: Iterable[Slave] = (),
    ) -> None:
        super().__init__(meters, clock=clock, oplog=oplog, seed=seed, faults=faults)
        self.host = host
        self.port = port
        self.medium = Medium(pace=pace_of(baud, parity, stop_bits))
        self.slaves = tuple(slaves)
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await listening(lambda: _Connection(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self.connections):
            connection.transport.abort()
            await connection.wire.close()
        await self._server.wait_closed()


class _Connection(asyncio.Protocol):
    """One client of the converter."""

    transport: asyncio.Transport

    def __init__(self, server: RtuTcpServer) -> None:
        self._server = server
        self.wire = SerialWire(
            server, self._write, kind="rtu_over_tcp", medium=server.medium, slaves=server.slaves, cut=self._cut
        )  # fmt: skip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._server.connections.discard(self)
        self.wire.hush()

    def data_received(self, data: bytes) -> None:
        self.wire.received(data)

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def _cut(self) -> None:
        self.transport.abort()
