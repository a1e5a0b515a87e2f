"""Reads a whole file where it is an ordinary one within bounds: no pipe is waited for, nothing endless is swallowed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

SMALL_BYTES: Final = 4_000_000
"""More than any file of settings, corrections or numbers that a person or this program writes."""


def read(path: str | Path, most_bytes: int = SMALL_BYTES) -> bytes:
    """The file's content. Raises OSError as `open` does, and where it is a pipe, device or folder, or holds more."""
    content = head(path, most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"more than {most_bytes / 1e6:g} MB", str(path))
    return content


def head(path: str | Path, most_bytes: int) -> bytes:
    """The file's first bytes, all where it has fewer. Raises OSError as `read` does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # else a pipe is waited for
    except ValueError as error:  # a name with a zero byte in it
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "no ordinary file", str(path))
        return file.read(most_bytes)
