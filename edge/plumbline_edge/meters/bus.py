"""Reads registers over Modbus TCP; the one file that imports pymodbus.

pymodbus frames and sends; frames.py decides what an answer is. Everything received passes it first,
because pymodbus takes an answer with transaction id 0, another function code or another length for the right one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Protocol, Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from plumbline.errors import Refused, Unreachable
from plumbline_edge.meters.frames import Expected, find_answer
from plumbline_edge.meters.plan import Span
from plumbline_edge.meters.profile import Function

log = logging.getLogger(__name__)
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # it warns of each failure; we say it once

_READS: Final = frozenset((1, 2, 3, 4))
_TCP_GAP: Final = 31  # registers that cost as many bytes as a second request and answer
_FIRST_PAUSE_S: Final = 0.5

EXCEPTIONS: Final[dict[int, str]] = {
    1: "ILLEGAL FUNCTION",
    2: "ILLEGAL DATA ADDRESS",
    3: "ILLEGAL DATA VALUE",
    4: "SERVER DEVICE FAILURE",
    5: "ACKNOWLEDGE",
    6: "SERVER DEVICE BUSY",
    8: "MEMORY PARITY ERROR",
    10: "GATEWAY PATH UNAVAILABLE",
    11: "GATEWAY TARGET DEVICE FAILED TO RESPOND",
}
"""Modbus Application Protocol V1.1b3, section 7."""
_GATEWAY_SAYS_NOBODY: Final = frozenset((10, 11))


class BusFailure(Unreachable):
    """No usable answer. `kind` is one of: connection, reset, timeout, garbage, gateway."""

    def __init__(self, message: str, *, kind: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class ExceptionAnswer(Refused):
    """The meter answered with a Modbus exception."""

    def __init__(self, message: str, *, code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class Bus(Protocol):
    """A wire with meters on it. One request at a time; others wait their turn."""

    @property
    def max_gap(self) -> int:
        """How many unused registers are cheaper to read along than to ask twice."""
        ...

    async def read(self, unit: int, function: Function, span: Span) -> bytes:
        """The span's registers, two bytes each, as they came over the wire.

        Takes at most the bus's timeout from the moment it is this request's turn, and as long again where the line
        must be opened first. Raises BusFailure (Unreachable) or ExceptionAnswer (Refused).
        """
        ...

    def close(self) -> None:
        """Let go of the wire; a later read takes it again."""
        ...


class ModbusTcpBus:
    """One Modbus TCP connection: opened at the first read, opened again after a failure, with growing pauses.

    After a timeout or garbage the connection is closed: what comes late dies with it and can never be taken for
    the answer to another request.
    """

    max_gap = _TCP_GAP

    def __init__(
        self,
        host: str,
        port: int = 502,
        *,
        timeout_s: float = 1.0,
        max_pause_s: float = 30.0,
        rng: random.Random | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.requests = 0
        """Requests sent since the start."""
        self.connects = 0
        """Connections made since the start."""
        self._timeout_s = timeout_s
        self._max_pause_s = max_pause_s
        self._rng = rng or random.Random()
        self._turn = asyncio.Lock()
        self._line: _Line | None = None
        self._pause_s = 0.0
        self._not_before_s = 0.0
        self._why_not = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """See Bus.close."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def read(self, unit: int, function: Function, span: Span) -> bytes:
        """See Bus.read."""
        async with self._turn:
            line = self._line
            if line is None or line.lost:
                line = self._line = await self._connect()
            try:
                answer = await line.ask(unit, function, span, self._timeout_s)
            except (BusFailure, asyncio.CancelledError):
                self.close()
                raise
        log.debug(
            "%s unit %d function %d %d+%d: %d bytes",
            self,
            unit,
            function,
            span.start,
            span.count,
            len(answer),
        )
        return answer

    async def _connect(self) -> _Line:
        now_s = asyncio.get_running_loop().time()
        if now_s < self._not_before_s:
            raise BusFailure(
                f"{self}: {self._why_not}; next try in {self._not_before_s - now_s:.1f} s", kind="connection"
            )
        line = _Line(str(self), self._count)
        try:
            async with asyncio.timeout(self._timeout_s):
                why = await line.open(self.host, self.port)
        except TimeoutError:
            why = f"no connection within {self._timeout_s:g} s"
        except asyncio.CancelledError:
            line.close()
            raise
        if why:
            line.close()
            self._pause_s = min(self._max_pause_s, self._pause_s * 2 or _FIRST_PAUSE_S)
            pause_s = self._pause_s * self._rng.uniform(0.5, 1.0)
            self._not_before_s = asyncio.get_running_loop().time() + pause_s
            self._why_not = why
            raise BusFailure(
                f"{self}: {why}", kind="connection", hint="Check the address, the cable and the meter's port."
            )
        self._pause_s = 0.0
        self.connects += 1
        return line

    def _count(self) -> None:
        self.requests += 1

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Block(ModbusPDU):
    """An answer to functions 3 and 4 that keeps its bytes: unpacking them is the decoder's work, in one go."""

    function_code = 3
    rtu_byte_count_pos = 2

    def decode(self, data: bytes) -> None:
        self.block = data[1:]


