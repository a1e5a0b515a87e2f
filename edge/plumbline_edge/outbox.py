"""The gateway's durable log: every record is committed here, chained, before anything else sees it.

SQLite in WAL mode with synchronous=FULL: in NORMAL a power cut took all of the last commits (measured, see
docs/decisions/0002-durability.md). One row per device poll, one commit per poll cycle. The file is plain SQLite;
`sqlite-utils` reads it in the field.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeVar, get_args

from plumbline import chain, codec
from plumbline.clock import Trust
from plumbline.errors import ConfigError, Unreachable
from plumbline.messages import Body, Lane, Record

LANES: Final[tuple[Lane, ...]] = get_args(Lane)
_VERSION: Final = 1
_SCHEMA: Final = """
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
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record before it has its place in a lane."""

    lane: Lane
    at_us: int
    boot: str
    mono_us: int
    clock: Trust
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive records of one lane with the chain's heads before and after them."""

    lane: Lane
    prev: bytes
    head: bytes
    records: tuple[Record, ...]
    bodies: tuple[bytes, ...]
    """The records' canonical body bytes, as they were hashed."""

    @property
    def first(self) -> int:
        return self.records[0].seq

    @property
    def last(self) -> int:
        return self.records[-1].seq


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """How far a lane was written and acknowledged, and what is on the card for it."""

    lane: Lane
    last: int
    acknowledged: int
    kept: int
    oldest_unacknowledged_us: int | None
    parked: int

    @property
    def waiting(self) -> int:
        """Records that central has not acknowledged yet."""
        return self.last - self.acknowledged - self.parked


