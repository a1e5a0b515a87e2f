"""A PNG's bytes without all that does not paint it: texts and profiles that swell in a decoder, further frames, strange tails."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PAINTING: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", b"IEND"})
_HEADER_BYTES: Final = 13
_MAX_CHUNKS: Final = 100_000
"""Each costs a decoder time; writers put 8 kB and more into one."""
# PNG (third edition), sections 5.3 and 11.2.1


def size(bare_png: bytes) -> tuple[int, int]:
    """Width and height of what `bare` returned."""
    width, height = struct.unpack_from(">II", bare_png, len(SIGNATURE) + 8)
    return width, height


def bare(data: bytes) -> bytes:
    """The same picture in the fewest chunks. Raises ValueError where it is damaged, cut, or has two headers.

    The eXIf chunk stays: it says which side is up.
    """
    kept = [SIGNATURE]
    for number, (kind, chunk) in enumerate(_chunks(data)):
        if number > _MAX_CHUNKS:
            raise ValueError("the PNG has pieces without end")
        if (number == 0) != (kind == b"IHDR") or (number == 0 and len(chunk) != 12 + _HEADER_BYTES):
            raise ValueError("the PNG does not begin with its one header")
        if kind in _PAINTING:
            if zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
                raise ValueError("the PNG is damaged")
            kept.append(chunk)
    return b"".join(kept)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind, and it whole, up to the end mark."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise ValueError("the PNG ends before its end mark")
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("the PNG ends before its end mark")
        yield kind, data[at:end]
        at = end
