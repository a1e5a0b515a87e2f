"""The gateway as a process, against simulated meters that misbehave and a broker that comes and goes."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import pytest

from plumbline import codec
from plumbline.clock import SystemClock
from plumbline.messages import Ack, Event, Frame, Health
from plumbline.topics import GatewayTopics
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.demo.broker import free_port
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import Fault, MeterServer, SimulatedMeter

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
TOPICS = GatewayTopics("a12", "gw1")
EVERY_S = 0.2


def meter(name: str, fault: Fault | None = None) -> SimulatedMeter:
    source = SiteLoad("crane", seed=1, since=datetime.now(UTC).date())
    return SimulatedMeter(
        name=name, unit=1, profile=find_profile("eastron_sdm630"), source=source, fault=fault
    )


@asynccontextmanager
async def servers(*meters: SimulatedMeter, oplog: OpLog | None = None):
    running = [MeterServer([one], clock=SystemClock(), oplog=oplog) for one in meters]
    for server in running:
        await server.__aenter__()
    try:
        yield dict(zip((one.name for one in meters), (server.port for server in running), strict=True))
    finally:
        for server in running:
            await server.__aexit__(None, None, None)


def site_file(folder: Path, ports: dict[str, int], broker_port: int) -> Path:
    path = folder / "site.toml"
    path.write_text(
        f'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\nhealth_every_s = 1\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n'
        + "".join(
            f'[[meters]]\nname = "{name}"\nprofile = "eastron_sdm630"\nhost = "127.0.0.1"\nport = {port}\n'
            f"every_s = {EVERY_S}\ntimeout_s = {5 if name == 'good' else 0.1}\n"
            for name, port in ports.items()
        ),
        encoding="utf-8",
    )
    return path


@asynccontextmanager
async def gateway(site: Path):
    """The running process; killed at the end if it still runs."""
    log = (site.parent / "edge.log").open("w")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "plumbline", "edge", "run", str(site), stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        log.close()


def bodies(site: Path):
    path = site.parent / "state" / "outbox.db"
    if not path.exists():
        return []
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return [
            codec.decode_body(raw)
            for (raw,) in db.execute("SELECT body FROM record ORDER BY mono_us, lane, seq")
        ]
    except sqlite3.OperationalError:  # it has only just been made
        return []
    finally:
        db.close()


async def until(condition, seconds: float = 20):
    async with asyncio.timeout(seconds):
        while not (found := condition()):  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.05)
    return found


def frames(site: Path, name: str):
    return [body for body in bodies(site) if isinstance(body, Frame) and body.device == name]


async def end(process) -> int:
    process.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(process.wait(), 30)


async def test_bad_meters_cost_only_themselves(tmp_path):
    bad = {
        "silent": Fault(kind="silent"),
        "slow": Fault(kind="slow", seconds=5),
        "excepting": Fault(kind="exception", code=4),
        "garbling": Fault(kind="garbage"),
    }
    oplog = OpLog()
    async with servers(
        meter("good"), *(meter(name, fault) for name, fault in bad.items()), oplog=oplog
    ) as ports:
        site = site_file(tmp_path, ports, free_port())
        async with gateway(site) as process:
            await until(lambda: len(frames(site, "good")) >= 15)
            health = await until(
                lambda: next((body for body in reversed(bodies(site)) if isinstance(body, Health)), None)
            )
            process.kill()

    assert {body.device for body in bodies(site) if isinstance(body, Frame)} == {"good"}
    statuses = {device.name: device for device in health.devices}
    assert statuses["good"].status == "ok"
    assert all(statuses[name].status != "ok" and statuses[name].errors for name in bad)
    lost = {body.subject for body in bodies(site) if isinstance(body, Event) and body.code == "meter_lost"}
    assert lost >= {"silent", "slow", "garbling"}
    spent = [op.mono_s for op in oplog.operations if op.device == "good" and op.poll]
    missed = (spent[-1] - spent[0]) / EVERY_S - (len(spent) - 1)
    assert missed <= 2, f"{missed:.1f} of {len(spent)} cycles of the good meter were lost to its neighbours"


async def test_stopping_says_so_durably_and_leaves_nothing_half_written(tmp_path):
    async with servers(meter("good")) as ports:
        site = site_file(tmp_path, ports, free_port())
        async with gateway(site) as process:
            await until(lambda: len(frames(site, "good")) >= 3)
            assert await end(process) == 0

    assert [body.code for body in bodies(site) if isinstance(body, Event)] == ["started", "stopped"]


@pytest.mark.system
@pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto")
async def test_a_broker_that_is_away_is_waited_for_and_then_gets_everything(tmp_path):
    port = free_port()
    async with servers(meter("good")) as ports:
        site = site_file(tmp_path, ports, port)
        async with gateway(site) as process:
            await until(lambda: len(frames(site, "good")) >= 5)
            assert f"broker 127.0.0.1:{port} lost" in (tmp_path / "edge.log").read_text()
            config = tmp_path / "mosquitto.conf"
            config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
            broker = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", str(config))
            try:
                stored = await asyncio.wait_for(_central(port, enough=20), 30)
                assert await end(process) == 0
            finally:
                broker.terminate()
                await broker.wait()

    assert stored == set(range(1, max(stored) + 1))
    assert "back after" in (tmp_path / "edge.log").read_text()


async def _central(port: int, *, enough: int) -> set[int]:
    """Store and acknowledge until `enough` records came; then acknowledge for a while longer in the background."""
    for _ in range(50):
        try:
            return await _receive(port, enough)
        except aiomqtt.MqttError:  # the broker is still coming up
            await asyncio.sleep(0.1)
    raise AssertionError("no broker")


async def _receive(port: int, enough: int) -> set[int]:
    lanes: dict[str, set[int]] = {"status": set(), "data": set()}
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe(TOPICS.up, qos=1)
        async for message in client.messages:
            batch = codec.open_batch(message.payload)
            stored = lanes[batch.lane]
            stored |= {record.seq for record in batch.records}
            through = next(n for n in range(1, max(stored) + 2) if n not in stored) - 1
            await client.publish(
                TOPICS.ack, codec.encode_ack(Ack(epoch=batch.epoch, lane=batch.lane, through=through)), qos=1
            )
            if len(lanes["data"]) >= enough:
                return lanes["data"]
    raise AssertionError("the stream of messages ended")


async def test_a_faulty_site_file_starts_nothing_and_names_every_mistake(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(
        'site = "A"\ngateway = "gw1"\nstate_dir = "s"\n[broker]\nhost = "127.0.0.1"\nport = 0\nx = 1\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "plumbline", "edge", "run", str(site),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()

    assert process.returncode == 2
    assert len([line for line in said.decode().splitlines() if line.startswith(str(site))]) == 4
    assert not (tmp_path / "s").exists()


async def test_check_prints_the_key_that_central_enrols(tmp_path):
    site = site_file(tmp_path, {"good": 1502}, 1883)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "plumbline",
        "edge",
        "check",
        str(site),
        "--json",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()

    assert len(bytes.fromhex(json.loads(said)["public_key"])) == 32
    assert (tmp_path / "state" / "device.key").stat().st_mode & 0o777 == 0o600


async def test_a_second_gateway_in_the_same_state_folder_is_refused(tmp_path):
    async with servers(meter("good")) as ports:
        site = site_file(tmp_path, ports, free_port())
        async with gateway(site):
            await until(lambda: len(frames(site, "good")) >= 1)
            second = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "plumbline", "edge", "run", str(site), stderr=asyncio.subprocess.PIPE
            )
            _, said = await second.communicate()

    assert second.returncode == 2
    assert b"is in use by another gateway (pid " in said
