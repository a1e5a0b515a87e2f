"""F16: a broker comes back and hundreds of gateways with it, all at once."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from harness import drivers
from harness.central_file import count_covered, read_ledger, seqs
from harness.drivers import FAULTS, Program
from harness.result import Result

_PROCESSES: Final = 2
_ANSWER_S: Final = 5.0
_STORMS: Final = 2
_LINE_BYTES: Final = 1 << 22


def run(count: int, seed: int, folder: Path) -> Result:
    return asyncio.run(_run(count, folder))


async def _run(count: int, folder: Path) -> Result:
    port = drivers.free_port()
    broker, central = drivers.broker(folder, port), drivers.central(folder, port)
    share = count // _PROCESSES
    herds = [
        Program(
            argv=(
                sys.executable, str(FAULTS / "children" / "herd.py"),
                str(folder), str(n * share), str(share), str(port),
            ),
            log=folder / f"herd-{n}.log",
        )
        for n in range(_PROCESSES)
    ]  # fmt: skip
    waits: list[float] = []
    spreads: list[float] = []
    settled: list[float] = []
    async with drivers.ended(broker, central, *herds):
        await broker.start()
        for herd in herds:
            drivers.enroll(folder, json.loads(await _line(herd, start=True)))
        await central.start()
        await _settled(herds, count, 120)
        for _ in range(_STORMS):
            await _ask(herds, "append")
            await _settled(herds, count, 60)
            await _ask(herds, "report")
            await broker.kill()
            await _ask(herds, "append")
            await asyncio.sleep(3)
            began = time.monotonic()
            await broker.start()
            said = await _settled(herds, count, 120)
            settled.append(time.monotonic() - began)
            waits += [wait for one in said for wait in one["waits"]]
            connects = sorted(at for one in said for at in one["connects"])
            spreads.append(_spread(connects))
        ends = {name: end for one in await _ask(herds, "report") for name, end in one["ends"].items()}
        await central.stop()
    there = count_covered(drivers.ledger(folder))
    times = seqs(read_ledger(drivers.ledger(folder)))
    lost = sum(max(last - there.get((name, epoch, "data"), 0), 0) for name, (epoch, last) in ends.items())
    twice = sum(n - 1 for counts in times.values() for n in counts.values())
    waits.sort()
    p95 = waits[int(len(waits) * 0.95)] if waits else float("inf")
    return Result(
        name=f"F16 {count} gateways come back at once",
        promise="95 % of the batches acknowledged within 5 s; spread by chance; 0 lost",
        figures={
            "storms": _STORMS,
            "batches": len(waits),
            "p95 acknowledged, s": p95,
            "slowest, s": waits[-1] if waits else 0.0,
            "all settled after the broker's start, s": max(settled),
            "connects p5 to p95, s": min(spreads),
            "lost": lost,
            "duplicate": twice,
        },
        ok=p95 <= _ANSWER_S and min(spreads) > 0.3 and not (lost or twice),
    )


def _spread(connects: list[float]) -> float:
    return connects[int(len(connects) * 0.95)] - connects[int(len(connects) * 0.05)] if connects else 0.0


async def _settled(herds: list[Program], count: int, within_s: float) -> list[dict[str, Any]]:
    """All connected and nothing waiting; what was reported on the way, put together."""
    total: list[dict[str, Any]] = [{"waits": [], "connects": []} for _ in herds]
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        said = await _ask(herds, "report")
        for all_, one in zip(total, said, strict=True):
            all_["waits"] += one["waits"]
            all_["connects"] += one["connects"]
        if sum(one["connected"] for one in said) == count and not any(one["waiting"] for one in said):
            return total
        await asyncio.sleep(0.25)
    raise TimeoutError(f"not all of {count} gateways were settled within {within_s:g} s")


async def _ask(herds: list[Program], command: str) -> list[dict[str, Any]]:
    for herd in herds:
        assert herd.process is not None
        assert herd.process.stdin is not None
        herd.process.stdin.write(f"{command}\n".encode())
        await herd.process.stdin.drain()
    return [json.loads(await _line(herd)) for herd in herds]


async def _line(herd: Program, *, start: bool = False) -> bytes:
    process = await herd.start(talk=True, limit=_LINE_BYTES) if start else herd.process
    assert process is not None
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 120)
    if not line:
        raise RuntimeError(f"a herd ended by itself, see {herd.log}")
    return line
