"""Meters: requests a poll, how much of a slow serial wire is used, and two hundred meters on one core.

Runs on loopback and a pseudo-terminal, about six minutes, and ends by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import gateway
import machine
from pymodbus.client import AsyncModbusTcpClient

from plumbline.clock import SystemClock
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.modbus.questions import read_registers
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.catalogue import reads
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import places
from plumbline_edge.meters.wire.bus import RTU_GAP, TCP_GAP, serial_bus, tcp_bus
from plumbline_edge.meters.wire.line import SerialPort
from plumbline_edge.meters.wire.pace import Pace
from plumbline_sim.demo.broker import free_port
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import Fault, RtuServer, SimulatedMeter

BAUD, WIRED, TURNAROUND_S, WIRE_S = 9_600, 20, 0.02, 45.0
ASKED, REPEATS = 2_000, 5
PERIOD_S, NEIGHBOURS_WARM_UP_S, NEIGHBOURS_S = 4, 20.0, 60.0
CROWD, VALUES, CROWD_WARM_UP_S, CROWD_S = 200, 30, 15.0, 60.0
HERE = Path(__file__).parent


def requests_per_poll() -> None:
    """Each family's plan on both wires against one request a value, which is what is often shipped."""
    for name in shipped():
        profile = find_profile(name)
        if profile.protocol == "dlt645":
            continue
        machine.say(
            "requests_per_poll", reads(profile, TCP_GAP), "requests", profile=name,
            rtu_9600_baud=reads(profile, RTU_GAP, 10 / BAUD), one_a_value=len(places(profile)),
        )  # fmt: skip


