"""A file that keeps some room on the card: on a full one SQLite cannot even delete (measured)."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LEAST_BYTES: Final = 128 * 1024


def free_bytes(folder: Path) -> int:
    """What the card has left for us."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return sys.maxsize  # a folder that is not there is not full
    return disk.f_bavail * disk.f_frsize


class Ballast:
    """`load` it while there is room, `drop` it when there is none."""

    def __init__(self, path: Path, size_bytes: int, free_bytes: Callable[[Path], int] = free_bytes) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._free_bytes = free_bytes

    @property
    def there(self) -> bool:
        try:
            return self._path.stat().st_size > 0
        except OSError:
            return False

    @property
    def card_is_full(self) -> bool:
        """Whether the card itself has next to nothing left."""
        return self._free_bytes(self._path.parent) < self._size_bytes // 2

    def load(self) -> bool:
        """Take the room, a quarter of what a small card has at most; whether it is taken now."""
        if self.there:
            return True
        size = min(self._size_bytes, self._free_bytes(self._path.parent) // 4)
        if size < _LEAST_BYTES:
            return False
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            self.drop()
            return False
        return True

    def reload(self) -> bool:
        """Take the room again that was given up, once others have left twice as much."""
        return self._free_bytes(self._path.parent) >= 2 * self._size_bytes and self.load()

    def drop(self) -> bool:
        """Give the room back; whether there was any."""
        had = self.there
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        return had
