"""Draws why a photo's percent is what it is: its zones by stage, and beside them what the model was shown and saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plumbline.errors import Refused
from plumbline.messages import Photo, Progress, ZoneProgress
from plumbline.stages import Track
from plumbline_edge.vision import ink, panels
from plumbline_edge.vision.palette import STAGE_BGR, STAGE_NAMES
from plumbline_edge.vision.witness import Look
from plumbline_edge.vision.zones import Quad

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

_PHOTO_WH: Final = (1120, 930)
_CANVAS_WH: Final = (400, 320)
_GAP: Final = 24
_HEAD: Final = 104
_LEGEND: Final = 112
_CAPTION: Final = 30
_QUALITY: Final = 88


@dataclass(frozen=True, slots=True, kw_only=True)
class Facade:
    """One facade of a photo. `before` holds its zones in the previous photo, by id; `look` is None where unknown."""

    name: str
    quad: Quad
    floors: int
    bays: int
    zones: tuple[ZoneProgress, ...]
    look: Look | None = None
    before: Mapping[str, ZoneProgress] = field(default_factory=dict)


def draw(
    photo: Photo,
    progress: Progress,
    facades: Sequence[Facade],
    *,
    track: Track,
    caption: str,
    since: float | None = None,
) -> bytes:
    """A JPEG of the masked preview with its zones, a headline, a legend, and each facade as the model saw it.

    `caption` says which photo this is; `since` is the previous photo's percent. Raises Refused without a preview.
    """
    import cv2  # noqa: PLC0415 - 40 MB, only where there are photos

    if not photo.jpeg:
        raise Refused(
            f"photo {photo.photo} has no preview: {', '.join(progress.gate) or 'masked away'}",
            hint="A photo that failed the gate is never shown.",
        )
    preview = np.asarray(cv2.imdecode(np.frombuffer(photo.jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    shown = panels.photo(preview, facades, _PHOTO_WH)
    left = [shown, _legend(track, _PHOTO_WH[0])]
    columns = [
        _stacked(left),
        *(_facade_column(f, preview, alone=len(facades) == 1) for f in facades if f.look),
    ]
    tall = max(column.shape[0] for column in columns)
    wide = sum(column.shape[1] for column in columns) + _GAP * (len(columns) + 1)
    sheet = np.full((_HEAD + tall + _GAP, wide, 3), ink.PAPER, np.uint8)
    x = _GAP
    for column in columns:
        sheet[_HEAD : _HEAD + column.shape[0], x : x + column.shape[1]] = column
        x += column.shape[1] + _GAP
    _headline(sheet, progress, facades, caption, since)
    return bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())


def _headline(
    sheet: Image, progress: Progress, facades: Sequence[Facade], caption: str, since: float | None
) -> None:
    x: float = _GAP
    if progress.percent is None or progress.low is None or progress.high is None:
        ink.text(sheet, "no percent", (x, 58), 30, bold=True)
        x += ink.text_width("no percent", 30, bold=True) + 28
    else:
        big = f"{progress.percent:.0f} %"
        ink.text(sheet, big, (x, 58), 34, bold=True)
        x += ink.text_width(big, 34, bold=True) + 22
        span = f"({progress.low:.0f} - {progress.high:.0f})"
        ink.text(sheet, span, (x, 58), 20, ink.PALE)
        x += ink.text_width(span, 20) + 36
    zones = [zone for facade in facades for zone in facade.zones]
    facts = [f"gate: {', '.join(progress.gate) or 'ok'}"]
    if zones:
        facts.append(f"visible {100 * sum(min(z.visible, 1) for z in zones) / len(zones):.0f} %")
    if progress.shift_px is not None:
        facts.append(f"moved {progress.shift_px:.1f} px")
    facts.append(f"model {progress.model or 'unknown'}")
    ink.text(sheet, "    ".join(facts), (x, 40), 12)
    said = caption
    if since is not None and progress.percent is not None:
        said += f"    {progress.percent - since:+.1f} points since the photo before"
    ink.text(sheet, said, (x, 66), 12, ink.PALE)


def _legend(track: Track, width: int) -> Image:
    """Two rows of stages in their order, and one of what the strokes mean."""
    strip = np.full((_LEGEND, width, 3), ink.PAPER, np.uint8)
    step = width / 4
    for stage, (name, colour) in enumerate(zip(STAGE_NAMES[track], STAGE_BGR, strict=True)):
        x, y = round(step * (stage % 4)), 14 + 30 * (stage // 4)
        strip[y : y + 18, x : x + 26] = colour
        ink.text(strip, f"{stage} {name}", (x + 36, y + 14), 10.5)
    y = 80
    box = np.array([[1.0, y], [26, y], [26, y + 17], [1, y + 17]])
    strip[y : y + 18, 0:26] = panels.UNSEEN
    ink.hatch(strip, box, every=7)
    ink.text(strip, "not visible: last value in ( ), or ? where there is none", (36, y + 14), 10.5)
    changed = box + np.array([width * 0.46, 0])
    panels.border(strip, changed, changed=True)
    ink.text(strip, "changed since the photo before", (width * 0.46 + 36, y + 14), 10.5)
    ink.falling(strip, (width * 0.78 + 13, y + 9), 18)
    ink.text(strip, "fell below what it was", (width * 0.78 + 36, y + 14), 10.5)
    return strip


def _facade_column(facade: Facade, preview: Image, *, alone: bool) -> Image:
    look = facade.look
    assert look is not None
    canvas = panels.straight_on(preview, facade)
    named = "" if alone else f"{facade.name}: "
    parts: list[tuple[str, Any]] = [
        (f"{named}before the works (day 0)", panels.day0(look, _CANVAS_WH)),
        (f"{named}this photo, seen straight on", panels.now(canvas, facade, _CANVAS_WH)),
        (f"{named}stage the model sees at each place", panels.stages(canvas, look, facade, _CANVAS_WH)),
    ]
    return _stacked([_captioned(words, picture) for words, picture in parts])


def _captioned(words: str, picture: Image) -> Image:
    part = np.full((picture.shape[0] + _CAPTION, picture.shape[1], 3), ink.PAPER, np.uint8)
    part[: picture.shape[0]] = picture
    ink.text(part, words, (0, picture.shape[0] + 17), 9.5, ink.PALE)
    return part


def _stacked(parts: Sequence[Image]) -> Image:
    wide = max(part.shape[1] for part in parts)
    column = np.full((sum(part.shape[0] for part in parts), wide, 3), ink.PAPER, np.uint8)
    y = 0
    for part in parts:
        column[y : y + part.shape[0], : part.shape[1]] = part
        y += part.shape[0]
    return column
