"""Looks for pieces of a secret, and for pictures that show it, in anything a program left behind."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

PIECE = 32
"""Bytes: whoever has 64 bytes in a row of a secret has a piece that begins at one of its multiples of 32."""
_STARTS = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{200,}")
_MAX_PICTURE = 2_000_000
_SCALES = (*np.geomspace(0.2, 1.0, 15), 0.4, 0.75)


class Secret:
    """Bytes that must not be found anywhere, not even 64 of them in a row."""

    def __init__(self, contents: Iterable[bytes]) -> None:
        self._pieces = {
            piece
            for content in contents
            for at in range(0, len(content) - PIECE, PIECE)
            if len(set(piece := content[at : at + PIECE])) > 8  # a run of zeros is nobody's secret
        }
        self._keys = np.unique(np.frombuffer(b"".join(piece[:8] for piece in self._pieces), "<u8"))

    def __len__(self) -> int:
        return len(self._pieces)

    def is_in(self, content: bytes) -> bool:
        for shift in range(8):
            whole = (len(content) - shift) // 8
            if whole < PIECE // 8:
                return False
            words = np.frombuffer(content, "<u8", whole, shift)
            for at in np.flatnonzero(np.isin(words, self._keys)):
                start = shift + 8 * int(at)
                if content[start : start + PIECE] in self._pieces:
                    return True
        return False


def likeness(image: np.ndarray, marker: np.ndarray) -> float:
    """How surely `marker` (grey, as it stands in the camera's picture) is somewhere in `image`, at any size: 0 to 1."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    best = 0.0
    for scale in _SCALES:
        small = cv2.resize(marker, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if small.shape[0] <= grey.shape[0] and small.shape[1] <= grey.shape[1] and small.std() > 1:
            found = cv2.matchTemplate(grey, small, cv2.TM_CCOEFF_NORMED)
            best = max(best, float(np.nan_to_num(found, posinf=0, neginf=0).max()))
    return best


def pictures_in(content: bytes) -> Iterator[np.ndarray]:
    """Every JPEG or PNG that begins anywhere in it, whole or not."""
    for start in _STARTS.finditer(content):
        raw = np.frombuffer(content[start.start() : start.start() + _MAX_PICTURE], np.uint8)
        with contextlib.suppress(cv2.error):
            image = cv2.imdecode(raw, cv2.IMREAD_COLOR)
            if image is not None and min(image.shape[:2]) >= 16:
                yield image


def unpacked(content: bytes) -> Iterator[bytes]:
    """It, and what stands in it as base64."""
    yield content
    for run in _BASE64.finditer(content):
        text = run.group()
        with contextlib.suppress(ValueError):
            yield base64.b64decode(text[: len(text) // 4 * 4])


def contents_under(folder: Path, since_s: float = 0.0) -> Iterator[tuple[str, bytes]]:
    """Every file in it, changed since `since_s`, and every value in one that is an SQLite database."""
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            if path.is_symlink() or not path.is_file() or path.stat().st_mtime < since_s:
                continue
            content = path.read_bytes()
            yield str(path), content
            if content.startswith(b"SQLite format 3\0"):
                yield from ((f"{path}: {where}", value) for where, value in _values(path))


def _values(path: Path) -> Iterator[tuple[str, bytes]]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in db.execute(f'SELECT * FROM "{table}"'):
                yield from ((table, value) for value in row if isinstance(value, bytes) and len(value) > 200)
    finally:
        db.close()
