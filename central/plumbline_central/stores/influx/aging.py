"""Days of readings that have become means, and those that must become so again since more came for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from plumbline_central.schema import Database, Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "influx_aging_1",
        """
        -- day: whole days since 1970; of this measurement all before it are in the next coarser one too
        CREATE TABLE influx_aged (measurement TEXT PRIMARY KEY, day INTEGER NOT NULL) WITHOUT ROWID;
        -- days before that one into which something came, or from which something went, since
        CREATE TABLE influx_changed_day (
            measurement TEXT NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (measurement, day)
        ) WITHOUT ROWID;
        """,
    ),
)


class Aged:
    """How far each measurement has become coarser. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        with db.read() as reader:
            self._until = dict(reader.execute("SELECT measurement, day FROM influx_aged").fetchall())

    def until(self, measurement: str) -> int | None:
        """The first day of which `measurement` is still the best there is; None: of all."""
        return self._until.get(measurement)

    def reach(self, measurement: str, day: int) -> None:
        with self._db.write() as db:
            db.execute("INSERT OR REPLACE INTO influx_aged VALUES (?, ?)", (measurement, day))
        self._until[measurement] = day

    def changed(self, measurement: str, days: Iterable[int]) -> None:
        """Note it before it is so: a day made anew for nothing costs little."""
        with self._db.write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO influx_changed_day VALUES (?, ?)", [(measurement, day) for day in days]
            )

    def waiting(self, measurement: str) -> list[int]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT day FROM influx_changed_day WHERE measurement = ? ORDER BY day", (measurement,)
            ).fetchall()
        return [day for (day,) in rows]

    def settled(self, measurement: str, day: int) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM influx_changed_day WHERE measurement = ? AND day = ?", (measurement, day))

    def forget(self) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM influx_aged")
            db.execute("DELETE FROM influx_changed_day")
        self._until.clear()
