"""F11: the time-series store is down, slow or failing; the ledger and its acknowledgements go on."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Final

from harness import drivers
from harness.drivers import FAULTS
from harness.result import Result
from harness.stack import stack

_HOWS: Final = ("down", "slow", "failing")
_VALUES: Final = 30


def run(count: int, seed: int, folder: Path) -> Result:
    """`count` illnesses of a few seconds each."""
    return asyncio.run(_run(count, seed, folder))


async def _run(count: int, seed: int, folder: Path) -> Result:
    rng, control, port = random.Random(seed), folder / "control", drivers.free_port()
    control.write_text("well")
    service = drivers.central(folder, port)
    service.argv = (
        sys.executable,
        str(FAULTS / "children" / "sick_store.py"),
        str(folder / "central.toml"),
        str(control),
    )
    slowest_s, behind = 0.0, 0
    async with stack(folder, seed, gateways=2, every_s=0.2, central=service, port=port) as site:
        await service.start()
        await site.start_gateways()
        await site.drained(60)
        for n in range(count):
            control.write_text(_HOWS[n % len(_HOWS)])
            await asyncio.sleep(rng.uniform(2, 4))
            slowest_s = max(slowest_s, await site.drained(30))
            behind = max(behind, site.rows_behind)
        control.write_text("well")
        began = time.monotonic()
        await site.stop_gateways()
        await site.projected(120)
        drained_s = time.monotonic() - began
        verdict = await site.finish_stopped()
    points = site.readings()
    frames = sum(one.kind == "frame" for one in site.kept)
    return Result(
        name="F11 time-series store down, slow, failing (wrapped SQLite store; no InfluxDB adapter yet)",
        promise="acknowledgements go on; the ledger is unaffected; the store catches up with everything",
        figures={
            "illnesses": count,
            "slowest drain meanwhile, s": slowest_s,
            "rows behind at most": behind,
            "caught up in, s": drained_s,
            "readings in the store": points,
            "of": frames * _VALUES,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
        },
        ok=verdict.ok and points == frames * _VALUES and behind > 0,
    )
