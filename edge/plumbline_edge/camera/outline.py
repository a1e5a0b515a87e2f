"""How a picture's coarse outlines lie on day-0's: two grey thumbnails in, a shift and a likeness out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]
    Matrix = NDArray[np.float64]
    Box = tuple[float, float, float, float]

THUMBNAIL_WH: Final = (64, 36)
_TILE_STRUCTURE: Final = 8.0
_TILE_ALIKE: Final = 0.3
_MIN_TILES: Final = 6
_COARSE_REACH: Final = 7
_FACADE_WEIGHT: Final = 0.02
_FLAT_SLOPE: Final = 6.0


def thumbnail(grey: Grey) -> Grey:
    """A grey picture of any size as [36, 64]."""
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera

    return np.asarray(cv2.resize(grey, THUMBNAIL_WH, interpolation=cv2.INTER_AREA), np.uint8)


def mismatch(now: Grey, before: Grey, seen: NDArray[Any], facade: Box) -> float | None:
    """The share of tiles off the facade that do not look alike; None where too few had anything to see before.

    `seen` [36, 64] is 1 where `now` shows what lies there, `facade` left, top, right, bottom in shares.
    """
    columns, rows = THUMBNAIL_WH
    off_facade = np.ones((rows, columns), np.float32)
    x0, y0, x1, y1 = facade
    off_facade[round(y0 * rows) : round(y1 * rows), round(x0 * columns) : round(x1 * columns)] = 0
    ours, theirs = _tiles(now), _tiles(before)
    judged = (_tiles(seen * off_facade).mean(axis=1) > 0.5) & (theirs.std(axis=1) > _TILE_STRUCTURE)
    if judged.sum() < _MIN_TILES:
        return None
    ours, theirs = (part[judged] - part[judged].mean(axis=1, keepdims=True) for part in (ours, theirs))
    alike = (ours * theirs).sum(axis=1) / (
        np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1) + 1e-6
    )
    return float((alike < _TILE_ALIKE).mean())


def shift(now: Grey, before: Grey, facade: Box) -> tuple[Matrix, float]:
    """By how many thumbnail pixels today's outlines lie right of and below day-0's, and their correlation there, 0..1.

    `facade` is left, top, right, bottom in shares: what changes, and so counts little.
    Directions of slopes survive other light, leaves and snow.
    """
    seen, kept = _slopes(now), _slopes(before)
    columns, rows = THUMBNAIL_WH
    weight = np.ones((rows, columns))
    x0, y0, x1, y1 = facade
    weight[int(y0 * rows) : int(y1 * rows) + 1, int(x0 * columns) : int(x1 * columns) + 1] = _FACADE_WEIGHT
    agreed = sum(_correlation(weight * kept[i], seen[i]) for i in (0, 1))
    ours = _correlation(weight * (kept**2).sum(axis=0), np.ones_like(weight))
    theirs = _correlation(weight, (seen**2).sum(axis=0))
    likeness = agreed / np.sqrt(np.maximum(ours * theirs, 1e-6))
    row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
    peak = np.array([_summit(likeness[row, :], int(column)), _summit(likeness[:, column], int(row))])
    return peak - _COARSE_REACH, float(np.clip(likeness.max(), 0, 1))


def _summit(values: Matrix, top: int) -> float:
    """Where the parabola through the highest value and its neighbours is highest."""
    if not 0 < top < len(values) - 1:
        return float(top)
    before, here, after = values[top - 1 : top + 2]
    return float(top + 0.5 * (before - after) / min(before - 2 * here + after, -1e-9))


def _slopes(thumbnail: NDArray[np.uint8]) -> Matrix:
    """Where brightness rises, [2, rows, columns]: a direction, hardly a strength."""
    import cv2  # noqa: PLC0415

    both = [cv2.Sobel(thumbnail, cv2.CV_32F, *order).astype(float) for order in ((1, 0), (0, 1))]
    return np.asarray(np.stack(both) / (np.hypot(*both) + _FLAT_SLOPE))


def _correlation(before: Matrix, now: Matrix) -> Matrix:
    """The sum of before[p] * now[p + d] for all shifts d within reach; [0, 0] is the farthest up and left."""
    shape = (before.shape[0] + 2 * _COARSE_REACH, before.shape[1] + 2 * _COARSE_REACH)
    product = np.conj(np.fft.rfft2(before, shape)) * np.fft.rfft2(now, shape)
    whole = np.roll(np.fft.irfft2(product, shape), (_COARSE_REACH, _COARSE_REACH), axis=(0, 1))
    return np.asarray(whole[: 2 * _COARSE_REACH + 1, : 2 * _COARSE_REACH + 1])


def _tiles(thumbnail: NDArray[Any]) -> NDArray[np.float32]:
    """The thumbnail in tiles of 8 x 6 pixels, [n, 48]."""
    rows, columns = thumbnail.shape
    tiles = thumbnail.astype(np.float32).reshape(rows // 6, 6, columns // 8, 8)
    return np.asarray(tiles.swapaxes(1, 2).reshape(-1, 48), np.float32)
