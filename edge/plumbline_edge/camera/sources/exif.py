"""Reads from a JPEG's EXIF when it was taken; nothing else of it."""

from __future__ import annotations

import re
import struct
from datetime import datetime, tzinfo
from typing import Final

_MAX_ENTRIES: Final = 200
_EXIF_IFD: Final = 0x8769
_TAKEN: Final = 0x9003  # DateTimeOriginal, EXIF 2.31 table 8
_OFFSET: Final = 0x9011  # OffsetTimeOriginal
_HEAD: Final = b"Exif\x00\x00"
_TIME: Final = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_ZONE: Final = re.compile(r"[+-]\d\d:\d\d")


def taken_at(jpeg: bytes, zone: tzinfo) -> datetime | None:
    """When the camera says it took the picture, its clock read in `zone` where it names none; None where it does not.

    Any bytes are allowed: what cannot be read says nothing.
    """
    try:
        return _taken_at(jpeg, zone)
    except (struct.error, ValueError, IndexError, UnicodeDecodeError):
        return None


def _taken_at(jpeg: bytes, zone: tzinfo) -> datetime | None:
    tiff = _tiff(jpeg)
    if tiff is None:
        return None
    order = {b"II": "<", b"MM": ">"}[tiff[:2]] if tiff[:2] in {b"II", b"MM"} else None
    if order is None:
        return None
    (first,) = struct.unpack_from(f"{order}I", tiff, 4)
    main = _entries(tiff, order, first)
    if _EXIF_IFD not in main:
        return None
    inner = _entries(tiff, order, main[_EXIF_IFD][1])
    found = _TIME.match(_text(tiff, inner.get(_TAKEN)))
    if found is None:
        return None
    said = datetime(*map(int, found.groups()), tzinfo=zone)  # type: ignore[arg-type, misc]
    if _ZONE.match(offset := _text(tiff, inner.get(_OFFSET))):
        said = datetime.fromisoformat(f"{said:%Y-%m-%dT%H:%M:%S}{offset[:6]}")
    return said


def _tiff(jpeg: bytes) -> bytes | None:
    """The content of the EXIF segment, which stands among the first."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and 0xE0 <= jpeg[at + 1] <= 0xEF:
        (length,) = struct.unpack_from(">H", jpeg, at + 2)
        if jpeg[at + 1] == 0xE1 and jpeg[at + 4 : at + 10] == _HEAD:
            return jpeg[at + 10 : at + 2 + length]
        at += 2 + length
    return None


def _entries(tiff: bytes, order: str, at: int) -> dict[int, tuple[int, int]]:
    """Tag to (count, value or offset) of one directory."""
    (count,) = struct.unpack_from(f"{order}H", tiff, at)
    found = {}
    for n in range(min(count, _MAX_ENTRIES)):
        tag, _, size, value = struct.unpack_from(f"{order}HHII", tiff, at + 2 + 12 * n)
        found[tag] = (size, value)
    return found


def _text(tiff: bytes, entry: tuple[int, int] | None) -> str:
    if entry is None:
        return ""
    size, offset = entry
    return tiff[offset : offset + min(size, 40)].decode("ascii").rstrip("\x00 ")
