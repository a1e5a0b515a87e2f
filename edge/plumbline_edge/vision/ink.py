"""Text, hatching and outlines on a picture: the few strokes that overlays are drawn with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from plumbline_edge.vision.palette import Bgr

    Image = NDArray[np.uint8]

WHITE: Final = (255, 255, 255)
BLACK: Final = (0, 0, 0)
INK: Final = (52, 44, 40)
PALE: Final = (128, 118, 112)
FALL: Final = (40, 40, 214)
PAPER: Final = (248, 247, 246)

_CAPITAL: Final = 21
"""Height of a capital of OpenCV's letters at scale 1, in pixels."""
_FINER: Final = 4
"""Letters are drawn this much larger and shrunk: their strokes are whole pixels wide otherwise."""


def ascii_only(text: str) -> str:
    """The text as OpenCV's letters can write it."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)


def text_width(text: str, height: float, *, bold: bool = False) -> int:
    """How many pixels wide `text` comes out with capitals of `height` pixels."""
    return _measured(text, height, bold=bold)[0] // _FINER


def text(
    image: Image,
    words: str,
    at: tuple[float, float],
    height: float,
    colour: Bgr = INK,
    *,
    bold: bool = False,
    halo: Bgr | None = None,
    anchor: Literal["left", "middle", "right"] = "left",
) -> None:
    """Writes into the picture. `at` is the baseline's left end; for `middle` the text's centre, for `right` its end."""
    import cv2  # noqa: PLC0415 - 40 MB, only where there are photos

    words = ascii_only(words)
    wide, scale, thick = _measured(words, height, bold=bold)
    pad = _FINER * (4 + round(height / 4))
    size = (round(height * _FINER) + 2 * pad, wide + 2 * pad)
    fine = np.zeros((-(-size[0] // _FINER) * _FINER, -(-size[1] // _FINER) * _FINER), np.uint8)
    start = (pad, pad + round(height * _FINER))
    small = (fine.shape[1] // _FINER, fine.shape[0] // _FINER)
    x, y = at[0] - pad / _FINER, at[1] - start[1] / _FINER
    if anchor == "middle":
        x, y = x - wide / _FINER / 2, y + height / 2
    elif anchor == "right":
        x -= wide / _FINER
    layers = [] if halo is None else [(halo, thick + round(_FINER * max(1.6, height / 7)) * 2)]
    for ink, width in [*layers, (colour, thick)]:
        fine[:] = 0
        cv2.putText(fine, words, start, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, cv2.LINE_AA)
        _blend(image, cv2.resize(fine, small, interpolation=cv2.INTER_AREA), (round(x), round(y)), ink)


def falling(image: Image, middle: tuple[float, float], size: float) -> None:
    """A triangle that points down."""
    import cv2  # noqa: PLC0415

    x, y = middle
    corners = np.array([[x - size / 2, y - size / 2], [x + size / 2, y - size / 2], [x, y + size / 2]])
    cv2.fillPoly(image, [(corners * 16).round().astype(np.int32)], FALL, cv2.LINE_AA, 4)
    outlined(image, corners, WHITE, 2)


def hatch(
    image: Image, outline: NDArray[Any], colour: Bgr = WHITE, *, every: int = 9, width: int = 2
) -> None:
    """Diagonal lines inside an outline [n, 2] of pixels."""
    import cv2  # noqa: PLC0415

    x0, y0 = np.floor(outline.min(axis=0)).astype(int).tolist()
    x1, y1 = np.ceil(outline.max(axis=0)).astype(int).tolist()
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1 + 1, image.shape[1]), min(y1 + 1, image.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [(outline - (x0, y0)).round().astype(np.int32)], 1)
    part = image[y0:y1, x0:x1]
    part[:] = hatched(part, inside > 0, colour, every=every, width=width, origin=(x0, y0))


def hatched(
    image: Image,
    where: NDArray[np.bool_],
    colour: Bgr,
    *,
    every: int,
    width: int,
    origin: tuple[int, int] = (0, 0),
) -> Image:
    """The picture with diagonal lines where `where` is true; they meet those of a neighbouring part."""
    ys, xs = np.mgrid[0 : where.shape[0], 0 : where.shape[1]]
    lines = (xs + origin[0] + ys + origin[1]) % every < width
    return np.asarray(np.where((where & lines)[..., None], np.asarray(colour, np.uint8), image), np.uint8)


def outlined(image: Image, outline: NDArray[Any], colour: Bgr, width: int) -> None:
    """A closed line through pixels, exact to a sixteenth of one."""
    import cv2  # noqa: PLC0415

    cv2.polylines(image, [(outline * 16).round().astype(np.int32)], True, colour, width, cv2.LINE_AA, 4)


def _measured(words: str, height: float, *, bold: bool) -> tuple[int, float, int]:
    """Width in fine pixels, scale and stroke."""
    import cv2  # noqa: PLC0415

    scale = height * _FINER / _CAPITAL
    thick = max(1, round(height * _FINER * (0.2 if bold else 0.115)))
    return cv2.getTextSize(ascii_only(words), cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0], scale, thick


def _blend(image: Image, cover: NDArray[Any], at: tuple[int, int], colour: Bgr) -> None:
    x, y = at
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + cover.shape[1], image.shape[1]), min(y + cover.shape[0], image.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    share = (cover[y0 - y : y1 - y, x0 - x : x1 - x, None] / 255).astype(np.float32)
    part = image[y0:y1, x0:x1]
    inked = part * (1 - share) + np.asarray(colour, np.float32) * share
    part[:] = inked.round().astype(np.uint8)
