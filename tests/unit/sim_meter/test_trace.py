import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from plumbline.clock import ManualClock
from plumbline.errors import ConfigError, FaultyFile, Refused
from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_sim.meter.server import MeterServer, SimulatedMeter
from plumbline_sim.meter.trace import TracePlayer, load_map, load_trace

ROOT = Path(__file__).parents[3]
MAPS = ROOT / "firmware_configs" / "traces"
DATA = Path(os.environ.get("PLUMBLINE_DATA", ROOT.parent / "shared" / "data")) / "meters"
RECORDINGS = [
    ("steel", "steel_2018_jan_jun.csv", "eastron_sdm630", 521_199.76),
    ("steel", "steel_2018_jan_jun.csv", "abb_b23", 521_199.76),
    ("household", "household_2006-12-16_2007-01-05.csv", "eastron_sdm120", 880.3),
    ("lab_1hz", "lab_1hz/2combi_kettle+vacuum/main.csv", "eastron_sdm120", 0.19306),
    ("lab_1hz", "lab_1hz/3combi_kettle+vacuum+wheater/main.csv", "eastron_sdm120", None),
]

MAP = """
title = "Test"
source = "made up"
[time]
columns = ["when"]
format = "%Y-%m-%d %H:%M"
timezone = "UTC"
interval_s = 900
stamp = "end"
midnight = "end"
[missing]
cells = ["", "?"]
[metrics]
energy_import_total = { column = "kWh", per_interval = true }
power_active_total = { rate_of = "energy_import_total" }
voltage_l1 = { column = "V" }
"""
ROWS = "when,kWh,V\n2026-01-01 23:30,1,230\n2026-01-01 23:45,2,231\n2026-01-01 00:00,3,232\n2026-01-02 00:15,4,233\n"
BEGIN_S = datetime(2026, 1, 1, 23, 15, tzinfo=UTC).timestamp()


@pytest.fixture
def play(tmp_path):
    def play(rows=ROWS, text=MAP):
        (tmp_path / "map.toml").write_text(text)
        (tmp_path / "rows.csv").write_text(rows)
        return load_trace(tmp_path / "rows.csv", load_map(tmp_path / "map.toml"))

    return play


def kwh(trace, minutes):
    return trace.at(BEGIN_S + 60 * minutes)["energy_import_total"]


def test_a_midnight_row_that_closes_its_day_comes_after_it(play):
    trace = play()

    assert trace.begin_s == BEGIN_S
    assert [kwh(trace, minutes) for minutes in (0, 15, 30, 45, 60)] == pytest.approx([0, 1, 3, 6, 10])
    assert trace.at(BEGIN_S + 40 * 60)["voltage_l1"] == 232
    assert trace.report.out_of_order == 0


def test_a_counter_grows_evenly_and_power_is_its_rate(play):
    trace = play()

    assert kwh(trace, 20) == pytest.approx(1 + 2 / 3)
    assert trace.at(BEGIN_S + 20 * 60)["power_active_total"] == pytest.approx(8000)


def test_rows_in_any_order_play_the_same_and_are_reported(play):
    header, *rows = ROWS.splitlines(keepends=True)
    shuffled = play(header + rows[2] + rows[0] + rows[3] + rows[1])

    assert kwh(shuffled, 60) == pytest.approx(10)
    assert shuffled.report.out_of_order == 2
    assert "rows out of order, sorted" in str(shuffled.report)


def test_of_two_rows_with_one_time_the_later_counts_and_it_is_said(play):
    trace = play(ROWS + "2026-01-02 00:15,9,233\n")

    assert kwh(trace, 60) == pytest.approx(15)
    assert trace.report.duplicates == 1


@pytest.mark.parametrize("cell", ["", "?"])
def test_a_missing_cell_silences_the_whole_meter_and_the_counter_stands_still(play, cell):
    trace = play(ROWS.replace("23:45,2,231", f"23:45,{cell},231"))

    assert trace.at(BEGIN_S + 20 * 60) is None
    assert kwh(trace, 30) == pytest.approx(1)
    assert trace.report.missing["energy_import_total"] == 1
    assert "counters stand still" in str(trace.report)


def test_a_missing_cell_can_be_a_sentinel_of_its_own_value_only(play):
    text = MAP.replace('cells = ["", "?"]', 'cells = ["?"]\nanswer = "sentinel"')
    trace = play(ROWS.replace("23:45,2,231", "23:45,2,?"), text)

    values = trace.at(BEGIN_S + 20 * 60)

    assert values["voltage_l1"] is None
    assert values["energy_import_total"] == pytest.approx(1 + 2 / 3)


def test_missing_rows_are_a_gap_and_not_a_held_value(play):
    trace = play(ROWS.replace("2026-01-01 23:45,2,231\n", ""))

    assert trace.at(BEGIN_S + 20 * 60) is None
    assert kwh(trace, 30.001) == pytest.approx(1, abs=0.001)
    assert trace.report.gaps == 1


def test_a_recording_played_again_goes_on_counting(play):
    player = TracePlayer(play(), begin_s=1000.0, repeat=True, start={"energy_import_total": 50.0})

    assert player.at(1000.0)["energy_import_total"] == pytest.approx(50)
    assert player.at(1000.0 + 2.25 * 3600)["energy_import_total"] == pytest.approx(50 + 20 + 1)


