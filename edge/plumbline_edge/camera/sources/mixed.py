"""The first picture in a stream of pictures over HTTP (multipart/x-mixed-replace), which never ends by itself."""

from __future__ import annotations

import re
from typing import Final

_BOUNDARY: Final = re.compile(r"multipart/[^;]*;.*?\bboundary=\"?([^\";]+)", re.IGNORECASE | re.DOTALL)
_LENGTH: Final = re.compile(rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")


def boundary_of(content_type: str) -> bytes | None:
    """What stands between the pictures; None where this is no such stream."""
    found = _BOUNDARY.match(content_type.strip())
    # some cameras write the two dashes that stand before it into the header, others do not
    return found[1].strip().strip("-").encode("utf-8") or None if found else None


def first_part(received: bytes | bytearray, boundary: bytes) -> bytes | None:
    """The first picture, without what surrounds it; None until it is there whole."""
    opened = received.find(boundary)
    head = _HEAD_END.search(received, opened) if opened >= 0 else None
    if head is None:
        return None
    if told := _LENGTH.search(received, opened, head.start() + 1):
        end = head.end() + int(told[1])
        return bytes(received[head.end() : end]) if end <= len(received) else None
    end = received.find(b"--" + boundary, head.end())
    end = end if end >= 0 else received.find(b"\n" + boundary, head.end())
    return bytes(received[head.end() : end]).rstrip(b"-\r\n") if end >= 0 else None
