"""From a photo's record at the broker, or a value at the API, to the webhook received: p50 and p95. Prints JSON lines.

A real central with its default settings, a real Mosquitto, a receiver in this process; meanwhile 40 meters send 30 values a
second. Each photo makes an alert of a camera of its own, at a steady pace whether the one before has come or not.
`--alerts N` of photos (240), `--pace S` seconds between two (0.1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import quantiles

import aiomqtt
import machine
from paper_site import Site

from plumbline.clock import SystemClock, to_us
from plumbline.messages import Progress

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import installation
from http_receiver import Receiver
from installation import MOSQUITTO, Central, Uplink, until
from paper_gateway import PaperGateway

GOAL_S = 1.0
VALUES = 60
BUSY_S = 90
NOW = SystemClock().wall()


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--alerts", type=int, default=240)
    given.add_argument("--pace", type=float, default=0.1)
    args = given.parse_args()
    if MOSQUITTO is None:
        print(json.dumps({"figure": "alert latency", "skipped": "apt install mosquitto"}))
        return
    receiver = Receiver()
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), receiver, args.alerts, args.pace))
    finally:
        receiver.stop()


async def measure(folder: Path, receiver: Receiver, alerts: int, pace_s: float) -> None:
    async with installation.processes(folder) as (tree, port), aiomqtt.Client("127.0.0.1", port) as client:
        hook = {"name": "ops", "url": receiver.url, "secret_file": "secret"}
        central = Central(
            folder, tree, [("[broker]", {"host": "127.0.0.1", "port": port}), ("[[webhooks]]", hook)]
        )
        async with central:
            cameras = PaperGateway(name="gw-cameras", site="works")
            central.enroll(
                cameras, *(PaperGateway(name=f"gw-{site(n)}", site=site(n)) for n in range(VALUES))
            )
            meters = Site(1, BUSY_S)
            meters.enroll(folder / "data" / "control.db")
            await central.up()
            plan = f"date,percent\n{NOW - timedelta(days=50):%Y-%m-%d},0\n{NOW + timedelta(days=50):%Y-%m-%d},100\n"
            await central.post("/sites/works/indicators/progress/plans/import", plan, by="bench")
            for n in range(VALUES):
                funds = f"/sites/{site(n)}/indicators/funds_paid"
                await central.post(funds, {"by": "bench", "template": "funds_paid"}, method="PUT")
                await central.post(f"{funds}/plans/import", plan, by="bench")
            uplink = Uplink(client)
            for n in range(alerts):
                cameras.record(photo(n, "before"), at_us=to_us(NOW - timedelta(hours=1)))
            await uplink.until_kept(cameras)
            busy = asyncio.create_task(keep_busy(client, meters))
            try:
                say("photo", await photos(client, cameras, receiver, alerts, pace_s), GOAL_S)
                say("value at the API", await values(central, receiver), None)
            finally:
                busy.cancel()


async def photos(
    client: aiomqtt.Client, cameras: PaperGateway, receiver: Receiver, alerts: int, pace_s: float
) -> list[float]:
    sent_s: dict[str, float] = {}
    known = len(receiver.got)
    for n in range(alerts):
        seq = cameras.record(photo(n, "after"), at_us=to_us(SystemClock().wall())).seq
        batch = cameras.pack(seq, seq)
        sent_s[f"works/deviation-c{n}"] = time.monotonic()
        await client.publish(cameras.topic, batch, qos=1)
        await asyncio.sleep(pace_s)
    return await latencies(receiver, known, sent_s)


async def values(central: Central, receiver: Receiver) -> list[float]:
    sent_s: dict[str, float] = {}
    known = len(receiver.got)
    for n in range(VALUES):
        value = {"indicator": "funds_paid", "at": NOW.isoformat(), "value": 30.0}
        sent_s[f"{site(n)}/deviation-funds_paid"] = time.monotonic()
        await central.post(f"/sites/{site(n)}/values", {"by": "bench", "values": [value]})
        await asyncio.sleep(0.23)
    return await latencies(receiver, known, sent_s)


async def latencies(receiver: Receiver, known: int, sent_s: dict[str, float]) -> list[float]:
    """Of each alert, from its cause to its first word; all must come."""
    found: dict[str, float] = {}

    def look() -> bool:
        for at_s, (_, _, body) in zip(receiver.at_s[known:], receiver.got[known:], strict=False):
            event = json.loads(body)
            name = f"{event['data']['site']}/{event['subject']}"
            if event["type"].endswith(".raised") and name in sent_s:
                found.setdefault(name, at_s - sent_s[name])
        return found.keys() == sent_s.keys()

    await until(look, "an alert for each", 60, 0.5)
    return list(found.values())


async def keep_busy(client: aiomqtt.Client, meters: Site) -> None:
    """A batch of each gateway's 10 meters every second."""
    due_s = asyncio.get_running_loop().time()
    for n, (topic, batch) in enumerate(meters.batches):
        await client.publish(topic, batch, qos=1)
        if n % len(meters.topics) == len(meters.topics) - 1:
            due_s += 1.0
            await asyncio.sleep(due_s - asyncio.get_running_loop().time())


def photo(n: int, name: str) -> Progress:
    """Ten points behind, and sure of it."""
    return Progress(camera=f"c{n}", photo=f"c{n}-{name}", percent=40.0, low=39.0, high=41.0)


def site(n: int) -> str:
    return f"s{n}"


def say(what: str, found_s: list[float], goal_s: float | None) -> None:
    cuts = quantiles(found_s, n=100, method="inclusive")
    how = {"alerts": len(found_s), "longest": round(max(found_s), 3)}
    machine.say(f"alert latency, {what} to webhook, p50", cuts[49], "s", **how)
    machine.say(f"alert latency, {what} to webhook, p95", cuts[94], "s", **how, goal=goal_s)


if __name__ == "__main__":
    main()
