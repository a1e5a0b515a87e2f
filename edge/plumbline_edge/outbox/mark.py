"""How far each lane was written, noted beside the database: a file that was rolled back behind it gives itself away.

A write-ahead log that is cut off or lost is no error to SQLite: the database opens as it was some commits earlier,
and the next records would get numbers that central has already seen. The mark is written after each commit and never
synced: after a power cut it is older than the database, or unreadable, and then says nothing.
"""

from __future__ import annotations

import os
import threading
import zlib
from pathlib import Path
from typing import Final

import msgspec

from plumbline import chain, codec
from plumbline.messages import Lane
from plumbline.topics import is_name

_BYTES: Final = 1024


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """The newest epoch, and for each of its lanes (number in the file, next sequence number, head)."""

    gateway: str
    epoch: str
    lanes: dict[Lane, tuple[int, int, bytes]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Mark).decode


def read_mark(path: Path) -> Mark | None:
    """What was noted, None where nothing readable was."""
    try:
        raw = path.read_bytes()
        size = int.from_bytes(raw[:2], "big")
        body = raw[6 : 6 + size]
        if zlib.crc32(body) != int.from_bytes(raw[2:6], "big"):
            return None
        mark = _decode(body)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    ends = mark.lanes.values()
    sound = all(1 <= seq <= codec.MAX_SEQ and len(head) in (0, chain.SIZE) for _, seq, head in ends)
    return mark if sound and is_name(mark.epoch) else None


class MarkFile:
    """The open file; `note` after each commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    def note(self, mark: Mark) -> None:
        """Costs a few microseconds; a card that does not take it costs the mark only."""
        body = _encode(mark)
        framed = len(body).to_bytes(2, "big") + zlib.crc32(body).to_bytes(4, "big") + body
        try:
            with self._lock:
                if self._descriptor is None:
                    self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
                os.pwrite(self._descriptor, framed.ljust(_BYTES, b"\0"), 0)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
