"""The whole product, as a stranger starts it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from plumbline import cli
from plumbline_sim.demo import broker

pytestmark = pytest.mark.timed  # days pass in seconds: a photo that comes late is a day late

UNHURRIED = ("--headless", "--days", "5", "--speed", "21600", "--port", "0")
"""Five days of four seconds each: also a busy machine takes most of its photos."""
PLUMBLINE = (sys.executable, "-m", "plumbline")


async def demo(*options: str, limit_s: float = 280, first_on_path: Path | None = None):
    path = os.pathsep.join(filter(None, [str(first_on_path or ""), os.environ.get("PYTHONPATH", "")]))
    process = await asyncio.create_subprocess_exec(
        *PLUMBLINE, "demo", *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    said = await asyncio.wait_for(process.communicate(), limit_s)
    return process.returncode, b"".join(said).decode()


async def test_a_simulated_project_loses_nothing(tmp_path):
    report = tmp_path / "report.json"
    code, said = await demo("--headless", "--days", "24", "--port", "0", "--report", str(report))
    assert code == 0, said
    found = json.loads(report.read_text(encoding="utf-8"))

    assert found["version"] == 1
    assert found["simulated_days"] == 24
    records, readings = found["records"], found["readings"]
    assert records["produced"] == records["stored"] > 24 * 48 * 2
    assert (records["lost"], records["duplicated"], records["dropped_declared"]) == (0, 0, 0)
    assert readings["produced"] == readings["stored"] > 20 * records["produced"]
    assert found["verify"] == "ok"
    assert {"site", "camera", "at", "percent", "low", "high", "truth", "planned"} == set(found["progress"][0])


@pytest.mark.skipif(shutil.which("influxd") is None, reason="influxd is not installed: apt install influxdb")
async def test_in_influxdb_is_every_reading_that_the_meters_gave(tmp_path):
    report, data = tmp_path / "report.json", tmp_path / "kept"
    code, said = await demo(*UNHURRIED, "--store", "influx1", "--report", str(report), "--data", str(data))
    assert code == 0, said
    found = json.loads(report.read_text(encoding="utf-8"))

    assert found["store"] == "influx1"
    assert found["readings"]["produced"] == found["readings"]["stored"] > 0
    assert (data / "influxdb" / "data" / "plumbline").is_dir()
    assert still_running(data) == []


async def test_without_influxd_its_store_is_a_sentence_and_nothing_is_started(tmp_path):
    process = await asyncio.create_subprocess_exec(
        *PLUMBLINE, "demo", "--store", "influx1", stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PATH": str(tmp_path)},
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 2
    assert "influxd is not on the PATH" in " ".join(said.decode().split())


async def test_the_slip_of_a_simulated_project_becomes_an_alert_that_clears(tmp_path):
    report = tmp_path / "report.json"
    code, said = await demo("--headless", "--days", "24", "--port", "0", "--report", str(report))
    assert code == 0, said
    found = json.loads(report.read_text(encoding="utf-8"))
    deviations = [alert for alert in found["alerts"] if alert["rule"] == "deviation"]

    assert any(alert["deviation_pp"] < -5 and alert["cleared_at"] for alert in deviations)
    assert found["photos"]["accepted"] >= 20


def test_without_mosquitto_the_demo_brings_its_own_broker(tmp_path, monkeypatch):
    monkeypatch.setattr(broker.shutil, "which", lambda *_, **__: None)
    report = tmp_path / "report.json"
    cli.run(["demo", "--headless", "--days", "5", "--port", "0", "--report", str(report)])
    found = json.loads(report.read_text(encoding="utf-8"))

    assert found["broker"] == "amqtt"
    assert found["records"]["stored"] == found["records"]["produced"] > 0
    assert (found["records"]["lost"], found["records"]["duplicated"]) == (0, 0)


@pytest.fixture
def hidden(tmp_path):
    """A folder before all others, in which moderngl is not."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "moderngl.py").write_text("raise ModuleNotFoundError(\"hidden\", name='moderngl')\n")
    return folder


@pytest.mark.parametrize("track", ["new", "reno"])
async def test_without_moderngl_the_demo_shows_the_photos_that_came_with_it(tmp_path, hidden, track):
    report = tmp_path / "report.json"
    code, said = await demo(*UNHURRIED, "--track", track, "--report", str(report), first_on_path=hidden)
    assert code == 0, said
    found = json.loads(report.read_text(encoding="utf-8"))

    assert found["photos"]["taken"] >= 4
    assert found["photos"]["accepted"] > 0
    assert (found["records"]["lost"], found["records"]["duplicated"]) == (0, 0)


async def test_without_moderngl_another_project_is_refused_before_anything_is_started(tmp_path, hidden):
    data = tmp_path / "kept"
    code, said = await demo("--seed", "5", "--data", str(data), first_on_path=hidden, limit_s=30)
    said = " ".join(said.split())

    assert code == 2
    assert "`plumbline demo --seed 5` needs the `sim` extra" in said
    assert "leave --seed out" in said
    assert "Starting" not in said
    assert not data.exists()


async def test_a_project_that_no_pack_shows_is_drawn(tmp_path):
    report = tmp_path / "report.json"
    code, said = await demo(*UNHURRIED, "--seed", "5", "--report", str(report))
    assert code == 0, said
    found = json.loads(report.read_text(encoding="utf-8"))

    assert found["photos"]["taken"] >= 4
    assert (found["records"]["lost"], found["records"]["duplicated"]) == (0, 0)


async def test_ctrl_c_leaves_nothing_running(tmp_path):
    data = tmp_path / "kept"
    process = await asyncio.create_subprocess_exec(
        *PLUMBLINE, "demo", "--headless", "--days", "60", "--port", "0", "--data", str(data),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        while not (data / "edge-state" / "outbox.db").exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = await asyncio.wait_for(process.communicate(), 60)

    assert b"nothing is left running" in said
    assert process.returncode == 0
    assert still_running(data) == []


async def test_a_killed_demo_takes_its_children_with_it(tmp_path):
    data = tmp_path / "kept"
    process = await asyncio.create_subprocess_exec(
        *PLUMBLINE, "demo", "--headless", "--days", "60", "--port", "0", "--data", str(data),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(60):
        while not (data / "edge-state" / "outbox.db").exists():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    process.kill()
    await process.wait()
    async with asyncio.timeout(40):
        while still_running(data):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--store", "influx2"), "PLUMBLINE_INFLUX2_TOKEN"),
        (("--data", "/no/such/folder/here"), "is not there"),
        (("--days", "1"), "greater than or equal to 5"),
    ],
)
async def test_what_cannot_be_done_is_a_sentence(options, words):
    code, said = await demo(*options, limit_s=30)

    assert code == 2
    assert words in " ".join(said.split())


def still_running(data: Path) -> list[str]:
    """Processes that have a file of the demo's folder open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            files = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:  # it has just ended
            continue
        if process.name != str(os.getpid()) and any(name.startswith(str(data)) for name in files):
            found.append((process / "cmdline").read_text())
    return found
