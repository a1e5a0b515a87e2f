"""The single pictures of an overlay: the photo with its zones, and a facade as the model was shown it and saw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plumbline.messages import ZoneProgress
from plumbline_edge.vision import ink
from plumbline_edge.vision.palette import STAGE_BGR
from plumbline_edge.vision.view import CANVAS_QUAD, FACADE_BOX, View
from plumbline_edge.vision.zones import HIDING, zone_corners

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from plumbline_edge.vision.overlay import Facade
    from plumbline_edge.vision.witness import Look

    Image = NDArray[np.uint8]

UNSEEN: Final = (150, 146, 142)
CHANGED_PP: Final = 5.0
"""A zone whose percent moved by as much, or whose stage did, has changed."""

_TINT: Final = 0.5
_MARGIN: Final = 0.22
_LEAST_TEXT_PX: Final = 9.0
_MOST_TEXT_PX: Final = 26.0
_HUNDRED: Final = 3.0
"""How many times wider than high `100` is written."""
_CHIP_PX: Final = 20
_SMALL: Final = 0.52
_HALO: Final = (40, 34, 30)
_LIGHT_FROM: Final = 5


def has_changed(zone: ZoneProgress, before: Mapping[str, ZoneProgress]) -> bool:
    """Whether a zone that was seen in both photos is not what it was."""
    earlier = before.get(zone.id)
    if earlier is None or zone.stage is None or earlier.stage is None:
        return False
    if zone.percent is None or earlier.percent is None:
        return False
    return zone.stage != earlier.stage or abs(zone.percent - earlier.percent) >= CHANGED_PP


def photo(preview: Image, facades: Sequence[Facade], fit_wh: tuple[int, int]) -> Image:
    """The part of a masked preview that holds the facades, as large as fits, each zone in the colour of its stage."""
    import cv2  # noqa: PLC0415 - 40 MB, only where there are photos

    height, width = preview.shape[:2]
    corners = np.concatenate([np.asarray(f.quad, float) * (width, height) for f in facades])
    x0, y0, x1, y1 = _around(corners.min(axis=0), corners.max(axis=0), (width, height), fit_wh)
    scale = min(fit_wh[0] / (x1 - x0), fit_wh[1] / (y1 - y0))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    drawn = np.asarray(cv2.resize(preview[y0:y1, x0:x1], size, interpolation=way), np.uint8)
    exact = np.array(size) / (x1 - x0, y1 - y0)
    for facade in facades:
        outlines = (
            zone_corners(facade.quad, facade.floors, facade.bays) * (width, height) - (x0, y0)
        ) * exact
        drawn = _zones_over(drawn, facade, outlines)
    return drawn


def _around(
    low: NDArray[Any], high: NDArray[Any], size: tuple[int, int], fit_wh: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The part of a picture of `size` with some margin around low..high, as near to the shape of `fit_wh` as it has."""
    middle, extent = (low + high) / 2, np.maximum((high - low) * (1 + 2 * _MARGIN), 2)
    aspect = fit_wh[0] / fit_wh[1]
    wanted = np.array([max(extent[0], extent[1] * aspect), max(extent[1], extent[0] / aspect)])
    wanted = np.minimum(wanted, size)
    first = np.clip(middle - wanted / 2, 0, np.array(size) - wanted)
    x0, y0 = np.floor(first).astype(int).tolist()
    x1, y1 = np.ceil(first + wanted).astype(int).tolist()
    return x0, y0, min(x1, size[0]), min(y1, size[1])


def day0(look: Look, size: tuple[int, int]) -> Image:
    """The canvas from before the works, or a sheet that says there is none."""
    if look.day0 is not None:
        return _sized(look.day0, size)
    empty = np.full((size[1], size[0], 3), 226, np.uint8)
    ink.text(empty, "none known", (size[0] / 2, size[1] / 2), 12, ink.PALE, anchor="middle")
    return empty


def straight_on(preview: Image, facade: Facade) -> Image:
    """The facade's canvas out of a masked preview: what is masked there stays masked."""
    return View(facade.quad, (preview.shape[1], preview.shape[0])).cut(preview)


def now(canvas: Image, facade: Facade, size: tuple[int, int]) -> Image:
    """The canvas of this photo with the grid on it."""
    picture = _sized(canvas, size)
    _grid(picture, facade)
    return picture