class _InputBlock(_Block):
    function_code = 4


class _Line:
    """One TCP connection from its opening to its end."""

    def __init__(self, name: str, on_send: Callable[[], None]) -> None:
        self.lost = False
        self._name = name
        self._count_request = on_send
        self._client: AsyncModbusTcpClient | None = None
        self._expected: Expected | None = None
        self._odd = ""
        self._deadline: asyncio.Timeout | None = None

    async def open(self, host: str, port: int) -> str:
        """Connect; an empty text, or why it failed."""
        self._client = AsyncModbusTcpClient(
            host,
            port=port,
            name=self._name,
            reconnect_delay=0,  # ModbusTcpBus reconnects: pymodbus would do so behind its back, with the old state
            timeout=3600,  # every wait here stands in an asyncio.timeout of its own
            retries=0,
            trace_packet=self._on_bytes,
            trace_connect=self._on_connect,
        )
        self._client.register(_Block)
        self._client.register(_InputBlock)
        if await self._client.connect():
            return ""
        return "cannot connect: refused, no route, or no such host"

    def close(self) -> None:
        self.lost = True
        if self._client is not None:
            self._client.close()

    async def ask(self, unit: int, code: int, span: Span, timeout_s: float) -> bytes:
        """Raises BusFailure or ExceptionAnswer."""
        assert self._client is not None
        where = f"{self._name} unit {unit}"
        what = f"registers {span.start}-{span.end - 1}"
        self._odd = ""
        read = self._client.read_holding_registers if code == 3 else self._client.read_input_registers
        try:
            async with asyncio.timeout(timeout_s) as self._deadline:
                answer: Any = await read(span.start, count=span.count, device_id=unit)
        except TimeoutError:
            raise self._failure(f"{where}: {what}", timeout_s) from None
        except ModbusException as error:
            raise BusFailure(f"{where}: {what}: {error}", kind="reset") from None
        finally:
            self._expected = self._deadline = None
        if answer.isError():
            exception = answer.exception_code
            name = EXCEPTIONS.get(exception, "unknown")
            text = f"{where}: {what}: exception {exception} ({name})"
            if exception in _GATEWAY_SAYS_NOBODY:
                raise BusFailure(text, kind="gateway", hint="Check the meter's address and its serial cable.")
            raise ExceptionAnswer(text, code=exception, hint=_HINTS.get(exception, ""))
        block: bytes = answer.block
        return block

    def _failure(self, what: str, timeout_s: float) -> BusFailure:
        if self._odd:
            return BusFailure(f"{what}: {self._odd}", kind="garbage")
        if self.lost:
            return BusFailure(f"{what}: connection closed by the other side", kind="reset")
        return BusFailure(
            f"{what}: no answer within {timeout_s:g} s",
            kind="timeout",
            hint="Check that the meter has power, and its unit number.",
        )

    # called by pymodbus

    def _on_connect(self, connected: bool) -> None:
        if not connected:
            self.lost = True
            self._stop_waiting()

    def _on_bytes(self, sending: bool, data: bytes) -> bytes:
        return self._on_send(data) if sending else self._check(data)

    def _on_send(self, data: bytes) -> bytes:
        if data[7] not in _READS:
            raise Refused(f"{self._name}: function {data[7]} writes; Plumbline only reads meters")
        self._expected = Expected.by(data)
        self._count_request()
        return data

    def _check(self, data: bytes) -> bytes:
        """The frame that answers, or nothing, of all that came since the request."""
        if self._expected is None:  # unasked for; the next request begins with an empty buffer
            return b""
        verdict = find_answer(self._expected, data)
        self._odd = verdict.odd
        if verdict.hopeless:
            self._stop_waiting()
        return verdict.frame

    def _stop_waiting(self) -> None:
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())


_HINTS: Final[dict[int, str]] = {
    1: "The profile's `table` does not fit this meter.",
    2: "The profile's addresses or `max_gap` do not fit this meter.",
    3: "The profile's `max_registers` is too large for this meter.",
}
