import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tomllib

import pytest
import serial
from meter_wire import read

from plumbline.cli import run
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.wire.bus import tcp_bus
from plumbline_sim.meter.rtuframe import rtu_frame

ROWS = "when,kWh\n2026-01-01 00:15,1\n2026-01-01 00:30,2\n"
MAP = """
title = "Test"
source = "made up"
[time]
columns = ["when"]
format = "%Y-%m-%d %H:%M"
timezone = "UTC"
interval_s = 900
stamp = "end"
[metrics]
energy_import_total = { column = "kWh", per_interval = true }
"""
COMMAND = [sys.executable, "-c", "from plumbline.cli import main; main()", "sim", "meter"]


@pytest.fixture
def recording(tmp_path):
    (tmp_path / "rows.csv").write_text(ROWS)
    (tmp_path / "map.toml").write_text(MAP)
    return ["--trace", str(tmp_path / "rows.csv"), "--map", str(tmp_path / "map.toml")]


def first_line(process):
    ready, _, _ = select.select([process.stdout], [], [], 30)
    assert ready, "the simulator did not say where it listens"
    return process.stdout.readline().decode()


async def read_voltage(port):
    async with tcp_bus("127.0.0.1", port) as bus:
        return await read(bus, 1, 4, Span(0, 2))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_site_meter_says_where_it_listens_answers_and_ends_cleanly(tmp_path, number):
    log = tmp_path / "ops.jsonl"
    command = [*COMMAND, "--profile", "eastron_sdm120", "--role", "crane", "--port", "0", "--oplog", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = first_line(process)
        port = int(line.split("127.0.0.1:")[1].split(",")[0])
        assert len(asyncio.run(read_voltage(port))) == 4
        process.send_signal(number)

        assert process.wait(timeout=20) == 0

    (operation,) = [json.loads(text) for text in log.read_text().splitlines()]
    assert (operation["outcome"], operation["poll"]) == ("values", True)


def test_a_recording_played_once_ends_by_itself_and_tells_what_it_is(recording):
    command = [
        *COMMAND,
        "--profile",
        "eastron_sdm120",
        *recording,
        "--port",
        "0",
        "--speed",
        "100000",
        "--once",
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0
    assert "Eastron SDM120 on 127.0.0.1:" in done.stdout
    assert "2 rows" in done.stdout
    assert "energy 3.000 kWh" in done.stdout


def test_a_taken_port_is_one_sentence_with_what_to_do(capsys):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        code = run(["sim", "meter", "--profile", "abb_b23", "--role", "crane", "--port", str(port)])

    said = capsys.readouterr().err
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert f"(pid {os.getpid()})" in said
    assert "choose another --port" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--profile", "abb_b24", "--role", "crane"], "no meter profile 'abb_b24'"),
        (["--profile", "abb_b23", "--role", "kitchen"], "no role 'kitchen'"),
        (["--profile", "abb_b23"], "nothing to play"),
        (["--profile", "abb_b23", "--role", "crane", "--trace", "x.csv"], "exclude each other"),
        (["--profile", "abb_b23", "--trace", "x.csv", "--map", "y.toml"], "y.toml: No such file"),
    ],
)
def test_a_wrong_option_is_one_sentence(capsys, options, said):
    assert run(["sim", "meter", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_family_that_cannot_say_it_lacks_a_value_is_not_made_to_invent_one(capsys, tmp_path, recording):
    profile = tmp_path / "plain.toml"
    profile.write_text(
        'name = "Plain"\nmaker = "x"\nsource = "made up"\nfunction = 4\nmax_registers = 10\n'
        'probe = "voltage_l1"\n[registers]\nvoltage_l1 = { address = 0, type = "u16", unit = "V" }\n'
    )

    assert run(["sim", "meter", "--profile", str(profile), *recording]) == 2
    assert "no way to say that it lacks voltage_l1" in capsys.readouterr().err


def test_a_meter_on_a_serial_line_says_its_name_and_answers_there(tmp_path):
    link = tmp_path / "ttyMETER"
    command = [*COMMAND, "--profile", "eastron_sdm120", "--role", "crane", "--rtu", "--link", str(link)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        line = first_line(process)
        with serial.Serial(str(link), timeout=20) as port:
            port.write(rtu_frame(1, b"\4\0\0\0\2"))
            answer = port.read(9)
        process.terminate()
        assert process.wait(timeout=20) == 0

    assert line == f"Eastron SDM120 on {link}, unit 1\n"
    assert answer[:3] == b"\1\4\4"
    assert answer == rtu_frame(1, answer[1:-2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rtu", "--rtu-over-tcp"], "exclude each other"),
        (["--link", "x", "--device", "y"], "exclude each other"),
        (["--baud", "9600"], "--baud is for --rtu"),
        (["--rtu", "--parity", "X"], "no parity 'X'"),
        (["--device", "/dev/ttyNONE"], "cannot open /dev/ttyNONE"),
    ],
)
def test_a_wire_that_cannot_be_is_one_sentence(capsys, options, said):
    assert run(["sim", "meter", "--profile", "abb_b23", "--role", "crane", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_site_says_its_buses_writes_the_gateways_file_and_answers(tmp_path):
    out, log = tmp_path / "site.toml", tmp_path / "ops.jsonl"
    command = [*COMMAND[:-1], "site", "one_riser", "--site-file", str(out), "--oplog", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        said = [first_line(process)]
        while said[-1] not in ("ready\n", ""):
            said.append(process.stdout.readline().decode())
        site = tomllib.loads(out.read_text())
        with serial.Serial(site["buses"][0]["device"], timeout=20) as port:
            port.write(rtu_frame(1, b"\4\0\0\0\2"))
            answer = port.read(9)
        process.terminate()
        assert process.wait(timeout=20) == 0

    assert said[1] == f"riser: rtu on {site['buses'][0]['device']}, 9600 baud\n"
    assert answer == rtu_frame(1, answer[1:-2])
    (operation,) = [json.loads(text) for text in log.read_text().splitlines()]
    assert (operation["device"], operation["outcome"]) == ("main", "values")


def test_a_scenario_that_nobody_knows_is_one_sentence_with_those_there_are(capsys):
    assert run(["sim", "site", "dirty_buss"]) == 2
    said = capsys.readouterr().err
    assert "no scenario 'dirty_buss'" in said
    assert "dirty_bus, one_riser" in said
