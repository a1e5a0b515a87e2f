"""Keeps readings in SQLite: the store that needs no server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline.metrics import BY_CODE, BY_NAME
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores.port import FramePoint, Reading

_MIGRATIONS: Final[Migrations] = (
    (
        "telemetry_1",
        """
        CREATE TABLE series (
            id INTEGER PRIMARY KEY, site TEXT NOT NULL, gateway TEXT NOT NULL, device TEXT NOT NULL,
            metric INTEGER NOT NULL, UNIQUE (site, device, metric, gateway)
        );
        -- value counts steps of the metric's resolution; NULL: there was none, and flaw says why
        CREATE TABLE reading (
            series INTEGER NOT NULL, at_us INTEGER NOT NULL, value INTEGER, flaw INTEGER,
            PRIMARY KEY (series, at_us)
        ) WITHOUT ROWID;
        """,
    ),
)
_Key = tuple[str, str, str, tuple[int, ...]]
_Row = tuple[int, int, int | None, int | None]


class SqliteTelemetryStore:
    """A `TelemetryStore` in one file. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._series: dict[_Key, tuple[int, ...]] = {}

    @classmethod
    def open(cls, path: Path) -> Self:
        return cls(Database.open(path, _MIGRATIONS))

    def close(self) -> None:
        self._db.close()

    def write(self, points: Sequence[FramePoint]) -> None:
        rows: list[_Row] = []
        for point in points:
            series = self._series_of(point)
            flaws = dict(point.flaws) if point.flaws else None
            at_us = point.at_us
            if flaws is None:
                rows.extend(
                    (id_, at_us, value, None) for id_, value in zip(series, point.values, strict=True)
                )
            else:
                rows.extend(
                    (id_, at_us, value, flaws.get(i))
                    for i, (id_, value) in enumerate(zip(series, point.values, strict=True))
                )
        rows.sort()  # neighbours in the tree are written together: a third of the time
        with self._db.write() as db:
            db.executemany("INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?)", rows)

    def latest(self, site: str) -> list[Reading]:
        with self._db.read() as db:
            rows = db.execute(
                "SELECT s.gateway, s.device, s.metric, r.value, r.flaw, r.at_us FROM series s JOIN reading r"
                " ON r.series = s.id AND r.at_us = (SELECT max(at_us) FROM reading WHERE series = s.id)"
                " WHERE s.site = ? ORDER BY s.device, s.metric, s.gateway",
                (site,),
            ).fetchall()
        return [
            Reading(
                site=site,
                gateway=gateway,
                device=device,
                metric=metric.name,
                unit=metric.unit,
                value=None if value is None else metric.from_wire(value),
                flaw=flaw,
                at=from_us(at_us),
            )
            for gateway, device, code, value, flaw, at_us in rows
            if (metric := BY_CODE.get(code)) is not None
        ]

    def series(
        self, site: str, device: str, metric: str, start: datetime, end: datetime, step_s: float | None = None
    ) -> list[tuple[datetime, float]]:
        """Raises Refused for a metric or a step that is none."""
        known = BY_NAME.get(metric)
        if known is None:
            raise Refused(f"there is no metric {metric!r}", hint="docs/metrics.md lists them.")
        at, value = "at_us", "value"
        if step_s is not None:
            step_us = round(step_s * 1_000_000)
            if step_us <= 0:
                raise Refused(f"a step of {step_s} s is none", hint="Ask for more than 0.")
            # floor, also before 1970
            at, value = f"at_us - ((at_us % {step_us}) + {step_us}) % {step_us}", "avg(value)"
        grouped = "GROUP BY 1" if step_s is not None else ""
        with self._db.read() as db:
            rows = db.execute(
                f"SELECT {at}, {value} FROM reading WHERE value IS NOT NULL AND at_us >= ? AND at_us < ?"  # noqa: S608
                " AND series IN (SELECT id FROM series WHERE site = ? AND device = ? AND metric = ?)"
                f" {grouped} ORDER BY 1",
                (to_us(start), to_us(end), site, device, known.code),
            ).fetchall()
        return [(from_us(at_us), known.from_wire(steps)) for at_us, steps in rows]

    def count(self) -> int:
        with self._db.read() as db:
            (kept,) = db.execute("SELECT count(*) FROM reading").fetchone()
        return int(kept)

    def reset(self) -> None:
        with self._db.write() as db:
            db.execute("DELETE FROM reading")
            db.execute("DELETE FROM series")
        self._series.clear()

    def _series_of(self, point: FramePoint) -> tuple[int, ...]:
        """The row ids of a device's metrics; made on first sight, in a commit of their own."""
        key = (point.site, point.gateway, point.device, point.metrics)
        known = self._series.get(key)
        if known is not None:
            return known
        names = [(point.site, point.gateway, point.device, metric) for metric in point.metrics]
        with self._db.write() as db:
            db.executemany(
                "INSERT OR IGNORE INTO series (site, gateway, device, metric) VALUES (?, ?, ?, ?)", names
            )
            found = tuple(
                int(
                    db.execute(
                        "SELECT id FROM series WHERE site = ? AND gateway = ? AND device = ? AND metric = ?",
                        name,
                    ).fetchone()[0]
                )
                for name in names
            )
        self._series[key] = found
        return found
