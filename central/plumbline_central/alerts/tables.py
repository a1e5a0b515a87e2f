"""The tables of observations, watches, alerts and deliveries in control.db."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from plumbline_central import plan_store
from plumbline_central.indicators import tables as indicator_tables
from plumbline_central.rules import tables as rule_tables
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import fixes

MIGRATIONS: Final[Migrations] = (
    (
        "alerts_1",
        """
        CREATE TABLE alert_cursor (projection TEXT PRIMARY KEY, ledger_id INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE alert_watch (
            site TEXT NOT NULL, camera TEXT NOT NULL, watch TEXT NOT NULL, PRIMARY KEY (site, camera)
        ) WITHOUT ROWID;
        CREATE TABLE alert_observation (
            ref TEXT PRIMARY KEY, site TEXT NOT NULL, camera TEXT NOT NULL, photo TEXT NOT NULL,
            at_us INTEGER NOT NULL, received_us INTEGER NOT NULL, percent REAL, low REAL, high REAL,
            planned REAL, plan_version INTEGER, standing TEXT NOT NULL, gate TEXT NOT NULL, body BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX alert_observation_by_time ON alert_observation (site, at_us);
        CREATE INDEX alert_observation_by_photo ON alert_observation (site, photo);
        CREATE TABLE alert_entry (
            id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, rule TEXT NOT NULL, subject TEXT NOT NULL,
            state TEXT NOT NULL, raised_us INTEGER NOT NULL, alert TEXT NOT NULL
        );
        CREATE UNIQUE INDEX alert_entry_one_open ON alert_entry (site, rule, subject) WHERE state != 'normal';
        CREATE INDEX alert_entry_by_time ON alert_entry (site, raised_us);
        CREATE TABLE alert_audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, entry INTEGER NOT NULL REFERENCES alert_entry (id),
            at_us INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,
            comment TEXT NOT NULL, cause TEXT
        );
        CREATE INDEX alert_audit_by_entry ON alert_audit (entry);
        CREATE UNIQUE INDEX alert_audit_one_cause ON alert_audit (cause) WHERE cause IS NOT NULL;
        CREATE TRIGGER alert_audit_is_never_changed BEFORE UPDATE ON alert_audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
        CREATE TRIGGER alert_audit_is_never_cut BEFORE DELETE ON alert_audit
        BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
        CREATE TABLE alert_delivery (
            id INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, notice TEXT NOT NULL,
            state TEXT NOT NULL, attempts INTEGER NOT NULL, first_try_us INTEGER, why TEXT NOT NULL
        );
        CREATE INDEX alert_delivery_by_channel ON alert_delivery (channel, state, id);
        """,
    ),
    (
        "alerts_2",
        """
        -- observations whose clock could not be trusted, with the times they were signed with
        CREATE TABLE alert_doubtful (
            ref TEXT PRIMARY KEY, gateway TEXT NOT NULL, boot TEXT NOT NULL, mono_us INTEGER NOT NULL,
            signed_us INTEGER NOT NULL, clock TEXT NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX alert_doubtful_by_boot ON alert_doubtful (gateway, boot, mono_us);
        """,
    ),
    (
        "alerts_3",
        """
        -- applied: NULL where the projection had begun before anybody counted
        ALTER TABLE alert_cursor ADD COLUMN applied INTEGER;
        ALTER TABLE alert_cursor ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0;
        """,
    ),
    (
        "alerts_book_1",
        """
        CREATE TABLE alert_latch (
            site TEXT NOT NULL, rule TEXT NOT NULL, subject TEXT NOT NULL, is_on INTEGER NOT NULL,
            since_us INTEGER, off_us INTEGER, PRIMARY KEY (site, rule, subject)
        ) WITHOUT ROWID;
        CREATE TABLE alert_silence (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, site TEXT NOT NULL, rule TEXT, subject TEXT,
            start_us INTEGER NOT NULL, until_us INTEGER, by TEXT NOT NULL, why TEXT NOT NULL, at_us INTEGER NOT NULL,
            ended_us INTEGER, ended_by TEXT, ended_why TEXT NOT NULL DEFAULT ''
        );
        CREATE TRIGGER alert_silence_is_never_cut BEFORE DELETE ON alert_silence
        BEGIN SELECT RAISE(ABORT, 'silences are kept'); END;
        -- told: as what receivers heard of the step; empty: not at all; ?: from before anybody noted it
        ALTER TABLE alert_audit ADD COLUMN told TEXT NOT NULL DEFAULT '?';
        CREATE INDEX alert_audit_by_time ON alert_audit (at_us);
        CREATE INDEX alert_entry_open ON alert_entry (site, id) WHERE state != 'normal';
        ALTER TABLE alert_entry ADD COLUMN shown TEXT NOT NULL DEFAULT 'normal';
        UPDATE alert_entry SET shown = state, alert = json_set(alert, '$.told',
            CASE state WHEN 'returned_unacknowledged' THEN 'returned' ELSE alert ->> 'severity' END)
        WHERE state != 'normal';
        """,
    ),
    (
        "alerts_feed_1",
        """
        -- what receivers were told, for those that come back and ask what they missed; id is that of the audit's line
        CREATE TABLE alert_notice (id INTEGER PRIMARY KEY, site TEXT NOT NULL, notice TEXT NOT NULL);
        """,
    ),
)


def open_control(path: Path) -> Database:
    """control.db with the tables of plans, indicators, alerts and deliveries in it. Raises ConfigError."""
    return Database.open(
        path,
        (
            *plan_store.MIGRATIONS,
            *indicator_tables.MIGRATIONS,
            *fixes.MIGRATIONS,
            *MIGRATIONS,
            *rule_tables.MIGRATIONS,
        ),
    )
