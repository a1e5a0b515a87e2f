"""From light to file: weather in the air, faults of the camera, sensor and JPEG."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.textures import Image, modulate, noise

Map = NDArray[Any]


def fog(image: Image, amount: float, tone: int = 208) -> Image:
    """Mix the picture with the air's colour."""
    return np.asarray(cv2.addWeighted(image, 1 - amount, np.full_like(image, tone), amount, 0), np.uint8)


def air(image: Image, conditions: Conditions, rng: np.random.Generator) -> Image:
    """Fog, rain or snow between the camera and the site."""
    if conditions.fault == "fog_rain":
        image = fog(image, float(rng.uniform(0.7, 0.93)), int(rng.integers(150, 215)))
    elif conditions.weather == "fog":
        image = fog(image, float(rng.uniform(0.15, 0.45)))
    elif conditions.weather in {"rain", "snow"}:
        image = fog(image, float(rng.uniform(0.05, 0.2)), 180)
        image = _falling(image, rng, snow=conditions.weather == "snow")
    return image


def _falling(image: Image, rng: np.random.Generator, *, snow: bool) -> Image:
    height, width = image.shape[:2]
    drops = np.zeros((height, width, 3), np.uint8)
    count = int(rng.integers(80, 260))
    for x, y in zip(
        rng.integers(0, width, count).tolist(), rng.integers(0, height, count).tolist(), strict=True
    ):
        if snow:
            cv2.circle(drops, (x, y), max(1, width // 500), (70, 70, 70), -1)
        else:
            cv2.line(drops, (x, y), (x - width // 150, y + height // 22), (26, 26, 26), 1)
    return np.asarray(cv2.add(image, drops), np.uint8)


def daylight(image: Image, conditions: Conditions, rng: np.random.Generator) -> Image:
    """Dusk and night as the sensor sees them; noon passes unchanged."""
    share = 0.02 if conditions.fault == "dark" else conditions.daylight
    if share >= 1:
        return image
    level = 0.1 + 0.9 * share
    tint = np.array((1.12, 0.98, 0.9)) * (1 - share) + np.array((0.97, 1.0, 1.03)) * share
    return _channel_gain(image, tint * level * rng.uniform(0.9, 1.15))


def spoil(image: Image, conditions: Conditions, rng: np.random.Generator) -> tuple[Image, Map | None]:
    """Apply the shot's fault; the map, where given, marks pixels that no longer show the site."""
    height, width = image.shape[:2]
    if conditions.fault == "blur":
        return _blurred(image, rng), None
    if conditions.fault == "obstructed":
        cover = np.zeros((height, width), np.uint8)
        middle = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.8) * height))
        axes = (int(rng.uniform(0.3, 0.6) * width), int(rng.uniform(0.35, 0.8) * height))
        cv2.ellipse(cover, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
        soft = cv2.GaussianBlur(cover, (0, 0), width / 60).astype(np.float32) / 255
        thing = modulate(
            np.full_like(image, rng.integers(20, 200, 3)), noise("cloud", (width, height), rng), 0.2
        )
        return np.asarray(cv2.blendLinear(thing, image, soft, 1 - soft), np.uint8), cover
    if conditions.fault == "lens_dirt":
        return _dirty(image, rng), None
    if conditions.fault == "not_a_site":
        return _elsewhere((width, height), rng), np.full((height, width), 255, np.uint8)
    return image, None


def _blurred(image: Image, rng: np.random.Generator) -> Image:
    sigma = image.shape[1] * float(rng.uniform(0.008, 0.02))
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    length = max(5, int(sigma * 4))
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def _dirty(image: Image, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    spots = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(8, 24))):
        middle = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.circle(spots, middle, int(width * rng.uniform(0.015, 0.07)), int(rng.integers(120, 235)), -1)
    soft = cv2.GaussianBlur(spots, (0, 0), width / 90).astype(np.float32) / 255
    smear = cv2.GaussianBlur(image, (0, 0), width / 30)
    smear = cv2.addWeighted(smear, 0.65, np.full_like(image, int(rng.integers(40, 170))), 0.35, 0)
    return np.asarray(cv2.blendLinear(smear, image, soft, 1 - soft), np.uint8)


def _elsewhere(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A picture of anything else: a wall, a floor, a hand, test bars."""
    width, height = size
    image = np.full((height, width, 3), rng.integers(20, 230, 3), np.uint8)
    kind = int(rng.integers(3))
    if kind == 0:
        for step in range(8):
            cv2.rectangle(
                image,
                (step * width // 8, 0),
                ((step + 1) * width // 8, height),
                rng.integers(0, 256, 3).tolist(),
                -1,
            )
    elif kind == 1:
        for _ in range(int(rng.integers(6, 30))):
            corners = rng.integers(0, (width, height), (4, 2)).astype(np.int32)
            cv2.fillConvexPoly(image, cv2.convexHull(corners), rng.integers(0, 256, 3).tolist())
    return modulate(image, noise("blotch", size, rng), float(rng.uniform(0.05, 0.4)))


def sense(image: Image, conditions: Conditions, rng: np.random.Generator) -> Image:
    """Exposure, white balance, vignette, softness, noise and JPEG of an ordinary outdoor camera."""
    height, width = image.shape[:2]
    gain = 2.0 ** rng.normal(0.12, 0.16) * np.array((rng.normal(1, 0.035), 1.0, rng.normal(1, 0.035)))
    image = _channel_gain(image, gain)
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    shade = np.clip(128 - float(rng.uniform(2, 16)) * (x[None] ** 2 + y[:, None] ** 2), 0, 255).astype(
        np.uint8
    )
    image = np.asarray(cv2.multiply(image, cv2.merge([shade] * 3), scale=1 / 128), np.uint8)
    if rng.random() < 0.5:
        image = np.asarray(cv2.GaussianBlur(image, (3, 3), float(rng.uniform(0.3, 0.8))), np.uint8)
    sigma = float(rng.uniform(1.0, 5.0)) * (1.0 + 2.0 * (1 - conditions.daylight))
    speckle = noise("grain", (width, height), rng).astype(np.int16) - 128
    image = np.clip(image + (speckle * (sigma / 40))[..., None].astype(np.int16), 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, conditions.jpeg_quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def _channel_gain(image: Image, gain: NDArray[np.float64]) -> Image:
    """Multiply the channels, rolling off towards white as a camera does."""
    levels = np.arange(256)[:, None] * gain
    levels = np.where(levels > 200, 200 + 55 * (1 - np.exp(-(levels - 200) / 55)), levels)
    return np.asarray(cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8).reshape(256, 1, 3)), np.uint8)
