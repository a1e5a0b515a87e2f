"""The ledger as the rest of central knows it: append, read, account, archive. One file, one writing process."""

from __future__ import annotations

import logging
import sqlite3
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Self, cast

from plumbline import codec, ranges
from plumbline.messages import Lane
from plumbline.ranges import Range, Ranges
from plumbline_central.continuity import heads_at
from plumbline_central.ledger import across, append, coverage, tables
from plumbline_central.ledger import archive as archives
from plumbline_central.ledger.archive import Archive, OnStep, Segment
from plumbline_central.ledger.rows import (
    COUNTERS,
    Account,
    Arrival,
    DeadLetter,
    Hole,
    LaneKey,
    LinkRow,
    Outcome,
    Row,
)
from plumbline_central.ledger.tails import Tails
from plumbline_central.project import LedgerRow
from plumbline_central.schema import Database

log = logging.getLogger(__name__)

_RECENT_RECORDS: Final = 5_000
_LANES_REMEMBERED: Final = 10_000


class Ledger:
    """The log in one file with its archive beside it. Usable from any thread."""

    def __init__(self, db: Database, archive: Archive, *, remembers: bool = True) -> None:
        """`remembers`: where lanes ended is kept in memory, so that most batches need no query."""
        self._db = db
        self._archive = archive
        self._group = append.Group if remembers else append.Uncached
        self._append_lock = threading.Lock()
        self._tails: dict[LaneKey, Tails] = {}
        self._data_version: int | None = None
        self._recent: deque[LedgerRow] = deque()
        self._recent_records = 0
        self._recent_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path,
        archive_dir: Path | None = None,
        *,
        remembers: bool = True,
        block: int = archives.BLOCK,
    ) -> Self:
        """The ledger kept at `path`, made where there is none; its archive is the folder `archive` beside it.

        Raises ConfigError.
        """
        archive = Archive(archive_dir or path.parent / "archive", block=block)
        return cls(Database.open(path, tables.MIGRATIONS), archive, remembers=remembers)

    def close(self) -> None:
        self._db.close()
        self._archive.close()

    def append(self, arrivals: Sequence[Arrival], dead: Sequence[DeadLetter] = ()) -> list[Outcome]:
        """What became of each arrival; returns once all of it is on disk, in one commit.

        Raises Unreachable where the disk does not take it; then nothing of the group is stored.
        """
        if not arrivals and not dead:
            return []
        with self._append_lock:
            with self._db.write() as db:
                self._forget_what_others_changed(db)
                group = self._group(
                    db=db, archive=self._archive, known=self._tails, next_id=append.next_id(db)
                )
                outcomes = [group.take(arrival) for arrival in arrivals]
                group.finish(arrivals, outcomes, dead)
            if len(self._tails) > _LANES_REMEMBERED:
                self._tails.clear()
            self._tails |= group.tails
        self._remember(group.rows)
        for outcome in outcomes:
            if outcome.status == "deferred":
                log.error("not stored, not refused: %s", outcome.why)
        return outcomes

    def snapshot(self) -> AbstractContextManager[None]:
        """Inside the block this ledger stands still for its readers. Not for one that `read` follows."""
        return self._db.snapshot()

    def coverage(self, gateway: str, epoch: str, lane: Lane) -> Ranges:
        """Which sequence numbers of a lane are stored: all of them, so not for every batch; see `acknowledged`."""
        with self._db.read() as db:
            return coverage.load(db, (gateway, epoch, lane))

    def acknowledged(self, lane: LaneKey, spans: Iterable[Range]) -> tuple[int, Ranges]:
        """(the record up to which a lane is stored whole, the islands beyond it that touch `spans`).

        What an acknowledgement says of batches that just came: bounded by them, not by how holed the lane is.
        """
        with self._db.read() as db:
            through = coverage.through(db, lane)
            islands = {island for span in spans for island in coverage.touching(db, lane, span)}
        return through, tuple(island for island in sorted(islands) if island[0] > 1)

    def lanes(self) -> list[LaneKey]:
        """Every lane that a batch, the archive or the coverage names."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT gateway, epoch, lane FROM batch UNION SELECT gateway, epoch, lane FROM coverage"
                " UNION SELECT gateway, epoch, lane FROM segment_lane ORDER BY 1, 2, 3"
            ).fetchall()
        return [(gateway, epoch, cast("Lane", lane)) for gateway, epoch, lane in rows]

    def covered(self) -> dict[LaneKey, tuple[str, Ranges]]:
        """For every lane with records: its site, and what is stored of it."""
        with self._db.read() as db:
            found = db.execute(
                "SELECT gateway, epoch, lane, coalesce("
                " (SELECT site FROM batch b WHERE (b.gateway, b.epoch, b.lane) = (c.gateway, c.epoch, c.lane) LIMIT 1),"
                " (SELECT site FROM segment_lane s WHERE (s.gateway, s.epoch, s.lane) ="
                " (c.gateway, c.epoch, c.lane) LIMIT 1), '') FROM coverage c GROUP BY gateway, epoch, lane"
            ).fetchall()
            return {
                (gateway, epoch, lane): (site, coverage.load(db, (gateway, epoch, lane)))
                for gateway, epoch, lane, site in found
            }

    def holes(self) -> list[Hole]:
        """Everything that lacks below a lane's newest record; `plumbline_central.gaps` knows why."""
        return [
            Hole(site=site, gateway=gateway, epoch=epoch, lane=lane, first=first, last=last)
            for (gateway, epoch, lane), (site, have) in self.covered().items()
            for first, last in ranges.missing(have, (1, have[-1][1]))
        ]

    def read(self, after_id: int, limit: int) -> list[LedgerRow]:
        """Up to `limit` rows past `after_id`, ascending; fewer where they are long. Each record is read once.

        Raises ConfigError where they are in an archive file that is away, Refused where it is damaged.
        """
        with self._recent_lock:
            if self._recent and self._recent[0].id <= after_id + 1:
                return [row for row in self._recent if row.id > after_id][:limit]
        with self._db.read() as db:
            return across.after(db, self._archive, after_id, limit)

    def last_id(self) -> int:
        """The id of the newest row; 0 where there is none."""
        with self._db.read() as db:
            return _last_id(db)

    def rows(self, gateway: str, epoch: str, lane: Lane) -> Iterator[Row]:
        """A lane's batches by first record, read a few at a time. Raises as `read` does."""
        past = (0, 0)
        while True:
            with self._db.read() as db:
                chunk = across.of_lane(db, self._archive, (gateway, epoch, lane), past)
            if not chunk:
                return
            yield from chunk
            past = (chunk[-1].link.first, chunk[-1].id)

    def links(self, after_id: int, limit: int) -> Iterator[LinkRow]:
        """Up to `limit` rows past `after_id` as they came, ascending; a few are held at a time. Raises as `read` does."""
        while limit > 0:
            with self._db.read() as db:
                chunk = across.links_after(db, self._archive, after_id)[:limit]
            if not chunk:
                return
            yield from chunk
            after_id = chunk[-1][0]
            limit -= len(chunk)

    def heads_after(self, lane: LaneKey, seqs: Iterable[int]) -> dict[int, bytes]:
        """The chain's head after each of records `seqs` that a stored batch tells. Raises ConfigError as `read` does.

        A stored batch is opened once for all of them in its stretch: twice where two stretches meet in it.
        """
        found: dict[int, bytes] = {}
        with self._db.read() as db:
            for stretch in _stretches(sorted(set(seqs)), codec.MAX_RECORDS):
                near = across.neighbours(db, self._archive, lane, stretch[0], stretch[-1])
                found |= heads_at(stretch, near)
        return found

    def counters(self) -> dict[str, int]:
        """Since the file was made; see `COUNTERS`."""
        with self._db.read() as db:
            return _counters(db)

    def account(self, row_ids: Iterable[int]) -> Account:
        """Counters, coverage and how many records lie past each of `row_ids`, all of one moment."""
        with self._one_moment() as db:
            (covered,) = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM coverage").fetchone()
            return Account(
                counters=_counters(db),
                covered=covered,
                last_id=_last_id(db),
                after={
                    row_id: across.records_after(db, self._archive, row_id) if row_id else covered
                    for row_id in set(row_ids)
                },
            )

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Newest first; the payloads are cut at 64 KiB."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT received_us, topic, payload, why FROM dead_letter ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [DeadLetter(received_us=us, topic=topic, payload=raw, why=why) for us, topic, raw, why in rows]

    def segments(self) -> list[Segment]:
        """What is archived, oldest first."""
        with self._db.read() as db:
            return archives.segments(db)

    def need_archive(self) -> None:
        """Return if every archive file is there. Raises ConfigError, naming the first that is away."""
        for segment in self.segments():
            self._archive.need(segment.file)

    def why_altered(self, segment: Segment) -> str | None:
        """What differs between a segment's file and what was archived. Raises ConfigError where it is away."""
        return self._archive.why_altered(segment)

    def archivable(self, before_us: int) -> int:
        """How many whole blocks are older than `before_us`."""
        with self._db.read() as db:
            return sum(1 for _ in archives.old_blocks(db, self._archive.block, before_us))

    def archive_next(self, before_us: int, on_step: OnStep = lambda _: None) -> Segment | None:
        """Move the oldest whole block out if all of it is older than `before_us`; None where there is none.

        Raises Unreachable where the archive's disk does not take it, Refused while another process archives.
        """
        with archives.sole_archiver(self._db.path.with_name("archive.lock")):
            with self._db.read() as db:
                first_id = next(archives.old_blocks(db, self._archive.block, before_us), None)
            return None if first_id is None else archives.move(self._db, self._archive, first_id, on_step)

    def size_bytes(self) -> int:
        """What ledger.db and its journal take on disk."""
        path = self._db.path
        files = (path, path.with_name(f"{path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @contextmanager
    def _one_moment(self) -> Iterator[sqlite3.Connection]:
        with self._db.read() as db:
            if db.in_transaction:  # inside `snapshot`
                yield db
                return
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("COMMIT")

    def _forget_what_others_changed(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._tails.clear()
            self._data_version = version

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


def _stretches(ascending: Sequence[int], longest: int) -> Iterator[Sequence[int]]:
    """The numbers in runs, none of which spans `longest` numbers or more."""
    at = 0
    while at < len(ascending):
        end = bisect_left(ascending, ascending[at] + longest)
        yield ascending[at:end]
        at = end


def _last_id(db: sqlite3.Connection) -> int:
    (last,) = db.execute(
        "SELECT max(coalesce((SELECT max(id) FROM batch), 0), coalesce((SELECT max(last_id) FROM segment), 0))"
    ).fetchone()
    return int(last)


def _counters(db: sqlite3.Connection) -> dict[str, int]:
    found = dict(db.execute("SELECT name, value FROM counter").fetchall())
    return {name: int(found.get(name, 0)) for name in COUNTERS}
