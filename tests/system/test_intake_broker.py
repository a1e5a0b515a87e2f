"""The receiver against real brokers: what is handed over again after a crash, and that nothing counts twice."""

import asyncio
import contextlib
import shutil
import signal
import socket
import sys

import aiomqtt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.clock import SystemClock
from plumbline.messages import Frame, Record
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_central.ledger import Ledger
from plumbline_central.mqtt import Delivery, MqttLink
from plumbline_central.receive import Receiver
from plumbline_central.registry import Gateway
from plumbline_central.settings import BrokerSettings
from plumbline_central.verify import verify

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
TOPICS = GatewayTopics("a12", "gw-1")

mosquitto_only = pytest.mark.skipif(
    MOSQUITTO is None, reason="mosquitto is not installed: apt install mosquitto"
)
pytestmark = pytest.mark.system


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(condition, within_s=30):
    """Return once `condition()` holds; brokers and threads have no event to wait for."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.asynccontextmanager
async def mosquitto_on(port, folder):
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\n")
    process = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", conf)
    try:
        await until(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def mosquitto(tmp_path):
    async with mosquitto_on(free_port(), tmp_path) as port:
        yield port


@contextlib.asynccontextmanager
async def amqtt_on(port, folder):
    """The broker of the demo where no mosquitto is installed: MQTT 3.1.1 only, in this very process."""
    amqtt = pytest.importorskip("amqtt.broker", reason="amqtt is not installed: pip install amqtt")
    broker = amqtt.Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield port
    finally:
        await broker.shutdown()


class PaperLane:
    """One lane of an enrolled gateway, written and signed in memory."""

    def __init__(self, count):
        self.key = DeviceKey(Ed25519PrivateKey.generate())
        self.records, self.heads = [], [chain.start("gw-1", "e1", "data")]
        for seq in range(1, count + 1):
            body = Frame(device="m1", metrics=(1,), values=(seq,))
            raw = codec.canonical(seq, seq, "b", seq, "synced", codec.encode_body(body))
            self.records.append(Record(seq=seq, at_us=seq, boot="b", mono_us=seq, clock="synced", body=body))
            self.heads.append(chain.link(self.heads[-1], seq, raw))

    def lookup(self, name):
        known = Gateway(id="gw-1", site="a12", key=self.key.public, algorithm=signing.ALGORITHM)
        return known if name == "gw-1" else None

    def pack(self, first, last):
        packed = self.records[first - 1 : last]
        return codec.pack_batch(
            packed,
            [codec.encode_body(record.body) for record in packed],
            site="a12",
            gateway="gw-1",
            epoch="e1",
            lane="data",
            prev=self.heads[first - 1],
            head=self.heads[last],
            algorithm=signing.ALGORITHM,
            sign=self.key.sign,
        )


@contextlib.asynccontextmanager
async def receiving(settings, ledger, lane):
    """A receiver at work; yields a list that grows with each message the broker was told to forget."""
    link, forgotten = MqttLink(settings), []
    receiver = Receiver(
        ledger, lane.lookup, link, SystemClock(), on_stored=lambda: None, on_state=lambda state, at_us: None
    )

    def received(delivery):
        def done():
            delivery.done()
            forgotten.append(delivery.topic)

        receiver.received(Delivery(delivery.topic, delivery.payload, done))

    tasks = [asyncio.create_task(receiver.run()), asyncio.create_task(link.keep(received))]
    try:
        await until(lambda: link.connected)
        yield forgotten
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


PROTOCOLS = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}
BROKERS = [
    pytest.param(mosquitto_on, "5", marks=mosquitto_only, id="mosquitto-5"),
    pytest.param(mosquitto_on, "3.1.1", marks=mosquitto_only, id="mosquitto-3.1.1"),
    pytest.param(amqtt_on, "3.1.1", id="amqtt-3.1.1"),
]


@pytest.mark.parametrize(("broker", "version"), BROKERS)
async def test_batches_are_stored_once_and_acknowledged_over_a_real_broker(broker, version, tmp_path):
    lane, ledger = PaperLane(40), Ledger.open(tmp_path / "ledger.db")
    async with (
        broker(free_port(), tmp_path) as port,
        receiving(BrokerSettings(port=port, version=version), ledger, lane),
        aiomqtt.Client("127.0.0.1", port, protocol=PROTOCOLS[version]) as gateway,
    ):
        await gateway.subscribe(TOPICS.ack, qos=1)
        for first, last in ((1, 10), (1, 10), (21, 30), (5, 20), (31, 40)):
            await gateway.publish(TOPICS.up, lane.pack(first, last), qos=1)
        async with asyncio.timeout(20):
            async for message in gateway.messages:
                ack = codec.decode_ack(message.payload)
                if ack.through == 40:
                    break

    counters = ledger.counters()
    assert (counters["records_received"], counters["records_stored"], counters["records_duplicate"]) == (
        56,
        40,
        16,
    )
    assert [r.body.values[0] for row in ledger.read(0, 99) for r in row.records].count(7) == 1
    assert verify(ledger, lane.lookup).ok
    ledger.close()


CRASHING_RECEIVER = """
import asyncio, os, sys
from plumbline_central.mqtt import Delivery, MqttLink
from plumbline_central.settings import BrokerSettings

