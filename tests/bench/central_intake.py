"""How many readings a second central takes on one core, stage by stage. Prints one JSON line per figure."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiomqtt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.clock import SystemClock, from_us
from plumbline.messages import Frame, Record
from plumbline.metrics import METRICS
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_central.ingest import judge
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.mqtt import Delivery, MqttLink
from plumbline_central.project import catch_up
from plumbline_central.receive import Receiver
from plumbline_central.registry import Gateway
from plumbline_central.settings import BrokerSettings
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore
from plumbline_central.verify import verify

GATEWAYS, METERS, VALUES = 4, 10, 30
BATCHES = {1: 400, 30: 40}
MACHINE = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
TOPICS = [GatewayTopics("bench", f"gw-{n}") for n in range(GATEWAYS)]


def say(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": float(f"{value:.4g}"), "unit": unit, "machine": MACHINE}))


class Site:
    """Gateways with 10 meters of 30 values each, polled once a second; walks in small steps, like real loads."""

    def __init__(self, seconds_per_batch: int) -> None:
        self.keys = [DeviceKey(Ed25519PrivateKey.generate()) for _ in range(GATEWAYS)]
        random_ = random.Random(7)
        codes = tuple(metric.code for metric in METRICS[:VALUES])
        now = [[random_.randrange(1_000, 100_000) for _ in range(VALUES)] for _ in range(METERS)]
        self.batches: list[tuple[str, bytes]] = []
        heads = [chain.start(topics.gateway, "e1", "data") for topics in TOPICS]
        seqs = [1] * GATEWAYS
        for batch in range(BATCHES[seconds_per_batch]):
            for g, topics in enumerate(TOPICS):
                records, raws, prev = [], [], heads[g]
                for second in range(seconds_per_batch):
                    at_us = 1_790_000_000_000_000 + (batch * seconds_per_batch + second) * 1_000_000
                    for meter in range(METERS):
                        now[meter] = [value + random_.randrange(-20, 21) for value in now[meter]]
                        body = Frame(device=f"m{meter}", metrics=codes, values=tuple(now[meter]))
                        raw = codec.encode_body(body)
                        line = codec.canonical(seqs[g], at_us + meter, "b" * 32, at_us, "synced", raw)
                        heads[g] = chain.link(heads[g], seqs[g], line)
                        records.append(
                            Record(
                                seq=seqs[g],
                                at_us=at_us + meter,
                                boot="b" * 32,
                                mono_us=at_us,
                                clock="synced",
                                body=body,
                            )
                        )
                        raws.append(raw)
                        seqs[g] += 1
                payload = codec.pack_batch(
                    records,
                    raws,
                    site=topics.site,
                    gateway=topics.gateway,
                    epoch="e1",
                    lane="data",
                    prev=prev,
                    head=heads[g],
                    algorithm=signing.ALGORITHM,
                    sign=self.keys[g].sign,
                )
                self.batches.append((topics.up, payload))
        self.readings = GATEWAYS * BATCHES[seconds_per_batch] * seconds_per_batch * METERS * VALUES

    def lookup(self, name: str) -> Gateway | None:
        n = int(name.removeprefix("gw-"))
        return Gateway(id=name, site="bench", key=self.keys[n].public, algorithm=signing.ALGORITHM)


class NullPost:
    async def publish(self, topic: str, payload: bytes) -> None:
        return


def timed(name: str, readings: int, work: Callable[[], object]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    say(name, readings / wall, "readings/s")
    say(f"{name}, CPU", cpu / readings * 1e6, "ms per 1,000 readings")


async def intake(site: Site, ledger: Ledger, after: Callable[[], None]) -> None:
    """Everything from the broker's hand-over to the word that it may forget."""
    done = asyncio.Event()
    left = len(site.batches)

    def forget() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    receiver = Receiver(
        ledger, site.lookup, NullPost(), SystemClock(), on_stored=after, on_state=lambda state, at_us: None
    )
    running = asyncio.create_task(receiver.run())
    for topic, payload in site.batches:
        receiver.received(Delivery(topic, payload, forget))
    await done.wait()
    running.cancel()


