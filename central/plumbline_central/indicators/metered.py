"""Turns what meters say into values of indicators, a few times a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

from plumbline.clock import Clock, from_us, to_us
from plumbline.errors import PlumblineError
from plumbline_central.indicators import counting
from plumbline_central.indicators.counting import Count
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.store import IndicatorStore
from plumbline_central.indicators.values import append
from plumbline_central.plan import SHANGHAI
from plumbline_central.plan_store import PlanStore
from plumbline_central.schema import Database
from plumbline_central.stores.port import Reading

log = logging.getLogger(__name__)

EVERY: Final = timedelta(hours=6)
_SETTLED: Final = timedelta(minutes=10)
"""How long a step is left to readings that are still on their way."""
_MOST_STEPS: Final = 28
"""A week at a time: an indicator that begins long ago catches up over several looks."""
_HOUR_S: Final = 3_600.0
_ALL: Final = "*"


class Telemetry(Protocol):
    """The two questions asked of `plumbline_central.stores.port.TelemetryStore`."""

    def latest(self, site: str) -> Sequence[Reading]: ...

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> Sequence[tuple[datetime, float]]: ...


class Meterer:
    """Counts from the first date of an indicator's plan on; without a plan there is nothing to count against."""

    def __init__(
        self,
        db: Database,
        indicators: IndicatorStore,
        plans: PlanStore,
        telemetry: Telemetry,
        tz: tzinfo = SHANGHAI,
    ) -> None:
        self._db = db
        self._indicators = indicators
        self._plans = plans
        self._telemetry = telemetry
        self._tz = tz

    def catch_up(self, now: datetime) -> int:
        """Write a value for each full step that has passed; how many. Raises Unreachable: the rest comes next time."""
        written = 0
        for indicator in self._indicators.all()[0]:
            if indicator.source.kind in {"meters", "hours"}:
                written += self._catch_up(indicator, now)
        return written

    async def run(self, clock: Clock, every_s: float = 600.0, *, least_real_s: float = 1.0) -> None:
        """For ever; a store that is away is asked again the next time."""
        while True:
            await asyncio.gather(clock.sleep(every_s), asyncio.sleep(least_real_s))
            try:
                await asyncio.to_thread(self.catch_up, clock.wall())
            except PlumblineError as error:
                log.warning("indicators from meters: %s", error)
            except Exception:
                log.exception("indicators from meters failed")

    def _catch_up(self, indicator: Indicator, now: datetime) -> int:
        baseline = self._plans.current(indicator.site, indicator.id, indicator.scope)
        if baseline is None:
            return 0
        counts = self._counts(indicator)
        reached = self._reached(indicator) or baseline.curve.start.astimezone(UTC)
        due = counting.steps(reached, now.astimezone(UTC) - _SETTLED, EVERY)[:_MOST_STEPS]
        if not due:
            return 0
        devices = self._devices(indicator)
        step = self._hours if indicator.source.kind == "hours" else self._consumed
        for begin, end in due:
            self._write(indicator, begin, end, now, lambda b, e: step(indicator, devices, counts, b, e))
        return len(due)

    def _write(
        self,
        indicator: Indicator,
        begin: datetime,
        end: datetime,
        now: datetime,
        step: Callable[[datetime, datetime], tuple[dict[str, Count], frozenset[str]]],
    ) -> None:
        """One value, with the counts it rests on, in one transaction: a crash counts nothing twice."""
        counts, flags = step(begin, end)
        value = sum(one.total for one in counts.values()) if counts and counting.SILENT not in flags else None
        with self._db.write() as db:
            append(
                db,
                indicator.site,
                indicator.id,
                end,
                value,
                flag=" ".join(sorted(flags)) or ("" if value is not None else counting.SILENT),
                by="meters",
                now=now,
            )
            db.executemany(
                "INSERT OR REPLACE INTO indicator_meter VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (indicator.site, indicator.id, device, to_us(one.at), one.counter, one.total)
                    for device, one in counts.items()
                ],
            )

    def _consumed(
        self,
        indicator: Indicator,
        devices: Sequence[str],
        counts: dict[str, Count],
        begin: datetime,
        end: datetime,
    ) -> tuple[dict[str, Count], frozenset[str]]:
        """A meter without a reading in the step makes the sum unknown, until its counter is read again."""
        source, flags = indicator.source, set[str]()
        for device in devices:
            readings = self._telemetry.series(indicator.site, device, source.metric, begin, end)
            if not readings:
                flags.add(counting.SILENT)
                continue
            before = counts.get(device) or Count(at=begin)
            counts[device], doubts = counting.consumed(before, readings, outside=source.outside, tz=self._tz)
            flags |= doubts
        return counts, frozenset(flags)

    def _hours(
        self,
        indicator: Indicator,
        devices: Sequence[str],
        counts: dict[str, Count],
        begin: datetime,
        end: datetime,
    ) -> tuple[dict[str, Count], frozenset[str]]:
        source = indicator.source
        means = [
            self._telemetry.series(indicator.site, device, source.metric, begin, end, _HOUR_S)
            for device in devices
        ]
        expected = round((end - begin).total_seconds() / _HOUR_S)
        hours, flags = counting.hours_at_work(means, source.above or 0.0, expected=expected)
        before = counts.get(_ALL) or Count(at=begin)
        counts[_ALL] = Count(at=end, total=before.total + hours)
        return counts, flags

    def _devices(self, indicator: Indicator) -> Sequence[str]:
        if indicator.source.devices:
            return indicator.source.devices
        latest = self._telemetry.latest(indicator.site)
        return sorted({one.device for one in latest if one.metric == indicator.source.metric})

    def _counts(self, indicator: Indicator) -> dict[str, Count]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT device, at_us, counter, total FROM indicator_meter WHERE site = ? AND indicator = ?",
                (indicator.site, indicator.id),
            ).fetchall()
        return {
            device: Count(at=from_us(at_us), counter=counter, total=total)
            for device, at_us, counter, total in rows
        }

    def _reached(self, indicator: Indicator) -> datetime | None:
        """The end of the last step that was written."""
        with self._db.read() as db:
            (at_us,) = db.execute(
                "SELECT max(at_us) FROM indicator_value WHERE site = ? AND indicator = ?",
                (indicator.site, indicator.id),
            ).fetchone()
        return None if at_us is None else from_us(at_us)
