"""Keeps the masked previews, by site and camera."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from plumbline.clock import TRUSTED, from_us
from plumbline.messages import Photo, Record
from plumbline_central import placing
from plumbline_central.live import LiveHub
from plumbline_central.placing import Boot, Fixes, Signed
from plumbline_central.project import LedgerRow, Tally
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors, fixes

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
    (
        "photos_2",
        """
        -- at_us: where the photo belongs in time, 0: nobody knows yet; signed_us, mono_us, boot, clock: as signed
        ALTER TABLE photo ADD COLUMN signed_us INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE photo ADD COLUMN mono_us INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE photo ADD COLUMN boot TEXT NOT NULL DEFAULT '';
        ALTER TABLE photo ADD COLUMN clock TEXT NOT NULL DEFAULT 'synced';
        CREATE INDEX photo_doubtful ON photo (gateway, boot) WHERE clock NOT IN ('synced', 'simulated');
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
        return cls(Database.open(path, (*cursors.MIGRATIONS, *fixes.MIGRATIONS, *MIGRATIONS)), live)

    def close(self) -> None:
        self._db.close()

    def latest(self, site: str) -> list[PhotoInfo]:
        """The newest picture of each camera, by camera; captures without a picture or a time are passed over."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT photo, gateway, camera, max(at_us), width_px, height_px, mask FROM photo"
                " WHERE site = ? AND at_us > 0 AND length(jpeg) GROUP BY camera ORDER BY camera",
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
            (row, record, record.body)
            for row in rows
            for record in row.records
            if isinstance(record.body, Photo)
        ]
        news = [(boot, came) for row in rows for boot, came in placing.learnt(row).items()]
        if not photos and not news and not self._cursor.is_due(tally):
            self._cursor.reach(tally)
            return  # most rows hold readings only; passing them again costs less than a commit
        told: list[tuple[str, dict[str, str]]] = []
        with self._db.write() as db:
            known: dict[Boot, Fixes] = {}
            for boot, came in news:
                known[boot] = placing.with_fixes(known.get(boot) or fixes.get(db, self.name, boot), came)
            for boot, after in known.items():
                before = fixes.get(db, self.name, boot)
                fixes.change(db, self.name, boot, before, after)
                self._move(db, boot, before, after)
            for row, record, photo in photos:
                if record.clock not in TRUSTED and (boot := (row.gateway, record.boot)) not in known:
                    known[boot] = fixes.get(db, self.name, boot)
                at_us = self._keep(db, row, record, photo, known.get((row.gateway, record.boot), ()))
                if at_us:
                    said = {"photo": photo.photo, "camera": photo.camera, "at": from_us(at_us).isoformat()}
                    told.append((row.site, said))
            cursors.move(db, self.name, tally)
        self._cursor.saved(tally)
        if self._live is not None:
            for site, said in told:
                self._live.publish("photo", site, said)

    def reset(self) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM photo")
            fixes.forget(db, self.name)
            cursors.move(db, self.name, Tally())
        self._cursor.saved(Tally())

    def _keep(self, db: sqlite3.Connection, row: LedgerRow, record: Record, p: Photo, known: Fixes) -> int:
        """Put one photo where it belongs; that time, or 0."""
        at_us = placing.place(record, known) or 0
        name = (p.photo, row.site, row.gateway, p.camera)
        signed = (record.at_us, record.mono_us, record.boot, record.clock)
        db.execute(
            "INSERT OR REPLACE INTO photo VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*name, at_us, p.width_px, p.height_px, p.mask, p.jpeg, *signed),
        )
        return at_us

    def _move(self, db: sqlite3.Connection, boot: Boot, before: Fixes, after: Fixes) -> None:
        """Date anew the untrusted photos of one boot that the new fixes place elsewhere."""
        rows = db.execute(
            "SELECT rowid, signed_us, mono_us, clock FROM photo"
            " WHERE gateway = ? AND boot = ? AND clock NOT IN ('synced', 'simulated')"
            " AND mono_us BETWEEN ? AND ?",
            (*boot, *placing.in_64_bits(placing.touched(before, after))),
        ).fetchall()
        db.executemany(
            "UPDATE photo SET at_us = ? WHERE rowid = ?",
            [
                (placing.place(Signed(at_us=at_us, mono_us=mono_us, clock=clock), after) or 0, rowid)
                for rowid, at_us, mono_us, clock in rows
            ],
        )


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
