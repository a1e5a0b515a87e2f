"""Photo bytes to pixels: what the header promises is checked before anything is decoded."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from plumbline_edge.camera import png
from plumbline_edge.camera.sources.port import PhotoRefused

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

WORK_WIDTH_PX: Final = 1280
"""Pictures are shrunk to this width at once: all that follows needs no more, and memory stays small."""

_FRAME_HEADERS: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # ITU-T T.81, table B.1
_NEXT_MARKER: Final = re.compile(
    rb"\xff[^\x00\xd0-\xd7\xff]"
)  # stuffed bytes and restarts belong to the scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a whole JPEG or PNG file says of itself."""

    kind: str
    width_px: int
    height_px: int


def read_header(data: bytes) -> Header:
    """The picture's kind and size, once the file is known to be whole.

    Raises PhotoRefused (UNREADABLE) for anything but a JPEG or PNG that runs to its end: decoders fill the missing
    rest of a cut file with grey and say nothing.
    """
    if data.startswith(b"\xff\xd8"):
        return _read_jpeg(data)
    if data.startswith(png.SIGNATURE):
        return _sized("png", *png.size(painting(data)))
    raise _unreadable("neither JPEG nor PNG")


def painting(data: bytes) -> bytes:
    """What a decoder may be given of a file: a PNG's painting chunks, anything else as it is. Raises PhotoRefused."""
    if not data.startswith(png.SIGNATURE):
        return data
    try:
        return png.bare(data)
    except ValueError as why:
        raise _unreadable(str(why)) from None


def decode(data: bytes, *, max_megapixels: float) -> Image:
    """The picture as BGR, at most WORK_WIDTH_PX wide.

    Raises PhotoRefused with TOO_LARGE where the header promises more than `max_megapixels`, with UNREADABLE where
    it is no whole picture. Blocks for tens of milliseconds: call it in a thread.
    """
    data = painting(data)
    header = read_header(data)
    megapixels = header.width_px * header.height_px / 1e6
    if megapixels > max_megapixels:
        raise PhotoRefused(
            f"a picture of {header.width_px} x {header.height_px} is over {max_megapixels:g} megapixels",
            code="TOO_LARGE",
            hint="Set a smaller picture in the camera, or raise max_megapixels in the site file.",
        )
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera
    import numpy as np  # noqa: PLC0415

    cv2.setNumThreads(1)
    raw = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(raw, _reduced(header))
    except cv2.error as error:
        raise _unreadable(str(error.err or "not decodable")) from None
    if image is None:
        raise _unreadable("not decodable")
    height, width = image.shape[:2]
    if width > WORK_WIDTH_PX:
        size = (WORK_WIDTH_PX, max(1, round(height * WORK_WIDTH_PX / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image, np.uint8)


def _reduced(header: Header) -> int:
    """The decoder's flag: JPEG can be decoded at 1/2, 1/4 or 1/8 of its size without ever holding the whole."""
    import cv2  # noqa: PLC0415

    flags = {
        8: cv2.IMREAD_REDUCED_COLOR_8,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        2: cv2.IMREAD_REDUCED_COLOR_2,
    }
    narrow = min(header.width_px, header.height_px)  # EXIF may turn the picture
    fits = (flag for part, flag in flags.items() if header.kind == "jpeg" and narrow // part >= WORK_WIDTH_PX)
    return next(fits, cv2.IMREAD_COLOR)


_START_OF_SCAN: Final = 0xDA
_MAX_SCANS: Final = 64
"""A progressive picture has about ten; each costs a pass over all of it."""


def _read_jpeg(data: bytes) -> Header:
    """Walk the segments to the end mark; a thumbnail's own end mark inside EXIF must not count."""
    size: tuple[int, int] | None = None
    scans = 0
    at = 2
    while True:
        found = _NEXT_MARKER.search(data, at)
        if found is None:
            raise _unreadable("the JPEG ends before its end mark")
        marker, at = data[found.start() + 1], found.end()
        if marker == 0xD9:
            break
        if marker == 0x01:  # stands alone
            continue
        if at + 2 > len(data):
            raise _unreadable("the JPEG ends inside a header")
        (length,) = struct.unpack_from(">H", data, at)
        if marker in _FRAME_HEADERS and at + 7 <= len(data):
            if size is not None:  # the decoder believes the first, whatever a later one says
                raise _unreadable("the JPEG has two frame headers")
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = (width, height)
        scans += marker == _START_OF_SCAN
        if scans > _MAX_SCANS:
            raise _unreadable("the JPEG has scans without end")
        at += max(length, 2)
    if size is None:
        raise _unreadable("the JPEG has no frame header")
    return _sized("jpeg", *size)


def _sized(kind: str, width: int, height: int) -> Header:
    if width < 1 or height < 1:
        raise _unreadable(f"a picture of {width} x {height}")
    return Header(kind=kind, width_px=width, height_px=height)


def _unreadable(why: str) -> PhotoRefused:
    return PhotoRefused(
        f"no whole picture: {why}",
        code="UNREADABLE",
        hint="Open the camera's snapshot address in a browser; it must show one JPEG or PNG.",
    )
