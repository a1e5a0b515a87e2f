"""The alert stream goes on where a consumer was, also over a restart of central."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.api.alert_stream import stream


@pytest.fixture
async def watch():
    opened = []

    def open_stream(services, after=None, site=None, **how):
        opened.append(stream(services, site, after, **how))
        return opened[-1]

    yield open_stream
    for one in opened:
        await one.aclose()


async def next_of(events):
    return (await asyncio.wait_for(anext(events), 5)).decode()


def told_of(chunk):
    fields = dict(line.split(": ", 1) for line in chunk.strip().splitlines())
    return int(fields["id"]), json.loads(fields["data"])


def raise_(world, subject):
    slot = Slot(site="east-lake", rule="meter_fault", subject=subject)
    world.clock.advance(timedelta(hours=1).total_seconds())
    found = Condition(slot=slot, severity="amber", since=world.clock.wall())
    with world.parts.book.write() as writer:
        writer.settle([found], ["meter_fault"], world.clock.wall())


async def test_a_new_consumer_hears_of_what_happens_from_now_on(world, watch):
    raise_(world, "m1")
    events = watch(world.services)
    assert (await next_of(events)).startswith("retry:")
    coming = asyncio.ensure_future(next_of(events))
    await asyncio.sleep(0.05)
    raise_(world, "m2")
    heard = [told_of(await coming)[1]]
    heard.append(told_of(await next_of(events))[1])

    assert {(said["what"], said["subject"]) for said in heard} == {("raised", "m2"), ("returned", "m1")}


async def test_whoever_was_away_hears_what_it_missed_once(world, watch):
    for subject in ("m1", "m2", "m3"):
        raise_(world, subject)
    events = watch(world.services, after=0)
    await next_of(events)
    whole = [told_of(await next_of(events)) for _ in range(5)]
    again = watch(world.services, after=whole[1][0])
    await next_of(again)
    rest = [told_of(await next_of(again)) for _ in range(3)]

    assert rest == whole[2:]
    assert [number for number, _ in whole] == sorted({number for number, _ in whole})


async def test_an_id_of_another_central_is_answered_with_a_resync(world, watch):
    raise_(world, "m1")
    events = watch(world.services, after=10**9)
    await next_of(events)

    assert await next_of(events) == "event: resync\ndata: {}\n\n"


async def test_silence_is_broken_now_and_then_and_ends_with_the_service(world, watch):
    events = watch(world.services, heartbeat_s=0.01)
    await next_of(events)
    assert await next_of(events) == ": still here\n\n"
    world.services.stopping.set()

    rest = [chunk async for chunk in events]

    assert set(rest) <= {b": still here\n\n"}
