"""The records that a photo becomes, whether it could be judged or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from plumbline.messages import Basis, Event, EventCode, Facade, Photo, Progress
from plumbline_edge.camera.privacy import METHOD, Preview
from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.course import Regress
from plumbline_edge.vision.progress import Combined

_ZONES_NAMED: Final = 12
_Quad = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """The records of one photo.

    Where `progress.gate` names a reason there is no percent; and no picture either, except with NOT_VISIBLE, where the
    model did look and so can mask.
    """

    progress: Progress
    photo: Photo
    events: tuple[Event, ...] = ()


def judged(
    settings: CameraSettings,
    at: datetime,
    digest: str,
    combined: Combined,
    *,
    masked: Preview,
    model: str,
    shift_px: float | None,
    basis: Basis,
) -> Captured:
    """The records of a photo that the model has seen."""
    name = photo_name(settings.name, at)
    quad, grid, facades = _outlines(settings)
    return Captured(
        progress=Progress(
            camera=settings.name,
            photo=name,
            percent=_rounded(combined.percent),
            low=_rounded(combined.low),
            high=_rounded(combined.high),
            gate=combined.gate,
            zones=tuple(
                msgspec.structs.replace(
                    zone,
                    percent=_rounded(zone.percent),
                    low=_rounded(zone.low),
                    high=_rounded(zone.high),
                    visible=round(zone.visible, 3),
                    raw=_rounded(zone.raw),
                )
                for zone in combined.zones
            ),
            model=model,
            quad=quad,
            grid=grid,
            facades=facades,
            shift_px=_rounded(shift_px),
            basis=basis,
        ),
        photo=Photo(
            camera=settings.name,
            photo=name,
            jpeg=masked.jpeg,
            width_px=masked.width_px,
            height_px=masked.height_px,
            mask=f"{METHOD} {model}",
            source=digest,
        ),
        events=_events(settings.name, combined.fallen),
    )


def unusable(
    settings: CameraSettings,
    at: datetime,
    codes: tuple[str, ...],
    *,
    digest: str = "",
    shift_px: float | None = None,
) -> Captured:
    """The records of a photo that says nothing: no percent, no zones, no picture, and why; `digest` if one came."""
    name = photo_name(settings.name, at)
    quad, grid, facades = _outlines(settings)
    return Captured(
        progress=Progress(
            camera=settings.name,
            photo=name,
            percent=None,
            low=None,
            high=None,
            gate=codes,
            quad=quad,
            grid=grid,
            facades=facades,
            shift_px=_rounded(shift_px),
        ),
        photo=Photo(camera=settings.name, photo=name, source=digest),
    )


def photo_name(camera: str, at: datetime) -> str:
    """How the records of one photo name it: camera and UTC second."""
    return f"{camera}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _outlines(settings: CameraSettings) -> tuple[_Quad, tuple[int, int], tuple[Facade, ...]]:
    """The record's `quad`, `grid` and `facades`: one facade stands in the first two, several in the last."""
    facades = settings.all_facades()
    if len(facades) == 1 and not facades[0].name:
        return facades[0].quad, (facades[0].floors, facades[0].bays), ()
    named = tuple(Facade(name=f.name, quad=f.quad, grid=(f.floors, f.bays)) for f in facades)
    return (), (0, 0), named


def _events(camera: str, fallen: dict[str, Regress]) -> tuple[Event, ...]:
    if not fallen:
        return ()
    zones = [f"{zone} {by.before:.0f} to {by.after:.0f} %" for zone, by in fallen.items()]
    more = f" and {len(zones) - _ZONES_NAMED} more" if len(zones) > _ZONES_NAMED else ""
    said = f"{', '.join(zones[:_ZONES_NAMED])}{more}: rework, demolition, a moved camera or a cover?"
    return (Event(code=EventCode.ZONE_REGRESS, subject=camera, text=said),)


def _rounded(percent: float | None) -> float | None:
    """To a hundredth of a point: finer is noise that costs bytes."""
    return None if percent is None else round(percent, 2)