held = 0

def hold(delivery):
    global held
    if delivery.topic.endswith("/up"):
        held += 1
        print(held, flush=True)   # received, and never stored: `done` is not called

asyncio.run(MqttLink(BrokerSettings(port=int(sys.argv[1]), version=sys.argv[2])).keep(hold))
"""


@mosquitto_only
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_was_received_but_not_stored_at_a_crash_is_handed_over_again(mosquitto, version, tmp_path):
    """The batches reach a receiver that is killed before it stores; the next one gets all of them, unasked."""
    lane, ledger = PaperLane(15), Ledger.open(tmp_path / "ledger.db")
    script = tmp_path / "hold.py"
    script.write_text(CRASHING_RECEIVER)
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, script, str(mosquitto), version, stdout=asyncio.subprocess.PIPE
    )
    async with aiomqtt.Client("127.0.0.1", mosquitto) as gateway, asyncio.timeout(30):
        sent = 0
        while (
            sent < 3
        ):  # until it has subscribed, the broker throws batches away: that is why gateways send again
            for first in (1, 6, 11):
                await gateway.publish(TOPICS.up, lane.pack(first, first + 4), qos=1)
            with contextlib.suppress(TimeoutError):
                while sent < 3:
                    sent = int(await asyncio.wait_for(doomed.stdout.readline(), 0.5))
    doomed.send_signal(signal.SIGKILL)
    await doomed.wait()

    async with receiving(BrokerSettings(port=mosquitto, version=version), ledger, lane) as forgotten:
        await until(lambda: len(forgotten) == 3)
    assert ledger.coverage("gw-1", "e1", "data") == ((1, 15),)

    async with receiving(BrokerSettings(port=mosquitto, version=version), ledger, lane):
        before = ledger.counters()["batches_received"]
        async with aiomqtt.Client("127.0.0.1", mosquitto) as gateway:
            await gateway.publish(TOPICS.up, b"the last in line", qos=1)
            await until(lambda: ledger.counters()["batches_refused"])
    assert ledger.counters()["batches_received"] == before + 1  # what was stored was forgotten by the broker
    ledger.close()


@mosquitto_only
async def test_more_than_one_windowful_waits_at_the_broker_and_all_of_it_arrives(mosquitto, tmp_path):
    """A backlog far larger than the receive maximum drains: acknowledging opens the window again."""
    lane, ledger = PaperLane(700), Ledger.open(tmp_path / "ledger.db")
    async with (
        receiving(BrokerSettings(port=mosquitto), ledger, lane),
        aiomqtt.Client("127.0.0.1", mosquitto) as gateway,
    ):
        for seq in range(1, 701):
            await gateway.publish(TOPICS.up, lane.pack(seq, seq), qos=0)
        await until(lambda: ledger.coverage("gw-1", "e1", "data") == ((1, 700),))
    ledger.close()


@mosquitto_only
async def test_a_broker_that_is_away_at_start_is_waited_for_and_said_once(tmp_path, caplog):
    port = free_port()
    lane, ledger = PaperLane(1), Ledger.open(tmp_path / "ledger.db")
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(started(BrokerSettings(port=port), ledger, lane))
        await until(lambda: "away" in caplog.text)
        async with mosquitto_on(port, tmp_path):
            await starting
    assert caplog.text.count("waiting for it") == 1
    assert caplog.text.count("back after") == 1
    ledger.close()


async def started(settings, ledger, lane):
    async with receiving(settings, ledger, lane):
        return
