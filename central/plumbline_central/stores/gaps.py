"""Keeps what gateways declared as gone, for quick listing; `verify` asks the ledger itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from plumbline_central.gaps import Declared, LaneKey, declared_in
from plumbline_central.project import LedgerRow, Tally
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors

MIGRATIONS: Final[Migrations] = (
    (
        "gaps_1",
        """
        -- gateway, by_epoch, by_lane, seq: the gap record; epoch, lane, first, last: what it declares (last NULL: open)
        CREATE TABLE gap_declared (
            gateway TEXT NOT NULL, by_epoch TEXT NOT NULL, by_lane TEXT NOT NULL, seq INTEGER NOT NULL,
            site TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER,
            why TEXT NOT NULL, prev BLOB NOT NULL, head BLOB NOT NULL, from_us INTEGER NOT NULL,
            until_us INTEGER NOT NULL, instead_first INTEGER, instead_last INTEGER,
            PRIMARY KEY (gateway, by_epoch, by_lane, seq)
        ) WITHOUT ROWID;
        """,
    ),
)
_ROWS_PER_CURSOR: Final = 256
"""Most rows declare nothing; passing them again after a restart costs less than a commit for each."""


class GapStore:
    """The declared gaps of series.db, and the projection that fills it. Usable from any thread."""

    name: Final = "gaps"

    def __init__(self, db: Database) -> None:
        self._db = db
        self._cursor = cursors.Cursor(db, self.name, _ROWS_PER_CURSOR)
        self._changes = 0
        self._by_lane: tuple[int, dict[LaneKey, list[Declared]]] = (-1, {})

    @classmethod
    def open(cls, path: Path) -> Self:
        return cls(Database.open(path, (*cursors.MIGRATIONS, *MIGRATIONS)))

    def close(self) -> None:
        self._db.close()

    def declared(self) -> list[Declared]:
        """Everything that was ever declared, whether or not central lacks it."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT site, gateway, epoch, lane, first, last, why, prev, head, from_us, until_us, instead_first,"
                " instead_last FROM gap_declared ORDER BY gateway, epoch, lane, first"
            ).fetchall()
        return [_declared(row) for row in rows]

    def by_lane(self) -> dict[LaneKey, list[Declared]]:
        """The same by the lane whose records are gone; the same object until something is declared anew."""
        changes = self._changes  # before reading: what is declared meanwhile is read by the next who asks
        if self._by_lane[0] != changes:
            found: dict[LaneKey, list[Declared]] = {}
            for one in self.declared():
                found.setdefault(one.key, []).append(one)
            self._by_lane = (changes, found)
        return self._by_lane[1]

    def cursor(self) -> int:
        return self._cursor.load()

    def tally(self) -> Tally:
        return self._cursor.tally()

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        tally = self.tally().plus(rows)
        found = [
            (row, record.seq, declared)
            for row in rows
            for record in row.records
            if (declared := declared_in(row.site, row.gateway, row.epoch, record)) is not None
        ]
        if not found and not self._cursor.is_due(tally):
            self._cursor.reach(tally)
            return
        with self._db.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO gap_declared VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        row.gateway,
                        row.epoch,
                        row.lane,
                        seq,
                        row.site,
                        one.epoch,
                        one.lane,
                        one.first,
                        one.last,
                        one.why,
                        one.prev,
                        one.head,
                        one.from_us,
                        one.until_us,
                        *(one.instead or (None, None)),
                    )
                    for row, seq, one in found
                ],
            )
            cursors.move(db, self.name, tally)
        self._changes += bool(found)
        self._cursor.saved(tally)

    def reset(self) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM gap_declared")
            cursors.move(db, self.name, Tally())
        self._changes += 1
        self._cursor.saved(Tally())


def _declared(row: tuple[Any, ...]) -> Declared:
    site, gateway, epoch, lane, first, last, why, prev, head, from_us, until_us, *instead = row
    return Declared(
        site=site,
        gateway=gateway,
        epoch=epoch,
        lane=lane,
        first=first,
        last=last,
        why=why,
        prev=prev,
        head=head,
        from_us=from_us,
        until_us=until_us,
        instead=None if instead[0] is None else (instead[0], instead[1]),
    )
