"""When a photo was taken, as its JPEG says in its EXIF block; hostile bytes say nothing."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Final

HEAD_BYTES: Final = 1 << 17
"""The block lies in the file's beginning: no more needs to be read."""

_WRITTEN: Final = re.compile(rb"(\d{4}):(\d\d):(\d\d)[ T](\d\d):(\d\d):(\d\d)")
_OFFSET: Final = re.compile(rb"[+-]\d\d:\d\d")
_BEGIN: Final = b"Exif\0\0"
_ASCII: Final = 2
_MOST_TAGS: Final = 200
# CIPA DC-008 (Exif 2.32), tables 4 and 7
_TO_EXIF: Final = 0x8769
_CHANGED: Final = 0x0132
_TAKEN: Final = 0x9003
_DIGITIZED: Final = 0x9004
_TAKEN_OFFSET: Final = 0x9011


def taken_at(head: bytes, zone: tzinfo) -> datetime | None:
    """The time in a file that is given whole or by its first HEAD_BYTES, in its own offset or in `zone`; None where it says none.

    When the picture was taken counts more than when it was digitized, that more than when the file was last changed.
    """
    block = _block(head)
    if block is None:
        return None
    try:
        texts = dict(_texts(block))
    except struct.error:  # it points outside itself
        return None
    for tag in (_TAKEN, _DIGITIZED, _CHANGED):
        if found := _WRITTEN.match(texts.get(tag, b"")):
            return _moment(found, texts.get(_TAKEN_OFFSET, b""), zone)
    return None


def _moment(found: re.Match[bytes], offset: bytes, zone: tzinfo) -> datetime | None:
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        if told := _OFFSET.match(offset):
            return datetime.fromisoformat(
                f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{told.group().decode()}"
            )
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:  # 0000:00:00 is what cameras write that were never set
        return None


def _block(head: bytes) -> bytes | None:
    """The TIFF structure in a JPEG's first Exif segment."""
    if not head.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 4 <= len(head) and head[at] == 0xFF and head[at + 1] not in (0xD9, 0xDA):
        (length,) = struct.unpack_from(">H", head, at + 2)
        if head[at + 1] == 0xE1 and head.startswith(_BEGIN, at + 4):
            return head[at + 4 + len(_BEGIN) : at + 2 + length]
        at += 2 + max(length, 2)
    return None


def _texts(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and value of every text in the first directory and in the Exif directory it points to."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return
    (first,) = struct.unpack_from(order + "I", block, 4)
    for start in (first, _value_of(block, order, first, _TO_EXIF)):
        if start is None:
            continue
        for tag, kind, count, at in _entries(block, order, start):
            if kind == _ASCII:
                there = at if count <= 4 else struct.unpack_from(order + "I", block, at)[0]
                yield tag, block[there : there + count]


def _value_of(block: bytes, order: str, start: int, wanted: int) -> int | None:
    for tag, _, _, at in _entries(block, order, start):
        if tag == wanted:
            return int(struct.unpack_from(order + "I", block, at)[0])
    return None


def _entries(block: bytes, order: str, start: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, count, and where the value or its place stands."""
    (count,) = struct.unpack_from(order + "H", block, start)
    for at in range(start + 2, start + 2 + 12 * min(count, _MOST_TAGS), 12):
        tag, kind, many = struct.unpack_from(order + "HHI", block, at)
        yield tag, kind, many, at + 8
