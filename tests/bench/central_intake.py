"""How many readings a second central takes on one core, stage by stage. Prints one JSON line per figure."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.clock import SystemClock, from_us
from plumbline.messages import Frame, Record
from plumbline.metrics import METRICS
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_central.ingest import judge
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.mqtt import Delivery
from plumbline_central.project import catch_up
from plumbline_central.receive import Receiver
from plumbline_central.registry import Gateway
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore
from plumbline_central.verify import verify

GATEWAYS, BATCHES, METERS, VALUES = 4, 60, 10, 30
SECONDS_PER_BATCH = (1, 30)
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
        for batch in range(BATCHES):
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
        self.readings = GATEWAYS * BATCHES * seconds_per_batch * METERS * VALUES

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


def measure(folder: Path, seconds_per_batch: int) -> None:
    site = Site(seconds_per_batch)
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
    series = SeriesProjection.open(folder / "series.db", store)
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
    series = SeriesProjection.open(folder / "live.db", store)
    whole = Ledger.open(folder / "whole.db")
    timed(
        f"intake with series, {label}",
        n,
        lambda: asyncio.run(intake(site, whole, lambda: catch_up(whole, series) and None)),
    )
    for part in (whole, store, series):
        part.close()


def main() -> None:
    for seconds in SECONDS_PER_BATCH:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), seconds)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say("peak resident memory of this bench", peak_kb / 1024, "MB")


if __name__ == "__main__":
    sys.exit(main())
