"""Moves whole blocks of old ledger rows into files that are never written again, and reads them there.

A block leaves ledger.db only in the transaction that records its file, and only after the file was synced, opened
again and compared row by row. A crash before that leaves a file that nobody counts and the next run replaces.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_central.ledger import tables
from plumbline_central.schema import Database

BLOCK: Final = 4096
"""Rows in a segment: a few megabytes of readings."""
_ROWS_AT_ONCE: Final = 256
_FILES_OPEN: Final = 8

OnStep = Callable[[str], None]


class Away(ConfigError):
    """An archive file is not where it should be."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not there: it holds archived rows of the ledger",
            hint="Bring the archive back, or name its folder as archive_dir under [ledger].",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One archived block: which rows, in which file, and what that file's bytes hash to."""

    first_id: int
    last_id: int
    file: str
    sha256: str
    rows: int
    records: int
    bytes: int


class Archive:
    """The files of one folder, opened when they are asked for. Usable from any thread."""

    def __init__(self, folder: Path, *, block: int = BLOCK) -> None:
        """`block`: rows in a segment, the same for a ledger's whole life."""
        self.folder = folder
        self.block = block
        self._open: OrderedDict[str, sqlite3.Connection] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, file: str) -> Iterator[sqlite3.Connection]:
        """The rows of one segment. Raises Away where its file is not there, Refused where it cannot be read."""
        with self._lock:
            try:
                yield self._connected(file)
            except sqlite3.Error as error:
                self._forget(file)
                raise Refused(
                    f"{self.folder / file} is damaged: {error}", hint="Restore it from a backup."
                ) from None

    def need(self, file: str) -> None:
        """Raises Away where there is no such file."""
        if not (self.folder / file).exists():
            raise Away(self.folder / file)

    def why_altered(self, segment: Segment) -> str | None:
        """What differs between the file and what was archived. Raises Away."""
        path = self.folder / segment.file
        try:
            found = _sha256(path)
        except OSError:
            raise Away(path) from None
        return None if found == segment.sha256 else f"{path} is not the file that was archived"

    def close(self) -> None:
        with self._lock:
            for file in list(self._open):
                self._forget(file)

    def _connected(self, file: str) -> sqlite3.Connection:
        path = self.folder / file
        if not path.exists():
            self._forget(file)
            raise Away(path)
        if file not in self._open:
            self._open[file] = _read_only(path)
            if len(self._open) > _FILES_OPEN:
                self._forget(next(iter(self._open)))
        self._open.move_to_end(file)
        return self._open[file]

    def _forget(self, file: str) -> None:
        db = self._open.pop(file, None)
        if db is not None:
            db.close()


def segments(db: sqlite3.Connection) -> list[Segment]:
    """All that are archived, oldest first."""
    rows = db.execute(
        "SELECT first_id, last_id, file, sha256, rows, records, bytes FROM segment ORDER BY first_id"
    ).fetchall()
    return [_segment(row) for row in rows]


def containing(db: sqlite3.Connection, row_id: int) -> Segment | None:
    """The oldest segment that reaches to `row_id` or beyond."""
    row = db.execute(
        "SELECT first_id, last_id, file, sha256, rows, records, bytes FROM segment WHERE last_id >= ?"
        " ORDER BY last_id LIMIT 1",
        (row_id,),
    ).fetchone()
    return _segment(row) if row else None


def old_blocks(db: sqlite3.Connection, block: int, before_us: int) -> Iterator[int]:
    """The first ids of the blocks that `move` could take now, oldest first: whole, and all older than `before_us`."""
    (last,) = db.execute("SELECT coalesce(max(last_id), 0) FROM segment").fetchone()
    first = int(last) + 1
    while _is_old(db, first, first + block - 1, before_us):
        yield first
        first += block


