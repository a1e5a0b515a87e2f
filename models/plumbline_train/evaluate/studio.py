"""Draws the photos of an evaluation, and keeps them where a folder is given: drawn once, they serve every model."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render
from plumbline_train.dataset import renderer_hash

Image = NDArray[np.uint8]
PICTURE: Final = (960, 540)
FINER: Final = 1.0
"""Drawn pixel by pixel: the canvas is a third of the picture, and a finer drawing costs its square."""
_FAST: Final = 1
"""zlib's level: noise hardly packs, so more of it only costs time."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A picture [h, w, 3] BGR and the true class of each of its pixels [h, w]."""

    bgr: Image
    aux: Image


@dataclass(frozen=True)
class Studio:
    """Photos of PICTURE's size, kept in `folder` by what they show; None keeps nothing."""

    folder: Path | None = None

    def photo(self, project: Project, day: float, conditions: Conditions) -> Photo:
        """The site that day under these conditions."""
        if self.folder is None:
            return _drawn(project, day, conditions)
        path = self.folder / self._renderer / f"{_name(project, day, conditions)}.png"
        kept = _read(path)
        if kept is None:
            kept = _drawn(project, day, conditions)
            _write(path, kept)
        return kept

    @cached_property
    def _renderer(self) -> str:
        return renderer_hash()


def _drawn(project: Project, day: float, conditions: Conditions) -> Photo:
    made = render(project, day, conditions, PICTURE, finer=FINER)
    return Photo(made.bgr, made.aux)


def _name(project: Project, day: float, conditions: Conditions) -> str:
    """All three are values, whose repr holds all there is to them."""
    text = f"{project!r} {float(day)!r} {conditions!r} {PICTURE} {FINER}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(path: Path) -> Photo | None:
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    both: Any = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.exists() else None
    return None if both is None else Photo(np.ascontiguousarray(both[:, :, :3]), both[:, :, 3].copy())


def _write(path: Path, photo: Photo) -> None:
    """Whole or not at all: two processes may draw the same photo. The classes go where PNG has its alpha."""
    import cv2  # noqa: PLC0415

    path.parent.mkdir(parents=True, exist_ok=True)
    packed = cv2.imencode(".png", np.dstack([photo.bgr, photo.aux]), (cv2.IMWRITE_PNG_COMPRESSION, _FAST))[1]
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_bytes(packed.tobytes())
    unfinished.replace(path)
