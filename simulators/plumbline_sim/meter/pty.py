"""The end of a serial line that a simulated meter holds: a pseudo-terminal, or a real port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import serial

from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.profile import Parity

log = logging.getLogger(__name__)

_CHUNK: Final = 4096


class Port(Protocol):
    """An open serial line."""

    @property
    def path(self) -> str:
        """Where a client opens it."""
        ...

    def listen(self, heard: Callable[[bytes], None]) -> None:
        """Give all bytes that come to `heard`, in the running loop."""
        ...

    def write(self, data: bytes) -> None:
        """Send; what nobody reads in time is lost, as on a wire."""
        ...

    def close(self) -> None: ...


class PtyPort:
    """A pseudo-terminal. Clients open `path`, /dev/pts/N, or the symbolic `link` to it, as often as they like.

    Raises ConfigError where the link cannot be made.
    """

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self._master, self._slave, self.path = open_terminal(link)

    def listen(self, heard: Callable[[bytes], None]) -> None:
        """See Port.listen."""
        asyncio.get_running_loop().add_reader(self._master, self._read, heard)

    def write(self, data: bytes) -> None:
        """See Port.write."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._master, data)

    def close(self) -> None:
        """See Port.close."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()

    def _read(self, heard: Callable[[bytes], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            heard(os.read(self._master, _CHUNK))


class DevicePort:
    """A real adapter, on which we play the meter. Raises ConfigError where it cannot be opened."""

    def __init__(self, path: str, *, baud: int, parity: Parity, stop_bits: int) -> None:
        self.path = path
        try:
            self._port = serial.Serial(
                path, baudrate=baud, parity=parity, stopbits=stop_bits, timeout=0, write_timeout=0, exclusive=True
            )  # fmt: skip
        except (OSError, ValueError) as error:  # pyserial's own error is an OSError
            raise ConfigError(
                f"cannot open {path}: {error}",
                hint="Check that the adapter is plugged in, that no other program holds it, and that you are in the"
                " group `dialout`.",
            ) from None

    def listen(self, heard: Callable[[bytes], None]) -> None:
        """See Port.listen."""
        asyncio.get_running_loop().add_reader(self._port.fileno(), self._read, heard)

    def write(self, data: bytes) -> None:
        """See Port.write."""
        try:
            self._port.write(data)
        except OSError as error:
            log.warning("%s: cannot write: %s", self.path, error)

    def close(self) -> None:
        """See Port.close."""
        if self._port.is_open:
            asyncio.get_running_loop().remove_reader(self._port.fileno())
            self._port.close()

    def _read(self, heard: Callable[[bytes], None]) -> None:
        try:
            data = self._port.read(_CHUNK)
        except OSError as error:
            log.warning("%s: lost: %s", self.path, error)
            self.close()
            return
        if data:
            heard(data)


def open_terminal(link: Path | None = None) -> tuple[int, int, str]:
    """A raw pseudo-terminal: our end, the other end, and the path by which clients open that, `link` where given.

    The other end stays open on our side too: else ours fails between two clients. Raises ConfigError where the link
    cannot be made.
    """
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    path = os.ttyname(theirs)
    if link is None:
        return ours, theirs, path
    try:
        _point(link, path)
    except OSError as error:
        os.close(ours)
        os.close(theirs)
        raise ConfigError(
            f"cannot link {link} to {path}: {error.strerror}",
            hint="Name a link in a folder you may write to, where no other file has its name.",
        ) from None
    return ours, theirs, str(link)


def _point(link: Path, target: str) -> None:
    """Make the link, in the place of an older one, which a killed simulator has left. Raises OSError."""
    fresh = link.with_name(f"{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    if link.exists() and not link.is_symlink():
        fresh.unlink()
        raise FileExistsError(17, "a file with that name exists")
    fresh.replace(link)
