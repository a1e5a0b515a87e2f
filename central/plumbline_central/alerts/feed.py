"""What receivers were told, in order, for programs that come back and ask what they missed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from plumbline_central.alerts.alert import Notice
from plumbline_central.schema import Database

_KEPT: Final = 20_000
"""Steps of the book of which what was told is kept."""
_decode: Final = msgspec.json.Decoder(Notice).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`notices` with their ids, ascending; `through`: the id to ask from next; `missing`: some are kept no longer."""

    notices: tuple[tuple[int, Notice], ...]
    through: int
    missing: bool


def keep(db: sqlite3.Connection, number: int, notice: Notice) -> None:
    """In the transaction of the step itself; ids grow, and the oldest are let go."""
    text = msgspec.json.encode(notice).decode()
    db.execute("INSERT INTO alert_notice VALUES (?, ?, ?)", (number, notice.alert.site, text))
    db.execute("DELETE FROM alert_notice WHERE id <= ?", (number - _KEPT,))


class Feed:
    """Reads what was kept. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def newest(self) -> int:
        """The id of the last notice; 0 before the first."""
        with self._db.read() as db:
            return _newest(db)

    def after(self, number: int, site: str | None = None, limit: int = 100) -> Page:
        """Up to `limit` notices past the id `number`, of one site or of all."""
        with self._db.read() as db:
            newest = _newest(db)
            rows: Sequence[tuple[int, str]] = db.execute(
                "SELECT id, notice FROM alert_notice WHERE id > ?1 AND (?2 IS NULL OR site = ?2) ORDER BY id LIMIT ?3",
                (number, site, limit),
            ).fetchall()
        last = rows[-1][0] if rows else 0  # past `newest` where one more was told between the two questions
        return Page(
            notices=tuple((id_, _decode(text)) for id_, text in rows),
            through=last if len(rows) == limit else max(last, newest),
            missing=not newest - _KEPT <= number <= newest,
        )


def _newest(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(id), 0) FROM alert_notice").fetchone()[0])
