"""Where each projection of a file stands in the ledger, and what it did with the records up to there."""

from __future__ import annotations

import sqlite3
from typing import Final

from plumbline_central.project import Tally
from plumbline_central.schema import Migrations

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
