"""Zone readings to the site's percent with an honest interval; what was hidden keeps its last value and says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from plumbline.messages import ZoneProgress
from plumbline_edge.settings import FacadeSettings
from plumbline_edge.vision.course import MAX_RISE_PP, Course, Regress, is_doubted, step
from plumbline_edge.vision.interval import DRIFT_PP_PER_DAY, LEAST_VISIBLE, Widths, bounds
from plumbline_edge.vision.zones import ZoneReading, doubt

MIN_KNOWN: Final = 0.5
"""Share of the weight that must have been seen, now or before, for a site percent."""
MIN_SEEN_NOW: Final = 0.1
"""Share of the weight that must be seen now: else the photo would only repeat yesterday's."""
MOST_ZERO: Final = 30.0
_TOE: Final = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The camera's percent 0..100 with its 90 % interval, or None with reasons; `courses` is for the next photo.

    A zone with `visible` 0 and no stage but a percent repeats its last value. `fallen` are the zones that were just
    found to have fallen back for good.
    """

    percent: float | None
    low: float | None
    high: float | None
    gate: tuple[str, ...]
    zones: tuple[ZoneProgress, ...]
    courses: dict[str, Course]
    fallen: dict[str, Regress]


def flat_weights(weights: Sequence[Sequence[float]] | None, floors: int, bays: int) -> tuple[float, ...]:
    """One weight per zone, floor by floor from the ground, adding up to 1; equal where none are given."""
    rows = weights if weights is not None else [[1.0] * bays] * floors
    flat = [float(w) for row in rows for w in row]
    total = math.fsum(flat)
    return tuple(w / total for w in flat)


def from_zero(readings: Sequence[ZoneReading], zero: Mapping[str, float]) -> tuple[ZoneReading, ...]:
    """`readings` with the toe of the scale mended: what a zone showed when the truth was 0 percent becomes 0.

    A model that sees 6 percent in untouched ground would be 6 points ahead of every plan's beginning. Only the toe,
    up to a third more than that value, is stretched: further up the model's offset is gone (tests/bench/courses.py;
    a scale stretched as a whole doubled the error there). More than MOST_ZERO is not believed to be the model's own.
    """
    return tuple(_from_zero(reading, min(zero.get(reading.id, 0.0), MOST_ZERO)) for reading in readings)


def _from_zero(reading: ZoneReading, zero: float) -> ZoneReading:
    if reading.percent is None:
        return reading
    return replace(reading, percent=min(reading.percent, max(_TOE * (reading.percent - zero), 0.0)))


def all_weights(facades: Sequence[FacadeSettings]) -> tuple[float, ...]:
    """One weight per zone of all facades in their order, adding up to 1."""
    zones = [facade.floors * facade.bays for facade in facades]
    shares = [
        facade.share if facade.share is not None else count / sum(zones)
        for facade, count in zip(facades, zones, strict=True)
    ]
    return tuple(
        share * weight / math.fsum(shares)
        for facade, share in zip(facades, shares, strict=True)
        for weight in flat_weights(facade.weights, facade.floors, facade.bays)
    )


def combine(
    readings: Sequence[ZoneReading],
    weights: Sequence[float],
    last: Mapping[str, Course],
    at: datetime,
    *,
    widths: Widths,
    max_rise_pp: float = MAX_RISE_PP,
) -> Combined:
    """The weighted percent of all zones at `at`, in the site's time zone; each zone in line with its days before.

    A hidden zone counts with its last value, drifting; a zone never seen counts as the others' mean, give or take 50.
    Below MIN_KNOWN known or MIN_SEEN_NOW seen weight there is no percent.
    """
    judged = [
        _judged(reading, last.get(reading.id, Course()), at, widths, max_rise_pp) for reading in readings
    ]
    pairs = list(zip(judged, weights, strict=True))
    zones = tuple(one.zone for one in judged)
    courses = {**last, **{one.zone.id: one.course for one in judged if one.course.at is not None}}
    fallen = {one.zone.id: one.regress for one in judged if one.regress is not None}
    known = math.fsum(weight for one, weight in pairs if one.zone.percent is not None)
    seen = math.fsum(weight for one, weight in pairs if one.seen)
    if known < MIN_KNOWN or seen < MIN_SEEN_NOW:
        return Combined(
            percent=None, low=None, high=None, gate=("NOT_VISIBLE",), zones=zones, courses=courses, fallen=fallen
        )  # fmt: skip

    def mean(of: Callable[[_Judged], float]) -> float:
        return math.fsum(weight * of(one) for one, weight in pairs if one.zone.percent is not None) / known

    percent = min(mean(lambda one: one.zone.percent or 0.0), 100.0)
    clear = math.fsum(weight * one.zone.visible for one, weight in pairs if one.seen)
    half = widths.site(percent, clear, mean(lambda one: one.doubt))
    half += known * mean(lambda one: one.drift_pp) + 50 * max(1 - known, 0)
    low, high = bounds(percent, half, also_below=percent - mean(lambda one: one.sunk_pp))
    return Combined(percent=percent, low=low, high=high, gate=(), zones=zones, courses=courses, fallen=fallen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One zone of one photo. `sunk_pp` is how far below the held level it shows itself, if that is not believed yet."""

    zone: ZoneProgress
    course: Course
    seen: bool
    doubt: float = 1.0
    drift_pp: float = 0.0
    sunk_pp: float = 0.0
    regress: Regress | None = None


def _judged(
    reading: ZoneReading, course: Course, at: datetime, widths: Widths, max_rise_pp: float
) -> _Judged:
    if reading.percent is None:
        return _hidden(reading, course, at, widths)
    undecided = doubt(reading.reached) if reading.reached else 0.0
    half = widths.zone(reading.percent, reading.visible, undecided)
    late = course.at is not None and at < course.at
    after, regress = step(course, reading.percent, reading.visible, at, half_pp=half, max_rise_pp=max_rise_pp)
    percent = reading.percent if late or after.level is None else after.level
    sunk = percent - reading.percent if is_doubted(after) and not late else 0.0
    low, high = bounds(percent, half, also_below=min(reading.percent, percent) if sunk > 0 else None)
    zone = ZoneProgress(
        id=reading.id,
        percent=percent,
        low=low,
        high=high,
        visible=reading.visible,
        stage=reading.stage,
        raw=reading.percent,
        regress=after.fell_from is not None and not late,
    )
    return _Judged(
        zone=zone, course=after, seen=True, doubt=undecided, sunk_pp=max(sunk, 0.0), regress=regress
    )


def _hidden(reading: ZoneReading, course: Course, at: datetime, widths: Widths) -> _Judged:
    if course.level is None or course.at is None or at < course.at:
        unknown = ZoneProgress(id=reading.id, percent=None, low=None, high=None, visible=reading.visible)
        return _Judged(zone=unknown, course=course, seen=False)
    drift = DRIFT_PP_PER_DAY * ((at - course.at) / timedelta(days=1))
    low, high = bounds(course.level, widths.zone(course.level, LEAST_VISIBLE, 0.0) + drift)
    held = ZoneProgress(
        id=reading.id,
        percent=course.level,
        low=low,
        high=high,
        visible=0.0,
        regress=course.fell_from is not None,
    )
    return _Judged(zone=held, course=course, seen=False, doubt=0.0, drift_pp=drift)
