import asyncio
import dataclasses
import logging
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from plumbline.clock import ManualClock, from_us
from plumbline.errors import Refused
from plumbline_central.proof import heads, merkle
from plumbline_central.proof.heads import DailyHeads, Head, make_head


def make(proofs, now):
    return make_head(proofs.tree, proofs.book, proofs.key, now)


def test_a_head_is_signed_over_size_root_time_and_every_lanes_end(site, now):
    with site.proofs() as proofs:
        made = make(proofs, now)
        tails = proofs.book.tails(made.size)
        leaves = list(proofs.tree.leaves(0, made.size))
        key = proofs.key.public

    made.check_signature(key)
    assert (made.size, from_us(made.at_us), made.root) == (14, now, merkle.root(leaves))
    assert made.tails == heads.tails_digest(tails)
    one = site.gateways["gw-1"]
    assert ("gw-1", "e1", "data", 81, one.heads["data"][81]) in tails
    assert len(tails) == 6
    assert Head.from_json(made.file) == made


@pytest.mark.parametrize(
    "change",
    [
        {"size": 15},
        {"root": b"r" * 32},
        {"at_us": 1},
        {"tails": b"t" * 32},
        {"signature": b"s" * 64},
        {"v": 2},
    ],
)
def test_a_head_with_anything_changed_is_refused(site, now, change):
    with site.proofs() as proofs:
        made = make(proofs, now)
        key = proofs.key.public

    with pytest.raises(Refused):
        dataclasses.replace(made, **change).check_signature(key)


def test_each_head_goes_on_from_the_one_before(site, now):
    one = site.gateways["gw-1"]
    with site.proofs() as proofs:
        first = make(proofs, now)
    one.frames(5)
    site.receive(one.pack(82, 86))
    with site.proofs() as proofs:
        second = make(proofs, now + timedelta(days=1))
        path = proofs.tree.consistency(first.size, second.size)

        assert proofs.book.all() == [first, second]
    assert merkle.continues(first.size, first.root, second.size, second.root, path)


def test_where_nothing_came_since_the_newest_head_stays(site, now):
    with site.proofs() as proofs:
        first = make(proofs, now)

        assert make(proofs, now + timedelta(days=1)) == first
        assert proofs.book.all() == [first]


def test_a_head_that_does_not_go_on_is_refused_and_not_kept(site, now):
    one = site.gateways["gw-1"]
    with site.proofs() as proofs:
        first = make(proofs, now)
    one.frames(5)
    site.meddle("UPDATE batch SET payload = payload || x'00' WHERE id = 3")
    site.receive(one.pack(82, 86))
    with site.proofs() as proofs:
        with pytest.raises(Refused, match="the ledger was changed: row 3 is not what it was"):
            make(proofs, now)

        assert proofs.book.all() == [first]


def test_a_cache_made_anew_over_a_changed_ledger_does_not_go_on_from_the_old_head(site, now):
    with site.proofs() as proofs:
        make(proofs, now)
        with proofs.tree._db.write() as db:
            db.execute("DELETE FROM leaf_block")
    one = site.gateways["gw-1"]
    one.frames(5)
    site.receive(one.pack(82, 86))
    site.meddle("UPDATE batch SET last = 9 WHERE id = 2")

    with site.proofs() as proofs, pytest.raises(Refused, match="do not go on from the head of 14"):
        make(proofs, now)


def test_another_central_key_is_not_taken_for_the_old_one(site, now):
    with site.proofs() as proofs:
        make(proofs, now)
    (site.folder / "central.key").write_bytes(bytes(32))

    with site.proofs() as proofs, pytest.raises(Refused, match="was not signed by this central's key"):
        make(proofs, now)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"v": 1}', '{"v": 1, "size": "x"}', "[" * 100_000])
def test_nonsense_is_no_head(text):
    with pytest.raises(Refused, match="no tree head"):
        Head.from_json(text)


async def settle(clock):
    for _ in range(200):
        await asyncio.sleep(0.005)
        if clock.sleeping:
            return


async def test_a_head_is_made_at_the_start_and_then_after_each_midnight_utc(site, now):
    clock = ManualClock(datetime(2026, 11, 24, 23, 49, tzinfo=UTC))
    gateway = site.gateways["gw-1"]
    with site.proofs() as proofs:
        daily = DailyHeads(proofs.tree, proofs.book, proofs.key, clock, least_real_s=0)
        task = asyncio.create_task(daily.run())
        await settle(clock)
        for seq in (82, 83):
            gateway.frames(1)
            site.receive(gateway.pack(seq, seq))
            clock.advance(300)
            await settle(clock)
        before_midnight = len(proofs.book.all())
        clock.advance(301)
        await settle(clock)
        made = proofs.book.all()
        task.cancel()

    assert before_midnight == 1
    assert [(head.size, from_us(head.at_us).day) for head in made] == [(14, 24), (16, 25)]


async def test_a_changed_ledger_is_cried_out_and_the_task_goes_on(site, now, caplog):
    with site.proofs() as proofs:
        make(proofs, now - timedelta(days=1))
        site.meddle("DELETE FROM batch WHERE id = 14")
        clock = ManualClock(now)
        daily = DailyHeads(proofs.tree, proofs.book, proofs.key, clock, least_real_s=0)
        task = asyncio.create_task(daily.run())
        await settle(clock)

        assert not task.done()
        task.cancel()
    assert [r.levelno for r in caplog.records if "the ledger was changed" in r.message] == [logging.CRITICAL]


