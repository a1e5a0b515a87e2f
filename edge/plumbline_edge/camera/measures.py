"""What can be measured of one photo without knowing what it should show: a picture in, a few numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_WORK_WIDTH_PX: Final = 480
_TILE_PX: Final = 8
_SKY_SPREAD: Final = 4.0
_SKY_SHARE: Final = 0.04
"""Smooth tiles from the top down are sky if they make up this much of the picture."""
_CLIPPED: Final = 250
_GREY: Final = (100, 156)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What can be said of one photo without knowing what it should show.

    "Static" is all that is not facade: it looks the same from month to month, whatever is built.
    """

    width_px: int
    height_px: int
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
    sky: float | None
    """Luma of the smooth part above the facade; None where the picture shows no sky."""
    sky_blue: float
    """How much bluer than red it is, in steps of 255."""
    lost: float
    """Share of rows at the bottom that were never encoded."""
    digest: str = ""
    """Of the photo's bytes."""


def measure(
    picture_bgr: NDArray[np.uint8],
    facade_mask: NDArray[Any],
    *,
    digest: str = "",
) -> Measures:
    """What the gate needs to know of a picture [h, w, 3]; `facade_mask` [h, w] is true on the facade (or facades)."""
    small = _blocks(picture_bgr)
    height, width = small.shape[:2]
    step = max(1, round(picture_bgr.shape[1] / _WORK_WIDTH_PX))
    inside = np.asarray(facade_mask[::step, ::step] > 0)[:height, :width]
    if not inside.any():
        inside = np.ones((height, width), bool)
    bright, least = _luma(small), _darkest(small)
    middle, high = np.percentile(bright[inside], (50, 95))
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    around = bright[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    spread, on_facade = _tiles(bright).std(axis=(1, 3)), _tiles(inside).mean(axis=(1, 3)) > 0.5
    dark_channel = _tiles(least).min(axis=(1, 3)) / max(1.0, float(np.percentile(least, 99)))
    facade, static = _of(spread, on_facade), _of(spread, ~on_facade)
    sharp = _laplacian_variance(around)
    sky = (spread < _SKY_SPREAD) & (_tiles(inside).mean(axis=(1, 3)) < 0.1)
    sky = np.cumprod(sky, axis=0).astype(bool)
    red_green, yellow_blue = (
        small[..., 2] - small[..., 1],
        (small[..., 2] + small[..., 1]) / 2 - small[..., 0],
    )
    has_sky = sky.mean() >= _SKY_SHARE
    return Measures(
        width_px=picture_bgr.shape[1],
        height_px=picture_bgr.shape[0],
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
        sky=float(np.percentile(_tiles(bright).mean(axis=(1, 3))[sky], 75)) if has_sky else None,
        sky_blue=float(np.median(_tiles(small[..., 0] - small[..., 2]).mean(axis=(1, 3))[sky]))
        if has_sky
        else 0.0,
        lost=_lost_share(picture_bgr),
        digest=digest,
    )


def _luma(bgr: NDArray[Any]) -> NDArray[np.float32]:
    """Brightness as a person sees it, 0..255."""
    blue, green, red = (np.asarray(bgr[..., i], np.float32) for i in range(3))
    return np.asarray(0.114 * blue + 0.587 * green + 0.299 * red, np.float32)  # ITU-R BT.601


def _darkest(bgr: NDArray[Any]) -> NDArray[Any]:
    """The lowest of the three channels: near 0 somewhere in every part of a clear view."""
    return np.asarray(np.minimum(np.minimum(bgr[..., 0], bgr[..., 1]), bgr[..., 2]))


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
