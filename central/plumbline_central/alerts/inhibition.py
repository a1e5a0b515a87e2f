"""Which alert explains which other ones: who knows the first need not hear of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from plumbline_central.alerts.alert import Alert, Rule, Slot

Tie = Literal["gateway", "subject"]
"""How the other one hangs on it: known through the gateway it is about, or about the same thing."""

EXPLAINS: Final[Mapping[Rule, tuple[Tie, frozenset[Rule]]]] = {
    "gateway_offline": (
        "gateway",
        frozenset(
            (
                "no_data",
                "regress",
                "stalled",
                "out_of_hours_energy",
                "meter_fault",
                "camera_blind",
                "camera_moved",
                "clock",
                "buffer_filling",
            )
        ),
    ),
    "camera_blind": ("subject", frozenset(("no_data",))),
}
"""docs/alerts.md has the same table with its reasons; a test holds them together.

Not there: what is true whether the gateway answers or not (deviation, overdue_start, milestone_overdue,
certificate_expiring), and store_fault, which explains nothing: central goes on judging from the ledger.
"""


def explains(slot: Slot, alert: Alert) -> bool:
    """Whether the condition of `slot` explains `alert`."""
    tie, rules = EXPLAINS.get(slot.rule, ("subject", frozenset[Rule]()))
    if slot.site != alert.site or alert.rule not in rules:
        return False
    return slot.subject == (alert.gateway if tie == "gateway" else alert.subject)


def explanation(present: Iterable[Slot], alert: Alert) -> str | None:
    """The key of what explains `alert`; of several the same one each time, the one it names already if it still does."""
    keys = sorted(slot.key for slot in present if explains(slot, alert))
    if alert.suppressed_by in keys:
        return alert.suppressed_by
    return keys[0] if keys else None
