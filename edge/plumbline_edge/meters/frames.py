"""Finds the answer to one Modbus TCP request in whatever bytes came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

_ADDRESSING = 6  # bytes before the length's own count begins
_LONGEST = 254


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the answer to a read must look like: its transaction, unit, function and number of data bytes."""

    transaction: bytes
    unit: int
    function: int
    size: int

    @classmethod
    def by(cls, request: bytes) -> Self:
        """What a request for registers (a whole Modbus TCP frame) asks for."""
        return cls(
            transaction=request[:2],
            unit=request[6],
            function=request[7],
            size=2 * int.from_bytes(request[10:12]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`frame` is the answer, empty while there is none. `odd` says what came instead; more may follow.

    `hopeless`: the bytes cannot be followed any further, and waiting is in vain.
    """

    frame: bytes = b""
    odd: str = ""
    hopeless: bool = False


def find_answer(expected: Expected, received: bytes) -> Verdict:
    """Judge all bytes that came since the request. A frame is taken only if nothing about it is wrong."""
    odd = ""
    at = 0
    while len(received) >= at + 8:
        length = int.from_bytes(received[at + 4 : at + 6])
        if received[at + 2 : at + 4] != b"\0\0" or not 3 <= length <= _LONGEST:
            return Verdict(odd="garbage instead of a Modbus frame", hopeless=True)
        frame = received[at : at + _ADDRESSING + length]
        if len(frame) < _ADDRESSING + length:
            break
        odd = _fault(expected, frame)
        if not odd:
            return Verdict(frame=frame)
        at += len(frame)
    return Verdict(odd=odd or ("half an answer" if at < len(received) else ""))


def _fault(expected: Expected, frame: bytes) -> str:
    """What is wrong with a whole frame; empty: it is the answer."""
    if frame[:2] != expected.transaction:
        return "an answer to another request"
    if frame[6] != expected.unit:
        return f"an answer of unit {frame[6]}"
    if frame[7] == expected.function | 0x80 and len(frame) == 9:
        return ""
    if frame[7] != expected.function:
        return f"an answer with function {frame[7]}"
    if frame[8] != expected.size or len(frame) != 9 + expected.size:
        return f"{len(frame) - 9} bytes where {expected.size} were asked for"
    return ""
