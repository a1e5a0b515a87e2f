"""Keeps what each meter used in each hour, and looks once an hour what it says beside what is usual."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from plumbline.clock import Clock, from_us, to_us
from plumbline.errors import PlumblineError
from plumbline_central.plan import SHANGHAI
from plumbline_central.rules import baseline, energy
from plumbline_central.rules.baseline import HOUR, Hour
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import EnergyDay, Metered, Night
from plumbline_central.schema import Database

log = logging.getLogger(__name__)

METRIC: Final = "energy_import_total"
_STEP_S: Final = 300.0
_KEPT: Final = timedelta(weeks=9)
_AT_ONCE: Final = timedelta(days=7)
_SETTLED: Final = timedelta(minutes=10)
"""How long an hour is left to readings that are still on their way."""
_JUDGED: Final = timedelta(days=4)
"""What is judged has no say in what is usual."""


class Telemetry(Protocol):
    """The one question asked of `plumbline_central.stores.port.TelemetryStore`."""

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> Sequence[tuple[datetime, float]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    site: str
    device: str
    gateway: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """As it is kept between two looks."""

    gateway: str
    night: Night | None
    days: tuple[EnergyDay, ...]


_decode: Final = msgspec.json.Decoder(_Found).decode


class EnergyBook:
    """Hours in control.db. Usable from any thread."""

    def __init__(
        self, db: Database, telemetry: Telemetry, meters: Callable[[], Iterable[Meter]], limits: Limits
    ) -> None:
        self._db = db
        self._telemetry = telemetry
        self._meters = meters
        self._limits = limits
        self._read: dict[tuple[str, str], tuple[str, Metered]] = {}

    async def run(self, clock: Clock, every_s: float = 600.0, *, least_real_s: float = 1.0) -> None:
        """For ever; a store that is away is asked again the next time."""
        failing = False
        while True:
            await asyncio.gather(clock.sleep(every_s), asyncio.sleep(least_real_s))
            try:
                while await asyncio.to_thread(self.catch_up, clock.wall()):
                    pass  # hours of weeks ago, after a rebuild or an outage: now, not a week at each look
            except PlumblineError as error:
                log.log(logging.DEBUG if failing else logging.WARNING, "energy by the hour: %s", error)
                failing = True
            except Exception:
                log.exception("energy by the hour failed")
                failing = True
            else:
                failing = False

    def catch_up(self, now: datetime) -> int:
        """Take in the hours that have ended; of how many meters there are new ones. Raises Unreachable."""
        with self._db.read() as db:
            rows = db.execute("SELECT site, device, reached_us FROM energy_meter").fetchall()
        reached = {(site, device): from_us(us) for site, device, us in rows}
        return sum(
            self._take(meter, reached.get((meter.site, meter.device)), now) for meter in self._meters()
        )

    def metered(self) -> list[Metered]:
        """What every meter says beside what is usual; what has not changed is not read again."""
        with self._db.read() as db:
            rows = db.execute("SELECT site, device, found FROM energy_meter").fetchall()
        read: dict[tuple[str, str], tuple[str, Metered]] = {}
        for site, device, found in rows:
            known = self._read.get((site, device))
            if known is None or known[0] != found:
                one = _decode(found)
                meter = Metered(site=site, device=device, gateway=one.gateway, night=one.night, days=one.days)
                known = (found, meter)
            read[site, device] = known
        self._read = read
        return [meter for _, meter in read.values()]

    def _take(self, meter: Meter, reached: datetime | None, now: datetime) -> bool:
        """The next hours of one meter. Those after its newest reading wait for the next one: it may only be late."""
        last = _full_hour(now - _SETTLED)
        start = reached or _full_hour(now - _KEPT)
        end = min(last, start + _AT_ONCE)
        if end <= start:
            return False
        around = baseline.LONGEST_GAP
        readings = self._telemetry.series(
            meter.site, meter.device, METRIC, start - around, end + around, _STEP_S
        )
        known_until = _full_hour(readings[-1][0]) if readings else start
        if known_until <= start and end < last:
            known_until = end  # a week without a word: what may still come of it is not waited for
        until = min(end, known_until)
        if until <= start:
            return False
        self._keep(meter, list(baseline.hourly(readings, start, until)), until, now)
        return True

    def _keep(self, meter: Meter, hours: Sequence[Hour], until: datetime, now: datetime) -> None:
        key = (meter.site, meter.device)
        with self._db.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO energy_hour VALUES (?, ?, ?, ?)",
                [(*key, to_us(at), kwh) for at, kwh in hours],
            )
            db.execute(
                "DELETE FROM energy_hour WHERE site = ? AND device = ? AND hour_us < ?",
                (*key, to_us(now - _KEPT)),
            )
            rows = db.execute(
                "SELECT hour_us, kwh FROM energy_hour WHERE site = ? AND device = ? ORDER BY hour_us", key
            ).fetchall()
            found = self._judge(meter, [(from_us(at_us), kwh) for at_us, kwh in rows])
            db.execute(
                "INSERT OR REPLACE INTO energy_meter VALUES (?, ?, ?, ?)",
                (*key, to_us(until), msgspec.json.encode(found).decode()),
            )

    def _judge(self, meter: Meter, hours: Sequence[Hour]) -> _Found:
        newest = hours[-1][0] if hours else None
        before = [hour for hour in hours if newest is not None and hour[0] < newest - _JUDGED]
        usual = baseline.learn(before, SHANGHAI, self._limits.energy_weeks)
        work = self._limits.hours_of(meter.site)
        return _Found(
            gateway=meter.gateway,
            night=energy.newest_night(hours, work, usual),
            days=energy.whole_days([hour for hour in hours if hour[0] >= newest - _JUDGED - HOUR * 24], usual)
            if newest is not None
            else (),
        )


def _full_hour(at: datetime) -> datetime:
    us = to_us(at)
    return from_us(us - us % (3_600 * 1_000_000))
