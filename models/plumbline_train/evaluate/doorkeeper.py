"""The gateway's first half over one camera's photos, in the order they come: bytes, gate, place on day-0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline_edge.camera import align, gate, shot
from plumbline_edge.camera.memory import Memory
from plumbline_edge.settings import FacadeSettings
from plumbline_edge.vision.view import View

Image = NDArray[np.uint8]
BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
_JPEG_QUALITY: Final = 92
"""As a camera that is set up well delivers; what weather and lens did to the picture is in it already."""
_MAX_MEGAPIXELS: Final = 24.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laid:
    """A photo as day-0's camera would have seen it; or why the gate refuses it, and the photo as it came."""

    picture: Image
    codes: tuple[str, ...] = ()
    shown: NDArray[np.bool_] | None = None
    """Where the camera, moved as it is, still sees that; None: everywhere."""


class Doorkeeper:
    """Says of each photo why the gateway would refuse it, and remembers what is usual for this camera."""

    def __init__(self, view: View) -> None:
        self._facades = (FacadeSettings(name="", quad=tuple(view.quad), floors=1, bays=1),)
        self._memory = Memory()

    def meets_day0(self, picture: Image, day: float) -> None:
        """A photo from before the works: good by agreement, and where the camera looks."""
        laid = self.takes(picture, day)
        if self._memory.reference is None:
            facade = shot.facade_mask(self._facades, picture.shape)
            self._memory = replace(self._memory, reference=align.reference(laid.picture, facade))

    def takes(self, picture: Image, day: float) -> Laid:
        """One photo of `day`, as the gateway would lay it before the model."""
        at = BEGIN + timedelta(days=float(day))
        raws = [_jpeg(picture)]
        try:
            taken = shot.taken(
                raws, at, self._memory, self._facades,
                max_megapixels=_MAX_MEGAPIXELS, clock_set=True,
            )  # fmt: skip
        except shot.Unusable as why:
            self._memory = replace(self._memory, baseline=why.baseline)
            return Laid(picture=picture, codes=why.codes)
        self._memory = replace(self._memory, baseline=taken.baseline, last_at=at)
        return Laid(picture=taken.picture, shown=taken.shown)


def doubts(quality: Any) -> tuple[str, ...]:
    """Why the model itself would refuse the photo."""
    return gate.judge_quality(np.asarray(quality, float).tolist())


def _jpeg(picture: Image) -> bytes:
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    return bytes(cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))[1].tobytes())
