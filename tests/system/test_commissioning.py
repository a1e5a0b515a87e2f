"""Scan, read and doctor against simulated meters on a network and on a serial line, a broker and a camera."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import tty
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from harness import certificates
from voltex import VX3, moved

from plumbline import signing
from plumbline.clock import SystemClock
from plumbline_edge.commission import addresses, handover, paste, trials
from plumbline_edge.commission.report import site_block
from plumbline_edge.commission.scan import Scan
from plumbline_edge.config import load_site
from plumbline_edge.meters.modbus.frames import crc16
from plumbline_edge.meters.profiles.file import find_profile, load_profile, shipped
from plumbline_edge.settings import BusSettings
from plumbline_sim.camera import CameraServer, Snapshot
from plumbline_sim.demo.broker import free_port
from plumbline_sim.meter.dlt645 import Dlt645Meter
from plumbline_sim.meter.faults import Fault, FaultKind
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import MeterServer, RtuServer, RtuTcpServer, SimulatedMeter
from plumbline_sim.meter.sunspec import SunSpecLayout

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
PROFILES = {name: find_profile(name) for name in shipped()}
MODBUS = [name for name, profile in PROFILES.items() if profile.protocol == "modbus"]
READS = {1, 2, 3, 4, 43}
FEW = tuple(range(1, 8))
N9600 = trials.Setting(baud=9600)


def meter(unit: int, profile: str = "eastron_sdm630", **more) -> SimulatedMeter:
    source = SiteLoad("crane", seed=unit, since=datetime.now(UTC).date())
    return SimulatedMeter(
        name=f"{profile} {unit}", unit=unit, profile=find_profile(profile), source=source, **more
    )


def network(port: int, kind: str = "tcp") -> BusSettings:
    return BusSettings(name="network", kind=kind, host="127.0.0.1", port=port)


def serial(path: str) -> BusSettings:
    return BusSettings(name="rs485", kind="rtu", device=path)


async def scanned(wire: BusSettings, units=FEW, settings=None, *, thorough=False, **how) -> Scan:
    scan = Scan(wire, PROFILES, SystemClock(), timeout_s=how.pop("timeout_s", 0.15), **how)
    ports = settings or ((N9600,) if wire.kind == "rtu" else (None,))
    await scan.run(ports, units, thorough=thorough)
    return scan


def profiles_of(scan: Scan) -> dict[int | None, str | None]:
    return {one.unit: one.verdict.profile for one in scan.sightings}


@asynccontextmanager
async def far_end(reply):
    """A serial line whose far end is played by hand; yields its name and what was asked."""
    master, slave = os.openpty()
    tty.setraw(slave)
    asked: list[bytes] = []

    def heard() -> None:
        request = os.read(master, 300)
        asked.append(request)
        if answer := reply(request):
            os.write(master, answer)

    asyncio.get_running_loop().add_reader(master, heard)
    try:
        yield os.ttyname(slave), asked
    finally:
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        os.close(slave)


async def plumbline(*words: object, ends: int | None = 0) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "plumbline", "edge", *map(str, words),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complained = await asyncio.wait_for(process.communicate(), 60)

    assert ends is None or process.returncode == ends, complained.decode() + said.decode()
    assert b"Traceback" not in complained
    return said.decode() + (complained.decode() if ends else "")


# scan


async def test_every_shipped_profile_is_recognised_on_the_network():
    wrong = {}
    for name in MODBUS:
        async with MeterServer([meter(1, name)], clock=SystemClock()) as server:
            scan = await scanned(network(server.port), units=(1,))
        (found,) = scan.sightings
        if name not in (found.verdict.profile, *found.verdict.others):
            wrong[name] = found.verdict.how
        assert any(value for value in found.values.values())

    assert wrong == {}


async def test_meters_on_a_serial_line_are_found_at_their_units_and_only_read():
    oplog = OpLog()
    meters = [meter(1), meter(2, "chint_dtsu666"), meter(7, "abb_b23", turnaround_s=0.03)]
    async with RtuServer(meters, clock=SystemClock(), oplog=oplog) as server:
        scan = await scanned(serial(server.path))

    assert profiles_of(scan) == {1: "eastron_sdm630", 2: "chint_dtsu666", 7: "abb_b23"}
    assert {one.setting for one in scan.sightings} == {N9600}
    assert {op.table for op in oplog.operations} <= {"holding", "input", "43"}


async def test_meters_behind_a_transparent_converter_are_found():
    async with RtuTcpServer([meter(3, "schneider_iem3155")], clock=SystemClock()) as server:
        scan = await scanned(network(server.port, "rtu_over_tcp"), timeout_s=0.3)

    assert profiles_of(scan) == {3: "schneider_iem3155"}


@pytest.mark.parametrize(("profile", "model"), [("sunspec_int", 203), ("sunspec_float", 211)])
async def test_a_sunspec_device_is_found_by_its_own_list_of_models(profile, model):
    device = meter(3, profile, sunspec=SunSpecLayout(model=model, maker="Fronius", device="Smart Meter"))
    async with MeterServer([device], clock=SystemClock()) as server:
        scan = await scanned(network(server.port))
    (found,) = scan.sightings

    assert (found.unit, found.verdict.profile, found.verdict.sure) == (3, profile, True)
    assert f"model {model} Fronius Smart Meter" in found.verdict.how
    assert 200 < (found.values["voltage_l1"] or 0) < 260


async def test_dlt645_meters_are_found_by_their_addresses_beside_modbus_meters(tmp_path):
    clock = SystemClock()
    slaves = [
        Dlt645Meter(
            name=address, address=address, profile=find_profile("dlt645_2007"), clock=clock,
            source=SiteLoad("crane", seed=3, since=datetime.now(UTC).date()),
        )
        for address in ("202603020017", "000000451290")
    ]  # fmt: skip
    async with RtuServer([meter(1)], clock=clock, slaves=slaves) as server:
        quickly = partial(addresses.search, timeout_s=0.05)
        scan = await scanned(serial(server.path), units=(1,), search=quickly)
        site = new_site(tmp_path)
        paste.append(site, site_block(serial(server.path), scan.sightings))
        read = json.loads(await plumbline("read", site, "--json"))
    found = {one.address for one in scan.sightings}

    assert found == {None, "202603020017", "000000451290"}
    assert all(200 < (one.values["voltage_l1"] or 0) < 260 for one in scan.sightings)
    assert {one.address for one in load_site(site).meters} == found
    assert not any("error" in one for one in read["meters"])
    assert not any(slave.writes_heard for slave in slaves)


@pytest.mark.timed  # requests are told apart by the pauses between them
async def test_a_scan_of_a_dead_line_sends_nothing_but_reads_to_everybody():
    async with far_end(lambda _: b"") as (path, asked):
        scan = await scanned(
            serial(path), units=range(1, 248), settings=[trials.Setting(baud=115_200)], timeout_s=0.002
        )

    modbus = [request for request in asked if not request.startswith(b"\xfe\xfe\xfe\xfe\x68")]
    dlt645 = [request[4:] for request in asked if request not in modbus]

    assert scan.sightings == []
    assert {request[0] for request in modbus} == set(range(1, 248))
    assert {request[1] for request in modbus} <= READS
    assert all(crc16(request) == 0 for request in modbus)
    assert {request[8] for request in dlt645} == {0x13}  # read the address


async def test_an_answer_to_everything_that_says_nothing_is_somebody_without_a_profile():
    def refuse(request: bytes) -> bytes:
        body = bytes((request[0], request[1] | 0x80, 2))
        return body + crc16(body).to_bytes(2, "little") if request[0] == 4 else b""

    async with far_end(refuse) as (path, asked):
        scan = await scanned(serial(path), timeout_s=0.05)

    assert profiles_of(scan) == {4: None}
    assert {request[1] for request in asked if request[0] != 0xFE} <= READS


async def test_garbled_answers_are_told_as_what_they_may_come_from():
    def garble(request: bytes) -> bytes:
        return bytes((request[0], request[1], 4, 0, 0, 0, 0, 0x12, 0x34)) if request[0] == 1 else b""

    async with far_end(garble) as (path, _):
        scan = await scanned(serial(path), units=(1, 2), timeout_s=0.05)

    assert scan.sightings == []
    assert any("unit 1 at 9600 8N1" in oddity and "A and B are swapped" in oddity for oddity in scan.oddities)


async def test_a_meter_that_answers_later_than_anybody_waited_is_found_all_the_same():
    meters = [meter(1), meter(5, "abb_b23", turnaround_s=0.15)]
    async with RtuServer(meters, clock=SystemClock()) as server:
        scan = await scanned(serial(server.path), timeout_s=0.1)

    assert profiles_of(scan) == {1: "eastron_sdm630", 5: "abb_b23"}


async def test_a_device_that_answers_under_every_number_is_one_device():
    meters = [meter(unit) for unit in (*FEW, 199, 246)]
    async with MeterServer(meters, clock=SystemClock()) as server:
        scan = await scanned(network(server.port))

    assert len(scan.sightings) == 1
    assert any("under every unit number" in oddity for oddity in scan.oddities)


async def scanned_beside(kind):
    """What a scan finds at unit 2 while unit 1 has a fault."""
    fault = Fault(kind=kind, seconds=0.3)
    async with RtuServer([meter(1, fault=fault), meter(2, "abb_b23")], clock=SystemClock()) as server:
        async with asyncio.timeout(90):
            scan = await scanned(serial(server.path), units=(1, 2))
    return profiles_of(scan).get(2)


async def test_a_meter_that_misbehaves_spoils_nothing_for_the_next_one():
    kinds = get_args(FaultKind)
    found = await asyncio.gather(*map(scanned_beside, kinds))  # each on a wire of its own; they mostly wait

    assert dict(zip(kinds, found, strict=True)) == dict.fromkeys(kinds, "abb_b23")


async def test_what_was_found_before_a_break_is_shown(tmp_path):
    oplog = OpLog()
    async with RtuServer([meter(1)], clock=SystemClock(), oplog=oplog, link=tmp_path / "tty") as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "plumbline", "edge", "scan", "--device", server.path, "--all", "--json",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(30):
            seen = -1
            while seen < 1 or len(oplog.operations) > seen:  # until it is done with unit 1
                seen = len(oplog.operations)
                await asyncio.sleep(1.0)
        process.send_signal(signal.SIGINT)
        said, _ = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 1
    assert [one["unit"] for one in json.loads(said)["meters"]] == [1]


async def test_wrong_options_are_said_in_a_sentence(tmp_path):
    port = free_port()

    assert "connection refused" in await plumbline("scan", "--host", f"127.0.0.1:{port}", ends=1)
    assert "exclude each other" in await plumbline("scan", "x.toml", "--device", "/dev/ttyUSB0", ends=2)
    assert "unit numbers" in await plumbline("scan", "--host", "10.0.0.1", "--units", "0-400", ends=2)
    assert "serial ports" in await plumbline("scan", "--host", "10.0.0.1", "--bauds", "9600", ends=2)
    assert "no such file" in await plumbline("scan", "--device", tmp_path / "ttyUSB9", ends=1)
    assert "--profile" in await plumbline("read", ends=2)
    assert "no meter profile" in await plumbline(
        "read", "--profile", "eastron_sdm63", "--host", "127.0.0.1", ends=2
    )


# from nothing to a handover


def new_site(folder: Path, broker: str = "") -> Path:
    path = folder / "site.toml"
    path.write_text(f'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\n{broker}')
    return path


async def test_a_profile_of_ones_own_is_tried_and_its_mistake_named_from_scan_to_doctor(tmp_path):
    true, mine = tmp_path / "true.toml", tmp_path / "mine.toml"
    true.write_text(VX3)
    mine.write_text(moved(VX3, 1, "voltage", "current"))
    source = SiteLoad("main", seed=3, since=datetime.now(UTC).date())
    voltex = SimulatedMeter(name="vx", unit=1, profile=load_profile(true), source=source)
    async with MeterServer([voltex], clock=SystemClock()) as server:
        where = ("--host", f"127.0.0.1:{server.port}")
        fits = json.loads(await plumbline("scan", *where, "--unit", "1", "--profile", true, "--json"))
        wrong = await plumbline("scan", *where, "--units", "1", "--profile", mine)
        read = json.loads(await plumbline("read", *where, "--profile", mine, "--json"))
        site = new_site(tmp_path)
        with site.open("a") as file:
            file.write(
                f'[[meters]]\nname = "m1"\nprofile = "mine.toml"\nhost = "127.0.0.1"\nport = {server.port}\n'
            )
        examined = json.loads(await plumbline("doctor", site, "--json", ends=None))

    assert fits["meters"][0]["profile"] == str(true)
    assert "those one lower answer" in wrong
    assert "My meter is not in the list" in wrong
    assert [one["kind"] for one in read["meters"][0]["suspected"]] == ["off by one"]
    (finding,) = [one for one in examined["findings"] if one["what"] == "meter m1"]
    assert (finding["level"], "counts from 1" in finding["hint"]) == ("warning", True)


async def test_scan_write_check_and_read_lead_from_a_bare_wire_to_values(tmp_path):
    site = new_site(tmp_path)
    async with RtuServer([meter(1), meter(3, "abb_b23")], clock=SystemClock()) as server:
        words = ("scan", "--device", server.path, "--bauds", "9600", "--parity", "N", "--units", "1-4")
        shown = await plumbline(*words, "--timeout", "0.1", "--write", site)
        await plumbline("check", site)
        read = json.loads(await plumbline("read", site, "--json"))
        table = await plumbline("read", site, "--meter", "m3", "--raw")
        again = json.loads(
            await plumbline("scan", site, "--units", "1-4", "--timeout", "0.1", "--write", site, "--json")
        )

    assert [(one.name, one.profile, one.unit) for one in load_site(site).meters] == [
        ("m1", "eastron_sdm630", 1),
        ("m3", "abb_b23", 3),
    ]
    assert "[[meters]]" in shown
    values = {value["metric"]: value for value in read["meters"][0]["values"]}
    assert 200 < values["voltage_l1"]["value"] < 260
    assert {value["quality"] for value in values.values()} == {"good"}
    assert "> 03 03" in table
    assert again["toml"] == ""


async def test_reading_a_meter_that_is_silent_says_so_and_fails():
    async with MeterServer([meter(1, fault=Fault(kind="silent"))], clock=SystemClock()) as server:
        said = await plumbline(
            "read", "--profile", "eastron_sdm630", "--host", f"127.0.0.1:{server.port}", ends=1
        )

    assert "no answer within" in said


async def test_watching_a_meter_reads_it_again_and_again():
    async with MeterServer([meter(1)], clock=SystemClock()) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "plumbline", "edge", "read", "--profile", "eastron_sdm630", "--host",
            f"127.0.0.1:{server.port}", "--watch", "0.1", "--json", stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        rounds = [json.loads(await asyncio.wait_for(process.stdout.readline(), 20)) for _ in range(3)]
        process.send_signal(signal.SIGINT)

        assert await asyncio.wait_for(process.wait(), 20) == 0
    assert all(one["meters"][0]["values"] for one in rounds)


class Cards:
    """A sharp picture that no gate rejects."""

    size = (1280, 720)

    def picture(self, at: datetime) -> Snapshot:
        noise = np.random.default_rng(1).integers(40, 200, (90, 160, 3), dtype=np.uint8)
        large = cv2.resize(noise, self.size, interpolation=cv2.INTER_NEAREST)
        return Snapshot(jpeg=cv2.imencode(".jpg", large)[1].tobytes(), truth={})


async def test_the_doctor_names_a_faulty_file_and_a_broker_that_is_away(tmp_path):
    bad = new_site(tmp_path)

    assert "meters" in await plumbline("doctor", bad, ends=1)
    async with MeterServer([meter(1)], clock=SystemClock()) as server:
        site = new_site(
            tmp_path,
            f'[broker]\nport = {free_port()}\n[[meters]]\nname = "m1"\nprofile = "eastron_sdm630"\n'
            f'host = "127.0.0.1"\nport = {server.port}\n',
        )
        found = json.loads((await plumbline("doctor", site, "--json", ends=1)).splitlines()[0])

    levels = {one["what"]: one["level"] for one in found["findings"]}
    assert (levels["meter m1"], levels["broker"]) == ("ok", "fault")
    assert found["ok"] is False
    assert not (tmp_path / "state").exists()


@pytest.mark.system
@pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto")
async def test_a_whole_site_is_examined_and_handed_over_in_one_signed_file(tmp_path):
    port = free_port()
    certificates.make(tmp_path, "127.0.0.1")
    (tmp_path / "password").write_text("hunter2-secret")
    config = tmp_path / "mosquitto.conf"
    config.write_text(
        f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"
        f"certfile {tmp_path}/broker.pem\nkeyfile {tmp_path}/broker.key\n"
    )
    broker = await asyncio.create_subprocess_exec(
        MOSQUITTO, "-c", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with (
            RtuServer([meter(1)], clock=SystemClock()) as line,
            CameraServer(Cards(), clock=SystemClock()) as camera,
        ):
            site = new_site(
                tmp_path,
                f'[broker]\nhost = "127.0.0.1"\nport = {port}\nca_file = "ca.pem"\nusername = "gw1"\n'
                f'password_file = "password"\n[[buses]]\nname = "b1"\nkind = "rtu"\ndevice = "{line.path}"\n'
                '[[meters]]\nname = "m1"\nprofile = "eastron_sdm630"\nbus = "b1"\n'
                f'[[cameras]]\nname = "east"\nurl = "{camera.url}"\ntrack = "new"\nfloors = 2\nbays = 2\n'
                "quad = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]\n",
            )
            page = tmp_path / "handover.html"
            said = await plumbline("doctor", site, "--report", page)
    finally:
        broker.terminate()
        await broker.wait()
    text = page.read_text()
    content = handover.checked(text, signing.verify)
    levels = {one["what"]: one["level"] for one in content["findings"]}

    assert levels["broker login"] == levels["meter m1"] == levels["camera east"] == "ok", said
    assert levels["broker certificate"] == "warning"  # good for a day
    assert content["ok"]
    assert 200 < content["meters"][0]["values"][0]["value"] < 260
    assert "hunter2" not in text
    assert "unchanged" in await plumbline("doctor", "--verify", page, "--key", content["public_key"])
    page.write_text(text.replace('"m1"', '"m2"'))
    assert "signature" in await plumbline("doctor", "--verify", page, ends=1)
    assert not list((tmp_path / "state").glob("*.jpg"))


async def test_a_port_that_speaks_something_else_gets_advice_for_a_network_and_not_for_two_wires():
    async def chatter(reader, writer):
        while await reader.read(300):
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(chatter, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        said = await plumbline(
            "scan", "--host", f"127.0.0.1:{port}", "--units", "1-2", "--timeout", "0.1", ends=1
        )

    assert "something else than Modbus TCP" in said
    assert "switched on in the device" in said
    assert "A goes to A" not in said
    assert "swapped" not in said
