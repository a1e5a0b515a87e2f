"""How many readings a second central takes on one core, stage by stage. Prints one JSON line per figure."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from statistics import median

import aiomqtt
import msgspec
from bare_pipeline import messages
from bare_pipeline import run as run_bare
from paper_site import GATEWAYS, METERS, VALUES, Packing, Site

from plumbline import codec, columns
from plumbline.clock import SystemClock, from_us
from plumbline_central.ingest import judge
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.mqtt import Delivery, MqttLink
from plumbline_central.project import catch_up
from plumbline_central.receive import Receiver
from plumbline_central.registry import Gateway, Registry
from plumbline_central.settings import BrokerSettings
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore
from plumbline_central.verify import verify
from plumbline_edge.outbox import Draft, Outbox

Enrolled = Callable[[str], Gateway | None]
MARK = "getpriority"

BATCHES = {1: 250, 50: 8}
"""Live: a batch of each second's 10 frames; backlog: the most a gateway sends at once, 500 frames."""
REPEATS = 5
MACHINE = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def say(name: str, value: float, unit: str) -> None:
    print(json.dumps({"name": name, "value": float(f"{value:.4g}"), "unit": unit, "machine": MACHINE}))


class NullPost:
    async def publish(self, topic: str, payload: bytes) -> None:
        return


def timed(name: str, readings: int, work: Callable[[], object]) -> None:
    wall, cpu = spent(work)
    say(name, readings / wall, "readings/s")
    say(f"{name}, CPU", cpu / readings * 1e6, "ms per 1,000 readings")


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall and of this process's CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


async def intake(site: Site, enrolled: Enrolled, ledger: Ledger, after: Callable[[], None]) -> None:
    """Everything from the broker's hand-over to the word that it may forget."""
    done = asyncio.Event()
    left = len(site.batches)

    def forget() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    receiver = Receiver(
        ledger, enrolled, NullPost(), SystemClock(), on_stored=after, on_state=lambda state, at_us: None
    )
    running = asyncio.create_task(receiver.run())
    for topic, payload in site.batches:
        receiver.received(Delivery(topic, payload, forget))
    await done.wait()
    running.cancel()


def against_bare(site: Site, folder: Path, label: str) -> None:
    """Intake and the bare pipeline in turns, the same readings; the ratio is of CPU time, which others disturb least."""
    n = site.readings
    bare = [one for each in site.packings for one in messages(each.records, each.topics.gateway)]
    enrolled = cached(site.enroll(folder / "control.db"))
    runs: list[tuple[float, float, float]] = []
    for repeat in range(REPEATS):
        ledger = Ledger.open(folder / f"against-{repeat}.db")
        wall, cpu = spent(lambda: asyncio.run(intake(site, enrolled, ledger, lambda: None)))  # noqa: B023
        ledger.close()
        _, bare_cpu = spent(lambda: run_bare(bare))
        runs.append((n / wall, n / cpu, bare_cpu / cpu))
    walls, cpus, ratios = zip(*runs, strict=True)
    say(f"intake to acknowledgement, {label}, median of {REPEATS}", median(walls), "readings/s")
    say(f"intake to acknowledgement, {label}, best of {REPEATS}", max(walls), "readings/s")
    say(f"intake to acknowledgement, {label}, median of {REPEATS}", median(cpus), "readings per CPU second")
    say(f"intake to acknowledgement, {label}, CPU", 1e6 / median(cpus), "ms per 1,000 readings")
    say(f"intake against JSON to lines without check, signature or disk, {label}", median(ratios), "times")


def cached(registry: Registry) -> Enrolled:
    """As fast as a registry can answer: what the figures are about is the rest."""
    return {gateway.id: gateway for gateway in registry.gateways()}.get


def packing(site: Site, folder: Path, label: str) -> None:
    """The edge's half: what a gateway does to send its backlog."""
    n = site.readings
    timed(f"pack, {label}", n, lambda: [each.pack() for each in site.packings])
    laid = [msgspec.msgpack.encode(columns.lay_out(each.records, each.raws)) for each in site.packings]
    for level in (1, 3, 6):
        sizes = [len(zlib.compress(plain, level)) for plain in laid]
        wall, _ = spent(lambda: [zlib.compress(plain, level) for plain in laid])  # noqa: B023
        say(f"zlib {level}, {label}", wall / n * 1e6, "ms per 1,000 readings")
        say(f"zlib {level}, {label}, packed columns", sum(sizes) / n, "bytes per reading")
    asyncio.run(drain(site, folder, label))


