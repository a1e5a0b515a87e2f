from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from plumbline.clock import to_us
from plumbline.errors import Unreachable
from plumbline.messages import DeviceHealth, Health, Progress, Record
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.milestones import Milestone
from plumbline_central.indicators.templates import templates
from plumbline_central.indicators.values import Pushed
from plumbline_central.parts import Parts
from plumbline_central.plan import PlanCurve
from plumbline_central.project import LedgerRow
from plumbline_central.rules import metering
from plumbline_central.rules.snapshot import EnergyDay, Night

START = datetime(2026, 3, 1, tzinfo=UTC)
SITE = "a12"


class Site:
    """One central on a folder, with the few words that tests need; times are days since START."""

    def __init__(self, folder):
        self.folder = folder
        self.number = 0
        self.parts = Parts.open(folder, channels=("mqtt",))

    def restart(self):
        self.parts.close()
        self.parts = Parts.open(self.folder, channels=("mqtt",))

    def store(self, day, body, *, clock="synced", late_h=0.0):
        self.number += 1
        at = START + timedelta(days=day)
        record = Record(seq=self.number, at_us=to_us(at), boot="b", mono_us=1, clock=clock, body=body)
        row = LedgerRow(
            id=self.number,
            received_us=to_us(at + timedelta(hours=late_h)),
            site=SITE,
            gateway="gw",
            epoch="e",
            lane="data",
            records=(record,),
        )
        for projection in (self.parts.gateways, self.parts.progress):
            projection.apply([row])

    def photo(self, day, percent, gate=(), **more):
        half = 1.0
        low, high = (None, None) if percent is None else (percent - half, percent + half)
        self.store(
            day,
            Progress(camera="north", photo=f"p{day}", percent=percent, low=low, high=high, gate=gate, **more),
        )

    def health(self, day, *devices, **more):
        self.store(day, Health(version="1", devices=devices), **more)

    def plan(self, indicator, *points, kind="percent", scope="total"):
        curve = PlanCurve(
            points=tuple((START + timedelta(days=d), float(value)) for d, value in points), kind=kind
        )
        self.parts.plans.import_plan(SITE, indicator, curve, "plan.csv", "li", START, scope=scope)

    def indicator(self, template):
        self.parts.indicator_book.indicators.put(from_template(templates()[template], SITE), "li", START)

    def push(self, indicator, day, value):
        at = START + timedelta(days=day)
        self.parts.indicator_book.values.push(
            SITE, [Pushed(indicator=indicator, at=at, value=value)], "li", at + timedelta(days=1)
        )

    def tick(self, day):
        self.parts.evaluator.tick(START + timedelta(days=day))

    def open(self):
        """Rule -> alert of those whose condition is there."""
        return {alert.rule: alert for alert in self.parts.book.open() if alert.present}

    def told(self):
        sent = reversed(self.parts.deliveries.list("waiting", 1_000_000))
        return [(d.notice.what, d.notice.alert.rule) for d in sent]


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.parts.close()


def test_a_gateway_that_falls_silent_is_told_once_and_its_meter_is_muted(site):
    site.health(1, DeviceHealth(name="main", status="silent", errors={"timeout": 4}))
    for minute in range(0, 60, 2):
        site.tick(1.02 + minute / 1440)
    assert site.told() == [("raised", "gateway_offline")]
    assert site.open()["meter_fault"].suppressed_by == "gateway_offline-gw"
    site.health(1.1, DeviceHealth(name="main", status="ok"))
    site.tick(1.1)

    assert site.told()[1] == ("returned", "gateway_offline")


def test_what_failed_since_a_meter_fell_silent_is_counted(site):
    site.health(1, DeviceHealth(name="main", status="ok", errors={"timeout": 4, "garbage": 2}))
    site.health(1.1, DeviceHealth(name="main", status="silent", errors={"timeout": 7, "garbage": 2}))
    site.health(1.2, DeviceHealth(name="main", status="silent", errors={"timeout": 16, "garbage": 3}))
    site.tick(1.2)
    site.tick(1.205)

    alert = site.open()["meter_fault"]
    assert alert.facts == {"device": "main", "errors": 13.0, "kind": "timeout"}
    assert alert.since == START + timedelta(days=1.1)


def test_after_a_restart_of_the_gateway_its_counts_begin_anew(site):
    site.health(1, DeviceHealth(name="main", status="ok", errors={"timeout": 40}))
    site.health(1.1, DeviceHealth(name="main", status="silent", errors={"timeout": 3}))
    site.tick(1.1)
    site.tick(1.105)

    assert site.open()["meter_fault"].facts["errors"] == 3.0


def test_a_clock_that_is_not_set_is_told_after_an_hour_of_it(site):
    for hour in (0, 0.5, 1.1):
        site.health(1 + hour / 24, clock="unsynced")
        site.tick(1 + hour / 24)
        assert ("clock" in site.open()) == (hour > 1)
    site.health(1.06, clock="synced")
    site.tick(1.06)
    site.tick(1.07)

    assert "clock" not in site.open()


def test_a_clock_that_is_far_ahead_does_not_keep_the_last_word(site):
    site.store(1, Health(version="1"))
    site.number += 1
    ahead = Record(
        seq=site.number,
        at_us=to_us(START + timedelta(days=900)),
        boot="b",
        mono_us=1,
        clock="synced",
        body=Health(version="2"),
    )
    row = LedgerRow(
        id=site.number,
        received_us=to_us(START + timedelta(days=2)),
        site=SITE,
        gateway="gw",
        epoch="e",
        lane="status",
        records=(ahead,),
    )
    site.parts.gateways.apply([row])
    assert site.parts.gateways.status()[0].ahead_s == pytest.approx(898 * 86_400)
    site.health(3)

    assert (site.parts.gateways.status()[0].version, site.parts.gateways.status()[0].ahead_s) == ("1", 0.0)