class Outbox:
    """Opens in `async with`; every method returns when its transaction is on the card."""

    def __init__(self, path: Path, *, gateway: str) -> None:
        self._path = path
        self._gateway = gateway
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        self._heard: dict[Lane, int] = {}
        self.last: dict[Lane, int] = dict.fromkeys(LANES, 0)
        """The newest committed seq of each lane."""

    async def __aenter__(self) -> Self:
        self._db, self.epoch = await self._run(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run(self._close)
        self._thread.shutdown()

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Commit `drafts` in their order, in one transaction. Raises Unreachable where the card does not take it."""
        await self._run(lambda: self._append(drafts))

    async def run_after(self, lane: Lane, seq: int, *, max_records: int, max_bytes: int) -> Run | None:
        """The records that follow `seq`, at least one if there is any, else None."""
        return await self._run(lambda: self._run_after(lane, seq, max_records, max_bytes))

    def acknowledge(self, lane: Lane, through: int) -> None:
        """Central durably has everything up to `through`; such records are only kept for a while from now on.

        It is written with the next commit: forgotten in a power cut, it costs central one duplicate.
        """
        if self._heard.get(lane, 0) < through <= self.last[lane]:
            self._heard[lane] = through

    async def park(self, lane: Lane, first: int, last: int, why: str) -> None:
        """Central will never take `first`..`last`: keep them here with the reason, stop sending them."""
        await self._run(lambda: self._park(lane, first, last, why))

    async def prune(self, *, before_us: int, limit: int = 5_000) -> int:
        """Delete acknowledged records read before `before_us`, oldest first, at most `limit`; how many went."""
        return await self._run(lambda: self._prune(before_us, limit))

    async def states(self) -> tuple[LaneState, ...]:
        """How each lane stands, acknowledgements not yet written included."""
        return await self._run(self._states)

    async def parked(self, lane: Lane) -> list[tuple[int, int]]:
        query = "SELECT first, last FROM parked WHERE lane = ? ORDER BY first"
        return await self._run(lambda: self._db.execute(query, (lane,)).fetchall())

    def size_bytes(self) -> int:
        """What the file and its write-ahead log take on the card."""
        wal = self._path.with_name(self._path.name + "-wal")
        return sum(file.stat().st_size for file in (self._path, wal) if file.exists())

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> tuple[sqlite3.Connection, str]:
        db = _connect(self._path)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ConfigError(
                f"{self._path} was written by a newer Plumbline (schema {version}, this one knows {_VERSION})",
                hint="Install the newer version again, or move the file away: a new epoch starts.",
            )
        if version == 0:
            _create(db, self._gateway)
        gateway, epoch = db.execute("SELECT gateway, epoch FROM identity").fetchone()
        if gateway != self._gateway:
            raise ConfigError(
                f"{self._path} belongs to gateway {gateway!r}, the site file says {self._gateway!r}",
                hint="Give each gateway its own state_dir.",
            )
        self.last = {lane: seq - 1 for lane, seq in db.execute("SELECT lane, next_seq FROM lane")}
        return db, str(epoch)

    def _close(self) -> None:
        with _transaction(self._db):
            self._write_heard()
        self._db.close()

    def _append(self, drafts: Sequence[Draft]) -> None:
        db = self._db
        with _transaction(db):
            lanes = {
                lane: [seq, head] for lane, seq, head in db.execute("SELECT lane, next_seq, head FROM lane")
            }
            rows = []
            for draft in drafts:
                seq, head = lanes[draft.lane]
                body = codec.encode_body(draft.body)
                raw = codec.canonical(seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, body)
                head = chain.link(head, seq, raw)
                lanes[draft.lane] = [seq + 1, head]
                rows.append(
                    (draft.lane, seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, body, head)
                )
            db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            for lane in {draft.lane for draft in drafts}:
                db.execute("UPDATE lane SET next_seq = ?, head = ? WHERE lane = ?", (*lanes[lane], lane))
            self._write_heard()
        for lane, (seq, _) in lanes.items():
            self.last[lane] = seq - 1

    def _run_after(self, lane: Lane, seq: int, max_records: int, max_bytes: int) -> Run | None:
        rows = self._db.execute(
            "SELECT seq, at_us, boot, mono_us, clock, body, head FROM record"
            " WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
            (lane, seq, max_records),
        )
        records: list[Record] = []
        bodies: list[bytes] = []
        size = 0
        head = b""
        for at_seq, at_us, boot, mono_us, clock, body, row_head in rows:
            size += len(body)
            if records and (size > max_bytes or at_seq != records[-1].seq + 1):
                break
            records.append(
                Record(
                    seq=at_seq,
                    at_us=at_us,
                    boot=boot,
                    mono_us=mono_us,
                    clock=clock,
                    body=codec.decode_body(body),
                )
            )
            bodies.append(body)
            head = row_head
        if not records:
            return None
        return Run(
            lane=lane,
            prev=self._head_at(lane, records[0].seq - 1),
            head=head,
            records=tuple(records),
            bodies=tuple(bodies),
        )

    def _head_at(self, lane: Lane, seq: int) -> bytes:
        (head,) = self._db.execute(
            "SELECT head FROM record WHERE lane = ?1 AND seq = ?2"
            " UNION ALL SELECT pruned_head FROM lane WHERE lane = ?1 AND pruned = ?2",
            (lane, seq),
        ).fetchone()
        return bytes(head)

    def _write_heard(self) -> None:
        """Put the acknowledgements heard since the last commit into this one."""
        for lane, through in self._heard.items():
            self._db.execute(
                "UPDATE lane SET acknowledged = ? WHERE lane = ? AND acknowledged < ?",
                (through, lane, through),
            )

    def _park(self, lane: Lane, first: int, last: int, why: str) -> None:
        with _transaction(self._db):
            self._db.execute("INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?)", (lane, first, last, why))

    def _states(self) -> tuple[LaneState, ...]:
        with _transaction(self._db):
            self._write_heard()
        return tuple(lane_states(self._db))

    def _prune(self, before_us: int, limit: int) -> int:
        with _transaction(self._db):
            self._write_heard()
            return sum(self._prune_lane(lane, before_us, limit) for lane in LANES)

    def _prune_lane(self, lane: Lane, before_us: int, limit: int) -> int:
        """Cut a lane's beginning off; the head at the cut stays, since the next record's hash stands on it."""
        row = self._db.execute(
            "SELECT seq, head FROM (SELECT seq, head, at_us FROM record WHERE lane = ?1 AND seq <="
            " (SELECT acknowledged FROM lane WHERE lane = ?1) ORDER BY seq LIMIT ?3)"
            " WHERE at_us < ?2 ORDER BY seq DESC LIMIT 1",
            (lane, before_us, limit),
        ).fetchone()
        if row is None:
            return 0
        cut, head = row
        self._db.execute("UPDATE lane SET pruned = ?, pruned_head = ? WHERE lane = ?", (cut, head, lane))
        return self._db.execute("DELETE FROM record WHERE lane = ? AND seq <= ?", (lane, cut)).rowcount


def lane_states(db: sqlite3.Connection) -> Iterator[LaneState]:
    """How each lane stands; works on any connection to an outbox, also a read-only one."""
    for lane, next_seq, acknowledged in db.execute(
        "SELECT lane, next_seq, acknowledged FROM lane"
    ).fetchall():
        (kept,) = db.execute("SELECT count(*) FROM record WHERE lane = ?", (lane,)).fetchone()
        (oldest,) = db.execute(
            "SELECT min(at_us) FROM record WHERE lane = ? AND seq > ?", (lane, acknowledged)
        ).fetchone()
        (parked,) = db.execute(
            "SELECT coalesce(sum(last - first + 1), 0) FROM parked WHERE lane = ? AND first > ?",
            (lane, acknowledged),
        ).fetchone()
        yield LaneState(
            lane=lane,
            last=next_seq - 1,
            acknowledged=acknowledged,
            kept=kept,
            oldest_unacknowledged_us=oldest,
            parked=parked,
        )


def _connect(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -1000")
    except sqlite3.Error as error:
        raise ConfigError(
            f"{path}: {error}", hint="Check that the folder exists, is writable, and that the card has room."
        ) from None
    return db


def _create(db: sqlite3.Connection, gateway: str) -> None:
    epoch = os.urandom(8).hex()
    with _transaction(db):
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO identity VALUES (?, ?)", (gateway, epoch))
        for lane in LANES:
            head = chain.start(gateway, epoch, lane)
            db.execute("INSERT INTO lane VALUES (?, 1, ?, 0, 0, ?)", (lane, head, head))
        db.execute(f"PRAGMA user_version = {_VERSION}")


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if db.in_transaction:  # on a full disk SQLite has rolled back already
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
    except sqlite3.OperationalError as error:
        raise Unreachable(
            f"the outbox did not take a record: {error}", hint="Check the card: full, read-only, or worn out."
        ) from None
