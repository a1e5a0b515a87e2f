"""The tables of indicators, their values and milestones in control.db."""

from __future__ import annotations

from typing import Final

from plumbline_central.schema import Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "indicators_1",
        """
        CREATE TABLE indicator (
            site TEXT NOT NULL, id TEXT NOT NULL, retired INTEGER NOT NULL, body TEXT NOT NULL,
            PRIMARY KEY (site, id)
        ) WITHOUT ROWID;
        CREATE TABLE indicator_audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, indicator TEXT NOT NULL,
            at_us INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL
        );
        CREATE INDEX indicator_audit_by_site ON indicator_audit (site, indicator, id);
        CREATE TRIGGER indicator_audit_is_never_changed BEFORE UPDATE ON indicator_audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
        CREATE TRIGGER indicator_audit_is_never_cut BEFORE DELETE ON indicator_audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
        -- several rows of one time: corrections, the highest seq counts; value NULL: none, and flag says why
        CREATE TABLE indicator_value (
            site TEXT NOT NULL, indicator TEXT NOT NULL, at_us INTEGER NOT NULL, seq INTEGER NOT NULL,
            value REAL, flag TEXT NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL, received_us INTEGER NOT NULL,
            PRIMARY KEY (site, indicator, at_us, seq)
        ) WITHOUT ROWID;
        CREATE TRIGGER indicator_value_is_kept BEFORE UPDATE ON indicator_value
        BEGIN SELECT RAISE(ABORT, 'a value is never changed, only followed by a correction'); END;
        CREATE TRIGGER indicator_value_is_never_cut BEFORE DELETE ON indicator_value
        BEGIN SELECT RAISE(ABORT, 'values are append-only'); END;
        -- how far each meter of an indicator has been counted; counter NULL: not a counter
        CREATE TABLE indicator_meter (
            site TEXT NOT NULL, indicator TEXT NOT NULL, device TEXT NOT NULL, at_us INTEGER NOT NULL,
            counter REAL, total REAL NOT NULL, PRIMARY KEY (site, indicator, device)
        ) WITHOUT ROWID;
        CREATE TABLE milestone_plan (
            site TEXT NOT NULL, version INTEGER NOT NULL, imported_us INTEGER NOT NULL, source TEXT NOT NULL,
            imported_by TEXT NOT NULL, milestones TEXT NOT NULL, PRIMARY KEY (site, version)
        ) WITHOUT ROWID;
        CREATE TRIGGER milestone_plan_is_kept BEFORE UPDATE ON milestone_plan
        BEGIN SELECT RAISE(ABORT, 'milestones are never changed, only followed by the next version'); END;
        """,
    ),
)
