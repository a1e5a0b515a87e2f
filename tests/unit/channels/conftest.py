"""Notices to tell of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from plumbline_central.alerts.alert import Alert, Notice, Slot
from plumbline_central.alerts.states import State
from plumbline_central.deviation import Point

NOW = datetime(2026, 3, 3, 5, 10, tzinfo=UTC)


@pytest.fixture
def notice():
    def make(what="raised", *, at=NOW, site="school", rule="deviation", subject="east", number=7, **changed):
        point = Point(ref="g/e/data/1", at=at, percent=42.0, low=41.0, high=43.5, planned=50.0, photo="p1")
        alert = Alert(
            id=number, slot=Slot(site=site, rule=rule, subject=subject), severity="amber",
            state=State.UNACKNOWLEDGED, raised_at=at, evidence=(point,) if rule == "deviation" else (),
        )  # fmt: skip
        if rule == "deviation":
            alert = replace(alert, deviation_pp=-8.0, planned=50.0, actual=42.0, low=41.0, high=43.5)
        return Notice(id=f"{number}", what=what, at=at, alert=replace(alert, **changed))

    return make
