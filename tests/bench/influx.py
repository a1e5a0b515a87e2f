"""Ledger to InfluxDB 1.6, against what the same server takes from a client that only posts. Prints JSON lines.

In turns and in the same run: the same 30-field lines, prebuilt, over one connection; and the whole way from the ledger
file through the projection. The ratio is the figure; both numbers depend on the machine.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from paper_site import Site

from plumbline import codec
from plumbline.clock import SystemClock
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.project import catch_up
from plumbline_central.settings import StoreSettings
from plumbline_central.stores import series
from plumbline_central.stores.faults import StandingFaults
from plumbline_central.stores.influx.builder import Influx
from plumbline_central.stores.influx.lines import body, meter_line
from plumbline_central.stores.influx.writer import batches
from plumbline_central.stores.port import FramePoint
from plumbline_sim.demo.broker import free_port
from plumbline_sim.demo.influxd import config_text

SECONDS, BATCHES, REPEATS = 50, 12, 3
MACHINE = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def say(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": float(f"{value:.4g}"), "unit": unit, "machine": MACHINE}))


def prebuilt(site: Site) -> list[bytes]:
    """The bodies that the ceiling is measured with: lines as ours, batches as ours."""
    lines = [
        meter_line(
            FramePoint(
                site="bench",
                gateway=packing.topics.gateway,
                device=record.body.device,
                at_us=record.at_us,
                metrics=record.body.metrics,
                values=record.body.values,
            )
        )
        for packing in site.packings
        for record in packing.records
    ]
    return [body(some) for some in batches(lines)]


def post(port: int, database: str, bodies: list[bytes]) -> float:
    """Seconds that the server needs for all of them, on one connection and without a word more than HTTP asks for."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began = time.perf_counter()
    for one in bodies:
        connection.request("POST", f"/write?db={database}&precision=u", one)
        answer = connection.getresponse()
        assert answer.status == 204, answer.read()
        answer.read()
    took = time.perf_counter() - began
    connection.close()
    return took


def project(settings: StoreSettings, ledger: Path, folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds from the ledger's file to the last answer."""
    influx = Influx.open(settings, folder / "series.db", StandingFaults(), SystemClock())
    list(influx.prepare())
    source = Ledger.open(ledger)
    projection = series.SeriesProjection.open(folder / "series.db", influx.telemetry, source)
    wall, cpu = time.perf_counter(), time.process_time()
    catch_up(source, projection)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    projection.close()
    source.close()
    influx.telemetry.close()
    return wall, cpu


def main() -> None:
    program = shutil.which("influxd")
    if program is None:
        print("influxd is not installed (apt install influxdb): nothing to measure", file=sys.stderr)
        return
    site = Site(SECONDS, BATCHES)
    bodies = prebuilt(site)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = Ledger.open(folder / "ledger.db")
        ledger.append(
            [
                Arrival(received_us=1, payload=payload, batch=codec.open_batch(payload))
                for _, payload in site.batches
            ]
        )
        ledger.close()
        port = free_port()
        config = folder / "influxdb.conf"
        config.write_text(config_text(folder, port=port, rpc_port=free_port()))
        with (folder / "log").open("ab") as log:
            server = subprocess.Popen([program, "run", "-config", config], stdout=log, stderr=log, cwd=folder)
        try:
            measure(site, bodies, folder, port)
        finally:
            server.terminate()
            server.wait()


def measure(site: Site, bodies: list[bytes], folder: Path, port: int) -> None:
    settings = StoreSettings(kind="influx1", url=f"http://127.0.0.1:{port}")
    ratios: dict[bool, list[float]] = {True: [], False: []}
    for repeat in range(REPEATS):
        raw = replace(settings, database=f"raw{repeat}")
        until_it_answers(raw, folder)
        ceiling = site.readings / post(port, raw.database, bodies)
        say("InfluxDB 1.6, prebuilt lines over one connection", ceiling, "readings/s")
        for gzip, found in ratios.items():
            own = folder / f"own-{repeat}-{gzip}"
            own.mkdir()
            wall, cpu = project(replace(settings, database=own.name, gzip=gzip), folder / "ledger.db", own)
            label = f"ledger to InfluxDB 1.6, {'gzip' if gzip else 'plain'}"
            say(label, site.readings / wall, "readings/s")
            say(f"{label}, CPU of central", cpu / site.readings * 1e6, "ms per 1,000 readings")
            found.append(site.readings / wall / ceiling)
    for gzip, found in ratios.items():
        label = f"ledger to InfluxDB 1.6, {'gzip' if gzip else 'plain'}"
        say(f"{label}, of what the server takes, median of {REPEATS}", 100 * median(found), "%")


def until_it_answers(settings: StoreSettings, folder: Path) -> None:
    from plumbline.errors import Unreachable  # noqa: PLC0415

    for _ in range(600):
        influx = Influx.open(settings, folder / "raw.db", StandingFaults(), SystemClock())
        try:
            list(influx.prepare())
        except Unreachable:
            time.sleep(0.1)
        else:
            return
        finally:
            influx.telemetry.close()
    raise TimeoutError((folder / "log").read_text()[-2000:])


if __name__ == "__main__":
    sys.exit(main())
