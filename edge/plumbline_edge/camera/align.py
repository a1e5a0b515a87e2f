"""Where today's picture lies on day-0's: features in, one homography out.

What is kept of day-0 is corners and their descriptors and a coarse grey thumbnail: nobody can be seen in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]
    Mask = NDArray[Any]

THUMBNAIL_WH: Final = (64, 36)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """What is kept of one picture for alignment; pixels are those of that picture."""

    picture_wh: tuple[int, int]
    facade_box: tuple[float, float, float, float]
    """Left, top, right, bottom of what was kept out: the part whose shift counts; the middle half where nothing was."""
    points: NDArray[np.float32]
    """Corners, [n, 2]."""
    descriptors: NDArray[np.uint8]
    """ORB, [n, 32]."""
    static: NDArray[np.bool_]
    """Which of them lie outside the facade, [n]."""
    thumbnail: NDArray[np.uint8]
    """Grey, [36, 64]."""

    def to_bytes(self) -> bytes:
        """For a file of its own; some 40 bytes a feature."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes) -> Reference:
        """What `to_bytes` wrote. Raises ConfigError where the bytes are damaged or another version's."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """How a picture lies on the reference."""

    shift_px: float | None
    """The farthest any of the facade's corners or its centre moved, in pixels of the picture; None unless `found`."""
    inliers: int
    """Features that agree on `homography`; how far it can be trusted."""
    homography: NDArray[np.float64]
    """3x3, picture pixels to reference pixels; the identity unless `found`."""
    found: bool
    """Whether the homography is one that a camera's move can explain."""
    reference_wh: tuple[int, int]
    inside: float = 1.0
    """Share of the facade that the picture still shows."""
    mismatch: float | None = None
    """Share of the static part's coarse cells that no longer look like the reference, 0..1; None unless `found`."""


def reference(picture_bgr: Picture, keep_out: Mask | None) -> Reference:
    """Features of a day-0 picture [h, w, 3]; `keep_out` [h, w] is true on the facade, which will change."""
    raise NotImplementedError


def find(picture_bgr: Picture, reference: Reference, static_weight: Mask | None) -> Alignment:
    """Where the picture lies on the reference. Never raises for what a picture shows.

    `static_weight` [h, w] is above 0 where today's picture may be matched; None is everywhere. Features off the facade
    are tried first, all of them where those are too few. Blocks for tens of milliseconds.
    """
    raise NotImplementedError


def warp(picture: Picture, alignment: Alignment) -> Picture:
    """The picture as the reference's camera would have seen it, in the reference's size; black where it saw nothing.

    Returned as it is where the alignment was not found or moves nothing by half a pixel.
    """
    raise NotImplementedError
