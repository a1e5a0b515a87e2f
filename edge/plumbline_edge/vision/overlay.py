"""Draws zones and their percents over a masked preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from plumbline.errors import Refused
from plumbline.messages import Photo, Progress
from plumbline_edge.vision.zones import zone_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOW_BGR: Final = np.array((60, 80, 220))
_HIGH_BGR: Final = np.array((90, 170, 60))
_UNKNOWN_BGR: Final = (150, 150, 150)
_TINT: Final = 0.35


def draw(photo: Photo, progress: Progress) -> bytes:
    """A JPEG of the preview with each zone tinted by its percent; zones that repeat an old value are hatched.

    Raises Refused where the photo has no preview.
    """
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera

    if not photo.jpeg:
        raise Refused(
            f"{photo.photo} has no preview to draw on: {', '.join(progress.gate) or 'masked away'}",
            hint="A photo that failed the gate is never shown.",
        )
    image = np.asarray(cv2.imdecode(np.frombuffer(photo.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    if progress.zones:
        image = _zones_over(image, progress)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())


def _zones_over(image: NDArray[np.uint8], progress: Progress) -> NDArray[np.uint8]:
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    tinted = image.copy()
    outlines = (zone_corners(progress.quad, *progress.grid) * (width, height)).round().astype(np.int32)
    for zone, outline in zip(progress.zones, outlines, strict=True):
        colour = _colour(zone.percent)
        if zone.stage is not None:
            cv2.fillPoly(tinted, [outline], colour)
        else:
            cv2.line(tinted, outline[0].tolist(), outline[2].tolist(), colour, 2, cv2.LINE_AA)
    drawn = np.asarray(cv2.addWeighted(tinted, _TINT, image, 1 - _TINT, 0), np.uint8)
    for zone, outline in zip(progress.zones, outlines, strict=True):
        cv2.polylines(drawn, [outline], True, (255, 255, 255), 1, cv2.LINE_AA)
        text = "?" if zone.percent is None else f"{zone.percent:.0f}"
        size = float(np.clip((outline[1, 0] - outline[0, 0]) / 70, 0.3, 0.7))
        (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
        x, y = outline.mean(axis=0).round().astype(int).tolist()
        at = (x - text_width // 2, y + text_height // 2)
        cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(drawn, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


def _colour(percent: float | None) -> tuple[int, ...]:
    if percent is None:
        return _UNKNOWN_BGR
    return tuple((_LOW_BGR + (_HIGH_BGR - _LOW_BGR) * percent / 100).astype(int).tolist())
