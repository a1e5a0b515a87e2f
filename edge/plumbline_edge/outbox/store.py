"""The outbox's file and what is known of it in memory; belongs to one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self, cast

from plumbline import chain, codec, ranges
from plumbline.errors import ConfigError, Refused
from plumbline.messages import Lane, Record
from plumbline.ranges import Range, Ranges
from plumbline.topics import is_name
from plumbline_edge.outbox import schema
from plumbline_edge.outbox.rows import LANES, Damaged, Draft, Limits, Run, Stream
from plumbline_edge.outbox.sqlite import PAGE_BYTES, bound, connect, reading, transaction, used_bytes

_SPARE_PAGES: Final = 32
_ROW_BYTES: Final = 120
"""What a record costs in the file besides its body."""
SELECT: Final = "SELECT seq, at_us, boot, mono_us, clock, body, head FROM record"
Row = tuple[int, int, str, int, str, bytes, bytes]
"""(seq, at_us, boot, mono_us, clock, body, head)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneEnd:
    """A lane as of the last commit: where the next record goes, and which are no longer here."""

    id: int
    next_seq: int
    head: bytes
    thinned: int
    cut: Ranges = ()
    parked: Ranges = ()

    @property
    def last(self) -> int:
        return self.next_seq - 1


@dataclass(slots=True)
class Change:
    """A transaction in progress: what the lanes will be once it is on the card."""

    lanes: dict[Stream, LaneEnd]
    written: dict[Stream, Ranges]
    bytes_added: int = 0


