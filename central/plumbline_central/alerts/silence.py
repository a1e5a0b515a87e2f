"""What people withhold from everybody's ears: shelves, maintenance windows, and slots out of service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from plumbline_central.alerts.alert import Alert, Rule

Kind = Literal["shelved", "maintenance", "out_of_service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """One order of one person, kept for ever; it concerns what matches, also alerts yet to come."""

    id: int = 0
    kind: Kind
    site: str
    rule: Rule | None = None
    """None: any."""
    subject: str | None = None
    """What the alert is about, or in a maintenance window the gateway it comes through; None: the whole site."""
    start: datetime
    until: datetime | None = None
    """None: until somebody ends it."""
    by: str
    why: str
    at: datetime
    """When it was ordered."""
    ended_at: datetime | None = None
    """Set where a person ended it early."""
    ended_by: str | None = None
    ended_why: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}-{self.id}"

    def lasts(self, now: datetime) -> bool:
        return self.start <= now and (self.until is None or now < self.until) and self.ended_at is None

    def covers(self, alert: Alert) -> bool:
        if self.site != alert.site or self.rule not in (None, alert.rule):
            return False
        if self.kind == "maintenance":
            return self.subject in (None, alert.subject) or self.subject == alert.gateway != ""
        return self.subject == alert.subject
