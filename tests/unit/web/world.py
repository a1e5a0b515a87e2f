"""A site in front of the page: the real stores, filled the way the ledger fills them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from plumbline.clock import ManualClock, to_us
from plumbline.messages import (
    DeviceHealth,
    Event,
    Frame,
    Gap,
    GatewayState,
    Health,
    Photo,
    Progress,
    Record,
    ZoneProgress,
)
from plumbline.metrics import BY_NAME, Flaw
from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.api.app import create_api
from plumbline_central.api.services import Services
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.milestones import read_milestones
from plumbline_central.indicators.templates import templates
from plumbline_central.indicators.values import Pushed
from plumbline_central.parts import Parts
from plumbline_central.plan import PlanCurve
from plumbline_central.project import LedgerRow

START = datetime(2026, 3, 1, tzinfo=UTC)
SITE = "east-lake"
CAMERA = "north"
GATEWAY = "gw-east-1"
QUAD = ((0.25, 0.2), (0.8, 0.25), (0.8, 0.9), (0.25, 0.85))


class World:
    """One central on a folder. Time stands still until the clock is moved."""

    def __init__(self, folder, *, clock=None, **services):
        self.clock = clock or ManualClock(START)
        self.parts = Parts.open(folder)
        self.services = Services(
            registry=self.parts.registry,
            telemetry=self.parts.telemetry,
            photos=self.parts.photos,
            gateways=self.parts.gateways,
            indicators=self.parts.indicators,
            indicator_book=self.parts.indicator_book,
            alerts=self.parts.book,
            feed=self.parts.feed,
            books=self.parts.books,
            deliveries=self.parts.deliveries.list,
            live=self.parts.live,
            clock=self.clock,
            **services,
        )
        self.api = create_api(self.services)
        self._ids = itertools.count(1)

    def close(self):
        self.parts.close()

    def add_site(self, site=SITE, zh="东湖小学外立面改造", en="East Lake School, facade renewal"):
        self.parts.registry.add_site(site, name_zh=zh, name_en=en)

    def plan(self, *points, site=SITE):
        """(day, percent) pairs from START on."""
        curve = PlanCurve(
            points=tuple((START + timedelta(days=day), float(percent)) for day, percent in points)
        )
        self.parts.plans.import_plan(site, "progress", curve, "plan.csv", "a.li", self.clock.wall())

    def store(self, body, *, at=None, site=SITE, gateway=GATEWAY):
        """One record through all the projections, received now."""
        number = next(self._ids)
        record = Record(
            seq=number,
            at_us=to_us(at or self.clock.wall()),
            boot="b",
            mono_us=number,
            clock="synced",
            body=body,
        )
        row = LedgerRow(
            id=number,
            received_us=to_us(self.clock.wall()),
            site=site,
            gateway=gateway,
            epoch="e1",
            lane="photo" if isinstance(body, Photo) else "data",
            records=(record,),
        )
        for projection in self.parts.projections:
            projection.apply([row])

    def frame(self, device="main", *, at=None, site=SITE, flaws=None, **values):
        """Values by metric name, in its unit; None is missing, and `flaws` says why."""
        names = list(values)
        self.store(
            Frame(
                device=device,
                metrics=tuple(BY_NAME[name].code for name in names),
                values=tuple(
                    None if values[name] is None else BY_NAME[name].to_wire(values[name]) for name in names
                ),
                flaws=tuple((names.index(name), int(flaw)) for name, flaw in (flaws or {}).items()),
            ),
            at=at,
            site=site,
        )

    def progress(self, percent, *, photo=None, half=3.0, at=None, site=SITE, **more):
        """What a photo says; `more` are fields of Progress. The photo's id."""
        photo = photo or f"p{next(self._ids)}"
        said = Progress(
            camera=CAMERA,
            photo=photo,
            percent=percent,
            low=None if percent is None else max(percent - half, 0.0),
            high=None if percent is None else min(percent + half, 100.0),
            **more,
        )
        self.store(said, at=at, site=site)
        return photo

    def photo(self, photo, jpeg, *, width_px=960, height_px=540, at=None, site=SITE):
        self.store(
            Photo(
                camera=CAMERA, photo=photo, jpeg=jpeg, width_px=width_px, height_px=height_px, mask="blur:v1"
            ),
            at=at,
            site=site,
        )

    def health(self, *, online=True, waiting=0, site=SITE, gateway=GATEWAY, devices=()):
        self.parts.gateways.heard(
            GatewayState(online=online, site=site, gateway=gateway, version="0.1.0"), to_us(self.clock.wall())
        )
        gauges = {"waiting_data": float(waiting), "disk_free_mb": 21_400.0, "parked_data": 0.0}
        self.store(Health(version="0.1.0", gauges=gauges, devices=devices), site=site, gateway=gateway)


