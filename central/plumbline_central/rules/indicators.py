"""Indicators off their plan, and meters off what is usual for them: values to conditions, through one band each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from plumbline_central.alerts.alert import Fact, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.deviation import (
    Band,
    Point,
    Seen,
    Side,
    Verdict,
    Watch,
    off_plan,
    revise,
    settle,
    step,
)
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.points import IndicatorPoints
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Metered

_SURELY: Final = 3.0

Judged = Sequence[tuple[Seen, float | None]]
"""Values with what was planned at their time, ascending."""


def band_of(indicator: Indicator, default: Band) -> Band:
    """Both sides count for what is summed up to 100 %; of all else only the bad side does.

    What a person hands in has no noise to wait for: one value is enough. Of what meters count, two.
    """
    bad: Side = "behind" if indicator.direction == "more" else "ahead"
    both = indicator.kind == "percent" and indicator.cumulative and indicator.direction == "more"
    own = indicator.threshold
    return replace(
        default,
        raise_over_pp=own.raise_over if own else default.raise_over_pp,
        clear_below_pp=own.clear_below if own else default.clear_below_pp,
        hold_observations=1 if indicator.source.kind == "pushed" else default.hold_observations,
        fresh_for_s=indicator.fresh_for_d * 86_400,
        kind=indicator.kind,
        side=None if both else bad,
    )


def judged(points: IndicatorPoints) -> Judged:
    """An indicator's points as the band takes them: exact numbers, so without an interval."""
    kind = points.indicator.kind
    return [
        (Seen(ref=one.ref, at=one.at, percent=one.value, gate=one.flags, kind=kind), one.planned)
        for one in points.points
    ]


def follow(watch: Watch, values: Judged, band: Band, *, version: int = 0) -> Watch:
    """The watch after `values`: what was corrected or planned anew is judged anew, what is late changes nothing."""
    if version != watch.plan_version:
        watch = replace(watch, plan_version=version)
    if not values:
        return watch
    known = {seen.at: (seen, planned) for seen, planned in values}

    def as_known(point: Point) -> Point | None:
        if point.at < values[0][0].at:
            return point
        seen, planned = known.get(point.at, (None, None))
        if seen is None or not seen.valid or seen.percent is None or planned is None:
            return None
        if (seen.ref, seen.percent, planned) == (point.ref, point.percent, point.planned):
            return point
        return replace(point, ref=seen.ref, percent=seen.percent, planned=planned)

    watch = _settled(revise(watch, as_known, band), band)
    for seen, planned in values:
        watch = _settled(step(watch, seen, planned, band), band)
    return watch


def _settled(after: tuple[Watch, Verdict | None], band: Band) -> Watch:
    watch, verdict = after
    while verdict is not None:
        watch, verdict = settle(watch, band)
    return watch


def off_its_plan(points: IndicatorPoints, watch: Watch) -> Condition | None:
    """The condition while the watch says so; the reader of the alert sees the newest value that counted."""
    if watch.firing is None or not watch.recent:
        return None
    one = points.indicator
    return _condition(one.site, one.id, watch, one.kind == "quantity", one.unit)


def days_of(meter: Metered) -> Judged:
    """A meter's whole days beside what is usual for them."""
    return [
        (
            Seen(ref=day.on.isoformat(), at=day.start, percent=day.energy_kwh, kind="quantity"),
            day.usual_kwh,
        )
        for day in meter.days
    ]


def usual_band(meter: Metered, limits: Limits, default: Band) -> Band:
    """As wide as this meter's days usually are, and at least as the limits say."""
    wide = max(
        (100 * _SURELY * day.spread_kwh / day.usual_kwh for day in meter.days if day.usual_kwh > 0),
        default=0.0,
    )
    rises = max(limits.energy_over_percent, wide)
    return replace(
        default,
        raise_over_pp=rises,
        clear_below_pp=min(rises, max(limits.energy_clear_percent, wide * 2 / 3)),
        kind="quantity",
    )


def off_usual(meter: Metered, watch: Watch) -> Condition | None:
    if watch.firing is None or not watch.recent:
        return None
    found = _condition(meter.site, meter.device, watch, True, "kWh")
    return replace(found, gateway=meter.gateway, facts={**found.facts, "basis": "usual"})


def _condition(site: str, subject: str, watch: Watch, is_quantity: bool, unit: str) -> Condition:
    newest, first = watch.recent[-1], watch.recent[0]
    off = off_plan(newest.percent, newest.planned, "quantity" if is_quantity else "percent") or 0.0
    facts: dict[str, Fact] = {
        "value": round(newest.percent, 2),
        "plan": round(newest.planned, 2),
        "unit": unit,
        "off_percent": round(abs(off), 1),
    }
    return Condition(
        slot=Slot(site=site, rule="deviation", subject=subject),
        severity=watch.severity or "amber",
        since=first.at,
        facts=facts,
        evidence=f"{newest.ref}/plan-{watch.plan_version}",
    )
