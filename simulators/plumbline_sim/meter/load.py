"""A building site's electrical load as physics and habit make it: seeded, and exact about its energy.

Each machine has, for every day, a list of moments from which on it draws a constant power. Power at any time is
looked up there; energy is the sum under it. So a counter is the integral of the power by construction, at any time
and in any order of asking.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

Role = Literal["main", "crane", "hoist", "cabins"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Draw = tuple[float, float, float, float, float, float]
"""Active power of L1, L2, L3 in W, then reactive power of L1, L2, L3 in var."""

_NOTHING: Final[Draw] = (0.0,) * 6
_WH_PER_J: Final = 1 / 3600
_NOMINAL_V: Final = 230.0
_SOURCE_R_OHM: Final = 0.05  # a long cable from the transformer
_SOURCE_X_OHM: Final = 0.03
_SHIFTS_S: Final = ((7 * 3600, 12 * 3600), (13 * 3600, 18 * 3600))
_SUNDAY: Final = 6
_DAYS_KEPT: Final = 3  # a day of a main meter takes 1 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the machines need to know of a day. `busy` is 0 on a day off, about 1 on a full working day."""

    date: date
    length_s: float
    busy: float
    mean_c: float
    sunrise_s: float
    sunset_s: float

    @property
    def shifts_s(self) -> tuple[tuple[int, int], ...]:
        return _SHIFTS_S if self.busy > 0 else ()

    def outdoor_c(self, second: float) -> float:
        """Temperature at a second of the day, warmest at three in the afternoon."""
        return self.mean_c + 5 * math.sin(math.tau * (second / 3600 - 9) / 24)


Steps = Iterator[tuple[float, Draw]]
"""(second of the day, what is drawn from then on), in order."""


def _spread(watts: float, cos_phi: float, shares: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)) -> Draw:
    tan = math.sqrt(1 - cos_phi * cos_phi) / cos_phi
    l1, l2, l3 = (watts * share for share in shares)
    return (l1, l2, l3, l1 * tan, l2 * tan, l3 * tan)


def _uneven(rng: random.Random, by: float) -> tuple[float, float, float]:
    """Shares of three phases that differ by about `by`, and add up to 1."""
    raw = [1 + rng.uniform(-by, by) for _ in range(3)]
    return (raw[0] / sum(raw), raw[1] / sum(raw), raw[2] / sum(raw))


def crane(rng: random.Random, day: Day) -> Steps:
    """A tower crane: hoisting, slewing, lowering, returning; its heater and warning lamp at night."""
    shares = _uneven(rng, 0.02)
    asleep, standby = _spread(350, 0.7, shares), _spread(2_200, 0.55, shares)
    yield 0.0, asleep
    for begin, end in day.shifts_s:
        second = begin + rng.uniform(0, 600)
        yield second, standby
        second += rng.uniform(60, 600)
        while second < end - 300:
            hoist_w = rng.uniform(16e3, 46e3)
            for watts, cos_phi, seconds in (
                (hoist_w * 1.5, 0.72, 1.5),
                (hoist_w, 0.84, rng.uniform(25, 70)),
                (rng.uniform(6e3, 10e3), 0.76, rng.uniform(20, 45)),
                (rng.uniform(4e3, 8e3), 0.62, rng.uniform(20, 50)),
                (rng.uniform(8e3, 14e3), 0.78, rng.uniform(15, 40)),
            ):
                yield second, _spread(watts, cos_phi, shares)
                second += seconds
            yield second, standby
            second += 20 + rng.expovariate(day.busy / 130)
        yield max(second, end), asleep


def hoist(rng: random.Random, day: Day) -> Steps:
    """A hoist for people and material: up heavy, down light, waiting between."""
    shares = _uneven(rng, 0.03)
    asleep, standby = _spread(120, 0.6, shares), _spread(700, 0.6, shares)
    yield 0.0, asleep
    for begin, end in day.shifts_s:
        second = begin - rng.uniform(0, 900)
        yield second, standby
        while second < end - 240:
            second += 15 + rng.expovariate(day.busy / 90)
            yield second, _spread(rng.uniform(14e3, 26e3), 0.83, shares)
            second += rng.uniform(30, 90)
            yield second, standby
            second += rng.uniform(20, 80)
            yield second, _spread(rng.uniform(3e3, 6e3), 0.6, shares)
            second += rng.uniform(30, 85)
            yield second, standby
        yield max(second, end), asleep


