"""Photos of one project rendered beforehand: a demo on a machine without OpenGL still shows the real renderer's pictures.

A pack is a zip of JPEGs named by the share of the project's time at which they were taken, and pack.json, which says
whose they are.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from plumbline.errors import ConfigError
from plumbline.stages import TRACKS, Track

FOLDER: Final = Path(__file__).parents[1] / "packs"
"""Where the packs that come with the package lie."""
_ABOUT: Final = "pack.json"
_FRESH_QUALITY: Final = 84


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """An open pack. `shares` rise from 0 to 1; the picture of each is that moment's."""

    path: Path
    seed: int
    track: Track
    size: tuple[int, int]
    shares: tuple[float, ...]

    def at(self, share: float) -> tuple[float, bytes]:
        """The last picture taken until then, and its own share; the first one before the works began."""
        index = max(int(np.searchsorted(self.shares, share + 1e-6, side="right")) - 1, 0)
        with zipfile.ZipFile(self.path) as archive:
            return self.shares[index], archive.read(_name(self.shares[index]))


def find_pack(seed: int, track: Track, folder: Path = FOLDER) -> Pack | None:
    """The pack of this project, if there is one. Raises ConfigError where its file is damaged."""
    path = folder / f"{track}-{seed}.zip"
    return read_pack(path) if path.is_file() else None


def read_pack(path: Path) -> Pack:
    """Open a pack. Raises ConfigError where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            about: dict[str, Any] = json.loads(archive.read(_ABOUT))
            track = next(track for track in TRACKS if track == about["track"])
            width, height = about["size"]
            shares = tuple(float(share) for share in about["shares"])
            missing = {_name(share) for share in shares} - set(archive.namelist())
    except (OSError, ValueError, KeyError, TypeError, StopIteration, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path}: not a photo pack: {error!r}", hint="Reinstall the package.") from None
    if missing or not shares:
        raise ConfigError(f"{path}: {len(missing)} of its photos are missing", hint="Reinstall the package.")
    return Pack(
        path=path, seed=int(about["seed"]), track=track, size=(int(width), int(height)), shares=shares
    )


def write_pack(
    path: Path,
    *,
    seed: int,
    track: Track,
    size: tuple[int, int],
    shares: Iterable[float],
    jpeg_at: Callable[[float], bytes],
) -> None:
    """Write a pack; `jpeg_at` is asked for the picture of each share in order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = []
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for share in shares:
            archive.writestr(_dated(_name(share)), jpeg_at(share))
            kept.append(round(share, 5))
        about = {"seed": seed, "track": track, "size": size, "shares": kept}
        archive.writestr(_dated(_ABOUT), json.dumps(about))
    path.write_bytes(buffer.getvalue())


def freshened(jpeg: bytes, seed: int) -> bytes:
    """The same picture with another shot's grain: no camera sends the same bytes twice."""
    import cv2  # noqa: PLC0415 - only where pictures are made

    image = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.int16)
    grain = np.random.default_rng(seed).integers(-1, 2, image.shape, np.int16)
    fresh = np.clip(image + grain, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", fresh, [cv2.IMWRITE_JPEG_QUALITY, _FRESH_QUALITY])[1].tobytes())


def _name(share: float) -> str:
    return f"{share:.5f}.jpg"


def _dated(name: str) -> zipfile.ZipInfo:
    """An entry whose bytes do not depend on when the pack was made."""
    return zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
