"""The files that the demo writes are such as the product reads, and its project does what it is for."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from plumbline.clock import ManualClock, ScaledClock
from plumbline_central.config import load_central
from plumbline_central.plan_table import parse_plan_csv
from plumbline_edge.config import load_site
from plumbline_sim.demo import files
from plumbline_sim.demo.report import failures
from plumbline_sim.demo.stage import METERS, ZONE, Stage, first_midnight, sample_project
from plumbline_sim.meter.oplog import OpLog

BEGIN = datetime(2026, 3, 2, tzinfo=ZONE).astimezone(UTC)


@pytest.fixture(params=["new", "reno"])
def stage(request):
    return Stage(
        project=sample_project(11, request.param, 60),
        begin=BEGIN,
        clock=ManualClock(BEGIN),
        meters={role: SimpleNamespace(port=1502 + i) for i, role in enumerate(METERS)},
        camera=SimpleNamespace(port=8081, size=(1280, 720)),
        oplog=OpLog(),
    )


def test_the_gateway_accepts_the_site_file(tmp_path, stage):
    files.write_site(tmp_path / "site.toml", stage, broker_port=1883, broker_version="5")
    settings = load_site(tmp_path / "site.toml")

    assert [meter.profile for meter in settings.meters] == list(METERS.values())
    assert settings.cameras[0].floors == stage.project.floors


def test_central_accepts_its_file_and_the_plan(tmp_path, stage):
    files.write_central(tmp_path / "central.toml", broker_port=1883, broker_version="5", http_port=8088)
    files.write_plan(tmp_path / "plan.csv", stage)
    plan = parse_plan_csv((tmp_path / "plan.csv").read_text(encoding="utf-8"), ZONE)

    assert load_central(tmp_path / "central.toml").http.port == 8088
    assert plan.planned_at(BEGIN + timedelta(days=30)) == pytest.approx(
        stage.project.planned_percent(30), abs=0.01
    )


@pytest.mark.parametrize("seed", [3, 11, 12])
@pytest.mark.parametrize("track", ["new", "reno"])
def test_the_works_fall_behind_by_more_than_ten_points_and_come_back(seed, track):
    project = sample_project(seed, track, 60)
    behind = [project.planned_percent(day) - project.percent(day) for day in range(61)]

    assert max(behind) > 10
    assert max(behind[:14]) < 1
    assert max(behind[46:]) < 2


def test_the_works_begin_at_a_local_midnight_that_is_not_past():
    clock = ScaledClock(start=datetime(2026, 3, 1, tzinfo=UTC), real_mono=time.monotonic(), speed=1000)
    begin = first_midnight(clock, 3600)

    assert begin.astimezone(ZONE).time().isoformat() == "00:00:00"
    assert begin >= clock.start + timedelta(seconds=3600)


GOOD = {
    "simulated_days": 60,
    "records": {"lost": 0, "duplicated": 0},
    "readings": {"produced": 9, "stored": 9},
    "photos": {"accepted": 3},
    "alerts": [{"rule": "deviation", "cleared_at": "2026-03-20T00:00:00+00:00"}],
    "verify": "ok",
}


def test_a_good_run_has_no_failures():
    assert failures(GOOD) == []


def test_a_run_too_short_for_its_slip_needs_no_alert():
    assert failures(GOOD | {"simulated_days": 10, "alerts": []}) == []
    assert len(failures(GOOD | {"alerts": []})) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"records": {"lost": 1, "duplicated": 0}},
        {"records": {"lost": 0, "duplicated": 1}},
        {"readings": {"produced": 9, "stored": 8}},
        {"photos": {"accepted": 0}},
        {"alerts": [{"rule": "deviation", "cleared_at": None}]},
        {"verify": "data 7: altered"},
    ],
)
def test_each_shortcoming_is_a_failure(change):
    assert len(failures(GOOD | change)) == 1
