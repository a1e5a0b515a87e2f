"""Central's durable log: every batch verbatim, every record once, nothing ever changed.

Key of a record: (gateway, epoch, lane, seq). A row's `taken` says which of its records were new when it came; the
others are in earlier rows. A batch that contradicts the chain already stored is refused, never mixed in.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, Self, cast

from plumbline import codec, ranges
from plumbline.errors import Refused
from plumbline.messages import Lane, Record
from plumbline.ranges import Range, Ranges
from plumbline.topics import GatewayTopics
from plumbline_central.continuity import Link, Neighbour, conflict
from plumbline_central.project import LedgerRow
from plumbline_central.schema import Database, Migrations

log = logging.getLogger(__name__)

_MIGRATIONS: Final[Migrations] = (
    (
        "ledger_1",
        """
        CREATE TABLE batch (
            id INTEGER PRIMARY KEY AUTOINCREMENT, received_us INTEGER NOT NULL, site TEXT NOT NULL,
            gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL,
            last INTEGER NOT NULL, prev BLOB NOT NULL, head BLOB NOT NULL, payload BLOB NOT NULL,
            taken TEXT -- JSON [[first, last], ...]; NULL: all of it
        );
        CREATE INDEX batch_by_lane ON batch (gateway, epoch, lane, first, last, prev, head);
        CREATE TABLE coverage (
            gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL,
            last INTEGER NOT NULL, PRIMARY KEY (gateway, epoch, lane, first)
        ) WITHOUT ROWID;
        CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY AUTOINCREMENT, received_us INTEGER NOT NULL, topic TEXT NOT NULL,
            why TEXT NOT NULL, size_bytes INTEGER NOT NULL, payload BLOB NOT NULL
        );
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """,
    ),
)
_DEAD_LETTER_BYTES: Final = 64 * 1024
_DEAD_LETTERS: Final = 10_000
_RECORDS_AT_ONCE: Final = 20_000
_RECENT_RECORDS: Final = 5_000
COUNTERS: Final = (
    "batches_received",
    "batches_stored",
    "batches_duplicate",
    "batches_refused",
    "records_received",
    "records_stored",
    "records_duplicate",
    "records_refused",
)
"""received = stored + duplicate + refused, for both; records count only in batches that could be opened."""

LaneKey = tuple[str, str, Lane]
"""(gateway, epoch, lane)"""

LinkRow = tuple[int, int, str, str, str, str, int, int, bytes, bytes, bytes]
"""(id, received_us, site, gateway, epoch, lane, first, last, prev, head, payload)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A batch that `plumbline_central.ingest.judge` let through, with its bytes as they came."""

    received_us: int
    payload: bytes
    batch: codec.Batch

    @property
    def lane(self) -> LaneKey:
        return (self.batch.gateway, self.batch.epoch, self.batch.lane)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A payload that is no batch of ours, and why."""

    received_us: int
    topic: str
    payload: bytes
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one arrival. `taken`: the records that were new; `why`: only for a refused one."""

    status: Literal["stored", "duplicate", "refused"]
    row_id: int | None = None
    taken: Ranges = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Records `first`..`last` of a lane that central never got, though later ones came."""

    site: str
    gateway: str
    epoch: str
    lane: Lane
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored batch as it lies there, for the verifier."""

    id: int
    link: Link
    taken: Ranges
    payload: bytes


@dataclass(slots=True)
class _Group:
    """The transaction in progress: what it found and what it will leave."""

    coverage: dict[LaneKey, Ranges] = field(default_factory=dict)
    before: dict[LaneKey, Ranges] = field(default_factory=dict)
    rows: list[LedgerRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    def count(self, status: str, records: int) -> None:
        self.counts[f"records_{status}"] += records


class Ledger:
    """The log in one file, written by one process. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._recent: deque[LedgerRow] = deque()
        self._recent_records = 0
        self._recent_lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """The ledger kept at `path`, made where there is none. Raises ConfigError."""
        return cls(Database.open(path, _MIGRATIONS))

    def close(self) -> None:
        self._db.close()

    def append(self, arrivals: Sequence[Arrival], dead: Sequence[DeadLetter] = ()) -> list[Outcome]:
        """What became of each arrival; returns once all of it is on disk, in one commit.

        Raises Unreachable where the disk does not take it; then nothing of the group is stored.
        """
        if not arrivals and not dead:
            return []
        group = _Group()
        with self._db.write() as db:
            outcomes = [_append_one(db, group, arrival) for arrival in arrivals]
            for lane, covered in group.coverage.items():
                _save_coverage(db, lane, group.before[lane], covered)
            _bury(db, [*dead, *_refused(arrivals, outcomes)])
            group.counts["batches_received"] = len(arrivals) + len(dead)
            group.counts["batches_refused"] = len(dead)
            for outcome in outcomes:
                group.counts[f"batches_{outcome.status}"] += 1
            db.executemany(
                "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                [(name, count) for name, count in group.counts.items() if count],
            )
        self._remember(group.rows)
        return outcomes

    def snapshot(self) -> AbstractContextManager[None]:
        """Inside the block this ledger stands still for its readers. Not for one that `read` follows."""
        return self._db.snapshot()

    def coverage(self, gateway: str, epoch: str, lane: Lane) -> Ranges:
        """Which sequence numbers of a lane are stored."""
        with self._db.read() as db:
            return _load_coverage(db, (gateway, epoch, lane))

    def lanes(self) -> list[LaneKey]:
        """Every lane that a batch or the coverage names."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT gateway, epoch, lane FROM batch UNION SELECT gateway, epoch, lane FROM coverage ORDER BY 1, 2, 3"
            ).fetchall()
        return [(gateway, epoch, cast("Lane", lane)) for gateway, epoch, lane in rows]

    def gaps(self) -> list[Gap]:
        """Every hole below a lane's newest record."""
        with self._db.read() as db:
            lanes = db.execute(
                "SELECT gateway, epoch, lane, (SELECT site FROM batch b WHERE (b.gateway, b.epoch, b.lane) ="
                " (c.gateway, c.epoch, c.lane) LIMIT 1) FROM coverage c GROUP BY gateway, epoch, lane"
            ).fetchall()
            covered = [_load_coverage(db, (gateway, epoch, lane)) for gateway, epoch, lane, _ in lanes]
        return [
            Gap(site=site or "", gateway=gateway, epoch=epoch, lane=lane, first=first, last=last)
            for (gateway, epoch, lane, site), have in zip(lanes, covered, strict=True)
            for first, last in ranges.missing(have, (1, have[-1][1]))
        ]

    def read(self, after_id: int, limit: int) -> list[LedgerRow]:
        """Up to `limit` rows past `after_id`, ascending; fewer where they are long. Each record is read once."""
        with self._recent_lock:
            if self._recent and self._recent[0].id <= after_id + 1:
                return [row for row in self._recent if row.id > after_id][:limit]
        with self._db.read() as db:
            cursor = db.execute(
                "SELECT id, received_us, site, gateway, epoch, lane, CAST(payload AS BLOB), taken FROM batch WHERE id > ?"
                " ORDER BY id LIMIT ?",
                (after_id, limit),
            )
            rows: list[LedgerRow] = []
            records = 0
            for id_, received_us, site, gateway, epoch, lane, payload, taken in cursor:
                row = LedgerRow(
                    id=id_,
                    received_us=received_us,
                    site=site,
                    gateway=gateway,
                    epoch=epoch,
                    lane=lane,
                    records=_taken_records(id_, payload, _taken_from(taken)),
                )
                rows.append(row)
                records += len(row.records)
                if records >= _RECORDS_AT_ONCE:
                    cursor.close()
                    break
        return rows

    def last_id(self) -> int:
        """The id of the newest row; 0 where there is none."""
        with self._db.read() as db:
            (last,) = db.execute("SELECT coalesce(max(id), 0) FROM batch").fetchone()
        return int(last)

    def rows(self, gateway: str, epoch: str, lane: Lane) -> Iterator[Row]:
        """A lane's batches by first record, read a few at a time."""
        after = (0, 0)
        while True:
            with self._db.read() as db:
                chunk = db.execute(
                    "SELECT id, first, last, prev, head, CAST(payload AS BLOB), taken FROM batch"
                    " WHERE gateway = ? AND epoch = ? AND lane = ? AND (first, id) > (?, ?)"
                    " ORDER BY first, id LIMIT 64",
                    (gateway, epoch, lane, *after),
                ).fetchall()
            if not chunk:
                return
            for id_, first, last, prev, head, payload, taken in chunk:
                after = (first, id_)
                yield Row(
                    id=id_,
                    link=Link(first, last, prev, head),
                    taken=((first, last),) if taken is None else _taken_from(taken) or (),
                    payload=payload,
                )

    def links(self, after_id: int, limit: int) -> Iterator[LinkRow]:
        """Up to `limit` rows past `after_id` as they came, ascending by id; a few are held at a time."""
        while limit > 0:
            with self._db.read() as db:
                chunk = db.execute(
                    "SELECT id, received_us, site, gateway, epoch, lane, first, last, prev, head,"
                    " CAST(payload AS BLOB) FROM batch WHERE id > ? ORDER BY id LIMIT ?",
                    (after_id, min(limit, 64)),
                ).fetchall()
            if not chunk:
                return
            yield from chunk
            after_id = chunk[-1][0]
            limit -= len(chunk)

    def counters(self) -> dict[str, int]:
        """Since the file was made; see `COUNTERS`."""
        with self._db.read() as db:
            found = dict(db.execute("SELECT name, value FROM counter").fetchall())
        return {name: int(found.get(name, 0)) for name in COUNTERS}

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Newest first; the payloads are cut at 64 KiB."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT received_us, topic, payload, why FROM dead_letter ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [DeadLetter(received_us=us, topic=topic, payload=raw, why=why) for us, topic, raw, why in rows]

    def _remember(self, rows: list[LedgerRow]) -> None:
        """Keep what was just decoded for the projections that follow closely."""
        with self._recent_lock:
            for row in rows:
                if self._recent and self._recent[-1].id != row.id - 1:
                    self._recent.clear()
                    self._recent_records = 0
                self._recent.append(row)
                self._recent_records += len(row.records)
            while len(self._recent) > 1 and self._recent_records > _RECENT_RECORDS:
                self._recent_records -= len(self._recent.popleft().records)


