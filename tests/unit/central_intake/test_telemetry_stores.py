"""What every TelemetryStore promises; a new adapter joins by one line in STORES."""

import itertools
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from influx_server import INFLUXD, MISSING, InfluxServer

from plumbline.clock import SystemClock, from_us, to_us
from plumbline.errors import Refused
from plumbline.metrics import BY_NAME, Flaw
from plumbline_central.settings import StoreSettings
from plumbline_central.stores import sqlite
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.influx.builder import Influx
from plumbline_central.stores.port import FramePoint, Reading
from plumbline_central.stores.sqlite import SqliteTelemetryStore

INFLUX2 = {
    word: os.environ.get(f"PLUMBLINE_TEST_INFLUX2_{word}") for word in ("URL", "TOKEN", "ORG", "BUCKET")
}
_databases = itertools.count()


def new_sqlite(folder, request):
    return SqliteTelemetryStore.open(folder / "series.db")


def new_influx1(folder, request):
    if INFLUXD is None:
        pytest.skip(MISSING)
    url = request.getfixturevalue("influxd").url
    return opened(StoreSettings(kind="influx1", url=url, database=f"db {next(_databases)}"), folder)


def new_influx2(folder, request):
    if None in INFLUX2.values():
        pytest.skip("no InfluxDB 2 to test against: set PLUMBLINE_TEST_INFLUX2_URL, _TOKEN, _ORG and _BUCKET")
    (folder / "token").write_text(INFLUX2["TOKEN"])
    settings = StoreSettings(
        kind="influx2",
        url=INFLUX2["URL"],
        org=INFLUX2["ORG"],
        bucket=INFLUX2["BUCKET"],
        token_file=str(folder / "token"),
    )
    store = opened(settings, folder)
    store.reset()
    return store


def opened(settings, folder):
    influx = Influx.open(settings, folder / "series.db", StandingFaults(), SystemClock())
    list(influx.prepare())
    return influx.telemetry


@pytest.fixture(scope="session")
def influxd(tmp_path_factory):
    server = InfluxServer(tmp_path_factory.mktemp("influxd")).up()
    yield server
    server.down()


STORES = [
    pytest.param(new_sqlite, id="sqlite"),
    pytest.param(new_influx1, id="influx1", marks=pytest.mark.system),
    pytest.param(new_influx2, id="influx2", marks=pytest.mark.system),
]
NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
VOLTAGE, POWER, ENERGY = (
    BY_NAME[name] for name in ("voltage_l1", "power_active_total", "energy_import_total")
)


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    made = request.param(tmp_path, request)
    yield made
    made.close()


def point(seconds=0.0, values=(23_000, 5_000), *, device="m1", metrics=(VOLTAGE, POWER), flaws=(), **names):
    return FramePoint(
        site=names.get("site", "a12"),
        gateway=names.get("gateway", "gw-1"),
        device=device,
        at_us=to_us(NOON + timedelta(seconds=seconds)),
        metrics=tuple(metric.code for metric in metrics),
        values=values,
        flaws=flaws,
    )


def reading(metric, value, *, seconds=0.0, device="m1", gateway="gw-1", flaw=None):
    return Reading(
        site="a12",
        gateway=gateway,
        device=device,
        metric=metric.name,
        unit=metric.unit,
        value=value,
        flaw=flaw,
        at=NOON + timedelta(seconds=seconds),
    )


def test_the_newest_reading_of_each_metric_comes_by_device_in_the_order_of_the_list(store):
    store.write([point(0, device="m2"), point(0), point(5, (23_010, 5_100))])
    store.write([point(3, (1, 1))])  # late, so not the newest

    assert store.latest("a12") == [
        reading(VOLTAGE, 230.1, seconds=5),
        reading(POWER, 510.0, seconds=5),
        reading(VOLTAGE, 230.0, device="m2"),
        reading(POWER, 500.0, device="m2"),
    ]
    assert store.latest("b07") == []


def test_a_missing_value_stays_missing_with_its_flaw_and_never_turns_into_a_number(store):
    flaws = ((0, Flaw.TIMEOUT), (1, Flaw.OUT_OF_RANGE))
    store.write([point(0), point(1, (None, 7), flaws=flaws)])

    assert store.latest("a12") == [
        reading(VOLTAGE, None, seconds=1, flaw=Flaw.TIMEOUT),
        reading(POWER, 0.7, seconds=1, flaw=Flaw.OUT_OF_RANGE),
    ]
    whole = store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(hours=1))
    assert whole == [(NOON, 230.0)]
    assert store.count() == 4


