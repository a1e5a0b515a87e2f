"""Which store the readings of a series.db went to, so that another one is never taken for full."""

from __future__ import annotations

from typing import Final

from plumbline.errors import ConfigError
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors

MIGRATIONS: Final[Migrations] = (
    (
        "store_owner_1",
        "CREATE TABLE store_owner (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), name TEXT NOT NULL);\n",
    ),
)
FIRST: Final = "sqlite"
"""What there was before anybody noted it."""


def check(db: Database, name: str, *, projection: str) -> None:
    """Return where the readings so far are in the store `name`, or there are none. Raises ConfigError."""
    with db.read() as reader:
        row = reader.execute("SELECT name FROM store_owner").fetchone()
        begun = cursors.get(reader, projection).through > 0
    owner = row[0] if row else FIRST
    if begun and owner != name:
        raise ConfigError(
            f"the readings so far are in the store {owner!r}, the settings name {name!r}",
            hint="`plumbline central rebuild` fills the new store from the ledger; the old one stays as it is.",
        )
    if owner != name:
        claim(db, name)


def claim(db: Database, name: str) -> None:
    """From now on the readings go to `name`."""
    with db.write() as writer:
        writer.execute("INSERT OR REPLACE INTO store_owner VALUES (1, ?)", (name,))