@contextmanager
def sole_archiver(lock: Path) -> Iterator[None]:
    """Raises Refused where another process is at it: both would write the same file."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("another process is archiving just now", hint="Wait until it is done.") from None
        yield


def move(ledger: Database, archive: Archive, first_id: int, on_step: OnStep) -> Segment:
    """Block `first_id`… into its file; `on_step` is told of each step before the next one begins.

    Raises Unreachable where the archive's disk does not take it; then the rows stay where they are.
    """
    last_id = first_id + archive.block - 1
    file = f"ledger-{first_id}-{last_id}.db"
    path = archive.folder / file
    part = path.with_suffix(".part")
    try:
        _make(archive.folder)
        with suppress(FileNotFoundError):
            part.unlink()
        _copy(ledger, first_id, last_id, part)
        on_step("written")
        _sync(part)
        on_step("synced")
        _compare(ledger, first_id, last_id, part)
        on_step("compared")
        sha256, size = _sha256(part), part.stat().st_size
        part.chmod(0o440)
        part.replace(path)
        _sync(archive.folder)
        on_step("renamed")
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink()
        raise Unreachable(
            f"{path} could not be written: {error}",
            hint="Check the archive's disk; the rows stay in ledger.db.",
        ) from error
    with ledger.write() as db:
        return _record(db, first_id, last_id, file, sha256, size, on_step)


def _record(
    db: sqlite3.Connection, first_id: int, last_id: int, file: str, sha256: str, size: int, on_step: OnStep
) -> Segment:
    """Part of the caller's transaction: from here on the rows are in the file, and only there."""
    within = (first_id, last_id)
    rows, records = db.execute(
        f"SELECT count(*), {tables.RECORDS} FROM batch WHERE id BETWEEN ? AND ?",  # noqa: S608 - our own names
        within,
    ).fetchone()
    segment = Segment(
        first_id=first_id, last_id=last_id, file=file, sha256=sha256, rows=rows, records=records, bytes=size
    )
    db.execute(
        "INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?)",
        (first_id, last_id, file, sha256, rows, records, size),
    )
    db.execute(
        "INSERT INTO segment_lane SELECT ?, max(site), gateway, epoch, lane, min(first), max(last) FROM batch"
        " WHERE id BETWEEN ? AND ? GROUP BY gateway, epoch, lane",
        (first_id, *within),
    )
    on_step("recorded")
    db.execute("DELETE FROM batch WHERE id BETWEEN ? AND ?", within)
    on_step("deleted")
    return segment


def _is_old(db: sqlite3.Connection, first_id: int, last_id: int, before_us: int) -> bool:
    """The last row is asked for alone first: without it the block is still growing."""
    row = db.execute("SELECT received_us FROM batch WHERE id >= ? ORDER BY id LIMIT 1", (last_id,)).fetchone()
    if row is None or row[0] >= before_us:
        return False
    (newest,) = db.execute(
        "SELECT max(received_us) FROM batch WHERE id BETWEEN ? AND ?", (first_id, last_id)
    ).fetchone()
    return newest is not None and newest < before_us


def _copy(ledger: Database, first_id: int, last_id: int, part: Path) -> None:
    out = sqlite3.connect(part, isolation_level=None)
    try:
        out.execute("PRAGMA journal_mode = OFF")  # a file that is cut off is written anew
        out.execute("PRAGMA synchronous = OFF")  # it is synced whole, once
        out.execute("BEGIN")
        for statement in tables.BATCH.split(";\n"):
            out.execute(statement)
        for rows in _chunks(ledger, first_id, last_id):
            out.executemany(tables.INSERT, rows)
        out.execute("COMMIT")
    finally:
        out.close()


def _compare(ledger: Database, first_id: int, last_id: int, part: Path) -> None:
    again = _read_only(part)
    try:
        if again.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise OSError("what was written does not read back whole")
        at = first_id
        for rows in _chunks(ledger, first_id, last_id):
            if rows != _rows(again, at, last_id):
                raise OSError(f"what was written differs from row {at} or one soon after it")
            at = rows[-1][0] + 1
        if _rows(again, at, last_id):
            raise OSError("more rows were written than there are")
    finally:
        again.close()


def _chunks(ledger: Database, first_id: int, last_id: int) -> Iterator[list[tuple[Any, ...]]]:
    at = first_id
    while True:
        with ledger.read() as db:
            rows = _rows(db, at, last_id)
        if not rows:
            return
        yield rows
        at = rows[-1][0] + 1


def _rows(db: sqlite3.Connection, first_id: int, last_id: int) -> list[tuple[Any, ...]]:
    return db.execute(
        "SELECT id, received_us, site, gateway, epoch, lane, first, last, CAST(prev AS BLOB), CAST(head AS BLOB),"
        " CAST(payload AS BLOB), taken FROM batch WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?",
        (first_id, last_id, _ROWS_AT_ONCE),
    ).fetchall()


def _read_only(path: Path) -> sqlite3.Connection:
    """`immutable`: no lock and no journal beside it, so a read-only disk will do."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )


def _make(folder: Path) -> None:
    """`folder`, durably: a new folder is lost in a power cut until the one that holds it is synced."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    for path in new:
        _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _segment(row: tuple[Any, ...]) -> Segment:
    first_id, last_id, file, sha256, rows, records, size = row
    return Segment(
        first_id=first_id, last_id=last_id, file=file, sha256=sha256, rows=rows, records=records, bytes=size
    )
