"""Procedural surfaces: noise fields and walls laid in units, as uint8 images."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.families import Bgr, Coursed

Image = NDArray[Any]
Noise = Literal["blotch", "grain", "streak", "cloud"]

_TILE: Final = 512
_VARIANTS: Final = 4


@lru_cache(maxsize=32)
def _tile(kind: Noise, variant: int) -> Image:
    """One 512x512 field around 128, standard deviation about 40; the same in every process."""
    rng = np.random.default_rng([len(kind), ord(kind[0]), variant])
    octaves = {
        "blotch": (4, 9, 20, 48),
        "grain": (200, 512),
        "streak": (3, 30, 120),
        "cloud": (3, 6, 12, 30, 90),
    }
    field = np.zeros((_TILE, _TILE), np.float32)
    for level, count in enumerate(octaves[kind]):
        rows = max(2, count // 12) if kind == "streak" else count
        coarse = rng.standard_normal((rows, count)).astype(np.float32)
        field += cv2.resize(coarse, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC) * 0.62**level
    field *= 40 / field.std()
    return np.clip(field + 128, 0, 255).astype(np.uint8)


def noise(kind: Noise, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A (width, height) piece of the field, cut and stretched at random."""
    tile = _tile(kind, int(rng.integers(_VARIANTS)))
    cut_w, cut_h = (int(v) for v in rng.integers(_TILE // 2, _TILE, 2))
    x, y = int(rng.integers(_TILE - cut_w)), int(rng.integers(_TILE - cut_h))
    return np.asarray(cv2.resize(tile[y : y + cut_h, x : x + cut_w], size), np.uint8)


def modulate(image: Image, field: Image, amount: float) -> Image:
    """Brighten and darken `image` by a field around 128; `amount` is the share at one standard deviation."""
    gain = np.clip((field.astype(np.float32) - 128) * (amount / 40) + 1, 0, 2) * 128
    three = cv2.merge([gain.astype(np.uint8)] * 3)
    return np.asarray(cv2.multiply(image, three, scale=1 / 128), np.uint8)


def flat(size: tuple[int, int], colour: Bgr) -> Image:
    """A (width, height) image of one colour."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def coursed(
    material: Coursed,
    size: tuple[int, int],
    px_per_m: tuple[float, float],
    rng: np.random.Generator,
    base: Any = None,
) -> Image:
    """A wall of this material; units smaller than about two pixels melt into their mean colour."""
    width, height = size
    unit_w, unit_h = material.unit_m[0] * px_per_m[0], material.unit_m[1] * px_per_m[1]
    colour = np.asarray(
        material.colours[int(rng.integers(len(material.colours)))] if base is None else base, float
    )
    columns, rows = max(1, round(width / max(unit_w, 1.5))), max(1, round(height / max(unit_h, 1.5)))
    shade = rng.normal(0, material.spread, (rows, columns, 1)) * min(1.0, unit_h / 2)
    wall = cv2.resize(np.clip(colour + shade, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    wall = np.asarray(wall.reshape(height, width, 3), np.uint8)
    if unit_h >= 3:
        for row in range(1, rows):
            y = round(row * height / rows)
            cv2.line(wall, (0, y), (width, y), material.joint, 1)
    if unit_w >= 5 and unit_h >= 3:
        _upright_joints(wall, rows, columns, material)
    return wall


def _upright_joints(wall: Image, rows: int, columns: int, material: Coursed) -> None:
    height, width = wall.shape[:2]
    for row in range(rows):
        top, bottom = round(row * height / rows), round((row + 1) * height / rows)
        for column in range(columns + 1):
            x = round((column + 0.5 * (row % 2)) * width / columns)
            cv2.line(wall, (x, top), (x, bottom - 1), material.joint, 1)
            if material.dots and width / columns >= 10:
                dark = tuple(int(c * 0.8) for c in material.colours[0])
                for share in (0.25, 0.75):
                    cv2.circle(wall, (int(x + share * width / columns), (top + bottom) // 2), 1, dark, -1)
