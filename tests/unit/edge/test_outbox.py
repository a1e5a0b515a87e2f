"""What is committed stays, in order, chained; on a real SQLite file."""

from __future__ import annotations

import sqlite3

import pytest
import sqlite_utils

from plumbline import chain, codec
from plumbline.errors import ConfigError, Unreachable
from plumbline.messages import Event, Frame, Photo
from plumbline_edge.outbox import Draft, Outbox


def draft(n: int, lane: str = "data") -> Draft:
    body = Photo(camera="east", photo=str(n)) if lane == "photo" else Event(code="started", text=str(n))
    return Draft(lane=lane, at_us=n * 1_000_000, boot="b", mono_us=n, clock="synced", body=body)


async def everything(outbox: Outbox, lane: str = "data"):
    return await outbox.run_after(lane, 0, max_records=1000, max_bytes=1 << 20)


async def test_a_run_continues_the_chain_from_its_start(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1), draft(2)])
        await outbox.append([draft(3)])
        run = await everything(outbox)
        head = chain.start("gw1", outbox.epoch, "data")
        for r in run.records:
            raw = codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, codec.encode_body(r.body))
            head = chain.link(head, r.seq, raw)

    assert [r.seq for r in run.records] == [1, 2, 3]
    assert run.prev == chain.start("gw1", outbox.epoch, "data")
    assert run.head == head


async def test_photos_have_a_lane_of_their_own(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1), draft(2, "photo"), draft(3)])

        assert [r.seq for r in (await everything(outbox)).records] == [1, 2]
        assert [r.seq for r in (await everything(outbox, "photo")).records] == [1]


async def test_a_restart_goes_on_with_the_same_epoch_and_the_next_number(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        epoch = outbox.epoch
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(2)])
        run = await everything(outbox)

    assert outbox.epoch == epoch
    assert [r.body.text for r in run.records] == ["1", "2"]


async def test_a_new_file_is_a_new_epoch(tmp_path):
    async with (
        Outbox(tmp_path / "a.db", gateway="gw1") as one,
        Outbox(tmp_path / "b.db", gateway="gw1") as other,
    ):
        assert one.epoch != other.epoch


async def test_only_old_and_acknowledged_records_are_pruned_and_the_chain_goes_on(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(n) for n in range(1, 11)])
        before = await everything(outbox)
        outbox.acknowledge("data", 6)
        gone = await outbox.prune(before_us=8_000_000)
        rest = await everything(outbox)
        tail = await outbox.run_after("data", 6, max_records=10, max_bytes=1 << 20)

    assert gone == 6
    assert rest.first == 7
    assert (tail.first, tail.last) == (7, 10)
    assert tail.prev == head_after(before, 6)


def head_after(run, seq):
    head = run.prev
    for r in run.records[:seq]:
        raw = codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, codec.encode_body(r.body))
        head = chain.link(head, r.seq, raw)
    return head


async def test_an_acknowledgement_of_what_was_never_written_is_ignored(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        outbox.acknowledge("data", 99)
        data, _ = await outbox.states()

    assert (data.acknowledged, data.waiting) == (0, 1)


async def test_what_central_acknowledged_is_written_with_the_next_commit_or_at_the_end(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1), draft(2)])
        outbox.acknowledge("data", 1)
        await outbox.append([draft(3)])
        written = outbox._db.execute("SELECT acknowledged FROM lane WHERE lane = 'data'").fetchone()
        outbox.acknowledge("data", 3)
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        data, _ = await outbox.states()

    assert written == (1,)
    assert (data.acknowledged, data.waiting) == (3, 0)


async def test_a_run_ends_at_the_byte_limit_but_holds_one_record_at_least(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        big = Frame(device="m", metrics=tuple(range(1, 30)), values=tuple(range(29)))
        await outbox.append(
            [Draft(lane="data", at_us=n, boot="b", mono_us=n, clock="synced", body=big) for n in range(5)]
        )
        run = await outbox.run_after("data", 0, max_records=10, max_bytes=1)

    assert len(run.records) == 1


async def test_a_full_card_is_said_and_loses_nothing_that_was_kept(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
        outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(Unreachable, match="full"):
            await outbox.append([draft(n) for n in range(2, 2000)])
        outbox._db.execute("PRAGMA max_page_count = 100000")
        await outbox.append([draft(2)])
        run = await everything(outbox)

    assert [r.body.text for r in run.records] == ["1", "2"]


async def test_the_file_of_another_gateway_is_refused(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1"):
        pass
    with pytest.raises(ConfigError, match="belongs to gateway 'gw1'"):
        async with Outbox(tmp_path / "outbox.db", gateway="gw2"):
            pass


async def test_a_missing_folder_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="unable to open"):
        async with Outbox(tmp_path / "nowhere" / "outbox.db", gateway="gw1"):
            pass


async def test_every_commit_is_synchronous(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        assert outbox._db.execute("PRAGMA synchronous").fetchone() == (2,)
        assert outbox._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_plain_sqlite_utils_reads_it(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        await outbox.append([draft(1)])
        db = sqlite_utils.Database(sqlite3.connect(tmp_path / "outbox.db"))
        rows = list(db["record"].rows)
        db.conn.close()

    assert [(row["lane"], row["seq"]) for row in rows] == [("data", 1)]
