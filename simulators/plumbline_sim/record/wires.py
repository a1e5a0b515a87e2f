"""Wires that bytes come and go on: a TCP connection, a serial port, a pseudo terminal that others take for one."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import termios
import tty
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from plumbline.errors import ConfigError, Unreachable
from plumbline_sim.meter.ports import who_listens
from plumbline_sim.meter.pty import open_terminal

_CONNECT_S: Final = 5.0
_SERIAL: Final = re.compile(r"(?P<device>/[^,]+)(?:,(?P<baud>\d+))?(?:,8(?P<parity>[NEO])(?P<stop>[12]))?")
_PARITY: Final = {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}


class Wire(Protocol):
    """One open wire."""

    async def read(self) -> bytes:
        """What has come, as soon as anything has; empty at the end. Cancelling it loses nothing."""
        ...

    async def send(self, data: bytes) -> None:
        """Return once the system has taken all of it. Raises OSError where the wire is gone."""
        ...

    def close(self) -> None: ...


class TcpWire:
    """A TCP connection; small pieces are not held back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def read(self) -> bytes:
        """See Wire.read."""
        try:
            return await self._reader.read(4096)
        except ConnectionError:
            return b""

    async def send(self, data: bytes) -> None:
        """See Wire.send."""
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """See Wire.close."""
        self._writer.close()


class TerminalWire:
    """A serial port, or our end of a pseudo terminal. `also` is closed with it."""

    def __init__(self, fd: int, *, also: int | None = None) -> None:
        self._fds = [fd] if also is None else [fd, also]
        os.set_blocking(fd, False)

    async def read(self) -> bytes:
        """See Wire.read."""
        fd = self._fds[0]
        await _ready(fd, asyncio.get_running_loop().add_reader, asyncio.get_running_loop().remove_reader)
        try:
            return os.read(fd, 4096)
        except BlockingIOError:
            return await self.read()
        except OSError:  # the adapter was pulled out
            return b""

    async def send(self, data: bytes) -> None:
        """See Wire.send."""
        fd = self._fds[0]
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                await _ready(
                    fd, asyncio.get_running_loop().add_writer, asyncio.get_running_loop().remove_writer
                )

    def close(self) -> None:
        """See Wire.close."""
        while self._fds:
            os.close(self._fds.pop())


async def _ready(fd: int, watch: Callable[..., None], unwatch: Callable[[int], object]) -> None:
    """Return once the file descriptor can be used in the way that `watch` watches for."""
    ready = asyncio.Event()
    watch(fd, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(fd)


async def connect(host: str, port: int) -> TcpWire:
    """A connection. Raises Unreachable."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            return TcpWire(*await asyncio.open_connection(host, port))
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {_CONNECT_S:g} s"
        raise Unreachable(f"{host}:{port}: {why}", hint="Check the address and the cable.") from None


@asynccontextmanager
async def listening(
    host: str, port: int, serve: Callable[[TcpWire], Coroutine[None, None, None]]
) -> AsyncIterator[int]:
    """Serve each connection in a task of its own, and close it then, while the block runs; yields the real port.

    Raises ConfigError where the port is taken, and says by whom.
    """
    served: dict[asyncio.Task[None], TcpWire] = {}

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = TcpWire(reader, writer)
        task = asyncio.get_running_loop().create_task(serve(wire))
        served[task] = wire
        task.add_done_callback(lambda done: served.pop(done).close())

    try:
        server = await asyncio.start_server(accept, host, port)
    except OSError as error:
        holder = who_listens(port)
        why = f"in use by {holder}" if holder else error.strerror
        raise ConfigError(f"{host}:{port}: {why}", hint="Give another port, or 0 for a free one.") from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(served):
            task.cancel()
        while served:
            await asyncio.gather(*served, return_exceptions=True)
            await asyncio.sleep(0)
        await server.wait_closed()


def open_pty(link: Path | None = None) -> tuple[TerminalWire, str]:
    """A pseudo terminal that stays open whoever comes and goes, and the path that others open it by.

    `link` becomes a symbolic link to it; a link of that name is replaced, anything else is left alone (ConfigError).
    """
    ours, theirs, path = open_terminal(link)
    return TerminalWire(ours, also=theirs), path


def is_serial(text: str) -> bool:
    """Whether an option names a serial port and not HOST:PORT."""
    return text.startswith("/")


def open_serial(text: str) -> TerminalWire:
    """The serial port of `/dev/ttyUSB0[,9600[,8N1]]`, raw. Raises ConfigError or Unreachable."""
    found = _SERIAL.fullmatch(text)
    if found is None:
        raise ConfigError(f"{text}: not a serial port", hint="Write it as /dev/ttyUSB0,9600,8N1.")
    speed = getattr(termios, f"B{found['baud'] or 9600}", None)
    if speed is None:
        raise ConfigError(f"{text}: no such speed", hint="Common ones: 9600, 19200, 38400, 115200.")
    try:
        fd = os.open(found["device"], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError as error:
        hint = (
            "Put this user into the group `dialout`."
            if isinstance(error, PermissionError)
            else "Is it plugged in?"
        )
        raise Unreachable(f"{found['device']}: {error.strerror}", hint=hint) from None
    try:
        tty.setraw(fd)
        settings = termios.tcgetattr(fd)
        settings[2] &= ~(termios.PARENB | termios.PARODD | termios.CSTOPB | termios.CRTSCTS)
        settings[2] |= _PARITY[found["parity"] or "N"] | termios.CLOCAL | termios.CREAD
        settings[2] |= termios.CSTOPB if found["stop"] == "2" else 0
        settings[4] = settings[5] = speed
        termios.tcsetattr(fd, termios.TCSANOW, settings)
    except (termios.error, OSError):
        os.close(fd)
        raise ConfigError(f"{found['device']}: not a serial port", hint="ls /dev/tty*") from None
    return TerminalWire(fd)


def host_and_port(text: str, option: str) -> tuple[str, int]:
    """The two parts of HOST:PORT. Raises ConfigError that names the option."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or not int(port) < 1 << 16:
        raise ConfigError(
            f"{option}: expected HOST:PORT, got {text!r}", hint=f"For example {option} 127.0.0.1:5020."
        )
    return host.strip("[]"), int(port)