@dataclass(slots=True)
class Store:
    """Every method that changes something takes the `Change` of a transaction; memory follows its commit."""

    path: Path
    gateway: str
    db: sqlite3.Connection
    limits: Limits
    epoch: str = ""
    lanes: dict[Stream, LaneEnd] = field(default_factory=dict)
    written: dict[Stream, Ranges] = field(default_factory=dict)
    """Acknowledgements that are in the file."""
    bytes_added: int = 0
    """Since it was opened, as the file counts: bodies and what each row costs besides."""

    @classmethod
    def open(cls, path: Path, gateway: str, limits: Limits, *, older: Iterable[str] = ()) -> Self:
        """The outbox at `path`, made (with epochs `older` before its own) or migrated where needed.

        Raises ConfigError where a person must act, Damaged where the content cannot be trusted.
        """
        db = connect(path)
        try:
            with reading():
                (version,) = db.execute("PRAGMA user_version").fetchone()
                _bring_to_version(db, path, version, gateway, older)
                bound(db, file_bytes=limits.file_bytes, wal_bytes=limits.wal_bytes)
                store = cls(path=path, gateway=gateway, db=db, limits=limits)
                store.load()
        except BaseException:
            db.close()
            raise
        return store

    def load(self) -> None:
        """Read what the file says of its lanes."""
        (owner,) = self.db.execute("SELECT gateway FROM identity").fetchone() or ("",)
        if owner != self.gateway:
            raise ConfigError(
                f"{self.path} belongs to gateway {owner!r}, the site file says {self.gateway!r}",
                hint="Give each gateway its own state_dir.",
            )
        try:
            self.lanes, self.written = read_lanes(self.db)
            (self.epoch,) = self.db.execute("SELECT name FROM epoch ORDER BY id DESC LIMIT 1").fetchone()
            strange = next(_strange(self.lanes, self.written, self.epoch), None)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            strange = f"its lanes cannot be read ({error!r})"
        if strange is not None:
            raise Damaged(f"{self.path}: {strange}")

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[Change]:
        """Memory follows when it is on the card. Raises CardFull, Unreachable, Damaged."""
        change = Change(dict(self.lanes), dict(self.written))
        with transaction(self.db):
            yield change
        self.lanes, self.written = change.lanes, change.written
        self.bytes_added += change.bytes_added

    @property
    def used_bytes(self) -> int:
        return used_bytes(self.db)

    @property
    def room_bytes(self) -> int:
        """What the file may hold."""
        (pages,) = self.db.execute("PRAGMA max_page_count").fetchone()
        return int(pages) * PAGE_BYTES

    @contextmanager
    def widened(self) -> Iterator[None]:
        """Inside the block the bound is a few pages wider: what makes room may need some before it gives more."""
        (pages,) = self.db.execute("PRAGMA max_page_count").fetchone()
        self.db.execute(f"PRAGMA max_page_count = {pages + _SPARE_PAGES}")
        try:
            yield
        finally:
            self.db.execute(f"PRAGMA max_page_count = {pages}")

    def squeeze(self) -> None:
        """The card has no more: from now on the file may only use the pages it has."""
        self.db.execute(f"PRAGMA max_page_count = {self.db.execute('PRAGMA page_count').fetchone()[0]}")

    def unsqueeze(self) -> None:
        bound(self.db, file_bytes=self.limits.file_bytes, wal_bytes=self.limits.wal_bytes)

    def insert(self, change: Change, drafts: Iterable[Draft]) -> list[tuple[Stream, int]]:
        """Give `drafts` their places in the newest epoch's lanes, chained; where each went."""
        ends = {lane: change.lanes[self.epoch, lane] for lane in LANES}
        tips = {lane: (end.next_seq, end.head) for lane, end in ends.items()}
        rows: list[tuple[object, ...]] = []
        places: list[tuple[Stream, int]] = []
        for draft in drafts:
            seq, head = tips[draft.lane]
            body = codec.encode_body(draft.body)
            raw = codec.canonical(seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, body)
            head = chain.link(head, seq, raw)
            tips[draft.lane] = (seq + 1, head)
            lane = ends[draft.lane].id
            rows.append((lane, seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, body, head))
            places.append(((self.epoch, draft.lane), seq))
            change.bytes_added += len(body) + _ROW_BYTES
        self.db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        for name, (next_seq, head) in tips.items():
            end = ends[name]
            if next_seq != end.next_seq:
                self.db.execute(
                    "UPDATE lane SET next_seq = ?, head = ? WHERE id = ?", (next_seq, head, end.id)
                )
                change.lanes[self.epoch, name] = replace(end, next_seq=next_seq, head=head)
        return places

    def write_acknowledged(self, change: Change, heard: dict[Stream, Ranges]) -> None:
        """What central said it has; `heard` may grow in another thread meanwhile."""
        for stream, now in list(heard.items()):
            before = change.written.get(stream, ())
            if now == before or stream not in self.lanes:
                continue
            lane = self.lanes[stream].id
            for first, _ in set(before) - set(now):
                self.db.execute("DELETE FROM acknowledged WHERE lane = ? AND first = ?", (lane, first))
            for first, last in set(now) - set(before):
                self.db.execute("INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?)", (lane, first, last))
            change.written[stream] = now

    def cut(self, change: Change, stream: Stream, first: int, last: int) -> None:
        """Delete records `first`..`last`; the head after them stays, since the next record stands on it."""
        end = change.lanes[stream]
        head = self.head_at(stream, last)
        if head is None:
            raise Damaged(f"record {last} of {stream} has no head")
        self.db.execute("DELETE FROM record WHERE lane = ? AND seq BETWEEN ? AND ?", (end.id, first, last))
        self.note_cut(change, stream, (first, last), head)

    def note_cut(self, change: Change, stream: Stream, gone: Range, head: bytes) -> None:
        """Records `gone` are not here; `head` is the chain's after the last of them."""
        end = change.lanes[stream]
        after = ranges.add(end.cut, gone)
        for first, last in set(end.cut) - set(after):
            if last > gone[1]:
                (head,) = self.db.execute(
                    "SELECT head FROM cut WHERE lane = ? AND first = ?", (end.id, first)
                ).fetchone()
            self.db.execute("DELETE FROM cut WHERE lane = ? AND first = ?", (end.id, first))
        for first, last in set(after) - set(end.cut):
            self.db.execute("INSERT OR REPLACE INTO cut VALUES (?, ?, ?, ?)", (end.id, first, last, head))
        change.lanes[stream] = replace(end, cut=after)

    def park(self, change: Change, stream: Stream, first: int, last: int, why: str) -> None:
        end = change.lanes[stream]
        self.db.execute("INSERT OR IGNORE INTO parked VALUES (?, ?, ?, ?)", (end.id, first, last, why))
        change.lanes[stream] = replace(end, parked=ranges.add(end.parked, (first, last)))

    def head_at(self, stream: Stream, seq: int) -> bytes | None:
        """The chain's head after record `seq`; None where the file does not have it."""
        epoch, lane = stream
        if seq == 0:
            return chain.start(self.gateway, epoch, lane)
        row = self.db.execute(
            "SELECT head FROM record WHERE lane = ?1 AND seq = ?2"
            " UNION ALL SELECT head FROM cut WHERE lane = ?1 AND last = ?2",
            (self.lanes[stream].id, seq),
        ).fetchone()
        return bytes(row[0]) if row and row[0] else None

    def rows(self, stream: Stream, first: int, last: int, limit: int) -> Iterator[Row]:
        """Records `first`..`last` that are here, ascending."""
        return self.db.execute(
            f"{SELECT} WHERE lane = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (self.lanes[stream].id, first, last, limit),
        )

    def times(self, stream: Stream, first: int, last: int, limit: int) -> list[tuple[int, int, str]]:
        """(seq, time, clock) of the records `first`..`last` that are here, ascending."""
        return self.db.execute(
            "SELECT seq, at_us, clock FROM record WHERE lane = ? AND seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            (self.lanes[stream].id, first, last, limit),
        ).fetchall()

    def first_here(self, stream: Stream) -> int | None:
        """The oldest record that is here."""
        row = self.db.execute(
            "SELECT seq FROM record WHERE lane = ? ORDER BY seq LIMIT 1", (self.lanes[stream].id,)
        ).fetchone()
        return row[0] if row else None

    def run_in(self, stream: Stream, first: int, last: int, max_records: int, max_bytes: int) -> Run | None:
        """Consecutive records from the first one here at or after `first`. Raises Damaged where they rotted."""
        picked: list[Row] = []
        size = 0
        for row in self.rows(stream, first, last, max_records):
            size += len(row[5])
            if picked and (size > max_bytes or row[0] != picked[-1][0] + 1):
                break
            picked.append(row)
        if not picked:
            return None
        prev = self.head_at(stream, picked[0][0] - 1)
        if prev is None:
            raise Damaged(f"record {picked[0][0]} of {stream} follows nothing")
        return Run(
            epoch=stream[0],
            lane=stream[1],
            prev=prev,
            head=picked[-1][6],
            records=checked(prev, picked),
            bodies=tuple(row[5] for row in picked),
        )


