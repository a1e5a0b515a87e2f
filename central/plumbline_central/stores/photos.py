"""Keeps the masked previews, by site and camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from plumbline.clock import from_us
from plumbline.messages import Photo
from plumbline_central.live import LiveHub
from plumbline_central.project import LedgerRow, Tally
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors

MIGRATIONS: Final[Migrations] = (
    (
        "photos_1",
        """
        CREATE TABLE photo (
            photo TEXT NOT NULL, site TEXT NOT NULL, gateway TEXT NOT NULL, camera TEXT NOT NULL,
            at_us INTEGER NOT NULL, width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, mask TEXT NOT NULL,
            jpeg BLOB NOT NULL, PRIMARY KEY (photo, site)
        );
        CREATE INDEX photo_by_camera ON photo (site, camera, at_us);
        """,
    ),
)
_ROWS_PER_CURSOR: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoInfo:
    """One picture there is; `jpeg` of the store has its bytes. `mask` names how people were made unrecognisable."""

    photo: str
    site: str
    gateway: str
    camera: str
    at: datetime
    width: int
    height: int
    mask: str


class PhotoStore:
    """The pictures of series.db, and the projection that fills it. Usable from any thread."""

    name: Final = "photos"

    def __init__(self, db: Database, live: LiveHub | None = None) -> None:
        self._db = db
        self._live = live
        self._cursor = cursors.Cursor(db, self.name, _ROWS_PER_CURSOR)

    @classmethod
    def open(cls, path: Path, live: LiveHub | None = None) -> Self:
        return cls(Database.open(path, (*cursors.MIGRATIONS, *MIGRATIONS)), live)

    def close(self) -> None:
        self._db.close()

    def latest(self, site: str) -> list[PhotoInfo]:
        """The newest picture of each camera, by camera; captures without a picture are passed over."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT photo, gateway, camera, max(at_us), width_px, height_px, mask FROM photo"
                " WHERE site = ? AND length(jpeg) GROUP BY camera ORDER BY camera",
                (site,),
            ).fetchall()
        return [_info(site, row) for row in rows]

    def info(self, photo: str, site: str | None = None) -> PhotoInfo | None:
        with self._db.read() as db:
            row = db.execute(
                "SELECT photo, gateway, camera, at_us, width_px, height_px, mask, site FROM photo"
                " WHERE photo = ?1 AND (?2 IS NULL OR site = ?2) AND length(jpeg) ORDER BY at_us DESC",
                (photo, site),
            ).fetchone()
        return _info(row[7], row[:7]) if row else None

    def jpeg(self, photo: str, site: str | None = None) -> bytes | None:
        with self._db.read() as db:
            row = db.execute(
                "SELECT jpeg FROM photo WHERE photo = ?1 AND (?2 IS NULL OR site = ?2) AND length(jpeg)"
                " ORDER BY at_us DESC",
                (photo, site),
            ).fetchone()
        return bytes(row[0]) if row else None

    def count(self) -> int:
        """How many captures reached the store, with or without a picture."""
        with self._db.read() as db:
            (kept,) = db.execute("SELECT count(*) FROM photo").fetchone()
        return int(kept)

    def cursor(self) -> int:
        return self._cursor.load()

    def tally(self) -> Tally:
        return self._cursor.tally()

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        tally = self.tally().plus(rows)
        photos = [
            (row, record.at_us, record.body)
            for row in rows
            for record in row.records
            if isinstance(record.body, Photo)
        ]
        if not photos and not self._cursor.is_due(tally):
            self._cursor.reach(tally)
            return  # most rows hold readings only; passing them again costs less than a commit
        with self._db.write() as db:
            db.executemany(
                "INSERT OR REPLACE INTO photo VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (p.photo, row.site, row.gateway, p.camera, at, p.width_px, p.height_px, p.mask, p.jpeg)
                    for row, at, p in photos
                ],
            )
            cursors.move(db, self.name, tally)
        self._cursor.saved(tally)
        if self._live is not None:
            for row, at_us, photo in photos:
                said = {"photo": photo.photo, "camera": photo.camera, "at": from_us(at_us).isoformat()}
                self._live.publish("photo", row.site, said)

    def reset(self) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM photo")
            cursors.move(db, self.name, Tally())
        self._cursor.saved(Tally())


def _info(site: str, row: tuple[str, str, str, int, int, int, str]) -> PhotoInfo:
    photo, gateway, camera, at_us, width, height, mask = row
    return PhotoInfo(
        photo=photo,
        site=site,
        gateway=gateway,
        camera=camera,
        at=from_us(at_us),
        width=width,
        height=height,
        mask=mask,
    )