def words(site, now=None):
    with site.proofs() as proofs:
        return heads.check(
            proofs.ledger, proofs.tree, proofs.book, proofs.registry.gateways(), proofs.key.public
        )


@pytest.fixture
def headed(site, now):
    with site.proofs() as proofs:
        make(proofs, now)
    return site


def test_an_untouched_ledger_contains_its_head_also_after_more_came(headed):
    assert words(headed) == []
    one = headed.gateways["gw-1"]
    one.frames(5)
    headed.receive(one.pack(82, 86))

    assert words(headed) == []


SHIFT_DOWN = "UPDATE batch SET id = -id WHERE id > 4; UPDATE batch SET id = -id - 1 WHERE id < 0"
SHIFT_UP = "UPDATE batch SET id = -id WHERE id >= 4; UPDATE batch SET id = -id + 1 WHERE id < 0"
SWAP = "UPDATE batch SET id = -2 WHERE id = 2; UPDATE batch SET id = 2 WHERE id = 6; UPDATE batch SET id = 6 WHERE id = -2"
COPY = (
    "INSERT INTO batch SELECT 4, received_us, site, gateway, epoch, lane, first, last, prev, head, payload, taken"
    " FROM batch WHERE id = 3"
)


@pytest.mark.parametrize(
    ("script", "word", "row"),
    [
        ("DELETE FROM batch WHERE id = 4", "missing", 4),
        (f"DELETE FROM batch WHERE id = 4; {SHIFT_DOWN}", "missing", 4),
        ("UPDATE batch SET payload = zeroblob(200) WHERE id = 5", "altered", 5),
        ("UPDATE batch SET received_us = received_us, head = zeroblob(32) WHERE id = 5", "altered", 5),
        (f"{SHIFT_UP}; {COPY}", "inserted", 4),
        (SWAP, "reordered", 2),
        ("DELETE FROM batch WHERE id >= 13", "tail cut off", None),
        ("UPDATE batch SET gateway = 'gw-2', epoch = 'e2' WHERE id = 2", "another device", 2),
    ],
)
def test_each_tampering_with_the_ledger_is_found_and_named(headed, script, word, row):
    headed.meddle(script)
    found = words(headed)

    assert {finding.word for finding in found} == {word}
    assert found[0].row == row


@pytest.mark.parametrize("seed", range(40))
def test_whatever_else_is_done_to_the_ledger_is_found(headed, seed):
    rng = random.Random(seed)
    row, other = rng.sample(range(1, 15), 2)
    column = rng.choice(["site", "gateway", "epoch", "lane", "first", "last", "prev", "head", "payload"])
    deeds = {
        f"UPDATE batch SET {column} = (SELECT {column} FROM batch WHERE id = {other}) WHERE id = {row}": column,
        f"UPDATE batch SET payload = substr(payload, 1, {rng.randrange(200)}) WHERE id = {row}": "payload",
        f"DELETE FROM batch WHERE id IN ({row}, {other})": "id",
        f"UPDATE batch SET id = id + 100 WHERE id >= {row}": "id",
        f"UPDATE batch SET id = 99 WHERE id = {row}": "id",
        "UPDATE batch SET id = 200 - id": "id",
    }
    with headed.proofs() as proofs:
        before = list(proofs.ledger.links(0, 99))
    headed.meddle(rng.choice([*deeds]))
    with headed.proofs() as proofs:
        same = list(proofs.ledger.links(0, 999)) == before

    assert (words(headed) == []) == same


def test_a_cut_tail_names_the_lane_and_its_first_lost_record(headed):
    headed.meddle("DELETE FROM batch WHERE id >= 13")

    assert {(f.gateway, f.lane, f.seq) for f in words(headed)} == {
        ("gw-9", "data", 21),
        ("gw-9", "status", 1),
    }


def test_a_batch_that_another_enrolled_gateway_signed_is_named(headed):
    one, two = headed.gateways["gw-1"], headed.gateways["gw-2"]
    forged = msgspec.msgpack.decode(one.pack(1, 10))
    statement = msgspec.msgpack.encode(["plumbline/1/batch", *forged[1:9]])
    forged[10] = two.key.sign(statement)
    headed.meddle("UPDATE batch SET payload = ? WHERE id = 2", msgspec.msgpack.encode(forged))
    (finding,) = words(headed)

    assert (finding.word, finding.row) == ("another device", 2)
    assert "signed by gw-2" in finding.why


def test_a_forged_row_after_the_head_is_called_inserted(headed, paper_gateway):
    stranger = paper_gateway("gw-1")
    stranger.frames(90)
    headed.meddle(
        "INSERT INTO batch VALUES (15, 1, 'a12', 'gw-1', 'e1', 'data', 82, 90, ?, ?, ?, NULL)",
        stranger.heads["data"][81],
        stranger.heads["data"][90],
        stranger.pack(82, 90),
    )
    (finding,) = words(headed)

    assert (finding.word, finding.row, finding.seq) == ("inserted", 15, 82)


def test_a_changed_cache_is_said_and_nothing_is_compared_with_it(headed):
    with headed.proofs() as proofs, proofs.tree._db.write() as db:
        db.execute("UPDATE leaf_block SET leaves = zeroblob(32 * 14)")

    with pytest.raises(Refused, match=r"proof\.db was changed"):
        words(headed)
