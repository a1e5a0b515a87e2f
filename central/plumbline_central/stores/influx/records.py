"""What photos and gateways say of themselves, as `progress` and `health` points; frames are the series projection's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from plumbline.clock import TRUSTED
from plumbline.messages import Health, Progress, Record
from plumbline_central import placing
from plumbline_central.placing import Boot, Fixes, Signed
from plumbline_central.project import LedgerRow, Tally
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors, fixes
from plumbline_central.stores.influx import lines
from plumbline_central.stores.influx.dialect import Dialect, Span
from plumbline_central.stores.influx.lines import Point
from plumbline_central.stores.influx.writer import Writer

MIGRATIONS: Final[Migrations] = (
    (
        "influx_records_1",
        """
        -- points whose clock could not be trusted, so that an anchor can move them; times as signed
        CREATE TABLE influx_doubtful (
            gateway TEXT NOT NULL, boot TEXT NOT NULL, mono_us INTEGER NOT NULL, signed_us INTEGER NOT NULL,
            clock TEXT NOT NULL, series TEXT NOT NULL, point BLOB NOT NULL,
            PRIMARY KEY (gateway, boot, mono_us, signed_us, series)
        ) WITHOUT ROWID;
        """,
    ),
)
MEASUREMENTS: Final = ("progress", "health")
_ROWS_PER_CURSOR: Final = 64
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Point).decode


class RecordsProjection:
    """Writes first, then moves its cursor: a crash in between writes, and moves, the same points again."""

    name: Final = "influx records"

    def __init__(self, dialect: Dialect, writer: Writer, place: str, db: Database) -> None:
        self._dialect = dialect
        self._writer = writer
        self._place = place
        self._db = db
        self._cursor = cursors.Cursor(db, self.name, _ROWS_PER_CURSOR)

    def cursor(self) -> int:
        return self._cursor.load()

    def tally(self) -> Tally:
        return self._cursor.tally()

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        tally = self.tally().plus(rows)
        before, after = self._fixes(rows)
        written: list[str] = []
        doubtful: list[tuple[Any, ...]] = []
        for row in rows:
            for record in row.records:
                known = after.get((row.gateway, record.boot), ())
                at_us = placing.place(record, known)
                for point in _points(row, record):
                    if at_us is not None:
                        written.append(point.at(at_us))
                    if record.clock not in TRUSTED:
                        series = lines.series_text(point.measurement, point.tags)
                        times = (record.mono_us, record.at_us, record.clock)
                        doubtful.append((row.gateway, record.boot, *times, series, _encode(point)))
        moved = self._moved(before, after)
        for point, old_us, _ in moved:
            if old_us is not None:
                self._remove(point, old_us)
        # all is removed before anything is written: one point's new place may be another's old one
        written += [point.at(new_us) for point, _, new_us in moved if new_us is not None]
        self._writer.write(self._place, written)
        if not (written or doubtful or before or self._cursor.is_due(tally)):
            self._cursor.reach(tally)
            return
        with self._db.write() as db:
            db.executemany("INSERT OR REPLACE INTO influx_doubtful VALUES (?, ?, ?, ?, ?, ?, ?)", doubtful)
            for boot, known in before.items():
                fixes.change(db, self.name, boot, known, after[boot])
            cursors.move(db, self.name, tally)
        self._cursor.saved(tally)

    def reset(self) -> None:
        for measurement in MEASUREMENTS:
            self._dialect.drop(self._place, measurement)
            self._writer.forget(measurement)
        with self._db.write() as db:
            db.execute("DELETE FROM influx_doubtful")
            fixes.forget(db, self.name)
            cursors.move(db, self.name, Tally())
        self._cursor.saved(Tally())

    def _fixes(self, rows: Iterable[LedgerRow]) -> tuple[dict[Boot, Fixes], dict[Boot, Fixes]]:
        """Of the boots of which `rows` say something new: what was known; of all doubtful boots in them: what is."""
        before: dict[Boot, Fixes] = {}
        after: dict[Boot, Fixes] = {}
        with self._db.read() as db:
            for row in rows:
                news = placing.learnt(row)
                doubtful = {(row.gateway, one.boot) for one in row.records if one.clock not in TRUSTED}
                for boot in {*news, *doubtful}:
                    if boot not in after:
                        after[boot] = fixes.get(db, self.name, boot)
                    if boot in news:
                        before.setdefault(boot, after[boot])
                        after[boot] = placing.with_fixes(after[boot], news[boot])
        return {boot: known for boot, known in before.items() if after[boot] != known}, after

    def _moved(
        self, before: dict[Boot, Fixes], after: dict[Boot, Fixes]
    ) -> list[tuple[Point, int | None, int | None]]:
        """Earlier points that the new fixes place elsewhere: from when, to when."""
        moved = []
        for boot, known in before.items():
            with self._db.read() as db:
                rows = db.execute(
                    "SELECT mono_us, signed_us, clock, point FROM influx_doubtful"
                    " WHERE gateway = ? AND boot = ? AND mono_us BETWEEN ? AND ?",
                    (*boot, *placing.in_64_bits(placing.touched(known, after[boot]))),
                ).fetchall()
            for mono_us, signed_us, clock, point in rows:
                signed = Signed(at_us=signed_us, mono_us=mono_us, clock=clock)
                old_us, new_us = placing.place(signed, known), placing.place(signed, after[boot])
                if old_us != new_us:
                    moved.append((_decode(point), old_us, new_us))
        return moved

    def _remove(self, point: Point, at_us: int) -> None:
        span = Span(
            place=self._place,
            measurement=point.measurement,
            tags=point.tags,
            start_us=at_us,
            end_us=at_us + 1,
        )
        self._writer.delete(span)
        self._writer.settle(self._place, [point.at(at_us)])


def _points(row: LedgerRow, record: Record) -> Iterator[Point]:
    boot = "" if record.clock in TRUSTED else record.boot
    match record.body:
        case Progress() as body:
            yield from lines.progress_points(row.site, body, boot)
        case Health() as body:
            yield lines.health_point(row.site, row.gateway, body, boot)
