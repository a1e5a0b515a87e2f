"""What receivers hear of a step: everything once, nothing that is withheld, and what was withheld once it no longer is."""

from __future__ import annotations

from typing import Final

from plumbline_central.alerts.alert import Alert, What

_UNCOVERED: Final[frozenset[What]] = frozenset(("unshelved", "unsuppressed", "in_service"))
_COVERED: Final[frozenset[What]] = frozenset(("shelved", "suppressed", "out_of_service"))
_OF_THE_CONDITION: Final[frozenset[What]] = frozenset(("raised", "severity", "escalated", "reopened"))


def said(alert: Alert, what: What) -> What | None:
    """What to tell of the step `what` that made `alert`; None: nothing.

    Who was told that it is there is also told that it is gone, however quiet it is by then. Who was not told hears
    "raised" at the end of the silence, if it is still there.
    """
    if what == "suppressed":
        return None
    if not alert.present:
        return what if alert.told is not None and what not in _UNCOVERED | _COVERED else None
    knows = alert.told in ("amber", "red")
    if alert.quiet:
        return what if knows and what not in _OF_THE_CONDITION | _UNCOVERED else None
    if not knows:
        return "raised"
    if what == "unsuppressed":
        return "severity" if alert.told != alert.severity else None
    return what
