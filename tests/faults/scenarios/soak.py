"""F28: days in minutes with faults of every kind at random; at the end nothing is lost and nothing has grown."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Final

from harness import drivers
from harness.drivers import Gateway
from harness.proxy import Proxy
from harness.result import Result
from harness.stack import Stack, stack

from plumbline.clock import ScaledClock

_SPEED: Final = 60.0
_EVERY_S: Final = 10.0
_CALM_S: Final = (3.0, 12.0)
_KEEP_S: Final = 3_600
_KINDS: Final = (
    "gateway killed",
    "broker killed",
    "central killed",
    "link cut",
    "link silent",
    "gateway paused",
)


def run(count: int, seed: int, folder: Path) -> Result:
    """`count` real seconds, sixty times as many simulated ones."""
    return asyncio.run(_run(count, seed, folder))


async def _run(seconds: int, seed: int, folder: Path) -> Result:
    rng, struck = random.Random(seed), Counter[str]()
    clock = ScaledClock(
        start=datetime.fromisoformat("2026-03-02T00:00:00+00:00"), real_mono=time.monotonic(), speed=_SPEED
    )
    port = drivers.free_port()
    samples: list[tuple[float, float, int, float]] = []
    async with (
        Proxy(to_port=port, seed=seed) as proxy,
        stack(
            folder,
            seed,
            gateways=2,
            every_s=_EVERY_S,
            env=clock.to_environment(),
            health_every_s=600,
            extra=f"[outbox]\nkeep_acknowledged_s = {_KEEP_S}\nmax_mb = 8\n",
            port=port,
            link_port=proxy.port,
        ) as site,
    ):
        await site.start_gateways()
        doomed, steady = site.gateways
        began = time.monotonic()
        while (passed_s := time.monotonic() - began) < seconds:
            await asyncio.sleep(rng.uniform(*_CALM_S))
            samples.append(_sample(passed_s, steady))
            what = rng.choice(_KINDS)
            await _strike(what, site, doomed, proxy, rng)
            struck[what] += 1
            for gateway in site.gateways:
                await site.look(gateway)
        simulated_h = (time.monotonic() - began) * _SPEED / 3600
        verdict = await site.finish(within_s=180)
    settled, end = (
        _middle(samples[len(samples) // 3 : len(samples) // 2 + 1]),
        _middle(samples[-len(samples) // 6 :]),
    )
    return Result(
        name="F28 soak with faults at random",
        promise="0 lost, 0 duplicated; memory, files and outbox flat",
        figures={
            "simulated hours": simulated_h,
            **dict(sorted(struck.items())),
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
            "RSS, MB": f"{settled[0]:.1f} → {end[0]:.1f}",
            "files": f"{settled[1]:.0f} → {end[1]:.0f}",
            "outbox, MB": f"{settled[2]:.2f} → {end[2]:.2f}",
        },
        ok=verdict.ok and end[0] <= settled[0] * 1.05 + 1 and end[1] <= settled[1] + 4,
    )


def _sample(at_s: float, gateway: Gateway) -> tuple[float, float, int, float]:
    pid = gateway.program.pid
    return at_s, drivers.rss_mb(pid), drivers.open_files(pid), drivers.size(gateway.outbox) / 1e6


def _middle(samples: list[tuple[float, float, int, float]]) -> tuple[float, float, float]:
    """Memory, files, outbox in the mean."""
    _, memory, files, outbox = (sum(column) / len(samples) for column in zip(*samples, strict=True))
    return memory, files, outbox


async def _strike(what: str, site: Stack, doomed: Gateway, proxy: Proxy, rng: random.Random) -> None:
    pause_s = rng.uniform(0.5, 6)
    if what == "gateway killed":
        await doomed.program.kill()
        await asyncio.sleep(pause_s / 4)
        await doomed.start()
    elif what == "broker killed":
        await site.broker.kill()
        await asyncio.sleep(pause_s)
        await site.broker.start()
    elif what == "central killed":
        await site.central.kill()
        await asyncio.sleep(pause_s)
        await site.central.start()
    elif what == "link cut":
        async with proxy.away():
            await asyncio.sleep(pause_s)
    elif what == "link silent":
        proxy.down.hole = True
        await asyncio.sleep(pause_s)
        proxy.down.hole = False
        proxy.reset()  # bytes were swallowed in mid-stream: the connection is of no more use
    else:
        doomed.program.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
        await asyncio.sleep(pause_s)
        doomed.program.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