def test_zero_is_a_value(store):
    store.write([point(0, (0, 0))])

    assert [r.value for r in store.latest("a12")] == [0.0, 0.0]
    assert store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(seconds=1)) == [(NOON, 0.0)]


def test_writing_the_same_points_again_changes_nothing(store):
    points = [point(n, (n, -n)) for n in range(10)]
    store.write(points)
    before = store.series("a12", "m1", "power_active_total", NOON, NOON + timedelta(hours=1))
    store.write(points)
    store.write(points[3:5])

    assert store.count() == 20
    assert store.series("a12", "m1", "power_active_total", NOON, NOON + timedelta(hours=1)) == before


def test_a_series_holds_start_and_leaves_out_end(store):
    store.write([point(n, (n * 100, 0)) for n in range(10)])

    found = store.series("a12", "m1", "voltage_l1", NOON + timedelta(seconds=2), NOON + timedelta(seconds=5))

    assert found == [(NOON + timedelta(seconds=n), float(n)) for n in (2, 3, 4)]


def test_steps_are_means_dated_at_their_start_and_empty_steps_are_left_out(store):
    store.write([point(n, (n * 100, 0)) for n in (0, 30, 60, 200)])
    store.write([point(90, (None, 0), flaws=((0, Flaw.TIMEOUT),))])

    found = store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(hours=1), 60)

    expected = [(NOON, 15.0), (NOON + timedelta(seconds=60), 60.0), (NOON + timedelta(seconds=180), 200.0)]
    assert found == expected


def test_a_meter_that_changed_its_metrics_or_its_gateway_keeps_one_history(store):
    store.write([point(0, (100, 1)), point(2, (300,), metrics=(VOLTAGE,))])
    store.write([point(1, (7, 200), metrics=(ENERGY, VOLTAGE), gateway="gw-2")])

    found = store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(hours=1))

    assert [value for _, value in found] == [1.0, 2.0, 3.0]
    newest = {(r.gateway, r.metric): r.value for r in store.latest("a12")}
    assert newest["gw-1", "voltage_l1"] == 3.0
    assert newest["gw-1", "power_active_total"] == 0.1


def test_sites_do_not_see_each_other(store):
    store.write([point(0), point(0, (1, 1), site="b07")])

    assert [r.value for r in store.latest("b07")] == [0.01, 0.1]
    assert len(store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(hours=1))) == 1


@pytest.mark.parametrize(("metric", "step_s"), [("voltage", None), ("voltage_l1", 0), ("voltage_l1", -5)])
def test_an_unknown_metric_or_an_impossible_step_is_refused(store, metric, step_s):
    with pytest.raises(Refused):
        store.series("a12", "m1", metric, NOON, NOON, step_s)


def test_reset_forgets_everything_and_takes_the_same_points_anew(store):
    store.write([point(0)])
    store.reset()

    assert (store.count(), store.latest("a12")) == (0, [])
    store.write([point(0)])
    assert store.count() == 2


@pytest.mark.parametrize("new_store", STORES)
@settings(deadline=None, max_examples=40)
@given(
    samples=st.lists(
        st.tuples(st.integers(-(10**9), 10**9), st.none() | st.integers(-(2**62), 2**62)),
        max_size=30,
        unique_by=lambda sample: sample[0],
    ),
    again=st.integers(0, 30),
    step_s=st.sampled_from([None, 1.0, 7.5, 900.0]),
)
def test_a_series_is_what_was_written_however_often(
    new_store, samples, again, step_s, tmp_path_factory, request
):
    store = new_store(tmp_path_factory.mktemp("series"), request)
    for at_us, value in [*samples, *samples[again:]]:
        flaws = ((0, Flaw.TIMEOUT),) if value is None else ()
        store.write(
            [
                FramePoint(
                    site="a12",
                    gateway="g",
                    device="m",
                    at_us=at_us,
                    metrics=(1,),
                    values=(value,),
                    flaws=flaws,
                )
            ]
        )
    last = {at_us: value for at_us, value in samples if value is not None}
    if step_s is None:
        expected = [(from_us(at_us), VOLTAGE.from_wire(last[at_us])) for at_us in sorted(last)]
    else:
        step_us = round(step_s * 1e6)
        steps = {}
        for at_us in sorted(last):
            steps.setdefault(at_us // step_us * step_us, []).append(last[at_us])
        expected = [
            (from_us(at), pytest.approx(sum(v) / len(v) / 100, rel=1e-6, abs=max(map(abs, v)) * 1e-12))
            for at, v in steps.items()
        ]
    found = store.series("a12", "m", "voltage_l1", from_us(-(10**9)), from_us(10**9 + 1), step_s)
    store.close()

    assert found == expected


def placed(at, boot, value=23_000, **how):
    return replace(point(at, (value, 5_000)), boot=boot, **how)


def volts(store):
    return [
        ((at - NOON).total_seconds(), value)
        for at, value in store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(hours=1))
    ]


