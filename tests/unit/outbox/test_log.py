"""What is committed stays, in order, chained; on a real SQLite file."""

from __future__ import annotations

import sqlite3

import pytest
import sqlite_utils
from outbox_life import records

from plumbline import chain, codec
from plumbline.errors import ConfigError
from plumbline.messages import Event, Frame, Photo
from plumbline_edge.outbox import Draft, Limits, Outbox
from plumbline_edge.outbox.ballast import Ballast
from plumbline_edge.outbox.mark import read_mark


def draft(n: int, lane: str = "data") -> Draft:
    body = Photo(camera="east", photo=str(n)) if lane == "photo" else Event(code="started", text=str(n))
    return Draft(lane=lane, at_us=n * 1_000_000, boot="b", mono_us=n, clock="synced", body=body)


def data(outbox):
    return (outbox.epoch, "data")


async def run_from(outbox, first=1, *, lane="data", **limits):
    limits = {"max_records": 1000, "max_bytes": 1 << 20} | limits
    return await outbox.run_in((outbox.epoch, lane), first, 1 << 40, **limits)


async def state(outbox, lane="data"):
    return next(s for s in await outbox.states() if s.lane == lane and s.epoch == outbox.epoch)


async def test_a_run_continues_the_chain_from_its_start(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1), draft(2)])
        await outbox.append([draft(3)])
        run = await run_from(outbox)
        head = chain.start("gw1", outbox.epoch, "data")
        for r in run.records:
            raw = codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, codec.encode_body(r.body))
            head = chain.link(head, r.seq, raw)

    assert [r.seq for r in run.records] == [1, 2, 3]
    assert run.prev == chain.start("gw1", outbox.epoch, "data")
    assert run.head == head


async def test_each_lane_has_its_own_numbers(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1), draft(2, "photo"), draft(3), draft(4, "status")])

        assert [r.seq for r in (await run_from(outbox)).records] == [1, 2]
        assert [r.seq for r in (await run_from(outbox, lane="photo")).records] == [1]
        assert [lane for _, lane in outbox.streams()] == ["status", "data", "photo"]


async def test_a_restart_goes_on_with_the_same_epoch_and_the_next_number(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        epoch = outbox.epoch
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(2)])
        run = await run_from(outbox)

    assert outbox.epoch == epoch
    assert [r.body.text for r in run.records] == ["1", "2"]


async def test_a_new_file_is_a_new_epoch(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with (
        Outbox(tmp_path / "a" / "outbox.db", gateway="gw1") as one,
        Outbox(tmp_path / "b" / "outbox.db", gateway="gw1") as other,
    ):
        assert one.epoch != other.epoch


async def test_only_old_and_acknowledged_records_are_pruned_and_the_chain_goes_on(tmp_path, clock, site):
    limits = Limits(keep_acknowledged_s=86_400 - 300)
    async with Outbox(tmp_path / "outbox.db", gateway="gw1", limits=limits, clock=clock) as outbox:
        await outbox.append(site.hours(0.5))
        before = await run_from(outbox)
        outbox.acknowledge(data(outbox), ((1, 400),))
        gone = await outbox.trim()
        rest = await run_from(outbox)
        tail = await run_from(outbox, 401)

    assert gone == rest.first - 1 == 120 - 4  # what was read in the first 300 s, bounds excluded
    assert tail.first == 401
    assert rest.records == before.records[rest.first - 1 :]


async def test_an_acknowledgement_of_what_was_never_written_is_ignored(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        outbox.acknowledge(data(outbox), ((1, 99),))
        outbox.acknowledge(("another", "data"), ((1, 1),))
        now = await state(outbox)

    assert (now.acknowledged, now.waiting) == ((), 1)


async def test_what_central_acknowledged_is_written_with_the_next_commit_or_at_the_end(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(n) for n in range(1, 9)])
        outbox.acknowledge(data(outbox), ((1, 2), (5, 6)))
        await outbox.append([draft(9)])
        written = outbox._store.db.execute("SELECT first, last FROM acknowledged ORDER BY first").fetchall()
        outbox.acknowledge(data(outbox), ((3, 4),))
        settled = outbox.settled(data(outbox))
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        now = await state(outbox)

    assert written == [(1, 2), (5, 6)]
    assert settled == ((1, 6),)
    assert (now.through, now.waiting) == (6, 3)


async def test_what_central_refused_is_settled_and_kept(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(n) for n in range(1, 5)])
        await outbox.park(data(outbox), 2, 3, "no sense")
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        now = await state(outbox)

    assert outbox.settled(data(outbox)) == ((2, 3),)
    assert (now.parked, now.waiting, now.kept) == (2, 2, 4)


