"""What each projection knows of its gateways' clocks, in the file that holds its cursor."""

from __future__ import annotations

import sqlite3
from typing import Final

from plumbline_central.placing import Boot, Fix, Fixes
from plumbline_central.schema import Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "fixes_1",
        """
        -- mono_us, offset_us: microseconds; wall time = time since boot + offset (placing.Fix)
        CREATE TABLE clock_fix (
            projection TEXT NOT NULL, gateway TEXT NOT NULL, boot TEXT NOT NULL, mono_us INTEGER NOT NULL,
            offset_us INTEGER NOT NULL, PRIMARY KEY (projection, gateway, boot, mono_us)
        ) WITHOUT ROWID;
        """,
    ),
)


def get(db: sqlite3.Connection, projection: str, boot: Boot) -> Fixes:
    """What `projection` has learnt of one boot."""
    rows = db.execute(
        "SELECT mono_us, offset_us FROM clock_fix WHERE projection = ? AND gateway = ? AND boot = ? ORDER BY mono_us",
        (projection, *boot),
    )
    return tuple(Fix(mono_us, offset_us) for mono_us, offset_us in rows)


def change(db: sqlite3.Connection, projection: str, boot: Boot, before: Fixes, after: Fixes) -> None:
    """`after` is known where `before` was; only what differs is written. Part of the caller's transaction."""
    db.executemany(
        "DELETE FROM clock_fix WHERE projection = ? AND gateway = ? AND boot = ? AND mono_us = ?",
        [(projection, *boot, fix.mono_us) for fix in {*before} - {*after}],
    )
    db.executemany(
        "INSERT OR REPLACE INTO clock_fix VALUES (?, ?, ?, ?, ?)",
        [(projection, *boot, fix.mono_us, fix.offset_us) for fix in {*after} - {*before}],
    )


def forget(db: sqlite3.Connection, projection: str) -> None:
    """Part of the caller's transaction."""
    db.execute("DELETE FROM clock_fix WHERE projection = ?", (projection,))
