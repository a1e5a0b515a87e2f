"""Zone readings to the site's percent with an honest interval; what was hidden keeps its last value and says so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from plumbline.messages import ZoneProgress
from plumbline_edge.vision.zones import ZoneReading

MIN_KNOWN: Final = 0.5
"""Share of the weight that must have been seen, now or before, for a site percent."""
MIN_SEEN_NOW: Final = 0.1
"""Share of the weight that must be seen now: else the photo would only repeat yesterday's."""
DRIFT_PP_PER_DAY: Final = 1.0
"""How much wider a held value's interval grows each day on each side [E]."""
MOST_ZERO: Final = 30.0
_TOE: Final = 4.0
_LEAST_VISIBLE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The last time a zone could be seen: its percent then, and when."""

    percent: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """The site's percent 0..100 with its 90 % interval, or None with reasons; `held` is for the next photo.

    A zone with `visible` 0 and no stage but a percent repeats its last value.
    """

    percent: float | None
    low: float | None
    high: float | None
    gate: tuple[str, ...]
    zones: tuple[ZoneProgress, ...]
    held: dict[str, Held]


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


def combine(
    readings: Sequence[ZoneReading],
    weights: Sequence[float],
    last: Mapping[str, Held],
    at: datetime,
    *,
    interval_pp: float,
    zone_interval_pp: float | None = None,
) -> Combined:
    """The weighted percent of all zones at `at`.

    `interval_pp` is the model's 90 % half width for a whole site fully seen, `zone_interval_pp` for one zone. Both
    grow by 1/sqrt of the visible share. A hidden zone counts with its last value, drifting; a zone never seen counts
    as the others' mean, give or take 50. Below MIN_KNOWN known or MIN_SEEN_NOW seen weight there is no percent.
    """
    half_zone = zone_interval_pp if zone_interval_pp is not None else interval_pp
    zones, held = [], dict(last)
    known_weight = seen_weight = clear_weight = total = extra = 0.0
    for reading, weight in zip(readings, weights, strict=True):
        before = last.get(reading.id)
        if reading.percent is not None:
            half = half_zone / math.sqrt(max(reading.visible, _LEAST_VISIBLE))
            held[reading.id] = Held(percent=reading.percent, at=at)
            seen_weight += weight
            clear_weight += weight * min(reading.visible, 1.0)
            total += weight * reading.percent
            zones.append(_zone(reading.id, reading.percent, half, reading.visible, reading.stage))
        elif before is not None:
            days = max((at - before.at) / timedelta(days=1), 0.0)
            half = half_zone / math.sqrt(_LEAST_VISIBLE) + DRIFT_PP_PER_DAY * days
            extra += weight * DRIFT_PP_PER_DAY * days
            total += weight * before.percent
            zones.append(_zone(reading.id, before.percent, half, 0.0, None))
        else:
            zones.append(
                ZoneProgress(id=reading.id, percent=None, low=None, high=None, visible=reading.visible)
            )
            continue
        known_weight += weight
    if known_weight < MIN_KNOWN or seen_weight < MIN_SEEN_NOW:
        return Combined(
            percent=None, low=None, high=None, gate=("NOT_VISIBLE",), zones=tuple(zones), held=held
        )
    percent = min(total / known_weight, 100.0)
    half = interval_pp / math.sqrt(max(clear_weight, _LEAST_VISIBLE)) + extra + 50 * max(1 - known_weight, 0)
    low, high = _bounds(percent, half)
    return Combined(percent=percent, low=low, high=high, gate=(), zones=tuple(zones), held=held)


def _zone(name: str, percent: float, half: float, visible: float, stage: int | None) -> ZoneProgress:
    low, high = _bounds(percent, half)
    return ZoneProgress(id=name, percent=percent, low=low, high=high, visible=visible, stage=stage)


def _bounds(percent: float, half: float) -> tuple[float, float]:
    return max(percent - half, 0.0), min(percent + half, 100.0)
