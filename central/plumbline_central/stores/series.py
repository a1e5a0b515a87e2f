"""Frames of the ledger into a time-series store, and the newest of each device to those who watch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

from plumbline.clock import from_us
from plumbline.messages import Frame
from plumbline.metrics import BY_CODE
from plumbline_central.live import LiveHub
from plumbline_central.project import LedgerRow, Tally
from plumbline_central.schema import Database
from plumbline_central.stores import cursors
from plumbline_central.stores.port import FramePoint, TelemetryStore

_POINTS_AT_ONCE: Final = 2_000
_ROWS_PER_CURSOR: Final = 64
"""How many rows a restart may write a second time; it saves a commit per batch."""


class SeriesProjection:
    """Writes first, then moves its cursor: a crash in between writes the same points again, which changes nothing."""

    name: Final = "series"

    def __init__(self, store: TelemetryStore, db: Database, live: LiveHub | None = None) -> None:
        self._store = store
        self._db = db
        self._live = live
        self._cursor = cursors.Cursor(db, self.name, _ROWS_PER_CURSOR)

    @classmethod
    def open(cls, path: Path, store: TelemetryStore, live: LiveHub | None = None) -> Self:
        """`path` is the file that keeps the cursor."""
        return cls(store, Database.open(path, cursors.MIGRATIONS), live)

    def close(self) -> None:
        self._db.close()

    def cursor(self) -> int:
        return self._cursor.load()

    def tally(self) -> Tally:
        return self._cursor.tally()

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        tally = self.tally().plus(rows)
        points = [
            FramePoint(
                site=row.site,
                gateway=row.gateway,
                device=body.device,
                at_us=record.at_us,
                metrics=body.metrics,
                values=body.values,
                flaws=body.flaws,
            )
            for row in rows
            for record in row.records
            if isinstance(body := record.body, Frame)
        ]
        for start in range(0, len(points), _POINTS_AT_ONCE):
            self._store.write(points[start : start + _POINTS_AT_ONCE])
        if self._cursor.is_due(tally):
            self._save(tally)
        else:
            self._cursor.reach(tally)
        if self._live is not None:
            for point in _newest(points):
                self._live.publish("frame", point.site, _spoken(point))

    def reset(self) -> None:
        self._store.reset()
        self._save(Tally())

    def _save(self, tally: Tally) -> None:
        with self._db.write() as db:
            cursors.move(db, self.name, tally)
        self._cursor.saved(tally)


def _newest(points: Sequence[FramePoint]) -> list[FramePoint]:
    """One point per device: a page that watches a backlog drain needs no more."""
    newest: dict[tuple[str, str, str], FramePoint] = {}
    for point in points:
        key = (point.site, point.gateway, point.device)
        before = newest.get(key)
        if before is None or point.at_us >= before.at_us:
            newest[key] = point
    return list(newest.values())


def _spoken(point: FramePoint) -> dict[str, Any]:
    flaws = dict(point.flaws)
    values: dict[str, list[Any]] = {}
    for i, (code, steps) in enumerate(zip(point.metrics, point.values, strict=True)):
        metric = BY_CODE.get(code)
        if metric is not None:
            value = None if steps is None else metric.from_wire(steps)
            values[metric.name] = [value, metric.unit, flaws.get(i)]
    return {
        "gateway": point.gateway,
        "device": point.device,
        "values": values,
        "at": from_us(point.at_us).isoformat(),
    }
