"""Everything reaches central exactly once, whatever the link does in between."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from plumbline import codec
from plumbline.clock import ManualClock
from plumbline.messages import Ack, Photo
from plumbline_edge.uplink import Budget, SpentFile

DATA = ("e1", "data")


@asynccontextmanager
async def running(uplink):
    task = asyncio.create_task(uplink.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


def deliver(fakes, outbox, central, *, seconds: float = 3600, **options):
    """Run an uplink until everything is settled."""
    uplink = fakes.uplink(outbox, central, **options)

    async def scenario() -> None:
        async with running(uplink), asyncio.timeout(seconds):
            uplink.wake()
            await uplink.drained()

    fakes.live(scenario)
    return uplink


def texts(first: int, last: int) -> dict[int, str]:
    return {n: str(n) for n in range(first, last + 1)}


def test_a_backlog_of_many_batches_arrives_whole_and_once(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 3000)
    uplink = deliver(fakes, outbox, central)

    assert central.stored[DATA] == texts(1, 3000)
    assert len(central.batches) == 6
    assert uplink.counters["records_sent"] == 3000
    assert uplink.counters["records_resent"] == 0


@pytest.mark.parametrize("seed", range(6))
def test_lost_batches_and_lost_answers_are_sent_again(fakes, seed):
    outbox, central = fakes.outbox(), fakes.central(loses=0.3, seed=seed)
    outbox.write("data", 6000)
    outbox.write("status", 700)
    deliver(fakes, outbox, central)

    assert central.stored == {DATA: texts(1, 6000), ("e1", "status"): texts(1, 700)}


def test_a_refused_batch_is_parked_and_the_rest_goes_on(fakes):
    outbox, central = fakes.outbox(), fakes.central(refuses={700})
    outbox.write("data", 1500)
    uplink = deliver(fakes, outbox, central)

    assert set(central.stored[DATA]) == set(range(1, 501)) | set(range(1001, 1501))
    assert outbox.parked == [(DATA, 501, 1000, "not to be had")]
    assert uplink.counters["refused"] == 500


def test_an_older_epoch_is_drained_after_the_current_one(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 600, epoch="e0")
    outbox.write("data", 10)
    deliver(fakes, outbox, central)

    assert central.stored == {("e0", "data"): texts(1, 600), DATA: texts(1, 10)}
    assert central.batches[0] == ("data", 1, 10)


def test_without_a_link_nothing_is_sent_and_everything_when_it_is_back(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 10)
    central.connected = False
    uplink = fakes.uplink(outbox, central)

    async def scenario() -> None:
        async with running(uplink):
            await asyncio.sleep(1000)
            assert outbox.asked == 0
            central.connected = True
            uplink.reconnected()
            await uplink.drained()

    fakes.live(scenario)

    assert central.stored[DATA] == texts(1, 10)


def test_a_silent_centre_is_asked_ever_more_rarely_and_said_once(fakes, caplog):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 100)
    central.away = True
    uplink = fakes.uplink(outbox, central)
    counts = []

    async def scenario() -> None:
        async with running(uplink):
            for _ in range(4):
                await asyncio.sleep(900)
                counts.append(len(central.batches))
            central.away = False
            await uplink.drained()

    with caplog.at_level(logging.WARNING):
        fakes.live(scenario)

    assert counts[0] < 9
    assert counts[3] - counts[2] <= 3
    assert [record.message.split(":")[0].split(" after")[0] for record in caplog.records] == [
        "central's acknowledgements lost",
        "central's acknowledgements back",
    ]
    assert central.stored[DATA] == texts(1, 100)


def test_only_what_was_lost_is_sent_again(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 1500)
    drop = {2}
    publish, seen = central.publish, []

    async def losing(topic, payload):
        seen.append(payload)
        if len(seen) not in drop:
            await publish(topic, payload)

    central.publish = losing
    uplink = deliver(fakes, outbox, central)

    assert central.batches == [("data", 1, 500), ("data", 1001, 1500), ("data", 501, 1000)]
    assert uplink.counters["records_resent"] == 500
    assert uplink.counters["timeouts"] == 1


def test_answers_that_fit_nothing_that_was_written_are_counted_and_ignored(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 3)
    uplink = fakes.uplink(outbox, central)
    foreign = (
        Ack(epoch="0" * 16, lane="data", through=3),
        Ack(epoch="e1", lane="data", through=4),
        Ack(epoch="e1", lane="data", through=-1),
        Ack(epoch="e1", lane="data", through=0, also=((3, 2),)),
        Ack(epoch="e1", lane="data", through=0, also=((0, 2),)),
    )

    async def scenario() -> None:
        for ack in foreign:
            uplink.acknowledged(codec.encode_ack(ack))
        uplink.acknowledged(b"garbage")
        uplink.acknowledged(b"\x81\xa2zz" + b"\x91" * 5000 + b"\xc0")

    fakes.live(scenario)

    assert uplink.counters["acks_foreign"] == len(foreign)
    assert uplink.counters["acks"] == 0
    assert outbox.settled(DATA) == ()


def test_what_the_outbox_evicts_while_it_is_sent_neither_stalls_nor_spins(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 3000)
    run_in = outbox.run_in

    async def evicting(stream, first, last, **limits):
        if outbox.asked == 2:
            outbox.evict("data", first - 10, first + 99)
        if outbox.asked == 3:
            outbox.evict("data", first, last)
        return await run_in(stream, first, last, **limits)

    outbox.run_in = evicting
    deliver(fakes, outbox, central)

    assert set(central.stored[DATA]) >= set(range(1, 991))
    assert outbox.asked < 20


def test_records_that_the_outbox_misses_without_saying_so_are_asked_for_once(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 10)
    settled = outbox.settled
    outbox.evict("data", 4, 10)
    outbox.settled = lambda stream: outbox.acked.get(stream, ())
    uplink = fakes.uplink(outbox, central)

    async def scenario() -> None:
        async with running(uplink):
            uplink.wake()
            await asyncio.sleep(1000)

    fakes.live(scenario)

    assert central.stored[DATA] == texts(1, 3)
    assert outbox.asked == 2
    assert settled(DATA) == ((1, 10),)


def test_a_card_that_fails_is_tried_again_and_said_once(fakes, caplog):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 10)
    outbox.fails = True
    uplink = fakes.uplink(outbox, central)

    async def scenario() -> None:
        async with running(uplink):
            await asyncio.sleep(61)
            asked.append(outbox.asked)
            outbox.fails = False
            await uplink.drained()

    asked: list[int] = []
    with caplog.at_level(logging.WARNING):
        fakes.live(scenario)

    assert asked == [13]
    assert len(caplog.records) == 2
    assert central.stored[DATA] == texts(1, 10)


def test_status_goes_before_readings_and_photos_last_one_at_a_time(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.append("photo", *(Photo(camera="c", photo=str(n), jpeg=bytes(n)) for n in range(10)))
    outbox.write("data", 2000)
    outbox.write("status", 300)
    deliver(fakes, outbox, central)

    assert central.batches[:2] == [("status", 1, 200), ("status", 201, 300)]
    assert [lane for lane, _, _ in central.batches].index("photo") == len(central.batches) - 3
    assert central.batches[-3:] == [("photo", 1, 4), ("photo", 5, 8), ("photo", 9, 10)]


def test_after_a_reconnect_live_readings_go_at_once_and_the_backlog_within_two_seconds(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    uplink = fakes.uplink(outbox, central)
    went: list[tuple[float, int]] = []
    publish = central.publish

    async def noting(topic, payload):
        went.append((asyncio.get_running_loop().time(), codec.open_batch(payload).first))
        await publish(topic, payload)

    central.publish = noting

    async def scenario() -> None:
        async with running(uplink):
            uplink.reconnected()
            outbox.write("data", 1)
            uplink.wake()
            await uplink.drained()
            central.connected = False
            outbox.write("data", 99)
            await asyncio.sleep(10)
            central.connected = True
            uplink.reconnected()
            await asyncio.sleep(0)
            outbox.write("data", 1)
            uplink.wake()
            await uplink.drained()

    fakes.live(scenario)

    assert [first for _, first in went] == [1, 101, 2]
    assert went[0][0] == 0
    assert went[1][0] == 10
    assert 10 < went[2][0] <= 12
    assert uplink.counters["reconnects"] == 1


def test_a_batch_that_came_out_too_large_is_cut_and_a_record_that_is_too_large_is_parked(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    huge = codec.MAX_PAYLOAD_BYTES
    chance = random.Random(1)
    pictures = [chance.randbytes(size) for size in (400_000, 400_000, 400_000, huge, 10)]
    outbox.append("photo", *(Photo(camera="c", photo="p", jpeg=jpeg) for jpeg in pictures))
    uplink = fakes.uplink(outbox, central)
    uplink._pace.batch_bytes = 4 * huge  # an estimate that was wrong

    async def scenario() -> None:
        async with running(uplink):
            await uplink.drained()

    fakes.live(scenario)

    assert set(central.stored[("e1", "photo")]) == {1, 2, 3, 5}
    assert [(first, last) for _, first, last, _ in outbox.parked] == [(4, 4)]


def test_at_the_days_budget_the_backlog_waits_for_midnight_while_status_goes_on(fakes, tmp_path):
    outbox, central = fakes.outbox(), fakes.central()
    clock = ManualClock(datetime(2026, 7, 1, 4, tzinfo=UTC))
    file = SpentFile(tmp_path / "sent_today.json")
    budget = Budget(0.004, zone=ZoneInfo("Asia/Shanghai"), clock=clock)
    uplink = fakes.uplink(outbox, central, budget=budget, spent_file=file)
    outbox.write("data", 4000)
    seen = []

    async def scenario() -> None:
        async with running(uplink):
            await asyncio.sleep(30)
            outbox.write("status", 1)
            uplink.wake()
            await asyncio.sleep(70)
            seen.append((len(central.stored[DATA]), uplink.gauges()["budget_waiting"], file.read()))
            assert ("e1", "status") in central.stored
            clock.advance(12 * 3600)
            await asyncio.sleep(6)
            seen.append((len(central.stored[DATA]), uplink.gauges()["bytes_sent_today"]))

    fakes.live(scenario)

    assert 0 < seen[0][0] < 4000
    assert seen[0][1] == 1.0
    assert seen[0][2].day == "2026-07-01"
    assert seen[0][2].sent > 4000
    assert seen[1][0] > seen[0][0]
    assert msgspec.json.decode((tmp_path / "sent_today.json").read_bytes())["day"] == "2026-07-02"


def test_gauges_say_what_is_on_its_way_and_how_the_link_does(fakes):
    outbox, central = fakes.outbox(), fakes.central()
    outbox.write("data", 1000)
    central.away = True
    uplink = fakes.uplink(outbox, central)

    async def scenario() -> None:
        async with running(uplink):
            await asyncio.sleep(1)
            assert uplink.gauges() == {"in_flight": 2.0, "rtt_ms": 0.0, "batch_bytes_max": 32768.0}

    fakes.live(scenario)


def test_an_acknowledgement_of_more_than_there_is_tells_the_outbox_that_it_lost_its_end(fakes):
    outbox = fakes.outbox()
    outbox.write("data", 3)
    uplink = fakes.uplink(outbox, fakes.central())
    uplink.acknowledged(codec.encode_ack(Ack(epoch="another", lane="data", through=9)))
    before = outbox.ahead
    uplink.acknowledged(codec.encode_ack(Ack(epoch=outbox.epoch, lane="data", through=2, also=((4, 7),))))

    assert before is None
    assert outbox.ahead == ((outbox.epoch, "data"), 7)
    assert uplink.counters["acks_foreign"] == 2
