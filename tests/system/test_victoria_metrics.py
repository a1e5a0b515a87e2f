"""VictoriaMetrics takes what is written over /api/v2/write; nothing more is claimed of it."""

import json
import shutil
import subprocess
import time

import httpx
import pytest

from plumbline.clock import SystemClock, to_us
from plumbline_central.settings import StoreSettings
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.influx.builder import Influx
from plumbline_central.stores.port import FramePoint
from plumbline_sim.demo.broker import free_port

PROGRAM = shutil.which("victoria-metrics")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        PROGRAM is None, reason="victoria-metrics is not installed: apt install victoria-metrics"
    ),
]


@pytest.fixture
def url(tmp_path):
    port = free_port()
    options = (
        f"-storageDataPath={tmp_path / 'data'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=10y",
    )
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, *options], stdout=log, stderr=log, cwd=tmp_path)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(30)


def until_found(ask):
    for _ in range(300):
        try:
            if found := ask():
                return found
        except httpx.TransportError:
            pass
        time.sleep(0.1)  # another process
    raise TimeoutError


def test_lines_of_the_2_x_dialect_are_taken(url, tmp_path):
    (tmp_path / "token").write_text("any")
    settings = StoreSettings(
        kind="influx2", url=url, org="works", token_file=str(tmp_path / "token"), gzip=True
    )
    until_found(lambda: httpx.get(f"{url}/health", trust_env=False).is_success)
    influx = Influx.open(settings, tmp_path / "series.db", StandingFaults(), SystemClock())
    at_us = to_us(SystemClock().wall()) - 60_000_000
    influx.telemetry.write(
        [FramePoint(site="a12", gateway="gw-1", device="m1", at_us=at_us, metrics=(1,), values=(23_012,))]
    )
    influx.close()
    query = {"match[]": "meter_voltage_l1"}
    line = until_found(lambda: httpx.get(f"{url}/api/v1/export", params=query, trust_env=False).text)
    found = json.loads(line)

    assert found["values"] == [230.12]
    assert found["metric"]["device"] == "m1"
