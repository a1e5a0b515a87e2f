"""F13: a link that is only half there; F14: a thin and lossy one; F15: one that flaps."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from harness import certificates, drivers, netns, paper
from harness.checker import late_p95_s
from harness.drivers import FAULTS, Gateway, Program
from harness.netns import CENTRE_ADDRESS, Cable
from harness.proxy import Proxy
from harness.result import Result
from harness.stack import Stack, stack

from plumbline.clock import SystemClock, to_us
from plumbline_edge.outbox import Outbox

_HALF_OPEN_S: Final = 90.0
_LAG_S: Final = 60.0
_PHOTO_BYTES: Final = 60_000
_PLAIN, _SECURE, _SLOW = 1883, 8883, 8884
"""Ports in the centre's namespace: for central, for gateways, and for gateways with two more seconds on the way."""


def half_open(count: int, seed: int, folder: Path) -> Result:
    """F13, with `count` as keep-alive in seconds; 30 is the product's default."""
    return asyncio.run(_half_open(count, seed, folder))


def thin(count: int, seed: int, folder: Path) -> Result:
    """F14 for `count` seconds."""
    return asyncio.run(_thin(count, seed, folder))


def flapping(count: int, seed: int, folder: Path) -> Result:
    """F15, `count` times."""
    return asyncio.run(_flapping(count, seed, folder))


@contextlib.asynccontextmanager
async def _over_cable(
    cable: Cable, folder: Path, seed: int, *, port: int, every_s: float, meters: int, broker_extra: str = ""
) -> AsyncIterator[Stack]:
    """Gateway and meters at one end of the cable, broker and central at the other."""
    centre, site = cable.inside(cable.centre), cable.inside(cable.site)
    certificates.make(folder, CENTRE_ADDRESS)
    # it would give up root and then not be allowed into the test's folder
    tls = ("user root", f"certfile {folder}/broker.pem", f"keyfile {folder}/broker.key")
    broker = drivers.broker(
        folder, _PLAIN, lines=(tls[0], f"listener {_SECURE} {CENTRE_ADDRESS}", *tls[1:]), inside=centre
    )
    central = drivers.central(folder, _PLAIN, http_port=8080, inside=centre)
    slow = Program(
        argv=(
            sys.executable, str(FAULTS / "harness" / "proxy.py"),
            CENTRE_ADDRESS, str(_SLOW), CENTRE_ADDRESS, str(_SECURE), "1.0",
        ),
        log=folder / "proxy.log",
        inside=centre,
    )  # fmt: skip
    names = [f"gw-0-m{i}" for i in range(meters)]
    async with (
        drivers.ended(broker, central, slow),
        drivers.meters(folder, {"gw-0": names}, seed, inside=site) as ports,
    ):
        gateway = Gateway(
            folder=folder / "gw-0",
            name="gw-0",
            ports=ports,
            broker_host=CENTRE_ADDRESS,
            broker_port=port,
            broker_extra=f'ca_file = "{folder}/ca.pem"\n{broker_extra}',
            every_s=every_s,
            inside=site,
        )
        drivers.enroll(folder, {gateway.name: gateway.key})
        await broker.start()
        await slow.start()
        await central.start()
        async with drivers.ended(gateway.program):
            yield Stack(folder=folder, port=port, broker=broker, central=central, gateways=[gateway])


async def _half_open(keepalive_s: int, seed: int, folder: Path) -> Result:
    with netns.cable() as cable:
        async with _over_cable(
            cable,
            folder,
            seed,
            port=_SECURE,
            every_s=0.5,
            meters=2,
            broker_extra=f"keepalive_s = {keepalive_s}",
        ) as site:
            (gateway,) = site.gateways
            await site.start_gateways()
            await site.drained(60)
            cable.swallow_answers()
            noticed_s = await drivers.until(
                lambda: " lost: " in gateway.program.log.read_text(),
                _HALF_OPEN_S + 30,
                "the half-open link noticed",
            )
            await asyncio.sleep(random.Random(seed).uniform(1, 4))
            cable.heal()
            back_s = await site.drained(180)
            verdict = await site.finish()
    limit_s = min(_HALF_OPEN_S, 3 * keepalive_s)
    return Result(
        name="F13 half-open link",
        promise=f"noticed within {limit_s:.0f} s; 0 lost",
        figures={
            "keep-alive, s": keepalive_s,
            "noticed after, s": noticed_s,
            "all at central after it healed, s": back_s,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
        },
        ok=verdict.ok and noticed_s <= limit_s,
    )


