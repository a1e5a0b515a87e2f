"""Says why a photo cannot be judged: arrays in, named reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import QUALITY_CLASSES
from plumbline_edge.camera.align import Alignment
from plumbline_edge.camera.baseline import Baseline

REASONS: Final[dict[str, str]] = {
    "TIMEOUT": "the camera did not deliver a whole picture in time",
    "CONNECT": "the camera did not accept a connection",
    "NAME": "the camera's name has no address",
    "PROTOCOL": "the camera broke off, or does not speak HTTP",
    "ADDRESS": "the camera's address is not one the gateway may fetch from",
    "REDIRECT": "the camera redirects to another host",
    "SETTINGS": "the camera's password file cannot be read",
    "UNREADABLE": "what came is not one whole JPEG or PNG",
    "TOO_LARGE": "the picture is over the limit of bytes or pixels",
    "DARK": "too dark to see the facade",
    "GLARE": "too much of the facade is burnt out",
    "BLUR": "out of focus or shaken",
    "FOG_RAIN": "fog or rain hides the facade",
    "OBSTRUCTED": "something stands before the lens",
    "LENS_DIRT": "the lens is dirty",
    "NOT_A_SITE": "this does not look like the site",
    "MOVED": "the camera no longer looks where it did on day 0",
    "FROZEN": "the very same picture as last time",
    "CLOCK": "taken before the last one, or by a clock nobody has set",
    "MODEL": "the model is missing or failed",
    "CALIBRATION": "the calibration file is missing, damaged or made for another model",
    "NOT_VISIBLE": "too little of the facade can be seen",
    "FAULT": "a mistake in the program; see the gateway's log",
}
"""Every code that can stand in Progress.gate, besides HTTP_<status>, and what it means to a person."""

DARK_P95: Final = 40.0
GLARE_SHARE: Final = 0.08
BLUR_FLOOR: Final = 10.0
"""Blurred renders lie at 2 to 6 (median 6), clear ones from 16, real photos of facades from 180."""
BLUR_OF_MEDIAN: Final = 0.35
BLUR_CEILING: Final = 50.0
"""No picture this sharp is out of focus, whatever this camera's usual: light alone changes sharpness eightfold. Real
facades blurred by 4 of 1280 pixels lie below 64 in 95 of 100, by 6 below 18."""
QUALITY_LIMITS: Final[dict[str, float]] = dict.fromkeys(QUALITY_CLASSES, 0.5)
"""Probability from which the model's own doubt rejects a photo; a model's card may name others."""

_SHARPNESS_WIDTH_PX: Final = 480
_CLIPPED: Final = 250
_GREY: Final = (100, 156)
_LOST_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What can be said of one photo without knowing what it should show.

    "Static" is all that is not facade: it looks the same from month to month, whatever is built.
    """

    width_px: int
    height_px: int
    luma_p5: float
    luma_p50: float
    luma_p95: float
    """Of the facade, 0..255."""
    clipped: float
    """Share of the facade that is burnt out in all channels."""
    sharpness: float
    """Variance of the Laplacian around the facade."""
    contrast_static: float
    contrast_facade: float
    """Luma's typical standard deviation within small tiles, over the static part and over the facade."""
    haze: float
    """How much of the light comes from the air between, 0..1, as the darkest spots tell."""
    colourfulness: float
    blank: float
    """Share of the picture's tiles without any structure."""
    lost: float
    """Share of rows at the bottom that were never encoded."""
    digest: str = ""
    """Of the photo's bytes."""
    at: datetime | None = None


def measure(
    picture_bgr: NDArray[np.uint8],
    facade_mask: NDArray[Any],
    *,
    digest: str = "",
    at: datetime | None = None,
) -> Measures:
    """What `judge` needs to know of a picture [h, w, 3]; `facade_mask` [h, w] is true on the facade (or facades)."""
    raise NotImplementedError


