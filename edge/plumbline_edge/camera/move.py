"""Pairs of points to the one move of a camera that most of them agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float32]
    Matrix = NDArray[np.float64]

WIDTH_PX: Final = 640
"""Width of the frames that points lie in: limits in pixels are for this."""
ENOUGH_INLIERS: Final = 25
"""Below this many agreeing features an alignment proves nothing about small moves."""
_FIRST_PX: Final = 4.0
_FINE_PX: Final = 2.0
_STILL_PX: Final = 6.0
_STILL_SHARE: Final = 0.6
"""Standing still is believed if it explains this share of what the best move explains: a row of windows repeats."""
_WORTH: Final = 1.1


def apply(matrix: NDArray[Any], points: NDArray[Any]) -> Matrix:
    homogeneous = np.asarray(points, float) @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def agreed(now: Points, before: Points) -> tuple[int, Matrix | None]:
    """How many pairs agree on one move of the camera, and that move; standing still wins where it explains as much."""
    import cv2  # noqa: PLC0415

    if len(now) < 4:
        return 0, None
    cv2.setRNGSeed(7)
    similar, kept = cv2.estimateAffinePartial2D(
        now, before, method=cv2.RANSAC, ransacReprojThreshold=_FIRST_PX, maxIters=600, confidence=0.99
    )
    if kept is None or not kept.any():
        return 0, None
    still = np.linalg.norm(now - before, axis=1) < _STILL_PX
    stays = still.sum() >= max(ENOUGH_INLIERS, _STILL_SHARE * kept.sum())
    move = _settled(np.eye(3) if stays else np.vstack([similar, [0.0, 0.0, 1.0]]), now, before)
    chosen = _error(move, now, before) < _FIRST_PX
    best = int((_error(move, now, before) < _FINE_PX).sum())
    if chosen.sum() >= ENOUGH_INLIERS:
        finer, _ = cv2.findHomography(now[chosen], before[chosen], cv2.RANSAC, _FINE_PX, maxIters=200)
        if finer is not None and _near(finer, move):
            gained = int((_error(finer, now, before) < _FINE_PX).sum())
            if gained > _WORTH * best:  # four more freedoms fit noise, and swing where there are no features
                return gained, np.asarray(finer, np.float64)
    return best, move


def _settled(move: Matrix, now: Points, before: Points) -> Matrix:
    """The similarity nearest to `move` that fits all pairs close to it, by least squares."""
    for reach in (_STILL_PX, _FIRST_PX, _FINE_PX, _FINE_PX):
        near = _error(move, now, before) < reach
        if near.sum() < 4:
            break
        x, y = now[near].astype(float).T
        one, zero = np.ones_like(x), np.zeros_like(x)
        rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
        (a, b, c, d), *_ = np.linalg.lstsq(rows, before[near].T.ravel().astype(float), rcond=None)
        move = np.array([[a, -b, c], [b, a, d], [0.0, 0.0, 1.0]])
    return move


def _error(move: NDArray[Any], now: Points, before: Points) -> Matrix:
    return np.asarray(np.linalg.norm(apply(move, now) - before, axis=1))


def _near(finer: NDArray[Any], move: Matrix) -> bool:
    """Whether a homography stays close to the similarity over the whole picture."""
    corners = np.array([(0, 0), (WIDTH_PX, 0), (WIDTH_PX, 0.6 * WIDTH_PX), (0, 0.6 * WIDTH_PX)])
    return bool(np.abs(apply(finer, corners) - apply(move, corners)).max() < 0.03 * WIDTH_PX)


def plausible(move: Matrix, shape: tuple[int, ...]) -> bool:
    """A camera that was nudged turns a little and zooms a little; anything else is a false agreement."""
    height, width = shape
    corners = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
    to = apply(move, corners)
    if not np.isfinite(to).all():
        return False
    edges, were = np.roll(to, -1, axis=0) - to, np.roll(corners, -1, axis=0) - corners
    ratio = np.linalg.norm(edges, axis=1) / np.linalg.norm(were, axis=1)
    turned = np.abs((were * np.roll(edges, 1, axis=1) * (1, -1)).sum(axis=1)) / (
        np.linalg.norm(were, axis=1) ** 2
    )
    return bool(ratio.min() > 0.75 and ratio.max() < 1.35 and turned.max() < 0.2)
