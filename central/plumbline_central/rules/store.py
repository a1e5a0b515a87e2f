"""What is wrong with central's own parts: the time-series store, and certificates that run out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from plumbline_central.alerts.alert import SYSTEM, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.plan import SHANGHAI
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Snapshot


def conditions(snapshot: Snapshot, now: datetime, limits: Limits) -> Iterator[Condition]:
    for subject, why in snapshot.store_faults.items():
        yield Condition(
            slot=Slot(site=SYSTEM, rule="store_fault", subject=_named(subject)),
            severity="amber",
            since=now,
            facts={"why": why},
        )
    for one in snapshot.certificates:
        left = one.expires - now
        if left < timedelta(days=limits.certificate_days):
            grave = left < timedelta(days=limits.certificate_red_days)
            yield Condition(
                slot=Slot(site=SYSTEM, rule="certificate_expiring", subject=one.subject),
                severity="red" if grave else "amber",
                since=one.expires - timedelta(days=limits.certificate_days),
                facts={
                    "expires": f"{one.expires.astimezone(SHANGHAI):%Y-%m-%d}",
                    "days": float(max(left // timedelta(days=1), 0)),
                },
                evidence=one.expires.isoformat(),
            )


def _named(subject: str) -> str:
    """As it can stand in a topic."""
    return re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:48] or "store"
