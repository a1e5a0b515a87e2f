"""Keeps every baseline that a plan ever had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from plumbline.clock import from_us, to_us
from plumbline_central.plan import PlanCurve
from plumbline_central.schema import Database, Migrations

PROGRESS: Final = "progress"
"""The indicator that photos measure: percent of the visible works, one plan per site."""

MIGRATIONS: Final[Migrations] = (
    (
        "plan_1",
        """
        CREATE TABLE plan_baseline (
            site TEXT NOT NULL, indicator TEXT NOT NULL, version INTEGER NOT NULL, imported_us INTEGER NOT NULL,
            source TEXT NOT NULL, imported_by TEXT NOT NULL, points TEXT NOT NULL,
            PRIMARY KEY (site, indicator, version)
        ) WITHOUT ROWID;
        CREATE TRIGGER plan_baseline_is_kept BEFORE UPDATE ON plan_baseline
        BEGIN SELECT RAISE(ABORT, 'a baseline is never changed, only followed by the next'); END;
        """,
    ),
)
_SELECT: Final = (
    "SELECT site, indicator, version, imported_us, source, imported_by, points FROM plan_baseline"
)
_Points = tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """One imported plan of one indicator; versions count from 1."""

    site: str
    indicator: str
    version: int
    imported_at: datetime
    source: str
    """Where it came from, such as the file's name."""
    imported_by: str
    curve: PlanCurve


class PlanStore:
    """Baselines in control.db. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def import_plan(
        self, site: str, indicator: str, curve: PlanCurve, source: str, by: str, at: datetime
    ) -> int:
        """Make `curve` the current baseline; its version. The current curve again stays the same version."""
        with self._db.write() as db:
            row = db.execute(
                f"{_SELECT} WHERE site = ? AND indicator = ? ORDER BY version DESC LIMIT 1", (site, indicator)
            ).fetchone()
            before = _baseline(row) if row else None
            if before is not None and before.curve == curve:
                return before.version
            version = before.version + 1 if before else 1
            db.execute(
                "INSERT INTO plan_baseline VALUES (?, ?, ?, ?, ?, ?, ?)",
                (site, indicator, version, to_us(at), source, by, msgspec.json.encode(curve.points).decode()),
            )
        return version

    def current(self, site: str, indicator: str = PROGRESS) -> Baseline | None:
        """The newest baseline, or None where there is no plan yet."""
        return next(iter(self._read("ORDER BY version DESC LIMIT 1", site, indicator)), None)

    def version_at(self, site: str, indicator: str, at: datetime) -> Baseline | None:
        """The baseline that was in force at `at`."""
        found = self._read("AND imported_us <= ? ORDER BY version DESC LIMIT 1", site, indicator, to_us(at))
        return next(iter(found), None)

    def versions(self, site: str, indicator: str = PROGRESS) -> list[Baseline]:
        """All baselines, the first one first."""
        return self._read("ORDER BY version", site, indicator)

    def _read(self, tail: str, *values: str | int) -> list[Baseline]:
        with self._db.read() as db:
            rows = db.execute(f"{_SELECT} WHERE site = ? AND indicator = ? {tail}", values).fetchall()
        return [_baseline(row) for row in rows]


def _baseline(row: tuple[str, str, int, int, str, str, str]) -> Baseline:
    site, indicator, version, imported_us, source, imported_by, points = row
    return Baseline(
        site=site,
        indicator=indicator,
        version=version,
        imported_at=from_us(imported_us),
        source=source,
        imported_by=imported_by,
        curve=PlanCurve(points=msgspec.json.decode(points, type=_Points)),
    )
