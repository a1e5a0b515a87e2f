"""Readings, indicator values and alerts as rows of tables, read piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from plumbline.metrics import Flaw
from plumbline_central.alerts.alert import Alert
from plumbline_central.alerts.entries import Wanted
from plumbline_central.export.table import Row, Table
from plumbline_central.export.walk import walk
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.points import IndicatorPoint, IndicatorPoints
from plumbline_central.stores.port import Reading

READINGS: Final = Table(
    name="readings",
    columns=(
        ("site", "text"), ("gateway", "text"), ("device", "text"), ("metric", "text"), ("time", "time"),
        ("value", "number"), ("unit", "text"), ("quality", "text"), ("flaw", "text"),
    ),
)  # fmt: skip
INDICATORS: Final = Table(
    name="indicators",
    columns=(
        ("site", "text"), ("indicator", "text"), ("time", "time"), ("value", "number"), ("low", "number"),
        ("high", "number"), ("planned", "number"), ("unit", "text"), ("quality", "text"), ("flags", "text"),
        ("seen_by", "text"),
    ),
)  # fmt: skip
ALERTS: Final = Table(
    name="alerts",
    columns=(
        ("id", "whole"), ("site", "text"), ("rule", "text"), ("subject", "text"), ("severity", "text"),
        ("shown", "text"), ("since", "time"), ("raised_at", "time"), ("deviation", "number"), ("planned", "number"),
        ("actual", "number"), ("low", "number"), ("high", "number"), ("unit", "text"), ("gateway", "text"),
        ("facts", "text"), ("photos", "text"), ("assigned_to", "text"), ("acknowledged_by", "text"),
        ("acknowledged_at", "time"), ("rectified_by", "text"), ("rectified_at", "time"), ("cleared_at", "time"),
        ("closed_at", "time"), ("shelved_until", "time"), ("suppressed_by", "text"), ("escalation", "whole"),
    ),
)  # fmt: skip
_FLAWS: Final = {int(flaw): flaw.name.lower() for flaw in Flaw}
_A_DAY: Final = timedelta(days=1)
"""At a poll a second one metric has 86,400 readings in it."""
_A_YEAR: Final = timedelta(days=366)
_ALERTS_AT_ONCE: Final = 1_000


class Readings(Protocol):
    """See `plumbline_central.stores.port.TelemetryStore`."""

    def latest(self, site: str) -> Sequence[Reading]: ...

    def readings(
        self, site: str, device: str, metric: str, start: datetime, end: datetime
    ) -> Sequence[Reading]: ...


class Points(Protocol):
    """See `plumbline_central.indicators.points.PointReader`."""

    def indicator_points(
        self, site: str, indicator: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> IndicatorPoints: ...


def readings(
    store: Readings, sites: Iterable[str], start: datetime, end: datetime
) -> Iterator[Sequence[Row]]:
    """By site, device and metric, then by time."""
    for site in sites:
        for device, metric in dict.fromkeys((one.device, one.metric) for one in store.latest(site)):

            def read(
                since: datetime, until: datetime, of: tuple[str, str, str] = (site, device, metric)
            ) -> list[Row]:
                return [reading_row(one) for one in store.readings(*of, since, until)]

            yield from walk(start, end, _A_DAY, read)


def indicator_values(
    points: Points, indicators: Iterable[Indicator], start: datetime, end: datetime
) -> Iterator[Sequence[Row]]:
    """By site and indicator, then by time; each beside what was planned for it."""
    for indicator in indicators:

        def read(since: datetime, until: datetime, of: Indicator = indicator) -> list[Row]:
            found = points.indicator_points(of.site, of.id, since=since, until=until)
            return [point_row(of, one) for one in found.points]

        yield from walk(start, end, _A_YEAR, read)


def alerts(find: Callable[[Wanted], Sequence[Alert]], wanted: Wanted) -> Iterator[Sequence[Row]]:
    """The newest first."""
    while found := find(replace(wanted, limit=_ALERTS_AT_ONCE)):
        yield [alert_row(one) for one in found]
        wanted = replace(wanted, after=found[-1].id)


def reading_row(one: Reading) -> Row:
    quality = "bad" if one.value is None else "good" if one.flaw is None else "uncertain"
    said = (one.value, one.unit, quality, "" if one.flaw is None else _FLAWS.get(one.flaw, str(one.flaw)))
    return (one.site, one.gateway, one.device, one.metric, one.at, *said)


def point_row(indicator: Indicator, one: IndicatorPoint) -> Row:
    quality = "bad" if one.value is None else "uncertain" if one.flags else "good"
    said = (
        one.value,
        one.low,
        one.high,
        one.planned,
        indicator.unit,
        quality,
        " ".join(one.flags),
        one.seen_by,
    )
    return (indicator.site, indicator.id, one.at, *said)


def alert_row(one: Alert) -> Row:
    numbers = (one.deviation_pp, one.planned, one.actual, one.low, one.high)
    unit = str(one.facts.get("unit", "" if all(number is None for number in numbers) else "%"))
    facts = "; ".join(f"{name}={value}" for name, value in one.facts.items())
    photos = " ".join(point.photo for point in one.evidence if point.photo)
    return (
        *(one.id, one.site, one.rule, one.subject, one.severity, str(one.shown), one.since, one.raised_at),
        *(*numbers, unit, one.gateway, facts, photos),
        *(one.assigned_to, one.acknowledged_by, one.acknowledged_at, one.rectified_by, one.rectified_at),
        *(one.cleared_at, one.closed_at, one.shelved_until, one.suppressed_by, one.escalation),
    )
