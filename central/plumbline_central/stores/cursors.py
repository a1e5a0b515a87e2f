"""Where each projection of series.db stands in the ledger."""

from __future__ import annotations

import sqlite3
from typing import Final

from plumbline_central.schema import Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "cursors_1",
        "CREATE TABLE projection_cursor (name TEXT PRIMARY KEY, ledger_id INTEGER NOT NULL) WITHOUT ROWID;\n",
    ),
)


def get(db: sqlite3.Connection, name: str) -> int:
    """The last ledger row that projection `name` applied; 0 before the first."""
    row = db.execute("SELECT ledger_id FROM projection_cursor WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else 0


def move(db: sqlite3.Connection, name: str, ledger_id: int) -> None:
    """Part of the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO projection_cursor VALUES (?, ?)", (name, ledger_id))
