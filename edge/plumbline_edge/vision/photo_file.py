"""A stranger's photo file to bytes that the gateway's own eyes read: JPEG and PNG as they are, WebP turned into PNG."""

from __future__ import annotations

import errno
import struct
from pathlib import Path
from typing import Final

from plumbline_edge import bounded
from plumbline_edge.camera.sources.port import PhotoRefused

MAX_FILE_BYTES: Final = 100_000_000
MAX_MEGAPIXELS: Final = 128.0
"""Phones make photos of 108; a gateway's own bound is max_megapixels in the site file."""

_SAVE_AS_JPEG: Final = "Save it as JPEG; phones have a setting 'most compatible' that does so from now on."
_FOREIGN: Final[tuple[tuple[int, bytes, str], ...]] = (
    (4, b"ftyphei", "a HEIC picture"), (4, b"ftyphev", "a HEIC picture"), (4, b"ftypmif1", "a HEIC picture"),
    (4, b"ftypavif", "an AVIF picture"), (4, b"ftyp", "a film"), (0, b"GIF8", "a GIF picture"), (0, b"BM", "a BMP picture"),
    (0, b"II*\0", "a TIFF or raw picture"), (0, b"MM\0*", "a TIFF or raw picture"), (0, b"%PDF", "a PDF document"),
)  # fmt: skip


def read(path: Path) -> bytes:
    """The bytes of a JPEG or PNG. Raises PhotoRefused, UNREADABLE or TOO_LARGE, with what the file is instead."""
    try:
        content = bounded.read(path, MAX_FILE_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise PhotoRefused(
                f"over {MAX_FILE_BYTES / 1e6:g} MB", code="TOO_LARGE", hint="Save it as an ordinary JPEG."
            ) from None
        raise unreadable(error.strerror or "cannot be read", hint="Name photo files you may read.") from None
    if not content:
        raise unreadable("an empty file", hint="Copy it anew from the camera.")
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return png_of_webp(content)
    for at, mark, what in _FOREIGN:
        if content.startswith(mark, at):
            raise unreadable(f"this is {what}", hint=_SAVE_AS_JPEG)
    return content


def png_of_webp(content: bytes) -> bytes:
    """The same picture as PNG, upright. Raises PhotoRefused where it is no whole picture, or too large a one."""
    size = _webp_size(content)
    if size is None or len(content) < 8 + struct.unpack_from("<I", content, 4)[0]:
        raise unreadable("the WebP ends before its picture does", hint="Copy it anew from the camera.")
    if size[0] * size[1] / 1e6 > MAX_MEGAPIXELS:
        raise PhotoRefused(f"a picture of {size[0]} x {size[1]}", code="TOO_LARGE", hint=_SAVE_AS_JPEG)
    import cv2  # noqa: PLC0415 - 40 MB, only where there are photos
    import numpy as np  # noqa: PLC0415

    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise unreadable("a WebP that cannot be decoded", hint=_SAVE_AS_JPEG)
    return bytes(cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())


def unreadable(why: str, *, hint: str) -> PhotoRefused:
    return PhotoRefused(why, code="UNREADABLE", hint=hint)


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the first chunk has them (RFC 9649, sections 2.5 to 2.7)."""
    try:
        if content[12:16] == b"VP8X":
            wide, tall = content[24:27], content[27:30]
            return int.from_bytes(wide, "little") + 1, int.from_bytes(tall, "little") + 1
        if content[12:16] == b"VP8L":
            (packed,) = struct.unpack_from("<I", content, 21)
            return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        if content[12:16] == b"VP8 ":
            width, height = struct.unpack_from("<HH", content, 26)
            return width & 0x3FFF, height & 0x3FFF
    except struct.error:
        pass
    return None
