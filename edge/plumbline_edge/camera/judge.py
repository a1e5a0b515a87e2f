"""A photo's bytes to its records: shot, model, zones, courses, percent, mask. Pure but for the model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from plumbline.errors import ConfigError, Refused
from plumbline.messages import Basis
from plumbline.stages import DEFAULT_VALUES
from plumbline_edge.camera import align, gate, privacy, records
from plumbline_edge.camera.memory import Memory, config_name
from plumbline_edge.camera.records import Captured
from plumbline_edge.camera.shot import Shot, Unusable, digest_of, taken
from plumbline_edge.settings import CameraSettings, FacadeSettings
from plumbline_edge.vision.calibration import IDENTITY, Calibration, calibrated, checked, site_widths
from plumbline_edge.vision.course import CREW_MARGIN, MAX_RISE_PP
from plumbline_edge.vision.interval import of_card
from plumbline_edge.vision.model import Outputs, StageModel
from plumbline_edge.vision.preprocess import to_input
from plumbline_edge.vision.progress import all_weights, combine, from_zero
from plumbline_edge.vision.view import CANVAS_QUAD, View
from plumbline_edge.vision.zones import ZoneReading, percent_of, pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

DAY0_WITHIN: Final = 3
DAY0_MAX_LOW: Final = 5.0
"""One of the first DAY0_WITHIN accepted photos becomes the day-0 reference, if its 90 % interval reaches down to
DAY0_MAX_LOW percent: a gateway that arrives in the middle of a project must not take that for the beginning."""

ModelLoader = Callable[[], StageModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one photo's bytes came to, and the memory for the next; `readings` are the zones as the model sees them."""

    captured: Captured
    memory: Memory
    new_day0: bool = False
    new_reference: bool = False
    readings: tuple[ZoneReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Look:
    """One facade as the model was shown it, and what it said."""

    facade: FacadeSettings
    view: View
    canvas: NDArray[np.uint8]
    outputs: Outputs
    readings: tuple[ZoneReading, ...]


def judge(
    raw: bytes | Sequence[bytes],
    at: datetime,
    settings: CameraSettings,
    load_model: ModelLoader,
    memory: Memory,
    *,
    day0_until: datetime | None = None,
    calibration: Calibration = IDENTITY,
    clock_set: bool = True,
) -> Judged:
    """One photo's bytes, or those of a burst, to its records; `at` in the site's time zone. Blocks for 0.1 s and more.

    Each usable photo before `day0_until` becomes the day-0 reference, and is judged against itself. One that fails
    the gate leaves the memory as it was, but for its digest and what is usual.
    """
    raws = [raw] if isinstance(raw, bytes) else [one for one in dict.fromkeys(raw) if one] or [b""]
    digest = digest_of(raws)
    try:
        shot = taken(
            raws,
            at,
            memory,
            settings.all_facades(),
            max_megapixels=settings.max_megapixels,
            clock_set=clock_set,
        )
    except Unusable as why:
        after = _after_refusal(memory, why, at if clock_set else None)
        return _rejected(settings, at, after, digest, why.codes, why.shift_px)
    return _judge_shot(shot, at, settings, load_model, memory, digest, day0_until, calibration)


def _judge_shot(
    shot: Shot,
    at: datetime,
    settings: CameraSettings,
    load_model: ModelLoader,
    memory: Memory,
    digest: str,
    day0_until: datetime | None,
    calibration: Calibration,
) -> Judged:
    """The rest of `judge`, for a picture that shows something."""
    before_works = day0_until is not None and at < day0_until
    memory = refused = replace(memory, baseline=shot.baseline)
    try:
        model = load_model()
        memory = memory.judged_by(model.card.id)
        widths = of_card(
            model.card.interval,
            settings.track,
            site_pp=model.card.interval_pp[settings.track],
            zone_pp=model.card.zone_interval_pp[settings.track],
        )
        looks = _looks(shot, settings, model, memory)
        if before_works:
            memory = replace(memory, day0=_day0(looks, settings))
            looks = _looks(shot, settings, model, memory)
    except (ConfigError, Refused) as why:
        log.warning("the model gave nothing for camera %s: %s", settings.name, why)
        return _rejected(settings, at, refused, digest, ("MODEL",), shot.shift_px)
    quality = np.mean([look.outputs.quality for look in looks], axis=0).tolist()
    if codes := gate.judge_quality(quality, gate.QUALITY_LIMITS | model.card.quality_limits):
        return _rejected(settings, at, refused, digest, codes, shot.shift_px)
    try:
        calibration = checked(calibration, settings.name, model.card.id)
    except Refused as why:
        log.warning("camera %s: %s. %s", settings.name, why, why.hint)
        return _rejected(settings, at, refused, digest, ("CALIBRATION",), shot.shift_px)
    config, readings = config_name(settings), tuple(reading for look in looks for reading in look.readings)
    if before_works:
        memory = replace(memory, zero=_zero(readings, memory))
    combined = combine(
        _mended(readings, settings, memory, calibration),
        all_weights(settings.all_facades()),
        memory.courses,
        at,
        widths=site_widths(calibration, widths, config),
        max_rise_pp=CREW_MARGIN * settings.crew_rate if settings.crew_rate else MAX_RISE_PP,
    )
    adopted = (
        day0_until is None
        and not memory.day0
        and memory.accepted < DAY0_WITHIN
        and combined.low is not None
        and combined.low <= DAY0_MAX_LOW
    )
    if before_works and combined.gate:  # a net before it all shows nothing of what was there
        memory = replace(memory, day0=refused.day0)
    seen = [(look.view, look.outputs.aux) for look in looks]
    return Judged(
        captured=records.judged(
            settings,
            at,
            digest,
            combined,
            masked=privacy.mask(
                shot.picture,
                privacy.clear_mask(seen),
                hfov_deg=settings.hfov_deg,
                distance_m=settings.distance_m,
            ),
            model=model.card.id,
            shift_px=shot.shift_px,
            basis=Basis(config=config, calibration=calibration.counter, frames=shot.frames),
        ),
        memory=replace(
            memory,
            accepted=memory.accepted + 1,
            last_at=at,
            late=0,
            courses=combined.courses,
            day0=_day0(looks, settings) if adopted else memory.day0,
            reference=memory.reference
            or align.reference(shot.picture, shot.facades, privacy.private_places(seen)),
        ),
        new_day0=adopted or (before_works and not combined.gate),
        new_reference=memory.reference is None,
        readings=readings,
    )


def _after_refusal(memory: Memory, why: Unusable, at: datetime | None) -> Memory:
    """`at` is None where nobody has set the clock: such a time never shows that the newest photo's was wrong."""
    after = replace(memory, baseline=why.baseline)
    late = at is not None and memory.last_at is not None and at < memory.last_at
    return after.noticing_late(at) if at is not None and late and "CLOCK" in why.codes else after


def _rejected(
    settings: CameraSettings,
    at: datetime,
    memory: Memory,
    digest: str,
    codes: tuple[str, ...],
    shift_px: float | None,
) -> Judged:
    return Judged(
        captured=records.unusable(settings, at, codes, digest=digest, shift_px=shift_px), memory=memory
    )


def _looks(shot: Shot, settings: CameraSettings, model: StageModel, memory: Memory) -> tuple[_Look, ...]:
    height, width = shot.picture.shape[:2]
    return tuple(
        _look(shot, facade, View(facade.quad, (width, height), model.size_hw), settings, model, memory)
        for facade in settings.all_facades()
    )


def _look(
    shot: Shot,
    facade: FacadeSettings,
    view: View,
    settings: CameraSettings,
    model: StageModel,
    memory: Memory,
) -> _Look:
    canvas = view.cut(shot.picture)
    outputs = model.run(to_input(canvas, memory.day0.get(facade.name), model.size_hw), settings.track)
    readings = pool(
        outputs.stage,
        outputs.aux,
        CANVAS_QUAD,
        facade.floors,
        facade.bays,
        _values(facade, settings),
        prefix=facade.prefix,
        shown=view.cells_shown(shot.shown, outputs.stage.shape[1:]),
    )
    return _Look(facade=facade, view=view, canvas=canvas, outputs=outputs, readings=readings)


def _values(facade: FacadeSettings, settings: CameraSettings) -> tuple[float, ...]:
    return facade.values or DEFAULT_VALUES[settings.track]


def _mended(
    readings: tuple[ZoneReading, ...], settings: CameraSettings, memory: Memory, calibration: Calibration
) -> tuple[ZoneReading, ...]:
    """On the site's scale, and with what the model says of untouched zones taken for 0 percent."""
    values = {
        zone.id: _values(facade, settings)
        for facade, zones in zip(settings.all_facades(), _by_facade(readings, settings), strict=True)
        for zone in zones
    }
    scaled = calibrated(readings, calibration, values)
    untouched = [
        ZoneReading(id=zone, percent=0.0, visible=1.0, stage=0, reached=reached)
        for zone, reached in memory.zero.items()
        if zone in values
    ]
    zero = {
        reading.id: percent_of(reading.reached, values[reading.id])
        for reading in calibrated(untouched, calibration, values)
    }
    return from_zero(scaled, zero)


def _by_facade(readings: tuple[ZoneReading, ...], settings: CameraSettings) -> list[list[ZoneReading]]:
    return [
        [r for r in readings if r.id.rpartition(".")[0] == facade.name] for facade in settings.all_facades()
    ]


def _zero(readings: Sequence[ZoneReading], memory: Memory) -> dict[str, tuple[float, ...]]:
    """What the model says of each zone before the works, the newest picture counting as much as all earlier ones."""
    after = dict(memory.zero)
    for reading in readings:
        if reading.percent is not None:
            before = memory.zero.get(reading.id, reading.reached)
            after[reading.id] = tuple((a + b) / 2 for a, b in zip(reading.reached, before, strict=True))
    return after


def _day0(looks: Sequence[_Look], settings: CameraSettings) -> dict[str, NDArray[np.uint8]]:
    """The canvases with nobody recognisable in them: the only pictures that are ever kept on disk."""
    return {
        look.facade.name: privacy.faceless(
            privacy.hide_people(look.canvas, look.outputs.aux),
            look.view,
            hfov_deg=settings.hfov_deg,
            distance_m=settings.distance_m,
        )
        for look in looks
    }