def checked(prev: bytes, rows: Sequence[Row]) -> tuple[Record, ...]:
    """The records in `rows`, each proven by its hash. Raises Damaged for one that is not what was written."""
    records = []
    head = prev
    for row in rows:
        head, record = link(head, row)
        records.append(record)
    return tuple(records)


def link(prev: bytes, row: Row) -> tuple[bytes, Record]:
    """The head after `row`, and its record. Raises Damaged where its bytes do not lead from `prev` to its head."""
    seq, at_us, boot, mono_us, clock, body, head = row
    try:
        raw = codec.canonical(seq, at_us, boot, mono_us, clock, body)  # type: ignore[arg-type]
        if chain.link(prev, seq, raw) != head:
            raise Damaged(f"record {seq} is not what was written")
        said = codec.decode_body(body)
    except (Refused, TypeError, ValueError, OverflowError) as error:
        raise Damaged(f"record {seq} cannot be read: {error}") from None
    record = Record(seq=seq, at_us=at_us, boot=boot, mono_us=mono_us, clock=clock, body=said)  # type: ignore[arg-type]
    return head, record


def read_lanes(db: sqlite3.Connection) -> tuple[dict[Stream, LaneEnd], dict[Stream, Ranges]]:
    """Every lane, newest epoch first and the most urgent first, and what central acknowledged of it."""
    lanes: dict[Stream, LaneEnd] = {}
    acknowledged: dict[Stream, Ranges] = {}
    rows = db.execute(
        "SELECT l.id, e.name, l.name, l.next_seq, l.head, l.thinned FROM lane l JOIN epoch e ON e.id = l.epoch"
        " ORDER BY e.id DESC, l.id"  # lanes are made most urgent first
    ).fetchall()
    for id_, epoch, lane, next_seq, head, thinned in rows:
        stream = (epoch, cast("Lane", lane))
        lanes[stream] = LaneEnd(
            id=id_,
            next_seq=next_seq,
            head=head,
            thinned=thinned,
            cut=_ranges(db, "cut", id_),
            parked=_ranges(db, "parked", id_),
        )
        acknowledged[stream] = _ranges(db, "acknowledged", id_)
    return lanes, acknowledged


def _strange(lanes: dict[Stream, LaneEnd], written: dict[Stream, Ranges], newest: str) -> Iterator[str]:
    """What no gateway would have written."""
    for lane in LANES:
        if (newest, lane) not in lanes:
            yield f"the newest epoch has no {lane} lane"
    for stream, end in lanes.items():
        if not is_name(stream[0]):
            yield f"{stream[0]!r} is no epoch"
        if not 1 <= end.next_seq <= codec.MAX_SEQ or len(end.head) not in (0, chain.SIZE):
            yield f"the {stream[1]} lane ends nowhere"
        for first, last in (*end.cut, *end.parked, *written[stream]):
            if not 1 <= first <= last <= end.last:
                yield f"records {first}..{last} of the {stream[1]} lane never were"


def _ranges(db: sqlite3.Connection, table: str, lane: int) -> Ranges:
    found: list[Range] = db.execute(
        f"SELECT first, last FROM {table} WHERE lane = ? ORDER BY first",  # noqa: S608 - our own names
        (lane,),
    ).fetchall()
    return ranges.union(tuple(found))


def _bring_to_version(
    db: sqlite3.Connection, path: Path, version: int, gateway: str, older: Iterable[str]
) -> None:
    if version > schema.VERSION:
        if version > schema.VERSION + 100:
            raise Damaged(f"{path}: schema {version} is none")
        raise ConfigError(
            f"{path} was written by a newer Plumbline (schema {version}, this one knows {schema.VERSION})",
            hint="Install the newer version again; everything waits in the file until then.",
        )
    if version == 0:
        (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables:
            raise Damaged(f"{path} has tables but no version")
        schema.create(db, gateway, older)
    elif version < schema.VERSION:
        schema.migrate(db, version)
