"""One wire and its owner: devices take turns on it, one question at a time, and only questions leave.

What an answer is, is the question's business (`question`, `frames`); how long to wait, the device's (`pace`); this
file keeps the wire in order: whose turn it is, when it is quiet enough to speak, what came too late.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeVar

from plumbline.errors import Refused
from plumbline_edge.meters.modbus.plan import worth_bridging
from plumbline_edge.meters.wire.failure import BusFailure
from plumbline_edge.meters.wire.late import Asked, GivenUp
from plumbline_edge.meters.wire.line import Line, Opener, SerialPort, Tap, serial, tcp
from plumbline_edge.meters.wire.pace import Pace
from plumbline_edge.meters.wire.question import Question
from plumbline_edge.meters.wire.readonly import Framing, only_asks
from plumbline_edge.meters.wire.turns import Turns

log = logging.getLogger(__name__)
T = TypeVar("T")

TCP_GAP: Final = 31
RTU_GAP: Final = 7
"""Registers that cost as many bytes on the wire as a second request and answer."""
_FIRST_PAUSE_S: Final = 0.5
_DEAF_AFTER: Final = 3
"""Unanswered questions in a row, with not one byte heard, after which a TCP connection counts as dead."""
_FOREIGN_QUIET_S: Final = 0.1
_FAST_SILENCE_S: Final = 0.00175  # Modbus over serial line V1.02, 2.5.1.1: 1.75 ms above 19200 baud
_LONGEST_HEARD: Final = 4096
_LONGEST_UNASKED: Final = 520
"""Two of the longest answers: among more bytes that nobody asked for, none is looked for again with each new one."""
_FLOOD_BYTES: Final = 1 << 18
_PIECE_BYTES: Final = 128
"""What a piece costs besides its bytes: two thousand a second are a flood too, however small they are."""
_FLOOD_S: Final = 1.0
"""More than that within that time, unasked, is no bus: a serial wire at 1,000,000 baud carries 100,000 a second."""


class Bus:
    """A wire with meters on it. `turn` queues work for its owner task; inside it `ask` is one question's way.

    `max_gap` is how many registers cost as many bytes as another request and answer. `counters` only grow:
    requests, connects, late (answers that came too late), foreign (bytes that nobody asked for).
    """

    def __init__(
        self,
        name: str,
        opener: Opener,
        framing: Framing,
        *,
        byte_s: float = 0.0,
        connect_s: float = 5.0,
        max_pause_s: float = 30.0,
        rng: random.Random | None = None,
    ) -> None:
        """`byte_s`: seconds a byte takes on the wire; 0 where that does not matter."""
        self.name = name
        self.framing: Framing = framing
        self.max_gap = TCP_GAP if framing == "tcp" else RTU_GAP
        self.counters = dict.fromkeys(("requests", "connects", "late", "foreign"), 0)
        self.busy_s = 0.0
        """Real seconds in which a question was on the wire."""
        self._opener = opener
        self._byte_s = byte_s
        self._silence_s = max(3.5 * byte_s, _FAST_SILENCE_S) if framing == "rtu" else 0.0
        self._connect_s = connect_s
        self._max_pause_s = max_pause_s
        self._rng = rng or random.Random()
        self._turns = Turns(name)
        self._line: Line | None = None
        self._asked: Asked | None = None
        self._given_up = GivenUp(bare=framing == "rtu")
        self._received = bytearray()
        self._transaction = 0
        self._deaf = 0
        self._unasked_bytes = 0
        self._unasked_from_s = 0.0
        self._quiet_from_s = 0.0
        self._pause_s = 0.0
        self._not_before_s = 0.0
        self._why_not = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __str__(self) -> str:
        return self.name

    # turns

    def turn(self, work: Callable[[], Awaitable[T]], *, may_wait_s: float = 0.0) -> asyncio.Future[T]:
        """See Turns.take."""
        return self._turns.take(work, may_wait_s=may_wait_s)

    async def stop(self) -> None:
        """Let go of the wire for good; what waits for a turn is cancelled."""
        await self._turns.stop()
        self._drop()

    # questions

    async def ask(
        self, question: Question, pace: Pace, *, quiet_s: float = 0.0, most_s: float | None = None
    ) -> bytes:
        """The payload of the answer; only within a turn.

        Waits first until the wire has been quiet for `quiet_s`, then for the answer as long as `pace` says, or
        `most_s` where that is less, and what the bytes need on the wire. Raises BusFailure, or what the
        question's `payload` raises.
        """
        if self._given_up and self._given_up.could_answer(question, asyncio.get_running_loop().time()):
            raise BusFailure(
                f"{self.name} {question.whom}: {question.what}: not asked while an earlier answer may still come",
                kind="late",
            )
        line = self._line
        if line is None:
            line = await self._open()
        if self._silence_s or quiet_s:
            await self._until_quiet(max(quiet_s, self._silence_s))
            if self._line is not line:
                raise BusFailure(f"{self.name}: {self._why_not}", kind="reset")
        self._transaction = transaction = (self._transaction + 1) & 0xFFFF
        request = question.request(transaction)
        if not only_asks(self.framing, request):
            raise Refused(
                f"{self.name}: {request[:16].hex(' ')} does not only read; Plumbline never writes to a meter"
            )
        loop = asyncio.get_running_loop()
        wire_s = (len(request) + question.answer_bytes) * self._byte_s
        timeout_s = pace.timeout_s if most_s is None else min(pace.timeout_s, most_s)
        asked_s = loop.time()
        answer: asyncio.Future[bytes] = loop.create_future()
        asked = Asked(question, transaction, request, pace, wire_s, asked_s, answer=answer)
        self._asked = asked
        self._received.clear()
        self.counters["requests"] += 1
        line.send(request)
        alarm = loop.call_at(asked_s + wire_s + timeout_s, self._time_up, asked, timeout_s)
        try:
            frame = await answer
        finally:
            alarm.cancel()
            self._asked = None
            ended_s = loop.time()
            self.busy_s += ended_s - asked_s
            self._quiet_from_s = max(self._quiet_from_s, ended_s)
        pace.answered(max(0.0, ended_s - asked_s - wire_s))
        return question.payload(frame)

    def worth_bridging(self, quiet_s: float) -> int:
        """See plan.worth_bridging, for this wire and a meter that wants so much silence."""
        return worth_bridging(self.max_gap, quiet_s=quiet_s, byte_s=self._byte_s)

    async def once(self, question: Question, pace: Pace, *, quiet_s: float = 0.0) -> bytes:
        """One question with a turn of its own. Raises as `ask` does."""
        return await self.turn(partial(self.ask, question, pace, quiet_s=quiet_s))

    async def _until_quiet(self, quiet_s: float) -> None:
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + quiet_s + 10 * _FOREIGN_QUIET_S
        while (wait_s := self._quiet_from_s + quiet_s - loop.time()) > 0:
            if loop.time() + wait_s > give_up_s:
                raise BusFailure(
                    f"{self.name}: somebody else is talking on the wire",
                    kind="garbage",
                    hint="Two masters on one RS-485 wire garble each other: disconnect one.",
                )
            await asyncio.sleep(wait_s)

    def _time_up(self, asked: Asked, timeout_s: float) -> None:
        """The alarm: nothing usable came."""
        if asked.answer is None or asked.answer.done():
            return
        where = f"{self.name} {asked.question.whom}: {asked.question.what}"
        asked.pace.silent()
        if asked.odd:
            error = BusFailure(f"{where}: {asked.odd}", kind=asked.kind)
        else:
            error = BusFailure(
                f"{where}: no answer within {timeout_s:.2g} s",
                kind="timeout",
                hint="Check that the meter has power, its two wires, and its unit number.",
            )
        self._given_up.add(asked, asyncio.get_running_loop().time(), timeout_s)
        asked.answer.set_exception(error)
        self._deaf += 1
        if not self._byte_s and self._deaf >= _DEAF_AFTER:  # a serial port cannot be half open
            self._drop()

    # the line

    async def _open(self) -> Line:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        if now_s < self._not_before_s:
            wait_s = self._not_before_s - now_s
            raise BusFailure(f"{self.name}: {self._why_not}; next try in {wait_s:.1f} s", kind="connection")
        try:
            async with asyncio.timeout(self._connect_s):
                line = await self._opener(self)
        except (TimeoutError, OSError) as error:
            why = (
                f"no connection within {self._connect_s:g} s"
                if isinstance(error, TimeoutError)
                else str(error)
            )
            self._pause_s = min(self._max_pause_s, self._pause_s * 2 or _FIRST_PAUSE_S)
            self._not_before_s = loop.time() + self._pause_s * self._rng.uniform(0.5, 1.0)
            self._why_not = why
            raise BusFailure(
                f"{self.name}: {why}",
                kind="connection",
                hint="Check the address, the cable and the adapter or port.",
            ) from None
        self._pause_s = 0.0
        self._deaf = 0
        self._line = line
        if self.framing == "tcp":  # a serial wire behind a new connection is still the old wire
            self._given_up.clear()
        self._quiet_from_s = loop.time()
        self.counters["connects"] += 1
        return line

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def lost(self, why: str) -> None:
        """See Ears.lost."""
        self._line = None
        self._why_not = why
        if self._asked is not None and self._asked.answer is not None and not self._asked.answer.done():
            asked = self._asked
            self._asked.answer.set_exception(
                BusFailure(f"{self.name} {asked.question.whom}: {asked.question.what}: {why}", kind="reset")
            )

    def heard(self, data: bytes) -> None:
        """See Ears.heard."""
        self._deaf = 0
        asked = self._asked
        now_s = asyncio.get_running_loop().time()
        if asked is None or asked.answer is None or asked.answer.done():
            self._heard_unasked(data, now_s)
            return
        self._received += data
        verdict = asked.question.judge(asked.transaction, bytes(self._received))
        if verdict.odd and self._given_up and self._take_late(now_s):
            verdict = asked.question.judge(asked.transaction, bytes(self._received))
        if verdict.frame:
            asked.answer.set_result(verdict.frame)
            return
        asked.odd, asked.kind = verdict.odd, verdict.kind
        if verdict.hopeless or len(self._received) > _LONGEST_HEARD:
            self._cannot_follow(asked, now_s)

    def _heard_unasked(self, data: bytes, now_s: float) -> None:
        """Nobody waits: an answer that comes late, or somebody else talking."""
        if self._is_flooded(len(data), now_s):
            self._drop()  # listening to it would take the processor from all other wires
            self._why_not = "line closed: a flood of bytes that nobody asked for"
            return
        self._received += data[-_LONGEST_HEARD:]
        if not self._take_late(now_s):
            self.counters["foreign"] += 1
        if len(self._received) > _LONGEST_UNASKED:
            self._received.clear()
        if self.framing == "rtu":
            self._quiet_from_s = now_s + _FOREIGN_QUIET_S

    def _is_flooded(self, bytes_more: int, now_s: float) -> bool:
        if now_s - self._unasked_from_s > _FLOOD_S:
            self._unasked_from_s, self._unasked_bytes = now_s, 0
        self._unasked_bytes += bytes_more + _PIECE_BYTES
        return self._unasked_bytes > _FLOOD_BYTES

    def _take_late(self, now_s: float) -> bool:
        taken = self._given_up.take(self._received, now_s)
        self.counters["late"] += taken
        return taken

    def _cannot_follow(self, asked: Asked, now_s: float) -> None:
        assert asked.answer is not None
        asked.answer.set_exception(
            BusFailure(
                f"{self.name} {asked.question.whom}: {asked.question.what}: {asked.odd}", kind=asked.kind
            )
        )
        if self.framing == "tcp":
            self._drop()
        else:
            self._quiet_from_s = now_s + _FOREIGN_QUIET_S


def tcp_bus(
    host: str,
    port: int = 502,
    *,
    framing: Framing = "tcp",
    name: str = "",
    rng: random.Random | None = None,
    tap: Tap | None = None,
) -> Bus:
    """A bus behind a TCP port: Modbus TCP, or with framing "rtu" serial frames through a transparent converter."""
    opener = tcp(host, port)
    return Bus(name or f"{host}:{port}", tap(opener) if tap else opener, framing, rng=rng)


def serial_bus(
    port: SerialPort, *, name: str = "", rng: random.Random | None = None, tap: Tap | None = None
) -> Bus:
    """A bus on a serial port."""
    opener = serial(port)
    return Bus(name or port.device, tap(opener) if tap else opener, "rtu", byte_s=port.byte_s, rng=rng)
