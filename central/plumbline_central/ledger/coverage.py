"""The coverage table: which sequence numbers a lane has, as islands; touched only where a batch arrives."""

from __future__ import annotations

import sqlite3

from plumbline.ranges import Range, Ranges
from plumbline_central.ledger.rows import LaneKey


def load(db: sqlite3.Connection, lane: LaneKey) -> Ranges:
    """All of a lane's islands: for who reads the whole lane anyway."""
    rows: list[Range] = db.execute(
        "SELECT first, last FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? ORDER BY first", lane
    ).fetchall()
    return tuple(rows)


def touching(db: sqlite3.Connection, lane: LaneKey, span: Range) -> Ranges:
    """The islands that overlap or touch `span`."""
    first, last = span
    rows: list[Range] = db.execute(
        "SELECT first, last FROM coverage WHERE gateway = ?1 AND epoch = ?2 AND lane = ?3 AND last >= ?4 - 1 AND first"
        " BETWEEN coalesce((SELECT first FROM coverage WHERE gateway = ?1 AND epoch = ?2 AND lane = ?3 AND first <= ?4"
        " ORDER BY first DESC LIMIT 1), ?4) AND ?5 + 1 ORDER BY first",
        (*lane, first, last),
    ).fetchall()
    return tuple(rows)


def next_after(db: sqlite3.Connection, lane: LaneKey, seq: int) -> int | None:
    """Where the next island past `seq` begins; None where there is none."""
    row = db.execute(
        "SELECT first FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? AND first > ?"
        " ORDER BY first LIMIT 1",
        (*lane, seq),
    ).fetchone()
    return int(row[0]) if row else None


def join(db: sqlite3.Connection, lane: LaneKey, touched: Ranges, island: Range) -> None:
    """Put `island` in the place of those it swallowed."""
    for first, _ in touched:
        if first != island[0]:
            db.execute(
                "DELETE FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? AND first = ?",
                (*lane, first),
            )
    db.execute("INSERT OR REPLACE INTO coverage VALUES (?, ?, ?, ?, ?)", (*lane, *island))


def through(db: sqlite3.Connection, lane: LaneKey) -> int:
    """The last number up to which none is missing, counted from 1; 0 where 1 itself is."""
    row = db.execute(
        "SELECT last FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? AND first <= 1", lane
    ).fetchone()
    return int(row[0]) if row else 0