def test_a_recording_played_once_ends_with_all_its_energy_and_then_silence(play):
    player = TracePlayer(play(), begin_s=1000.0)

    assert player.at(999.0) is None
    assert player.at(1000.0 + 3600)["energy_import_total"] == pytest.approx(10)
    assert player.at(1000.0 + 3601) is None


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('timezone = "UTC"', 'timezone = "Mars/Base"', "time.timezone"),
        ('stamp = "end"', 'stamp = "middle"', "time.stamp"),
        ("interval_s = 900", "interval_s = 0", "time.interval_s"),
        ("voltage_l1 =", "voltage =", "metrics.voltage"),
        ('{ column = "V" }', '{ column = "V", constant = 1 }', "metrics.voltage_l1"),
        ('{ column = "V" }', '{ column = "V", per_interval = true }', "metrics.voltage_l1"),
        ('rate_of = "energy_import_total"', 'rate_of = "voltage_l1"', "metrics.power_active_total"),
        ('{ column = "V" }', '{ colum = "V" }', "metrics.voltage_l1.colum"),
        ('power_active_total = { rate_of = "energy_import_total" }', 'power_factor_total = { derive = "factor" }',
         "metrics.power_factor_total"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_map_is_named(play, old, new, key):
    with pytest.raises(FaultyFile) as caught:
        play(text=MAP.replace(old, new))

    assert key in {fault.key for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS.replace("kWh", "MWh", 1), "kWh: expected a column; the file has when, MWh, V"),
        (ROWS.replace("231", "lots"), "rows.csv:3: V: expected a number"),
        (ROWS.replace("231", "nan"), "rows.csv:3: V: expected a number"),
        (ROWS.replace("2026-01-01 23:45", "yesterday"), "rows.csv:3: when: expected a time like"),
        ("when,kWh,V\n", "no rows"),
    ],
)
def test_a_mistake_in_a_recording_is_named_with_its_line(play, rows, said):
    with pytest.raises(ConfigError, match=said):
        play(rows)


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_map_loads(path):
    assert load_map(path).metrics


@pytest.mark.parametrize(("name", "file", "profile", "known_kwh"), RECORDINGS, ids=lambda x: str(x)[-40:])
async def test_a_recording_keeps_its_energy_all_the_way_through_the_wire(name, file, profile, known_kwh):
    path = DATA / file
    if not path.is_file():
        pytest.skip(f"no {path}; set PLUMBLINE_DATA to the folder that holds meters/")
    trace = load_trace(path, load_map(MAPS / f"{name}.toml"))
    interval_s = load_map(MAPS / f"{name}.toml").time.interval_s
    rows = trace.report.rows
    step_s = max(1, rows // 400) * interval_s  # about 400 polls, between rows too
    clock = ManualClock(datetime.fromtimestamp(trace.begin_s, UTC))
    device = SimulatedMeter(name=name, unit=1, profile=find_profile(profile), source=TracePlayer(trace))
    energy, refused = [], 0

    async with MeterServer([device], clock=clock) as server, tcp_bus("127.0.0.1", server.port) as bus:
        meter = Meter(name=name, profile=device.profile, unit=1, bus=bus, every_s=60, clock=clock)
        place = meter.metrics.index(BY_NAME["energy_import_total"].code)
        while clock.wall().timestamp() <= trace.end_s:
            try:
                frame = await meter.poll()
            except Refused:
                refused += 1
            else:
                flaws = dict(frame.flaws)
                assert all(flaw in (Flaw.NOT_A_NUMBER, Flaw.SENTINEL) for flaw in flaws.values())
                assert place not in flaws
                energy.append(frame.values[place] / 10_000)
            left_s = trace.end_s - clock.wall().timestamp()
            clock.advance(min(step_s, left_s) if left_s > 0 else 1)

    assert energy == sorted(energy)
    assert energy[-1] - energy[0] == pytest.approx(trace.report.energy_kwh, rel=0.005)
    if known_kwh is not None:
        assert trace.report.energy_kwh == pytest.approx(known_kwh, rel=0.0005)
    assert refused <= 1 + sum(trace.report.missing.values())


async def test_the_households_real_gaps_are_exceptions_and_its_counter_waits(clock):
    path = DATA / "household_2006-12-16_2007-01-05.csv"
    if not path.is_file():
        pytest.skip(f"no {path}; set PLUMBLINE_DATA to the folder that holds meters/")
    trace = load_trace(path, load_map(MAPS / "household.toml"))
    gap_s = datetime(2006, 12, 21, 10, 23, tzinfo=UTC).timestamp()  # 11:23 in Paris

    assert trace.at(gap_s - 1) is not None
    assert trace.at(gap_s + 30) is None
    assert trace.at(gap_s + 90) is None
    after = trace.at(gap_s + 120)["energy_import_total"]
    assert after == pytest.approx(trace.at(gap_s - 0.001)["energy_import_total"], abs=1e-4)
    assert trace.report.missing["power_active_total"] == 4
