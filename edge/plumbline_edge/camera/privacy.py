"""Makes people and vehicles a spot of colour and everything but the facade a blur, before a picture leaves memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_edge.vision.view import FACADE_BOX, filled_quad
from plumbline_edge.vision.zones import Quad

if TYPE_CHECKING:
    from plumbline_edge.vision.view import View

    Image = NDArray[np.uint8]

MAX_WIDTH_PX: Final = 960
MAX_JPEG_BYTES: Final = 120_000
FACE_M: Final = 0.16
FACE_PX: Final = 8.0
PERSON_M: Final = 1.7
LIKELY: Final = 0.15
"""From this probability on a place counts as a person's or vehicle's: low, because a false one costs a block of the
picture, a missed one somebody's privacy."""
GROWTH: Final = 0.15
METHOD: Final = "mean-1"

_PRIVATE: Final = tuple(AUX_CLASSES.index(name) for name in ("machine_vehicle", "person"))
_BLOCKS_ACROSS: Final = 60
_MIN_BLOCK_PX: Final = 8
_COLOUR_STEP: Final = 16
"""What is hidden within the facade gets one colour, in 16 levels a channel: however many pictures somebody lays over each
other, one mean is all there is. Around the facade lie blocks, as tall as a person there, on a grid fixed in the picture:
averaging gives nothing finer either; who knows to the pixel how a thing moved through fifty pictures gets a faint idea."""
_GROWN_CELLS: Final = 1
"""Cells of the model's output that the mask grows on each side: its edges are no sharper than that."""
_UNSEEN: Final = 2
_WHOLLY: Final = 0.999
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
    """Where in the model's output [9, h, w] a person or vehicle may be, grown by a cell on each side: [h, w].

    What is no number counts as a person.
    """
    found = ~(aux[list(_PRIVATE)].sum(axis=0) <= LIKELY)  # in this sense NaN is found
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


def clear_mask(facades: Sequence[tuple[View, NDArray[Any]]]) -> NDArray[np.bool_]:
    """Where one camera's picture may be shown sharp, from each facade's view and the model's `aux` of it: [H, W].

    Inside a grown facade, seen by the model, and nobody found there in any of the views. Nothing is clear where
    there are no facades.
    """
    clear, found = np.zeros((2, *_size_hw(facades)), np.bool_)
    for view, aux in facades:
        seen = view.lay_back(private_cells(aux).astype(np.uint8), _UNSEEN)
        clear |= (seen == 0) & filled_quad(grown_quad(view.quad), clear.shape)
        found |= seen == 1
    return clear & ~found


def private_places(facades: Sequence[tuple[View, NDArray[Any]]]) -> NDArray[np.bool_]:
    """Where in one camera's picture a person or vehicle may be in any of the views, [H, W]."""
    found = np.zeros(_size_hw(facades), np.bool_)
    for view, aux in facades:
        found |= view.lay_back(private_cells(aux).astype(np.uint8), 0) > 0
    return found


def _size_hw(facades: Sequence[tuple[View, NDArray[Any]]]) -> tuple[int, int]:
    width, height = facades[0][0].picture_wh if facades else (0, 0)
    return height, width


def mask(picture: Image, clear: NDArray[np.bool_], *, hfov_deg: float, distance_m: float) -> Preview:
    """The preview of a BGR picture: sharp where `clear` [H, W] says so, in blocks elsewhere; at most FACE_PX a face.

    Raises ValueError for a mask that is none, so that no picture leaves.
    """
    if clear is None or clear.dtype != np.bool_ or clear.shape != picture.shape[:2]:
        raise ValueError("no mask of the picture's size: nothing may be shown")
    import cv2  # noqa: PLC0415 - 40 MB, only where there is a camera

    height, width = picture.shape[:2]
    new_width = preview_width_px(width, hfov_deg=hfov_deg, distance_m=distance_m)
    size = (new_width, max(1, round(height * new_width / width)))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    # a pixel of the preview is clear where every pixel it was made of is
    sharp = cv2.resize(clear.astype(np.float32), size, interpolation=cv2.INTER_AREA) > _WHOLLY
    blocks = pixelated(small, block_px(new_width, hfov_deg=hfov_deg, distance_m=distance_m))
    covered = np.where(sharp[..., None], small, blocks)
    return _encoded(_filled(np.asarray(covered, np.uint8), small, _islands(~sharp)))


def block_px(width_px: int, *, hfov_deg: float, distance_m: float) -> int:
    """The side of a block in a preview `width_px` wide: a person at `distance_m` is no taller."""
    px_per_m = width_px / (2 * distance_m * math.tan(math.radians(hfov_deg) / 2))
    return max(_MIN_BLOCK_PX, math.ceil(width_px / _BLOCKS_ACROSS), math.ceil(PERSON_M * px_per_m))


def hide_people(image: Image, aux: NDArray[Any]) -> Image:
    """The picture with one colour for each place where people or vehicles are; `aux` is the model's view of it all."""
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    private = cv2.resize(
        private_cells(aux).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    return _filled(image, image, _numbered(private > 0))


def faceless(canvas: Image, view: View, *, hfov_deg: float, distance_m: float) -> Image:
    """The canvas no finer than that a face at `distance_m` is FACE_PX wide; as it is where it is that coarse anyway.

    It matters for tele lenses and small facades, whose few metres fill the whole canvas.
    """
    import cv2  # noqa: PLC0415

    height, width = canvas.shape[:2]
    corners = np.asarray(view.quad, np.float64) * view.picture_wh
    edges = np.maximum(np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1), 1.0)
    left, top, right, bottom = FACADE_BOX
    finer = max(
        (right - left) * width / min(edges[0], edges[2]), (bottom - top) * height / min(edges[1], edges[3])
    )
    px_per_m = finer * view.picture_wh[0] / (2 * distance_m * math.tan(math.radians(hfov_deg) / 2))
    share = FACE_PX / FACE_M / px_per_m
    if share >= 1:
        return canvas
    small = cv2.resize(
        canvas, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def pixelated(image: Image, block: int) -> Image:
    """The whole picture in blocks of at least `block` pixels a side, in few colours."""
    import cv2  # noqa: PLC0415

    height, width = image.shape[:2]
    blocks = (max(1, width // block), max(1, height // block))
    coarse = _few_colours(cv2.resize(image, blocks, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _few_colours(colours: NDArray[Any]) -> Image:
    return np.asarray(colours // _COLOUR_STEP * _COLOUR_STEP + _COLOUR_STEP // 2, np.uint8)


def _numbered(places: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Each connected place gets a number from 1 on; the rest is 0."""
    import cv2  # noqa: PLC0415

    return np.asarray(cv2.connectedComponents(places.astype(np.uint8), connectivity=8)[1], np.int32)


def _islands(hidden: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The hidden places that do not reach the picture's edge, numbered; those that do lie around the facade."""
    numbers = _numbered(hidden)
    edges = (numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1])
    numbers[np.isin(numbers, np.unique(np.concatenate(edges)))] = 0
    return numbers


def _filled(onto: Image, picture: Image, numbers: NDArray[np.int32]) -> Image:
    """`onto` with each numbered place in its mean colour in `picture`."""
    places = np.flatnonzero(numbers)
    which, colours = numbers.ravel()[places], picture.reshape(-1, 3)[places]
    areas = np.maximum(np.bincount(which), 1)
    means = np.stack([np.bincount(which, colours[:, c]) / areas for c in range(3)], axis=-1)
    filled = onto.copy()
    filled.reshape(-1, 3)[places] = _few_colours(means)[which]
    return filled


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
