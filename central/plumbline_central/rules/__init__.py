"""What is looked at besides a photo's deviation: a snapshot of all sites to the conditions that are there now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from plumbline_central.alerts.alert import Rule
from plumbline_central.alerts.condition import Condition
from plumbline_central.rules import cameras, energy, gateways, meters, milestones, progress, store
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Snapshot

LOOKED_AT: Final[frozenset[Rule]] = frozenset(
    (
        "gateway_offline", "clock", "buffer_filling", "meter_fault", "camera_blind", "camera_moved", "stalled",
        "regress", "overdue_start", "milestone_overdue", "out_of_hours_energy", "store_fault",
        "certificate_expiring", "deviation",
    )
)  # fmt: skip
"""All but no_data, which the photos' own watches say. Of `deviation` only what has no camera: indicators and meters."""
_PARTS: Final = (gateways, meters, cameras, progress, milestones, energy, store)


def conditions(snapshot: Snapshot, now: datetime, limits: Limits) -> Iterator[Condition]:
    """Everything that is there, as far as it can be told from the snapshot alone."""
    for part in _PARTS:
        yield from part.conditions(snapshot, now, limits)
