"""Finds requests in the bytes on a serial wire, as a slave does: by their length and their check sum.

Modbus over serial line V1.02 has frames end with a silence, which nobody keeps through a pty or a TCP connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SHORTEST: Final = 4
_HIGHEST_UNIT: Final = 247
_LENGTHS: Final = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 8), 8),
    **dict.fromkeys((7, 11, 12, 17), 4),
    22: 10,
    43: 7,
}
"""Of a whole request, from unit to check sum, by function."""
_COUNT_AT: Final = {15: 6, 16: 6, 20: 2, 21: 2, 23: 10}
"""Where a request of any length says how many bytes follow before the check sum."""


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        row = byte
        for _ in range(8):
            row = row >> 1 ^ (0xA001 if row & 1 else 0)
        rows.append(row)
    return tuple(rows)


_CRC: Final = _table()


def crc16(data: bytes) -> bytes:
    """The check sum of Modbus RTU, as it stands on the wire: low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc.to_bytes(2, "little")


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    body = bytes((unit,)) + pdu
    return body + crc16(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A whole request, and where in the received bytes it begins and ends."""

    unit: int
    pdu: bytes
    begin: int
    end: int


def find_request(received: bytes) -> Request | None:
    """The first request whose check sum is right, whatever stands before it; None: there is none yet."""
    for begin in range(len(received) - _SHORTEST + 1):
        length = _length(received, begin)
        end = begin + length
        if not length or end > len(received):
            continue
        body = received[begin : end - 2]
        if crc16(body) == received[end - 2 : end]:
            return Request(unit=body[0], pdu=body[1:], begin=begin, end=end)
    return None


def _length(received: bytes, begin: int) -> int:
    """How long a request that begins there would be; 0 where none can, or where that is not to be seen yet."""
    if received[begin] > _HIGHEST_UNIT:
        return 0
    function = received[begin + 1]
    if function in _LENGTHS:
        return _LENGTHS[function]
    at = _COUNT_AT.get(function)
    if at is None or begin + at >= len(received):
        return 0
    return at + 1 + received[begin + at] + 2
