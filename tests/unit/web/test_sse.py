import asyncio
import json
import time
from datetime import UTC, datetime

import pytest

from plumbline.clock import ScaledClock
from plumbline_central.api.sse import stream


def told_of(chunk):
    """The fields of one server-sent event."""
    fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines() if ": " in line)
    return fields.get("event"), fields.get("id"), json.loads(fields["data"])


async def next_of(events):
    return await asyncio.wait_for(anext(events), 5)


@pytest.fixture
async def watch(world):
    opened = []

    def open_stream(site=None, after=None, **how):
        opened.append(stream(world.services, site, after, **how))
        return opened[-1]

    yield open_stream
    for one in opened:
        await one.aclose()


async def test_it_begins_with_the_time_and_is_listening_by_then(world, watch):
    events = watch()
    first = await next_of(events)

    assert first.startswith(b"retry: ")
    assert told_of(first) == ("clock", None, {"now": "2026-03-01T00:00:00+00:00", "rate": 1.0})
    assert world.parts.live.watchers == 1


async def test_what_happens_comes_with_its_id(world, watch):
    events = watch(site="east-lake")
    await next_of(events)
    world.parts.live.publish("frame", "other", {"device": "x"})
    world.parts.live.publish("frame", "east-lake", {"device": "电表\n一"})

    assert told_of(await next_of(events)) == ("frame", "2", {"site": "east-lake", "device": "电表\n一"})


async def test_after_a_cut_line_it_goes_on_where_it_was(world, watch):
    for number in range(3):
        world.parts.live.publish("photo", "east-lake", {"photo": number})
    events = watch(site="east-lake", after=1)
    await next_of(events)

    assert [told_of(await next_of(events))[2]["photo"] for _ in range(2)] == [0 + 1, 2]


async def test_a_watcher_that_missed_too_much_is_told_to_start_over(world, watch):
    for number in range(2500):
        world.parts.live.publish("photo", "east-lake", {"photo": number})
    events = watch(after=3)
    await next_of(events)

    assert told_of(await next_of(events))[0] == "resync"


async def test_silence_is_broken_by_a_heartbeat(watch):
    events = watch(heartbeat_s=0.01)
    await next_of(events)

    assert told_of(await next_of(events))[0] == "clock"
    assert told_of(await next_of(events))[0] == "clock"


async def test_it_ends_when_the_service_stops(world, watch):
    events = watch()
    await next_of(events)
    world.services.stopping.set()

    with pytest.raises(StopAsyncIteration):
        await next_of(events)
    assert world.parts.live.watchers == 0


async def test_a_watcher_that_leaves_is_forgotten(world, watch):
    events = watch()
    await next_of(events)
    await events.aclose()

    assert world.parts.live.watchers == 0


async def test_a_simulated_clock_tells_its_speed(open_world):
    clock = ScaledClock(start=datetime(2026, 3, 1, tzinfo=UTC), real_mono=time.monotonic(), speed=3600.0)
    events = stream(open_world(clock=clock).services, None, None)
    _, _, said = told_of(await next_of(events))
    await events.aclose()

    assert said["rate"] == 3600.0


async def test_two_hundred_watchers_all_hear_it(world, watch):
    streams = [watch() for _ in range(200)]
    for events in streams:
        await next_of(events)
    world.parts.live.publish("alert", "east-lake", {"id": 1})
    heard = await asyncio.gather(*(next_of(events) for events in streams))

    assert {told_of(chunk)[1] for chunk in heard} == {"1"}
