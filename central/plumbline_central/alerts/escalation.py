"""What happens to an alert that nobody acts on: how high it climbs, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from plumbline_central.alerts.alert import Alert
from plumbline_central.alerts.states import State
from plumbline_central.deviation import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """So long unacknowledged, it is told again; `becomes` says as what."""

    after_s: float
    becomes: Severity | None = None


_HOUR_S: Final = 3600.0
LADDERS: Final[Mapping[Severity, Sequence[Rung]]] = {
    "amber": (Rung(after_s=4 * _HOUR_S), Rung(after_s=24 * _HOUR_S, becomes="red")),
    "red": (Rung(after_s=1 * _HOUR_S), Rung(after_s=4 * _HOUR_S)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How the book deals with what people do and leave undone."""

    rectified_within: timedelta = timedelta(hours=24)
    """How long after somebody said that the cause is put right the condition may still be there."""
    longest_shelf: timedelta = timedelta(days=30)
    linger: timedelta = timedelta(minutes=10)
    """How long what explained other alerts goes on explaining them: what a gateway stored comes first."""
    ladders: Mapping[Severity, Sequence[Rung]] = field(default_factory=lambda: LADDERS)


def climb(
    alert: Alert, now: datetime, ladders: Mapping[Severity, Sequence[Rung]]
) -> tuple[int, Severity] | None:
    """The rung that is due and how grave the alert is there; rungs missed while central was away count as one step.

    The rungs taken stay taken when an alert turns red: it goes on at the next rung of the red ladder.
    """
    if alert.state != State.UNACKNOWLEDGED or alert.quiet:
        return None
    waited_s = (now - (alert.waiting_since or alert.raised_at)).total_seconds()
    due = [rung for rung in ladders[alert.severity][alert.escalation :] if waited_s >= rung.after_s]
    if not due:
        return None
    graver = alert.severity == "red" or any(rung.becomes == "red" for rung in due)
    return alert.escalation + len(due), "red" if graver else "amber"


def overdue(alert: Alert, now: datetime, within: timedelta) -> bool:
    """Somebody said long ago that the cause is put right, and the condition is still there."""
    return (
        alert.state == State.ACKNOWLEDGED
        and not alert.quiet
        and alert.rectified_at is not None
        and now - alert.rectified_at >= within
    )
