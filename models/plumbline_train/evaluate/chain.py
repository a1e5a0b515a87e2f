"""A course's sightings through the gateway's second half: zero point, held and filtered zones, the site's percent.

Only arithmetic: what was seen once can be replayed with other intervals, or photo by photo without any memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline_edge.vision.progress import Held, combine, from_zero
from plumbline_edge.vision.zones import ZoneReading
from plumbline_train.evaluate.intervals import Intervals
from plumbline_train.evaluate.sightings import Course

Floats = NDArray[np.float64]
BEGIN: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
_UNUSED_PP: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the gateway says of a course: one row per shot, NaN where it says nothing."""

    site: Floats
    site_low: Floats
    site_high: Floats
    zones: Floats
    """[shots, zones], held values among them."""
    zones_low: Floats
    zones_high: Floats
    seen: NDArray[np.bool_]
    """Which zones were seen in that very photo, [shots, zones]."""


def photo_by_photo(course: Course) -> Said:
    """Each accepted photo on its own, as if there were no other: the model's word without the gateway's memory."""
    zones = np.where(course.accepted[:, None], course.stacked("percent"), np.nan)
    known = ~np.isnan(zones)
    weight = (course.weights * known).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        site = np.where(weight > 0, (np.nan_to_num(zones) * course.weights).sum(axis=1) / weight, np.nan)
    nothing, nowhere = np.full(site.shape, np.nan), np.full(zones.shape, np.nan)
    return Said(
        site=site, site_low=nothing, site_high=nothing, zones=zones, zones_low=nowhere, zones_high=nowhere, seen=known
    )  # fmt: skip


def through_time(course: Course, intervals: Intervals | None = None) -> Said:
    """Each accepted photo after the ones before it, as the gateway tells it; with `intervals` also how sure it is."""
    zero = _zero(course.before)
    held: dict[str, Held] = {}
    site = np.full(len(course.shots), np.nan)
    zones = np.full((len(course.shots), course.weights.size), np.nan)
    for i, shot in enumerate(course.shots):
        if shot.gate:
            continue
        readings = from_zero(shot.readings(course.floors, course.bays), zero)
        combined = combine(
            readings, course.weights.tolist(), held, BEGIN + timedelta(days=shot.day), interval_pp=_UNUSED_PP
        )
        held = combined.held
        site[i] = np.nan if combined.percent is None else combined.percent
        zones[i] = [np.nan if zone.percent is None else zone.percent for zone in combined.zones]
    seen = course.accepted[:, None] & ~np.isnan(course.stacked("percent"))
    nothing = np.full(site.shape, np.nan), np.full(site.shape, np.nan)
    low, high = intervals.site(site) if intervals else nothing
    blank = np.full(zones.shape, np.nan), np.full(zones.shape, np.nan)
    zones_low, zones_high = intervals.zone(zones) if intervals else blank
    return Said(
        site=site, site_low=low, site_high=high, zones=zones, zones_low=zones_low, zones_high=zones_high, seen=seen
    )  # fmt: skip


def _zero(before: Sequence[Sequence[ZoneReading]]) -> dict[str, float]:
    """What the model says of each zone before the works, the newest photo counting as much as all earlier ones."""
    zero: dict[str, float] = {}
    for readings in before:
        for reading in readings:
            if reading.percent is not None:
                zero[reading.id] = (reading.percent + zero.get(reading.id, reading.percent)) / 2
    return zero
