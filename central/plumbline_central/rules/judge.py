"""One look at everything: gathers, lets the rules say what is there, and tells the book."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from plumbline_central import rules
from plumbline_central.alerts.book import BookWriter
from plumbline_central.alerts.condition import Condition
from plumbline_central.deviation import Band, Watch
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.points import IndicatorPoints, PointReader
from plumbline_central.indicators.store import effective
from plumbline_central.plan_store import PlanStore
from plumbline_central.rules import indicators
from plumbline_central.rules.indicators import Judged
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.reader import Plans, SnapshotReader
from plumbline_central.rules.snapshot import Metered, Snapshot

_decode: Final = msgspec.json.Decoder(Watch).decode
_Key = tuple[str, str]
_NEWEST: Final = 4
"""Points of an indicator that a look takes with it: more than two looks apart come, or are corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one look rests on."""

    now: datetime
    plans: Plans
    snapshot: Snapshot
    points: Sequence[IndicatorPoints]


class Judge:
    """Keeps one watch for each indicator and each meter in control.db. Usable from one thread at a time."""

    def __init__(
        self, reader: SnapshotReader, plans: PlanStore, points: PointReader, band: Band, limits: Limits
    ) -> None:
        self._reader = reader
        self._plans = plans
        self._points = points
        self._band = band
        self._limits = limits
        self._judged: dict[_Key, tuple[object, Condition | None]] = {}
        """What each indicator or meter was judged by the last time, and what came of it."""
        self._bands: dict[_Key, tuple[Indicator, Band]] = {}
        self._watches: dict[_Key, Watch] | None = None
        """What the table holds; None: to be read anew."""

    def gather(self, now: datetime) -> Gathered:
        """Read all that is looked at, before any transaction. Raises Unreachable."""
        plans = self._plans.all_current()
        snapshot = self._reader.read(now, plans)
        return Gathered(now=now, plans=plans, snapshot=snapshot, points=self._points.all_points(_NEWEST))

    def settle(self, writer: BookWriter, found: Gathered) -> None:
        """Tell the book, in the writer's transaction. What was gathered is judged once, however often it is told."""
        there = [
            *rules.conditions(found.snapshot, found.now, self._limits),
            *self._off_plan(writer, found),
        ]
        writer.settle(there, rules.LOOKED_AT, found.now, self._limits.delays)

    def forget(self) -> None:
        """A transaction failed: what was judged in it is judged again."""
        self._judged.clear()
        self._watches = None

    def _off_plan(self, writer: BookWriter, found: Gathered) -> Iterator[Condition]:
        planned = set()
        for points in found.points:
            one = points.indicator
            if one.source.kind == "photos":
                continue  # each camera has a watch of its own
            if one.source.kind == "meters" and points.baseline is not None:
                planned.add(one.site)
            yield from self._indicator(writer, points)
        for meter in found.snapshot.metered:
            if meter.site not in planned:
                yield from self._meter(writer, meter)

    def _indicator(self, writer: BookWriter, points: IndicatorPoints) -> Iterator[Condition]:
        key = (points.indicator.site, points.indicator.id)
        known = self._judged.get(key)
        if known is None or known[0] is not points:
            band = self._band_of(points.indicator)
            version = points.baseline.version if points.baseline else 0
            watch = self._follow(writer, key, indicators.judged(points), band, version)
            known = self._judged[key] = (points, indicators.off_its_plan(points, watch))
        if known[1] is not None:
            yield known[1]

    def _band_of(self, indicator: Indicator) -> Band:
        key = (indicator.site, indicator.id)
        known = self._bands.get(key)
        if known is None or known[0] is not indicator:
            known = self._bands[key] = (
                indicator,
                indicators.band_of(effective(indicator), self._band),
            )
        return known[1]

    def _meter(self, writer: BookWriter, meter: Metered) -> Iterator[Condition]:
        key = (meter.site, f"meter/{meter.device}")
        known = self._judged.get(key)
        if known is None or known[0] is not meter:
            band = indicators.usual_band(meter, self._limits, self._band)
            watch = self._follow(writer, key, indicators.days_of(meter), band, 0)
            known = self._judged[key] = (meter, indicators.off_usual(meter, watch))
        if known[1] is not None:
            yield known[1]

    def _follow(self, writer: BookWriter, key: _Key, values: Judged, band: Band, version: int) -> Watch:
        if self._watches is None:
            rows = writer.db.execute("SELECT site, subject, watch FROM rule_watch")
            self._watches = {(site, subject): _decode(text) for site, subject, text in rows}
        before = self._watches.get(key, Watch())
        watch = indicators.follow(before, values, band, version=version)
        if watch != before:
            self._watches[key] = watch
            writer.db.execute(
                "INSERT OR REPLACE INTO rule_watch VALUES (?, ?, ?)",
                (*key, msgspec.json.encode(watch).decode()),
            )
        return watch
