"""SQLite files: numbered migrations and durable connections; the one file of central that imports sqlite-utils."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from plumbline.errors import ConfigError, Unreachable

if TYPE_CHECKING:
    import sqlite_utils

_BUSY_TIMEOUT_S: Final = 30.0
_SET: Final = "plumbline"

Migrations = Sequence[tuple[str, str]]
"""(name, SQL script) in the order they apply; a name is never reused. Parts that share a file prefix theirs."""


def migrate(path: Path, migrations: Migrations) -> None:
    """Bring the file at `path` to the newest schema; each script once, each in its own transaction.

    Raises ConfigError where the file cannot be opened or is no database.
    """
    if _is_current(path, migrations):
        return  # the usual start: sqlite-utils costs 0.1 s and 27 MB
    import sqlite_utils  # noqa: PLC0415
    from sqlite_utils.migrations import Migrations as Applied  # noqa: PLC0415

    applied = Applied(_SET)
    for name, script in migrations:
        applied(name=name)(lambda db, script=script: _run(db, script))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite_utils.Database(sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S))
        try:
            db.enable_wal()
            applied.apply(db)
        finally:
            db.close()
    except (sqlite3.Error, OSError) as error:
        raise ConfigError(
            f"{path}: {error}", hint="Check that the folder is writable, has room, and that this is our file."
        ) from None


class Database:
    """One SQLite file for many threads: one writer at a time and one reader beside it, every commit durable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = _connect(path)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()

    @classmethod
    def open(cls, path: Path, migrations: Migrations) -> Self:
        """The file at `path`, made or migrated where needed. Raises ConfigError."""
        migrate(path, migrations)
        return cls(path)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction, committed when the block ends well and undone when it does not.

        Raises Unreachable where the disk does not take it.
        """
        with self._write_lock:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    yield self._writer
                except BaseException:
                    self._writer.execute("ROLLBACK")
                    raise
                self._writer.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise Unreachable(
                    f"{self.path.name} did not take a write: {error}",
                    hint="Check the disk: full, read-only, or worn out.",
                ) from error

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection for queries; fetch what you need inside the block."""
        with self._read_lock:
            yield self._reader

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Inside the block, all that `read` sees is of one moment, whatever others commit meanwhile."""
        with self._read_lock:
            self._reader.execute("BEGIN")
        try:
            yield
        finally:
            with self._read_lock:
                self._reader.execute("COMMIT")

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()


def _connect(path: Path) -> sqlite3.Connection:
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: {error}", hint="Check that the folder exists and is writable.") from None
    return db


def _is_current(path: Path, migrations: Migrations) -> bool:
    if not path.exists():
        return False
    try:
        db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
        try:
            rows = db.execute(
                "SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_SET,)
            ).fetchall()
        finally:
            db.close()
    except sqlite3.Error:
        return False
    return {name for name, _ in migrations} <= {name for (name,) in rows}


def _run(db: sqlite_utils.Database, script: str) -> None:
    """Statement by statement: `executescript` would commit half a migration."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            db.conn.execute(statement)
            statement = ""
