"""Keeps every baseline that a plan ever had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from plumbline.clock import from_us, to_us
from plumbline_central.plan import Kind, PlanCurve, Scope
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
    (
        "plan_2",
        """
        -- versions count over both scopes of an indicator; baselines of before are of the visible works
        ALTER TABLE plan_baseline ADD COLUMN scope TEXT NOT NULL DEFAULT 'visible';
        ALTER TABLE plan_baseline ADD COLUMN kind TEXT NOT NULL DEFAULT 'percent';
        ALTER TABLE plan_baseline ADD COLUMN cumulative INTEGER NOT NULL DEFAULT 1;
        """,
    ),
)
_COLUMNS: Final = (
    "site, indicator, version, imported_us, source, imported_by, points, scope, kind, cumulative"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM plan_baseline"  # noqa: S608 - our own names
_Row = tuple[str, str, int, int, str, str, str, Scope, Kind, int]
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
    scope: Scope = "visible"


class PlanStore:
    """Baselines in control.db. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: dict[tuple[str, str, int], Baseline] = {}

    def import_plan(
        self,
        site: str,
        indicator: str,
        curve: PlanCurve,
        source: str,
        by: str,
        at: datetime,
        *,
        scope: Scope = "visible",
    ) -> int:
        """Make `curve` the current baseline; its version. The current curve again stays the same version."""
        with self._db.write() as db:
            (newest,) = db.execute(
                "SELECT coalesce(max(version), 0) FROM plan_baseline WHERE site = ? AND indicator = ?",
                (site, indicator),
            ).fetchone()
            row = db.execute(
                f"{_SELECT} WHERE site = ? AND indicator = ? AND scope = ? ORDER BY version DESC LIMIT 1",
                (site, indicator, scope),
            ).fetchone()
            if row and (before := _baseline(row)).curve == curve:
                return before.version
            version = int(newest) + 1
            db.execute(
                f"INSERT INTO plan_baseline ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own names
                (
                    site,
                    indicator,
                    version,
                    to_us(at),
                    source,
                    by,
                    msgspec.json.encode(curve.points).decode(),
                    scope,
                    curve.kind,
                    int(curve.cumulative),
                ),
            )
        return version

    def current(self, site: str, indicator: str = PROGRESS, scope: Scope = "visible") -> Baseline | None:
        """The newest baseline, or None where there is no plan yet."""
        return next(
            iter(self._read("AND scope = ? ORDER BY version DESC LIMIT 1", site, indicator, scope)), None
        )

    def version_at(
        self, site: str, indicator: str, at: datetime, scope: Scope = "visible"
    ) -> Baseline | None:
        """The baseline that was in force at `at`."""
        tail = "AND scope = ? AND imported_us <= ? ORDER BY version DESC LIMIT 1"
        return next(iter(self._read(tail, site, indicator, scope, to_us(at))), None)

    def versions(self, site: str, indicator: str = PROGRESS, scope: Scope | None = None) -> list[Baseline]:
        """All baselines, the first one first; of one scope, or both."""
        return self._read("AND (?3 IS NULL OR scope = ?3) ORDER BY version", site, indicator, scope)

    def version(self, site: str, indicator: str, version: int) -> Baseline | None:
        return next(iter(self._read("AND version = ?", site, indicator, version)), None)

    def all_current(self) -> Mapping[tuple[str, str, Scope], Baseline]:
        """The newest baseline of everything that has a plan, by site, indicator and scope.

        A baseline never changes, so each is read from the disk once.
        """
        with self._db.read() as db:
            newest: list[tuple[str, str, Scope, int]] = db.execute(
                "SELECT site, indicator, scope, max(version) FROM plan_baseline GROUP BY site, indicator, scope"
            ).fetchall()
            known = {key: self._known.get(key) for key in ((s, i, version) for s, i, _, version in newest)}
            for key, found in known.items():
                if found is None:
                    tail = "WHERE site = ? AND indicator = ? AND version = ?"
                    known[key] = _baseline(db.execute(f"{_SELECT} {tail}", key).fetchone())
        self._known = {key: found for key, found in known.items() if found is not None}
        return {(site, i, scope): self._known[site, i, version] for site, i, scope, version in newest}

    def _read(self, tail: str, *values: str | int | None) -> list[Baseline]:
        with self._db.read() as db:
            rows = db.execute(f"{_SELECT} WHERE site = ?1 AND indicator = ?2 {tail}", values).fetchall()
        return [_baseline(row) for row in rows]


def _baseline(row: _Row) -> Baseline:
    site, indicator, version, imported_us, source, imported_by, points, scope, kind, cumulative = row
    return Baseline(
        site=site,
        indicator=indicator,
        version=version,
        imported_at=from_us(imported_us),
        source=source,
        imported_by=imported_by,
        curve=PlanCurve(
            points=msgspec.json.decode(points, type=_Points), kind=kind, cumulative=bool(cumulative)
        ),
        scope=scope,
    )
