"""Takes the newest photo that another system dropped into a folder and that was not taken before."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Final

from plumbline_edge.camera.sources import exif
from plumbline_edge.camera.sources.name import day_and_time
from plumbline_edge.camera.sources.port import MAX_BYTES, PhotoRefused, PhotoUnreachable

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
_MAX_FILES: Final = 20_000
"""Looked at each time; a folder with more needs folder_keep_days or someone who tidies it."""
_MAX_DELETED: Final = 500
_STILL_S: Final = 0.3
"""A file that grows within this time is still being written."""
_CLOCKS_APART: Final = timedelta(days=1)
"""A camera may keep another time zone's time."""
_UNHEARD_OF: Final = timedelta(days=30)
"""A photo dated this much after every other deletes none: more likely its date is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Dropped:
    """One photo file: when it was taken, as far as its name or age says, its size in bytes, where it lies."""

    at: datetime
    path: Path
    size: int
    arrived: datetime = field(compare=False)
    """The kernel's word, which no sender can set."""


class PhotoFolder:
    """A folder of photos. Nothing in it is changed, unless `keep_days` says how old photos may grow."""

    kind = "folder"

    def __init__(self, folder: Path, *, zone: tzinfo = UTC, keep_days: float | None = None) -> None:
        self._folder = folder
        self._zone = zone
        self._keep_days = keep_days
        self._last: Dropped | None = None
        self._misdated: set[Path] = set()
        self._taken_at: datetime | None = None

    @property
    def taken_at(self) -> datetime | None:
        return self._taken_at

    async def snapshot(self) -> bytes:
        before = await asyncio.to_thread(self._list)
        if not before:
            raise _nothing(f"{self._folder}: no photo in it")
        await asyncio.sleep(_STILL_S)
        return await asyncio.to_thread(self._take, before)

    async def burst(self, frames: int, every_s: float) -> list[bytes]:  # noqa: ARG002 - the port's
        """One picture: those beside it in a folder are of another time."""
        return [await self.snapshot()]

    def _list(self) -> list[Dropped]:
        try:
            with os.scandir(self._folder) as entries:
                photos = (e for e in islice(entries, _MAX_FILES) if Path(e.name).suffix.lower() in _SUFFIXES)
                return sorted(found for entry in photos if (found := self._seen(entry)))
        except OSError as error:
            raise PhotoUnreachable(
                f"{self._folder}: {error.strerror}",
                code="CONNECT",
                hint="Check that the folder is there and that the gateway's user may read it.",
            ) from None

    def _seen(self, entry: os.DirEntry[str]) -> Dropped | None:
        with contextlib.suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                arrived = datetime.fromtimestamp(found.st_ctime, UTC)
                try:
                    changed = datetime.fromtimestamp(found.st_mtime, UTC)
                except (OverflowError, ValueError):  # its sender may set it to anything
                    changed = arrived
                _, at = day_and_time(entry.name, self._zone) or (None, None)
                return Dropped(at or changed, Path(entry.path), found.st_size, arrived)
        return None

    def _take(self, before: list[Dropped]) -> bytes:
        stood_still = set(before)
        whole = [now for now in self._list() if now in stood_still and now.path not in self._misdated]
        fresh = [one for one in whole if self._last is None or one > self._last]
        if not fresh and self._last is not None and (fresh := _refuting(self._last, whole)):
            self._misdated.add(self._last.path)
        if not fresh:
            crowded = f"; only {_MAX_FILES} of its files are looked at" if len(before) >= _MAX_FILES else ""
            raise _nothing(f"{self._folder}: no new photo in it{crowded}")
        newest = fresh[-1]
        content = _read(newest.path)
        self._last = newest
        self._taken_at = exif.taken_at(content, self._zone) or newest.at
        if self._keep_days is not None:
            others = [one for one in before if one.path != newest.path]
            sure = min(newest.at, others[-1].at + _UNHEARD_OF) if others else newest.at
            self._tidy(before, sure - timedelta(days=self._keep_days))
        return content

    def _tidy(self, files: list[Dropped], until: datetime) -> None:
        """Delete the oldest first; by the newest photo's time, not by a clock that may be wrong."""
        for old in files[:_MAX_DELETED]:
            if old.at >= until:
                break
            with contextlib.suppress(OSError):
                old.path.unlink()


def _refuting(last: Dropped, photos: list[Dropped]) -> list[Dropped]:
    """Photos that came after `last` and show that it was misdated: it would have been taken after they arrived.

    One file from 2099 would else outdo all that follow. An old photo that is copied there later refutes nothing.
    """
    return [
        one
        for one in photos
        if one.arrived > last.arrived and one.at <= one.arrived + _CLOCKS_APART < last.at
    ]


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PhotoUnreachable(
            f"{path}: {error.strerror}", code="CONNECT", hint="Check that the gateway's user may read it."
        ) from None
    if len(content) > MAX_BYTES:
        raise PhotoRefused(
            f"{path.name}: more than {MAX_BYTES} bytes",
            code="TOO_LARGE",
            hint="Let the other system drop smaller pictures.",
        )
    return content


def _nothing(text: str) -> PhotoUnreachable:
    return PhotoUnreachable(
        text, code="NO_PHOTO", hint="Check the system that drops photos there, and its clock."
    )
