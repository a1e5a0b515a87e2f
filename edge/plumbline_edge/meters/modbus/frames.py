"""Finds the answer to one request in whatever bytes came back, and says what else they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from plumbline_edge.meters.wire.question import Verdict

TcpOrRtu = Literal["tcp", "rtu"]

_ADDRESSING: Final = 6  # bytes before the length's own count begins
_LONGEST: Final = 254
_STRAY: Final = frozenset((0x00, 0xFF))  # what a transceiver makes of the moment it is switched
_MOST_STRAYS: Final = 4
_IDENTIFY: Final = 43
_IDENTITY_HEADER: Final = 8  # unit, 2B, 0E, code, conformity, more, next, number of objects
_MOST_OBJECTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the answer must look like: its unit, function and number of data bytes (ignored with function 43)."""

    unit: int
    function: int
    size: int


def crc16(data: bytes) -> int:
    """The checksum of Modbus over serial line V1.02, 6.2.2; low byte first on the wire."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _crc_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_CRC: Final = tuple(map(_crc_entry, range(256)))


def find_tcp_answer(expected: Expected, transaction: int, received: bytes) -> Verdict:
    """Judge all bytes that came since a request over Modbus TCP. A frame is taken only if nothing about it is wrong.

    Answers to other requests, told by their transaction, are passed over.
    """
    odd = ""
    at = 0
    while len(received) >= at + 8:
        length = int.from_bytes(received[at + 4 : at + 6])
        if received[at + 2 : at + 4] != b"\0\0" or not 3 <= length <= _LONGEST:
            return Verdict(odd="garbage instead of a Modbus frame", hopeless=True)
        frame = received[at : at + _ADDRESSING + length]
        if len(frame) < _ADDRESSING + length:
            break
        if int.from_bytes(frame[:2]) != transaction:
            odd = "an answer to another request"
        else:
            odd = _fault(expected, frame[_ADDRESSING:])
        if not odd:
            return Verdict(frame=frame)
        at += len(frame)
    return Verdict(odd=odd or ("half an answer" if at < len(received) else ""))


def find_rtu_answer(expected: Expected, request: bytes, received: bytes) -> Verdict:
    """Judge all bytes that came since a request over a serial line.

    An RTU answer does not say what it answers, so it is taken only where it comes first: before it may stand our own
    request (adapters that echo) and a few stray 00 and FF, after it strays alone. Anything else means that somebody
    else is talking, and nothing that was heard can be trusted.
    """
    if request.startswith(received):  # nothing yet, or an echo that is still coming
        return Verdict()
    body = _without_strays(received.removeprefix(request), expected.unit)
    if body and (body[0] != expected.unit or (len(body) > 1 and body[1] & 0x7F != expected.function)):
        return Verdict(odd="bytes that answer nothing we asked: noise, or another master on the wire")
    length = _rtu_length(expected, body)
    if length is None or len(body) < length:
        return Verdict(odd="half an answer" if body else "")
    return _judge_rtu(expected, body[:length], body[length:])


def _without_strays(received: bytes, unit: int) -> bytes:
    at = 0
    while at < min(len(received), _MOST_STRAYS) and received[at] in _STRAY and received[at] != unit:
        at += 1
    return received[at:]


def _judge_rtu(expected: Expected, frame: bytes, after: bytes) -> Verdict:
    if crc16(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
        return Verdict(odd="an answer with a wrong checksum", hopeless=True, kind="crc")
    odd = _fault(expected, frame[:-2])
    if not odd and (len(after) > _MOST_STRAYS or not _STRAY.issuperset(after)):
        odd = "an answer, and more that nobody asked for"
    return Verdict(odd=odd, hopeless=True) if odd else Verdict(frame=frame)


def _rtu_length(expected: Expected, body: bytes) -> int | None:
    """How long the frame that begins here must be, checksum included; None while that cannot be told."""
    if len(body) < 3:
        return None
    if body[1] & 0x80:
        return 5
    if expected.function != _IDENTIFY:
        return 5 + body[2]
    at = _IDENTITY_HEADER
    if len(body) < at:
        return None
    for _ in range(min(body[at - 1], _MOST_OBJECTS)):
        if len(body) < at + 2:
            return None
        at += 2 + body[at + 1]
    return at + 2


def _fault(expected: Expected, frame: bytes) -> str:
    """What is wrong with unit, function and data; empty: it is the answer."""
    if frame[0] != expected.unit:
        return f"an answer of unit {frame[0]}"
    if frame[1] == expected.function | 0x80 and len(frame) == 3:
        return ""
    if frame[1] != expected.function:
        return f"an answer with function {frame[1]}"
    if expected.function == _IDENTIFY:
        return "" if len(frame) >= _IDENTITY_HEADER and frame[2] == 0x0E else "half a device identification"
    if frame[2] != expected.size or len(frame) != 3 + expected.size:
        return f"{len(frame) - 3} bytes where {expected.size} were asked for"
    return ""
