"""Alerts as a consumer of a real broker finds them."""

import asyncio
import contextlib
import json
import shutil
import socket
from datetime import UTC, datetime

import aiomqtt
import pytest

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.book import AlertBook
from plumbline_central.alerts.tables import open_control
from plumbline_central.channels.deliver import Deliverer, Deliveries, Patience
from plumbline_central.channels.mqtt import MqttChannel
from plumbline_central.deviation import Point
from plumbline_central.mqtt import MqttLink
from plumbline_central.settings import BrokerSettings

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
NOW = datetime(2026, 3, 3, 5, tzinfo=UTC)
SLOT = Slot(site="demo", rule="deviation", subject="cam1")
POINT = Point(ref="g/e/data/1", at=NOW, percent=42.0, low=41.0, high=43.0, planned=50.0)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: apt install mosquitto"),
]


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - brokers and threads have no event to wait for
            await asyncio.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def mosquitto_on(port, folder):
    """A broker that keeps nothing over a restart."""
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", conf)
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def retained(port, wanted):
    """What a newcomer is handed, once it is `wanted` many messages."""
    async with asyncio.timeout(30):
        while True:
            found = []
            with contextlib.suppress(aiomqtt.MqttError, TimeoutError):
                async with aiomqtt.Client("127.0.0.1", port) as client:
                    await client.subscribe("plumbline/1/alerts/#", qos=1)
                    async with asyncio.timeout(0.3):
                        async for message in client.messages:
                            if message.retain:  # the rest is news, not what awaited us
                                found.append(  # noqa: PERF401 - the timeout keeps what came so far
                                    (str(message.topic), json.loads(message.payload))
                                )
            if len(found) == wanted:
                return found


async def test_an_open_alert_awaits_every_newcomer_over_outages_of_the_broker_until_it_is_at_rest(tmp_path):
    port = free_port()
    db = open_control(tmp_path / "control.db")
    book = AlertBook(db, channels=["mqtt"])
    link = MqttLink(BrokerSettings(port=port))
    # a pause longer than the test: only word that the broker is back can end it
    patience = Patience(first_wait_s=600, longest_wait_s=600)
    deliverer = Deliverer(Deliveries(db), [MqttChannel(link.publish)], patience=patience)
    book.on_change(deliverer.wake)

    def connected():
        book.remind("mqtt", NOW)
        deliverer.retry("mqtt")

    with book.write() as writer:
        writer.raise_(SLOT, "red", [POINT], NOW, "cause")
    tasks = [asyncio.create_task(link.keep(lambda _: None, connected)), asyncio.create_task(deliverer.run())]
    try:
        await until(lambda: Deliveries(db).list("waiting")[0].why)
        for _ in range(2):
            async with mosquitto_on(port, tmp_path):
                ((topic, alert),) = await retained(port, 1)
                assert (topic, alert["state"]) == ("plumbline/1/alerts/demo/deviation-cam1", "unacknowledged")
            await until(lambda: not link.connected)
        async with mosquitto_on(port, tmp_path):
            await retained(port, 1)
            book.acknowledge(1, "li", "", NOW)
            with book.write() as writer:
                writer.returned(SLOT, NOW, "gone")
            assert await retained(port, 0) == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        db.close()