def cabins(rng: random.Random, day: Day) -> Steps:
    """Six cabins with thermostats, lamps, refrigerators and kettles, hung unevenly on the phases."""
    phases = (0, 0, 0, 1, 1, 2)
    periods = [rng.uniform(540, 900) for _ in phases]
    offsets = [rng.uniform(0, period) for period in periods]
    breaks = [rng.gauss(hour * 3600, 400) for hour in (9, 12, 15)]
    for second in range(0, math.ceil(day.length_s), 60):
        used = any(begin - 1800 <= second < end + 1800 for begin, end in day.shifts_s)
        outdoor_c = day.outdoor_c(second)
        heat_w = max(0.0, (20 if used else 8) - outdoor_c) * 110
        cool_w = max(0.0, outdoor_c - (26 if used else 40)) * 90
        active = [180.0, 120.0, 90.0]
        reactive = [90.0, 50.0, 40.0]
        for phase, period, offset in zip(phases, periods, offsets, strict=True):
            turn = ((second + offset) % period) / period
            if turn < heat_w / 2_000:
                active[phase] += 2_000
            if turn < cool_w / 1_400:
                active[phase] += 1_400
                reactive[phase] += 800
        if used and not day.sunrise_s < second < day.sunset_s:
            active[1] += 600
            reactive[1] += 150
        if day.busy and any(abs(second - at) < 240 for at in breaks):
            active[2] += 4_000
        yield float(second), (active[0], active[1], active[2], reactive[0], reactive[1], reactive[2])


def lighting(rng: random.Random, day: Day) -> Steps:
    """Floodlights from dusk to dawn, work lamps while people work in the dark."""
    flood = _spread(2_700, 0.95, (0.45, 0.2, 0.35))
    both = _spread(5_200, 0.95, (0.4, 0.3, 0.3))
    dawn, dusk = day.sunrise_s + rng.gauss(0, 240), day.sunset_s + rng.gauss(0, 240)
    works_s = (day.shifts_s[0][0], day.shifts_s[-1][1]) if day.shifts_s else (math.inf, -math.inf)
    yield 0.0, flood
    if works_s[0] < dawn:
        yield works_s[0], both
    yield dawn, _NOTHING
    yield dusk, both if dusk < works_s[1] else flood
    if dusk < works_s[1]:
        yield works_s[1], flood


def welding(rng: random.Random, day: Day) -> Steps:
    """Welding between two phases, in bursts of seconds, one to three sessions a day."""
    yield 0.0, _NOTHING
    for begin, end in day.shifts_s:
        if rng.random() > 0.75 * day.busy:
            continue
        second = rng.uniform(begin, end - 3_600)
        stop = second + rng.uniform(1_200, 3_300)
        while second < stop:
            yield second, _spread(rng.uniform(5e3, 13e3), 0.62, (0.5, 0.5, 0.0))
            second += rng.uniform(4, 25)
            yield second, _NOTHING
            second += rng.uniform(6, 60)


_MACHINES: Final[dict[str, Callable[[random.Random, Day], Steps]]] = {
    "crane": crane, "hoist": hoist, "cabins": cabins, "lighting": lighting, "welding": welding,
}  # fmt: skip
_BEHIND: Final[dict[Role, tuple[str, ...]]] = {
    "main": tuple(_MACHINES), "crane": ("crane",), "hoist": ("hoist",), "cabins": ("cabins",),
}  # fmt: skip