def _append_one(db: sqlite3.Connection, group: _Group, arrival: Arrival) -> Outcome:
    batch, lane = arrival.batch, arrival.lane
    first, last = batch.first, batch.last
    count = last - first + 1
    group.count("received", count)
    if lane not in group.coverage:
        group.before[lane] = group.coverage[lane] = _load_coverage(db, lane)
    covered = group.coverage[lane]
    try:
        why = conflict(batch, _neighbours(db, lane, first, last))
    except Refused as damaged:
        why = f"the batch already stored there is damaged: {damaged}"
    if why is not None:
        group.count("refused", count)
        return Outcome(status="refused", why=why)
    taken = ranges.missing(covered, (first, last))
    new = ranges.size(taken)
    group.count("stored", new)
    group.count("duplicate", count - new)
    if not taken:
        return Outcome(status="duplicate")
    group.coverage[lane] = ranges.add(covered, (first, last))
    row = db.execute(
        "INSERT INTO batch (received_us, site, gateway, epoch, lane, first, last, prev, head, payload, taken)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            arrival.received_us,
            batch.site,
            *lane,
            first,
            last,
            batch.prev,
            batch.head,
            arrival.payload,
            None if new == count else json.dumps(taken),
        ),
    )
    assert row.lastrowid is not None
    group.rows.append(
        LedgerRow(
            id=row.lastrowid,
            received_us=arrival.received_us,
            site=batch.site,
            gateway=batch.gateway,
            epoch=batch.epoch,
            lane=batch.lane,
            records=batch.records if new == count else _only(batch.records, taken),
        )
    )
    return Outcome(status="stored", row_id=row.lastrowid, taken=taken)


