"""Recorded meters, played by the command, read by the gateway, stored at the centre: the energy is the recording's."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest

from plumbline_sim.demo.broker import free_port

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("PLUMBLINE_DATA", ROOT.parent / "shared" / "data")) / "meters"
MAPS = ROOT / "firmware_configs" / "traces"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
PLUMBLINE = (sys.executable, "-m", "plumbline")
PLAY_S = 25.0
POLL_S = 0.05


def kwh(file: str, column: str, scale: float, *, missing: tuple[str, ...] = ("", "?")) -> float:
    """The recording's own energy, summed from the file by nothing but the csv module."""
    with (DATA / file).open(encoding="utf-8") as rows:
        return sum(float(row[column]) * scale for row in csv.DictReader(rows) if row[column] not in missing)


RECORDINGS = {
    # name: (file, map, profile, seconds it covers, column, kWh per row and unit of the column)
    "steel": ("steel_2018_jan_jun.csv", "steel", "eastron_sdm630", 17_376 * 900, "Usage_kWh", 1),
    "household": (
        "household_2006-12-16_2007-01-05.csv", "household", "eastron_sdm120", 29_196 * 60, "Global_active_power", 1 / 60,
    ),
    "lab": (
        "lab_1hz/3combi_kettle+vacuum+wheater/main.csv", "lab_1hz", "eastron_sdm120", 621, "Active (W)", 1 / 3_600_000,
    ),
}  # fmt: skip

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto"),
    pytest.mark.skipif(
        not DATA.is_dir(),
        reason=f"no recordings at {DATA}: set PLUMBLINE_DATA to the folder that holds meters/",
    ),
]


class Site:
    """Broker, central, gateway and simulators as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[asyncio.subprocess.Process] = []

    async def start(self, name: str, *command: str) -> asyncio.subprocess.Process:
        with (self.folder / f"{name}.log").open("w") as log:
            process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    async def plumbline(self, *arguments: object) -> str:
        process = await asyncio.create_subprocess_exec(
            *PLUMBLINE, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        said, wrong = await process.communicate()
        assert process.returncode == 0, wrong.decode()
        return said.decode()

    async def end(self) -> None:
        for process in reversed(self.processes):
            if process.returncode is None:
                process.terminate()
            await process.wait()


@pytest.fixture
async def site(tmp_path):
    running = Site(tmp_path)
    yield running
    await running.end()


def write_files(
    folder: Path, broker_port: int, http_port: int, meters: Iterable[tuple[str, str, int]]
) -> None:
    (folder / "mosquitto.conf").write_text(f"listener {broker_port} 127.0.0.1\nallow_anonymous true\n")
    (folder / "central.toml").write_text(
        f'data_dir = "data"\n[broker]\nport = {broker_port}\n[http]\nport = {http_port}\n'
    )
    (folder / "site.toml").write_text(
        f'site = "traces"\ngateway = "traces-gw"\nstate_dir = "state"\n[broker]\nport = {broker_port}\n'
        + "".join(
            f'[[meters]]\nname = "{name}"\nprofile = "{profile}"\nhost = "127.0.0.1"\nport = {port}\n'
            f"every_s = {POLL_S}\ntimeout_s = 5\n"
            for name, profile, port in meters
        )
    )


async def test_the_stored_energy_is_the_recordings_own(site, tmp_path):
    broker_port, http_port = free_port(), free_port()
    ports = {name: free_port() for name in RECORDINGS}
    write_files(tmp_path, broker_port, http_port, ((n, RECORDINGS[n][2], port) for n, port in ports.items()))
    central, site_file = tmp_path / "central.toml", tmp_path / "site.toml"
    await site.start("mosquitto", MOSQUITTO, "-c", str(tmp_path / "mosquitto.conf"))
    key = json.loads(await site.plumbline("edge", "check", site_file, "--json"))["public_key"]
    await site.plumbline("central", "site", "traces", "-c", central)
    await site.plumbline("central", "enroll", "traces-gw", "--site", "traces", "--key", key, "-c", central)
    await site.start("central", *PLUMBLINE, "central", "run", str(central))
    gateway = await site.start("edge", *PLUMBLINE, "edge", "run", str(site_file))
    plays = [
        await site.start(
            f"sim-{name}", *PLUMBLINE, "sim", "meter", "--profile", profile, "--trace", str(DATA / file),
            "--map", str(MAPS / f"{map_}.toml"), "--port", str(ports[name]),
            "--speed", str(covers_s / PLAY_S), "--once",
        )
        for name, (file, map_, profile, covers_s, _, _) in RECORDINGS.items()
    ]  # fmt: skip
    codes = await asyncio.wait_for(asyncio.gather(*(play.wait() for play in plays)), 240)
    gateway.terminate()
    await gateway.wait()
    stored = await energies(http_port)

    assert codes == [0, 0, 0]
    for name, (file, _, _, _, column, scale) in RECORDINGS.items():
        assert stored[name] == pytest.approx(kwh(file, column, scale), rel=0.005), name


async def energies(http_port: int) -> dict[str, float]:
    """The newest energy reading of each meter, once central has applied all it received."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}/api/v1") as http:
        async with asyncio.timeout(60):
            while any((await http.get("/health")).json()["behind"].values()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        readings = (await http.get("/sites/traces/readings/latest")).json()
    return {r["device"]: r["value"] for r in readings if r["metric"] == "energy_import_total"}
