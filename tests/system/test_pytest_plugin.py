"""The pytest plugin as an engineer uses it: a test file of their own, in a pytest of its own."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from plumbline.clock import ManualClock
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.server import MeterServer, SimulatedMeter
from plumbline_sim.record.recorder import Recorder, TapeFile
from plumbline_sim.record.wires import connect, listening

BROKER = (
    shutil.which("mosquitto")
    or shutil.which("mosquitto", path="/usr/sbin")
    or importlib.util.find_spec("amqtt")
)
INSTALLED = any(entry.name == "plumbline" for entry in entry_points(group="pytest11"))
SETTINGS = "[pytest]\nfilterwarnings = error\naddopts = --strict-markers\nasyncio_default_fixture_loop_scope = function\n"

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(BROKER is None, reason="no broker: apt-get install mosquitto"),
]


@pytest.fixture
def run_test(tmp_path):
    """Runs a test file with the plugin; gives (exit code, everything pytest said)."""
    (tmp_path / "pytest.ini").write_text(SETTINGS)

    def run(text: str, *options: str) -> tuple[int, str]:
        (tmp_path / "test_site.py").write_text(text)
        plugin = () if INSTALLED else ("-p", "plumbline_sim.pytest_plugin")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", tmp_path / "kept", *plugin, *options],
            cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    return run


CSV = "when,kWh\n" + "".join(
    f"2026-01-05 {hour:02}:{minute:02},{1 + hour}\n" for hour in range(9, 21) for minute in (0, 15, 30, 45)
)
MAP = """
title = "A crane's day"
source = "made up"
[time]
columns = ["when"]
format = "%Y-%m-%d %H:%M"
timezone = "Asia/Shanghai"
interval_s = 900
[metrics]
energy_import_total = { column = "kWh", per_interval = true }
power_active_total = { rate_of = "energy_import_total" }
"""
HAPPY = """
def test_the_crane_is_seen_at_the_centre(plumbline_site):
    site = plumbline_site(
        meters={"crane": "eastron_sdm630", "hoist": "abb_b23"}, trace={"crane": "crane.csv"}, map={"crane": "crane.toml"},
        speed=1200,
    )
    site.play(hours=3)

    energy = site.value("crane", "energy_import_total")
    assert (energy.quality, energy.unit, energy.flaw) == ("good", "kWh", None)
    counted = [value for _, value in site.series("crane", "energy_import_total")]
    assert counted == sorted(counted)
    assert 30 < energy.value < 400
    assert site.readings("hoist")["voltage_l1"].value > 200
    assert site.alerts() == []
    assert ("started", "") in site.events()
    tally = site.tally()
    assert (tally.lost, tally.duplicated) == (0, 0)
    assert tally.stored > 20
"""


@pytest.mark.timed  # the site's time runs 1,200 times as fast
def test_a_few_hours_of_a_site_are_told_in_a_few_lines(run_test, tmp_path):
    (tmp_path / "crane.csv").write_text(CSV)
    (tmp_path / "crane.toml").write_text(MAP)
    code, said = run_test(HAPPY)

    assert (code, "1 passed" in said) == (0, True), said
    assert list((tmp_path / "kept").rglob("ledger.db")) == []  # nothing is kept of what went well


TROUBLE = """
def test_a_meter_and_the_broker_fail_and_nothing_is_lost(plumbline_site):
    site = plumbline_site(meters={"crane": "eastron_sdm630", "cabins": "chint_dtsu666"}, speed=1200, timeout_s=2)
    site.play(minutes=40)
    site.fault("crane", "silent")
    site.play(hours=2.5)
    before = site.value("crane", "energy_import_total").at
    assert site.value("cabins", "energy_import_total").at > before
    site.mend("crane")
    site.broker_down()
    site.play(hours=1)
    assert site.value("cabins", "energy_import_total").at < site.now
    site.broker_up()
    site.play(minutes=40)

    assert site.value("crane", "energy_import_total").at > before
    happened = [code for code, device in site.events() if device == "crane"]
    assert happened[0] == "meter_lost"
    assert "meter_back" in happened
    assert (site.lost, site.duplicated) == (0, 0)
"""


def test_a_meter_and_the_broker_can_fail_and_come_back(run_test):
    code, said = run_test(TROUBLE)

    assert (code, "1 passed" in said) == (0, True), said


async def record_polls(path: Path, polls: int) -> None:
    """A tape of a gateway's own polls of a simulated SDM120."""
    noon = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
    clock, profile = ManualClock(noon), find_profile("eastron_sdm120")
    simulated = SimulatedMeter(
        name="m", unit=5, profile=profile, source=SiteLoad("cabins", seed=1, since=noon.date())
    )
    with TapeFile(path, "tcp") as tape:
        async with MeterServer([simulated], clock=clock) as server:
            recorder = Recorder(tape, protocol="tcp", open_bus=lambda: connect("127.0.0.1", server.port))
            async with (
                listening("127.0.0.1", 0, recorder.serve) as port,
                tcp_bus("127.0.0.1", port) as bus,
            ):
                meter = Meter(name="m", profile=profile, unit=5, bus=bus, every_s=10, clock=clock)
                for _ in range(polls):
                    await meter.poll()
                    clock.advance(900)
            recorder.finish()


async def test_a_recorded_bus_is_a_meter_too(run_test, tmp_path):
    await record_polls(tmp_path / "bus.jsonl", 5)
    code, said = run_test("""
def test_recorded(plumbline_site):
    site = plumbline_site({"cabins": "eastron_sdm120"}, tape="bus.jsonl", units={"cabins": 5})
    site.play(hours=1)
    assert site.value("cabins", "voltage_l1").quality == "good"
    tally = site.tally()
    assert tally.stored > 3
    assert (tally.lost, tally.duplicated) == (0, 0)
""")  # fmt: skip

    assert (code, "1 passed" in said) == (0, True), said


def test_a_failed_test_names_its_sites_folder_and_keeps_it_and_leaves_nothing_running(run_test, tmp_path):
    code, said = run_test("""
def test_fails(plumbline_site):
    site = plumbline_site({"crane": "eastron_sdm630"})
    assert site.url == "elsewhere"
""")  # fmt: skip
    folder = Path(re.search(r"site's folder: (.*)", said)[1])

    assert code == 1
    assert "plumbline site" in said
    assert "edge.log" in said
    assert (folder / "logs" / "central.log").is_file()
    assert still_running(tmp_path) == []


def test_a_site_that_does_not_start_says_why(run_test, tmp_path):
    code, said = run_test("""
def test_fails(plumbline_site):
    plumbline_site({"The Crane": "eastron_sdm630"})

def test_fails_too(plumbline_site):
    plumbline_site({"crane": "eastron_sdm603"})
""")  # fmt: skip

    assert code == 1
    assert "meters.0.name" in said or "The Crane" in said
    assert "Did you mean 'eastron_sdm630'?" in said
    assert still_running(tmp_path) == []


def test_a_suite_that_never_asks_for_a_site_loads_nothing_of_it(tmp_path):
    code = (
        "import sys, plumbline_sim.pytest_plugin; "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in {'httpx','numpy','cv2','pydantic','plumbline_central'}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.strip() == "[]"


def still_running(folder: Path) -> list[str]:
    """Processes, other than this one, that have a file of a folder open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:  # it has just ended
            continue
        if process.name != str(os.getpid()) and any(name.startswith(str(folder)) for name in files):
            found.append((process / "cmdline").read_text())
    return found
