"""mbpoll, a master that is not ours, reads a simulated meter on each wire."""

import asyncio
import contextlib
import re
import shutil

import pytest

from plumbline.clock import SystemClock
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.server import MeterServer, RtuServer, RtuTcpServer, SimulatedMeter

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed (apt install mbpoll)"),
]
needs_socat = pytest.mark.skipif(
    shutil.which("socat") is None, reason="socat is not installed (apt install socat)"
)

VALUES = {"voltage_l1": 231.5, "voltage_l2": 229.25, "voltage_l3": 230.125}


class Steady:
    def at(self, when_s):
        return VALUES


@pytest.fixture
def meter():
    return SimulatedMeter(name="main", unit=3, profile=find_profile("eastron_sdm630"), source=Steady())


async def mbpoll(*options):
    """What it says about registers 0 to 5 of unit 3, and how it ends."""
    process = await asyncio.create_subprocess_exec(
        "mbpoll", "-a", "3", "-t", "3:float", "-B", "-0", "-r", "0", "-c", "3", "-1", "-o", "5", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


def values(said):
    return [float(value) for value in re.findall(r"^\[\d+\]:\s+([\d.]+)", said, re.MULTILINE)]


async def test_mbpoll_reads_over_modbus_tcp(meter):
    async with MeterServer([meter], clock=SystemClock()) as server:
        code, said = await mbpoll("-m", "tcp", "-p", str(server.port), "127.0.0.1")

    assert (code, values(said)) == (0, [231.5, 229.25, 230.125]), said


@pytest.mark.parametrize("baud", [None, 9600])
async def test_mbpoll_reads_on_a_serial_line(meter, baud):
    async with RtuServer([meter], clock=SystemClock(), baud=baud) as server:
        code, said = await mbpoll("-m", "rtu", "-b", "9600", "-P", "none", server.path)

    assert (code, values(said)) == (0, [231.5, 229.25, 230.125]), said


@needs_socat
async def test_mbpoll_reads_through_a_converter(meter, tmp_path):
    line = tmp_path / "line"
    async with (
        RtuTcpServer([meter], clock=SystemClock()) as server,
        socat(f"PTY,link={line},raw,echo=0", f"TCP:127.0.0.1:{server.port}") as opened,
    ):
        await opened(line)
        code, said = await mbpoll("-m", "rtu", "-b", "9600", "-P", "none", str(line))

    assert (code, values(said)) == (0, [231.5, 229.25, 230.125]), said


@needs_socat
async def test_mbpoll_reads_a_meter_that_is_played_on_a_real_ports_path(meter, tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    async with socat(f"PTY,link={ours},raw,echo=0", f"PTY,link={theirs},raw,echo=0") as opened:
        await opened(ours)
        await opened(theirs)
        async with RtuServer([meter], clock=SystemClock(), device=str(ours), baud=9600):
            code, said = await mbpoll("-m", "rtu", "-b", "9600", "-P", "none", str(theirs))

    assert (code, values(said)) == (0, [231.5, 229.25, 230.125]), said


async def test_mbpoll_cannot_write(meter):
    async with MeterServer([meter], clock=SystemClock()) as server:
        process = await asyncio.create_subprocess_exec(
            "mbpoll", "-m", "tcp", "-p", str(server.port), "-a", "3", "-t", "4", "-0", "-r", "0", "127.0.0.1", "1",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(30):
            said, _ = await process.communicate()

        assert b"Illegal function" in said
        assert server.writes == 1


@contextlib.asynccontextmanager
async def socat(one, other):
    """Both ends joined; gives a wait until a link is there."""
    process = await asyncio.create_subprocess_exec("socat", one, other)

    async def opened(link):
        async with asyncio.timeout(10):
            while not link.exists():  # noqa: ASYNC110 - another program makes it
                await asyncio.sleep(0.01)

    try:
        yield opened
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ends by itself when the other end closes
            process.terminate()
        await process.wait()
