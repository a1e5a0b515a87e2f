"""Milestones whose day has passed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.plan import SHANGHAI
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Snapshot

_JUST_BEFORE: Final = timedelta(microseconds=1)


def conditions(snapshot: Snapshot, now: datetime, limits: Limits) -> Iterator[Condition]:
    """What is due today is not overdue: `due` is the end of that day."""
    for site, milestones in snapshot.milestones.items():
        for one in milestones:
            if one.done is not None or now < one.due:
                continue
            day = (one.due - _JUST_BEFORE).astimezone(SHANGHAI).date()
            days = (now.astimezone(SHANGHAI).date() - day).days
            yield Condition(
                slot=Slot(site=site, rule="milestone_overdue", subject=one.id),
                severity="red" if days >= limits.milestone_red_days else "amber",
                since=one.due,
                facts={
                    "milestone": one.name_zh,
                    "milestone_en": one.name_en,
                    "due": day.isoformat(),
                    "days": float(days),
                },
            )
