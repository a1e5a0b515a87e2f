"""Recorder and replayer on real sockets and terminals, with a simulated meter as the real bus."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from datetime import UTC, datetime

import pytest

from plumbline.cli import run
from plumbline.clock import ManualClock
from plumbline.errors import ConfigError, Unreachable
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.rtuframe import rtu_frame
from plumbline_sim.meter.server import MeterServer, SimulatedMeter
from plumbline_sim.record.messages import tcp_frame
from plumbline_sim.record.player import Player
from plumbline_sim.record.recorder import Recorder, TapeFile
from plumbline_sim.record.replay import ReplayServer
from plumbline_sim.record.tape import Line, load_tape, pair
from plumbline_sim.record.wires import TerminalWire, connect, host_and_port, listening, open_pty, open_serial

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
READ_V, READ_KWH = bytes.fromhex("0400000006"), bytes.fromhex("0400480002")
COMMAND = (sys.executable, "-m", "plumbline", "sim")


@pytest.fixture
async def meter():
    simulated = SimulatedMeter(
        name="crane",
        unit=1,
        profile=find_profile("eastron_sdm630"),
        source=SiteLoad("crane", seed=3, since=NOON.date()),
    )
    async with MeterServer([simulated], clock=ManualClock(NOON)) as server:
        yield server


@contextlib.asynccontextmanager
async def recording(path, port, protocol="tcp"):
    """A recorder in front of a port; yields the port that it listens on."""
    with TapeFile(path, protocol) as tape:
        recorder = Recorder(tape, protocol=protocol, open_bus=lambda: connect("127.0.0.1", port))
        async with listening("127.0.0.1", 0, recorder.serve) as taken:
            yield taken
        recorder.finish()


async def ask(wire, *frames, wait_s=5.0):
    """What comes back on each, one after the other."""
    got = []
    for frame in frames:
        await wire.send(frame)
        async with asyncio.timeout(wait_s):
            said = await wire.read()
            while len(said) < 6 + int.from_bytes(said[4:6] if frame[2:4] == b"\0\0" else b"\0\0"):
                said += await wire.read()
        got.append(said)
    return got


@contextlib.asynccontextmanager
async def line_to(port):
    wire = await connect("127.0.0.1", port)
    try:
        yield wire
    finally:
        wire.close()


async def test_what_a_meter_said_is_replayed_byte_for_byte(meter, tmp_path):
    path = tmp_path / "bus.jsonl"
    frames = [
        tcp_frame(1, 1, READ_V),
        tcp_frame(2, 1, READ_KWH),
        tcp_frame(3, 9, READ_V),
        tcp_frame(4, 1, b"\x06\0\0\0\0"),
    ]
    async with line_to(meter.port) as wire:
        straight = await ask(wire, *frames)
    async with recording(path, meter.port) as port, line_to(port) as wire:
        recorded = await ask(wire, *frames)
    async with ReplayServer(Player(load_tape(path))) as replaying, line_to(replaying.port) as wire:
        replayed = await ask(wire, *frames)

    assert recorded == straight
    assert replayed == straight


async def test_a_line_says_who_was_asked_for_what_and_when(meter, tmp_path):
    path = tmp_path / "bus.jsonl"
    async with recording(path, meter.port) as port:
        for _ in range(2):
            async with line_to(port) as wire:
                await ask(wire, tcp_frame(1, 1, READ_KWH))
    head, *lines = map(json.loads, path.read_text().splitlines())

    assert head == {"tape": 1, "protocol": "tcp"}
    assert [(line["connection"], line["dir"]) for line in lines] == [
        (1, "request"), (1, "answer"), (2, "request"), (2, "answer"),
    ]  # fmt: skip
    assert {key: lines[0][key] for key in ("unit", "function", "start", "count", "hex")} == {
        "unit": 1, "function": 4, "start": 72, "count": 2, "hex": tcp_frame(1, 1, READ_KWH).hex(),
    }  # fmt: skip
    assert [line["t_s"] for line in lines] == sorted(line["t_s"] for line in lines)


async def test_bytes_that_are_no_modbus_are_passed_on_and_kept(tmp_path):
    async def mirror(wire):
        while data := await wire.read():
            await wire.send(data[::-1])

    path = tmp_path / "bus.jsonl"
    async with listening("127.0.0.1", 0, mirror) as far, recording(path, far) as port, line_to(port) as wire:
        await wire.send(b"GET / HTTP/1.0\r\n\r\n")
        async with asyncio.timeout(5):
            came = await wire.read()

    assert came == b"\n\r\n\r0.1/PTTH / TEG"
    assert [bytes.fromhex(json.loads(line)["hex"]) for line in path.read_text().splitlines()[1:]] == [
        b"GET / HTTP/1.0\r\n\r\n", b"\n\r\n\r0.1/PTTH / TEG",
    ]  # fmt: skip


async def test_a_bus_that_is_away_is_as_if_nobody_listened_and_is_said(tmp_path):
    with TapeFile(tmp_path / "bus.jsonl", "tcp") as tape:
        recorder = Recorder(tape, protocol="tcp", open_bus=lambda: connect("127.0.0.1", 1))
        async with listening("127.0.0.1", 0, recorder.serve) as port, line_to(port) as wire:
            ended = await wire.read()

    assert ended == b""
    assert "127.0.0.1:1" in next(iter(recorder.turned_away))


async def test_a_serial_bus_is_recorded_and_replayed_on_terminals(tmp_path):
    """Master on a terminal, recorder, serial port, replayer: all of the RTU path, without hardware."""
    asked, said = rtu_frame(1, READ_KWH), rtu_frame(1, bytes.fromhex("040443664000"))
    tape = pair(
        "rtu", [Line(t_s=0, dir="request", hex=asked.hex()), Line(t_s=0.01, dir="answer", hex=said.hex())]
    )
    path = tmp_path / "bus.jsonl"
    masters, master_path = open_pty(tmp_path / "gateway")
    async with ReplayServer(Player(tape)) as bus:
        with TapeFile(path, "rtu_over_tcp") as file:
            recorder = Recorder(
                file, protocol="rtu_over_tcp", open_bus=lambda: connect("127.0.0.1", bus.port)
            )
            keeping = asyncio.create_task(recorder.keep(masters))
            master = open_serial(f"{master_path},9600,8E1")
            got = await ask(master, asked, asked)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            recorder.finish()
    for wire in (master, masters):
        wire.close()
    again = load_tape(path)

    assert got == [said, said]
    assert [(exchange.request.raw, exchange.answer.raw) for exchange in again.exchanges] == [
        (asked, said)
    ] * 2


async def test_what_a_terminal_gets_that_is_no_frame_does_not_stop_the_next_one(tmp_path):
    asked, said = rtu_frame(1, READ_KWH), rtu_frame(1, bytes.fromhex("040443664000"))
    player = Player(
        pair("rtu", [Line(t_s=0, dir="request", hex=asked.hex()), Line(t_s=0, dir="answer", hex=said.hex())])
    )
    async with ReplayServer(player) as bus, line_to(bus.port) as wire:
        await wire.send(b"\x01\x04\x00")
        while not player.unknown:  # noqa: ASYNC110 - the replayer's pause
            await asyncio.sleep(0.01)
        got = await ask(wire, asked)

    assert got == [said]


def test_nothing_is_overwritten(tmp_path, capsys):
    (tmp_path / "bus.jsonl").write_text("precious")
    code = run(
        [
            "sim",
            "record",
            "--listen",
            "127.0.0.1:0",
            "--to",
            "127.0.0.1:1",
            "--out",
            str(tmp_path / "bus.jsonl"),
        ]
    )

    assert code == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "bus.jsonl").read_text() == "precious"


def test_a_recording_that_never_began_leaves_its_name_free(tmp_path, capsys):
    (tmp_path / "capture").write_text("no capture at all, whatever its name says")
    code = run(
        ["sim", "record", "--from-pcap", str(tmp_path / "capture"), "--out", str(tmp_path / "bus.jsonl")]
    )

    assert (code, "not a packet capture" in capsys.readouterr().err) == (2, True)
    assert not (tmp_path / "bus.jsonl").exists()


async def test_what_a_master_says_while_the_bus_is_away_is_not_said_to_it_later(tmp_path):
    asked, late = rtu_frame(1, READ_KWH), rtu_frame(2, READ_KWH)
    heard, bus_is_there = [], False

    async def bus(wire):
        while data := await wire.read():
            heard.append(data)
            await wire.send(b"answered")

    async def open_bus():
        if not bus_is_there:
            raise Unreachable("away")
        return await connect("127.0.0.1", port)

    masters, path = open_pty()
    master = open_serial(path)
    with TapeFile(tmp_path / "bus.jsonl", "rtu") as tape:
        async with listening("127.0.0.1", 0, bus) as port:
            recorder = Recorder(tape, protocol="rtu", open_bus=open_bus)
            keeping = asyncio.create_task(recorder.keep(masters))
            await master.send(asked)
            await asyncio.sleep(0.1)
            bus_is_there = True
            while not recorder.connections:  # noqa: ASYNC110 - the recorder's own pace
                await asyncio.sleep(0.05)
            await ask(master, late)
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
    for wire in (master, masters):
        wire.close()

    assert heard == [late]


async def started(*arguments):
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *map(str, arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    return process, (await asyncio.wait_for(process.stdout.readline(), 30)).decode()


async def test_the_commands_record_until_ctrl_c_and_replay_what_they_recorded(meter, tmp_path):
    path = tmp_path / "bus.jsonl"
    process, said = await started(
        "record", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{meter.port}", "--out", path
    )
    async with line_to(int(said.split()[1].rpartition(":")[2])) as wire:
        recorded = await ask(wire, tcp_frame(1, 1, READ_V))
        process.send_signal(signal.SIGINT)
        _, summary = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, b"1 requests, 1 answers" in summary) == (0, True), summary

    process, said = await started("replay", path, "--port", 0)
    async with line_to(int(said.split()[-1].rpartition(":")[2])) as wire:
        replayed = await ask(wire, tcp_frame(1, 1, READ_V), tcp_frame(2, 1, READ_KWH))
    process.send_signal(signal.SIGINT)
    _, summary = await asyncio.wait_for(process.communicate(), 30)

    assert replayed == [*recorded, tcp_frame(2, 1, b"\x84\x0b")]
    assert b"1 requests answered, 0 left silent as recorded, 1 never recorded" in summary
    assert READ_KWH.hex(" ").encode() in summary


async def test_a_tape_is_replayed_on_a_terminal(tmp_path):
    asked, said = rtu_frame(1, READ_KWH), rtu_frame(1, bytes.fromhex("040443664000"))
    path, link = tmp_path / "bus.jsonl", tmp_path / "bus"
    lines = [{"tape": 1, "protocol": "rtu"}, {"t_s": 0, "dir": "request", "hex": asked.hex()},
             {"t_s": 0.01, "dir": "answer", "hex": said.hex()}]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    process, _ = await started("replay", path, "--pty", "--link", link)
    master = TerminalWire(os.open(link, os.O_RDWR | os.O_NOCTTY))
    got = await ask(master, asked)
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 30)
    master.close()

    assert got == [said]
    assert process.returncode == 0


async def test_recording_ends_by_itself_after_its_time(meter, tmp_path):
    path = tmp_path / "bus.jsonl"
    process, _ = await started(
        "record", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{meter.port}", "--out", path, "--for", "0.2s"
    )
    await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "nothing to record"),
        (("--listen", "5020", "--to", "a:1"), "--listen: expected HOST:PORT"),
        (("--listen", "pty", "--to", "a:1"), "not spoken on a serial line"),
        (("--listen", "a:1", "--to", "/dev/ttyUSB0"), "not spoken on a serial line"),
        (("--listen", "a:1", "--to", "b:2", "--for", "soon"), "--for soon: not a time"),
        (("--listen", "a:1", "--from-pcap", "x.pcap"), "nobody to listen to"),
        (("--from-pcap", "/no/such.pcap"), "No such file"),
    ],
)
def test_what_cannot_be_recorded_is_a_sentence(options, words, tmp_path, capsys):
    code = run(["sim", "record", *options, "--out", str(tmp_path / "bus.jsonl")])

    assert code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("text", ["/dev/ttyUSB0,9601", "/dev/ttyUSB0,9600,7N1", "ttyUSB0"])
def test_a_serial_port_that_cannot_be_is_a_sentence(text):
    with pytest.raises(ConfigError):
        open_serial(text)


def test_a_serial_port_that_is_not_there_is_unreachable():
    with pytest.raises(Unreachable, match="/dev/nothing-here"):
        open_serial("/dev/nothing-here,9600,8N1")


def test_a_file_that_is_in_the_way_of_a_link_is_left_alone(tmp_path):
    (tmp_path / "link").write_text("precious")
    with pytest.raises(ConfigError):
        open_pty(tmp_path / "link")

    assert (tmp_path / "link").read_text() == "precious"


def test_an_address_may_be_a_name_or_an_ipv6_address():
    assert host_and_port("gateway.local:502", "--to") == ("gateway.local", 502)
    assert host_and_port("[::1]:502", "--to") == ("::1", 502)
