"""What a rule finds when it looks: a condition that is there now, in the words of the alert book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from plumbline_central.alerts.alert import Fact, Slot
from plumbline_central.deviation import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that is so at the moment somebody looked; found again and again for as long as it is so."""

    slot: Slot
    severity: Severity
    since: datetime
    """When it began, as far as that is known: the start of the silence, the first bad photo, the due date."""
    gateway: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    evidence: str = ""
    """Names what it rests on, such as a photo or a boot: the same evidence is never raised twice."""
