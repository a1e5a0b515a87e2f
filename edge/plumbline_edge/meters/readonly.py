"""Knows of any bytes whether they only ask: what the bus lets out, whoever made it."""

from __future__ import annotations

from typing import Final, Literal

from plumbline_edge.meters.frames import crc16

Framing = Literal["tcp", "rtu"]
"""How requests look on a wire: with Modbus TCP's header, or bare as on a serial line."""

MODBUS_READS: Final = frozenset((1, 2, 3, 4, 43))
"""Read coils, discrete inputs, holding registers, input registers; read device identification (43/14)."""
DLT645_READS: Final = frozenset((0x11, 0x12, 0x13))
"""DL/T 645-2007: read data, read on, read the address."""
_MEI_READ_IDENTIFICATION: Final = 0x0E
_START: Final = 0x68
_WAKE: Final = 0xFE
_END: Final = 0x16


def only_asks(framing: Framing, request: bytes) -> bool:
    """Whether these are exactly one request that reads, and nothing else."""
    if framing == "tcp":
        return (
            len(request) >= 8
            and request[2:4] == b"\0\0"
            and int.from_bytes(request[4:6]) == len(request) - 6
            and _modbus_reads(request[7:])
        )
    return _rtu_reads(request) or _dlt645_reads(request)


def _modbus_reads(pdu: bytes) -> bool:
    if pdu[0] == 43:
        return len(pdu) == 4 and pdu[1] == _MEI_READ_IDENTIFICATION
    return pdu[0] in MODBUS_READS and len(pdu) == 5


def _rtu_reads(request: bytes) -> bool:
    return (
        len(request) in (7, 8)
        and crc16(request[:-2]) == int.from_bytes(request[-2:], "little")
        and _modbus_reads(request[1:-2])
    )


def _dlt645_reads(request: bytes) -> bool:
    frame = request.lstrip(bytes((_WAKE,)))
    return (
        len(request) - len(frame) <= 4
        and len(frame) >= 12
        and frame[0] == frame[7] == _START
        and frame[8] in DLT645_READS
        and len(frame) == 12 + frame[9]
        and sum(frame[:-2]) & 0xFF == frame[-2]
        and frame[-1] == _END
    )
