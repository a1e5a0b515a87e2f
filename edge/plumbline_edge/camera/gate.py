"""Says why a photo cannot be judged: arrays in, named reasons out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import QUALITY_CLASSES
from plumbline_edge.camera.align import Alignment
from plumbline_edge.camera.baseline import FEW_INLIERS, Baseline

REASONS: Final[dict[str, str]] = {
    "TIMEOUT": "the camera did not deliver a whole picture in time",
    "CONNECT": "the camera did not accept a connection, or is not there",
    "NO_PHOTO": "no new photo in the folder",
    "NAME": "the camera's name has no address",
    "PROTOCOL": "the camera broke off, or gave no picture",
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

NIGHT_SKY: Final = 95.0
NIGHT_SKY_OF_WALL: Final = 0.5
BLACK_SKY: Final = 60.0
LIT_WALL: Final = 125.0
BLUE_HOUR: Final = 25.0
HAZE: Final = 0.77
HAZE_SOME: Final = 0.5
HAZE_CONTRAST: Final = 12.0
HAZE_FACADE: Final = 0.66
HAZE_FACADE_CONTRAST: Final = 16.0
HAZE_OF_USUAL: Final = 0.4
FINENESS: Final = 0.7
FINENESS_SOFT: Final = 1.2
NOT_A_SITE_COLOURS: Final = 100.0
COVERED_CONTRAST: Final = 8.0
COVERED_SHARE: Final = 0.5
MOVED_SHARE: Final = 0.02
MOVED_TOO_FAR: Final = 0.04
SURE_INLIERS: Final = 60
SURE_INSIDE: Final = 0.98
STANDS: Final = 0.25
STANDS_AGAIN: Final = 0.35

_WORK_WIDTH_PX: Final = 480
_TILE_PX: Final = 8
_SKY_SPREAD: Final = 4.0
_SKY_SHARE: Final = 0.04
_BLANK_SPREAD: Final = 2.0
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
    fineness: float
    """The same against how much structure there is: defocus takes it away, fog and dusk do not."""
    contrast_static: float
    contrast_facade: float
    """Luma's standard deviation within the tiles that have most of it, over the static part and over the facade."""
    haze: float
    haze_facade: float
    """How much of the light comes from the air between, 0..1: the dark channel of tiles against the brightest air."""
    colourfulness: float
    blank: float
    """Share of the facade's tiles without any structure."""
    sky: float | None
    """Luma of the smooth part above the facade; None where the picture shows no sky."""
    sky_blue: float
    """How much bluer than red it is, in steps of 255."""
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
    small = _blocks(picture_bgr)
    height, width = small.shape[:2]
    step = max(1, round(picture_bgr.shape[1] / _WORK_WIDTH_PX))
    inside = np.asarray(facade_mask[::step, ::step] > 0)[:height, :width]
    if not inside.any():
        inside = np.ones((height, width), bool)
    luma, darkest = _luma(small), np.asarray(small.min(axis=2))
    low, middle, high = np.percentile(luma[inside], (5, 50, 95))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    around = luma[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    spread, on_facade = _tiles(luma).std(axis=(1, 3)), _tiles(inside).mean(axis=(1, 3)) > 0.5
    dark_channel = _tiles(darkest).min(axis=(1, 3)) / max(1.0, float(np.percentile(darkest, 99)))
    facade, static = _of(spread, on_facade), _of(spread, ~on_facade)
    sharp = _laplacian_variance(around)
    sky = (spread < _SKY_SPREAD) & (_tiles(inside).mean(axis=(1, 3)) < 0.1)
    sky = np.cumprod(sky, axis=0).astype(bool)
    red_green, yellow_blue = small[..., 2] - small[..., 1], (small[..., 2] + small[..., 1]) / 2 - small[..., 0]
    has_sky = sky.mean() >= _SKY_SHARE
    return Measures(
        width_px=picture_bgr.shape[1],
        height_px=picture_bgr.shape[0],
        luma_p5=float(low),
        luma_p50=float(middle),
        luma_p95=float(high),
        clipped=float((_darkest(picture_bgr[::2, ::2])[facade_mask[::2, ::2] > 0] >= _CLIPPED).mean())
        if np.any(facade_mask[::2, ::2])
        else 0.0,
        sharpness=sharp,
        fineness=sharp / max(float((facade**2).mean()), 1e-3),
        contrast_static=float(np.percentile(static, 90)),
        contrast_facade=float(np.percentile(facade, 90)),
        haze=float(np.median(dark_channel)),
        haze_facade=float(np.percentile(_of(dark_channel, on_facade), 25)),
        colourfulness=float(
            np.hypot(red_green.std(), yellow_blue.std())
            + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())  # Hasler and Suesstrunk 2003
        ),
        blank=float((facade < _BLANK_SPREAD).mean()),
        sky=float(np.percentile(_tiles(luma).mean(axis=(1, 3))[sky], 75)) if has_sky else None,
        sky_blue=float(np.median(_tiles(small[..., 0] - small[..., 2]).mean(axis=(1, 3))[sky])) if has_sky else 0.0,
        lost=_lost_share(picture_bgr),
        digest=digest,
        at=at,
    )


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
        assert isinstance(baseline, Baseline)
        return _judge_measures(measures, baseline, alignment, at, last_at)
    assert isinstance(baseline, float)
    return _judge_picture(measures, baseline, sharpness_median=sharpness_median)


