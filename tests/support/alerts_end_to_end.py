"""A plan by CSV, five recorded weeks through a real broker, a kill -9: what Alertmanager and a webhook receiver hold then.

Run it to see for yourself: `python tests/support/alerts_end_to_end.py`. It takes half a minute, and exits with 1 where they
hold anything but the expected alerts.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import aiomqtt
import alert_story as story
import httpx
import installation
from http_receiver import Receiver
from installation import Central, Uplink, until
from paper_gateway import PaperGateway

from plumbline.clock import ScaledClock, SystemClock, to_us
from plumbline_central.plan import SHANGHAI

SPEED = 50.0
BEHIND_S = 3600.0
"""Central's clock begins an hour ago and runs fast, so that what it looks at every ten minutes comes soon. It must not
overtake Alertmanager's, which would take what is over for not yet over."""
Held = set[tuple[str, str, str, str]]
"""(site, rule, subject, severity)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the consumers held at worst and a day later, and what the receiver was told in all."""

    at_worst: dict[str, Held]
    day_after: dict[str, Held]
    told: Counter[tuple[str, str, str]]
    before_kill: Counter[tuple[str, str, str]]
    """How often each (type, site, key) came, under ids of its own; and by then."""
    readings: int
    stored: int
    took_s: float


async def play(folder: Path, say: Callable[[str], None] = lambda _: None) -> Found:
    """The whole of it in an empty folder. Raises TimeoutError where the alerts do not come."""
    began = time.monotonic()
    receiver = Receiver()
    try:
        async with (
            installation.processes(folder) as (tree, port),
            aiomqtt.Client("127.0.0.1", port) as client,
        ):
            influx = await installation.start_influxd(tree, folder)
            alertmanager = await installation.start_alertmanager(tree, folder)
            central = Central(
                folder, tree,
                [
                    ("[broker]", {"host": "127.0.0.1", "port": port}),
                    ("[store]", {"kind": "influx1", "url": influx}),
                    ("[alerts]", {"fresh_for_s": 3 * 86_400}),  # the newest photo is of yesterday
                    ("[rules]", {"gateway_silent_s": 4 * 3_600}),
                    ("[[webhooks]]", {"name": "ops", "url": receiver.url, "secret_file": "secret"}),
                    ("[[alertmanagers]]", {"name": "real", "url": alertmanager, "repeat_s": 3600}),
                ],
            )  # fmt: skip
            say(f"broker, influxd, Alertmanager at {alertmanager}, receiver at {receiver.url}: up")
            async with central:
                return await _story(_Play(central, client, port, receiver, alertmanager, influx, began, say))
    finally:
        receiver.stop()


@dataclass(frozen=True, slots=True)
class _Play:
    central: Central
    client: aiomqtt.Client
    port: int
    receiver: Receiver
    alertmanager: str
    influx: str
    began: float
    say: Callable[[str], None]

    def tell(self, words: str) -> None:
        self.say(f"{time.monotonic() - self.began:5.1f} s  {words}")


async def _story(on: _Play) -> Found:
    central, uplink = on.central, Uplink(on.client)
    gateways = {site: PaperGateway(name=name, site=site) for site, name in story.GATEWAYS.items()}
    await central.command("init", central.file)
    central.enroll(*gateways.values())
    clock = ScaledClock.starting(SystemClock().wall() - timedelta(seconds=BEHIND_S), SPEED)
    central.environment = clock.to_environment()
    await central.up()
    worst = clock.wall().astimezone(SHANGHAI).replace(minute=0, second=0, microsecond=0) - story.DAY
    await _plans(central, worst)
    await until(lambda: len(_at_receiver(on.receiver)) == 2, "the alerts of what people said")
    on.tell("plans, an indicator, milestones and a value are posted: two alerts")

    recorded = story.until_worst(worst)
    for site, gateway in gateways.items():
        _record(gateway, [told for told in recorded[site] if told[0] < worst - story.DAY / 2])
        await uplink.send(gateway)
    await until(
        lambda: ("raised", story.BEHIND, "deviation-east") in _told(on.receiver), "the first photos' alert"
    )
    before_kill = _told(on.receiver)
    for site, gateway in gateways.items():
        _record(gateway, [told for told in recorded[site] if told[0] >= worst - story.DAY / 2])
        await uplink.send(gateway)
    await central.kill()
    on.tell(
        f"central, which has told {before_kill.total()} things, is killed while it works on; it starts again"
    )
    await central.up()
    await uplink.until_kept(*gateways.values())
    at_worst = await _held(on, story.ALERTS)
    on.tell(f"at their worst Alertmanager, receiver and broker hold {len(story.ALERTS)} alerts")

    for site, gateway in gateways.items():
        _record(gateway, story.day_after(worst)[site])
    await uplink.until_kept(gateways[story.BEHIND])
    later = worst + story.DAY
    await central.post(
        f"/sites/{story.BEHIND}/milestones/scaffold/done", {"by": "li", "done": later.isoformat()}
    )
    await _push(central, later, story.due(later, worst) - 2.0)
    day_after = await _held(on, set())
    assert clock.wall() <= SystemClock().wall(), "too slow: central's clock has overtaken Alertmanager's"
    on.tell("a day later they hold none")
    return Found(
        at_worst=at_worst, day_after=day_after, told=_told(on.receiver), before_kill=before_kill,
        readings=sum(_readings(gateway) for gateway in gateways.values()), stored=await _stored(on.influx),
        took_s=time.monotonic() - on.began,
    )  # fmt: skip


