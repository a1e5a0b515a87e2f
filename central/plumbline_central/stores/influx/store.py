"""Keeps readings in InfluxDB: a `TelemetryStore` in whatever dialect the server speaks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Final

from plumbline.clock import Clock, from_us, to_us
from plumbline.errors import Refused
from plumbline.metrics import BY_CODE, BY_NAME, Flaw, Metric
from plumbline_central.schema import Database
from plumbline_central.stores.faults import StoreFaults
from plumbline_central.stores.influx.aging import Aged
from plumbline_central.stores.influx.dialect import (
    EARLIEST_US,
    LATEST_US,
    Dialect,
    Newest,
    Span,
    Tags,
    Values,
)
from plumbline_central.stores.influx.lines import FLAW, READINGS, THINNED, meter_line, meter_tags
from plumbline_central.stores.influx.refused import RefusedLines
from plumbline_central.stores.influx.tiers import DAY_US, Tier
from plumbline_central.stores.influx.writer import Writer
from plumbline_central.stores.port import FramePoint, Reading

_MARGIN_DAYS: Final = 1
"""What is nearly as old as the server keeps goes to the next tier: it would be gone before it became a mean."""
_Moment = tuple[int, bool, str]
"""When, whether it is a single poll, and of which boot."""


class InfluxTelemetryStore:
    """A `TelemetryStore` at a server. Usable from any thread."""

    def __init__(
        self, dialect: Dialect, db: Database, tiers: Sequence[Tier], faults: StoreFaults, clock: Clock
    ) -> None:
        """`db` keeps the lines that the server refuses and how far days have become means."""
        self._dialect = dialect
        self._tiers = tuple(tiers)
        self._clock = clock
        self.aged: Final = Aged(db)
        self.writer: Final = Writer(dialect, RefusedLines(db), faults)

    def close(self) -> None:
        self.writer.close()
        self._dialect.close()

    def write(self, points: Sequence[FramePoint]) -> None:
        for tier, of_tier in self._by_tier(points):
            self._note_changed(tier, of_tier)
            measurement = tier.measurement
            self.writer.write(tier.place, (meter_line(point, measurement) for point in of_tier))

    def remove(self, points: Sequence[FramePoint]) -> None:
        for tier, of_tier in self._by_tier(points):
            self._note_changed(tier, of_tier)
            doomed: dict[tuple[tuple[str, str], ...], set[int]] = defaultdict(set)
            for point in of_tier:
                series = tuple((tag, value) for tag, value in meter_tags(point).items() if tag != THINNED)
                doomed[series].add(point.at_us)
            for series, times in doomed.items():
                self._delete(tier, dict(series), times)
            self.writer.settle(tier.place, [meter_line(point, tier.measurement) for point in of_tier])

    def latest(self, site: str) -> list[Reading]:
        found: list[Newest] = []
        for tier in self._tiers:
            found += self._dialect.newest(self._span(tier, {"site": site}))
        return _readings(site, found)

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> list[tuple[datetime, float]]:
        """Raises Refused for a metric or a step that is none, Unreachable."""
        known = _metric(metric)
        step_us = None if step_s is None else round(step_s * 1_000_000)
        if step_us is not None and step_us <= 0:
            raise Refused(f"a step of {step_s} s is none", hint="Ask for more than 0.")
        tags = {"site": site, "device": device}
        spans = self._spans(tags, to_us(start), to_us(end))
        if step_us is None:
            rows = [row for span in spans for row in _merged(self._dialect.values(span, known.name))]
            return [(from_us(at_us), value) for at_us, value in rows]
        steps: dict[int, tuple[float, int]] = {}
        for span in spans:
            for at_us, total, count in self._summed(span, known, step_us):
                before, how_many = steps.get(at_us, (0.0, 0))
                steps[at_us] = (before + total, how_many + count)
        return [(from_us(at_us), total / count) for at_us, (total, count) in sorted(steps.items())]

    def readings(self, site: str, device: str, metric: str, start: datetime, end: datetime) -> list[Reading]:
        """Raises Refused for a metric that is none, Unreachable."""
        known = _metric(metric)
        found: list[Reading] = []
        for span in self._spans({"site": site, "device": device}, to_us(start), to_us(end)):
            mean = Flaw.THINNED if span.measurement != self._tiers[0].measurement else None
            said = _moments(
                self._dialect.values(span, known.name), self._dialect.values(span, known.name + FLAW)
            )
            found += (
                Reading(
                    site=site,
                    gateway=gateway,
                    device=device,
                    metric=known.name,
                    unit=known.unit,
                    value=value,
                    flaw=mean if flaw is None else flaw,
                    at=from_us(at_us),
                )
                for (at_us, gateway, _), (value, flaw) in sorted(said.items())
            )
        return found

    def count(self) -> int:
        return sum(self._dialect.total(span, READINGS) for span in self._spans({}, EARLIEST_US, LATEST_US))

    def reset(self) -> None:
        for tier in self._tiers:
            self._dialect.drop(tier.place, tier.measurement)
            self.writer.forget(tier.measurement)
        self.aged.forget()

    def _by_tier(self, points: Sequence[FramePoint]) -> Iterator[tuple[Tier, Sequence[FramePoint]]]:
        """What is too old for a tier belongs to the next; nearly always all of it belongs to the first."""
        if len(self._tiers) == 1:
            yield self._tiers[0], points
            return
        now_us = to_us(self._clock.wall())
        left = points
        for tier in self._tiers[:-1]:
            oldest_us = now_us - (tier.keep_days - _MARGIN_DAYS) * DAY_US
            fitting = [point for point in left if point.at_us >= oldest_us]
            if fitting:
                yield tier, fitting
            if len(fitting) == len(left):
                return
            left = [point for point in left if point.at_us < oldest_us]
        yield self._tiers[-1], left

    def _note_changed(self, tier: Tier, points: Sequence[FramePoint]) -> None:
        until = self.aged.until(tier.measurement)
        if until is not None:
            days = {day for point in points if (day := point.at_us // DAY_US) < until}
            if days:
                self.aged.changed(tier.measurement, days)

    def _delete(self, tier: Tier, tags: Tags, times: set[int]) -> None:
        """In as few deletions as can be: each costs the server a sync."""
        first, last = min(times), max(times)
        if first == last:
            self.writer.delete(self._span(tier, tags, first, last + 1))
            return
        found = self._dialect.values(self._span(tier, tags, first, last + 1), READINGS)
        for start, end in _runs(sorted({at for one in found for at, _ in one.rows}), times):
            self.writer.delete(self._span(tier, tags, start, end + 1))

    def _spans(self, tags: Tags, start_us: int, end_us: int) -> list[Span]:
        """From each tier what it is the best for, oldest first."""
        found, latest = [], end_us
        for tier in self._tiers:
            until = self.aged.until(tier.measurement) if tier.until_days is not None else None
            earliest = start_us if until is None else max(start_us, until * DAY_US)
            if earliest < latest:
                found.append(self._span(tier, tags, earliest, latest))
                latest = earliest
            if until is None:
                break
        return found[::-1]

    def _span(self, tier: Tier, tags: Tags, start_us: int = EARLIEST_US, end_us: int = LATEST_US) -> Span:
        return Span(
            place=tier.place, measurement=tier.measurement, tags=tags, start_us=start_us, end_us=end_us
        )

    def _summed(self, span: Span, metric: Metric, step_us: int) -> Iterator[tuple[int, float, int]]:
        sums = self._dialect.sums(span, metric.name, step_us)
        if any(one.tags.get(THINNED) for one in sums):
            # a thinned point beside a single poll of the same time does not count: only the points themselves tell
            rows = _merged(self._dialect.values(span, metric.name))
            for at_us, members in groupby(rows, key=lambda row: row[0] // step_us * step_us):
                values = [value for _, value in members]
                yield at_us, sum(values), len(values)
            return
        for one in sums:
            yield from one.rows


def _merged(found: Iterable[Values]) -> Iterator[tuple[int, float]]:
    """All of them, ascending; of a thinned point and a single poll of the same time, the poll."""
    series = list(found)
    polled = {_own(one.tags): {at for at, _ in one.rows} for one in series if not one.tags.get(THINNED)}
    kept = [
        [row for row in one.rows if row[0] not in polled.get(_own(one.tags), ())]
        if one.tags.get(THINNED)
        else one.rows
        for one in series
    ]
    return merge(*kept, key=itemgetter(0))


def _moments(
    values: Iterable[Values], flaws: Iterable[Values]
) -> dict[tuple[int, str, str], tuple[float | None, int | None]]:
    """By time, gateway and boot what was read and what is wrong with it; single polls before thinned points."""
    polls: dict[tuple[int, str, str], tuple[float | None, int | None]] = {}
    thinned: dict[tuple[int, str, str], tuple[float | None, int | None]] = {}
    for is_flaw, series in ((False, values), (True, flaws)):
        for one in series:
            found = thinned if one.tags.get(THINNED) else polls
            for at_us, said in one.rows:
                moment = (at_us, one.tags.get("gateway", ""), one.tags.get("boot", ""))
                value, _ = found.get(moment, (None, None))
                found[moment] = (value, int(said)) if is_flaw else (said, None)
    return thinned | polls


def _metric(name: str) -> Metric:
    known = BY_NAME.get(name)
    if known is None:
        raise Refused(f"there is no metric {name!r}", hint="`plumbline.metrics` lists them.")
    return known


def _own(tags: Tags) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((tag, value) for tag, value in tags.items() if tag != THINNED and value))


def _readings(site: str, found: Iterable[Newest]) -> list[Reading]:
    """The newest of each device, metric and gateway, by device, then in the order of the metric list."""
    points: dict[tuple[str, int, str], dict[_Moment, dict[str, float]]] = {}
    for one in found:
        name = one.field.removesuffix(FLAW)
        metric = BY_NAME.get(name)
        if metric is None:
            continue
        what = "flaw" if one.field != name else "value"
        series = (one.tags.get("device", ""), metric.code, one.tags.get("gateway", ""))
        moment = (one.at_us, not one.tags.get(THINNED), one.tags.get("boot", ""))
        points.setdefault(series, {}).setdefault(moment, {})[what] = one.value
    return [_reading(site, *series, moments) for series, moments in sorted(points.items())]


def _reading(
    site: str, device: str, code: int, gateway: str, moments: Mapping[_Moment, Mapping[str, float]]
) -> Reading:
    metric = BY_CODE[code]
    newest = max(moments)
    said = moments[newest]
    return Reading(
        site=site,
        gateway=gateway,
        device=device,
        metric=metric.name,
        unit=metric.unit,
        value=float(said["value"]) if "value" in said else None,
        flaw=int(said["flaw"]) if "flaw" in said else None,
        at=from_us(newest[0]),
    )


def _runs(there: Sequence[int], doomed: Collection[int]) -> Iterator[tuple[int, int]]:
    """First and last of each row of times that all are doomed, and have none between them that is not."""
    for is_doomed, members in groupby(there, key=lambda at: at in doomed):
        if is_doomed:
            run = list(members)
            yield run[0], run[-1]
