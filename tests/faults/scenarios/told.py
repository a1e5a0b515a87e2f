"""F29: central is stopped or killed while alerts are raised and cleared; a receiver is told each step, and no step twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from harness import drivers
from harness.result import Result
from http_receiver import Receiver

from plumbline.clock import SystemClock

_INDICATORS: Final = ("steel", "concrete", "cladding", "funds")
_PLANNED: Final = 50.0
_OFF: Final = 20.0
_STEPS: Final = frozenset({"raised", "returned"})
_EVERY_S: Final = 3.0
"""After a start the first look comes so late: a step that a kill came before is told then."""
_LONGEST_PAUSE_S: Final = 0.12
"""A step is judged, kept and told within about this of the value: a pause of chance up to it meets all of that."""


def run(count: int, seed: int, folder: Path) -> Result:
    """`count` restarts, each a moment after a value took an indicator off its plan or back: every other one by kill -9."""
    return asyncio.run(_run(count, random.Random(seed), folder))


async def _run(count: int, rng: random.Random, folder: Path) -> Result:
    receiver = Receiver()
    try:
        return await _restarts(count, rng, folder, receiver)
    finally:
        receiver.stop()


async def _restarts(count: int, rng: random.Random, folder: Path, receiver: Receiver) -> Result:
    port, http_port = drivers.free_port(), drivers.free_port()
    broker = drivers.broker(folder, port)
    central = drivers.central(folder, port, http_port=http_port)
    (folder / "secret").write_text("sixteen bytes or more", encoding="utf-8")
    with (folder / "central.toml").open("a", encoding="utf-8") as file:
        file.write(f"[alerts]\nevaluate_every_s = {_EVERY_S}\n")
        file.write(f'[[webhooks]]\nname = "ops"\nurl = "{receiver.url}"\nsecret_file = "secret"\n')
    drivers.enroll(folder, {})
    off = dict.fromkeys(_INDICATORS, False)
    wanted: Counter[tuple[str, str]] = Counter()
    codes: Counter[int] = Counter()
    async with (
        drivers.ended(broker, central),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{http_port}/api/v1", trust_env=False) as http,
    ):
        await broker.start()
        await drivers.until(lambda: drivers.listens(port), 30, "the broker")
        await _up(central, http)
        began = SystemClock().wall() - timedelta(days=1)
        await _plans(http, began)
        for number in range(count):
            name = _INDICATORS[number % len(_INDICATORS)]
            off[name] = not off[name]
            wanted[name, "raised" if off[name] else "returned"] += 1
            at = began + timedelta(minutes=number)
            await _push(http, name, at, _PLANNED - _OFF if off[name] else _PLANNED)
            await asyncio.sleep(rng.uniform(0.0, _LONGEST_PAUSE_S))
            if number % 2:
                codes[await central.stop()] += 1
            else:
                await central.kill()
            await _up(central, http)
            await drivers.until(
                lambda: not wanted - Counter({step: len(ids) for step, ids in _told(receiver).items()}),
                30,
                f"the step of restart {number} at the receiver",
            )
    told = _told(receiver)
    lost = (wanted - Counter({step: len(ids) for step, ids in told.items()})).total()
    twice = (Counter({step: len(ids) for step, ids in told.items()}) - wanted).total()
    again = sum(n - 1 for ids in told.values() for n in ids.values())
    return Result(
        name="F29 central restarts while it tells",
        promise="each step told, none under two ids; the same id again only after a kill -9",
        figures={
            "restarts": count,
            "steps": wanted.total(),
            "lost": lost,
            "told twice": twice,
            "same id again": again,
        },
        ok=not (lost or twice) and again <= (count + 1) // 2 and set(codes) <= {0},
    )


async def _up(central: drivers.Program, http: httpx.AsyncClient) -> None:
    await central.start()
    async with asyncio.timeout(60):
        while True:
            try:
                if (await http.get("/health")).is_success:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)


async def _plans(http: httpx.AsyncClient, began: datetime) -> None:
    """Each indicator is a level that shall be held: what is planned does not move meanwhile."""
    days = (began - timedelta(days=2), began + timedelta(days=30))
    plan = "date,percent\n" + "".join(f"{day:%Y-%m-%d},{_PLANNED}\n" for day in days)
    for name in _INDICATORS:
        indicator = f"/sites/{drivers.SITE}/indicators/{name}"
        _fine(await http.put(indicator, json={"by": "li", "template": "funds_paid"}))
        _fine(
            await http.post(
                f"{indicator}/plans/import", content=plan.encode(),
                params={"by": "li", "source": "plan.csv"}, headers={"content-type": "text/csv"},
            )
        )  # fmt: skip


async def _push(http: httpx.AsyncClient, name: str, at: datetime, value: float) -> None:
    values = [{"indicator": name, "at": at.isoformat(), "value": value}]
    _fine(await http.post(f"/sites/{drivers.SITE}/values", json={"by": "li", "values": values}))


def _fine(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise RuntimeError(f"{answer.request.url}: {answer.text}")


def _told(receiver: Receiver) -> dict[tuple[str, str], Counter[str]]:
    """By indicator and step: how often each event id came."""
    told: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for _, _, body in list(receiver.got):
        event: dict[str, Any] = json.loads(body)
        step = event["type"].removeprefix("plumbline.alert.")
        if step in _STEPS:
            told[event["data"]["subject"], step][event["id"]] += 1
    return told
