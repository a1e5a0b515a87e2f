"""The whole service as a person starts it: `plumbline central run`, a real broker, a gateway on paper."""

import asyncio
import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys

import aiomqtt
import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.messages import Event, Frame, GatewayState, Health, Photo, Progress, Record
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
TOPICS = GatewayTopics("a12", "gw-1")
T0_US = 1_790_000_000_000_000

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: apt install mosquitto"),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(condition, within_s=30):
    """Return what `condition()` gives once it is true; other processes have no event to wait for."""
    async with asyncio.timeout(within_s):
        while not (found := condition()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class PaperGateway:
    """One lane, written and signed in memory."""

    def __init__(self):
        self.key = DeviceKey(Ed25519PrivateKey.generate())
        self.records, self.raws, self.heads = [], [], [chain.start("gw-1", "e1", "data")]

    def record(self, body):
        seq = len(self.records) + 1
        raw = codec.encode_body(body)
        at_us = T0_US + seq * 1_000_000
        line = codec.canonical(seq, at_us, "b", seq, "synced", raw)
        self.records.append(Record(seq=seq, at_us=at_us, boot="b", mono_us=seq, clock="synced", body=body))
        self.raws.append(raw)
        self.heads.append(chain.link(self.heads[-1], seq, line))

    def pack(self, first, last):
        return codec.pack_batch(
            self.records[first - 1 : last],
            self.raws[first - 1 : last],
            site="a12",
            gateway="gw-1",
            epoch="e1",
            lane="data",
            prev=self.heads[first - 1],
            head=self.heads[last],
            algorithm=signing.ALGORITHM,
            sign=self.key.sign,
        )


class Central:
    """The command line on a folder of its own."""

    def __init__(self, folder, broker_port):
        self.folder, self.http = folder, free_port()
        self.file = folder / "central.toml"
        self.log = folder / "central.log"
        self.command("init", self.file)
        text = self.file.read_text(encoding="utf-8")
        text = re.sub(r"port = 1883", f"port = {broker_port}", text)
        self.file.write_text(re.sub(r"port = 8080", f"port = {self.http}", text), encoding="utf-8")

    def command(self, *arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "plumbline", "central", *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def said(self):
        return self.log.read_text(encoding="utf-8")[self.said_before :]

    @contextlib.asynccontextmanager
    async def running(self):
        with self.log.open("ab") as log:
            self.said_before = len(self.log.read_text(encoding="utf-8"))
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "plumbline", "central", "run", self.file, stderr=log
            )
        try:
            await until(lambda: process.returncode is not None or "connected" in self.said())
            assert process.returncode is None, self.said()
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def get(self, path):
        answer = httpx.get(f"http://127.0.0.1:{self.http}/api/v1/{path}", timeout=10)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture
async def broker(tmp_path):
    port = free_port()
    conf = tmp_path / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", conf)
    await until(lambda: listens(port))
    yield port
    process.terminate()
    await process.wait()


@pytest.fixture
def gateway():
    return PaperGateway()


@pytest.fixture
def central(tmp_path, broker, gateway):
    made = Central(tmp_path, broker)
    made.command("site", "a12", "--zh", "甲十二号楼", "--en", "Building A12")
    made.command("enroll", "gw-1", "--site", "a12", "--key", gateway.key.public)
    return made


async def send_until_acknowledged(client, gateway, step):
    """What an uplink does: send, and send again what central has not said that it keeps."""
    last = len(gateway.records)
    through = 0
    await client.subscribe(TOPICS.ack, qos=1)
    acks = aiter(client.messages)
    async with asyncio.timeout(40):
        while through < last:
            for first in range(through + 1, last + 1, step):
                await client.publish(TOPICS.up, gateway.pack(first, min(first + step - 1, last)), qos=1)
            with contextlib.suppress(TimeoutError):
                while through < last:
                    ack = codec.decode_ack((await asyncio.wait_for(anext(acks), 2)).payload)
                    through = max(through, ack.through)
    return through


def readings(central):
    return central.get("sites/a12/readings/latest")


async def test_what_a_gateway_sends_is_kept_shown_and_proven(central, gateway, broker):
    gateway.record(Event(code="started"))
    for n in range(40):
        gateway.record(Frame(device="m1", metrics=(1, 28), values=(23_000 + n, n)))
    gateway.record(Photo(camera="c1", photo="p1", jpeg=b"\xff\xd8\xff\xd9", width_px=4, height_px=3))
    gateway.record(Progress(camera="c1", photo="p1", percent=12.5, low=10.0, high=15.0))
    gateway.record(Health(version="0.1"))
    async with central.running() as process, aiomqtt.Client("127.0.0.1", broker) as client:
        birth = msgspec.json.encode(GatewayState(online=True, site="a12", gateway="gw-1"))
        await client.publish(TOPICS.state, birth, qos=1, retain=True)
        await client.publish(TOPICS.up, b"\x00garbage", qos=1)
        assert await send_until_acknowledged(client, gateway, 7) == 44
        shown = await until(lambda: [r for r in readings(central) if r["value"] == 230.39])
        assert shown[0]["metric"] == "voltage_l1"
        central.command("rebuild", central.file, code=2)  # not while it runs
        central.command("run", central.file, code=2)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0

    report = json.loads(central.command("verify", central.file, "--json"))
    assert (report["verify"], report["records"], report["missing"]) == ("ok", 44, 0)
    assert json.loads(central.command("gaps", central.file, "--json")) == []
    rebuilt = json.loads(central.command("rebuild", central.file, "--json"))
    assert (rebuilt["readings"], rebuilt["photos"]) == (80, 1)


async def test_a_central_killed_again_and_again_stores_every_record_once(central, gateway, broker):
    for n in range(300):
        gateway.record(Frame(device="m1", metrics=(1,), values=(n,)))
    async with aiomqtt.Client("127.0.0.1", broker) as client:
        for kill_after in (31, 151):
            async with central.running() as process:
                for first in range(1, 301, 3):
                    await client.publish(TOPICS.up, gateway.pack(first, first + 2), qos=1)
                    if first == kill_after:
                        process.kill()
        async with central.running():
            assert await send_until_acknowledged(client, gateway, 25) == 300
            await until(lambda: [r["value"] for r in readings(central)] == [2.99])
            assert central.get("health")["balanced"]

    report = json.loads(central.command("verify", "--data", central.folder / "plumbline-data", "--json"))
    assert (report["verify"], report["records"], report["missing"]) == ("ok", 300, 0)
    status = json.loads(central.command("status", central.file, "--json"))
    assert [equation for equation, holds in status["equations"].items() if not holds] == []
    assert status["counters"]["records_stored"] == 300
    assert json.loads(central.command("rebuild", central.file, "--json"))["readings"] == 300


async def test_a_taken_port_stops_the_start_with_a_sentence(central):
    with socket.create_server(("127.0.0.1", central.http)):
        said = central.command("run", central.file, code=2)

    assert f"cannot listen on 127.0.0.1:{central.http}" in said
    assert "Choose another port" in said
    assert "Traceback" not in said