def measure(site: Site, folder: Path, seconds_per_batch: int) -> None:
    n = site.readings
    label = f"{seconds_per_batch * METERS * VALUES} readings a batch"
    sizes = [len(payload) for _, payload in site.batches]
    say(f"wire, {label}", sum(sizes) / n, "bytes per reading")
    timed(
        f"judge, {label}", n, lambda: [judge(topic, payload, site.lookup) for topic, payload in site.batches]
    )
    arrivals = [
        Arrival(received_us=1, payload=payload, batch=codec.open_batch(payload))
        for _, payload in site.batches
    ]
    alone = Ledger.open(folder / "append.db")
    timed(
        f"ledger append, one commit each, {label}",
        n,
        lambda: [alone.append([arrival]) for arrival in arrivals],
    )
    alone.close()
    ledger = Ledger.open(folder / "ledger.db")
    timed(f"intake to acknowledgement, {label}", n, lambda: asyncio.run(intake(site, ledger, lambda: None)))
    again = Ledger.open(folder / "ledger.db")
    timed(f"ledger read, {label}", n, lambda: [again.read(at, 1) for at in range(len(site.batches))])
    store = SqliteTelemetryStore.open(folder / "series.db")
    series = SeriesProjection.open(folder / "series.db", store, again)
    timed(f"series projection from disk, {label}", n, lambda: catch_up(again, series))
    assert store.count() == n
    one_metric = n // GATEWAYS // METERS // VALUES
    start, end = from_us(0), from_us(1 << 52)
    timed(
        f"history of one metric, {label}",
        one_metric * GATEWAYS,
        lambda: store.series("bench", "m3", "voltage_l1", start, end),
    )
    timed(f"verify, {label}", n, lambda: verify(again, site.lookup))

    for part in (ledger, again, store, series):
        part.close()
    for kept in ("ledger", "series"):
        say(f"{kept} on disk, {label}", (folder / f"{kept}.db").stat().st_size / n, "bytes per reading")
    store = SqliteTelemetryStore.open(folder / "live.db")
    whole = Ledger.open(folder / "whole.db")
    series = SeriesProjection.open(folder / "live.db", store, whole)
    timed(
        f"intake with series, {label}",
        n,
        lambda: asyncio.run(intake(site, whole, lambda: catch_up(whole, series) and None)),
    )
    for part in (whole, store, series):
        part.close()


async def over_mqtt(site: Site, folder: Path, mosquitto: str) -> None:
    """The whole intake behind a real broker, with a second process that publishes as fast as it is taken."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_dest none\nmax_queued_messages 0\n"
    )
    broker = await asyncio.create_subprocess_exec(mosquitto, "-c", conf)
    (folder / "batches").write_bytes(msgspec.msgpack.encode(site.batches))
    ledger, link, done = Ledger.open(folder / "mqtt.db"), MqttLink(BrokerSettings(port=port)), asyncio.Event()
    left = len(site.batches)

    def received(delivery: Delivery) -> None:
        def forget() -> None:
            nonlocal left
            delivery.done()
            left -= 1
            if not left:
                done.set()

        receiver.received(Delivery(delivery.topic, delivery.payload, forget))

    receiver = Receiver(
        ledger, site.lookup, link, SystemClock(), on_stored=lambda: None, on_state=lambda state, at_us: None
    )
    connected = asyncio.Event()
    tasks = [asyncio.create_task(receiver.run()), asyncio.create_task(link.keep(received, connected.set))]
    await connected.wait()
    wall, cpu = time.perf_counter(), time.process_time()
    publisher = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "publish", str(port), folder / "batches"
    )
    await done.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    label = f"{site.readings // len(site.batches)} readings a batch"
    say(
        f"intake over mosquitto, publisher and broker on the same cores, {label}",
        site.readings / wall,
        "readings/s",
    )
    say(f"intake over mosquitto, {label}, CPU", cpu / site.readings * 1e6, "ms per 1,000 readings")
    await publisher.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    ledger.close()
    broker.terminate()
    await broker.wait()


async def publish(port: int, batches: list[tuple[str, bytes]]) -> None:
    async with aiomqtt.Client("127.0.0.1", port, max_inflight_messages=64) as client:
        client.pending_calls_threshold = len(batches)
        await asyncio.gather(*(client.publish(topic, payload, qos=1) for topic, payload in batches))


def main() -> None:
    if sys.argv[1:2] == ["publish"]:
        kept = Path(sys.argv[3]).read_bytes()
        asyncio.run(publish(int(sys.argv[2]), msgspec.msgpack.decode(kept, type=list[tuple[str, bytes]])))
        return
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    for seconds in BATCHES:
        with tempfile.TemporaryDirectory() as folder:
            site = Site(seconds)
            measure(site, Path(folder), seconds)
            if mosquitto is not None:
                asyncio.run(over_mqtt(site, Path(folder), mosquitto))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say("peak resident memory of this bench", peak_kb / 1024, "MB")


if __name__ == "__main__":
    sys.exit(main())
