"""The outbox never outgrows its bound, lets go in its order, and says exactly what is gone."""

from __future__ import annotations

import itertools
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outbox_life import DAY_US, START_US, Site, everything, gaps, live, records

from plumbline import chain, codec, ranges
from plumbline.clock import ManualClock, from_us
from plumbline.messages import Event, Progress, Summary
from plumbline_edge.outbox import Draft, Limits, Outbox
from plumbline_edge.outbox.ballast import Ballast

SMALL = Limits(max_bytes=2 << 20)


def open_small(tmp_path, clock, limits=SMALL):
    return Outbox(tmp_path / "outbox.db", gateway="gw1", limits=limits, clock=clock)


async def state(outbox, lane):
    return next(s for s in await outbox.states() if s.lane == lane and s.epoch == outbox.epoch)


async def declared(outbox, lane):
    """What the gap records say is gone of a lane; no number twice."""
    of_lane = sorted((gap.first, gap.last) for gap in await gaps(outbox) if gap.lane == lane)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(of_lane))
    return ranges.union(tuple(of_lane))


async def test_a_full_outbox_stays_below_its_bound_and_declares_exactly_what_went(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        for _ in range(24):
            await live(outbox, site, 1)
            assert outbox.size_bytes() <= SMALL.max_bytes
        data = await state(outbox, "data")
        here = {r.seq for r in await records(outbox, (outbox.epoch, "data"))}

        assert data.gone > 5_000
        assert await declared(outbox, "data") == data.cut
        assert here == set(range(1, data.last + 1)) - {n for a, b in data.cut for n in range(a, b + 1)}


async def test_a_burst_beyond_the_bound_makes_its_own_room(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        for _ in range(24):
            await outbox.append(site.hours(1))
        await outbox.trim()

        assert outbox.size_bytes() <= SMALL.max_bytes
        assert await declared(outbox, "data") == (await state(outbox, "data")).cut


async def test_every_kept_record_still_leads_to_the_next_across_what_is_gone(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        for _ in range(20):
            await live(outbox, site, 1)
        bridges = {gap.first: gap for gap in await gaps(outbox) if gap.lane == "data"}
        head = chain.start("gw1", outbox.epoch, "data")
        for record in await records(outbox, (outbox.epoch, "data")):
            seq = record.seq
            while gap := bridges.pop(
                next((f for f in bridges if f < seq and bridges[f].prev == head), 0), None
            ):
                head = gap.head
            raw = codec.canonical(
                seq, record.at_us, record.boot, record.mono_us, record.clock, codec.encode_body(record.body)
            )
            head = chain.link(head, seq, raw)
        end = outbox._store.lanes[outbox.epoch, "data"].head

    assert bridges == {}
    assert head == end


async def test_photos_go_first_then_what_central_has_then_readings_are_thinned(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        await outbox.append([*site.hours(1), site.photo(), site.photo()])
        outbox.acknowledge((outbox.epoch, "data"), ((1, 400),))
        while (await state(outbox, "data")).cut == ():
            await live(outbox, site, 0.5)
        photo, data = await state(outbox, "photo"), await state(outbox, "data")
        went_first = await gaps(outbox)
        while not (await declared(outbox, "data")):
            await live(outbox, site, 0.5)
        said = await gaps(outbox)

    assert photo.kept == 0
    assert [(gap.lane, gap.why) for gap in went_first] == [("photo", "size")]
    assert data.cut[0][0] == 1
    assert data.cut[-1][1] <= 400
    assert {gap.why for gap in said if gap.lane == "data"} == {"thinned"}


async def test_summaries_stand_for_thinned_readings_and_gaps_name_them(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        for _ in range(20):
            await live(outbox, site, 1)
        all_gaps = [gap for gap in await gaps(outbox) if gap.lane == "data"]
        here = {r.seq: r for r in await records(outbox, (outbox.epoch, "data"))}

    assert {gap.why for gap in all_gaps} == {"thinned"}
    for instead in {gap.instead for gap in all_gaps}:
        stand_in = [here[n].body for n in range(instead[0], instead[1] + 1)]
        went = sum(gap.last - gap.first + 1 for gap in all_gaps if gap.instead == instead)
        assert all(isinstance(body, Summary) for body in stand_in)
        assert sum(body.frames for body in stand_in) == went
        assert {body.device for body in stand_in} == {"m0", "m1", "m2", "m3"}


async def test_when_nothing_is_left_to_thin_old_health_goes_and_then_the_oldest_and_events_stay(
    tmp_path, clock, site
):
    tiny = Limits(max_bytes=1 << 20)
    async with open_small(tmp_path, clock, tiny) as outbox:
        await outbox.append([site.event("first")])
        for _ in range(4 * 24):
            await live(outbox, site, 1)
        whys = {(gap.lane, gap.why) for gap in await gaps(outbox)}
        events = [r.body.text for r in (await everything(outbox)).values() if isinstance(r.body, Event)]

    assert {("data", "thinned"), ("data", "size"), ("status", "size")} <= whys
    assert events == ["first"]


async def test_progress_is_never_thinned(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        for day in range(20):
            judged = Progress(camera="east", photo=f"p{day}", percent=float(day), low=None, high=None)
            await outbox.append(
                [*site.hours(1), Draft.at(outbox._now(), "data", judged)],
            )
            await outbox.trim()
        kept = [r.body for r in await records(outbox, (outbox.epoch, "data"))]

    assert any(isinstance(body, Summary) for body in kept)
    assert [body.photo for body in kept if isinstance(body, Progress)] == [f"p{day}" for day in range(20)]


async def test_what_is_too_old_goes_declared_but_only_by_a_trusted_clock(tmp_path, clock, site):
    limits = Limits(max_age_s=2 * 86_400)
    async with open_small(tmp_path, clock, limits) as outbox:
        await outbox.append([*site.cycle(clock="unset"), *site.cycle(), *site.cycle()])
        clock.step(3 * 86_400)
        clock._trust = "unsynced"
        await outbox.trim()
        untrusted = await gaps(outbox)
        clock._trust = "synced"
        await outbox.trim()
        trusted = await gaps(outbox)

    assert untrusted == []
    assert trusted == []  # the oldest row's own clock was never set: nobody knows how old it is


async def test_old_readings_of_a_trusted_clock_go_with_age_as_the_reason(tmp_path, clock, site):
    limits = Limits(max_age_s=2 * 86_400)
    async with open_small(tmp_path, clock, limits) as outbox:
        await outbox.append([*site.cycle(), *site.cycle()])
        clock.advance(timedelta(days=3).total_seconds())
        await outbox.append([Draft.at(outbox._now(), "data", site.cycle()[0].body)])
        await outbox.trim()
        (gap,) = await gaps(outbox)

    assert (gap.lane, gap.first, gap.last, gap.why) == ("data", 1, 8, "age")
    assert (gap.from_us, gap.until_us) == (START_US + 10_000_000, START_US + 20_000_000)
    assert gap.until_us < START_US + DAY_US


async def test_however_much_is_old_one_trim_lets_it_all_go(tmp_path, clock, site):
    async with Outbox(
        tmp_path / "outbox.db", gateway="gw1", limits=Limits(keep_acknowledged_s=3600), clock=clock
    ) as outbox:
        for _ in range(5):
            await outbox.append(site.hours(1))
        outbox.acknowledge((outbox.epoch, "data"), ((1, 7_200),))
        went = await outbox.trim()

    assert went == 7_200


async def test_a_gap_survives_a_restart_and_stays_settled(tmp_path, clock, site):
    async with open_small(tmp_path, clock) as outbox:
        for _ in range(20):
            await live(outbox, site, 1)
        settled = outbox.settled((outbox.epoch, "data"))
    async with open_small(tmp_path, clock) as outbox:
        assert outbox.settled((outbox.epoch, "data")) == settled != ()


async def test_a_card_that_others_filled_is_survived_by_the_ballast(tmp_path, clock, site):
    """The card's fullness is played by SQLite's own bound, which fails in the same way."""
    async with open_small(tmp_path, clock, Limits(max_bytes=8 << 20)) as outbox:
        await live(outbox, site, 4)
        store, ballast = outbox._store, tmp_path / "outbox.ballast"
        had = ballast.exists()
        outbox._ballast = Ballast(ballast, outbox.limits.ballast_bytes, lambda _: 0)
        store.squeeze()
        await live(outbox, site, 2)
        data = await state(outbox, "data")

        assert had
        assert outbox.counters["outbox_squeezed"] == 1
        assert not ballast.exists()
        assert await declared(outbox, "data") == data.cut != ()


@given(st.lists(st.sampled_from(["cycle", "hour", "photo", "event", "trim", "ack", "reopen"]), max_size=24))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_whatever_happens_what_is_missing_is_what_was_declared_or_acknowledged(tmp_path_factory, story):
    folder = tmp_path_factory.mktemp("outbox")
    site, clock = Site(), ManualClock(from_us(START_US))
    limits = Limits(max_bytes=1 << 20, keep_acknowledged_s=600)
    outbox = await open_small(folder, clock, limits).__aenter__()
    acknowledged = 0
    for what in story:
        data = (outbox.epoch, "data")
        match what:
            case "cycle":
                await outbox.append(site.cycle())
            case "hour":
                await outbox.append(site.hours(1))
                clock.advance(3600)
            case "photo":
                await outbox.append([site.photo()])
            case "event":
                await outbox.append([site.event()])
            case "trim":
                await outbox.trim()
            case "ack":
                acknowledged = (acknowledged + outbox.last(data)) // 2
                outbox.acknowledge(data, ((1, acknowledged),) if acknowledged else ())
            case "reopen":
                await outbox.__aexit__(None, None, None)
                outbox = await open_small(folder, clock, limits).__aenter__()
    for lane in ("status", "data", "photo"):
        stream = (outbox.epoch, lane)
        here = {r.seq for r in await records(outbox, stream)}
        said = {n for gap in await gaps(outbox) if gap.lane == lane for n in range(gap.first, gap.last + 1)}
        had = set(range(1, acknowledged + 1)) if lane == "data" else set()
        missing = set(range(1, outbox.last(stream) + 1)) - here

        assert said <= missing
        assert missing <= said | had
    await outbox.__aexit__(None, None, None)
