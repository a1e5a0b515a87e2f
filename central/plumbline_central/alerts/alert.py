"""One alert, as people and channels see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec

from plumbline_central.alerts.states import PRESENT, Shown, State, shown
from plumbline_central.deviation import Point, Severity

Rule = Literal[
    "deviation", "no_data", "regress", "stalled", "overdue_start", "milestone_overdue", "out_of_hours_energy",
    "gateway_offline", "meter_fault", "camera_blind", "camera_moved", "clock", "buffer_filling",
    "certificate_expiring", "store_fault",
]  # fmt: skip
"""What can be wrong; docs/alerts.md says of each when it is raised, when it clears, and what to do."""
What = Literal[
    "raised", "returned", "severity", "acknowledged", "assigned", "rectified", "reopened", "escalated", "shelved",
    "unshelved", "suppressed", "unsuppressed", "out_of_service", "in_service", "closed", "reminder",
]  # fmt: skip
Fact = float | str
"""One thing that a rule found and that a sentence may say; numbers carry their unit in their name."""


SYSTEM: Literal["system"] = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What can have one open alert at a time.

    `subject` is what the rule is about: a camera, a device, a gateway, an indicator, a milestone; a name that can stand
    in a topic. Site `SYSTEM` is central itself.
    """

    site: str
    rule: Rule
    subject: str

    @property
    def key(self) -> str:
        """Stands in a topic: the same for each alert of this slot."""
        return f"{self.rule}-{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Percent values are 0..100; deviations are signed percentage points, negative is behind plan.

    `deviation_pp`, `planned`, `actual`, `low`, `high` and `evidence` are those of the last raise, `raised_at` is
    the time of the first; `latest_pp`, seen at `latest_at`, goes on while the alert is open. A "no_data" alert has no deviation: its `actual` is the last valid value, seen at `evidence[-1].at`.
    """

    id: int
    slot: Slot
    severity: Severity
    state: State
    raised_at: datetime
    evidence: tuple[Point, ...]
    deviation_pp: float | None = None
    planned: float | None = None
    actual: float | None = None
    low: float | None = None
    high: float | None = None
    latest_pp: float | None = None
    latest_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    cleared_at: datetime | None = None
    closed_at: datetime | None = None
    gateway: str = ""
    """Through which gateway the subject is known; while that one is offline, its other alerts are suppressed."""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    """What the rule found when it was raised: the numbers of its sentence."""
    assigned_to: str | None = None
    assigned_at: datetime | None = None
    rectified_by: str | None = None
    """Who says that the cause is put right; the condition itself has the last word."""
    rectified_at: datetime | None = None
    shelved_until: datetime | None = None
    shelved_by: str | None = None
    suppressed_by: str | None = None
    """Why nobody is told: the key of the alert that explains it, or the maintenance window."""
    out_of_service: bool = False
    escalation: int = 0
    """How many steps it has gone up because nobody acted."""
    since: datetime | None = None
    """When the condition began, as far as its rule knows."""
    waiting_since: datetime | None = None
    """Since when a person is wanted: raised, come back, or no longer withheld; None: since `raised_at`."""
    told: Severity | Literal["returned"] | None = None
    """What receivers know of it: how grave it is, or that it is gone; None: they never heard of it."""

    @property
    def key(self) -> str:
        return self.slot.key

    @property
    def site(self) -> str:
        return self.slot.site

    @property
    def rule(self) -> Rule:
        return self.slot.rule

    @property
    def subject(self) -> str:
        return self.slot.subject

    @property
    def newest_at(self) -> datetime:
        """When the newest thing it knows of was seen."""
        return self.latest_at or self.raised_at

    @property
    def present(self) -> bool:
        """The condition is there."""
        return self.state in PRESENT

    @property
    def quiet(self) -> bool:
        """Nobody is to hear of it for now."""
        return self.out_of_service or self.shelved_until is not None or self.suppressed_by is not None

    @property
    def shown(self) -> Shown:
        """What people see."""
        return shown(
            self.state,
            out_of_service=self.out_of_service,
            shelved=self.shelved_until is not None,
            suppressed=self.suppressed_by is not None,
        )

    @property
    def open(self) -> bool:
        """The condition is there, or nobody has acknowledged it yet."""
        return self.state != State.NORMAL

    def as_json(self) -> dict[str, Any]:
        """Flat, with times in RFC 3339: what channels, the live page and the API's readers get."""
        flat: dict[str, Any] = msgspec.to_builtins(self)
        for ours in ("slot", "told", "waiting_since"):
            del flat[ours]
        for point, own in zip(flat["evidence"], self.evidence, strict=True):
            point["deviation_pp"] = own.deviation_pp
        return {
            "id": flat.pop("id"),
            "key": self.key,
            "site": self.site,
            "rule": self.rule,
            "subject": self.subject,
            "shown": self.shown,
            **flat,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One step of one alert; `who` is a person's name, or "plumbline" for a judgement of ours."""

    at: datetime
    who: str
    what: str
    old: State
    new: State
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A change of an alert worth telling; `id` is the same however often it is sent."""

    id: str
    what: What
    at: datetime
    alert: Alert
