"""From light to file: what an outdoor camera's lens, chip and encoder make of a scene's linear light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.conditions import Conditions

Linear = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What stays the same in every picture of one camera."""

    warmth: float
    saturation: float
    contrast: float
    vignette: float
    softness: float
    sharpening: float
    noise: float
    chain: float
    """Share of the picture's width that the chip really resolves."""
    osd: int
    """0 none, 1 date at the top, 2 date at the bottom, 3 date and a logo."""
    jpeg: tuple[int, int]

    @classmethod
    def of(cls, seed: int) -> Style:
        """The camera of this project seed; phones, good IP cameras and poor ones."""
        rng = np.random.default_rng([seed, 991])
        poor = rng.random() < 0.35
        return cls(
            warmth=float(rng.normal(0, 0.05)), saturation=float(rng.uniform(0.7, 1.25)),
            contrast=float(rng.uniform(0.0, 0.55)), vignette=float(rng.uniform(0.0, 0.28)),
            softness=float(rng.uniform(0.5, 1.1) if poor else rng.uniform(0.0, 0.5)),
            sharpening=float(rng.choice([0.0, rng.uniform(0.2, 1.1)])),
            noise=float(rng.uniform(0.006, 0.02) if poor else rng.uniform(0.001, 0.008)),
            chain=float(rng.uniform(0.5, 0.85) if poor else 1.0), osd=int(rng.choice([0, 0, 0, 1, 2, 3])),
            jpeg=(28, 60) if poor else (60, 95),
        )  # fmt: skip


