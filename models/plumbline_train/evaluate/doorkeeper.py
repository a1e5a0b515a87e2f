"""The gateway's quality gate over one camera's photos, in the order they come."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline_edge.camera import gate
from plumbline_edge.vision.preprocess import roi_box
from plumbline_edge.vision.view import View

_KEPT: Final = 20
_ENOUGH: Final = 5


class Doorkeeper:
    """Says of each photo why the gateway would refuse it, and remembers what is usual for this camera."""

    def __init__(self, view: View) -> None:
        width, height = view.picture_wh
        pixels = [(x * width, y * height) for x, y in view.quad]
        self._box = roi_box(pixels, view.picture_wh)
        self._sharpness: tuple[float, ...] = ()
        self._last: NDArray[np.uint8] | None = None

    def meet_day0(self, picture: NDArray[np.uint8]) -> None:
        """A photo from before the works, which is good by agreement."""
        self._remember(picture, gate.sharpness(self._crop(picture)))

    def refuses(self, picture: NDArray[np.uint8], quality: Any) -> tuple[str, ...]:
        """The gate's reasons, the model's own doubts among them; empty where the photo may be judged."""
        if self._last is not None and np.array_equal(self._last, picture):
            return ("FROZEN",)
        crop = self._crop(picture)
        sharp = gate.sharpness(crop)
        usual = median(self._sharpness) if len(self._sharpness) >= _ENOUGH else None
        reasons = gate.judge(crop, sharp, sharpness_median=usual)
        self._remember(picture, sharp)
        return reasons or gate.judge_quality(np.asarray(quality).tolist())

    def _crop(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        x0, y0, x1, y1 = self._box
        return picture[y0:y1, x0:x1]

    def _remember(self, picture: NDArray[np.uint8], sharp: float) -> None:
        self._sharpness = (*self._sharpness, sharp)[-_KEPT:]
        self._last = picture