class SiteLoad:
    """What one meter of a site sees. The main meter sees the very machines that the others see, and more.

    `since` is the day the meter was put in, with its counter at `start_kwh`; it cannot be asked about earlier days.
    `activity` is how busy the site is on a day, 0 to about 1; Sundays are off besides.
    """

    def __init__(
        self,
        role: Role,
        *,
        seed: int,
        since: date,
        timezone: str = "Asia/Shanghai",
        start_kwh: float = 0.0,
        activity: Callable[[date], float] = lambda _: 1.0,
    ) -> None:
        self._machines = _BEHIND[role]
        self._seed = seed
        self._since = since
        self._zone = ZoneInfo(timezone)
        self._start_kwh = start_kwh
        self._activity = activity
        self._untils: list[Draw] = []  # what had been counted at the end of each day
        self._days: dict[int, _LoadDay] = {}

    def at(self, when_s: float) -> dict[str, float | None]:
        """Every quantity that a three-phase meter shows at a time (seconds since 1970 UTC).

        Raises ValueError before `since`.
        """
        day = self._day(when_s)
        draw, joules = day.at(when_s)
        return _shown(draw, joules, self._start_kwh, when_s)

    def energy_kwh(self, when_s: float) -> float:
        """Active energy counted until a time."""
        _, joules = self._day(when_s).at(when_s)
        return self._start_kwh + sum(joules[:3]) * _WH_PER_J / 1e3

    def _day(self, when_s: float) -> _LoadDay:
        number = (datetime.fromtimestamp(when_s, self._zone).date() - self._since).days
        if number < 0:
            raise ValueError(f"the meter was put in on {self._since}")
        while len(self._untils) < number:
            self._remember(len(self._untils))
        if number not in self._days:
            self._remember(number)
        return self._days[number]

    def _remember(self, number: int) -> None:
        before = self._untils[number - 1] if number else _NOTHING
        day = self._build(self._since + timedelta(days=number), before)
        if number == len(self._untils):
            self._untils.append(day.until)
        while len(self._days) >= _DAYS_KEPT:
            del self._days[next(iter(self._days))]
        self._days[number] = day

    def _build(self, on: date, before: Draw) -> _LoadDay:
        midnights = [
            datetime(d.year, d.month, d.day, tzinfo=self._zone) for d in (on, on + timedelta(days=1))
        ]
        begin_s, end_s = (midnight.timestamp() for midnight in midnights)
        day = _habits(on, end_s - begin_s, self._activity(on), self._seed)
        machines = [
            list(_within(_MACHINES[name](random.Random(f"{self._seed} {name} {on}"), day), day.length_s))
            for name in self._machines
        ]
        return _LoadDay(begin_s, machines, day.length_s, before)


class _LoadDay:
    """One day of some machines: their steps, and the energy in joules counted before each."""

    __slots__ = ("_begin_s", "_machines", "until")

    def __init__(
        self, begin_s: float, machines: list[list[tuple[float, Draw]]], length_s: float, before: Draw
    ) -> None:
        self._begin_s = begin_s
        self._machines: list[tuple[list[float], list[Draw], list[Draw]]] = []
        carried = before
        for steps in machines:
            seconds = [second for second, _ in steps]
            draws = [draw for _, draw in steps]
            counted = [carried]
            for (second, draw), after in zip(steps, [*seconds[1:], length_s], strict=True):
                counted.append(_add(counted[-1], draw, after - second))
            self._machines.append((seconds, draws, counted))
            carried = _NOTHING
        self.until: Draw = _sum(counted[-1] for _, _, counted in self._machines)

    def at(self, when_s: float) -> tuple[Draw, Draw]:
        """Power drawn at a time of this day, and energy in joules since the meter was put in."""
        second = when_s - self._begin_s
        drawn, joules = [], []
        for seconds, draws, counted in self._machines:
            i = max(0, bisect.bisect_right(seconds, second) - 1)
            drawn.append(draws[i])
            joules.append(_add(counted[i], draws[i], second - seconds[i]))
        return _sum(drawn), _sum(joules)


def _add(counted: Draw, draw: Draw, seconds: float) -> Draw:
    a, b, c, d, e, f = counted
    p, q, r, s, t, u = draw
    return (
        a + p * seconds,
        b + q * seconds,
        c + r * seconds,
        d + s * seconds,
        e + t * seconds,
        f + u * seconds,
    )


