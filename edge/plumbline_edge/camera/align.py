"""Where today's picture lies on day-0's: features in, one homography out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plumbline_edge.camera import outline
from plumbline_edge.camera.move import ENOUGH_INLIERS, WIDTH_PX, agreed, apply, plausible
from plumbline_edge.camera.outline import THUMBNAIL_WH
from plumbline_edge.camera.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[Any]
    Matrix = NDArray[np.float64]


_STATIC_FEATURES: Final = 900
_FACADE_FEATURES: Final = 500
_REACH: Final = 0.14
"""How far, in shares of the width, a feature may have moved to be looked for: further is MOVED whatever it is."""
_RATIO: Final = 0.85
_COARSE_DOUBT: Final = 2.0
_OUTLINES_SURE: Final = 0.35
_STANDS_WITHIN: Final = 0.65
"""Thumbnail pixels: 1 % of the width."""
_STILL_WITHIN: Final = 0.5
_SURE_STILL: Final = 0.5
"""How sharp the peak must be: 40 real facades with noise, another exposure and somebody before them have at least 0.65."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """How a picture lies on the reference."""

    shift_px: float | None
    """The farthest any of the facade's corners or its centre moved, in pixels of the picture; None unless `found`."""
    inliers: int
    """Features that agree on `homography`; how far it can be trusted."""
    homography: Matrix
    """3x3, picture pixels to reference pixels; the identity unless `found`."""
    found: bool
    """Whether the homography is one that a camera's move can explain."""
    reference_wh: tuple[int, int]
    inside: float = 1.0
    """Share of the facade that the picture still shows."""
    mismatch: float | None = None
    """Share of the static part's coarse tiles that do not look like the reference, 0..1, laid on it by `homography`.

    None where too few of them had anything to see on day 0.
    """
    stands: float = 0.0
    """How surely the outlines of the whole say that the camera stands to a hundredth of the width: their correlation,
    0..1; 0 where they fit better elsewhere. Needs no features, so it may vouch for a foggy, snowy or bare view."""


def reference(picture_bgr: Picture, keep_out: Mask | None, private: Mask | None = None) -> Reference:
    """Features of a day-0 picture [h, w, 3]; `keep_out` [h, w] is true on the facade, which will change.

    No feature is kept whose surroundings touch where `private` [h, w] is true: there people or vehicles are.
    """
    height, width = picture_bgr.shape[:2]
    grey, scale = _small_grey(picture_bgr)
    facade = _small_mask(keep_out, grey.shape)
    public = None if private is None else 1 - _small_mask(private, grey.shape)
    points, descriptors, static = _features(grey, facade, public)
    box = (width * 0.25, height * 0.25, width * 0.75, height * 0.75)
    if keep_out is not None and np.any(keep_out):
        rows, columns = np.flatnonzero(np.any(keep_out, axis=1)), np.flatnonzero(np.any(keep_out, axis=0))
        box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return Reference(
        picture_wh=(width, height),
        facade_box=box,
        points=np.asarray(points / scale, np.float32),
        descriptors=descriptors,
        static=static,
        thumbnail=outline.thumbnail(grey),
    )