def three_phase(watts, energy_kwh, *, volts=229.4):
    """A plausible three-phase reading by metric name."""
    shares = (0.36, 0.33, 0.31)
    values = {"power_active_total": watts, "energy_import_total": energy_kwh, "frequency": 50.01}
    for i, share in enumerate(shares, start=1):
        values[f"voltage_l{i}"] = volts + i * 0.7
        values[f"power_active_l{i}"] = watts * share
        values[f"current_l{i}"] = watts * share / volts / 0.94
        values[f"power_factor_l{i}"] = 0.94
    values["power_factor_total"] = 0.94
    return values


def zones(floors, bays, percent, *, hidden=(), unseen=()):
    """Zone verdicts that get less done from the ground up."""
    made = []
    for floor in range(1, floors + 1):
        for bay in range(1, bays + 1):
            name = f"f{floor}b{bay}"
            done = min(
                max(percent + 22 - 44 * (floor - 0.5) / floors + 5 * math.sin(bay * floor), 0.0), 100.0
            )
            if name in unseen:
                made.append(ZoneProgress(id=name, percent=None, low=None, high=None, visible=0.1))
            elif name in hidden:
                made.append(
                    ZoneProgress(id=name, percent=done, low=done - 8, high=min(done + 8, 100), visible=0.0)
                )
            else:
                made.append(
                    ZoneProgress(
                        id=name,
                        percent=done,
                        low=max(done - 5, 0),
                        high=min(done + 5, 100),
                        visible=0.9,
                        stage=3,
                    )
                )
    return tuple(made)


def tell_story(world, jpeg, *, days=42, slip_pp=8.0, width_px=960, height_px=540, quad=QUAD, grid=(4, 6)):
    """A site of 60 days, seen on `days` of them, that falls behind after day 24; three meters and a gateway."""
    world.add_site()
    world.plan((0, 0), (8, 6), (20, 28), (40, 72), (52, 93), (60, 100))
    curve = world.services.indicators.curve(SITE)
    for day in range(days + 1):
        world.clock.step((START + timedelta(days=day, hours=3) - world.clock.wall()).total_seconds())
        lag = min(max(day - 24, 0) * 0.6, slip_pp)
        percent = max((curve.planned_at(world.clock.wall()) or 0) - lag + math.sin(day * 1.7), 0.0)
        if day in (11, 29, 30):
            world.progress(None, gate=("FOG_RAIN",) if day == 11 else ("DARK", "BLUR"))
            continue
        last = day == days
        photo = world.progress(
            percent,
            half=2.5 + (day % 5) * 0.4,
            quad=quad,
            grid=grid,
            zones=zones(*grid, percent, hidden=("f1b1",), unseen=("f4b6",)) if last else (),
        )
        if last:
            world.photo(photo, jpeg, width_px=width_px, height_px=height_px)
    world.clock.step(4 * 3600 + 40)
    now = world.clock.wall()
    for half_hours in range(48, -1, -1):
        at = now - timedelta(minutes=30 * half_hours)
        hour = (at.hour + 8 + at.minute / 60) % 24
        busy = max(math.sin((hour - 6) / 13 * math.pi), 0) if 6 < hour < 19 else 0.02
        world.frame(
            "tower-crane",
            at=at,
            **three_phase(1800 + 31_000 * busy * (0.6 + 0.4 * math.sin(half_hours * 2.1)), 18_204.6),
        )
        world.frame("site-cabins", at=at, **three_phase(2400 + 5200 * (1 - busy), 9_310.2))
    world.frame(
        "hoist",
        at=now - timedelta(minutes=41),
        flaws={
            "power_active_total": Flaw.TIMEOUT,
            "energy_import_total": Flaw.TIMEOUT,
            "voltage_l1": Flaw.TIMEOUT,
        },
        power_active_total=None,
        energy_import_total=None,
        voltage_l1=None,
    )
    world.store(
        Event(code="meter_lost", subject="hoist", text="no answer for 3 polls"),
        at=now - timedelta(minutes=40),
    )
    world.health(
        waiting=0,
        devices=(
            DeviceHealth(name="tower-crane", status="ok", answers=90_000),
            DeviceHealth(name="site-cabins", status="degraded", answers=89_000, errors={"timeout": 412}),
            DeviceHealth(name="hoist", status="silent", answers=70_000, errors={"timeout": 2_000}),
        ),
    )