async def request_cpu() -> None:
    """CPU of this process for one read of sixty registers over TCP: our bus, and pymodbus's own client, in one run."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        profile = Path(folder) / "thirty.toml"
        profile.write_text(gateway.thirty_values(), encoding="utf-8")
        farm = subprocess.Popen(
            [sys.executable, HERE / "farm.py", profile, "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        port = int(farm.stdout.readline())
        question, pace = read_registers(1, 4, Span(0, 60), "tcp"), Pace(2.0)
        used_us: dict[str, list[float]] = {"ours": [], "pymodbus": []}
        async with tcp_bus("127.0.0.1", port) as bus:
            client = AsyncModbusTcpClient("127.0.0.1", port=port)
            await client.connect()

            async def ours() -> None:
                await bus.once(question, pace)

            async def theirs() -> None:
                answer = await client.read_input_registers(0, count=60, device_id=1)
                assert len(answer.registers) == 60

            for _ in range(REPEATS):
                for name, ask in (("ours", ours), ("pymodbus", theirs)):
                    before = time.process_time()
                    for _ in range(ASKED):
                        await ask()
                    used_us[name].append((time.process_time() - before) / ASKED * 1e6)
            client.close()
        farm.stdin.close()
        farm.stdout.read()
        farm.wait(10)
    middle = {name: statistics.median(found) for name, found in used_us.items()}
    machine.say("request_cpu_us", middle["ours"], "us", registers=60, requests=REPEATS * ASKED,
                pymodbus_client_us=round(middle["pymodbus"], 1), ratio=round(middle["ours"] / middle["pymodbus"], 2))  # fmt: skip


async def serial_wire(family: str) -> None:
    """Twenty meters polled back to back on one wire at 9600 baud.

    The theoretical time is what requests and answers need as bytes, the meters' own turnaround, and the silence
    that the standard (3.5 characters) or the family wants before each request.
    """
    profile = find_profile(family)
    now = datetime.now(UTC).date()
    meters = [
        SimulatedMeter(
            name=f"m{unit}", unit=unit, profile=profile, source=SiteLoad("crane", seed=unit, since=now),
            turnaround_s=TURNAROUND_S,
        )
        for unit in range(1, WIRED + 1)
    ]  # fmt: skip
    clock = SystemClock()
    async with RtuServer(meters, clock=clock, baud=BAUD) as server:
        port = SerialPort(device=server.path, baud=BAUD)
        bus = serial_bus(port)
        ours = [
            Meter(name=m.name, profile=profile, unit=m.unit, bus=bus, every_s=60, clock=clock) for m in meters
        ]
        for meter in ours:  # learns the pace, asks the numbers
            await meter.queue(meter.poll)
        began_s, polls = time.monotonic(), 0
        asked = bus.counters["requests"]
        while time.monotonic() - began_s < WIRE_S:
            for meter in ours:
                await meter.queue(meter.poll)
                polls += 1
        took_s = time.monotonic() - began_s
        asked = bus.counters["requests"] - asked
        silence_s = max(3.5 * port.byte_s, profile.min_gap_ms / 1e3)
        bytes_a_poll = sum(8 + 5 + 2 * span.count for span in ours[0].spans)
        needed_s = polls * (bytes_a_poll * port.byte_s + len(ours[0].spans) * (TURNAROUND_S + silence_s))
        machine.say(
            "serial_wire_used", 100 * needed_s / took_s, "% of the theoretical bus time", family=family, meters=WIRED,
            baud=BAUD, turnaround_ms=1e3 * TURNAROUND_S, polls=polls, requests=asked, round_s=round(WIRED * took_s / polls, 2),
            readings_per_s=round(polls * len(profile.registers) / took_s),
            errors=sum(sum(meter.errors.values()) for meter in ours),
        )  # fmt: skip
        await bus.stop()


def neighbours() -> None:
    """The real gateway on a serial wire of ten meters every four seconds: with all of them, then with two of them dead.

    Jitter is how far the time between two polls of a live meter is from the period, at the 99th percentile.
    """
    for dead in (0, 2):
        with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
            times = asyncio.run(_wire_with(Path(folder), dead))
        off = [abs(b - a - PERIOD_S) / PERIOD_S for polls in times.values() for a, b in pairwise(polls)]
        machine.say(
            "neighbours_jitter_p99", 100 * statistics.quantiles(off, n=100)[98], "% of the period", meters=10, dead=dead,
            period_s=PERIOD_S, baud=19_200, polls=len(off), worst=round(100 * max(off), 2),
        )  # fmt: skip


async def _wire_with(folder: Path, dead: int) -> dict[str, list[float]]:
    """When each live meter was polled, once the dead ones are known to be."""
    profile, log = find_profile("carlo_gavazzi_em340"), OpLog()
    now = datetime.now(UTC).date()
    meters = [
        SimulatedMeter(
            name=f"m{unit}", unit=unit, profile=profile, source=SiteLoad("crane", seed=unit, since=now),
            turnaround_s=TURNAROUND_S, fault=Fault(kind="silent") if unit <= dead else None,
        )
        for unit in range(1, 11)
    ]  # fmt: skip
    async with RtuServer(meters, clock=SystemClock(), baud=19_200, oplog=log) as server:
        text = (
            f'site = "bench"\ngateway = "bench-gw"\nstate_dir = "state"\n[broker]\nport = {free_port()}\n'
            f'[[buses]]\nname = "wire"\nkind = "rtu"\ndevice = "{server.path}"\nbaud = 19200\n'
        ) + "".join(
            f'[[meters]]\nname = "{m.name}"\nbus = "wire"\nprofile = "carlo_gavazzi_em340"\nunit = {m.unit}\n'
            f"every_s = {PERIOD_S}\n"
            for m in meters
        )
        site = folder / "site.toml"
        site.write_text(text, encoding="utf-8")
        with (folder / "edge.log").open("w") as told:
            edge = await asyncio.create_subprocess_exec(
                *gateway.PLUMBLINE, "edge", "run", str(site), stdout=told, stderr=told
            )
            await asyncio.sleep(NEIGHBOURS_WARM_UP_S)
            begin_s = asyncio.get_running_loop().time()
            await asyncio.sleep(NEIGHBOURS_S)
            edge.terminate()
            await edge.wait()
    times: dict[str, list[float]] = {}
    for operation in log.operations:
        if operation.poll and operation.values and operation.mono_s >= begin_s:
            times.setdefault(operation.device, []).append(operation.mono_s)
    return times


def crowd() -> None:
    """The real gateway on one core, two hundred meters of thirty values a second, the meters on the other core."""
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if mosquitto is None:
        print(json.dumps({"skipped": "two hundred meters", "why": "no mosquitto on this machine"}))
        return
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-bench-")))
        bench = gateway.Bench(folder, running)
        profile = folder / "thirty.toml"
        profile.write_text(gateway.thirty_values(), encoding="utf-8")
        broker_port = free_port()
        (folder / "mosquitto.conf").write_text(f"listener {broker_port} 127.0.0.1\nallow_anonymous true\n")
        bench.start(mosquitto, "-c", str(folder / "mosquitto.conf"), log="mosquitto.log")
        farm = bench.start(
            sys.executable, str(HERE / "farm.py"), str(profile), str(CROWD),
            log="farm.log", stdout=subprocess.PIPE, stdin=subprocess.PIPE,
        )  # fmt: skip
        site = bench.site(broker_port, farm)
        edge = bench.start(*gateway.PLUMBLINE, "edge", "run", str(site), log="edge.log")
        os.sched_setaffinity(edge.pid, {0})
        for process in (farm.pid, os.getpid()):
            os.sched_setaffinity(process, {os.cpu_count() - 1})
        time.sleep(CROWD_WARM_UP_S)
        before = gateway.status(bench, site), gateway.cpu_s(edge.pid), time.monotonic()
        time.sleep(CROWD_S)
        after = gateway.status(bench, site), gateway.cpu_s(edge.pid), time.monotonic()
        frames, used_s, took_s = (b - a for a, b in zip(before, after, strict=True))
        rss_mb = gateway.memory_mb(edge.pid, "VmHWM")
        farm.stdin.close()
        times = json.loads(farm.stdout.readline())
        late_ms = [1e3 * abs(b - a - 1.0) for polls in times.values() for a, b in pairwise(polls[10:])]
    how = {
        "load": f"{CROWD} TCP meters x {VALUES} values x 1 s, one core, committed FULL, sent to a broker, no centre"
    }
    machine.say("crowd_delivered", 100 * frames / (CROWD * took_s), "% of the polls asked for", **how)
    machine.say("crowd_cpu_ms_per_1000_readings", used_s * 1e6 / (frames * VALUES), "ms", **how)
    machine.say("crowd_cpu_share", 100 * used_s / took_s, "% of one core", **how)
    machine.say("crowd_peak_rss_mb", rss_mb, "MB", vision=False, **how)
    quantiles = statistics.quantiles(late_ms, n=100)
    machine.say("crowd_jitter_p50_ms", quantiles[49], "ms", **how, polls=len(late_ms))
    machine.say("crowd_jitter_p99_ms", quantiles[98], "ms", **how, polls=len(late_ms))


if __name__ == "__main__":
    requests_per_poll()
    asyncio.run(request_cpu())
    for family in ("carlo_gavazzi_em340", "eastron_sdm630"):
        asyncio.run(serial_wire(family))
    neighbours()
    crowd()