def stages(canvas: Image, look: Look, facade: Facade, size: tuple[int, int]) -> Image:
    """The likeliest stage at each place of the canvas; hatched where something stands before the facade."""
    import cv2  # noqa: PLC0415

    grey = cv2.cvtColor(cv2.cvtColor(_sized(canvas, size), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    likeliest = _likeliest(look.stage)
    colours = cv2.resize(np.asarray(STAGE_BGR, np.uint8)[likeliest], size, interpolation=cv2.INTER_NEAREST)
    drawn = np.asarray(cv2.addWeighted(grey, 0.5, np.full_like(grey, 255), 0.5, 0), np.uint8)
    left, top, right, bottom = (round(s * size[i % 2]) for i, s in enumerate(FACADE_BOX))
    box = (slice(top, bottom), slice(left, right))  # what the model says beside the facade counts for nothing
    drawn[box] = cv2.addWeighted(colours[box], 0.8, grey[box], 0.2, 0)
    hidden = np.zeros((size[1], size[0]), np.uint8)
    standing = np.isin(look.aux.argmax(axis=0), HIDING).astype(np.uint8)
    hidden[box] = cv2.resize(standing, size, interpolation=cv2.INTER_NEAREST)[box]
    drawn[hidden > 0] = UNSEEN
    drawn = ink.hatched(drawn, hidden > 0, ink.WHITE, every=7, width=2)
    _grid(drawn, facade)
    return drawn


def border(image: Image, outline: NDArray[Any], *, changed: bool) -> None:
    """A zone's border: thin and white, bold where the zone has changed."""
    if not changed:
        ink.outlined(image, outline, ink.WHITE, 1)
        return
    bold = round(float(np.clip(_edges(outline).min() / 20, 2, 4)))
    ink.outlined(image, outline, ink.BLACK, 2 * bold - 1)
    ink.outlined(image, outline, ink.WHITE, bold)


def _zones_over(image: Image, facade: Facade, outlines: NDArray[Any]) -> Image:
    import cv2  # noqa: PLC0415

    tinted = image.copy()
    for zone, outline in zip(facade.zones, outlines, strict=False):
        colour = UNSEEN if zone.stage is None else STAGE_BGR[zone.stage]
        cv2.fillPoly(tinted, [(outline * 16).round().astype(np.int32)], colour, cv2.LINE_AA, 4)
    drawn = np.asarray(cv2.addWeighted(tinted, _TINT, image, 1 - _TINT, 0), np.uint8)
    for zone, outline in zip(facade.zones, outlines, strict=False):
        if zone.stage is None:
            ink.hatch(drawn, outline)
    for outline in outlines:
        border(drawn, outline, changed=False)
    for zone, outline in zip(facade.zones, outlines, strict=False):
        if has_changed(zone, facade.before):
            border(drawn, _inset(outline, 2), changed=True)
    for zone, outline in zip(facade.zones, outlines, strict=False):
        _stage_in(drawn, zone, outline)
        if zone.regress:
            _falling_in(drawn, outline)
        _percent_in(drawn, zone, outline)
    return drawn


def _percent_in(image: Image, zone: ZoneProgress, outline: NDArray[Any]) -> None:
    """The zone's percent in its middle, where there is room to read it; below it what this photo alone shows, if that differs."""
    words = "?" if zone.percent is None else f"{zone.percent:.0f}"
    if zone.percent is not None and zone.stage is None:
        words = f"({words})"
    edges = _edges(outline)
    across, down = min(edges[0], edges[2]), min(edges[1], edges[3])
    height = min(_MOST_TEXT_PX, 0.4 * down, 0.75 * across / _HUNDRED)
    if height < _LEAST_TEXT_PX:
        return
    x, y = outline.mean(axis=0)
    differs = zone.raw is not None and zone.percent is not None and abs(zone.raw - zone.percent) >= CHANGED_PP
    both = min(height, 0.3 * down)
    if differs and _SMALL * both >= _LEAST_TEXT_PX - 1:
        alone = (x, y + 0.85 * both)
        ink.text(image, f"now {zone.raw:.0f}", alone, _SMALL * both, ink.WHITE, halo=_HALO, anchor="middle")
        height, y = both, y - 0.3 * both
    ink.text(image, words, (x, y), height, ink.WHITE, halo=_HALO, bold=True, anchor="middle")


def _stage_in(image: Image, zone: ZoneProgress, outline: NDArray[Any]) -> None:
    """The stage's number on its full colour in the zone's upper left corner, where there is room beside the percent."""
    edges = _edges(outline)
    if (
        zone.stage is None
        or min(edges[0], edges[2]) < 4 * _CHIP_PX
        or min(edges[1], edges[3]) < 2.6 * _CHIP_PX
    ):
        return
    x, y = (_inset(outline, 8)[0]).round().astype(int).tolist()
    x, y = max(x, 0), max(y, 0)
    image[y : y + _CHIP_PX, x : x + _CHIP_PX] = STAGE_BGR[zone.stage]
    dark = zone.stage >= _LIGHT_FROM
    middle = (x + _CHIP_PX / 2, y + _CHIP_PX / 2)
    ink.text(image, str(zone.stage), middle, 10, ink.INK if dark else ink.WHITE, bold=True, anchor="middle")


def _falling_in(image: Image, outline: NDArray[Any]) -> None:
    """The mark of a zone that fell below what it was, in its upper right corner."""
    size = float(np.clip(_edges(outline).min() / 3.5, 6, 22))
    x, y = outline[1] + (outline.mean(axis=0) - outline[1]) * min(1.2 * size / _edges(outline).min(), 1)
    ink.falling(image, (x, y), size)


def _edges(outline: NDArray[Any]) -> NDArray[Any]:
    """Lengths of the upper, right, lower and left edge."""
    return np.asarray(np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1))


def _inset(outline: NDArray[Any], by: float) -> NDArray[Any]:
    """The outline moved towards its middle by about `by` pixels."""
    middle = outline.mean(axis=0)
    away = outline - middle
    return np.asarray(middle + away * np.maximum(1 - by * 1.4 / np.linalg.norm(away, axis=1), 0.2)[:, None])


def _grid(image: Image, facade: Facade) -> None:
    """Half transparent: it must not hide what it divides."""
    lines = image.copy()
    size = (image.shape[1], image.shape[0])
    for outline in zone_corners(CANVAS_QUAD, facade.floors, facade.bays) * size:
        ink.outlined(lines, outline, ink.WHITE, 1)
    image[:] = (lines // 2 + image // 2).astype(np.uint8)


def _likeliest(stage: NDArray[Any]) -> NDArray[np.int64]:
    """The likeliest stage 0..7 at each place of P(stage >= 1..7) [7, h, w]."""
    ones, zeros = np.ones((1, *stage.shape[1:])), np.zeros((1, *stage.shape[1:]))
    return np.asarray((-np.diff(np.concatenate([ones, stage, zeros]), axis=0)).argmax(axis=0))


def _sized(picture: Image, size: tuple[int, int]) -> Image:
    import cv2  # noqa: PLC0415

    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