def fill(world):
    """Several of everything that the API lists, on a world that has the site and its plan."""
    now = world.clock.wall()
    hours = [now + timedelta(hours=h) for h in range(3)]
    for site, zh in (("a12", "甲十二号楼"), ("b7", "=乙七号楼")):
        world.add_site(site, zh, site.upper())
    for version in (90, 95):
        world.plan((0, 0), (version, 100))
    world.clock.step(20 * 86_400)
    for camera_day in (20, 21, 22):
        photo = world.progress(11.0, half=1.0, at=START + timedelta(days=camera_day))
        world.photo(photo, b"\xff\xd8", at=START + timedelta(days=camera_day))
        world.clock.step(86_400)
    for at in hours:
        world.frame("crane", at=at, voltage_l1=230.5, power_active_total=-4.0)
        world.frame(
            "hoist",
            at=at,
            flaws={"voltage_l1": Flaw.TIMEOUT, "power_active_total": Flaw.STUCK},
            voltage_l1=None,
            power_active_total=7.0,
        )
    for number in (1, 2):
        world.health(gateway=f"gw-east-{number}")
    world.store(Gap(lane="data", first=3, last=4, why="age", from_us=to_us(now), until_us=to_us(hours[2])))
    now = world.clock.wall()
    book = world.parts.indicator_book
    for name in ("funds_paid", "satisfaction"):
        made = from_template(templates()[name], SITE, id_=name)
        book.indicators.put(replace(made, owner="李伟"), "李伟", now)
        book.indicators.put(replace(made, owner="王建国"), "李伟", now)
    for value in (30.0, 31.0, None):
        for days in (3, 2, 1):
            pushed = Pushed(indicator="funds_paid", at=now - timedelta(days=days), value=value, note="=1+1")
            book.values.push(SITE, [pushed], "李伟", now)
        book.values.push(
            SITE, [replace(pushed, at=now - timedelta(days=9), value=28.0, note="")], "李伟", now
        )
    milestone = b"id,name,due,owner\nscaffold,Scaffold,2026-03-31,Li\n"
    book.milestones.put(SITE, read_milestones(milestone, "m.csv"), "m.csv", "李伟", now)
    conditions = [
        Condition(
            slot=Slot(site=SITE, rule="meter_fault", subject=meter),
            severity="red",
            since=now,
            gateway=GATEWAY,
            facts={"silent_s": 900.0},
        )
        for meter in ("crane", "hoist")
    ]
    with world.parts.book.write() as writer:
        writer.settle(conditions, ["meter_fault"], now)
    world.parts.book.acknowledge(1, "=HYPERLINK(1)", "", now)
    for subject in ("crane", "hoist"):
        slot = Slot(site=SITE, rule="clock", subject=subject)
        world.parts.book.take_out(slot, "李伟", "换表", now)
        until = now + timedelta(days=1)
        world.parts.book.plan_maintenance(SITE, subject, now, until, "李伟", "检修", now)