def _sum(draws: Iterator[Draw] | list[Draw]) -> Draw:
    a, b, c, d, e, f = (math.fsum(column) for column in zip(*draws, strict=True))
    return (a, b, c, d, e, f)


def _within(steps: Steps, length_s: float) -> Steps:
    """The steps in order and inside their day; what would begin before midnight begins at midnight."""
    last = 0.0
    for second, draw in itertools.takewhile(lambda step: step[0] < length_s, steps):
        last = max(last, second)
        yield last, draw


def _habits(on: date, length_s: float, activity: float, seed: int) -> Day:
    rng = random.Random(f"{seed} weather {on}")
    turn = math.tau * on.timetuple().tm_yday / 365
    half_night_h = 6 + 1.4 * math.cos(turn + 0.17)
    return Day(
        date=on,
        length_s=length_s,
        busy=0.0 if on.weekday() == _SUNDAY else max(0.0, activity) * rng.uniform(0.85, 1.1),
        mean_c=14 - 13 * math.cos(turn - 0.34) + rng.gauss(0, 3),
        sunrise_s=half_night_h * 3600,
        sunset_s=(24 - half_night_h) * 3600,
    )


def _shown(draw: Draw, joules: Draw, start_kwh: float, when_s: float) -> dict[str, float | None]:
    """What the meter makes of power and energy: voltages that sag, currents, factors, counters."""
    active, reactive = draw[:3], draw[3:]
    apparent = [math.hypot(p, q) for p, q in zip(active, reactive, strict=True)]
    source_v = _NOMINAL_V * (1 + 0.012 * math.sin(when_s / 4_700) + 0.004 * math.sin(when_s / 311))
    volts = [
        source_v - (_SOURCE_R_OHM * p + _SOURCE_X_OHM * q) / _NOMINAL_V
        for p, q in zip(active, reactive, strict=True)
    ]
    amps = [s / v for s, v in zip(apparent, volts, strict=True)]
    p_total, q_total = sum(active), sum(reactive)
    s_total = math.hypot(p_total, q_total)
    shown: dict[str, float | None] = {
        "power_active_total": p_total,
        "power_reactive_total": q_total,
        "power_apparent_total": s_total,
        "power_factor_total": p_total / s_total if s_total else 1.0,
        "frequency": 50 + 0.015 * math.sin(when_s / 37) + 0.01 * math.sin(when_s / 7.3),
        "current_n": math.sqrt(
            max(0.0, sum(a * a for a in amps) - sum(a * b for a, b in itertools.combinations(amps, 2)))
        ),
        "energy_import_total": start_kwh + sum(joules[:3]) * _WH_PER_J / 1e3,
        "energy_export_total": 0.0,
        "energy_reactive_import_total": sum(joules[3:]) * _WH_PER_J / 1e3,
        "energy_reactive_export_total": 0.0,
        "thd_voltage_l1": 1.8 + 0.4 * math.sin(when_s / 900),
        "thd_current_l1": 3 + 6 * amps[0] / (amps[0] + 20),
        "current_residual": 4 + 2 * math.sin(when_s / 600),
    }
    for i, (a, b) in enumerate(((0, 1), (1, 2), (2, 0))):
        phase = f"l{i + 1}"
        shown[f"voltage_{phase}"] = volts[i]
        shown[f"voltage_{phase}_l{(i + 1) % 3 + 1}"] = math.sqrt(
            volts[a] ** 2 + volts[b] ** 2 + volts[a] * volts[b]
        )
        shown[f"current_{phase}"] = amps[i]
        shown[f"power_active_{phase}"] = active[i]
        shown[f"power_reactive_{phase}"] = reactive[i]
        shown[f"power_apparent_{phase}"] = apparent[i]
        shown[f"power_factor_{phase}"] = active[i] / apparent[i] if apparent[i] else 1.0
        shown[f"energy_import_{phase}"] = start_kwh / 3 + joules[i] * _WH_PER_J / 1e3
        shown[f"energy_export_{phase}"] = 0.0
    return shown
