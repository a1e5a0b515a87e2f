"""A TCP proxy that misbehaves on purpose: latency, bandwidth, silence in one direction or both, resets, limits.

Run as a program (`proxy.py HOST PORT TO_HOST TO_PORT LATENCY_S`) it stands inside a network namespace.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

_CHUNK = 4096


@dataclass(slots=True)
class Way:
    """One direction; change it at any time."""

    latency_s: float = 0.0
    bytes_per_s: float | None = None
    hole: bool = False
    """Bytes are taken and never come out: a half-open link."""
    stall_share: float = 0.0
    stall_s: float = 0.0
    """This share of the chunks waits that long, as a lost packet waits for its retransmission."""
    limit_bytes: int | None = None
    """After so many bytes in all the connection is reset."""
    passed: int = 0


@dataclass(slots=True, kw_only=True)
class Proxy:
    """Listens on `port` (0: a free one) of loopback and connects through to `to_port`."""

    to_port: int
    to_host: str = "127.0.0.1"
    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    up: Way = field(default_factory=Way)
    """From the client to the server."""
    down: Way = field(default_factory=Way)
    refuse: bool = False
    """New connections are reset at once."""
    accepted: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _rng: random.Random = field(default_factory=random.Random)

    async def __aenter__(self) -> Self:
        self._rng.seed(self.seed)
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def reset(self) -> None:
        """Cut every connection with a reset."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Inside the block nobody gets through: connections are reset, new ones too."""
        self.refuse = True
        self.reset()
        try:
            yield
        finally:
            self.refuse = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self.refuse:
            writer.transport.abort()
            return
        self.accepted += 1
        self._writers.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection(self.to_host, self.to_port)
            self._writers.add(far)
            pumps = {
                asyncio.ensure_future(self._pump(reader, far, self.up)),
                asyncio.ensure_future(self._pump(far_reader, writer, self.down)),
            }
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass
        finally:
            for one in (writer, far):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        sender = asyncio.ensure_future(self._send(queue, writer, way))
        loop = asyncio.get_running_loop()
        try:
            while chunk := await reader.read(_CHUNK):
                if sender.done():
                    return
                if not way.hole:
                    await queue.put((loop.time() + way.latency_s, chunk))
            await queue.put((0.0, b""))
            await sender
        except OSError:
            return
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(
        self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: Way
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await queue.get()
            if not chunk:
                return
            if self._rng.random() < way.stall_share:
                due += way.stall_s
            await asyncio.sleep(max(due - loop.time(), 0))
            if way.bytes_per_s:
                await asyncio.sleep(len(chunk) / way.bytes_per_s)
            if way.hole:
                continue
            way.passed += len(chunk)
            if way.limit_bytes is not None and way.passed > way.limit_bytes:
                writer.transport.abort()
                return
            writer.write(chunk)
            await writer.drain()


async def _main(host: str, port: int, to_host: str, to_port: int, latency_s: float) -> None:
    async with Proxy(
        host=host,
        port=port,
        to_host=to_host,
        to_port=to_port,
        up=Way(latency_s=latency_s),
        down=Way(latency_s=latency_s),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))
