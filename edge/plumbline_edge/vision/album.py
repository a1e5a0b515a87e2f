"""Files and folders to photos in their order, each with when it was taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from plumbline.errors import ConfigError
from plumbline_edge import bounded
from plumbline_edge.camera.sources import exif
from plumbline_edge.camera.sources.name import day_and_time

PICTURES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".gif"}
)
"""Endings by which a folder's photos are known; those that cannot be read are listed too, each with its reason."""

UNDATED: Final = datetime.fromtimestamp(0, UTC)
"""Stands in where a photo's time is asked for and there is none."""

_NOON: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A file and when its photo was taken; `at` is None where the file is not there.

    `dated`: its name or EXIF block says so; else it is the file's own time, which copying changes.
    """

    path: Path
    at: datetime | None
    dated: bool = True


def gathered(arguments: Iterable[Path], zone: ZoneInfo) -> list[Picture]:
    """Files as given; a folder stands for its photos, sorted by when they were taken and then by name.

    A photo without a date of its own was not taken before the one in front of it. Raises ConfigError for a folder without any.
    """
    pictures: list[Picture] = []
    newest = None
    for picture in (found for argument in arguments for found in _of(argument, zone)):
        late = picture.at is not None and newest is not None and picture.at < newest
        pictures.append(replace(picture, at=newest) if late and not picture.dated else picture)
        newest = pictures[-1].at or newest
    return pictures


def backwards(pictures: Iterable[Picture]) -> list[Picture]:
    """Those dated before the one in front of them."""
    dated = [(picture, picture.at) for picture in pictures if picture.at is not None]
    return [after for (_, earlier), (after, later) in pairwise(dated) if later < earlier]


def found_at(path: Path, zone: ZoneInfo) -> Picture:
    """The date in a photo's name; else what its EXIF block says, else the file's own time.

    A name that tells only the day gets its time of day from EXIF where that is the same day, else noon.
    """
    try:
        told = exif.taken_at(bounded.head(path, exif.HEAD_BYTES), zone)
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).astimezone(zone)
    except (OSError, OverflowError, ValueError):
        return Picture(path=path, at=named_at(path.stem, zone, None))
    dated = named_at(path.stem, zone, told) or told
    return Picture(path=path, at=dated or changed, dated=dated is not None)


def named_at(stem: str, zone: ZoneInfo, told: datetime | None) -> datetime | None:
    """The date in a name; `told` lends its time of day to a name that has only the same day."""
    found = day_and_time(stem, zone)
    if found is None:
        return None
    on, at = found
    if at is not None:
        return at
    if told is not None and told.date() == on:
        return told
    return datetime(on.year, on.month, on.day, _NOON, tzinfo=zone)


def _of(argument: Path, zone: ZoneInfo) -> Iterator[Picture]:
    if not argument.is_dir():
        yield found_at(argument, zone)
        return
    try:
        inside = [path for path in argument.iterdir() if path.suffix.lower() in PICTURES and path.is_file()]
    except OSError as error:
        raise ConfigError(f"{argument}: {error.strerror}", hint="Name a folder you may read.") from None
    if not inside:
        raise ConfigError(
            f"{argument}: no photo in this folder",
            hint="Name the folder that holds the JPEG files themselves.",
        )
    found = [found_at(path, zone) for path in inside]
    yield from sorted(found, key=lambda p: (p.at or UNDATED, p.path.name))
