"""A running central whose InfluxDB or whose consumers fail: nothing lost, one alert each, and no restart needed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from datetime import timedelta

import aiomqtt
import httpx
import installation
import pytest
from http_receiver import Receiver, status
from influx_front import InfluxFront
from influx_server import INFLUXD, InfluxServer
from installation import MOSQUITTO, Central, Uplink, until
from paper_gateway import PaperGateway

from plumbline.clock import ScaledClock, SystemClock, to_us
from plumbline.messages import Frame

pytestmark = [
    pytest.mark.system,
    pytest.mark.timed,  # central's clock runs fast: what must not happen within a minute of it has a second
    pytest.mark.skipif(None in (MOSQUITTO, INFLUXD), reason="apt install mosquitto influxdb"),
]
NOW = SystemClock().wall()
LONG_AGO = timedelta(days=400)
"""In a shard of its own."""


@pytest.fixture
def receivers():
    made: dict[str, Receiver] = {}
    with contextlib.ExitStack() as stop:

        def named(name):
            if name not in made:
                made[name] = Receiver()
                stop.callback(made[name].stop)
            return made[name]

        yield named


@pytest.fixture
def influx(tmp_path):
    folder = tmp_path / "influxdb"
    folder.mkdir()
    server = InfluxServer(folder).up()
    front = InfluxFront(server.url)
    yield server, front
    front.stop()
    server.kill()


@contextlib.asynccontextmanager
async def central_with(folder, hooks, speed, *tables):
    """One that tells the receivers, `speed` seconds of its clock in each of ours; and a client at its broker."""
    async with installation.processes(folder) as (tree, port), aiomqtt.Client("127.0.0.1", port) as client:
        webhooks = [
            ("[[webhooks]]", {"name": name, "url": hook.url, "secret_file": "secret"})
            for name, hook in hooks.items()
        ]
        quiet = ("[alerts.escalation]", {"amber": [], "red": []})
        central = Central(
            folder, tree, [("[broker]", {"host": "127.0.0.1", "port": port}), quiet, *webhooks, *tables]
        )
        central.environment = ScaledClock.starting(NOW, speed).to_environment()
        async with central:
            yield central, client


def told(receiver):
    """(what, rule, subject) of each word it was told, once for each id, in the order of the first time."""
    events = {event["id"]: event for event in (json.loads(body) for _, _, body in receiver.got)}
    return [
        (event["type"].rpartition(".")[2], event["data"]["rule"], event["data"]["subject"])
        for event in events.values()
    ]


class Troubles:
    """Sends readings while InfluxDB is in trouble, and looks what becomes of them and of the alerts."""

    def __init__(self, central, client, receiver, server):
        self.central, self.receiver, self.server = central, receiver, server
        self.gateway, self.uplink, self.sent = PaperGateway(name="gw-1", site="a12"), Uplink(client), 0

    async def send(self, *, before=timedelta(0)):
        """20 polls, which central says that it keeps; with `before` as many more of so long ago among them."""
        for _ in range(20):
            for at in {NOW, NOW - before}:
                frame = Frame(device="m1", metrics=(1,), values=(23_000,))
                self.gateway.record(frame, at_us=to_us(at) + self.sent * 1_000_000)
                self.sent += 1
        await self.uplink.until_kept(self.gateway)

    async def all_there(self):
        async def there():
            ask = 'SELECT count("readings") FROM "meter"'
            rows = await asyncio.to_thread(self.server.ask, ask, database="plumbline")
            return sum(row["count"] for row in rows) == self.sent

        await until(there, f"{self.sent} polls in InfluxDB", 70, 0.3)

    async def through(self, subject, mend, **sent):
        """The trouble has begun: readings come, one alert is told; it is mended, and everything is there."""
        before = Counter(told(self.receiver))
        raised, returned = ((what, "store_fault", subject) for what in ("raised", "returned"))
        await self.send(**sent)
        await until(lambda: Counter(told(self.receiver))[raised] > before[raised], f"an alert of {subject}")
        await self.send(**sent)
        await asyncio.sleep(1.5)  # a minute and a half for central
        await mend()
        await self.all_there()
        await until(lambda: Counter(told(self.receiver))[returned] > before[returned], "its end", 70)

        assert (await self.central.get("/health"))["faults"] == {}
        assert Counter(told(self.receiver)) - before == {raised: 1, returned: 1}
        (alert,) = await self.central.get("/alerts", site="system")
        await self.central.post(f"/alerts/{alert['id']}/acknowledge", {"by": "li", "comment": ""})


async def test_whatever_ails_influxdb_costs_no_reading_and_is_one_alert_that_ends_without_a_restart(
    influx, receivers, tmp_path
):
    server, front = influx
    ops = receivers("ops")
    store = ("[store]", {"kind": "influx1", "url": front.url, "timeout_s": 2})
    async with central_with(tmp_path, {"ops": ops}, 60, store) as (central, client):
        troubles = Troubles(central, client, ops, server)
        central.enroll(troubles.gateway)
        await central.command("init", central.file)
        await central.up()
        await troubles.send()
        await troubles.all_there()

        async def comes_back():
            await asyncio.to_thread(server.up)

        server.kill()
        await troubles.through("influxdb", comes_back)

        async def answers_again():
            front.instead = None

        for instead in (
            (500, "engine: write /var/lib/influxdb/wal: no space left on device"),
            (507, "insufficient storage"),
            (401, "authorization failed"),
            (404, 'database not found: "plumbline"'),
        ):
            front.instead = instead
            await troubles.through("influxdb", answers_again)

        async def shard_is_dropped():
            shards = await asyncio.to_thread(server.ask, "SHOW SHARDS")
            old = [one for one in shards if one["start_time"] < (NOW - timedelta(days=300)).isoformat()]
            await asyncio.to_thread(server.ask, f"DROP SHARD {old[0]['id']}")

        foreign = f'meter,site=a12,device=m9 voltage_l1="high" {to_us(NOW - LONG_AGO) * 1_000}'
        place = {"db": "plumbline", "rp": "plumbline"}
        async with httpx.AsyncClient(trust_env=False) as foreigner:
            assert (await foreigner.post(f"{server.url}/write", params=place, content=foreign)).is_success
        await troubles.through("influxdb-refused-lines", shard_is_dropped, before=LONG_AGO)


async def test_a_consumer_that_hangs_or_answers_500_for_days_delays_no_other_and_gets_later_what_was_not_parked(
    receivers, tmp_path
):
    good, failing, hanging = receivers("good"), receivers("failing"), receivers("hanging")
    failing.answers = [status(500)] * 100_000
    hanging.answers = [hanging.hang] * 2
    hooks = {"good": good, "failing": failing, "hanging": hanging}
    async with central_with(tmp_path, hooks, 20_000) as (central, _):
        central.enroll(PaperGateway(site="a12"))
        await central.up()
        overdue = "id,name,due\nroof,封顶,2026-01-31\n"
        raised, returned = ((what, "milestone_overdue", "roof") for what in ("raised", "returned"))
        begun = asyncio.get_running_loop().time()
        await central.post("/sites/a12/milestones/import", overdue, by="li", source="m.csv")
        await until(lambda: told(good) == [raised], "the good one is told", 5)
        done = {"by": "li", "done": NOW.isoformat()}
        await central.post("/sites/a12/milestones/roof/done", done)
        await until(lambda: told(good) == [raised, returned], "and told the end", 5)
        await until(
            lambda: asyncio.get_running_loop().time() - begun > 7, "a day"
        )  # and a half, of the three
        failing.answers.clear()
        await until(lambda: told(failing) == [raised, returned], "the failing one, after a day", 5)
        tries = len(failing.got)
        await until(lambda: returned in told(hanging), "the hanging one, once it has slept out", 60)

        async def all_noted() -> bool:
            return await central.get("/deliveries", state="waiting") == []

        await until(all_noted, "central notes what the receivers took", 5)
        assert len(good.got) == 2
        assert tries > 10
        parked = await central.get("/deliveries", state="parked")
        assert [(one["channel"], one["what"], one["why"]) for one in parked] == [
            ("webhook:hanging", "raised", "given up: webhook:hanging: no answer within 10 s")
        ]
        assert len(failing.got) == tries
