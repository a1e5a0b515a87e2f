"""Stands between a master and a bus: passes every byte on untouched and at once, and writes down what was said."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from plumbline.errors import ConfigError, Unreachable
from plumbline_sim.record.messages import Direction
from plumbline_sim.record.scribe import Scribe
from plumbline_sim.record.tape import MOST_FILE_BYTES, Head, Line, Protocol, framing_of, to_text
from plumbline_sim.record.wires import Wire

_AGAIN_S: Final = 1.0


class TapeFile:
    """A new tape; each line is on its way to the disk when `write` returns. Raises ConfigError where it exists.

    A tape that is full, or a disk that takes no more, is no reason to break the bus: it is remembered in `failed`, and lines are lost.
    """

    def __init__(self, path: Path, protocol: Protocol) -> None:
        self.lines: Counter[str] = Counter()
        """How many of each direction were written."""
        self.failed = ""
        self._path = path
        self._head = Head(protocol=protocol)
        self._bytes = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._file = self._path.open("xb", buffering=0)
        except FileExistsError:
            raise ConfigError(
                f"{self._path}: is there already", hint="Name a new file; none is overwritten."
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self._path}: {error.strerror}", hint="Name a file in a folder that exists."
            ) from None
        self._bytes = self._file.write(to_text(self._head))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            if (
                error is not None and not self.lines
            ):  # nothing was recorded: the name is free for the next try
                self._path.unlink(missing_ok=True)

    def write(self, lines: Iterable[Line]) -> None:
        assert self._file is not None
        for line in lines:
            text = to_text(line)
            if self._bytes + len(text) > MOST_FILE_BYTES:  # a bus that floods must not fill the disk
                self.failed = f"full at {MOST_FILE_BYTES >> 20} MiB"
                return
            try:
                self._file.write(text)
            except OSError as error:
                self.failed = error.strerror or str(error)
            else:
                self.lines[line.dir] += 1
                self._bytes += len(text)


class Recorder:
    """Passes bytes between masters and the bus that `open_bus` opens, and keeps the messages among them.

    `alone`: the bus is one wire that two masters cannot share; a second one is turned away.
    """

    def __init__(
        self,
        tape: TapeFile,
        *,
        protocol: Protocol,
        open_bus: Callable[[], Awaitable[Wire]],
        alone: bool = False,
    ) -> None:
        self.connections = 0
        self.turned_away: Counter[str] = Counter()
        """Masters that could not be served, by reason."""
        self._tape = tape
        self._scribe = Scribe(framing_of(protocol))
        self._open_bus = open_bus
        self._alone = alone
        self._busy = False
        self._began_s = asyncio.get_running_loop().time()

    async def serve(self, master: Wire) -> None:
        """One master's connection, until either side ends it."""
        if self._busy and self._alone:
            self.turned_away["another master is on the bus"] += 1
            return
        self._busy = True
        try:
            await self._join(master)
        except Unreachable as why:
            self.turned_away[str(why)] += 1
        finally:
            self._busy = False

    async def keep(self, master: Wire) -> None:
        """A master on a terminal, which has no beginning and no end: until cancelled, whenever the bus is there."""
        while True:
            try:
                await self._join(master)
            except Unreachable as why:
                self.turned_away[str(why)] += 1
            await _nobody_hears(master, _AGAIN_S)

    def finish(self) -> None:
        """Write what was left unfinished; nothing may pass afterwards."""
        self._tape.write(self._scribe.closed_all())

    async def _join(self, master: Wire) -> None:
        bus = await self._open_bus()
        self.connections += 1
        number = self.connections
        ways = [
            asyncio.create_task(self._pass_on(number, master, bus, "request")),
            asyncio.create_task(self._pass_on(number, bus, master, "answer")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            bus.close()
            self._tape.write(self._scribe.closed(number))

    async def _pass_on(self, number: int, source: Wire, target: Wire, direction: Direction) -> None:
        with contextlib.suppress(OSError):  # the other side hung up
            while data := await source.read():
                t_s = asyncio.get_running_loop().time() - self._began_s
                await target.send(data)
                self._tape.write(self._scribe.heard(number, direction, data, t_s))


async def _nobody_hears(master: Wire, seconds: float) -> None:
    """Let what a master says go by, as on a wire without a bus: later it would be an answer's wrong question."""
    try:
        async with asyncio.timeout(seconds):
            while await master.read():
                pass
            await asyncio.sleep(seconds)
    except TimeoutError:
        return
