"""Opens the line a bus speaks on, a TCP connection or a serial port; the one file that opens with pyserial."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import termios
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

_CHUNK: Final = 4096
_PSEUDO: Final = Path("/dev/pts")  # a pseudo-terminal takes any speed, but no parity
_UNHEARD_MS: Final = 10_000
"""A TCP connection ends when what was sent is not acknowledged for so long; Linux else tries for a quarter of an hour."""
_PERMISSION: Final = "may not be opened by this user"


class Ears(Protocol):
    """Who listens to a line."""

    def heard(self, data: bytes) -> None: ...

    def lost(self, why: str) -> None:
        """The line is gone; called at most once, never after `close`."""
        ...


class Line(Protocol):
    """An open line."""

    def send(self, data: bytes) -> None: ...

    def close(self) -> None: ...


Opener = Callable[[Ears], Awaitable[Line]]
"""Opens a line, or raises OSError with a text a person understands."""
Tap = Callable[[Opener], Opener]
"""Puts somebody in between who sees every byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialPort:
    """A serial port and how it is set."""

    device: str
    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1

    @property
    def byte_s(self) -> float:
        """Seconds that one byte takes: start bit, eight data bits, parity, stop bits."""
        return (9 + (self.parity != "N") + self.stop_bits) / self.baud


def tcp(host: str, port: int) -> Opener:
    """Opens a TCP connection."""

    async def open_(ears: Ears) -> Line:
        loop = asyncio.get_running_loop()
        try:
            _, protocol = await loop.create_connection(lambda: _Tcp(ears), host, port)
        except OSError as error:
            reason = (
                os.strerror(error.errno).lower()
                if error.errno and error.errno > 0
                else "no such host, or no route"
            )
            raise OSError(f"cannot connect: {reason}") from None
        if protocol.lost:  # before anybody had the line: it would never be heard of again
            raise OSError("cannot connect: closed at once by the other side")
        return protocol

    return open_


class _Tcp(asyncio.Protocol):
    def __init__(self, ears: Ears) -> None:
        self._ears: Ears | None = ears

    @property
    def lost(self) -> bool:
        return self._ears is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # a converter that lost its power says nothing, and on a serial wire behind it silence is no sign
        wire = transport.get_extra_info("socket")
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; elsewhere a gateway is only tried out
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNHEARD_MS)

    def data_received(self, data: bytes) -> None:
        if self._ears is not None:
            self._ears.heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        ears, self._ears = self._ears, None
        if ears is not None:
            ears.lost(f"connection lost: {exc}" if exc else "connection closed by the other side")

    def send(self, data: bytes) -> None:
        """See Line.send."""
        self._transport.write(data)

    def close(self) -> None:
        """See Line.close."""
        self._ears = None
        self._transport.abort()


def serial(port: SerialPort) -> Opener:
    """Opens a serial port, for this process alone."""

    async def open_(ears: Ears) -> Line:
        import serial as pyserial  # noqa: PLC0415 - most gateways have meters on TCP only

        device = _port(pyserial, port)
        with contextlib.suppress(NotImplementedError, OSError, ValueError):
            device.set_low_latency_mode(True)  # an FTDI adapter otherwise sits on each answer for 16 ms
        return _Serial(device, ears)

    return open_


def _port(pyserial: Any, port: SerialPort) -> Any:
    """The open port. Raises OSError."""
    parity = "N" if Path(port.device).resolve().is_relative_to(_PSEUDO) else port.parity
    try:
        return pyserial.Serial(
            port.device, port.baud, parity=parity, stopbits=port.stop_bits, timeout=0, exclusive=True
        )
    except (pyserial.SerialException, ValueError, OSError, termios.error) as error:
        raise OSError(_why(port.device, error)) from None


def _why(device: str, error: Exception) -> str:
    number = error.args[0] if isinstance(error, termios.error) else getattr(error, "errno", None)
    if number in (errno.EINVAL, errno.ENOTTY, errno.EIO):
        return "is no serial port, or does not take this speed and parity"
    if number == errno.EAGAIN:  # what the lock of an exclusive port says
        return "in use by another program"
    if number in (errno.EPERM, errno.EACCES):
        return _PERMISSION
    if "Inappropriate ioctl" in str(error):  # pyserial gives no number for what has no speed to set
        return "no serial port"
    return os.strerror(number).lower() if number else str(error).replace(device, "it")


class _Serial:
    def __init__(self, device: object, ears: Ears) -> None:
        self._device = device
        self._ears: Ears | None = ears
        self._fd: int = device.fileno()  # type: ignore[attr-defined]
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._gone(f"the adapter is gone ({os.strerror(error.errno or 0).lower()})")
            return
        if not data:
            self._gone("the adapter is gone")
        elif self._ears is not None:
            self._ears.heard(data)

    def send(self, data: bytes) -> None:
        """See Line.send; a request fits the driver's buffer, so nothing waits here."""
        try:
            os.write(self._fd, data)
        except OSError as error:
            self._gone(f"the adapter takes nothing ({os.strerror(error.errno or 0).lower()})")

    def close(self) -> None:
        """See Line.close."""
        self._ears = None
        self._loop.remove_reader(self._fd)
        with contextlib.suppress(Exception):  # an adapter pulled out may answer anything
            termios.tcflush(
                self._fd, termios.TCOFLUSH
            )  # one that hangs has closing wait half a minute for the rest
        with contextlib.suppress(Exception):
            self._device.close()  # type: ignore[attr-defined]

    def _gone(self, why: str) -> None:
        ears = self._ears
        self.close()
        if ears is not None:
            ears.lost(why)