def find(picture_bgr: Picture, reference: Reference) -> Alignment:
    """Where the picture lies on the reference. Never raises for what a picture shows.

    Features off the facade are tried first, all of them where those are too few. Blocks for tens of milliseconds.
    """
    height, width = picture_bgr.shape[:2]
    grey, scale = _small_grey(picture_bgr)
    before_scale = WIDTH_PX / reference.picture_wh[0]
    points, descriptors, _ = _features(grey, _facade_of(reference, grey.shape))
    before = reference.points * np.float32(before_scale)
    pairs = _pairs(points, descriptors, before, reference.descriptors)
    static = reference.static[pairs[:, 1]]
    best: tuple[int, Matrix | None] = (0, None)
    for chosen in (pairs[static], pairs):
        best = max(best, agreed(points[chosen[:, 0]], before[chosen[:, 1]]), key=lambda found: found[0])
        if best[0] >= ENOUGH_INLIERS:
            break
    inliers, small = best
    elsewhere, likeness = outline.shift(outline.thumbnail(grey), reference.thumbnail, reference.facade_shares)
    stands = likeness if np.abs(elsewhere).max() <= _STANDS_WITHIN else 0.0
    if (
        small is None
        or inliers < ENOUGH_INLIERS
        or not plausible(small, grey.shape)
        or (likeness > _OUTLINES_SURE and not _same_move(small, elsewhere, grey.shape))
    ):
        return Alignment(
            shift_px=None, inliers=min(inliers, ENOUGH_INLIERS - 1), homography=np.eye(3), found=False,
            reference_wh=reference.picture_wh, mismatch=_mismatch(grey, np.eye(3), reference),
            stands=stands,
        )  # fmt: skip
    homography = np.diag([1 / before_scale, 1 / before_scale, 1.0]) @ small @ np.diag([scale, scale, 1.0])
    homography /= homography[2, 2]
    shift, inside = _moved(homography, reference, (width, height))
    return Alignment(
        shift_px=shift, inliers=inliers, homography=homography, found=True, reference_wh=reference.picture_wh,
        inside=inside, mismatch=_mismatch(grey, small, reference), stands=stands,
    )  # fmt: skip


def stands_still(frames: Sequence[Picture]) -> bool:
    """Whether the camera stood still from the first frame to each other, to less than half a pixel of WIDTH_PX."""
    import cv2  # noqa: PLC0415

    first, *others = (_small_grey(frame)[0].astype(np.float32) for frame in frames)
    fading = cv2.createHanningWindow((first.shape[1], first.shape[0]), cv2.CV_32F)
    for other in others:
        (dx, dy), sure = cv2.phaseCorrelate(first, other, fading)
        if sure < _SURE_STILL or max(abs(dx), abs(dy)) > _STILL_WITHIN:
            return False
    return True


def warp(picture: Picture, alignment: Alignment) -> Picture:
    """The picture as the reference's camera would have seen it, in the reference's size; black where it saw nothing.

    Returned as it is where the alignment was not found or moves nothing by half a pixel.
    """
    import cv2  # noqa: PLC0415

    height, width = picture.shape[:2]
    same_size = alignment.reference_wh == (width, height)
    corners = np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
    if not alignment.found or (
        same_size and np.abs(apply(alignment.homography, corners) - corners).max() < 0.5
    ):
        return picture
    return np.asarray(
        cv2.warpPerspective(picture, alignment.homography, alignment.reference_wh, flags=cv2.INTER_LINEAR),
        np.uint8,
    )


def _small_grey(picture_bgr: Picture) -> tuple[Picture, float]:
    """The picture in grey at the width features are looked for, its local contrast evened, and how much it shrank."""
    import cv2  # noqa: PLC0415

    height, width = picture_bgr.shape[:2]
    scale = WIDTH_PX / width
    size = (WIDTH_PX, max(1, round(height * scale)))
    small = cv2.resize(picture_bgr, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8), scale


