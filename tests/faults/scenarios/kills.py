"""F1, F8, F10: gateway, broker and central are killed with -9, at random instants and around central's commit."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from harness import drivers
from harness.checker import Verdict, total
from harness.drivers import FAULTS, Gateway, Program
from harness.nemesis import plan, streams
from harness.result import Result
from harness.stack import Stack, stack

_AT_ONCE = 3
"""Gateways that live and die side by side."""
_FIRST_READING_S = 10.0
CRASHES = ("before the commit", "after the commit", "before the answer", "after the answer", "at any instant")


def gateway(count: int, seed: int, folder: Path) -> Result:
    """F1"""
    return asyncio.run(_gateway(count, seed, folder))


def broker(count: int, seed: int, folder: Path) -> Result:
    """F8"""
    return asyncio.run(_broker(count, seed, folder))


def central(count: int, seed: int, folder: Path) -> Result:
    """F10"""
    return asyncio.run(_central(count, seed, folder))


async def _gateway(count: int, seed: int, folder: Path) -> Result:
    lives = min(_AT_ONCE, count)
    async with stack(folder, seed, gateways=lives) as site:
        shares = [count // lives + (n < count % lives) for n in range(lives)]
        waits = await asyncio.gather(
            *(
                _lives(site, one, share, rng)
                for one, share, rng in zip(site.gateways, shares, streams(seed, lives), strict=True)
            )
        )
        await site.start_gateways()
        verdict = await site.finish()
    slowest = max(max(mine, default=0.0) for mine in waits)
    return Result(
        name="F1 kill -9 of the gateway",
        promise="0 committed lost, 0 duplicated; first new reading within 10 s of the restart",
        figures={
            "kills": count,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
            "answers cut off": f"{verdict.unread} of {verdict.answered}",
            "slowest first reading, s": slowest,
        },
        ok=verdict.ok
        and slowest <= _FIRST_READING_S
        # a kill costs at most the poll cycle in progress: one answer of each meter, or two that are being kept
        and verdict.unread <= 4 * (count + lives),
    )


async def _lives(site: Stack, one: Gateway, count: int, rng: random.Random) -> list[float]:
    """Start and kill `count` times, look at the card after each; the waits for a first answer."""
    waits: list[float] = []
    oplog = site.oplog(one)
    for _ in range(count):
        before, began = drivers.size(oplog), time.monotonic()
        await one.start()
        if rng.random() < 0.1:  # while it starts
            await asyncio.sleep(rng.uniform(0, 0.8))
        else:
            await drivers.until(
                lambda before=before: drivers.size(oplog) > before, 30, f"first answer to {one.name}"
            )
            waits.append(time.monotonic() - began)
            await asyncio.sleep(rng.uniform(0.0, 1.2))
        if not one.program.alive:
            raise RuntimeError(f"{one.name} ended by itself, see {one.program.log}")
        await one.program.kill()
        await site.look(one)
    return waits


async def _broker(count: int, seed: int, folder: Path) -> Result:
    pauses: list[float] = []

    async def lane(share: int, seed: int, folder: Path) -> Verdict:
        async with stack(folder, seed, gateways=2, every_s=0.1) as site:
            await site.start_gateways()
            for strike in plan(seed, share, ["kill"], low_s=0.2, high_s=1.0):
                before = _written(site)
                pauses.append(
                    await drivers.until(lambda b=before: _written(site) != b, 60, "new batches at central")
                )
                await asyncio.sleep(strike.after_s)
                await site.broker.kill()
                await site.broker.start()
            return await site.finish(within_s=120)

    verdict = await _side_by_side(lane, count, seed, folder)
    return Result(
        name="F8 kill -9 of the broker, default settings",
        promise="0 lost, 0 duplicated",
        figures={
            "kills": count,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
            "longest pause at central, s": max(pauses),
        },
        ok=verdict.ok and verdict.committed > count,
    )


def _written(site: Stack) -> tuple[int, int]:
    return drivers.size(site.ledger.with_name("ledger.db-wal")), drivers.size(site.ledger)


async def _side_by_side(
    lane: Callable[[int, int, Path], Awaitable[Verdict]], count: int, seed: int, folder: Path
) -> Verdict:
    """`count` strikes over a few installations at once; what all of them found."""
    lanes = min(_AT_ONCE, max(count // 5, 1))
    shares = [count // lanes + (n < count % lanes) for n in range(lanes)]
    folders = [folder / f"site-{n}" for n in range(lanes)]
    for one in folders:
        one.mkdir()
    verdicts = await asyncio.gather(
        *(lane(share, seed + n, one) for n, (share, one) in enumerate(zip(shares, folders, strict=True)))
    )
    return total(verdicts)


async def _central(count: int, seed: int, folder: Path) -> Result:
    struck = dict.fromkeys(CRASHES, 0)

    async def lane(share: int, seed: int, folder: Path) -> Verdict:
        rng, port = random.Random(seed), drivers.free_port()
        service = Program(argv=(), log=folder / "central.log")
        async with stack(folder, seed, gateways=2, every_s=0.1, central=service, port=port) as site:
            await site.start_gateways()
            for strike in plan(seed, share, CRASHES, low_s=0.0, high_s=0.6):
                service.argv = _intake(folder, port, strike.what, rng.randint(1, 4), strike.after_s)
                process = await service.start()
                await asyncio.wait_for(process.wait(), 90)
                if process.returncode != -9:
                    raise RuntimeError(f"central ended with {process.returncode}, see {service.log}")
                struck[strike.what] += 1
            service.argv = _intake(folder, port, "never", 0, 0)
            await service.start()
            return await site.finish(within_s=120)

    verdict = await _side_by_side(lane, count, seed, folder)
    return Result(
        name="F10 kill -9 of central around its commit",
        promise="0 lost, 0 stored twice",
        figures={
            "kills": count,
            **struck,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
        },
        ok=verdict.ok and verdict.committed > count,
    )


def _intake(folder: Path, port: int, crash: str, nth: int, after_s: float) -> tuple[str, ...]:
    script = str(FAULTS / "children" / "intake.py")
    return (sys.executable, script, str(folder / "central"), str(port), crash, str(nth), str(after_s))