async def _plans(central: Central, worst: datetime) -> None:
    """What people post before the works begin."""
    plan, by = story.plan_csv(worst), {"by": "li", "source": "plan.csv"}
    for site in story.GATEWAYS:
        await central.post(f"/sites/{site}/indicators/progress/plans/import", plan, **by)
    funds = f"/sites/{story.BEHIND}/indicators/funds_paid"
    await central.post(funds, {"by": "li", "template": "funds_paid"}, method="PUT")
    await central.post(f"{funds}/plans/import", plan, **by)
    await central.post(
        f"/sites/{story.BEHIND}/milestones/import", story.milestones_csv(worst), by="li", source="m.csv"
    )
    await _push(central, worst, story.due(worst, worst) - 12.0)


async def _push(central: Central, at: datetime, percent: float) -> None:
    value = {"indicator": "funds_paid", "at": at.isoformat(), "value": percent}
    await central.post(f"/sites/{story.BEHIND}/values", {"by": "li", "values": [value]})


def _record(gateway: PaperGateway, recorded: list[story.Told]) -> None:
    for at, body in recorded:
        gateway.record(body, at_us=to_us(at))


async def _held(on: _Play, wanted: Held) -> dict[str, Held]:
    """What each consumer holds once all three hold what is wanted, and still does a second later; else at the timeout."""
    found: dict[str, Held] = {}

    async def look() -> bool:
        found["Alertmanager"] = await _in_alertmanager(on.alertmanager)
        found["receiver"] = _at_receiver(on.receiver)
        return all(held == wanted for held in found.values())

    try:
        await until(look, "the alerts", 40, 0.2)
        await asyncio.sleep(1.0)  # a minute for central: anything more would come now
        await look()
    except TimeoutError:
        for name, held in found.items():
            on.tell(f"{name} lacks {sorted(wanted - held)} and has {sorted(held - wanted)}")
    found["broker"] = await _retained(on.port)
    return found


async def _in_alertmanager(url: str) -> Held:
    async with httpx.AsyncClient(trust_env=False) as client:
        alerts = (await client.get(f"{url}/api/v2/alerts", params={"active": "true"})).json()
    severities = {"critical": "red", "warning": "amber"}
    return {
        (of["site"], of["alertname"].removeprefix("plumbline_"), of["subject"], severities[of["severity"]])
        for of in (alert["labels"] for alert in alerts)
    }


def _at_receiver(receiver: Receiver) -> Held:
    """What is open after all that it was told, in that order; the same id again is the same word again."""
    held: dict[tuple[str, str, str], str] = {}
    for event in _events(receiver).values():
        alert = event["data"]
        slot = (alert["site"], alert["rule"], alert["subject"])
        held.pop(slot, None)
        if alert["cleared_at"] is None:
            held[slot] = alert["severity"]
    return {(*slot, severity) for slot, severity in held.items()}


def _events(receiver: Receiver) -> dict[str, dict]:
    return {event["id"]: event for event in (json.loads(body) for _, _, body in receiver.got)}


def _told(receiver: Receiver) -> Counter[tuple[str, str, str]]:
    return Counter(
        (event["type"].removeprefix("plumbline.alert."), event["data"]["site"], event["subject"])
        for event in _events(receiver).values()
    )


async def _retained(port: int) -> Held:
    """What a newcomer at the broker is handed."""
    held: Held = set()
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("plumbline/1/alerts/#", qos=1)
        try:
            async with asyncio.timeout(0.5):
                async for message in client.messages:
                    alert = json.loads(message.payload)
                    if alert["cleared_at"] is None:  # gone, but nobody has acknowledged it yet
                        held.add((alert["site"], alert["rule"], alert["subject"], alert["severity"]))
        except TimeoutError:
            return held
    return held


def _readings(gateway: PaperGateway) -> int:
    return sum(hasattr(record.body, "values") for record in gateway.lanes["data"])


async def _stored(influx: str) -> int:
    """Points of meters in InfluxDB, asked with its own words."""
    query = {"q": 'SELECT count("readings") FROM "meter"', "db": "plumbline"}
    async with httpx.AsyncClient(trust_env=False) as client:
        (result,) = (await client.post(f"{influx}/query", data=query)).json()["results"]
    return result["series"][0]["values"][0][1]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(play(Path(folder), print))
    for held in found.at_worst["Alertmanager"] | found.at_worst["receiver"]:
        print("  ", *held)
    fine = all(held == story.ALERTS for held in found.at_worst.values()) and not any(found.day_after.values())
    twice = [what for what, times in found.told.items() if times > 1]
    print(f"{'exactly the expected alerts' if fine and not twice else f'NOT as expected {twice}'}, "
          f"{found.stored} of {found.readings} polls in InfluxDB, {found.took_s:.0f} s")  # fmt: skip
    return 0 if fine and not twice and found.stored == found.readings else 1


if __name__ == "__main__":
    sys.exit(main())