async def drain(site: Site, folder: Path, label: str) -> None:
    """One gateway's share of the site, from its outbox to payloads."""
    mine = [each for each in site.packings if each.topics == site.topics[0]]
    async with Outbox(folder / "outbox.db", gateway=site.topics[0].gateway) as outbox:
        for each in mine:
            await outbox.append(
                [
                    Draft(
                        lane="data", at_us=r.at_us, boot=r.boot, mono_us=r.mono_us, clock=r.clock, body=r.body
                    )
                    for r in each.records
                ]
            )
        stream = (outbox.epoch, "data")
        wall, cpu, after = time.perf_counter(), time.process_time(), 0
        for each in mine:
            some = await outbox.run_in(
                stream, after + 1, outbox.last(stream), max_records=len(each.records), max_bytes=1 << 30
            )
            assert some is not None
            Packing(list(some.records), list(some.bodies), each.topics, some.prev, some.head, each.key).pack()
            after = some.last
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    n = len(mine) * site.per_batch
    say(f"gateway drains its outbox to payloads, {label}", n / wall, "readings/s")
    say(f"gateway drains its outbox to payloads, {label}, CPU", cpu / n * 1e6, "ms per 1,000 readings")


def fsyncs(seconds: int, label: str) -> None:
    """Runs the intake once more under strace, in a process of its own; counts between two marks."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as trace:
        calls = f"trace=fsync,fdatasync,{MARK}"
        command = ["strace", "-f", "--seccomp-bpf", "-o", trace.name, "-e", calls]
        try:
            ran = subprocess.run([*command, sys.executable, __file__, "marked", str(seconds)], check=False)
        except FileNotFoundError:
            return
        lines = trace.read().splitlines()
    marks = [i for i, line in enumerate(lines) if f"{MARK}(" in line]
    if ran.returncode == 0 and len(marks) == 2:  # where tracing is forbidden there is nothing to say
        between = [line for line in lines[marks[0] : marks[1]] if "sync(" in line]
        readings = BATCHES[seconds] * GATEWAYS * seconds * METERS * VALUES
        say(f"fsyncs, {label}", len(between) / readings * 1e3, "per 1,000 readings")


def marked(seconds: int) -> None:
    """The intake between two system calls that nothing else makes."""
    site = Site(seconds, BATCHES[seconds])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger, enrolled = Ledger.open(folder / "ledger.db"), cached(site.enroll(folder / "control.db"))
        os.getpriority(os.PRIO_PROCESS, 0)
        asyncio.run(intake(site, enrolled, ledger, lambda: None))
        os.getpriority(os.PRIO_PROCESS, 0)
        ledger.close()


def measure(site: Site, folder: Path, label: str) -> None:
    n = site.readings
    registry = site.enroll(folder / "control.db")
    enrolled = registry.gateway
    sizes = [len(payload) for _, payload in site.batches]
    say(f"wire, {label}", sum(sizes) / n, "bytes per reading")
    timed(f"judge, {label}", n, lambda: [judge(topic, payload, enrolled) for topic, payload in site.batches])
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
    timed(
        f"intake to acknowledgement with the registry on disk, {label}",
        n,
        lambda: asyncio.run(intake(site, enrolled, ledger, lambda: None)),
    )
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
    timed(f"verify, {label}", n, lambda: verify(again, enrolled))

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
        lambda: asyncio.run(intake(site, enrolled, whole, lambda: catch_up(whole, series) and None)),
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
        ledger,
        cached(site.enroll(folder / "mqtt-control.db")),
        link,
        SystemClock(),
        on_stored=lambda: None,
        on_state=lambda state, at_us: None,
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
    if sys.argv[1:2] == ["marked"]:
        marked(int(sys.argv[2]))
        return
    if sys.argv[1:2] == ["publish"]:
        kept = Path(sys.argv[3]).read_bytes()
        asyncio.run(publish(int(sys.argv[2]), msgspec.msgpack.decode(kept, type=list[tuple[str, bytes]])))
        return
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    for seconds, count in BATCHES.items():
        with tempfile.TemporaryDirectory() as folder:
            site = Site(seconds, count)
            label = f"{site.per_batch} readings a batch"
            against_bare(site, Path(folder), label)
            fsyncs(seconds, label)
            packing(site, Path(folder), label)
            measure(site, Path(folder), label)
            if mosquitto is not None:
                asyncio.run(over_mqtt(site, Path(folder), mosquitto))
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say("peak resident memory of this bench", peak_kb / 1024, "MB")


if __name__ == "__main__":
    sys.exit(main())
