"""What is in the air and on the glass before the chip: rain, snow, drops, dirt, what stands before the lens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.conditions import Conditions

Linear = NDArray[np.float32]
Map = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Spoilt:
    """The light that reaches the chip, and 255 where it no longer shows the site (None: it does everywhere)."""

    linear: Linear
    lost: NDArray[np.uint8] | None = None


def air(linear: Linear, conditions: Conditions, rng: np.random.Generator) -> Linear:
    """Rain and snow between the camera and the site; fog is the scene's own."""
    if conditions.weather in {"rain", "snow"} or (conditions.fault == "fog_rain" and rng.random() < 0.4):
        level = max(float(np.percentile(linear[::8, ::8], 80)), 0.02)
        falling = _falling((linear.shape[0], linear.shape[1]), rng, snow=conditions.weather == "snow")
        return np.asarray(linear + falling[..., None] * np.float32(level), np.float32)
    return linear


def glass(linear: Linear, conditions: Conditions, rng: np.random.Generator) -> Spoilt:
    """Drops, dirt, a cover, or another view altogether; a little of the first two lies on any lens."""
    height, width = linear.shape[:2]
    if conditions.fault == "not_a_site":
        return Spoilt(_elsewhere((width, height), rng), np.full((height, width), 255, np.uint8))
    if conditions.fault == "obstructed":
        return _covered(linear, rng)
    if conditions.fault == "lens_dirt":
        return Spoilt(_dirty(linear, rng, int(rng.integers(9, 26)), 0.75))
    if conditions.weather == "rain" and rng.random() < 0.5:
        return Spoilt(_drops(linear, rng))
    if rng.random() < 0.12:
        return Spoilt(_dirty(linear, rng, int(rng.integers(1, 4)), 0.25))
    return Spoilt(linear)


def _falling(shape: tuple[int, int], rng: np.random.Generator, *, snow: bool) -> NDArray[np.float32]:
    height, width = shape
    sheet = np.zeros((height, width), np.float32)
    count = int(rng.integers(60, 320))
    slant = float(rng.normal(0, width / 120))
    for x, y, near in zip(
        rng.uniform(0, width, count).tolist(),
        rng.uniform(0, height, count).tolist(),
        rng.random(count).tolist(),
        strict=True,
    ):
        if snow:
            cv2.circle(
                sheet,
                (int(x), int(y)),
                max(1, int(near**4 * width / 130)),
                0.25 + 0.3 * near,
                -1,
                cv2.LINE_AA,
            )
        else:
            end = (int(x - slant), int(y + height * (0.015 + 0.04 * near)))
            cv2.line(sheet, (int(x), int(y)), end, 0.05 + 0.12 * near, 1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(sheet, (0, 0), 0.8), np.float32)


def _drops(linear: Linear, rng: np.random.Generator) -> Linear:
    """Each drop shows the scene small, upside down and soft."""
    height, width = linear.shape[:2]
    turned = cv2.GaussianBlur(linear[::-1, ::-1], (0, 0), width / 60)
    out = linear.copy()
    for _ in range(int(rng.integers(3, 16))):
        cover = np.zeros((height, width), np.float32)
        x, y, r = int(rng.integers(width)), int(rng.integers(height)), width * float(rng.uniform(0.006, 0.03))
        cv2.ellipse(
            cover,
            (x, y),
            (max(2, int(r)), max(2, int(r * rng.uniform(0.8, 1.5)))),
            0,
            0,
            360,
            1.0,
            -1,
            cv2.LINE_AA,
        )
        cover = cv2.GaussianBlur(cover, (0, 0), max(1.0, r * 0.25))[..., None] * 0.85
        out = out * (1 - cover) + turned * cover
    return np.asarray(out, np.float32)


def _dirty(linear: Linear, rng: np.random.Generator, count: int, depth: float) -> Linear:
    height, width = linear.shape[:2]
    spots = np.zeros((height, width), np.float32)
    for _ in range(count):
        middle = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(spots, middle, int(width * rng.uniform(0.012, 0.07)), float(rng.uniform(0.4, 1.0)), -1)
    soft = (cv2.GaussianBlur(spots, (0, 0), width / 80) * depth)[..., None]
    level = float(np.median(linear[::8, ::8]))
    smear = cv2.GaussianBlur(linear, (0, 0), width / 30) * 0.6 + np.float32(level * rng.uniform(0.1, 0.7))
    return np.asarray(linear * (1 - soft) + smear * soft, np.float32)


def _covered(linear: Linear, rng: np.random.Generator) -> Spoilt:
    """A leaf, a sack, a spider or a hand right before the lens: large, soft-edged and out of focus."""
    height, width = linear.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    middle = np.array((rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height))
    angles = np.sort(rng.uniform(0, 2 * np.pi, 11))
    radii = rng.uniform(0.28, 0.62, 11) * width
    outline = middle + np.stack([np.cos(angles), np.sin(angles)], 1) * radii[:, None]
    cv2.fillPoly(cover, [outline.round().astype(np.int32)], 255)
    soft = cv2.GaussianBlur(cover, (0, 0), width / float(rng.uniform(30, 90))).astype(np.float32) / 255
    level = float(np.median(linear[::8, ::8]))
    tone = rng.uniform(0.05, 1.1, 3) * level
    texture = cv2.resize(
        rng.normal(1, 0.25, (9, 16, 1)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    thing = np.clip(texture[..., None] * tone, 0, None).astype(np.float32)
    return Spoilt(np.asarray(linear * (1 - soft[..., None]) + thing * soft[..., None], np.float32), cover)


def _elsewhere(size: tuple[int, int], rng: np.random.Generator) -> Linear:
    """Anything else: a wall, a floor, sky, test bars, a heap of shapes."""
    width, height = size
    image = np.full((height, width, 3), rng.uniform(0.02, 0.9, 3), np.float32)
    kind = int(rng.integers(4))
    if kind == 0:
        for step in range(8):
            image[:, step * width // 8 : (step + 1) * width // 8] = rng.uniform(0, 1, 3)
    elif kind == 1:
        for _ in range(int(rng.integers(6, 40))):
            corners = rng.uniform(0, (width, height), (4, 2)).astype(np.int32)
            cv2.fillConvexPoly(image, cv2.convexHull(corners), rng.uniform(0.02, 1, 3).tolist())
    elif kind == 2:
        image *= np.linspace(1, float(rng.uniform(0.3, 1)), height, dtype=np.float32)[:, None, None]
    for level in (8, 24, 90):
        rough = rng.normal(1, rng.uniform(0.02, 0.2), (level * 9 // 16 + 1, level, 1)).astype(np.float32)
        image *= cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC)[..., None].clip(0.2, 3)
    return image
