"""Our gateway's side against servers that others wrote: pymodbus, and libmodbus over TCP and over a serial line."""

import ctypes
import json
import shutil
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import libmodbus_server
import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from plumbline.clock import ManualClock
from plumbline.metrics import BY_CODE
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.wire.bus import serial_bus, tcp_bus
from plumbline_edge.meters.wire.line import SerialPort
from plumbline_sim.meter.encode import Encoder

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
FAMILIES = ("eastron_sdm630", "carlo_gavazzi_em340", "abb_b23", "schneider_iem3155")
VALUES = {
    "voltage_l1": 231.5, "voltage_l2": 229.5, "voltage_l3": 230.5, "current_l1": 12.5, "current_l2": 11.25,
    "current_l3": 13.75, "power_active_total": 8000.0, "frequency": 50.0, "energy_import_total": 123456.5,
}  # fmt: skip

pytestmark = pytest.mark.system


def words_of(profile):
    """(address, value) of every word that a meter of this family would hold."""
    values = {r.metric.name: VALUES.get(r.metric.name, 1.0) for r in profile.registers}
    encoder = Encoder(profile)
    found = {}
    for register in profile.registers:
        block = encoder.block(register.address, register.count, (register,), values).block
        for i in range(register.count):
            found[register.address + i] = int.from_bytes(block[2 * i : 2 * i + 2])
    return found


async def readings(bus, profile):
    meter = Meter(name="m", profile=profile, unit=1, bus=bus, every_s=10, clock=ManualClock(NOON))
    frame = await meter.queue(meter.poll)
    return {
        BY_CODE[code].name: None if steps is None else BY_CODE[code].from_wire(steps)
        for code, steps in zip(frame.metrics, frame.values, strict=True)
    }


def as_set(read):
    return {name: value for name, value in read.items() if name in VALUES}


def expected(profile):
    return {m.name: VALUES[m.name] for m in profile.metrics if m.name in VALUES}


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def pty_pair(tmp_path):
    """Two serial ports joined by socat, as one RS-485 wire."""
    if shutil.which("socat") is None:
        pytest.skip("no socat on this machine: apt-get install socat")
    ends = [tmp_path / "master", tmp_path / "meter"]
    process = subprocess.Popen(["socat", *(f"pty,raw,echo=0,link={end}" for end in ends)])
    for _ in range(200):
        if all(end.exists() for end in ends):
            break
        time.sleep(0.01)
    yield tuple(map(str, ends))
    process.terminate()
    process.wait(10)


@asynccontextmanager
async def pymodbus_serving(server):
    await server.serve_forever(background=True)
    try:
        yield
    finally:
        await server.shutdown()


def device_of(profile):
    words = words_of(profile)
    cells = [
        SimData(address, values=[value], datatype=DataType.REGISTERS)
        for address, value in sorted(words.items())
    ]
    holes = sorted(set(range(min(words), max(words) + 1)) - set(words))
    cells += [SimData(address, values=[0], datatype=DataType.REGISTERS) for address in holes]
    return SimDevice(id=1, simdata=sorted(cells, key=lambda cell: cell.address))


@pytest.mark.parametrize("name", FAMILIES)
async def test_pymodbus_server_over_tcp_is_read_right(name, port):
    profile = find_profile(name)
    server = ModbusTcpServer(device_of(profile), address=("127.0.0.1", port))

    async with pymodbus_serving(server), tcp_bus("127.0.0.1", port) as bus:
        read = await readings(bus, profile)

    assert as_set(read) == expected(profile)


async def test_pymodbus_server_over_a_serial_line_is_read_right(pty_pair):
    profile = find_profile("eastron_sdm630")
    ours, theirs = pty_pair
    server = ModbusSerialServer(device_of(profile), framer=FramerType.RTU, port=theirs, baudrate=9600)

    async with pymodbus_serving(server), serial_bus(SerialPort(device=ours)) as bus:
        read = await readings(bus, profile)

    assert as_set(read) == expected(profile)


async def test_pymodbus_server_behind_a_transparent_converter_is_read_right(port):
    profile = find_profile("eastron_sdm630")
    server = ModbusTcpServer(device_of(profile), framer=FramerType.RTU, address=("127.0.0.1", port))

    async with pymodbus_serving(server), tcp_bus("127.0.0.1", port, framing="rtu") as bus:
        read = await readings(bus, profile)

    assert as_set(read) == expected(profile)


@pytest.fixture
def libmodbus(tmp_path):
    try:
        ctypes.CDLL(libmodbus_server.LIBRARY)
    except OSError:
        pytest.skip("no libmodbus on this machine: apt-get install mbpoll")
    running = []

    def start(kind, where, profile):
        words = tmp_path / "words.json"
        words.write_text(json.dumps([[profile.function, a, v] for a, v in words_of(profile).items()]))
        script = Path(libmodbus_server.__file__)
        process = subprocess.Popen(
            [sys.executable, script, kind, str(where), words], stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout.readline() == "ready\n"

    yield start
    for process in running:
        process.kill()
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize("name", FAMILIES)
async def test_libmodbus_over_tcp_is_read_right(name, port, libmodbus):
    profile = find_profile(name)
    libmodbus("tcp", port, profile)

    async with tcp_bus("127.0.0.1", port) as bus:
        read = await readings(bus, profile)

    assert as_set(read) == expected(profile)


@pytest.mark.parametrize("name", FAMILIES)
async def test_libmodbus_over_a_serial_line_is_read_right(name, libmodbus, pty_pair):
    profile = find_profile(name)
    ours, theirs = pty_pair
    libmodbus("rtu", theirs, profile)

    async with serial_bus(SerialPort(device=ours)) as bus:
        read = await readings(bus, profile)

    assert as_set(read) == expected(profile)
