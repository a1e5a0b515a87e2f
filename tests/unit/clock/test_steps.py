"""A gateway lives through every bad day of its clock, from the meter to the series: nothing is lost, doubled or misdated.

In process and without a broker: cycle, recorder, outbox, codec, ledger, series. The meter's own log is the truth.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import codec, signing
from plumbline.clock import ManualClock, from_us
from plumbline.messages import Anchor, Event, Frame
from plumbline.metrics import BY_NAME
from plumbline.signing import DeviceKey
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.project import catch_up
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore
from plumbline_edge.clockwatch import ClockWatch
from plumbline_edge.cycle import Cycle
from plumbline_edge.outbox import Outbox
from plumbline_edge.recorder import Recorder

ENERGY = BY_NAME["energy_import_total"]
EVERY_S = 3600.0
LATE_S = 600.0
"""How late a sleeper may wake whose time does not fall on a multiple: time moves on in jumps here."""
BOOTED_IN_1970 = datetime(1970, 1, 1, tzinfo=UTC)
BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")
PLACES = {
    "berlin, clocks go back": (BERLIN, date(2026, 10, 24)),
    "berlin, clocks go forward": (BERLIN, date(2026, 3, 28)),
    "shanghai": (SHANGHAI, date(2026, 3, 28)),
}
# hours after local midnight: (wall clock minus truth in seconds, or None for 1970; trust)
STORIES = {
    "never wrong": {0: (0, "synced")},
    "two hours forward for a while": {0: (0, "synced"), 20: (7200, "unsynced"), 29: (0, "synced")},
    "two hours back for a while": {0: (0, "synced"), 20: (-7200, "unsynced"), 29: (0, "synced")},
    "back over midnight": {0: (0, "synced"), 24.5: (-3600, "unsynced"), 27: (0, "synced")},
    "forward over midnight": {0: (0, "synced"), 23.2: (3600, "unsynced"), 25: (0, "synced")},
    "wrong from the start, then set": {0: (-7200, "unsynced"), 26: (0, "synced")},
    "booted in 1970, set after 26 hours": {0: (None, "unset"), 26: (0, "synced")},
    "set once, lost for good": {0: (None, "unset"), 1: (0, "synced"), 2: (5000, "unsynced")},
    "a second boot in 1970": {0: (0, "synced"), 20: ("boot", "unset"), 30: (0, "synced")},
    "a second boot with yesterday's time": {
        0: (0, "synced"),
        30: ("boot -20", "unsynced"),
        50: (0, "synced"),
    },
}


@dataclass
class Meter:
    """Counts energy by true time, in whole steps that differ from poll to poll, and remembers what it said when."""

    truth: World
    name: str = "m1"
    every_s: float = EVERY_S
    status: str = "ok"
    said: list[tuple[datetime, int, str]] = field(default_factory=list)
    """(true time, steps, how far the gateway's clock could be trusted)"""

    def due(self, mono_s: float) -> bool:
        return True

    def queue(self, work):
        return asyncio.ensure_future(work())

    def take_news(self):
        return []

    async def poll(self) -> Frame:
        now = self.truth.now()
        hours = (now - self.truth.start) / timedelta(hours=1)
        steps = 1_000_000 + round(hours * hours * 997)
        self.said.append((now, steps, self.truth.clock.trust()))
        return Frame(device=self.name, metrics=(ENERGY.code,), values=(steps,))


class World:
    """True time, and a gateway whose clock is not always right."""

    def __init__(self, start: datetime, outbox: Outbox) -> None:
        self.start, self.outbox = start, outbox
        self.boots = 0
        self.passed_before_boot = 0.0
        self.meter = Meter(self)
        self.tasks: list[asyncio.Task[None]] = []

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed_before_boot + self.clock.mono())

    async def boot(self, says: datetime, trust: str) -> None:
        await self.shut_down()
        if self.boots:
            self.passed_before_boot += self.clock.mono()
        self.boots += 1
        self.clock = ManualClock(says, trust=trust)
        recorder = Recorder(self.outbox, self.clock, lambda: None, boot=f"{self.boots:032x}")
        self.cycle = Cycle([self.meter], recorder, self.clock)
        self.tasks = [
            asyncio.create_task(ClockWatch(recorder, self.clock).run()),
            asyncio.create_task(self.cycle.run()),
        ]
        await self.settle()

    async def change(self, error: float | str | None, trust: str) -> None:
        if error == "boot":
            await self.boot(BOOTED_IN_1970, trust)
        elif isinstance(error, str):
            await self.boot(self.now() + timedelta(hours=float(error.split()[1])), trust)
        else:
            says = BOOTED_IN_1970 if error is None else self.now() + timedelta(seconds=error)
            self.clock.step((says - self.clock.wall()).total_seconds())
            self.clock.set_trust(trust)
            self.clock.advance(1)
            await self.settle()

    async def live_until(self, hours: float) -> None:
        until = self.start + timedelta(hours=hours)
        while (left := (until - self.now()).total_seconds()) > 0:
            to_tick = EVERY_S - self.clock.wall().timestamp() % EVERY_S
            self.clock.advance(min(left, to_tick, LATE_S))
            await self.settle()

    async def settle(self) -> None:
        """Whoever was woken has done its work and sleeps again."""
        for _ in range(3):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while self.clock.sleeping < len(self.tasks):  # noqa: ASYNC110 - watched from outside
                await asyncio.sleep(0.0005)

    async def shut_down(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.tasks:
            await self.cycle.stop()


async def tell(outbox: Outbox, ledger: Ledger, lanes: tuple[str, ...]) -> dict[str, list]:
    """Send all lanes, one after the other, in signed batches; what was sent, by lane."""
    key = DeviceKey(Ed25519PrivateKey.generate())
    sent = {}
    for lane in lanes:
        sent[lane] = []
        stream = (outbox.epoch, lane)
        while run := await outbox.run_in(
            stream, len(sent[lane]) + 1, outbox.last(stream), max_records=20, max_bytes=1 << 20
        ):
            payload = codec.pack_batch(
                run.records, run.bodies, site="a12", gateway="gw1", epoch=outbox.epoch, lane=lane,
                prev=run.prev, head=run.head, algorithm=signing.ALGORITHM, sign=key.sign,
            )  # fmt: skip
            ledger.append([Arrival(received_us=0, payload=payload, batch=codec.open_batch(payload))])
            sent[lane] += run.records
    return sent


def energy_by_day(readings: list[tuple[datetime, float]], zone: ZoneInfo) -> dict[date, float]:
    """The counter at the last reading of each local day, minus that of the day before."""
    last: dict[date, float] = {}
    for at, value in sorted(readings):
        last[at.astimezone(zone).date()] = value
    days = sorted(last)
    return {day: last[day] - last[before] for before, day in pairwise(days)}


@pytest.mark.parametrize(
    "lanes", [("status", "data"), ("data", "status")], ids=lambda order: f"{order[0]} first"
)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("story", STORIES)
async def test_energy_of_each_local_day_is_exact_and_every_reading_stands_where_it_was_taken(
    tmp_path, story, place, lanes
):
    zone, day = PLACES[place]
    start = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    ledger, store = Ledger.open(tmp_path / "ledger.db"), SqliteTelemetryStore.open(tmp_path / "series.db")
    series = SeriesProjection.open(tmp_path / "series.db", store, ledger)
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        world = World(start, outbox)
        (error, trust), *changes = STORIES[story].values()
        says = BOOTED_IN_1970 if error is None else start + timedelta(seconds=error)
        await world.boot(says, trust)
        for hours, change in zip([*STORIES[story]][1:], changes, strict=True):
            await world.live_until(hours)
            await world.change(*change)
        await world.live_until(75)
        await world.shut_down()
        sent = await tell(outbox, ledger, lanes)
    catch_up(ledger, series)
    found = store.series("a12", "m1", ENERGY.name, from_us(0), datetime(2099, 1, 1, tzinfo=UTC))
    series.reset()
    catch_up(ledger, series)
    rebuilt = store.series("a12", "m1", ENERGY.name, from_us(0), datetime(2099, 1, 1, tzinfo=UTC))
    waiting = series.waiting()
    for part in (ledger, store, series):
        part.close()
    truth = [(at, ENERGY.from_wire(steps)) for at, steps, _ in world.meter.said]

    assert found == truth
    assert rebuilt == truth
    assert waiting == 0
    assert energy_by_day(found, zone) == energy_by_day(truth, zone)
    assert len(energy_by_day(truth, zone)) == 3
    frames = sent["data"]
    assert [r.seq for r in frames] == list(range(1, len(truth) + 1))
    assert [(r.body.values[0], r.clock) for r in frames] == [
        (steps, trust) for _, steps, trust in world.meter.said
    ]
    assert [(r.boot, r.mono_us) for r in frames] == sorted((r.boot, r.mono_us) for r in frames)
    gaps = [(b - a).total_seconds() for (a, _), (b, _) in pairwise(truth)]
    assert all(EVERY_S / 2 - LATE_S <= gap <= 1.5 * EVERY_S + LATE_S for gap in gaps if world.boots == 1)
    steps = sum(isinstance(r.body, Event) for r in sent["status"])
    anchors = [r for r in sent["status"] if isinstance(r.body, Anchor)]
    assert len(anchors) == len(STORIES[story])
    assert steps == len(anchors) - world.boots
