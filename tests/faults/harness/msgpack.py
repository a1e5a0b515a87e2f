"""MessagePack bytes to Python values: the checker's own reader, so that it shares no code with the product."""

from __future__ import annotations

import struct
from typing import Any, Final

_SCALARS: Final = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}
_LENGTHS: Final = {
    0xC4: ("bin", 1),
    0xC5: ("bin", 2),
    0xC6: ("bin", 4),
    0xD9: ("str", 1),
    0xDA: ("str", 2),
    0xDB: ("str", 4),
    0xDC: ("array", 2),
    0xDD: ("array", 4),
    0xDE: ("map", 2),
    0xDF: ("map", 4),
}


def unpack(raw: bytes) -> Any:
    """The one value in `raw`. Raises ValueError or IndexError for anything else."""
    value, end = _value(raw, 0)
    if end != len(raw):
        raise ValueError(f"{len(raw) - end} bytes too many")
    return value


def pack(value: int | str | list[int | str]) -> bytes:
    """The shortest MessagePack of whole numbers, text and lists of up to 15 of them."""
    if isinstance(value, list):
        return bytes((0x90 | len(value),)) + b"".join(pack(one) for one in value)
    if isinstance(value, str):
        raw = value.encode()
        return (bytes((0xA0 | len(raw),)) if len(raw) < 32 else bytes((0xD9, len(raw)))) + raw
    if -32 <= value < 128:
        return struct.pack(">b", value)
    for code, layout, low, high in (
        (0xCC, ">B", 0, 0xFF),
        (0xCD, ">H", 0, 0xFFFF),
        (0xCE, ">I", 0, 0xFFFF_FFFF),
        (0xCF, ">Q", 0, (1 << 64) - 1),
        (0xD0, ">b", -(1 << 7), 0),
        (0xD1, ">h", -(1 << 15), 0),
        (0xD2, ">i", -(1 << 31), 0),
        (0xD3, ">q", -(1 << 63), 0),
    ):
        if low <= value <= high:
            return bytes((code,)) + struct.pack(layout, value)
    raise ValueError(value)


def _value(raw: bytes, at: int) -> tuple[Any, int]:  # noqa: PLR0911 - one return a kind of byte
    code = raw[at]
    at += 1
    if code <= 0x7F:
        return code, at
    if code >= 0xE0:
        return code - 0x100, at
    if code <= 0x8F:
        return _sized("map", code & 0x0F, raw, at)
    if code <= 0x9F:
        return _sized("array", code & 0x0F, raw, at)
    if code <= 0xBF:
        return _sized("str", code & 0x1F, raw, at)
    if code in _CONSTANTS:
        return _CONSTANTS[code], at
    if code in _SCALARS:
        layout = _SCALARS[code]
        (value,) = struct.unpack_from(layout, raw, at)
        return value, at + struct.calcsize(layout)
    kind, width = _LENGTHS[code]
    return _sized(kind, int.from_bytes(raw[at : at + width], "big"), raw, at + width)


def _sized(kind: str, size: int, raw: bytes, at: int) -> tuple[Any, int]:
    if kind in ("str", "bin"):
        if at + size > len(raw):
            raise ValueError("cut off")
        piece = raw[at : at + size]
        return (piece.decode() if kind == "str" else piece), at + size
    values = []
    for _ in range(size if kind == "array" else 2 * size):
        value, at = _value(raw, at)
        values.append(value)
    if kind == "array":
        return values, at
    return dict(zip(values[::2], values[1::2], strict=True)), at
