"""Which ledger rows could not be read when their readings were to move, and by what fixes those readings lie."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from plumbline_central.placing import Boot, Fix, Fixes
from plumbline_central.schema import Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "left_behind_1",
        """
        -- fixes: JSON, [[mono_us, offset_us], ...] as they were when the readings of the row were last placed
        CREATE TABLE left_behind (
            gateway TEXT NOT NULL, boot TEXT NOT NULL, ledger_id INTEGER NOT NULL, fixes TEXT NOT NULL,
            PRIMARY KEY (gateway, boot, ledger_id)
        ) WITHOUT ROWID;
        """,
    ),
)


def get(db: sqlite3.Connection, boot: Boot) -> dict[int, Fixes]:
    """By ledger id."""
    rows = db.execute("SELECT ledger_id, fixes FROM left_behind WHERE gateway = ? AND boot = ?", boot)
    return {id_: tuple(Fix(mono, offset) for mono, offset in json.loads(text)) for id_, text in rows}


def put(db: sqlite3.Connection, boot: Boot, left: Mapping[int, Fixes], moved: Iterable[int]) -> None:
    """Note what stays behind, strike what came after; part of the caller's transaction."""
    key = "gateway = ? AND boot = ? AND ledger_id = ?"
    db.executemany(f"DELETE FROM left_behind WHERE {key}", [(*boot, id_) for id_ in moved])  # noqa: S608 - our own names
    db.executemany(
        "INSERT OR REPLACE INTO left_behind VALUES (?, ?, ?, ?)",
        [
            (*boot, id_, json.dumps([(fix.mono_us, fix.offset_us) for fix in fixes]))
            for id_, fixes in left.items()
        ],
    )


def forget(db: sqlite3.Connection) -> None:
    """Part of the caller's transaction."""
    db.execute("DELETE FROM left_behind")
