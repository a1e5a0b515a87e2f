"""A course's sightings through the gateway's second half: zero point, zones through time, the site's percent.

Only arithmetic: what was seen once can be replayed with other intervals, or photo by photo without any memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline_edge.vision import course as zone_course
from plumbline_edge.vision.interval import Widths
from plumbline_edge.vision.progress import combine, from_zero
from plumbline_edge.vision.zones import doubt, percent_of
from plumbline_train.evaluate.doorkeeper import BEGIN
from plumbline_train.evaluate.sightings import Course, Shot

Floats = NDArray[np.float64]
UNMEASURED: Final = Widths(site_pp=(10.0,), zone_pp=(10.0,))
"""Before any interval is known: only how far a zone must fall to be doubted depends on it."""


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


def through_time(course: Course, widths: Widths = UNMEASURED) -> Said:
    """Each accepted photo after the ones before it, as the gateway tells it, and how sure it is by `widths`."""
    zero = zero_point(course)
    before: dict[str, zone_course.Course] = {}
    shots, zones = len(course.shots), course.weights.size
    site, low, high = (np.full(shots, np.nan) for _ in range(3))
    zone, zone_low, zone_high = (np.full((shots, zones), np.nan) for _ in range(3))
    for i, shot in enumerate(course.shots):
        if shot.gate:
            continue
        combined = combine(
            from_zero(shot.readings(course.floors, course.bays), zero), course.weights.tolist(), before,
            BEGIN + timedelta(days=shot.day), widths=widths,
        )  # fmt: skip
        before = combined.courses
        site[i], low[i], high[i] = map(_number, (combined.percent, combined.low, combined.high))
        zone[i] = [_number(one.percent) for one in combined.zones]
        zone_low[i] = [_number(one.low) for one in combined.zones]
        zone_high[i] = [_number(one.high) for one in combined.zones]
    seen = course.accepted[:, None] & ~np.isnan(course.stacked("percent"))
    return Said(
        site=site, site_low=low, site_high=high, zones=zone, zones_low=zone_low, zones_high=zone_high, seen=seen
    )  # fmt: skip


def zero_point(course: Course) -> dict[str, float]:
    """What the model says of each zone before the works, the newest photo counting as much as all earlier ones."""
    zero: dict[str, tuple[float, ...]] = {}
    for readings in course.before:
        for reading in readings:
            if reading.percent is not None:
                before = zero.get(reading.id, reading.reached)
                zero[reading.id] = tuple((a + b) / 2 for a, b in zip(reading.reached, before, strict=True))
    return {zone: percent_of(reached, course.values) for zone, reached in zero.items()}


def zone_doubts(shot: Shot) -> Floats:
    """How undecided the model is of each zone it saw; NaN for those it did not."""
    return np.array(
        [
            doubt(shot.reached[i].tolist()) if not np.isnan(shot.percent[i]) else np.nan
            for i in range(shot.percent.size)
        ]
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
