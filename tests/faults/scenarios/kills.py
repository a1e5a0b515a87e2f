"""F1: the gateway is killed at random instants of its life, start-up included."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from harness import drivers
from harness.central_file import Key, count_covered, read_ledger
from harness.checker import check
from harness.drivers import Gateway
from harness.meters import CODES
from harness.nemesis import streams
from harness.outbox_file import Committed, committed, newest
from harness.result import Result

_AT_ONCE = 3
"""Gateways that live and die side by side."""
_FIRST_READING_S = 10.0


def run(count: int, seed: int, folder: Path) -> Result:
    return asyncio.run(_run(count, seed, folder))


async def _run(count: int, seed: int, folder: Path) -> Result:
    port = drivers.free_port()
    lives = min(_AT_ONCE, count)
    names = [f"gw-{n}" for n in range(lives)]
    broker, central = drivers.broker(folder, port), drivers.central(folder, port)
    groups = {name: [f"{name}-m{i}" for i in range(2)] for name in names}
    async with drivers.ended(broker, central), drivers.meters(folder, groups, seed) as ports:
        gateways = [
            Gateway(
                folder=folder / name,
                name=name,
                ports={m: ports[m] for m in groups[name]},
                broker_port=port,
            )
            for name in names
        ]
        drivers.enroll(folder, {gateway.name: gateway.key for gateway in gateways})
        await broker.start()
        await central.start()
        async with drivers.ended(*(gateway.program for gateway in gateways)):
            shares = [count // lives + (n < count % lives) for n in range(lives)]
            found = await asyncio.gather(
                *(
                    _lives(gateway, share, rng, drivers.oplog(folder, gateway.name))
                    for gateway, share, rng in zip(gateways, shares, streams(seed, lives), strict=True)
                )
            )
            await drained(folder, gateways, within_s=60)
            codes = [await gateway.program.stop() for gateway in gateways]
        everything = {k: v for records, _ in found for k, v in records.items()}
        for gateway in gateways:
            everything |= committed(gateway.outbox)
        await central.stop()
    verdict = check(
        read_ledger(drivers.ledger(folder)), everything, [drivers.oplog(folder, name) for name in names], CODES
    )
    slowest = max(seconds for _, waits in found for seconds in waits)
    return Result(
        name="F1 kill -9 of the gateway",
        promise="0 committed lost, 0 duplicated; first new reading within 10 s of the restart",
        figures={
            "kills": count,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
            "answers cut off": verdict.unread,
            "of": verdict.answered,
            "slowest first reading, s": slowest,
        },
        ok=verdict.ok and slowest <= _FIRST_READING_S and not any(codes)
        # a kill costs at most the poll cycle in progress: one answer of each meter, or two that are being kept
        and verdict.unread <= 4 * count + 4 * lives,
    )


async def _lives(
    gateway: Gateway, count: int, rng: random.Random, oplog: Path
) -> tuple[Committed, list[float]]:
    """Start and kill `count` times; everything that was on the card at some kill, and the waits for a first answer."""
    seen: Committed = {}
    waits: list[float] = []
    ends: dict[Key, int] = {}
    for _ in range(count):
        before, began = drivers.size(oplog), time.monotonic()
        await gateway.start()
        if rng.random() < 0.1:  # while it starts
            await asyncio.sleep(rng.uniform(0, 0.8))
        else:
            await drivers.until(
                lambda before=before: drivers.size(oplog) > before, 30, f"first answer to {gateway.name}"
            )
            waits.append(time.monotonic() - began)
            await asyncio.sleep(rng.uniform(0.0, 1.2))
        if not gateway.program.alive:
            raise RuntimeError(f"{gateway.name} ended by itself, see {gateway.program.log}")
        await gateway.program.kill()
        if gateway.outbox.exists():
            seen |= await asyncio.to_thread(committed, gateway.outbox, ends)
            ends = await asyncio.to_thread(newest, gateway.outbox)
    before = drivers.size(oplog)
    await gateway.start()
    await drivers.until(lambda: drivers.size(oplog) > before, 30, f"first answer to {gateway.name}")
    return seen, waits


async def drained(folder: Path, gateways: list[Gateway], within_s: float) -> float:
    """Wait until central has all that the gateways had when this was called; how long it took."""
    wanted: dict[Key, int] = {}
    for gateway in gateways:
        await drivers.until(gateway.outbox.exists, within_s, f"{gateway.name} made no outbox")
        wanted |= await asyncio.to_thread(newest, gateway.outbox)

    def arrived() -> bool:
        if not drivers.ledger(folder).exists():
            return False
        there = count_covered(drivers.ledger(folder))
        return all(there.get(key, 0) >= count for key, count in wanted.items())

    return await drivers.until(arrived, within_s, "everything at central")
