"""What the rules remember in control.db, and the ways by which they find a camera's photos."""

from __future__ import annotations

from typing import Final

from plumbline_central.schema import Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "rules_1",
        """
        CREATE INDEX alert_observation_by_camera ON alert_observation (site, camera, at_us) WHERE standing != 'untimed';
        CREATE INDEX alert_observation_valid ON alert_observation (site, camera, at_us)
            WHERE standing IN ('judged', 'late', 'no_plan');
        -- subject: an indicator, or a meter that is compared with what is usual for it
        CREATE TABLE rule_watch (
            site TEXT NOT NULL, subject TEXT NOT NULL, watch TEXT NOT NULL, PRIMARY KEY (site, subject)
        ) WITHOUT ROWID;
        CREATE TABLE energy_hour (
            site TEXT NOT NULL, device TEXT NOT NULL, hour_us INTEGER NOT NULL, kwh REAL NOT NULL,
            PRIMARY KEY (site, device, hour_us)
        ) WITHOUT ROWID;
        -- reached_us: up to where the meter's readings were taken; found: what they say beside what is usual
        CREATE TABLE energy_meter (
            site TEXT NOT NULL, device TEXT NOT NULL, reached_us INTEGER NOT NULL, found TEXT NOT NULL,
            PRIMARY KEY (site, device)
        ) WITHOUT ROWID;
        """,
    ),
)
