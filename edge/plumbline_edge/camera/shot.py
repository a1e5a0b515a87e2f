"""The frames of one burst to the one picture that is judged: decoded, gated, laid onto day-0, their median."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plumbline.errors import Refused
from plumbline_edge.camera import align, burst, gate, image
from plumbline_edge.camera.align import Alignment
from plumbline_edge.camera.baseline import Baseline
from plumbline_edge.camera.memory import Memory
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_edge.settings import FacadeSettings
from plumbline_edge.vision.view import filled_quad

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]


_LEAST_SIDE_PX: Final = 16
_MOST_LONG: Final = 20
"""A picture with a shorter side, or so many times longer than wide, is none: no facade could be seen in it."""
_SAME_SHAPE: Final = 1.03


class Unusable(Refused):
    """The photo says nothing; `codes` are the gate's, `baseline` what is usual after it all the same."""

    def __init__(self, codes: tuple[str, ...], baseline: Baseline, shift_px: float | None = None) -> None:
        super().__init__(f"no photo to judge: {', '.join(codes)}")
        self.codes = codes
        self.baseline = baseline
        self.shift_px = shift_px


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """One picture as day-0's camera would have seen it."""

    picture: Picture
    shown: NDArray[np.bool_] | None
    """Where the camera, moved as it is, still sees that; None: everywhere."""
    facades: NDArray[np.bool_]
    """Where the facades are."""
    shift_px: float | None
    frames: int
    """How many it is the median of."""
    baseline: Baseline


def digest_of(raws: Sequence[bytes]) -> str:
    """SHA-256 over a burst's bytes, of a single picture its own."""
    whole = hashlib.sha256()
    for raw in raws:
        whole.update(raw)
    return whole.hexdigest()


def taken(
    raws: Sequence[bytes],
    at: datetime,
    memory: Memory,
    facades: Sequence[FacadeSettings],
    *,
    max_megapixels: float,
    clock_set: bool,
) -> Shot:
    """The picture in a burst's bytes, or in a single one's. Raises Unusable with every reason why there is none."""
    last = digest_of(raws[-1:])  # a camera that freezes shows its last picture from then on
    if last == memory.baseline.digest:
        raise Unusable(("FROZEN",), memory.baseline)
    pictures = _decoded(raws, max_megapixels, replace(memory.baseline, digest=last))
    height, width = pictures[0].shape[:2]
    where = facade_mask(facades, (height, width))
    usable = burst.usable(pictures, where)
    plain, frames = burst.median(usable), len(usable)
    measures = gate.measure(plain, where, digest=last)
    if memory.reference is not None and _other_shape((width, height), memory.reference.picture_wh):
        raise Unusable(("MOVED",), replace(memory.baseline, digest=last))
    if len(usable) >= burst.FRAMES[0] and align.stands_still(usable):
        usable = (plain,)  # their median lies on day-0 as each of them does
    found = [align.find(frame, memory.reference) for frame in usable] if memory.reference else []
    middle = _middle(found)
    codes = gate.judge(measures, memory.baseline, middle, at if clock_set else None, memory.last_at)
    baseline = gate.noticed(memory.baseline, measures, middle, at, codes)
    shift_px = middle.shift_px if middle is not None else None
    if codes:
        raise Unusable(codes, baseline, shift_px)
    laid = [(frame, one) for frame, one in zip(usable, found, strict=False) if one.found]
    picture, shown = _laid_median(laid) if laid else (plain, None)
    together = frames if len(usable) == 1 else len(laid or usable)
    return Shot(
        picture=picture,
        shown=shown,
        facades=facade_mask(facades, picture.shape[:2]),
        shift_px=shift_px,
        frames=together if together >= burst.FRAMES[0] else 1,
        baseline=baseline,
    )


def facade_mask(facades: Sequence[FacadeSettings], size_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    """True where any facade is, [h, w]."""
    where = np.zeros(size_hw[:2], np.bool_)
    for facade in facades:
        where |= filled_quad(facade.quad, where.shape)
    return where


def _decoded(raws: Sequence[bytes], max_megapixels: float, baseline: Baseline) -> list[Picture]:
    """Those frames that are pictures, of the commonest size. Raises Unusable where none is."""
    pictures: list[Picture] = []
    codes: list[str] = []
    for raw in raws:
        try:
            picture = image.decode(raw, max_megapixels=max_megapixels)
        except PhotoRefused as why:
            codes.append(why.code)
        else:
            short, long = sorted(picture.shape[:2])
            if short >= max(_LEAST_SIDE_PX, long / _MOST_LONG):
                pictures.append(picture)
    if not pictures:
        raise Unusable(tuple(dict.fromkeys(codes)) or ("UNREADABLE",), baseline)
    ((size, _),) = Counter(picture.shape for picture in pictures).most_common(1)
    return [picture for picture in pictures if picture.shape == size]


def _other_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether the camera was turned by a right angle or set to other proportions: then its corners mean nothing."""
    return not 1 / _SAME_SHAPE < one[0] * other[1] / (one[1] * other[0]) < _SAME_SHAPE


def _middle(found: Sequence[Alignment]) -> Alignment | None:
    """The alignment that speaks for the burst: the middle one by shift of those found, else any."""
    known = sorted((one for one in found if one.shift_px is not None), key=lambda one: one.shift_px or 0.0)
    return known[len(known) // 2] if known else next(iter(found), None)


def _laid_median(laid: Sequence[tuple[Picture, Alignment]]) -> tuple[Picture, NDArray[np.bool_]]:
    """The median of the frames as day-0's camera would have seen them, and where all of them see anything."""
    picture = burst.median([align.warp(frame, one) for frame, one in laid])
    everywhere = np.full(laid[0][0].shape[:2], 255, np.uint8)
    return picture, _all_of([align.warp(everywhere, one) for _, one in laid])


def _all_of(sheets: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    return np.asarray(np.all([sheet > 127 for sheet in sheets], axis=0), np.bool_)
