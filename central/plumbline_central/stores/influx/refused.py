"""Lines that the server refused for good, kept in series.db with its own words until it takes them or they are moot."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from plumbline_central.schema import Database, Migrations
from plumbline_central.stores.influx.lines import series_and_time

MIGRATIONS: Final[Migrations] = (
    (
        "influx_refused_1",
        """
        -- series: a line up to its fields; place: the retention policy or bucket; words: the server's
        CREATE TABLE influx_refused (
            place TEXT NOT NULL, series TEXT NOT NULL, at_us INTEGER NOT NULL, line TEXT NOT NULL,
            words TEXT NOT NULL, PRIMARY KEY (place, series, at_us)
        ) WITHOUT ROWID;
        """,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One line that waits."""

    place: str
    line: str
    words: str


class RefusedLines:
    """The dead letters of one server. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._count = self._counted()

    def __len__(self) -> int:
        return self._count

    def put(self, refusals: Iterable[Refusal]) -> None:
        with self._db.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO influx_refused VALUES (?, ?, ?, ?, ?)",
                [(one.place, *series_and_time(one.line), one.line, one.words) for one in refusals],
            )
        self._count = self._counted()

    def kinds(self, limit: int) -> list[tuple[str, str]]:
        """(place, words), those of the most lines first."""
        with self._db.read() as db:
            return db.execute(
                "SELECT place, words FROM influx_refused GROUP BY place, words ORDER BY count(*) DESC LIMIT ?",
                (limit,),
            ).fetchall()

    def lines(self, place: str, words: str, limit: int) -> list[str]:
        """Some of those that the server refused with these words."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT line FROM influx_refused WHERE place = ? AND words = ? LIMIT ?", (place, words, limit)
            ).fetchall()
        return [line for (line,) in rows]

    def settle(self, place: str, lines: Iterable[str]) -> None:
        """These points are written, or gone, after all."""
        if not self._count:
            return
        with self._db.write() as db:
            db.executemany(
                "DELETE FROM influx_refused WHERE place = ? AND series = ? AND at_us = ?",
                [(place, *series_and_time(line)) for line in lines],
            )
        self._count = self._counted()

    def forget(self, measurement: str) -> None:
        with self._db.write() as db:
            db.execute(
                "DELETE FROM influx_refused WHERE series = ?1 OR series LIKE ?1 || ',%'", (measurement,)
            )
        self._count = self._counted()

    def _counted(self) -> int:
        with self._db.read() as db:
            (kept,) = db.execute("SELECT count(*) FROM influx_refused").fetchone()
        return int(kept)
