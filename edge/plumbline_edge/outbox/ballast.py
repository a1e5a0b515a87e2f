"""A file that keeps some room on the card: on a full one SQLite cannot even delete (measured)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """What the card has left for us."""
    disk = os.statvfs(folder)
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
            return self._path.stat().st_size == self._size_bytes
        except OSError:
            return False

    @property
    def is_needed(self) -> bool:
        """Whether the card itself has next to nothing left, and we have something to give."""
        return self.there and self._free_bytes(self._path.parent) < self._size_bytes // 4

    def load(self) -> bool:
        """Take the room, where twice as much is free; whether it is taken now."""
        if self.there:
            return True
        if self._free_bytes(self._path.parent) < 2 * self._size_bytes:
            return False
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
        except OSError:
            self.drop()
            return False
        return True

    def drop(self) -> bool:
        """Give the room back; whether there was any."""
        had = self.there
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
        return had
