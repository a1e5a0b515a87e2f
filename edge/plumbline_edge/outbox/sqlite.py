"""A durable connection to the outbox's file, and SQLite's errors sorted by who must act."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError, PlumblineError, Unreachable
from plumbline_edge.outbox.rows import CardFull, Damaged

PAGE_BYTES: Final = 4096
_CARD: Final = "Check the card: full, read-only, or worn out."
_CARD_TROUBLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""Primary result codes (sqlite.org/rescode.html) that say nothing about the file's content; all others do."""


def connect(path: Path) -> sqlite3.Connection:
    """WAL and synchronous=FULL: in NORMAL a power cut took every last commit (docs/decisions/0002-durability.md).

    Raises ConfigError where the file cannot be opened, Damaged where it is no database.
    """
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise _cannot_open(path, error) from None
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -1000")
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as error:
        db.close()
        if isinstance(said := sort_out(error), Damaged):
            raise said from None
        raise _cannot_open(path, error) from None
    return db


def bound(db: sqlite3.Connection, *, file_bytes: int, wal_bytes: int) -> None:
    """From now on the file grows to `file_bytes` at most, and the log is cut back to `wal_bytes`."""
    db.execute(f"PRAGMA max_page_count = {max(file_bytes // PAGE_BYTES, 16)}")
    db.execute(f"PRAGMA journal_size_limit = {wal_bytes}")
    db.execute(f"PRAGMA wal_autocheckpoint = {wal_bytes // PAGE_BYTES // 4}")


def used_bytes(db: sqlite3.Connection) -> int:
    """What the file holds; pages freed by deletions are used again and do not count."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return int(pages - free) * PAGE_BYTES


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Committed, and on the card, when the block ends well; undone otherwise.

    Raises CardFull, Unreachable or Damaged for what SQLite says.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if db.in_transaction:  # on a full disk SQLite has rolled back already
                db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise sort_out(error) from None


@contextmanager
def reading() -> Iterator[None]:
    """Queries inside raise Unreachable or Damaged, never an error of SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        raise sort_out(error) from None


def sort_out(error: sqlite3.Error) -> PlumblineError:
    """Who must act on `error`: nobody but the outbox (Damaged), or the person with the card."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    short_read = code in (sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return CardFull(f"the outbox has no room: {error}", hint=_CARD)
    if code & 0xFF in _CARD_TROUBLE and not short_read:
        return Unreachable(f"the outbox did not take a record: {error}", hint=_CARD)
    return Damaged(
        f"the outbox's file is damaged: {error}", hint="What can be read is salvaged at the next start."
    )


def _cannot_open(path: Path, error: sqlite3.Error) -> ConfigError:
    return ConfigError(
        f"{path}: {error}", hint="Check that the folder exists, is writable, and that the card has room."
    )
