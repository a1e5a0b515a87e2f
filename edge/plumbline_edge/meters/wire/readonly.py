"""Knows of any bytes whether they only ask: what the bus lets out, whoever made it."""

from __future__ import annotations

from typing import Final, Literal

from plumbline_edge.meters.dlt645 import frames as dlt645
from plumbline_edge.meters.modbus.frames import crc16

Framing = Literal["tcp", "rtu"]
"""How requests look on a wire: with Modbus TCP's header, or bare as on a serial line."""

MODBUS_READS: Final = frozenset((1, 2, 3, 4, 43))
"""Read coils, discrete inputs, holding registers, input registers; read device identification (43/14)."""
_MEI_READ_IDENTIFICATION: Final = 0x0E


def only_asks(framing: Framing, request: bytes) -> bool:
    """Whether these are exactly one request that reads, and nothing else."""
    if framing == "tcp":
        return (
            len(request) >= 8
            and request[2:4] == b"\0\0"
            and int.from_bytes(request[4:6]) == len(request) - 6
            and _modbus_reads(request[7:])
        )
    return _rtu_reads(request) or dlt645.only_asks(request)


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
