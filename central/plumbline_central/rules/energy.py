"""Energy beside what is usual: the newest night, the newest whole days, and nights that used too much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import groupby
from math import sqrt
from typing import Final

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.plan import SHANGHAI
from plumbline_central.rules import baseline
from plumbline_central.rules.baseline import HOUR, Hour, Usual
from plumbline_central.rules.limits import Limits, WorkingHours
from plumbline_central.rules.snapshot import EnergyDay, Night, Snapshot

_SURELY: Final = 3.0
"""So many standard deviations from usual are not usual."""
_LEAST_HOURS: Final = 20
"""Of a day that may be compared."""
_DAYS: Final = 4


def conditions(snapshot: Snapshot, _now: datetime, limits: Limits) -> Iterator[Condition]:
    """Of each meter the newest night alone: the next one that is as usual ends it."""
    for meter in snapshot.metered:
        night = meter.night
        if night is None:
            continue
        over = night.energy_kwh - night.usual_kwh
        most = max(
            limits.night_over_kwh,
            limits.night_over_percent / 100 * night.usual_kwh,
            _SURELY * night.spread_kwh,
        )
        if over > most:
            start, until = (at.astimezone(SHANGHAI) for at in (night.start, night.until))
            yield Condition(
                slot=Slot(site=meter.site, rule="out_of_hours_energy", subject=meter.device),
                severity="amber",
                since=night.start,
                gateway=meter.gateway,
                facts={
                    "start": f"{start:%m-%d %H:%M}",
                    "until": f"{until:%m-%d %H:%M}",
                    "energy_kwh": round(night.energy_kwh, 1),
                    "usual_kwh": round(night.usual_kwh, 1),
                },
                evidence=f"{meter.device}/{night.start.isoformat()}",
            )


def newest_night(
    hours: Sequence[Hour], work: WorkingHours, usual: Mapping[baseline.Slot, Usual], tz: tzinfo = SHANGHAI
) -> Night | None:
    """The newest stretch out of working hours, as far as its hours are known and have a usual value."""
    start = next((at for at, _ in reversed(hours) if not work.at_work(at.astimezone(tz))), None)
    if start is None:
        return None
    until = start + HOUR
    while not work.at_work((start - HOUR).astimezone(tz)) and until - start < timedelta(days=3):
        start -= HOUR
    known = [
        (kwh, found)
        for at, kwh in hours
        if start <= at < until and (found := usual.get(baseline.slot(at, tz))) is not None
    ]
    if not known:
        return None
    energy, expected, spread = _sums(known)
    return Night(start=start, until=until, energy_kwh=energy, usual_kwh=expected, spread_kwh=spread)


def whole_days(
    hours: Sequence[Hour], usual: Mapping[baseline.Slot, Usual], tz: tzinfo = SHANGHAI
) -> tuple[EnergyDay, ...]:
    """The newest local days that have ended and of which nearly every hour is known, ascending."""
    found = []
    for on, group in groupby(hours, key=lambda hour: hour[0].astimezone(tz).date()):
        members = list(group)
        known = [(kwh, one) for at, kwh in members if (one := usual.get(baseline.slot(at, tz))) is not None]
        is_over = hours[-1][0].astimezone(tz).date() > on or members[-1][0].astimezone(tz).hour == 23
        if len(known) >= _LEAST_HOURS and is_over:
            energy, expected, spread = _sums(known)
            found.append(
                EnergyDay(
                    on=on,
                    start=members[0][0],
                    energy_kwh=energy,
                    usual_kwh=expected,
                    spread_kwh=spread,
                )
            )
    return tuple(found[-_DAYS:])


def _sums(known: Sequence[tuple[float, Usual]]) -> tuple[float, float, float]:
    """Hours of one night go up and down together as well as alone: the larger of the two sums of spreads is halfway."""
    energy, usual = sum(kwh for kwh, _ in known), sum(one.kwh for _, one in known)
    together = sum(one.spread_kwh for _, one in known)
    alone = sqrt(sum(one.spread_kwh**2 for _, one in known))
    return energy, usual, (together + alone) / 2