async def test_a_run_ends_at_the_byte_limit_but_holds_one_record_at_least(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        big = Frame(device="m", metrics=tuple(range(1, 30)), values=tuple(range(29)))
        await outbox.append(
            [Draft(lane="data", at_us=n, boot="b", mono_us=n, clock="synced", body=big) for n in range(5)]
        )
        run = await run_from(outbox, max_records=10, max_bytes=1)

    assert len(run.records) == 1


async def test_a_run_ends_where_it_was_asked_to(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(n) for n in range(1, 9)])

        run = await outbox.run_in(data(outbox), 3, 5, max_records=100, max_bytes=1 << 20)
        assert (run.first, run.last) == (3, 5)
        assert await outbox.run_in(data(outbox), 9, 20, max_records=100, max_bytes=1 << 20) is None


async def test_the_file_of_another_gateway_is_refused(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1"):
        pass
    with pytest.raises(ConfigError, match="belongs to gateway 'gw1'"):
        async with Outbox(tmp_path / "outbox.db", gateway="gw2"):
            pass


async def test_the_file_of_a_newer_version_is_left_alone(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        outbox._store.db.execute("PRAGMA user_version = 3")
    with pytest.raises(ConfigError, match="newer Plumbline"):
        async with Outbox(tmp_path / "outbox.db", gateway="gw1"):
            pass

    assert not list(tmp_path.glob("*bad*"))


async def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="unable to open"):
        async with Outbox(tmp_path / "nowhere" / "outbox.db", gateway="gw1"):
            pass


async def test_every_commit_is_synchronous(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        assert outbox._store.db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert outbox._store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_plain_sqlite_utils_reads_it(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        db = sqlite_utils.Database(sqlite3.connect(tmp_path / "outbox.db"))
        rows = list(db.query("SELECT l.name, r.seq FROM record r JOIN lane l ON l.id = r.lane"))
        db.conn.close()

    assert rows == [{"name": "data", "seq": 1}]


async def test_the_mark_says_how_far_each_lane_was_written(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1), draft(2)])
        run = await run_from(outbox)
        mark = read_mark(tmp_path / "outbox.mark")

    assert mark.epoch == outbox.epoch
    assert mark.lanes["data"][1:] == (3, run.head)
    assert mark.lanes["photo"][1] == 1
    assert len(await records_of(tmp_path)) == 2


async def records_of(folder):
    async with Outbox(folder / "outbox.db", gateway="gw1") as outbox:
        return await records(outbox, data(outbox))


@pytest.mark.parametrize("raw", [b"", b"\x00" * 40, b"\xff" * 1024])
def test_an_unreadable_mark_says_nothing(tmp_path, raw):
    (tmp_path / "outbox.mark").write_bytes(raw)

    assert read_mark(tmp_path / "outbox.mark") is None


async def test_an_acknowledgement_of_what_central_refused_changes_nothing(tmp_path):
    """After a card was put back: central has records of these numbers, but not these."""
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(n) for n in range(1, 9)])
        await outbox.park(data(outbox), 3, 4, "the chain after record 3 is not the one already stored")
        outbox.acknowledge(data(outbox), ((1, 5),))
        now = await state(outbox)

    assert now.acknowledged == ((1, 2), (5, 5))
    assert (now.parked, now.kept) == (2, 8)


async def test_a_full_card_gives_up_the_ballast_to_open(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
    outbox = Outbox(tmp_path / "outbox.db", gateway="gw1")
    outbox._ballast = Ballast(tmp_path / "outbox.ballast", outbox.limits.ballast_bytes, lambda _: 0)
    async with outbox:
        await outbox.append([draft(2)])

        assert not (tmp_path / "outbox.ballast").exists()
        assert outbox.counters["outbox_squeezed"] == 1
