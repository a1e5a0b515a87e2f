"""Reads rows wherever they lie, in ledger.db or in the archive.

Always ledger.db first, then which segments there are: a row that is moved in between is then seen at least once, and
by its id only once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from plumbline import codec
from plumbline_central.continuity import Heads, Link, Neighbour, heads
from plumbline_central.ledger import archive as archives
from plumbline_central.ledger import rows, tables
from plumbline_central.ledger.archive import Archive, Away
from plumbline_central.ledger.rows import LaneKey, LinkRow
from plumbline_central.project import LedgerRow

_RECORDS_AT_ONCE: Final = 20_000
_CHUNK: Final = 64


def after(db: sqlite3.Connection, archive: Archive, after_id: int, limit: int) -> list[LedgerRow]:
    """Up to `limit` rows past `after_id`, ascending; fewer where they are long, or where a segment ends."""
    found = _after(db, after_id, limit)
    segment = archives.containing(db, after_id + 1)
    if segment is None:
        return found
    with archive.reading(segment.file) as file:
        archived = _after(file, after_id, limit)
    return archived or after(db, archive, segment.last_id, limit)


def links_after(db: sqlite3.Connection, archive: Archive, after_id: int) -> list[LinkRow]:
    """The next few rows past `after_id` as they came, ascending; fewer where a segment ends."""
    found = _links_after(db, after_id)
    segment = archives.containing(db, after_id + 1)
    if segment is None:
        return found
    with archive.reading(segment.file) as file:
        archived = _links_after(file, after_id)
    return archived or links_after(db, archive, segment.last_id)


def of_lane(db: sqlite3.Connection, archive: Archive, lane: LaneKey, past: tuple[int, int]) -> list[rows.Row]:
    """The next few of a lane's rows by (first record, id), past that pair."""
    found = {row.id: row for row in _of_lane(db, lane, past)}
    for file, first in _segments_of(db, lane, past[0]):
        nearest = sorted((row.link.first, row.id) for row in found.values())[:_CHUNK]
        if len(nearest) == _CHUNK and nearest[-1][0] < first:
            break
        with archive.reading(file) as there:
            found |= {row.id: row for row in _of_lane(there, lane, past)}
    return sorted(found.values(), key=lambda row: (row.link.first, row.id))[:_CHUNK]


def neighbours(
    db: sqlite3.Connection, archive: Archive, lane: LaneKey, first: int, last: int
) -> Iterator[Neighbour]:
    """Stored batches that overlap or touch `first`..`last`."""
    for id_, link in _touching(db, lane, first, last):
        yield link, partial(_stored_heads, db, id_)
    for file, segment_first in _segments_of(db, lane, first - 1):
        if segment_first > last + 1:
            return
        with archive.reading(file) as there:
            found = _touching(there, lane, first, last)
        for id_, link in found:
            yield link, partial(_archived_heads, archive, file, id_)


def records_after(db: sqlite3.Connection, archive: Archive, row_id: int) -> int:
    """How many records the rows past `row_id` were the first to bring; a file that is away counts whole."""
    count = f"SELECT {tables.RECORDS} FROM batch WHERE id > ?"  # noqa: S608 - our own names
    (found,) = db.execute(count, (row_id,)).fetchone()
    for segment in archives.segments(db):
        if segment.first_id > row_id:
            found += segment.records
        elif segment.last_id > row_id:
            try:
                with archive.reading(segment.file) as file:
                    found += file.execute(count, (row_id,)).fetchone()[0]
            except Away:
                found += segment.records
    return int(found)


def _after(db: sqlite3.Connection, after_id: int, limit: int) -> list[LedgerRow]:
    cursor = db.execute(
        f"SELECT {rows.READ} FROM batch WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - our own names
        (after_id, limit),
    )
    found: list[LedgerRow] = []
    records = 0
    for columns in cursor:
        found.append(rows.to_ledger_row(columns))
        records += len(found[-1].records)
        if records >= _RECORDS_AT_ONCE:
            cursor.close()
            break
    return found


def _links_after(db: sqlite3.Connection, after_id: int) -> list[LinkRow]:
    return db.execute(
        "SELECT id, received_us, site, gateway, epoch, lane, first, last, prev, head, CAST(payload AS BLOB)"
        " FROM batch WHERE id > ? ORDER BY id LIMIT ?",
        (after_id, _CHUNK),
    ).fetchall()


def _of_lane(db: sqlite3.Connection, lane: LaneKey, past: tuple[int, int]) -> list[rows.Row]:
    found = db.execute(
        f"SELECT {rows.LINKED} FROM batch WHERE gateway = ? AND epoch = ? AND lane = ?"  # noqa: S608
        " AND (first, id) > (?, ?) ORDER BY first, id LIMIT ?",
        (*lane, *past, _CHUNK),
    ).fetchall()
    return [rows.to_row(columns) for columns in found]


def _segments_of(db: sqlite3.Connection, lane: LaneKey, seq: int) -> list[tuple[str, int]]:
    """(file, lowest first record) of the segments with records of the lane from `seq` on, the lowest first."""
    return db.execute(
        "SELECT s.file, l.first FROM segment_lane l JOIN segment s ON s.first_id = l.segment"
        " WHERE l.gateway = ? AND l.epoch = ? AND l.lane = ? AND l.last >= ? ORDER BY l.first",
        (*lane, seq),
    ).fetchall()


def _touching(db: sqlite3.Connection, lane: LaneKey, first: int, last: int) -> list[tuple[int, Link]]:
    found: list[tuple[Any, ...]] = db.execute(
        "SELECT id, first, last, prev, head FROM batch WHERE gateway = ? AND epoch = ? AND lane = ?"
        " AND first BETWEEN ? AND ? AND last >= ?",
        (*lane, first - codec.MAX_RECORDS, last + 1, first - 1),
    ).fetchall()
    return [(id_, Link(*ends)) for id_, *ends in found]


def _archived_heads(archive: Archive, file: str, row_id: int) -> Heads:
    with archive.reading(file) as db:
        return _stored_heads(db, row_id)


def _stored_heads(db: sqlite3.Connection, row_id: int) -> Heads:
    (payload,) = db.execute("SELECT CAST(payload AS BLOB) FROM batch WHERE id = ?", (row_id,)).fetchone()
    return heads(codec.open_batch(payload))