def develop(linear: Linear, conditions: Conditions, style: Style, rng: np.random.Generator) -> Image:
    """The uint8 BGR picture of a linear RGB scene: exposure, white balance, glare, noise, tone, sharpening, JPEG."""
    height, width = linear.shape[:2]
    metered = float(
        np.percentile(cv2.resize(linear, (96, 54), interpolation=cv2.INTER_AREA).mean(axis=2), 60)
    )
    darkest = 0.02 if conditions.fault == "dark" else 0.16  # beyond that the shutter cannot stay open longer
    gain = 0.34 / max(metered, darkest * 0.34) * 2.0 ** float(rng.normal(0.0, 0.28))
    if conditions.fault == "dark":
        gain *= float(rng.uniform(0.04, 0.16))
    cast = 1 + np.array((style.warmth, 0.0, -style.warmth)) + rng.normal(0, 0.02, 3)
    light = linear * np.float32(gain) * cast.astype(np.float32)
    light = _glare(light, rng)
    light *= _vignette((width, height), style.vignette)
    if style.softness > 0.2:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), style.softness * width / 900), np.float32)
    if conditions.fault == "blur":
        light = _blurred(light, rng)
    iso = 1.0 + 3.0 * (1 - conditions.daylight)
    coarse = 2 if style.chain < 1 else 1  # a poor camera's encoder smears its grain
    grain = cv2.resize(rng.standard_normal((height, width // coarse, 3)).astype(np.float32), (width, height))
    light = light + grain * np.sqrt(np.maximum(light, 0.004)) * np.float32(style.noise * iso * 2)
    picture = _toned(light, style)
    if conditions.grey:
        picture = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    if style.chain < 1:
        picture = _resized_and_back(picture, style.chain)
    if style.sharpening > 0:
        soft = cv2.GaussianBlur(picture, (0, 0), max(0.8, width / 900))
        picture = picture + np.float32(style.sharpening) * (picture - soft)
    bgr = np.ascontiguousarray(np.clip(picture[..., ::-1] * 255 + 0.5, 0, 255).astype(np.uint8))
    _print_osd(bgr, style.osd, rng)
    return encoded(bgr, int(rng.integers(style.jpeg[0], style.jpeg[1] + 1)))


def encoded(bgr: Image, quality: int) -> Image:
    """The picture after JPEG at `quality` and back."""
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _resized_and_back(picture: Linear, share: float) -> Linear:
    """What a chip with fewer pixels than its file claims resolves."""
    height, width = picture.shape[:2]
    small = (max(2, int(width * share)), max(2, int(height * share)))
    fewer = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(fewer, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _glare(light: Linear, rng: np.random.Generator) -> Linear:
    """Light scattered in the lens around what is much brighter than white; what is there bleeds over its edges."""
    bright = np.maximum(light - 1.3, 0).clip(0, 20)
    if float(bright.max()) < 0.2:
        return light
    height, width = light.shape[:2]
    small = cv2.resize(bright, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    halo = (
        cv2.GaussianBlur(small, (0, 0), width / 160) * 0.25
        + cv2.GaussianBlur(small, (0, 0), width / 40) * 0.12
    )
    return np.asarray(
        light + cv2.resize(halo, (width, height)) * np.float32(rng.uniform(0.2, 1.2)), np.float32
    )


def _vignette(size: tuple[int, int], depth: float) -> Linear:
    x = np.linspace(-1, 1, size[0], dtype=np.float32)
    y = np.linspace(-1, 1, size[1], dtype=np.float32)
    return np.asarray(1 - depth * 0.5 * (x[None] ** 2 + y[:, None] ** 2), np.float32)[..., None]


_LEVELS = 4096
_BRIGHTEST = 4.0


def _toned(light: Linear, style: Style) -> Linear:
    """Roll off above white, gamma, an S of `contrast`, saturation: 0..1 RGB."""
    level = np.sqrt(np.clip(light, 0, _BRIGHTEST) * np.float32(1 / _BRIGHTEST))  # fine steps in the dark
    coded = _curve(round(style.contrast, 2))[(level * (_LEVELS - 1)).astype(np.uint16)]
    grey = coded.mean(axis=2, keepdims=True)
    return np.asarray(np.clip(grey + np.float32(style.saturation) * (coded - grey), 0, 1), np.float32)


@lru_cache(maxsize=64)
def _curve(contrast: float) -> NDArray[np.float32]:
    light = np.linspace(0, 1, _LEVELS) ** 2 * _BRIGHTEST
    rolled = np.where(light > 0.75, 1 - 0.25 * np.exp(-(light - 0.75) / 0.25), light)
    coded = rolled ** (1 / 2.2)
    return np.asarray(coded + contrast * (coded * coded * (3 - 2 * coded) - coded), np.float32)


def _blurred(light: Linear, rng: np.random.Generator) -> Linear:
    """Out of focus, or shaken while the shutter was open."""
    sigma = light.shape[1] * float(rng.uniform(0.007, 0.02))
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32)
    length = max(5, int(sigma * 4.5))
    kernel = np.zeros((length, length), np.float32)
    cv2.line(kernel, (0, int(rng.integers(length))), (length - 1, int(rng.integers(length))), 1.0, 1)
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.float32)


def _print_osd(bgr: Image, kind: int, rng: np.random.Generator) -> None:
    """Date and name burnt in, with digits that have nothing to do with the day: a model must not read them."""
    if kind == 0:
        return
    height, width = bgr.shape[:2]
    scale, digits = width / 1100, [int(v) for v in rng.integers(10, 60, 5)]
    text = f"20{digits[0]}-{digits[1] % 12 + 1:02d}-{digits[2] % 28 + 1:02d} {digits[3] % 24:02d}:{digits[4]:02d}"
    place: Any = (int(0.02 * width), int((0.05 if kind != 2 else 0.97) * height))
    cv2.putText(
        bgr, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), max(2, int(scale * 3)), cv2.LINE_AA
    )
    cv2.putText(bgr, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (250, 250, 250), 1, cv2.LINE_AA)
    if kind == 3:
        x, y = int(0.88 * width), int(0.93 * height)
        cv2.rectangle(
            bgr, (x, y), (int(0.98 * width), int(0.98 * height)), rng.integers(0, 255, 3).tolist(), -1
        )
        cv2.putText(
            bgr,
            "CAM",
            (x + 4, int(0.97 * height)),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale * 0.8,
            (255, 255, 255),
            1,
            cv2.LINE_AA,
        )
