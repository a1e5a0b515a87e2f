"""Modbus messages in a stream of bytes: where each one ends, and what it says.

Lengths are those of the Modbus Application Protocol V1.1b3 and of Modbus over Serial Line V1.02.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from plumbline_sim.meter.rtuframe import crc16

Framing = Literal["tcp", "rtu"]
Direction = Literal["request", "answer"]

MOST_BYTES: Final = 1024
"""More in one piece is written in several: no Modbus message is that long."""
_ADDRESSING: Final = 6  # of a Modbus TCP frame, before the length's own count begins
_LONGEST_TCP: Final = 260  # the standard says 254; some devices say more and mean it

_REQUEST_BYTES: Final = {**dict.fromkeys((1, 2, 3, 4, 5, 6, 8), 8), 7: 4, 11: 4, 12: 4, 17: 4, 22: 10, 43: 7}
_REQUEST_COUNTED_AT: Final = {15: 6, 16: 6, 23: 10}
_ANSWER_BYTES: Final = {5: 8, 6: 8, 7: 5, 8: 8, 11: 8, 15: 8, 16: 8, 22: 10}
_ANSWER_COUNTED_AT: Final = dict.fromkeys((1, 2, 3, 4, 12, 17, 23), 2)
_WITH_START_AND_COUNT: Final = frozenset((1, 2, 3, 4, 15, 16, 23))
_WITH_START: Final = frozenset((5, 6, 22))
_ECHOED: Final = frozenset((5, 6, 15, 16, 22))


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request or answer as it went over the wire; without `pdu` the bytes are no whole frame.

    `transaction` is None on a serial bus.
    """

    raw: bytes
    unit: int = 0
    pdu: bytes = b""
    transaction: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a message says, as far as it can be told without knowing the meter."""

    unit: int | None = None
    function: int | None = None
    start: int | None = None
    count: int | None = None
    exception: int | None = None


def read_message(framing: Framing, raw: bytes) -> Message:
    """The bytes as one message: whole only if nothing about its frame is wrong."""
    if framing == "tcp":
        if len(raw) < 8 or raw[2:4] != b"\0\0" or int.from_bytes(raw[4:6]) != len(raw) - _ADDRESSING:
            return Message(raw=raw)
        return Message(raw=raw, unit=raw[6], pdu=raw[7:], transaction=int.from_bytes(raw[:2]))
    if len(raw) < 4 or crc16(raw[:-2]) != raw[-2:]:
        return Message(raw=raw)
    return Message(raw=raw, unit=raw[0], pdu=raw[1:-2])


def tcp_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """A Modbus TCP frame."""
    return transaction.to_bytes(2) + b"\0\0" + (len(pdu) + 1).to_bytes(2) + bytes((unit,)) + pdu


def meaning(message: Message, direction: Direction) -> Meaning:
    """What a whole message says; nothing of a broken one."""
    pdu = message.pdu
    if not pdu:
        return Meaning()
    function = pdu[0] & 0x7F
    if direction == "answer" and pdu[0] & 0x80:
        return Meaning(unit=message.unit, function=function, exception=pdu[1] if len(pdu) > 1 else None)
    start = count = None
    if (direction == "request" or function in _ECHOED) and len(pdu) >= 5:
        if function in _WITH_START_AND_COUNT:
            start, count = int.from_bytes(pdu[1:3]), int.from_bytes(pdu[3:5])
        elif function in _WITH_START:
            start, count = int.from_bytes(pdu[1:3]), 1
    return Meaning(unit=message.unit, function=pdu[0], start=start, count=count)


def rtu_length(direction: Direction, begun: bytes) -> int | None:
    """How long the RTU frame that begins so will be; None where its bytes do not tell, or not yet."""
    if len(begun) < 2:
        return None
    function = begun[1]
    if direction == "answer" and function & 0x80:
        return 5
    whole = _REQUEST_BYTES if direction == "request" else _ANSWER_BYTES
    counted_at = _REQUEST_COUNTED_AT if direction == "request" else _ANSWER_COUNTED_AT
    if function in whole:
        return whole[function]
    at = counted_at.get(function)
    if at is None or len(begun) <= at:
        return None
    return at + 1 + begun[at] + 2


class Cutter:
    """Bytes of one direction of one connection in, messages out.

    What is no frame comes out of `rest`, which the caller asks for where a pause or the other side's turn shows that
    nothing more belongs to it.
    """

    def __init__(self, framing: Framing, direction: Direction) -> None:
        self._framing = framing
        self._direction: Direction = direction
        self._begun = b""

    @property
    def begun(self) -> bytes:
        """What waits for more."""
        return self._begun

    def feed(self, data: bytes) -> list[Message]:
        """The messages that these bytes complete."""
        self._begun += data
        messages: list[Message] = []
        while (length := self._length()) is not None and 0 < length <= len(self._begun):
            message = read_message(self._framing, self._begun[:length])
            if not message.pdu and self._framing == "rtu":
                break  # a wrong checksum: only a pause tells where this ends
            messages.append(message)
            self._begun = self._begun[length:]
        while len(self._begun) > MOST_BYTES:
            messages.append(Message(raw=self._begun[:MOST_BYTES]))
            self._begun = self._begun[MOST_BYTES:]
        return messages

    def rest(self) -> Message | None:
        """What waited for more, as it is; nothing waits afterwards."""
        if not self._begun:
            return None
        message, self._begun = read_message(self._framing, self._begun), b""
        return message

    def _length(self) -> int | None:
        """Of the message that has begun; for what is no Modbus TCP, all there is of it."""
        if self._framing == "rtu":
            return rtu_length(self._direction, self._begun)
        if len(self._begun) < _ADDRESSING:
            return None
        length = int.from_bytes(self._begun[4:6])
        if self._begun[2:4] != b"\0\0" or not 2 <= length <= _LONGEST_TCP:
            return min(len(self._begun), MOST_BYTES)
        return _ADDRESSING + length
