"""Writes the overlay of each judged photo into a folder, and remembers the photo before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plumbline.errors import ConfigError
from plumbline.messages import ZoneProgress
from plumbline_edge.vision import overlay

if TYPE_CHECKING:
    from plumbline_edge.settings import CameraSettings
    from plumbline_edge.vision.album import Picture
    from plumbline_edge.vision.sequence import Seen

_NAME_BYTES: Final = 240
"""File systems take 255, in UTF-8 up to 4 a letter."""


def check_apart(folder: Path, pictures: Iterable[Picture]) -> None:
    """Raise ConfigError where overlays written into `folder` could take the place of one of the photos."""
    if any(picture.path.parent.resolve() == folder.resolve() for picture in pictures):
        raise ConfigError(
            f"{folder}: the photos lie here, and overlays would replace them", hint="Name another folder."
        )


class Sheets:
    """One folder of overlays of one camera. A photo without a preview leaves none.

    `each`: no photo is compared with the one before it.
    """

    def __init__(
        self,
        folder: Path,
        camera: CameraSettings,
        *,
        each: bool = False,
        draw: Callable[..., bytes] = overlay.draw,
    ) -> None:
        self._each = each
        self._draw = draw
        self._folder = folder
        self._camera = camera
        self._taken: set[str] = set()
        self._before: dict[str, ZoneProgress] = {}
        self._since: float | None = None

    def write(self, seen: Seen) -> Path | None:
        """The file it wrote, `NAME.jpg` after the photo's own. Raises ConfigError where it may not."""
        if not seen.photo.jpeg:
            return None
        at = seen.picture.at
        drawn = self._draw(
            seen.photo,
            seen.progress,
            self._facades(seen),
            track=self._camera.track,
            caption=seen.picture.path.name + (f"    {at:%Y-%m-%d %H:%M}" if at else ""),
            since=self._since,
        )
        path = self._folder / self._name(seen.picture.path.stem)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(drawn)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", hint="Name a folder you may write to.") from None
        if not self._each:
            self._remember(seen)
        return path

    def _remember(self, seen: Seen) -> None:
        self._before = self._before | {z.id: z for z in seen.progress.zones if z.stage is not None}
        self._since = self._since if seen.progress.percent is None else seen.progress.percent

    def _facades(self, seen: Seen) -> list[overlay.Facade]:
        facades = self._camera.all_facades()
        looks = seen.looks if len(seen.looks) == len(facades) else [None] * len(facades)
        return [
            overlay.Facade(
                name=facade.name,
                quad=facade.quad,
                floors=facade.floors,
                bays=facade.bays,
                zones=_of(facade.name, seen.progress.zones),
                look=look,
                before=self._before,
            )
            for facade, look in zip(facades, looks, strict=True)
        ]

    def _name(self, stem: str) -> str:
        """Two photos of the same name in two folders keep a picture each."""
        stem = stem if len(os.fsencode(stem)) < _NAME_BYTES else stem[: _NAME_BYTES // 4]
        name, number = f"{stem}.jpg", 2
        while name in self._taken:
            name, number = f"{stem}-{number}.jpg", number + 1
        self._taken.add(name)
        return name


def _of(facade: str, zones: tuple[ZoneProgress, ...]) -> tuple[ZoneProgress, ...]:
    return tuple(zone for zone in zones if zone.id.rpartition(".")[0] == facade)