def test_points_of_doubtful_time_are_part_of_the_history_and_of_the_newest(store):
    store.write([point(0), placed(1, "b1", 23_100)])

    assert volts(store) == [(0, 230.0), (1, 231.0)]
    assert [r.value for r in store.latest("a12")] == [231.0, 500.0]
    assert store.count() == 4


def test_removing_a_point_touches_no_other_at_the_same_time(store):
    store.write([point(0), placed(0, "b1", 23_100), placed(0, "b2", 23_200)])
    store.remove([placed(0, "b1"), placed(5, "b1")])

    assert sorted(volts(store)) == [(0, 230.0), (0, 232.0)]
    store.remove([placed(0, "b2")])
    assert volts(store) == [(0, 230.0)]
    store.remove([point(0)])
    assert (volts(store), store.latest("a12")) == ([], [])


def test_a_thinned_point_never_takes_the_place_of_a_single_poll(store):
    for boot in ("", "b1"):
        at = len(boot)
        store.write([placed(at, boot, 23_000), placed(at, boot, 1, thinned=True)])
        store.write([placed(at + 10, boot, 2, thinned=True)])
        store.write([placed(at + 10, boot, 23_000)])

    assert volts(store) == [(at, 230.0) for at in (0, 2, 10, 12)]


def test_reset_forgets_points_of_doubtful_time_too(store):
    store.write([placed(0, "b1")])
    store.reset()

    assert (store.count(), volts(store)) == (0, [])


def test_a_gateway_that_never_sends_the_same_metrics_twice_fills_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "LAYOUTS_REMEMBERED", 3)
    store = SqliteTelemetryStore.open(tmp_path / "series.db")
    points = [point(n, (n,), device=f"m{n % 5}", metrics=(VOLTAGE,)) for n in range(10)]
    store.write(points)

    assert len(store._layouts) == 3
    assert store.count() == 10
    store.close()


def test_of_a_stretch_only_what_is_named_is_removed(store):
    store.write([placed(n, "b1", 100 * n) for n in range(10)])
    store.remove([placed(n, "b1") for n in (0, 1, 2, 5, 8, 9)])

    assert volts(store) == [(n, n) for n in (3, 4, 6, 7)]
    assert store.count() == 8


def test_a_mean_is_made_of_polls_and_of_stand_ins_where_there_is_no_poll(store):
    store.write([placed(0, "", 100), placed(0, "", 900, thinned=True), placed(10, "", 300, thinned=True)])

    found = store.series("a12", "m1", "voltage_l1", NOON, NOON + timedelta(hours=1), 60)

    assert found == [(NOON, 2.0)]


def test_all_readings_of_a_range_come_with_their_flaws_missing_ones_among_them(store):
    flawed = ((0, int(Flaw.STUCK)), (1, int(Flaw.TIMEOUT)))
    store.write(
        [
            point(0),
            point(60, (23_100, None), flaws=flawed),
            point(60, (22_000, 1), gateway="gw-2"),
            point(120),
            placed(180, "b1", thinned=True),
        ]
    )
    start = from_us(point(0).at_us)

    def found(metric, seconds):
        return store.readings("a12", "m1", metric, start, start + timedelta(seconds=seconds))

    assert found("voltage_l1", 120) == [
        reading(VOLTAGE, 230.0),
        reading(VOLTAGE, 231.0, seconds=60, flaw=Flaw.STUCK),
        reading(VOLTAGE, 220.0, seconds=60, gateway="gw-2"),
    ]
    assert [(one.value, one.flaw) for one in found("power_active_total", 61)][1] == (None, Flaw.TIMEOUT)
    assert [one.value for one in found("voltage_l1", 181)][-1] == 230.0
    assert store.readings("b7", "m1", "voltage_l1", start, start + timedelta(days=1)) == []
    with pytest.raises(Refused):
        found("nonsense", 60)
