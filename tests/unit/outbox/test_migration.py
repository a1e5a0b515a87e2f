"""An outbox of the first version goes on in this one, also when the power is cut in the middle."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from outbox_life import records

from plumbline import chain, codec
from plumbline.errors import Unreachable
from plumbline.messages import Event
from plumbline_edge.outbox import Outbox, schema

EPOCH = "0123456789abcdef"
VERSION_1 = """
CREATE TABLE identity (gateway TEXT NOT NULL, epoch TEXT NOT NULL);
CREATE TABLE lane (
    lane TEXT PRIMARY KEY, next_seq INTEGER NOT NULL, head BLOB NOT NULL, acknowledged INTEGER NOT NULL,
    pruned INTEGER NOT NULL, pruned_head BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE record (
    lane TEXT NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL, boot TEXT NOT NULL,
    mono_us INTEGER NOT NULL, clock TEXT NOT NULL, body BLOB NOT NULL, head BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
CREATE TABLE parked (lane TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (lane, first, last)) WITHOUT ROWID;
"""


def old_file(path, *, written=5_000, acknowledged=1_000, pruned=600):
    """What version 1 left: data records 1..`written`, of which the first `pruned` are gone."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.executescript(VERSION_1)
    db.execute("BEGIN")
    db.execute("INSERT INTO identity VALUES ('gw1', ?)", (EPOCH,))
    head = chain.start("gw1", EPOCH, "data")
    heads = [head]
    for seq in range(1, written + 1):
        body = codec.encode_body(Event(code="started", text=str(seq)))
        head = chain.link(head, seq, codec.canonical(seq, seq, "b", seq, "synced", body))
        heads.append(head)
        if seq > pruned:
            row = ("data", seq, seq, "b", seq, "synced", body, head)
            db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    db.execute(
        "INSERT INTO lane VALUES ('data', ?, ?, ?, ?, ?)",
        (written + 1, head, acknowledged, pruned, heads[pruned]),
    )
    start = chain.start("gw1", EPOCH, "photo")
    db.execute("INSERT INTO lane VALUES ('photo', 1, ?, 0, 0, ?)", (start, start))
    if written:
        db.execute("INSERT INTO parked VALUES ('data', 1200, 1201, 'no sense')")
    db.execute("PRAGMA user_version = 1")
    db.execute("COMMIT")
    db.close()


async def check(path, written=5_000):
    async with Outbox(path, gateway="gw1") as outbox:
        stream = (EPOCH, "data")
        found = await records(outbox, stream)

        assert outbox.epoch == EPOCH
        assert [r.body.text for r in found] == [str(n) for n in range(601, written + 1)]
        assert outbox.settled(stream) == ((1, 1000), (1200, 1201))
        assert outbox.last((EPOCH, "status")) == 0


async def test_a_file_of_version_1_keeps_every_record_epoch_and_acknowledgement(tmp_path):
    old_file(tmp_path / "outbox.db")

    await check(tmp_path / "outbox.db")


async def test_an_empty_file_of_version_1_is_taken_over(tmp_path):
    old_file(tmp_path / "outbox.db", written=0, acknowledged=0, pruned=0)
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as outbox:
        assert outbox.epoch == EPOCH


@pytest.mark.parametrize("steps", range(1, 9))
async def test_a_power_cut_in_the_middle_of_a_migration_loses_nothing(tmp_path, monkeypatch, steps):
    path = tmp_path / "outbox.db"
    old_file(path)
    left = steps
    whole = schema.transaction

    def cut_off(db):
        nonlocal left
        left -= 1
        if left < 0:
            raise Unreachable("the power is gone")
        return whole(db)

    with monkeypatch.context() as patched:
        patched.setattr(schema, "transaction", cut_off)
        db = sqlite3.connect(path, isolation_level=None)
        with contextlib.suppress(Unreachable):
            schema.migrate(db, 1)
        db.close()

    await check(path)
