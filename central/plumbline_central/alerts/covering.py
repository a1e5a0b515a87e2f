"""What withholds an alert at this moment, and what changed since the last look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plumbline_central.alerts.alert import Alert, Slot, What
from plumbline_central.alerts.inhibition import explanation
from plumbline_central.alerts.silence import Kind, Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """All that may withhold an alert now."""

    silences: Sequence[Silence]
    """Those in force."""
    explaining: Sequence[Slot]
    """What is so, and may explain other alerts."""


@dataclass(frozen=True, slots=True)
class Change:
    """A step of the alert's life with its reason, empty where time did it."""

    what: What
    why: str = ""


def covered(alert: Alert, around: Around) -> tuple[Alert, tuple[Change, ...]]:
    """The alert with what withholds it now; what began comes before what ended, so that no gap is between them."""
    own = [silence for silence in around.silences if silence.covers(alert)]
    shelf, out = _of(own, "shelved"), _of(own, "out_of_service")
    windows = {silence.key: silence for silence in own if silence.kind == "maintenance"}
    explained = alert.suppressed_by
    if explained not in windows:
        explained = explanation(around.explaining, alert) or min(windows, default=None)
    after = replace(
        alert,
        out_of_service=out is not None,
        shelved_until=shelf.until if shelf else None,
        shelved_by=shelf.by if shelf else None,
        suppressed_by=explained,
    )
    begun, ended = [], []
    if out and not alert.out_of_service:
        begun.append(Change("out_of_service", out.why))
    if shelf and shelf.until != alert.shelved_until:
        begun.append(Change("shelved", shelf.why))
    if explained and alert.suppressed_by is None:
        begun.append(Change("suppressed", windows[explained].why if explained in windows else explained))
    if not out and alert.out_of_service:
        ended.append(Change("in_service"))
    if not shelf and alert.shelved_until is not None:
        ended.append(Change("unshelved"))
    if not explained and alert.suppressed_by is not None:
        ended.append(Change("unsuppressed"))
    return after, (*begun, *ended)


def _of(silences: Sequence[Silence], kind: Kind) -> Silence | None:
    return max((one for one in silences if one.kind == kind), key=lambda one: one.id, default=None)
