"""A serial wire with simulated meters on it: requests heard, answers sent at the wire's own speed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from plumbline_sim.meter.faults import WireKind, foreign_request, spoiled_frame
from plumbline_sim.meter.oplog import Operation
from plumbline_sim.meter.panel import Panel, Said
from plumbline_sim.meter.rtuframe import Request, find_request, rtu_frame

_MOST_KEPT: Final = 600  # two of the longest frames
_FIFO: Final = 16  # bytes that a UART hands over at once
_SILENCE_CHARACTERS: Final = 3.5
_SILENCE_FROM: Final = 19_200  # from here on the standard has it at 1.75 ms
_SHORTEST_SILENCE_S: Final = 0.00175


class Slave(Protocol):
    """Meters on the same wire that speak another protocol than Modbus."""

    def hear(self, received: bytes) -> tuple[int, bytes | None]:
        """(how many bytes it is done with, its answer), given all that it has not been done with before.

        Called again with the rest until it is done with none more; then with more bytes. It hears everything on the
        wire, and is silent where the request is for somebody else.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long bytes take: `bits` a byte, with start, parity and stop."""

    baud: int
    bits: int = 11

    def seconds(self, count: float) -> float:
        return count * self.bits / self.baud

    @property
    def silence_s(self) -> float:
        """What a slave waits for before it takes a frame for ended."""
        return _SHORTEST_SILENCE_S if self.baud > _SILENCE_FROM else self.seconds(_SILENCE_CHARACTERS)


@dataclass(slots=True, kw_only=True)
class Medium:
    """The copper: one speaks at a time. Without a `pace` bytes take no time."""

    pace: Pace | None = None
    free_s: float = 0.0
    """When the last byte known of has passed, on the loop's clock."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Bytes to send at a time of the loop's clock, and what they say."""

    data: bytes
    due_s: float
    operation: Operation | None = None


@dataclass(slots=True, kw_only=True)
class _Listener:
    """A slave of another protocol, and what it has still to make sense of."""

    slave: Slave
    kept: bytes = b""

    def heard(self, data: bytes) -> Iterator[bytes]:
        self.kept = (self.kept + data)[-_MOST_KEPT:]
        while self.kept:
            used, answer = self.slave.hear(self.kept)
            if not used:
                return
            self.kept = self.kept[used:]
            if answer is not None:
                yield answer


class SerialWire:
    """One way in and out: give it what comes by `received`; what it says goes to `write`."""

    def __init__(
        self,
        panel: Panel,
        write: Callable[[bytes], None],
        *,
        kind: WireKind,
        medium: Medium,
        slaves: Iterable[Slave] = (),
        cut: Callable[[], None] | None = None,
    ) -> None:
        self._panel = panel
        self._write = write
        self._kind: WireKind = kind
        self._medium = medium
        self._slaves = [_Listener(slave=slave) for slave in slaves]
        self._cut = cut
        self._kept = b""
        self._speaking: set[asyncio.Task[None]] = set()
        self._slow: dict[int, asyncio.Task[None]] = {}

    def received(self, data: bytes) -> None:
        """Hear bytes: any number of requests, in any pieces, with anything between them."""
        asked_s = self._asked(len(data))
        self._kept = (self._kept + data)[-_MOST_KEPT:]
        while (request := find_request(self._kept)) is not None:
            frame = self._kept[request.begin : request.end]
            self._kept = self._kept[request.end :]
            self._serve(request, frame, asked_s)
        for listener in self._slaves:
            for answer in listener.heard(data):
                self._speak([_Piece(data=answer, due_s=asked_s)])

    def hush(self) -> None:
        """Say nothing more."""
        for task in self._speaking:
            task.cancel()

    async def close(self) -> None:
        """Hush, and return when nothing of it runs any more."""
        self.hush()
        await asyncio.gather(*self._speaking, return_exceptions=True)

    def _serve(self, request: Request, frame: bytes, asked_s: float) -> None:
        panel, unit = self._panel, request.unit
        said = panel.hear(unit, request.pdu, self._kind)
        if (forgotten := self._slow.pop(unit, None)) is not None:
            forgotten.cancel()
        if "reset" in said.active and self._cut is not None:
            panel.note(said.operation)
            self._cut()
            return
        if "echo" in said.active:
            self._write(frame)
        pieces = [_Piece(data=self._framed(said), due_s=asked_s + said.delay_s, operation=said.operation)]
        if not said.pdu:
            panel.note(said.operation)
            pieces.clear()
        if (master := said.active.get("another_master")) is not None:
            pieces.insert(0, _Piece(data=self._foreign(), due_s=asked_s))
            pieces.append(_Piece(data=self._foreign(), due_s=asked_s + said.delay_s + master.seconds))
        task = self._speak(pieces)
        if task is not None and "slow" in said.active:
            self._slow[unit] = task

    def _framed(self, said: Said) -> bytes:
        if not said.pdu:
            return b""
        frame = rtu_frame(said.unit, said.pdu)
        if "crc" in said.active:
            frame = frame[:-1] + bytes((frame[-1] ^ 0xFF,))
        return spoiled_frame(frame, said.active, self._panel.rng)

    def _foreign(self) -> bytes:
        """Another master's request and its answer."""
        panel = self._panel
        if not panel.meters:
            return b""
        meter = panel.rng.choice(list(panel.meters.values()))
        request = foreign_request(meter.encoder.profile, panel.rng)
        answer, _ = panel.answer(meter.unit, request)
        return rtu_frame(meter.unit, request) + rtu_frame(meter.unit, answer)

    def _asked(self, count: int) -> float:
        """When the bytes just heard have passed, and a slave knows that no more come."""
        medium, now_s = self._medium, asyncio.get_running_loop().time()
        if medium.pace is None:
            return now_s
        medium.free_s = max(now_s, medium.free_s) + medium.pace.seconds(count)
        return medium.free_s + medium.pace.silence_s

    def _speak(self, pieces: Iterable[_Piece]) -> asyncio.Task[None] | None:
        """Send each at its time, or as soon as the wire is free, in this order. None: it is done."""
        waiting = list(pieces)
        if self._medium.pace is None:
            now_s = asyncio.get_running_loop().time()
            while waiting and waiting[0].due_s <= now_s:
                piece = waiting.pop(0)
                self._write(piece.data)
                self._panel.note(piece.operation)
        if not waiting:
            return None
        task = asyncio.create_task(self._spoken(waiting), name="answer on the wire")
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)
        return task

    async def _spoken(self, pieces: Iterable[_Piece]) -> None:
        medium, loop = self._medium, asyncio.get_running_loop()
        for piece in pieces:
            await asyncio.sleep(piece.due_s - loop.time())
            async with medium.turn:
                if medium.pace is None:
                    self._write(piece.data)
                else:
                    await self._paced(piece, medium.pace)
            self._panel.note(piece.operation)

    async def _paced(self, piece: _Piece, pace: Pace) -> None:
        medium, loop = self._medium, asyncio.get_running_loop()
        begin_s = max(piece.due_s, medium.free_s, loop.time())
        medium.free_s = begin_s + pace.seconds(len(piece.data))
        for at in range(0, len(piece.data), _FIFO):
            part = piece.data[at : at + _FIFO]
            await asyncio.sleep(begin_s + pace.seconds(at + len(part)) - loop.time())
            self._write(part)
