"""Anchors where the clock was set, and photos that a step neither repeats nor loses."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox_life import records

from plumbline.clock import ManualClock, from_us
from plumbline.errors import Unreachable
from plumbline.messages import Anchor, Event, Photo, Progress
from plumbline_edge.app import _photograph
from plumbline_edge.camera.records import Captured
from plumbline_edge.clockwatch import ClockWatch, watch
from plumbline_edge.outbox import Outbox
from plumbline_edge.recorder import Recorder, moment

START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
BOOT = "b" * 32
trusts = st.sampled_from(["synced", "unsynced", "unset"])


@given(st.lists(st.tuples(st.integers(-2_000_000, 2_000_000), trusts), min_size=1, max_size=40))
def test_the_last_anchor_never_stands_further_than_half_a_second_from_the_clock(looks):
    standing, offset, last, trust_said = None, 0, None, None
    for change, trust in looks:
        offset += change
        before = standing
        standing, anchor, event = watch(standing, offset, trust)
        if anchor is not None:
            assert anchor.before_us == (None if before is None else last)
            last, trust_said = anchor.offset_us, trust
        assert (event is not None) == (before is not None and abs(change) > 500_000)

        assert abs(offset - last) <= 500_000
        assert trust_said == trust


@given(st.integers(-500, 500), st.integers(1, 20_000))
def test_slow_drift_is_anchored_anew_about_every_half_second_of_it_and_is_no_event(ppm, seconds):
    standing, anchors = None, 0
    for second in range(0, seconds, 10):
        standing, anchor, event = watch(standing, second * ppm, "synced")
        anchors += anchor is not None

        assert event is None
    assert anchors == pytest.approx(1 + abs(ppm) * seconds / 500_000, abs=1.1)


class Gateway:
    def __init__(self, outbox: Outbox, clock: ManualClock) -> None:
        self.outbox, self.clock = outbox, clock
        self.recorder = Recorder(outbox, clock, lambda: None, boot=BOOT)
        self.watch = ClockWatch(self.recorder, clock)

    async def said(self, lane="status"):
        return tuple(await records(self.outbox, (self.outbox.epoch, lane)))


@pytest.fixture
async def outbox(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as box:
        yield box


async def test_the_first_synchronisation_after_a_boot_in_1970_is_an_anchor_and_an_event(outbox):
    gateway = Gateway(outbox, ManualClock(datetime(1970, 1, 1, tzinfo=UTC), trust="unset"))
    await gateway.watch.look()
    gateway.clock.advance(30)
    gateway.clock.step((START - gateway.clock.wall()).total_seconds())
    gateway.clock.set_trust("synced")
    await gateway.watch.look()
    await gateway.watch.look()
    first, second, event = await gateway.said()

    assert (first.clock, first.body) == ("unset", Anchor(offset_us=0))
    assert (second.clock, second.body.before, second.body.before_us) == ("synced", "unset", 0)
    assert from_us(second.body.offset_us + second.mono_us) == START
    assert isinstance(event.body, Event)
    assert event.body.text.startswith("the clock was set forward by 20513 days")
    assert "it was unset and is synced" in event.body.text


async def test_it_looks_every_second_and_only_speaks_when_something_changed(outbox):
    gateway = Gateway(outbox, ManualClock(START))
    task = asyncio.create_task(gateway.watch.run())
    for second in range(10):
        await until_asleep(gateway.clock)
        if second == 5:
            gateway.clock.step(-7200)
        gateway.clock.advance(1)
    await until_asleep(gateway.clock)
    await end(task)
    said = await gateway.said()

    assert [type(record.body) for record in said] == [Anchor, Anchor, Event]
    assert said[1].mono_us == 6_000_000
    assert said[2].body.text == "the clock was set back by 2:00:00; it is synced"


async def test_a_simulated_clock_is_anchored_once_and_not_watched(outbox):
    gateway = Gateway(outbox, ManualClock(START, trust="simulated"))
    async with asyncio.timeout(5):
        await gateway.watch.run()

    assert [type(record.body) for record in await gateway.said()] == [Anchor]


async def test_an_anchor_that_the_card_did_not_take_is_recorded_at_the_next_look(outbox, monkeypatch):
    gateway = Gateway(outbox, ManualClock(START))
    kept = gateway.recorder.keep

    async def full(_):
        raise Unreachable("no room")

    monkeypatch.setattr(gateway.recorder, "keep", full)
    await gateway.watch.look()
    monkeypatch.setattr(gateway.recorder, "keep", kept)
    await gateway.watch.look()

    assert [type(record.body) for record in await gateway.said()] == [Anchor]


class FlippingClock(ManualClock):
    """Is set right after `when` questions."""

    def __init__(self, when):
        super().__init__(datetime(1970, 1, 1, tzinfo=UTC), trust="unset")
        self.left = when

    def _count(self):
        self.left -= 1
        if self.left == 0:
            self.step((START - super().wall()).total_seconds())
            self.set_trust("synced")

    def wall(self):
        self._count()
        return super().wall()

    def mono(self):
        self._count()
        return super().mono()

    def trust(self):
        self._count()
        return super().trust()


@pytest.mark.parametrize("when", range(1, 7))
def test_a_clock_that_is_set_between_two_questions_never_gives_a_wrong_time_a_good_flag(when):
    now = moment(FlippingClock(when))

    assert now.at == START or now.trust == "unset"


class FakeCamera:
    def __init__(self):
        self.shots = []

    async def capture(self, at, *, clock_set):
        self.shots.append(at)
        self.clock_was_set = clock_set
        name = f"cam-{at:%Y%m%dT%H%M%S}"
        progress = Progress(camera="cam", photo=name, percent=50, low=48, high=52)
        return Captured(progress=progress, photo=Photo(camera="cam", photo=name))


@contextlib.asynccontextmanager
async def photographing(gateway, at=("10:00",)):
    camera = FakeCamera()
    tasks = [
        asyncio.create_task(gateway.watch.run()),
        asyncio.create_task(
            _photograph(
                SimpleNamespace(at=at), camera, SimpleNamespace(timezone="Asia/Shanghai"),
                gateway.clock, gateway.recorder, gateway.watch,
            )
        ),
    ]  # fmt: skip
    await settled(gateway)
    yield camera
    for task in tasks:
        await end(task)


async def test_a_step_forward_over_a_photo_that_was_truly_missed_takes_it_within_a_second(outbox):
    gateway = Gateway(
        outbox, ManualClock(START - timedelta(hours=2), trust="unsynced")
    )  # says 07:00, is 09:00
    async with photographing(gateway) as camera:
        await passes(gateway, hours=1.5)
        gateway.clock.step(7200)
        gateway.clock.set_trust("synced")
        await passes(gateway, hours=12)

    assert [at - START for at in camera.shots] == [timedelta(hours=1, minutes=30, seconds=1)]


async def test_a_step_back_after_a_photo_does_not_take_it_again(outbox):
    gateway = Gateway(outbox, ManualClock(START))
    async with photographing(gateway) as camera:
        await passes(gateway, hours=1.5)
        gateway.clock.step(-7200)
        await passes(gateway, hours=12)

    assert camera.shots == [START + timedelta(hours=1)]


async def test_photos_of_two_boots_at_the_same_wrong_time_have_different_names(outbox):
    gateway = Gateway(outbox, ManualClock(datetime(1970, 1, 1, 1, tzinfo=UTC), trust="unset"))
    async with photographing(gateway) as camera:
        await passes(gateway, hours=2)
    (record,) = await gateway.said("photo")
    (progress,) = await gateway.said("data")

    assert record.body.photo == progress.body.photo == "cam-19700101T020000-bbbbbbbb"
    assert not camera.clock_was_set
    assert record.clock == progress.clock == "unset"


async def passes(gateway, hours):
    """Time passes: a second first, so that a step is seen, then the rest in quarters of an hour."""
    for seconds in (1.0, 1.0, 898.0, *[900.0] * round(hours * 4 - 1)):
        gateway.clock.advance(seconds)
        await settled(gateway)


async def settled(gateway):
    async with asyncio.timeout(5):
        before = None
        while (
            state := (
                [gateway.outbox.last(stream) for stream in gateway.outbox.streams()],
                gateway.clock.sleeping,
            )
        ) != before or state[1] < 2:
            before = state
            for _ in range(10):
                await asyncio.sleep(0.0005)


async def until_asleep(clock):
    for _ in range(3):  # whoever was woken leaves its sleep
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while not clock.sleeping:  # noqa: ASYNC110 - the watch is watched from outside
            await asyncio.sleep(0.001)


async def end(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