def test_a_value_handed_in_off_its_plan_is_told_with_its_numbers(site):
    site.indicator("material_delivered")
    site.plan("material_delivered", (0, 0), (100, 1_000), kind="quantity")
    site.push("material_delivered", 50, 400.0)
    site.tick(51)
    site.tick(51.1)

    alert = site.open()["deviation"]
    assert (alert.subject, alert.severity, alert.deviation_pp) == ("material_delivered", "amber", None)
    assert alert.facts == {"value": 400.0, "plan": 500.0, "unit": "t", "off_percent": 20.0}
    assert site.told() == [("raised", "deviation")]


def test_a_corrected_value_ends_its_alert_and_a_late_one_does_not_bring_it_back(site):
    site.indicator("funds_paid")
    site.plan("funds_paid", (0, 0), (100, 100))
    site.push("funds_paid", 50, 30.0)
    site.tick(51)
    site.push("funds_paid", 50, 50.0)
    site.tick(52)
    site.push("funds_paid", 40, 3.0)
    site.tick(53)

    assert site.told() == [("raised", "deviation"), ("returned", "deviation")]


def test_nobody_hears_twice_over_restarts_and_what_lasts_stays(site):
    site.indicator("funds_paid")
    site.plan("funds_paid", (0, 0), (100, 100))
    site.push("funds_paid", 50, 30.0)
    milestone = Milestone(id="top", name_zh="封顶", name_en="topped out", due=START + timedelta(days=49))
    site.parts.indicator_book.milestones.put(SITE, [milestone], "m.csv", "li", START)
    for half_hour in range(7):
        site.restart()
        site.tick(51 + half_hour / 48)

    assert sorted(site.told()) == [("raised", "deviation"), ("raised", "milestone_overdue")]


def test_a_camera_with_a_dirty_lens_is_blind_and_sees_again(site):
    site.photo(1, 10.0)
    for n in range(4):
        site.photo(2 + n / 10, None, gate=("LENS_DIRT",))
        site.tick(2 + n / 10)
    blind = site.open()["camera_blind"]
    site.photo(3, 11.0)
    site.tick(3)

    assert (blind.subject, blind.gateway, blind.facts["reason"]) == ("north", "gw", "LENS_DIRT")
    assert "camera_blind" not in site.open()


def test_works_that_stand_still_are_told_and_a_rebuild_says_the_same(site):
    site.plan("progress", (0, 0), (100, 100), scope="visible")
    for day in range(1, 36):
        site.photo(day, min(day, 18.0) + 1)
        site.tick(day)
    before = [(alert.id, alert.rule, alert.raised_at) for alert in site.parts.book.recent()]
    assert {"stalled", "deviation"} <= site.open().keys()
    site.parts.progress.reset()
    site.number = 0
    for day in range(1, 36):
        site.photo(day, min(day, 18.0) + 1)
    site.tick(35)

    assert [(alert.id, alert.rule, alert.raised_at) for alert in site.parts.book.recent()] == before


def test_a_store_that_takes_nothing_is_one_alert_of_centrals_own(site):
    site.parts.store.faults.raised("InfluxDB", "503: away")
    for minute in range(4):
        site.tick(1 + minute / 1440)
    alert = site.open()["store_fault"]
    site.parts.store.faults.cleared("InfluxDB")
    for minute in range(4, 8):
        site.tick(1 + minute / 1440)

    assert (alert.site, alert.subject, alert.facts) == ("system", "influxdb", {"why": "503: away"})
    assert "store_fault" not in site.open()


def energy(site, *days, night=None):
    found = metering._Found(
        gateway="gw",
        night=night,
        days=tuple(
            EnergyDay(
                on=(START + timedelta(days=n)).date(),
                start=START + timedelta(days=n),
                energy_kwh=kwh,
                usual_kwh=100.0,
                spread_kwh=5.0,
            )
            for n, kwh in enumerate(days)
        ),
    )
    with site.parts.control.write() as db:
        db.execute(
            "INSERT OR REPLACE INTO energy_meter VALUES (?, 'main', 0, ?)",
            (SITE, msgspec.json.encode(found).decode()),
        )


def test_energy_is_compared_with_its_plan_where_there_is_one_and_else_with_what_is_usual(site):
    energy(site, 100.0, 150.0, 150.0)
    site.tick(4)
    assert site.open()["deviation"].facts["basis"] == "usual"
    site.indicator("energy")
    site.plan("energy", (0, 0), (100, 10_000), kind="quantity")
    site.tick(5)

    assert "deviation" not in site.open()


def test_a_night_that_used_too_much_is_told(site):
    start = START + timedelta(hours=14)
    night = Night(
        start=start, until=start + timedelta(hours=8), energy_kwh=90.0, usual_kwh=10.0, spread_kwh=2.0
    )
    energy(site, night=night)
    site.tick(1)

    assert site.open()["out_of_hours_energy"].facts == {
        "start": "03-01 22:00",
        "until": "03-02 06:00",
        "energy_kwh": 90.0,
        "usual_kwh": 10.0,
    }


def test_what_was_judged_in_a_transaction_that_failed_is_judged_again(site, monkeypatch):
    site.indicator("funds_paid")
    site.plan("funds_paid", (0, 0), (100, 100))
    site.push("funds_paid", 50, 30.0)
    with monkeypatch.context() as broken:
        broken.setattr("plumbline_central.alerts.entries.audit", _full)
        with pytest.raises(Unreachable):
            site.tick(51)
    site.tick(52)

    assert site.told() == [("raised", "deviation")]


def _full(*_args, **_how):
    raise Unreachable("disk full")
