"""Ticks, one commit per cycle, and a silent meter among good ones."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from outbox_life import records

from plumbline.clock import ManualClock, from_us
from plumbline.errors import Unreachable
from plumbline.messages import Event, Frame
from plumbline_edge import cycle as module
from plumbline_edge.cycle import Cycle
from plumbline_edge.outbox import Outbox
from plumbline_edge.recorder import Recorder

START = datetime(2026, 3, 1, 8, 0, 3, tzinfo=UTC)


class FakeMeter:
    """Answers at once, unless told to fail or to wait; silent from the third failure on, like a real one."""

    every_s = 10.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = "unknown"
        self.fails = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.polls = 0

    def due(self, mono_s: float) -> bool:
        return True

    def take_news(self):
        return []

    def queue(self, work):
        return asyncio.ensure_future(work())

    async def poll(self) -> Frame:
        self.polls += 1
        await self.gate.wait()
        if self.fails:
            self.status = "silent" if self.polls >= 3 else self.status
            raise Unreachable(f"{self.name} did not answer")
        self.status = "ok"
        return Frame(device=self.name, metrics=(1,), values=(23000 + self.polls,))


class Bench:
    def __init__(self, outbox: Outbox, meters: list[FakeMeter]) -> None:
        self.outbox = outbox
        self.clock = ManualClock(START)
        self.commits = 0
        self.cycle = Cycle(meters, Recorder(outbox, self.clock, self._committed), self.clock)

    def _committed(self) -> None:
        self.commits += 1

    async def ticks(self, count: int, seconds: float = 10.0) -> None:
        """Let `count` ticks come and their rounds finish."""
        for _ in range(count):
            done = self.cycle.counters["cycles"]
            self.clock.advance(seconds)
            async with asyncio.timeout(5):
                while (  # noqa: ASYNC110 - the cycle is watched from outside
                    self.cycle.counters["cycles"] == done or not self.clock.sleeping
                ):
                    await asyncio.sleep(0.001)

    async def records(self, lane="data"):
        return await records(self.outbox, (self.outbox.epoch, lane))

    async def bodies(self, lane="data"):
        return [(from_us(record.at_us), record.body) for record in await self.records(lane)]


@pytest.fixture
async def outbox(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as box:
        yield box


async def running(bench: Bench):
    task = asyncio.create_task(bench.cycle.run())
    await asyncio.sleep(0)
    return task


async def test_polls_fall_on_whole_multiples_of_the_period_in_one_commit_each(outbox):
    bench = Bench(outbox, [FakeMeter("a"), FakeMeter("b"), FakeMeter("c")])
    task = await running(bench)
    await bench.ticks(1, seconds=7)
    await bench.ticks(2)
    task.cancel()
    await bench.cycle.stop()
    bodies = await bench.bodies()

    assert [at.second for at, _ in bodies] == [10, 10, 10, 20, 20, 20, 30, 30, 30]
    assert bench.commits == 3


async def test_a_silent_meter_is_an_event_once_and_never_a_value(outbox):
    good, bad = FakeMeter("good"), FakeMeter("bad")
    bad.fails = True
    bench = Bench(outbox, [good, bad])
    task = await running(bench)
    await bench.ticks(5)
    bad.fails = False
    await bench.ticks(2)
    task.cancel()
    await bench.cycle.stop()
    bodies = [body for _, body in await bench.bodies()]
    happened = [body for _, body in await bench.bodies("status")]

    events = [(body.code, body.subject) for body in happened if isinstance(body, Event)]
    assert events == [("meter_lost", "bad"), ("meter_back", "bad")]
    assert sum(isinstance(b, Frame) and b.device == "good" for b in bodies) == 7
    assert sum(isinstance(b, Frame) and b.device == "bad" for b in bodies) == 2


async def test_a_fault_of_ours_in_one_meter_is_told_once_and_harms_no_other(outbox, caplog):
    good, bad = FakeMeter("good"), FakeMeter("bad")
    polled = bad.poll

    async def fault():
        raise ZeroDivisionError("float division by zero")

    bad.poll = fault
    bench = Bench(outbox, [good, bad])
    task = await running(bench)
    await bench.ticks(3)
    bad.poll = polled
    await bench.ticks(1)
    task.cancel()
    await bench.cycle.stop()
    happened = [body for _, body in await bench.bodies("status")]

    assert [(event.code, event.subject) for event in happened] == [
        ("meter_lost", "bad"),
        ("meter_back", "bad"),
    ]
    assert "ZeroDivisionError" in happened[0].text
    assert caplog.text.count("Traceback") == 1
    assert good.polls == 4


async def test_a_turn_that_was_given_up_ends_no_cycle(outbox):
    good, gone = FakeMeter("good"), FakeMeter("gone")
    queue = gone.queue

    def cancelled(work):
        turn = asyncio.get_running_loop().create_future()
        turn.cancel()
        return turn

    gone.queue = cancelled
    bench = Bench(outbox, [good, gone])
    task = await running(bench)
    await bench.ticks(2)
    gone.queue = queue
    await bench.ticks(1)

    assert not task.done()
    task.cancel()
    await bench.cycle.stop()
    assert (good.polls, gone.polls) == (3, 1)


async def test_who_answers_is_said_once_after_the_first_period(outbox, caplog):
    bad = FakeMeter("bad")
    bad.fails = True
    bench = Bench(outbox, [FakeMeter("m1"), FakeMeter("m0001"), bad])
    with caplog.at_level(logging.INFO, logger="plumbline_edge.cycle"):
        task = await running(bench)
        await bench.ticks(4)
        task.cancel()
        await bench.cycle.stop()

    assert [record.getMessage() for record in caplog.records if "answer" in record.getMessage()] == [
        "m1, m0001 answer",
        "meter bad lost: bad did not answer",
    ]


async def test_a_slow_meter_does_not_hold_up_its_neighbours_and_is_not_asked_twice(outbox, monkeypatch):
    monkeypatch.setattr(module, "_GRACE_S", 0.01)
    good, slow = FakeMeter("good"), FakeMeter("slow")
    slow.gate.clear()
    bench = Bench(outbox, [good, slow])
    task = await running(bench)
    await bench.ticks(3)
    frames = [body.device for _, body in await bench.bodies()]
    slow.gate.set()
    await bench.ticks(1)
    task.cancel()
    await bench.cycle.stop()

    assert frames == ["good"] * 3
    assert slow.polls == 2
    assert bench.cycle.counters["polls_skipped"] == 2


async def test_missed_ticks_are_counted_and_not_run_afterwards(outbox):
    meter = FakeMeter("a")
    bench = Bench(outbox, [meter])
    task = await running(bench)
    await bench.ticks(1)
    await bench.ticks(1, seconds=95)
    task.cancel()
    await bench.cycle.stop()

    assert meter.polls == 2
    assert bench.cycle.counters["ticks_missed"] + meter.polls <= 10


async def test_what_was_still_being_answered_at_the_end_is_kept(outbox, monkeypatch):
    monkeypatch.setattr(module, "_GRACE_S", 0.01)
    slow = FakeMeter("slow")
    slow.gate.clear()
    bench = Bench(outbox, [slow])
    task = await running(bench)
    await bench.ticks(1)
    task.cancel()
    slow.gate.set()
    await bench.cycle.stop()

    assert [body.device for _, body in await bench.bodies()] == ["slow"]


async def test_a_meter_that_still_waits_for_its_wire_does_not_hold_up_a_stop(outbox, monkeypatch):
    monkeypatch.setattr(module, "_GRACE_S", 0.01)
    good, waiting = FakeMeter("good"), FakeMeter("waiting")
    waiting.queue = lambda work: asyncio.get_running_loop().create_future()
    bench = Bench(outbox, [good, waiting])
    task = await running(bench)
    await bench.ticks(1)
    task.cancel()
    async with asyncio.timeout(5):
        await bench.cycle.stop()

    assert [body.device for _, body in await bench.bodies()] == ["good"]


@pytest.mark.parametrize("step_s", [7200.0, -7200.0, 3.0, -3.0, 56 * 365.25 * 86400])
async def test_a_step_while_it_waits_loses_no_tick_and_invents_none(outbox, step_s):
    bench = Bench(outbox, [FakeMeter("a")])
    task = await running(bench)
    await bench.ticks(1, seconds=7)
    bench.clock.step(step_s)
    await bench.ticks(1)
    for _ in range(70):
        bench.clock.advance(1)
        for _ in range(3):  # whoever was woken leaves its sleep
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            while not bench.clock.sleeping:  # noqa: ASYNC110 - the cycle is watched from outside
                await asyncio.sleep(0.001)
    task.cancel()
    await bench.cycle.stop()
    seconds = [record.mono_us / 1e6 for record in await bench.records()]

    assert bench.cycle.counters["ticks_missed"] == 0
    assert all(5 <= b - a <= 15.2 for a, b in pairwise(seconds))
    assert 8 <= len(seconds) <= 10


async def test_a_record_says_how_far_the_clock_could_be_trusted_when_the_meter_was_asked(outbox, monkeypatch):
    monkeypatch.setattr(module, "_GRACE_S", 0.01)
    slow = FakeMeter("slow")
    slow.gate.clear()
    bench = Bench(outbox, [slow])
    bench.clock.set_trust("unset")
    task = await running(bench)
    await bench.ticks(1)
    bench.clock.set_trust("synced")
    slow.gate.set()
    await bench.ticks(1)
    task.cancel()
    await bench.cycle.stop()

    assert [record.clock for record in await bench.records()] == ["unset", "synced"]


async def test_a_device_that_answers_slowly_for_ever_does_not_hold_up_a_stop(outbox, monkeypatch):
    monkeypatch.setattr(module, "_LAST_ANSWERS_S", 0.05)
    monkeypatch.setattr(module, "_GRACE_S", 0.01)
    quick, slow = FakeMeter("quick"), FakeMeter("slow")
    slow.gate.clear()
    bench = Bench(outbox, [quick, slow])
    task = await running(bench)
    await bench.ticks(1)
    task.cancel()
    async with asyncio.timeout(5):
        await bench.cycle.stop()

    assert [body.device for _, body in await bench.bodies()] == ["quick"]
