"""A damaged file to a new one: what is proven goes on, what is lost is declared, the old file stays aside."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plumbline import ranges
from plumbline.messages import Event, EventCode, Gap, GapReason
from plumbline_edge.outbox import schema
from plumbline_edge.outbox.mark import Mark
from plumbline_edge.outbox.rows import CardFull, Draft, Limits, Stamp, Stream
from plumbline_edge.outbox.store import Row, Store
from plumbline_edge.outbox.wreck import Remains, proven, remains

log = logging.getLogger(__name__)

_ROWS_PER_COMMIT: Final = 2_000
_ASIDE_KEPT: Final = 2
"""Damaged files that stay for a person to look at; older ones make room."""


@dataclass(frozen=True, slots=True)
class _Lost:
    """Records of a stream that were committed and cannot be read; `last` 0: nobody knows how many."""

    stream: Stream
    first: int
    last: int
    prev: bytes = b""
    head: bytes = b""


def is_ordered(path: Path) -> bool:
    """Whether a salvage of the file at `path` was asked for, or has begun and was cut short."""
    return _order_of(path).exists()


def order(path: Path) -> None:
    """Have the file at `path` salvaged when it is opened next."""
    if not is_ordered(path):
        _order_of(path).write_text(_free_name(path).name, encoding="ascii")
        _sync(_order_of(path))
        _sync(path.parent)


def put_aside(path: Path) -> Path:
    """Move an ordered file and its log out of the way; goes on where a power cut ended it."""
    aside = path.with_name(_order_of(path).read_text(encoding="ascii").strip() or _free_name(path).name)
    for ending in ("-wal", ""):
        there = _beside(path, ending)
        if there.exists():
            there.rename(_beside(aside, ending))
    _beside(path, "-shm").unlink(missing_ok=True)
    _sync(path.parent)
    return aside


def rebuild(path: Path, aside: Path, gateway: str, limits: Limits, mark: Mark | None, now: Stamp) -> None:
    """Make a new outbox at `path` of what can be read in `aside`. A power cut in between begins it anew."""
    fresh = path.with_name("outbox.new")
    for ending in ("", "-wal", "-shm"):
        _beside(fresh, ending).unlink(missing_ok=True)
    with closing(sqlite3.connect(aside, isolation_level=None)) as wreck:
        lanes = remains(wreck, gateway, mark)
        older = list(dict.fromkeys(lane.stream[0] for lane in lanes))
        with closing(Store.open(fresh, gateway, limits, older=older)) as store:
            lost = [one for lane in lanes for one in _restore(store, wreck, lane)]
            text = f"the file was damaged and is kept as {aside.name}; "
            text += "; ".join(f"{one.stream[1]} {one.first}..{one.last or ''} lost" for one in lost[:20])
            with store.transaction() as change:
                store.insert(change, _account(text if lost else f"{text}nothing is lost", lost, now))
            kept = sum(ranges.size(lane.good) for lane in lanes)
    fresh.rename(path)
    _sync(path.parent)
    _order_of(path).unlink()
    _forget_old_ones(path)
    log.error("outbox: %s; %d records were read back", text, kept)


def declare_rollback(store: Store, mark: Mark, now: Stamp) -> None:
    """The file is as it was some commits ago: go on in a new epoch, and say which records of this one are lost."""
    epoch = store.epoch
    with store.transaction() as change:
        schema.add_epoch(store.db, store.gateway)
        store.load()
        change.lanes.update(store.lanes)
        lost = []
        for lane, (id_, next_seq, head) in mark.lanes.items():
            end = store.lanes[epoch, lane]
            if next_seq > end.next_seq:
                lost.append(_Lost((epoch, lane), end.next_seq, next_seq - 1, end.head, head))
                store.note_cut(change, (epoch, lane), (end.next_seq, next_seq - 1), head)
                _set_end(store, id_, next_seq, head)
        text = f"the file lost its newest records; epoch {epoch} ends, {store.epoch} begins"
        store.insert(change, _account(text, lost, now))
    store.load()
    log.error("outbox: %s", text)


def _restore(store: Store, wreck: sqlite3.Connection, lane: Remains) -> Iterator[_Lost]:
    """Copy what is proven of one lane and not settled; yields what is lost."""
    copied = _copy(store, wreck, lane)
    last = lane.last if lane.last is not None else max((end for _, end in lane.good), default=0)
    last = max([last, *(end for found in (lane.good, lane.acknowledged, lane.cut) for _, end in found)])
    with store.transaction() as change:
        for first, to in ranges.missing(copied, (1, last)) if last else ():
            store.note_cut(change, lane.stream, (first, to), lane.head(to))
        _set_end(store, store.lanes[lane.stream].id, last + 1, lane.head(last))
        store.write_acknowledged(change, {lane.stream: lane.acknowledged})
    store.load()
    have = ranges.union(lane.acknowledged, lane.cut, copied)
    for first, to in ranges.missing(have, (1, last)) if last else ():
        yield _Lost(lane.stream, first, to, lane.head(first - 1), lane.head(to))
    if lane.last is None:
        yield _Lost(lane.stream, last + 1, 0, lane.head(last))


def _copy(store: Store, wreck: sqlite3.Connection, lane: Remains) -> ranges.Ranges:
    """The records that are in `store` now; fewer than there were where the card has no room for more."""
    settled = ranges.union(lane.acknowledged, lane.cut)
    copied: ranges.Ranges = ()
    room = True
    for rows in _in_commits(
        row for row in proven(wreck, lane) if ranges.missing(settled, (row[0], row[0]))
    ):  # read to its end even where there is no room: the heads around what is lost come with it
        room = room and _write(store, lane.stream, rows)
        if room:
            copied = ranges.union(copied, tuple((row[0], row[0]) for row in rows))
    return copied


def _in_commits(rows: Iterable[Row]) -> Iterator[list[Row]]:
    waiting: list[Row] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == _ROWS_PER_COMMIT:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _write(store: Store, stream: Stream, rows: list[Row]) -> bool:
    id_ = store.lanes[stream].id
    try:
        with store.transaction():
            store.db.executemany(
                "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(id_, *row) for row in rows]
            )
    except CardFull as why:
        log.error("outbox: the card has no room for all that was read back: %s", why)  # noqa: TRY400
        return False
    return True


def _account(text: str, lost: Sequence[_Lost], now: Stamp) -> list[Draft]:
    said = Event(code=EventCode.OUTBOX_DAMAGED, text=text[:500])
    gaps = [
        Gap(
            lane=one.stream[1],
            first=one.first,
            last=one.last,
            why=GapReason.DAMAGED,
            prev=one.prev,
            head=one.head,
            epoch=one.stream[0],
        )
        for one in lost
    ]
    return [Draft.at(now, "status", said), *(Draft.at(now, "status", gap) for gap in gaps)]


def _set_end(store: Store, lane: int, next_seq: int, head: bytes) -> None:
    store.db.execute("UPDATE lane SET next_seq = ?, head = ? WHERE id = ?", (next_seq, head, lane))


def _order_of(path: Path) -> Path:
    return path.with_name("outbox.salvage")


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _asides(path: Path) -> list[tuple[int, Path]]:
    """Damaged files kept beside `path`, with their numbers, ascending."""
    found = [(file, file.stem.removeprefix("outbox.bad-")) for file in path.parent.glob("outbox.bad-*.db")]
    return sorted((int(number), file) for file, number in found if number.isdigit())


def _free_name(path: Path) -> Path:
    return path.with_name(f"outbox.bad-{max((number for number, _ in _asides(path)), default=0) + 1}.db")


def _forget_old_ones(path: Path) -> None:
    for _, file in _asides(path)[:-_ASIDE_KEPT]:
        for ending in ("", "-wal", "-shm"):
            _beside(file, ending).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
