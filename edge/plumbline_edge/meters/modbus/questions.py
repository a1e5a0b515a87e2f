"""Modbus questions: what is sent, and what of an answer; the one file that imports pymodbus.

pymodbus writes what we send. What comes back is judged by `frames`, because pymodbus takes an answer with
transaction 0, another function code or another length for the right one.
"""

from __future__ import annotations

import logging
import struct
from functools import lru_cache
from typing import Final

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from plumbline_edge.meters.modbus.frames import Expected, TcpOrRtu, find_rtu_answer, find_tcp_answer
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import Function
from plumbline_edge.meters.wire.failure import BusFailure, ExceptionAnswer
from plumbline_edge.meters.wire.question import Question, Verdict

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # it warns of each failure; we say it once

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
_HINTS: Final[dict[int, str]] = {
    1: "The profile's `function` does not fit this meter.",
    2: "The profile's addresses or `max_gap` do not fit this meter.",
    3: "The profile's `max_registers` is too large for this meter.",
    6: "The meter is busy; it is asked again at its next turn.",
}
_TCP_EXTRA: Final = 7  # header before the function code
_RTU_EXTRA: Final = 3  # unit before it, checksum behind
_IDENTITY_TYPICAL: Final = 60


class _ModbusQuestion:
    """What reads of registers and of the identification have in common."""

    __slots__ = ("_framing", "_request", "expected", "whom")

    def __init__(self, unit: int, function: int, size: int, framing: TcpOrRtu, pdu: ModbusPDU) -> None:
        self.whom = f"unit {unit}"
        self._framing = framing
        self.expected = Expected(unit=unit, function=function, size=size)
        decoder = DecodePDU(is_server=False)
        framer = FramerSocket(decoder) if framing == "tcp" else FramerRTU(decoder)
        self._request: bytes = framer.buildFrame(pdu)

    def request(self, transaction: int) -> bytes:
        """See Question.request."""
        return self._request if self._framing == "rtu" else transaction.to_bytes(2) + self._request[2:]

    def judge(self, transaction: int, received: bytes) -> Verdict:
        """See Question.judge."""
        if self._framing == "rtu":
            return find_rtu_answer(self.expected, self._request, received)
        return find_tcp_answer(self.expected, transaction, received)

    def alike(self, other: Question) -> bool:
        """See Question.alike; over TCP the transaction tells answers apart.

        Not even the length does on a serial line: an exception is as long whatever was asked.
        """
        if self._framing == "tcp" or not isinstance(other, _ModbusQuestion):
            return False
        mine, its = self.expected, other.expected
        return (mine.unit, mine.function) == (its.unit, its.function)

    def _pdu(self, frame: bytes, what: str) -> bytes:
        pdu = frame[_TCP_EXTRA:] if self._framing == "tcp" else frame[1:-2]
        if not pdu[0] & 0x80:
            return pdu
        code = pdu[1]
        text = f"{self.whom}: {what}: exception {code} ({EXCEPTIONS.get(code, 'unknown')})"
        if code in _GATEWAY_SAYS_NOBODY:
            raise BusFailure(text, kind="gateway", hint="Check the meter's address and its serial cable.")
        raise ExceptionAnswer(text, code=code, hint=_HINTS.get(code, ""))


class ReadRegisters(_ModbusQuestion):
    """Function 3 or 4: the payload is the span's registers, two bytes each, as they came over the wire."""

    __slots__ = ("_span",)

    def __init__(self, unit: int, function: Function, span: Span, framing: TcpOrRtu) -> None:
        kind = ReadHoldingRegistersRequest if function == 3 else ReadInputRegistersRequest
        pdu = kind(address=span.start, count=span.count, dev_id=unit)
        super().__init__(unit, function, 2 * span.count, framing, pdu)
        self._span = span

    @property
    def what(self) -> str:
        """See Question.what."""
        return f"registers {self._span.start}-{self._span.end - 1}"

    @property
    def answer_bytes(self) -> int:
        """See Question.answer_bytes."""
        return 2 + 2 * self._span.count + (_TCP_EXTRA if self._framing == "tcp" else _RTU_EXTRA)

    def payload(self, frame: bytes) -> bytes:
        """See Question.payload."""
        return self._pdu(frame, self.what)[2:]


class ReadIdentification(_ModbusQuestion):
    """Function 43/14, one object by its id; `text` reads the payload."""

    __slots__ = ("_object",)

    def __init__(self, unit: int, object_id: int, framing: TcpOrRtu) -> None:
        pdu = ReadDeviceInformationRequest(read_code=4, object_id=object_id, dev_id=unit)
        super().__init__(unit, 43, 0, framing, pdu)
        self._object = object_id

    @property
    def what(self) -> str:
        """See Question.what."""
        return f"identification object {self._object}"

    @property
    def answer_bytes(self) -> int:
        """See Question.answer_bytes; nobody knows how long a name is."""
        return _IDENTITY_TYPICAL

    def payload(self, frame: bytes) -> bytes:
        """The object's bytes; empty where the answer does not hold it."""
        answer = ReadDeviceInformationResponse()
        try:
            answer.decode(self._pdu(frame, self.what)[1:])
        except (struct.error, IndexError):
            return b""
        held: bytes | list[bytes] = answer.information.get(self._object, b"")
        return held[0] if isinstance(held, list) else held


@lru_cache(maxsize=4096)
def read_registers(unit: int, function: Function, span: Span, framing: TcpOrRtu) -> ReadRegisters:
    """The question, made once: pymodbus takes ten times as long to write it as the wire to send it."""
    return ReadRegisters(unit, function, span, framing)