async def _thin(seconds: int, seed: int, folder: Path) -> Result:
    """Four meters every ten seconds, and a pile of photos that must not hold them up."""
    with netns.cable() as cable:
        async with _over_cable(cable, folder, seed, port=_SLOW, every_s=10.0, meters=4) as site:
            (gateway,) = site.gateways
            await _photos(gateway, seed, count=max(seconds // 5, 4))
            cable.shape(64)
            cable.lose(30)
            since_us = to_us(SystemClock().wall())
            await site.start_gateways()
            await asyncio.sleep(seconds)
            until_us = to_us(SystemClock().wall())
            cable.heal()
            cable.shape(100_000)
            verdict = await site.finish(within_s=180)
    frames = [one for one in site.kept if one.kind == "frame" and since_us <= one.at_us < until_us]
    early = [one for one in site.kept if one.kind == "photo" and one.received_us < until_us]
    # a frame that came only once the link was healed is late by as long as it waited
    late_s = late_p95_s(frames)
    return Result(
        name="F14 64 kbit/s, 30 % loss, 2 s latency",
        promise="readings keep up, at most 60 s late; photos yield; 0 lost",
        figures={
            "seconds": seconds,
            "frames": len(frames),
            "p95 late, s": late_s,
            "photos meanwhile": len(early),
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
        },
        ok=verdict.ok and late_s <= _LAG_S and len(frames) >= seconds // 10,
    )


async def _photos(gateway: Gateway, seed: int, count: int) -> None:
    rng, now_us = random.Random(seed), to_us(SystemClock().wall())
    async with Outbox(gateway.outbox, gateway=gateway.name) as outbox:
        for n in range(count):
            await outbox.append([paper.photo(rng, now_us - n * 1_000_000, _PHOTO_BYTES)])


async def _flapping(count: int, seed: int, folder: Path) -> Result:
    rng = random.Random(seed)
    port = drivers.free_port()
    async with (
        Proxy(to_port=port, seed=seed) as proxy,
        stack(folder, seed, gateways=1, every_s=0.2, port=port, link_port=proxy.port) as site,
    ):
        (gateway,) = site.gateways
        await site.start_gateways()
        settled = _footprint(gateway)
        for flap in range(count):
            await asyncio.sleep(rng.uniform(1.5, 3.5))
            async with proxy.away():
                await asyncio.sleep(rng.uniform(0.2, 0.8))
            if flap == count // 4:
                settled = _footprint(gateway)
        began = time.monotonic()
        await site.drained(120)
        after_s = time.monotonic() - began
        end = _footprint(gateway)
        verdict = await site.finish()
    return Result(
        name="F15 flapping link",
        promise="files, threads and memory flat; 0 lost, 0 duplicated",
        figures={
            "flaps": count,
            "connections": proxy.accepted,
            "files": f"{settled[0]} → {end[0]}",
            "threads": f"{settled[1]} → {end[1]}",
            "RSS, MB": f"{settled[2]:.1f} → {end[2]:.1f}",
            "all at central after, s": after_s,
            "committed": verdict.committed,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
        },
        ok=verdict.ok
        and end[0] <= settled[0] + 4
        and end[1] <= settled[1] + 2
        and end[2] <= settled[2] * 1.1 + 2,
    )


def _footprint(gateway: Gateway) -> tuple[int, int, float]:
    pid = gateway.program.pid
    return drivers.open_files(pid), drivers.threads(pid), drivers.rss_mb(pid)