@overload
def judge(
    measures: Measures,
    baseline: Baseline,
    alignment: Alignment | None,
    at: datetime | None,
    last_at: datetime | None,
) -> tuple[str, ...]: ...
@overload
def judge(
    measures: NDArray[np.uint8], baseline: float, *, sharpness_median: float | None = None
) -> tuple[str, ...]: ...
def judge(
    measures: Measures | NDArray[np.uint8],
    baseline: Baseline | float,
    alignment: Alignment | None = None,
    at: datetime | None = None,
    last_at: datetime | None = None,
    *,
    sharpness_median: float | None = None,
) -> tuple[str, ...]:
    """The reasons why a photo cannot be judged; empty where it can.

    `baseline` is from before this photo, `alignment` on day 0's or None where there is no day 0 yet, `at` when it was
    taken or None where the clock was never set, `last_at` when the photo before it was.
    """
    if isinstance(measures, Measures):
        raise NotImplementedError
    assert isinstance(baseline, float)
    return _judge_picture(measures, baseline, sharpness_median=sharpness_median)


def _judge_picture(
    image_bgr: NDArray[np.uint8], sharp: float, *, sharpness_median: float | None = None
) -> tuple[str, ...]:
    """The reasons why this picture [h, w, 3] of the facade cannot be judged; empty where it can.

    `sharp` is its `sharpness`, `sharpness_median` this camera's usual one; BLUR is relative to that, within
    bounds, else to a floor.
    """
    part = image_bgr[::2, ::2]  # shares and percentiles need no more
    blur_limit = BLUR_FLOOR if sharpness_median is None else _blur_limit(sharpness_median)
    dark = bool(np.percentile(_luma(part), 95) < DARK_P95)
    found = {
        "UNREADABLE": _lost_share(image_bgr) >= _LOST_SHARE,
        "DARK": dark,
        "GLARE": bool((_darkest(part) >= _CLIPPED).mean() > GLARE_SHARE),
        "BLUR": not dark and sharp < blur_limit,  # a dark picture has no detail to judge focus by
    }
    return tuple(code for code, is_so in found.items() if is_so)


def _blur_limit(sharpness_median: float) -> float:
    return min(max(BLUR_OF_MEDIAN * sharpness_median, BLUR_FLOOR), BLUR_CEILING)


def judge_quality(quality: Sequence[float], limits: Mapping[str, float] = QUALITY_LIMITS) -> tuple[str, ...]:
    """The reasons the model itself gives; `quality` is one probability per QUALITY_CLASSES."""
    return tuple(
        name.upper() for name, p in zip(QUALITY_CLASSES, quality, strict=True) if p >= limits.get(name, 0.5)
    )


def sharpness(image_bgr: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the luma at a common size; grows with detail and focus."""
    return _laplacian_variance(_shrunk(_luma(image_bgr)))


def _luma(bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    blue, green, red = (bgr[..., i].astype(np.float32) for i in range(3))
    return np.asarray(0.114 * blue + 0.587 * green + 0.299 * red, np.float32)  # ITU-R BT.601


def _darkest(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(np.minimum(np.minimum(bgr[..., 0], bgr[..., 1]), bgr[..., 2]))


def _shrunk(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Block means, so that noise and the camera's resolution count less."""
    step = max(1, round(luma.shape[1] / _SHARPNESS_WIDTH_PX))
    height, width = (n - n % step for n in luma.shape)
    if height == 0 or width == 0:
        return luma
    whole = luma[:height, :width]
    return np.asarray(
        np.add.reduce([whole[y::step, x::step] for y in range(step) for x in range(step)]) / step**2,
        np.float32,
    )


def _laplacian_variance(luma: NDArray[np.float32]) -> float:
    if min(luma.shape) < 3:
        return 0.0
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    return float((around - 4 * luma[1:-1, 1:-1]).var())


def _lost_share(bgr: NDArray[Any]) -> float:
    """The share of rows at the bottom in the one flat grey with which cameras fill what they failed to encode."""
    last = bgr[-1, 0].astype(int)
    if last.max() - last.min() > 2 or not _GREY[0] <= last[0] <= _GREY[1]:
        return 0.0
    flat = (np.abs(bgr[:, ::4].astype(np.int16) - last).max(axis=(1, 2)) <= 2)[::-1]
    return float((flat.size if flat.all() else int(np.argmin(flat))) / flat.size)
