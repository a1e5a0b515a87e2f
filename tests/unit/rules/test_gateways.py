from datetime import timedelta

import pytest

from plumbline.messages import DeviceHealth, Health
from plumbline_central.rules.snapshot import Gateway, Silent, Snapshot

from .conftest import NOW, SITE, found


def gateway(*, silent_s=0.0, gauges=None, devices=(), **more):
    return Gateway(
        site=SITE,
        gateway="gw-1",
        last_seen=NOW - timedelta(seconds=silent_s),
        health_at=NOW,
        health=Health(version="1", gauges=gauges or {}, devices=devices),
        **more,
    )


def of(one):
    return found(Snapshot(gateways=[one]))


def test_a_gateway_is_offline_after_a_quarter_of_an_hour_and_gravely_after_a_day():
    assert of(gateway(silent_s=900)) == {}
    assert of(gateway(silent_s=901))["gateway_offline"].severity == "amber"
    assert of(gateway(silent_s=86_401))["gateway_offline"].severity == "red"


def test_the_silence_is_told_by_when_it_began_and_the_same_silence_is_one():
    one = of(gateway(silent_s=3_600))["gateway_offline"]
    later = of(gateway(silent_s=3_600, gauges={"x": 1.0}))["gateway_offline"]

    assert (one.slot.subject, one.gateway, one.since) == ("gw-1", "gw-1", NOW - timedelta(hours=1))
    assert one.facts == {"last_seen": "2026-06-01 11:00"}
    assert one.evidence == later.evidence


def test_a_gateway_that_was_never_heard_is_not_installed_yet():
    assert of(Gateway(site=SITE, gateway="gw-9")) == {}


@pytest.mark.parametrize("clock", ["unset", "unsynced"])
def test_a_clock_that_nobody_has_set_is_told(clock):
    assert of(gateway(clock=clock))["clock"].facts == {}


def test_a_clock_that_is_ahead_of_central_is_surely_wrong_and_one_behind_may_be_the_way():
    assert of(gateway(clock="synced", ahead_s=60.0))["clock"].facts == {"off_s": 60.0}
    assert of(gateway(clock="synced", ahead_s=-3_600.0)) == {}
    assert of(gateway(clock="synced", ahead_s=9.0)) == {}
    assert of(gateway(clock="simulated", ahead_s=60.0)) == {}


@pytest.mark.parametrize(
    ("left", "holds", "severity"),
    [(30.0, 30.0, None), (10.0, 30.0, None), (8.9, 30.0, "amber"), (2.9, 30.0, "red"), (2.5, 2.6, None)],
)
def test_a_buffer_fills_by_what_waits_in_it_and_not_by_being_small(left, holds, severity):
    there = of(gateway(gauges={"outbox_full_in_days": left, "outbox_holds_days": holds}))

    assert (there["buffer_filling"].severity if there else None) == severity


def test_without_a_forecast_no_buffer_is_judged():
    assert of(gateway(gauges={"outbox_mb": 999.0, "outbox_max_mb": 1_000.0})) == {}


@pytest.mark.parametrize(
    ("left", "holds"), [(5.0, float("inf")), (5.0, -1.0), (float("nan"), 30.0), (float("-inf"), 30.0)]
)
def test_a_forecast_that_cannot_be_is_no_forecast(left, holds):
    assert of(gateway(gauges={"outbox_full_in_days": left, "outbox_holds_days": holds})) == {}


def test_a_meter_that_is_silent_is_told_with_what_failed_since():
    devices = (
        DeviceHealth(name="main", status="silent"),
        DeviceHealth(name="crane", status="degraded"),
        DeviceHealth(name="north", status="silent", source="rtsp"),
    )
    silent = {name: Silent(since=NOW, failed={"timeout": 7, "garbage": 1}) for name in ("main", "north")}
    one = of(gateway(devices=devices, silent=silent))["meter_fault"]

    assert (one.slot.subject, one.gateway, one.since) == ("main", "gw-1", NOW)
    assert one.facts == {"device": "main", "errors": 8.0, "kind": "timeout"}


def test_of_a_meter_whose_errors_nobody_counted_only_its_name_is_said():
    devices = (DeviceHealth(name="main", status="silent"),)

    assert of(gateway(devices=devices, silent={"main": Silent(since=NOW)}))["meter_fault"].facts == {
        "device": "main"
    }
