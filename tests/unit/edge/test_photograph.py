"""A photo from the moment it is due into the outbox, and what a stop does to one that is being taken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from plumbline.clock import ManualClock
from plumbline.messages import Event, EventCode, Photo, Progress
from plumbline_edge.app import _photograph
from plumbline_edge.camera.records import Captured
from plumbline_edge.clockwatch import ClockWatch
from plumbline_edge.outbox import Outbox
from plumbline_edge.recorder import Recorder
from plumbline_edge.settings import CameraSettings

NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)
CAMERA = {
    "name": "cam", "url": "http://127.0.0.1:1/a.jpg", "track": "new", "quad": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "floors": 1, "bays": 1, "at": ("12:00",),
}  # fmt: skip
SAID = Captured(
    progress=Progress(camera="cam", photo="cam-1", percent=50, low=48, high=52),
    photo=Photo(camera="cam", photo="cam-1"),
    events=(Event(code=EventCode.ZONE_REGRESS, subject="cam", text="f1b1 60 to 20 %"),),
)


class Camera:
    """One that takes `takes_s` for a burst; `is_judging` is what it says at a stop."""

    def __init__(self, takes_s, *, is_judging=False):
        self.is_judging = is_judging
        self.takes_s = takes_s
        self.asked = asyncio.Event()
        self.ended = ""

    async def capture(self, at, *, clock_set):
        self.asked.set()
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.ended = "given up"
            raise
        self.ended = "taken"
        return SAID


class Kept:
    """A recorder that remembers the bodies it kept."""

    def __init__(self, recorder):
        self.now, self.boot, self.bodies = recorder.now, recorder.boot, []

    async def keep(self, records):
        self.bodies += [record.body for record in records]


@pytest.fixture
async def stopped(tmp_path):
    """What was kept of a burst during which the gateway was stopped, and how long the stop took."""
    clock = ManualClock(NOON - timedelta(seconds=9))
    async with Outbox(tmp_path / "o.db", gateway="gw1") as outbox:
        recorder = Kept(Recorder(outbox, clock, lambda: None))

        async def stop(camera, after_s=0.0, **settings):
            task = asyncio.create_task(
                _photograph(
                    CameraSettings(**CAMERA | settings), camera, SimpleNamespace(timezone="Asia/Shanghai"),
                    clock, recorder, ClockWatch(recorder, clock),
                )
            )  # fmt: skip
            async with asyncio.timeout(5):
                while not camera.asked.is_set():
                    clock.advance(5)
                    await asyncio.sleep(0.01)
            await asyncio.sleep(after_s)
            began = asyncio.get_running_loop().time()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return recorder.bodies, asyncio.get_running_loop().time() - began

        yield stop


async def test_a_photos_percent_picture_and_events_are_kept_together(stopped):
    bodies, _ = await stopped(Camera(0.0), after_s=0.05)

    assert bodies == [SAID.progress, SAID.photo, *SAID.events]


async def test_a_stop_waits_for_a_burst_that_is_about_to_end(stopped):
    camera = Camera(0.2)
    bodies, took_s = await stopped(camera, burst_frames=3, burst_every_s=5)

    assert camera.ended == "taken"
    assert len(bodies) == 3
    assert took_s < 1


async def test_a_stop_does_not_wait_through_the_pauses_of_a_long_burst(stopped):
    camera = Camera(60)
    bodies, took_s = await stopped(camera, burst_frames=5, burst_every_s=120)

    assert camera.ended == "given up"
    assert bodies == []
    assert took_s < 1


async def test_a_long_burst_that_is_complete_is_still_judged_and_kept(stopped):
    bodies, _ = await stopped(Camera(0.2, is_judging=True), burst_frames=5, burst_every_s=120)

    assert len(bodies) == 3
