"""Five weeks of two building sites as their gateways recorded them: what happened, and which alerts that must be.

School 7 falls behind and so does its money, a lens gets dirty, a meter falls silent, a machine runs all night and a milestone
passes; then the work catches up. School 8 keeps its plan to the point, and its data are as bad as data get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import accumulate, chain
from typing import Literal

from msgspec.structs import replace

from plumbline.messages import Body, DeviceHealth, Frame, Health, Progress
from plumbline.metrics import BY_NAME, Flaw

Told = tuple[datetime, Body]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEHIND, ON_PLAN = "school-7", "school-8"
GATEWAYS = {BEHIND: "gw-7", ON_PLAN: "gw-8"}
CAMERAS = ((BEHIND, "east"), (BEHIND, "north"), (ON_PLAN, "east"))
SINCE, PER_DAY = 40, 1.25
"""The works began so many days before they were at their worst, and this many points are planned for each day."""
ALERTS = {
    (BEHIND, "deviation", "east", "red"),  # 9 points behind, and so is the whole interval
    (BEHIND, "deviation", "funds_paid", "amber"),  # 12 points behind
    (BEHIND, "milestone_overdue", "scaffold", "amber"),
    (BEHIND, "camera_blind", "north", "amber"),
    (BEHIND, "meter_fault", "crane", "amber"),
    (BEHIND, "out_of_hours_energy", "main", "amber"),
}
"""All that is open then: (site, rule, subject, severity)."""
_ENERGY = BY_NAME["energy_import_total"]


def plan_csv(worst: datetime) -> str:
    """0 to 100 % over 80 days, as a planner hands it in."""
    rows = [f"{worst + (day - SINCE) * DAY:%Y-%m-%d},{PER_DAY * day}" for day in range(81)]
    return "\n".join(["date,percent", *rows]) + "\n"


def milestones_csv(worst: datetime) -> str:
    rows = [f"scaffold,脚手架搭设完成,{worst - 3 * DAY:%Y-%m-%d}", f"roof,封顶,{worst + 30 * DAY:%Y-%m-%d}"]
    return "\n".join(["id,name,due", *rows]) + "\n"


def due(at: datetime, worst: datetime) -> float:
    """Planned for then; plans are dated at midnight."""
    began = (worst - SINCE * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    return PER_DAY * ((at - began) / DAY)


def until_worst(worst: datetime) -> dict[str, list[Told]]:
    """By site, in the order in which it was recorded."""
    readings = _frames(one for one in _counter(worst, loud=True) if one[0] <= worst)
    return {
        BEHIND: _sorted(_photos_behind(worst), readings, [(worst, _health("silent"))]),
        ON_PLAN: _sorted(_photos_on_plan(worst), _bad_readings(worst)),
    }


def day_after(worst: datetime) -> dict[str, list[Told]]:
    """The work catches up, the lens is cleaned, the meter answers, the night is quiet."""
    photos: list[Told] = [
        (at, _photo(camera, at, due(at, worst) - 2.0))
        for at in (worst + 0.3 * DAY, worst + 0.8 * DAY, worst + 0.95 * DAY)
        for camera in ("east", "north")
    ]
    readings = _frames(one for one in _counter(worst, loud=True) if one[0] > worst)
    return {BEHIND: _sorted(photos, readings, [(worst + 0.9 * DAY, _health("ok"))]), ON_PLAN: []}


def _sorted(*told: Iterable[Told]) -> list[Told]:
    return sorted(chain.from_iterable(told), key=lambda one: one[0])


def _photo(camera: str, at: datetime, percent: float, *gate: str) -> Progress:
    half = 1.5
    return Progress(
        camera=camera, photo=f"{camera}-{at:%m%dT%H%M}", percent=percent,
        low=max(0.0, percent - half), high=min(100.0, percent + half), gate=gate,
    )  # fmt: skip


def _photos_behind(worst: datetime) -> Iterator[Told]:
    for day in range(-38, 1):
        at, slip = worst + day * DAY, min(9.0, max(0.0, 1.5 * (day + 12)))
        yield at, _photo("east", at, due(at, worst) - slip)
        if day < 0:
            yield at, _photo("north", at, due(at, worst) - 1.0)
    for day in (-0.8, -0.6, -0.2, 0.0):
        yield worst + day * DAY, _photo("north", worst + day * DAY, 3.0, "LENS_DIRTY")


def _photos_on_plan(worst: datetime) -> Iterator[Told]:
    """To the point, or exactly five off, with everything between them that must not count."""
    for day in range(-38, 1):
        at = worst + day * DAY
        off = {0: 5.0, 1: -5.0}.get(day % 4, 0.0) if day < -4 else 0.0
        yield at, _photo("east", at, due(at, worst) + off)
        if (
            day % 5 == 0 and day < -4
        ):  # a single one beyond, then one to the point, then gated ones far beyond
            for hours, other, gate in (
                (2, due(at, worst) - 9.0, ()),
                (4, due(at, worst), ()),
                (6, 99.0, ("FOG_RAIN",)),
                (8, 99.0, ("GLARE",)),
            ):
                yield at + hours * HOUR, _photo("east", at + hours * HOUR, max(0.0, other), *gate)
            none = Progress(
                camera="east", photo=f"none{day}", percent=None, low=None, high=None, gate=("DARK",)
            )
            yield at + 10 * HOUR, none


def _counter(worst: datetime, *, loud: bool) -> list[tuple[datetime, float]]:
    """Read every hour: 20 kWh in each of those with work, 2 in each other; `loud`: 12 in those of the last 26."""
    begin = worst - 33 * DAY
    hours = [begin + n * HOUR for n in range(34 * 24 + 1)]
    used = [
        20.0 if 6 <= at.hour < 22 else 12.0 if loud and worst - 26 * HOUR <= at < worst else 2.0
        for at in hours
    ]
    return list(zip(hours, accumulate(used[:-1], initial=1_000.0), strict=True))


def _frames(counted: Iterable[tuple[datetime, float]]) -> Iterator[Told]:
    for at, kwh in counted:
        yield at, Frame(device="main", metrics=(_ENERGY.code,), values=(_ENERGY.to_wire(kwh),))


def _health(crane: Literal["ok", "silent"]) -> Health:
    devices = (
        DeviceHealth(name="main", status="ok", answers=800),
        DeviceHealth(name="crane", status=crane, answers=790, errors={"timeout": 12}),
    )
    return Health(version="1", devices=devices)


def _bad_readings(worst: datetime) -> Iterator[Told]:
    """Without a loud night; yet there is an outage, hours without a value, a doubtful one, a meter that was replaced."""
    for at, body in _frames(_counter(worst, loud=False)):
        if worst - 50 * HOUR < at < worst - 40 * HOUR or at > worst:
            continue
        value: int | None = body.values[0]
        flaws: tuple[tuple[int, int], ...] = ()
        if at >= worst - 20 * DAY:
            value = value - _ENERGY.to_wire(5_000.0)  # the meter was replaced
        if at == worst - 60 * HOUR:
            value, flaws = value + _ENERGY.to_wire(4_000.0), ((0, Flaw.OUT_OF_RANGE),)
        if worst - 12 * HOUR < at < worst - 8 * HOUR:
            value, flaws = None, ((0, Flaw.TIMEOUT),)
        yield at, replace(body, values=(value,), flaws=flaws)
    yield worst, _health("ok")