def _judge_measures(
    measures: Measures,
    baseline: Baseline,
    alignment: Alignment | None,
    at: datetime | None,
    last_at: datetime | None,
) -> tuple[str, ...]:
    night = _is_night(measures)
    blurred = not night and _is_blurred(measures, baseline)
    hazy = not night and not blurred and _is_hazy(measures, baseline)
    odd = not night and not hazy and measures.colourfulness > NOT_A_SITE_COLOURS
    covered = not night and not hazy and not blurred and _is_covered(measures, baseline, alignment)
    hidden = night or hazy or blurred or covered or odd  # so few features say nothing of where the camera looks
    found = {
        "UNREADABLE": measures.lost >= _LOST_SHARE,
        "FROZEN": bool(measures.digest) and measures.digest == baseline.digest,
        "CLOCK": at is None or (last_at is not None and at < last_at),
        "DARK": night,
        "GLARE": measures.clipped > GLARE_SHARE,
        "FOG_RAIN": hazy,
        "BLUR": blurred,
        "OBSTRUCTED": covered,
        "NOT_A_SITE": odd,
        "MOVED": alignment is not None and _has_moved(measures, baseline, alignment, at, hidden=hidden),
    }
    return tuple(code for code, is_so in found.items() if is_so)


def refused_by_itself(measures: Measures) -> tuple[str, ...]:
    """The reasons that need no memory of this camera."""
    never = datetime.min.replace(tzinfo=UTC)
    return _judge_measures(measures, Baseline(), None, never, None)


def _is_night(measures: Measures) -> bool:
    """No light on the facade, or light from lamps: by day no sky is half as dark as a wall under it, unless blue."""
    if measures.luma_p95 < DARK_P95:
        return True
    if measures.sky is None or measures.luma_p50 >= LIT_WALL:
        return False
    by_lamps = measures.sky < min(NIGHT_SKY, NIGHT_SKY_OF_WALL * measures.luma_p95)
    return measures.sky < BLACK_SKY or (by_lamps and measures.sky_blue < BLUE_HOUR)


def _is_hazy(measures: Measures, baseline: Baseline) -> bool:
    far = measures.haze >= HAZE and measures.contrast_static < HAZE_CONTRAST
    near = measures.haze_facade >= HAZE_FACADE and measures.contrast_facade < HAZE_FACADE_CONTRAST
    usual = baseline.usual("contrast")
    faded = usual is not None and measures.contrast_static < HAZE_OF_USUAL * usual and measures.haze >= HAZE_SOME
    return far or near or faded


def _is_blurred(measures: Measures, baseline: Baseline) -> bool:
    usual = baseline.usual("sharpness")
    soft = usual is not None and measures.sharpness < BLUR_OF_MEDIAN * usual and measures.fineness < FINENESS_SOFT
    return measures.fineness < FINENESS or soft


def _is_covered(measures: Measures, baseline: Baseline, alignment: Alignment | None) -> bool:
    return measures.contrast_facade < COVERED_CONTRAST or (
        alignment is not None
        and alignment.inliers >= FEW_INLIERS
        and alignment.mismatch is not None
        and alignment.mismatch > COVERED_SHARE
    )


def _has_moved(
    measures: Measures, baseline: Baseline, alignment: Alignment, at: datetime | None, *, hidden: bool
) -> bool:
    """Whether the camera looks elsewhere, or nobody can tell any more where it looks."""
    if alignment.found and alignment.shift_px is not None:
        share = alignment.shift_px / measures.width_px
        sure = alignment.inliers >= SURE_INLIERS and alignment.inside >= SURE_INSIDE
        if share > MOVED_TOO_FAR or (share > MOVED_SHARE and not sure):
            return True
    if alignment.inliers >= FEW_INLIERS or hidden:
        return False
    again = baseline.low_inlier_days > 1 or (
        baseline.low_inlier_days == 1 and at is not None and baseline.low_inlier_on != at.date()
    )
    return alignment.stands < (STANDS_AGAIN if again else STANDS)


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


def _blocks(bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The picture at about _WORK_WIDTH_PX, each pixel the mean of a block."""
    step = max(1, round(bgr.shape[1] / _WORK_WIDTH_PX))
    height, width = (n - n % step for n in bgr.shape[:2])
    if height == 0 or width == 0:
        return bgr.astype(np.float32)
    whole = bgr[:height, :width]
    sums = np.zeros((height // step, width // step, 3), np.uint16)
    for y in range(step):
        for x in range(step):
            sums += whole[y::step, x::step]
    return np.asarray(sums / np.float32(step**2), np.float32)


def _tiles(values: NDArray[Any]) -> NDArray[Any]:
    """[rows, TILE, columns, TILE] of a map, what is over cut off; one tile where it is smaller than that."""
    height, width = values.shape
    tile_h, tile_w = min(_TILE_PX, height), min(_TILE_PX, width)
    rows, columns = height // tile_h, width // tile_w
    return values[: rows * tile_h, : columns * tile_w].reshape(rows, tile_h, columns, tile_w)


def _of(values: NDArray[Any], where: NDArray[np.bool_]) -> NDArray[Any]:
    """The values there; all of them where there are none."""
    return np.asarray(values[where] if where.any() else values.ravel())


def _luma(bgr: NDArray[Any]) -> NDArray[np.float32]:
    blue, green, red = (np.asarray(bgr[..., i], np.float32) for i in range(3))
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
