"""Makes people and vehicles unrecognisable and everything but the facade a blur, before a picture leaves memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_edge.vision.zones import Quad

if TYPE_CHECKING:
    Image = NDArray[np.uint8]

MAX_WIDTH_PX: Final = 960
MAX_JPEG_BYTES: Final = 120_000
FACE_M: Final = 0.16
FACE_PX: Final = 8.0
LIKELY: Final = 0.3
GROWTH: Final = 0.15
METHOD: Final = "pixelate-1"

_PRIVATE: Final = tuple(AUX_CLASSES.index(name) for name in ("machine_vehicle", "person"))
_BLOCKS_ACROSS: Final = 60
"""A person at the facade is then two or three blocks tall."""
_GROWN_CELLS: Final = 1
"""Cells of the model's output that the mask grows on each side: its edges are no sharper than that."""
_QUALITIES: Final = (82, 70, 58, 45, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A picture that may be stored and sent."""

    jpeg: bytes
    width_px: int
    height_px: int


def preview_width_px(width_px: int, *, hfov_deg: float, distance_m: float) -> int:
    """The widest that a preview may be: no upscaling, and a face at `distance_m` is at most FACE_PX wide.

    px_face = FACE_M * width / (2 d tan(hfov / 2))
    """
    faceless = FACE_PX * 2 * distance_m * math.tan(math.radians(hfov_deg) / 2) / FACE_M
    return max(1, min(MAX_WIDTH_PX, width_px, math.floor(faceless)))


def private_cells(aux: NDArray[Any]) -> NDArray[np.bool_]:
    """Where in the model's output [9, h, w] a person or vehicle may be, grown by a cell on each side: [h, w]."""
    found = aux[list(_PRIVATE)].sum(axis=0) > LIKELY
    grown = np.pad(found, _GROWN_CELLS)
    rows, columns = found.shape
    span = range(2 * _GROWN_CELLS + 1)
    return np.asarray(
        np.any([grown[dy : dy + rows, dx : dx + columns] for dy in span for dx in span], axis=0), np.bool_
    )


def grown_quad(quad: Quad, share: float = GROWTH) -> tuple[tuple[float, float], ...]:
    """The quad with each corner moved away from the middle by `share` of its distance."""
    middle_x, middle_y = (sum(p[axis] for p in quad) / 4 for axis in (0, 1))
    return tuple(
        (middle_x + (x - middle_x) * (1 + share), middle_y + (y - middle_y) * (1 + share)) for x, y in quad
    )


def mask(
    image: Image,
    aux: NDArray[Any] | None,
    *,
    quad: Quad,
    box: tuple[int, int, int, int],
    hfov_deg: float,
    distance_m: float,
) -> Preview | None:
    """The preview of a BGR picture, or None where nobody can say who is in it (`aux` None): no aux, no picture.

    `aux` is the model's view of `box` (x0, y0, x1, y1 in pixels of `image`); `quad` in shares of `image`. Outside the
    grown quad, and outside what the model saw, everything is pixelated.
    """
    if aux is None:
        return None
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera

    height, width = image.shape[:2]
    new_width = preview_width_px(width, hfov_deg=hfov_deg, distance_m=distance_m)
    new_height = max(1, round(height * new_width / width))
    small = np.asarray(cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_AREA), np.uint8)
    shrunk = (new_width / width, new_height / height)
    clear = _clear_mask(
        (new_height, new_width), aux, quad, [round(n * shrunk[i % 2]) for i, n in enumerate(box)]
    )
    covered = np.where(clear[..., None], small, pixelated(small))
    return _encoded(np.asarray(covered, np.uint8))


def hide_people(image: Image, aux: NDArray[Any]) -> Image:
    """The picture with every person and vehicle pixelated; `aux` is the model's view of all of it."""
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    private = cv2.resize(
        private_cells(aux).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(np.where(private[..., None] > 0, pixelated(image), image), np.uint8)


def pixelated(image: Image) -> Image:
    """The whole picture in blocks of its width's sixtieth, at least 8 pixels."""
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    block = max(8, round(width / _BLOCKS_ACROSS))
    blocks = (max(1, width // block), max(1, height // block))
    small = cv2.resize(image, blocks, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _clear_mask(
    size_hw: tuple[int, int], aux: NDArray[Any], quad: Quad, box: Sequence[int]
) -> NDArray[np.bool_]:
    """Where the picture may be shown sharp: inside the grown facade, seen by the model, nobody found there."""
    import cv2  # noqa: PLC0415

    height, width = size_hw
    x0, y0 = min(box[0], width - 1), min(box[1], height - 1)
    x1, y1 = max(box[2], x0 + 1), max(box[3], y0 + 1)
    public = np.where(private_cells(aux), 0, 1).astype(np.uint8)
    seen = np.zeros(size_hw, np.uint8)
    seen[y0:y1, x0:x1] = cv2.resize(public, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    outline = (np.asarray(grown_quad(quad)) * (width, height)).round().astype(np.int32)
    facade = np.zeros(size_hw, np.uint8)
    cv2.fillConvexPoly(facade, outline, 1)
    return np.asarray((seen & facade) > 0, np.bool_)


def _encoded(image: Image) -> Preview:
    """As JPEG of at most MAX_JPEG_BYTES, coarser and then smaller until it fits."""
    import cv2  # noqa: PLC0415

    while True:
        for quality in _QUALITIES:
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if data.size <= MAX_JPEG_BYTES:
                height, width = image.shape[:2]
                return Preview(jpeg=data.tobytes(), width_px=width, height_px=height)
        image = np.asarray(cv2.resize(image, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA), np.uint8)