def _small_mask(mask: Mask | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    import cv2  # noqa: PLC0415

    if mask is None:
        return np.zeros(shape, np.uint8)
    whole = np.asarray(mask).astype(bool).astype(np.uint8)
    return np.asarray(cv2.resize(whole, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST), np.uint8)


def _facade_of(kept: Reference, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = (round(v * WIDTH_PX / kept.picture_wh[0]) for v in kept.facade_box)
    facade = np.zeros(shape, np.uint8)
    facade[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 1
    return facade


def _features(
    grey: Picture, facade: NDArray[np.uint8], public: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """Corners [n, 2], descriptors [n, 32] and whether each is off the facade; only of what lies whole in `public`."""
    import cv2  # noqa: PLC0415

    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 6)).apply(grey)
    found = []
    for where, count in ((facade == 0, _STATIC_FEATURES), (facade > 0, _FACADE_FEATURES)):
        mask = where.astype(np.uint8) if public is None else where.astype(np.uint8) & public
        if min(grey.shape) < 64 or not mask.any():
            continue
        orb = cv2.ORB.create(nfeatures=count, scaleFactor=1.3, nlevels=4, fastThreshold=10)
        keypoints, descriptors = orb.detectAndCompute(even, mask)
        if descriptors is not None:
            at = np.array([k.pt for k in keypoints], np.float32)
            kept = _whole(at, np.array([k.size for k in keypoints]), public)
            found.append((at[kept], descriptors[kept]))
    if not found:
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8), np.zeros(0, bool)
    points = np.concatenate([part[0] for part in found])
    column, row = points.astype(int).T
    return points, np.concatenate([part[1] for part in found]), facade[row, column] == 0


def _whole(
    points: NDArray[np.float32], sizes: NDArray[Any], public: NDArray[np.uint8] | None
) -> NDArray[np.bool_]:
    """Which features were described from public pixels alone; `sizes` are the patches' sides."""
    import cv2  # noqa: PLC0415

    if public is None or public.all():
        return np.ones(len(points), np.bool_)
    away = cv2.distanceTransform(public, cv2.DIST_C, 3)  # the chessboard's: patches are square, if turned
    column, row = points.astype(int).T
    return np.asarray(away[row, column] > sizes * (np.sqrt(2) / 2))


def _pairs(
    points: NDArray[np.float32],
    descriptors: NDArray[np.uint8],
    before: NDArray[np.float32],
    before_descriptors: NDArray[np.uint8],
) -> NDArray[np.intp]:
    """Indices [n, 2] of features that look alike and alike no other within reach: windows repeat, but not so near."""
    import cv2  # noqa: PLC0415

    if len(points) < 4 or len(before) < 4:
        return np.zeros((0, 2), np.intp)
    across, down = (np.abs(points[:, i, None] - before[None, :, i]) < _REACH * WIDTH_PX for i in (0, 1))
    mask = (across & down).view(np.uint8)
    matches = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(descriptors, before_descriptors, k=2, mask=mask)
    good = [
        (m[0].queryIdx, m[0].trainIdx)
        for m in matches
        if len(m) == 1 or (len(m) == 2 and m[0].distance < _RATIO * m[1].distance)
    ]
    return np.array(good, np.intp).reshape(-1, 2)


def _moved(homography: Matrix, kept: Reference, picture_wh: tuple[int, int]) -> tuple[float, float]:
    """How far the facade's corners and centre moved in the picture, and what share of the facade it still shows."""
    x0, y0, x1, y1 = kept.facade_box
    back = np.linalg.inv(homography)
    marks = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), ((x0 + x1) / 2, (y0 + y1) / 2)])
    usual = marks * (picture_wh[0] / kept.picture_wh[0])
    shift = float(np.linalg.norm(apply(back, marks) - usual, axis=1).max())
    xs, ys = np.meshgrid(np.linspace(x0, x1, 21), np.linspace(y0, y1, 21))
    spots = apply(back, np.stack([xs.ravel(), ys.ravel()], axis=1))
    return shift, float(((spots >= 0) & (spots <= picture_wh)).all(axis=1).mean())


def _mismatch(grey: Picture, small: Matrix, kept: Reference) -> float | None:
    import cv2  # noqa: PLC0415

    size = (WIDTH_PX, round(WIDTH_PX * kept.picture_wh[1] / kept.picture_wh[0]))
    there = np.asarray(cv2.warpPerspective(grey, small, size, flags=cv2.INTER_LINEAR), np.uint8)
    seen = cv2.warpPerspective(np.full_like(grey, 255), small, size, flags=cv2.INTER_NEAREST)
    shown = outline.thumbnail(np.asarray(seen, np.uint8)) / 255
    return outline.mismatch(outline.thumbnail(there), kept.thumbnail, shown, kept.facade_shares)


def _same_move(small: Matrix, elsewhere: Matrix, shape: tuple[int, ...]) -> bool:
    """Whether the features' move is the outlines', as near as thumbnails tell."""
    height, width = shape
    middle = np.array([(width / 2, height / 2)])
    moved = (middle - apply(small, middle))[0] * (THUMBNAIL_WH[0] / width, THUMBNAIL_WH[1] / height)
    return bool(np.abs(moved - elsewhere).max() <= _COARSE_DOUBT)
