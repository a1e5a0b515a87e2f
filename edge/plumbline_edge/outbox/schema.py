"""The outbox's tables, and how an older file gets them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from typing import Final

from plumbline import chain
from plumbline_edge.outbox.rows import LANES
from plumbline_edge.outbox.sqlite import transaction

VERSION: Final = 2
SCHEMA: Final = """
CREATE TABLE identity (gateway TEXT NOT NULL);
CREATE TABLE epoch (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE lane (
    id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL REFERENCES epoch (id), name TEXT NOT NULL,
    next_seq INTEGER NOT NULL, head BLOB NOT NULL, thinned INTEGER NOT NULL DEFAULT 0, UNIQUE (epoch, name)
);
CREATE TABLE record (
    lane INTEGER NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL, boot TEXT NOT NULL,
    mono_us INTEGER NOT NULL, clock TEXT NOT NULL, body BLOB NOT NULL, head BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
CREATE TABLE acknowledged (lane INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (lane, first)) WITHOUT ROWID;
CREATE TABLE cut (lane INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, head BLOB NOT NULL,
    PRIMARY KEY (lane, first)) WITHOUT ROWID;
CREATE TABLE parked (lane INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (lane, first, last)) WITHOUT ROWID;
"""
"""`cut`: records that are no longer here, with the chain's head after the last of them; the next one stands on it."""
_ROWS_PER_STEP: Final = 2_000


def create(db: sqlite3.Connection, gateway: str, older: Iterable[str] = ()) -> None:
    """An empty outbox of `gateway`, with a fresh epoch after those in `older`. Whole or not at all."""
    with transaction(db):
        _make_tables(db)
        db.execute("INSERT INTO identity VALUES (?)", (gateway,))
        for epoch in older:
            add_epoch(db, gateway, epoch)
        add_epoch(db, gateway)
        db.execute(f"PRAGMA user_version = {VERSION}")


def add_epoch(db: sqlite3.Connection, gateway: str, name: str | None = None) -> str:
    """Begin an epoch, in the caller's transaction; what comes next is written to the newest."""
    name = name or os.urandom(8).hex()
    epoch = db.execute("INSERT INTO epoch (name) VALUES (?)", (name,)).lastrowid
    db.executemany(
        "INSERT INTO lane (epoch, name, next_seq, head) VALUES (?, ?, 1, ?)",
        [(epoch, lane, chain.start(gateway, name, lane)) for lane in LANES],
    )
    return name


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older `version` to this one.

    Rows move a few at a time, so that a full card has room and a power cut loses nothing: each step is a
    transaction, and whatever is left of the old tables is moved at the next start.
    """
    if version == 1:
        _begin_from_1(db)
        while _move_some_from_1(db):
            pass
        _end_from_1(db)


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";"):
        db.execute(statement)


def _begin_from_1(db: sqlite3.Connection) -> None:
    """Rename the tables of version 1 and fill the small new ones; done once, in one transaction."""
    if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'epoch'").fetchone() is not None:
        return
    with transaction(db):
        for table in ("identity", "lane", "record", "parked"):
            db.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
        _make_tables(db)
        gateway, epoch = db.execute("SELECT gateway, epoch FROM identity_1").fetchone()
        db.execute("INSERT INTO identity VALUES (?)", (gateway,))
        add_epoch(db, gateway, epoch)
        db.execute(
            "UPDATE lane SET next_seq = o.next_seq, head = o.head FROM lane_1 o WHERE o.lane = lane.name"
        )
        db.execute(
            "INSERT INTO acknowledged SELECT l.id, 1, o.acknowledged FROM lane_1 o JOIN lane l ON l.name = o.lane"
            " WHERE o.acknowledged > 0"
        )
        db.execute(
            "INSERT INTO cut SELECT l.id, 1, o.pruned, o.pruned_head FROM lane_1 o JOIN lane l ON l.name = o.lane"
            " WHERE o.pruned > 0"
        )
        db.execute(
            "INSERT INTO parked SELECT l.id, o.first, o.last, o.why FROM parked_1 o JOIN lane l ON l.name = o.lane"
        )


def _move_some_from_1(db: sqlite3.Connection) -> bool:
    with transaction(db):
        moved = db.execute(
            "INSERT INTO record SELECT l.id, r.seq, r.at_us, r.boot, r.mono_us, r.clock, r.body, r.head"
            " FROM (SELECT * FROM record_1 ORDER BY lane, seq LIMIT ?) r JOIN lane l ON l.name = r.lane",
            (_ROWS_PER_STEP,),
        ).rowcount
        db.execute(
            "DELETE FROM record_1 WHERE (lane, seq) IN (SELECT lane, seq FROM record_1 ORDER BY lane, seq LIMIT ?)",
            (_ROWS_PER_STEP,),
        )
    return moved > 0


def _end_from_1(db: sqlite3.Connection) -> None:
    with transaction(db):
        for table in ("identity_1", "lane_1", "record_1", "parked_1"):
            db.execute(f"DROP TABLE {table}")
        db.execute(f"PRAGMA user_version = {VERSION}")