def _neighbours(db: sqlite3.Connection, lane: LaneKey, first: int, last: int) -> Iterator[Neighbour]:
    """Stored batches that overlap or touch `first`..`last`."""
    rows = db.execute(
        "SELECT id, first, last, prev, head FROM batch WHERE gateway = ? AND epoch = ? AND lane = ?"
        " AND first BETWEEN ? AND ? AND last >= ?",
        (*lane, first - codec.MAX_RECORDS, last + 1, first - 1),
    ).fetchall()
    for id_, *ends in rows:
        yield Link(*ends), partial(_stored_batch, db, id_)


def _stored_batch(db: sqlite3.Connection, row_id: int) -> codec.Batch:
    (payload,) = db.execute("SELECT CAST(payload AS BLOB) FROM batch WHERE id = ?", (row_id,)).fetchone()
    return codec.open_batch(payload)


def _load_coverage(db: sqlite3.Connection, lane: LaneKey) -> Ranges:
    rows: list[Range] = db.execute(
        "SELECT first, last FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? ORDER BY first", lane
    ).fetchall()
    return tuple(rows)


def _save_coverage(db: sqlite3.Connection, lane: LaneKey, before: Ranges, after: Ranges) -> None:
    for first, _ in set(before) - set(after):
        db.execute(
            "DELETE FROM coverage WHERE gateway = ? AND epoch = ? AND lane = ? AND first = ?", (*lane, first)
        )
    for first, last in set(after) - set(before):
        db.execute("INSERT INTO coverage VALUES (?, ?, ?, ?, ?)", (*lane, first, last))


def _refused(arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> Iterator[DeadLetter]:
    for arrival, outcome in zip(arrivals, outcomes, strict=True):
        if outcome.status == "refused":
            yield DeadLetter(
                received_us=arrival.received_us,
                topic=GatewayTopics(arrival.batch.site, arrival.batch.gateway).up,
                payload=arrival.payload,
                why=outcome.why,
            )


def _bury(db: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
    if not letters:
        return
    db.executemany(
        "INSERT INTO dead_letter (received_us, topic, why, size_bytes, payload) VALUES (?, ?, ?, ?, ?)",
        [(x.received_us, x.topic, x.why, len(x.payload), x.payload[:_DEAD_LETTER_BYTES]) for x in letters],
    )
    db.execute("DELETE FROM dead_letter WHERE id <= (SELECT max(id) FROM dead_letter) - ?", (_DEAD_LETTERS,))


def _taken_from(text: str | None) -> Ranges | None:
    if text is None:
        return None
    return tuple((int(first), int(last)) for first, last in json.loads(text))


def _taken_records(row_id: int, payload: bytes, taken: Ranges | None) -> tuple[Record, ...]:
    """A row that rotted on disk costs its own records only; `plumbline central verify` names it."""
    try:
        records = codec.open_batch(payload).records
    except Refused as why:
        log.error("ledger row %d is damaged (%s); its records are passed over", row_id, why)  # noqa: TRY400
        return ()
    return records if taken is None else _only(records, taken)


def _only(records: Sequence[Record], taken: Ranges) -> tuple[Record, ...]:
    return tuple(record for record in records if any(a <= record.seq <= b for a, b in taken))
