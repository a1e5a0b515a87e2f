import asyncio
from contextlib import aclosing

import pytest

from plumbline_central import live
from plumbline_central.live import RESYNC, LiveHub


async def take(events, count):
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


async def watch(hub, *arguments):
    """A subscription that is already in place: the generator starts with its first wait."""
    events = hub.subscribe(*arguments)
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    return events, first


async def test_a_watcher_gets_what_happens_at_its_site_from_any_thread():
    hub = LiveHub()
    events, first = await watch(hub, "a12")
    await asyncio.to_thread(hub.publish, "frame", "b07", {"n": 1})
    await asyncio.to_thread(hub.publish, "frame", "a12", {"n": 2})
    await asyncio.to_thread(hub.publish, "photo", "a12", {"n": 3})

    got = [await first, *await take(events, 1)]

    assert [(e.kind, e.site, e.data["n"]) for e in got] == [("frame", "a12", 2), ("photo", "a12", 3)]
    await events.aclose()
    assert hub.watchers == 0


async def test_who_comes_back_gets_what_was_missed():
    hub = LiveHub()
    for n in range(10):
        hub.publish("frame", "a12", {"n": n})
    async with aclosing(hub.subscribe("a12", 4)) as events:
        got = await take(events, 6)

    assert [e.id for e in got] == [5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("last_id", [1, 5_000_000])
async def test_who_was_away_too_long_or_knows_another_process_is_told_to_start_over(last_id):
    hub = LiveHub(first_id=1)
    for n in range(3000):
        hub.publish("frame", "a12", {"n": n})
    async with aclosing(hub.subscribe("a12", last_id)) as events:
        (got,) = await take(events, 1)

    assert (got.kind, got.id) == (RESYNC, 3000)


async def test_a_slow_watcher_is_told_to_start_over_and_a_quick_one_misses_nothing():
    hub = LiveHub()
    slow, slow_first = await watch(hub)
    quick, quick_first = await watch(hub)
    got = []
    for n in range(live._WATCHER_QUEUE + 100):
        hub.publish("frame", "a12", {"n": n})
        if n == 0:
            got.append(await quick_first)
            await slow_first
        elif n % 50 == 0:
            got += await take(quick, 50)

    assert [e.data["n"] for e in got] == list(range(len(got)))
    (first,) = await take(slow, 1)
    assert first.kind == RESYNC
    await slow.aclose()
    await quick.aclose()


async def test_a_gap_at_other_sites_is_no_gap_for_this_one():
    hub = LiveHub()
    hub.publish("frame", "a12", {})
    hub.publish("frame", "b07", {})
    async with aclosing(hub.subscribe("a12", 1)) as events:
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        hub.publish("alert", "a12", {"x": 1})

        assert (await waiting).kind == "alert"
