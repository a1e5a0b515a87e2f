"""Where each projection of a file stands in the ledger, and what it did with the records up to there."""

from __future__ import annotations

import sqlite3
from typing import Final

from plumbline_central.project import Tally
from plumbline_central.schema import Database, Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "cursors_1",
        "CREATE TABLE projection_cursor (name TEXT PRIMARY KEY, ledger_id INTEGER NOT NULL) WITHOUT ROWID;\n",
    ),
    (
        "cursors_2",
        """
        -- applied: NULL where the projection had begun before anybody counted
        ALTER TABLE projection_cursor ADD COLUMN applied INTEGER;
        ALTER TABLE projection_cursor ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0;
        """,
    ),
)


def get(db: sqlite3.Connection, name: str) -> Tally:
    """What projection `name` has done; nothing where it was never heard of."""
    row = db.execute(
        "SELECT ledger_id, applied, passed_over FROM projection_cursor WHERE name = ?", (name,)
    ).fetchone()
    return Tally(through=row[0], applied=row[1], passed_over=row[2]) if row else Tally()


def move(db: sqlite3.Connection, name: str, tally: Tally) -> None:
    """Part of the caller's transaction."""
    db.execute(
        "INSERT OR REPLACE INTO projection_cursor (name, ledger_id, applied, passed_over) VALUES (?, ?, ?, ?)",
        (name, tally.through, tally.applied, tally.passed_over),
    )


class Cursor:
    """One projection's tally: in memory as far as it has come, on disk as far as it was saved.

    For projections that most rows have nothing for: they save every `rows_between` rows, and what they read again
    after a restart is counted again from the tally on disk.
    """

    def __init__(self, db: Database, name: str, rows_between: int) -> None:
        self._db = db
        self._name = name
        self._rows_between = rows_between
        self._reached: Tally | None = None
        self._saved = 0

    def load(self) -> int:
        """Back to what is on disk; the last row there."""
        self._reached = self._on_disk()
        self._saved = self._reached.through
        return self._saved

    def tally(self) -> Tally:
        """Usable from any thread: it remembers nothing."""
        return self._reached or self._on_disk()

    def is_due(self, tally: Tally) -> bool:
        return tally.through - self._saved >= self._rows_between

    def reach(self, tally: Tally) -> None:
        """Effects up to `tally` are made; the disk says less for now."""
        self._reached = tally

    def saved(self, tally: Tally) -> None:
        """`move` to `tally` was committed."""
        self._reached, self._saved = tally, tally.through

    def _on_disk(self) -> Tally:
        with self._db.read() as db:
            return get(db, self._name)
