"""What the outbox costs: commits, syncs, bytes on the card, and how fast a backlog leaves it.

Ends by itself after about half a minute. The card is this machine's disk: compare ratios, count syncs and bytes.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

from plumbline import codec, signing
from plumbline.clock import SystemClock
from plumbline.messages import Frame, Health
from plumbline_edge.outbox import Draft, Limits, Outbox

VALUES = 30
HOUR = 360
"""Cycles of ten seconds."""


def frame(device: int, cycle: int, every_s: float, rng: random.Random) -> Draft:
    steps = [23_000 + rng.randrange(-200, 200) for _ in range(VALUES - 1)]
    return Draft(
        lane="data",
        at_us=1_772_323_200_000_000 + round(cycle * every_s * 1e6) + rng.randrange(20_000),
        boot="b" * 32,
        mono_us=round(cycle * every_s * 1e6),
        clock="synced",
        body=Frame(
            device=f"meter-{device}", metrics=tuple(range(1, VALUES + 1)), values=(*steps, 10_000_000 + cycle)
        ),
    )


def cycles(meters: int, count: int, every_s: float) -> list[list[Draft]]:
    rng = random.Random(7)
    return [[frame(i, n, every_s, rng) for i in range(meters)] for n in range(count)]


def written_bytes() -> int:
    """What this process had the kernel write to storage (proc(5), io: write_bytes)."""
    return int(
        re.search(r"^write_bytes: (\d+)", Path("/proc/self/io").read_text(encoding="ascii"), re.MULTILINE)[1]
    )


async def fill(folder: Path, work: list[list[Draft]]) -> list[float]:
    """Milliseconds of each commit."""
    took = []
    async with Outbox(folder / "outbox.db", gateway="bench", limits=Limits(max_bytes=4 << 30)) as outbox:
        for drafts in work:
            began = time.perf_counter()
            await outbox.append(drafts)
            took.append((time.perf_counter() - began) * 1e3)
    return took


def commits(folder: Path) -> None:
    load = f"10 meters x {VALUES} values x 1 s"
    work = cycles(10, 2_000, 1.0)
    cpu = time.process_time()
    took = asyncio.run(fill(folder, work))
    cpu = time.process_time() - cpu
    machine.say("outbox_commit_p50_ms", statistics.median(took), "ms", load=load)
    machine.say("outbox_commit_p99_ms", statistics.quantiles(took, n=100)[98], "ms", load=load)
    machine.say("outbox_cpu_ms_per_1000_readings", cpu * 1e6 / (len(work) * 10 * VALUES), "ms", load=load)


def syncs(folder: Path) -> None:
    if shutil.which("strace") is None:
        machine.say("outbox_syncs_per_1000_readings", float("nan"), "1", skipped="no strace on this machine")
        return
    count = 500
    said = subprocess.run(
        ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", sys.executable, __file__, "fill", folder, str(count)],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    calls = sum(int(line.split()[3]) for line in said.splitlines() if re.search(r" f(data)?sync$", line))
    load = f"10 meters x {VALUES} values x 1 s, {count} s"
    machine.say("outbox_syncs_per_1000_readings", calls * 1000 / (count * 10 * VALUES), "1", load=load)


def a_day(folder: Path) -> None:
    """The default rate for six hours, each commit by itself, times four."""
    load = f"4 meters x {VALUES} values x 10 s, health every minute"
    work = cycles(4, 6 * HOUR, 10.0)
    health = Health(version="bench", counters={f"counter_{i}": 100_000 + i for i in range(30)})
    for drafts in work[::6]:
        drafts.append(
            Draft(
                **{name: getattr(drafts[0], name) for name in ("at_us", "boot", "mono_us", "clock")},
                lane="status",
                body=health,
            )
        )
    before = written_bytes()
    asyncio.run(fill(folder, work))
    written = written_bytes() - before
    size = (folder / "outbox.db").stat().st_size
    machine.say("outbox_written_mb_per_day", written * 4 / 1e6, "MB", load=load, counts="storage writes")
    machine.say("outbox_mb_per_day_offline", size * 4 / 1e6, "MB", load=load)
    machine.say("outbox_default_holds_days", Limits().file_bytes * 0.9 / (size * 4), "days", load=load)


async def backlog(folder: Path) -> None:
    """Rows to signed batches, as the uplink takes them, without any network."""
    key = signing.DeviceKey.load_or_create(folder / "device.key")
    async with Outbox(folder / "outbox.db", gateway="bench", limits=Limits(max_bytes=4 << 30)) as outbox:
        rng = random.Random(7)
        for start in range(0, 20_000, 2_000):
            await outbox.append([frame(n % 4, n // 4, 10.0, rng) for n in range(start, start + 2_000)])
        stream, at, size = (outbox.epoch, "data"), 1, 0
        began, cpu = time.perf_counter(), time.process_time()
        while run := await outbox.run_in(stream, at, outbox.last(stream), max_records=500, max_bytes=1 << 19):
            size += len(
                codec.pack_batch(
                    run.records, run.bodies, site="bench", gateway="bench", epoch=run.epoch, lane=run.lane,
                    prev=run.prev, head=run.head, algorithm=signing.ALGORITHM, sign=key.sign,
                )
            )  # fmt: skip
            at = run.last + 1
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    readings = 20_000 * VALUES
    machine.say(
        "backlog_packed_readings_per_s", readings / wall, "readings/s", from_="the file to signed batches"
    )
    machine.say("backlog_packed_readings_per_cpu_s", readings / cpu, "readings/s")
    machine.say("backlog_bytes_per_reading", size / readings, "B")


def main() -> None:
    if sys.argv[1:2] == ["fill"]:
        asyncio.run(fill(Path(sys.argv[2]), cycles(10, int(sys.argv[3]), 1.0)))
        return
    SystemClock().wall()  # what the outbox asks once per step is loaded before anything is timed
    for part in (commits, syncs, a_day, lambda folder: asyncio.run(backlog(folder))):
        with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
            part(Path(folder))


if __name__ == "__main__":
    main()
