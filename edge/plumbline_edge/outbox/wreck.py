"""Reads what a damaged file still says, and proves each record before it is believed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from plumbline import chain, codec, ranges
from plumbline.messages import Lane
from plumbline.ranges import Ranges
from plumbline.topics import is_name
from plumbline_edge.outbox.mark import Mark
from plumbline_edge.outbox.rows import LANES, Damaged, Stream
from plumbline_edge.outbox.store import SELECT, Row, link

_FARTHEST_SKIP: Final = 1 << 40


@dataclass(slots=True, kw_only=True)
class Remains:
    """One lane of a damaged file; `good` and `heads` fill up while `proven` is read."""

    stream: Stream
    id: int
    last: int | None
    """The newest record ever committed; None: nobody knows."""
    acknowledged: Ranges = ()
    cut: Ranges = ()
    heads: dict[int, bytes] = field(default_factory=dict)
    """The chain's head at the ends of what is good, cut or lost, where it is known; 0: the lane's start."""
    good: Ranges = ()

    def head(self, seq: int) -> bytes:
        """After record `seq`; empty where nobody knows."""
        return self.heads.get(seq, b"")


def remains(db: sqlite3.Connection, gateway: str, mark: Mark | None) -> list[Remains]:
    """Every lane that the file or the mark still names, older epochs first."""
    found = {one.stream: one for one in _lanes(db, gateway)}
    for epoch in _epochs(db):
        for lane in LANES:
            stream = (epoch, lane)
            found.setdefault(stream, _unknown(gateway, stream))
    if mark is not None:
        for lane, (id_, next_seq, head) in mark.lanes.items():
            one = found.setdefault((mark.epoch, lane), _unknown(gateway, (mark.epoch, lane)))
            one.id = id_
            if one.last is None or next_seq - 1 > one.last:
                one.last = next_seq - 1
                one.heads.setdefault(next_seq - 1, head)
    return list(found.values())


def proven(db: sqlite3.Connection, lane: Remains) -> Iterator[Row]:
    """The records whose hash leads from the record before to their own, ascending."""
    before_seq, before = 0, lane.head(0)
    for row in _readable(db, lane.id):
        seq, head = row[0], row[6]
        if not isinstance(seq, int) or seq <= before_seq:
            continue
        if before_seq != seq - 1:
            lane.heads[before_seq] = before
            before = lane.head(seq - 1)
        if before and _is_proven(before, row):
            if ranges.missing(lane.good, (seq - 1, seq - 1)):
                lane.heads[seq - 1] = before
            lane.good = ranges.add(lane.good, (seq, seq))
            yield row
        elif not ranges.missing(lane.good, (seq - 1, seq - 1)):
            lane.heads[seq - 1] = before
        before_seq, before = seq, head if isinstance(head, bytes) and len(head) == chain.SIZE else b""
    lane.heads[before_seq] = before


def _is_proven(before: bytes, row: Row) -> bool:
    try:
        link(before, row)
    except Damaged:
        return False
    return True


def _readable(db: sqlite3.Connection, lane: int) -> Iterator[Row]:
    """Every record of a lane that SQLite can still get at; unreadable stretches are skipped from both ends."""
    at = 0
    while True:
        try:
            for row in _select(db, lane, at):
                at = row[0] + 1
                yield row
        except (sqlite3.Error, OverflowError):
            beyond = _first_beyond(db, lane, at)
            if beyond is None:
                return
            yield from _back_to(db, lane, beyond, at)
            at = beyond
        else:
            return


def _first_beyond(db: sqlite3.Connection, lane: int, at: int) -> int | None:
    """Some readable record past `at`, found by ever longer leaps."""
    leap = 1
    while leap < _FARTHEST_SKIP:
        try:
            row = next(iter(_select(db, lane, at + leap)), None)
        except sqlite3.Error:
            leap *= 2
        else:
            return row[0] if row else None
    return None


def _back_to(db: sqlite3.Connection, lane: int, beyond: int, at: int) -> list[Row]:
    """What the last leap jumped over and can be read from its far end, ascending."""
    rows: list[Row] = []
    with contextlib.suppress(sqlite3.Error):
        rows.extend(
            db.execute(
                f"{SELECT} WHERE lane = ? AND seq >= ? AND seq < ? ORDER BY seq DESC", (lane, at, beyond)
            )
        )
    return rows[::-1]


def _select(db: sqlite3.Connection, lane: int, at: int) -> Iterator[Row]:
    return db.execute(f"{SELECT} WHERE lane = ? AND seq >= ? ORDER BY seq", (lane, at))


def _lanes(db: sqlite3.Connection, gateway: str) -> Iterator[Remains]:
    try:
        rows = db.execute(
            "SELECT l.id, e.name, l.name, l.next_seq, l.head FROM lane l JOIN epoch e ON e.id = l.epoch ORDER BY l.id"
        ).fetchall()
    except sqlite3.Error:
        return
    for id_, epoch, lane, next_seq, head in rows:
        if lane not in LANES or not isinstance(epoch, str) or not is_name(epoch):
            continue
        if not isinstance(next_seq, int) or not 1 <= next_seq <= codec.MAX_SEQ or not isinstance(head, bytes):
            continue
        one = _unknown(gateway, (epoch, cast("Lane", lane)))
        one.id, one.last = id_, next_seq - 1
        one.heads.setdefault(next_seq - 1, head)
        one.acknowledged = ranges.union(
            tuple((a, b) for a, b, _ in _spans(db, "acknowledged", id_, next_seq))
        )
        for first, last, after in _spans(db, "cut", id_, next_seq):
            one.cut = ranges.add(one.cut, (first, last))
            if after:
                one.heads[last] = after
        yield one


def _spans(db: sqlite3.Connection, table: str, lane: int, most: int) -> list[tuple[int, int, bytes]]:
    head = "head" if table == "cut" else "x''"
    try:
        rows = db.execute(f"SELECT first, last, {head} FROM {table} WHERE lane = ?", (lane,)).fetchall()  # noqa: S608
    except sqlite3.Error:
        return []
    return [
        row
        for row in rows
        if isinstance(row[0], int) and isinstance(row[1], int) and 1 <= row[0] <= row[1] < most
    ]


def _epochs(db: sqlite3.Connection) -> list[str]:
    try:
        return [
            name
            for (name,) in db.execute("SELECT name FROM epoch ORDER BY id")
            if isinstance(name, str) and is_name(name)
        ]
    except sqlite3.Error:
        return []


def _unknown(gateway: str, stream: Stream) -> Remains:
    return Remains(stream=stream, id=-1, last=None, heads={0: chain.start(gateway, *stream)})
