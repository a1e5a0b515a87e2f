"""The tables of ledger.db, and of an archived piece of it."""

from __future__ import annotations

from typing import Final

from plumbline_central.schema import Migrations

BATCH: Final = """
        CREATE TABLE batch (
            id INTEGER PRIMARY KEY AUTOINCREMENT, received_us INTEGER NOT NULL, site TEXT NOT NULL,
            gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL,
            last INTEGER NOT NULL, prev BLOB NOT NULL, head BLOB NOT NULL, payload BLOB NOT NULL,
            taken TEXT -- JSON [[first, last], ...]; NULL: all of it
        );
        CREATE INDEX batch_by_lane ON batch (gateway, epoch, lane, first, last, prev, head);
"""
COLUMNS: Final = "id, received_us, site, gateway, epoch, lane, first, last, prev, head, payload, taken"
INSERT: Final = f"INSERT INTO batch ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
RECORDS: Final = (
    "coalesce(sum(CASE WHEN taken IS NULL THEN last - first + 1 ELSE"
    " (SELECT sum(json_extract(value, '$[1]') - json_extract(value, '$[0]') + 1) FROM json_each(taken)) END), 0)"
)
"""How many records a query's rows were the first to bring."""
MIGRATIONS: Final[Migrations] = (
    (
        "ledger_1",
        BATCH
        + """
        CREATE TABLE coverage (
            gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL,
            last INTEGER NOT NULL, PRIMARY KEY (gateway, epoch, lane, first)
        ) WITHOUT ROWID;
        CREATE TABLE dead_letter (
            id INTEGER PRIMARY KEY AUTOINCREMENT, received_us INTEGER NOT NULL, topic TEXT NOT NULL,
            why TEXT NOT NULL, size_bytes INTEGER NOT NULL, payload BLOB NOT NULL
        );
        CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """,
    ),
    (
        "ledger_2",
        """
        -- rows first_id..last_id are in the archive's file of that name, and no longer in batch
        CREATE TABLE segment (
            first_id INTEGER PRIMARY KEY, last_id INTEGER NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL,
            rows INTEGER NOT NULL, records INTEGER NOT NULL, bytes INTEGER NOT NULL
        );
        -- which lanes it has rows of, and between which sequence numbers they lie
        CREATE TABLE segment_lane (
            segment INTEGER NOT NULL REFERENCES segment (first_id), site TEXT NOT NULL, gateway TEXT NOT NULL,
            epoch TEXT NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            PRIMARY KEY (gateway, epoch, lane, last, segment)
        ) WITHOUT ROWID;
        """,
    ),
)
