"""F9: central away for three days; F12: a partition of an hour, a day, a month, and what its end is like."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import Final

from harness import drivers, paper
from harness.central_file import count_covered
from harness.checker import late_p95_s
from harness.outbox_file import newest
from harness.result import Result
from harness.stack import Stack, stack

from plumbline.clock import ScaledClock, SystemClock, to_us
from plumbline_edge.outbox import Outbox

_HOUR_US: Final = 3_600_000_000
_VALUES: Final = 30
_CYCLES_A_COMMIT: Final = 100
_LIVE_S: Final = 8.0
"""So long at least live readings are looked at."""
_MUCH_H: Final = 48
"""More than that is too much for the stand-alone verifier's plain Python."""
_AWAY_SPEED: Final = 900.0
_AWAY_EVERY_S: Final = 60.0


def partition(count: int, seed: int, folder: Path) -> Result:
    """F12: `count` hours of records lie in the outbox when the link comes back; meters go on, once a second."""
    return asyncio.run(_partition(count, seed, folder))


def away(count: int, seed: int, folder: Path) -> Result:
    """F9: central does not run for `count` hours, the broker does, and drops what its queue has no room for."""
    return asyncio.run(_away(count, seed, folder))


async def _partition(hours: int, seed: int, folder: Path) -> Result:
    async with stack(folder, seed, gateways=1, meters=paper.METERS, every_s=1.0) as site:
        (gateway,) = site.gateways
        began = time.monotonic()
        filled = await fill(gateway.outbox, gateway.name, hours, seed)
        fill_s = time.monotonic() - began
        size_mb = gateway.outbox.stat().st_size / 1e6
        # the link comes back, not central: a batch that is sent before it listens waits for its sender's patience
        await drivers.until(lambda: " connected" in site.central.log.read_text(), 30, "central at the broker")
        began, since_us = time.monotonic(), to_us(SystemClock().wall())
        await gateway.start()
        await drivers.until(lambda: _stored(site) >= filled, 540, "the backlog at central")
        drained_s = time.monotonic() - began
        await asyncio.sleep(max(_LIVE_S - drained_s, 0))
        until_us = to_us(SystemClock().wall())
        await asyncio.sleep(3)
        verdict = await site.finish(within_s=60, prove=hours < _MUCH_H)
        live = [one for one in site.kept if one.kind == "frame" and since_us <= one.at_us < until_us]
    # the op log knows only the live meters; what the outbox was filled with is compared by its numbers
    late_s = late_p95_s(live)
    times = hours * 3600 / drained_s
    return Result(
        name=f"F12 partition of {_words(hours)}",
        promise="0 lost; drains at >= 50 times real time; live readings p95 <= 10 s late meanwhile",
        figures={
            "records": filled,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "outbox, MB": size_mb,
            "filled in, s": fill_s,
            "drained in, s": drained_s,
            "readings/s": filled * _VALUES / drained_s,
            "times real time": times,
            "live p95 late, s": late_s,
            "of live frames": len(live),
        },
        ok=not (verdict.lost or verdict.duplicate or verdict.undeclared_holes or verdict.declared)
        and times >= 50
        and late_s <= 10
        and bool(live),
    )


async def fill(path: Path, gateway: str, hours: float, seed: int) -> int:
    """Write `hours` of the default rate, ending now, into the outbox at `path`; how many records."""
    cycles = round(hours * 3600 / paper.EVERY_S)
    since_us = to_us(SystemClock().wall()) - round(hours * _HOUR_US)
    source = paper.frames(seed, since_us=since_us)
    async with Outbox(path, gateway=gateway) as outbox:
        for begin in range(0, cycles, _CYCLES_A_COMMIT):
            drafts = [draft for _ in range(min(_CYCLES_A_COMMIT, cycles - begin)) for draft in next(source)]
            await outbox.append(drafts)
    return cycles * paper.METERS


def _stored(site: Stack) -> int:
    if not site.ledger.exists():
        return 0
    return sum(n for (_, _, lane), n in count_covered(site.ledger).items() if lane == "data")


def _words(hours: int) -> str:
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


async def _away(hours: int, seed: int, folder: Path) -> Result:
    """Simulated time runs 900 times as fast; the broker's queue is compressed likewise, to two messages."""
    clock = ScaledClock(
        start=datetime.fromisoformat("2026-03-02T00:00:00+00:00"),
        real_mono=time.monotonic(),
        speed=_AWAY_SPEED,
    )
    meters = 4
    async with stack(
        folder,
        seed,
        gateways=1,
        meters=meters,
        every_s=_AWAY_EVERY_S,
        broker_lines=("max_queued_messages 2", "max_inflight_messages 1"),
        env=clock.to_environment(),
        health_every_s=3600,
    ) as site:
        (gateway,) = site.gateways
        await site.start_gateways()
        await site.drained(60)
        await site.central.kill()  # its session stays at the broker, which goes on saying PUBACK
        before, began = _frames(gateway.outbox), clock.wall()
        await asyncio.sleep(hours * 3600 / _AWAY_SPEED)
        grown, passed_s = _frames(gateway.outbox) - before, (clock.wall() - began).total_seconds()
        site.central.env = clock.to_environment()
        began_s = time.monotonic()
        await site.central.start()
        await site.drained(400)
        drained_s = time.monotonic() - began_s
        verdict = await site.finish(within_s=120)
    predicted = passed_s / _AWAY_EVERY_S * meters
    return Result(
        name=f"F9 central away for {hours} h, broker up",
        promise="0 lost; the gateway's backlog as predicted, within 10 %",
        figures={
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
            "backlog": grown,
            "of predicted": f"{100 * grown / predicted:.1f} %",
            "drained in, s": drained_s,
        },
        ok=verdict.ok and 0.9 <= grown / predicted <= 1.1,
    )


def _frames(outbox: Path) -> int:
    return sum(seq for (_, _, lane), seq in newest(outbox).items() if lane == "data")
