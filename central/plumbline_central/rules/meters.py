"""Meters that do not answer, as the gateway's newest health record has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from plumbline.topics import is_name
from plumbline_central.alerts.alert import Fact, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Snapshot


def conditions(snapshot: Snapshot, _now: datetime, _limits: Limits) -> Iterator[Condition]:
    """The gateway's last word stands while it says nothing."""
    for gateway in snapshot.gateways:
        for device in gateway.health.devices if gateway.health else ():
            silent = gateway.silent.get(device.name)
            if device.source or device.status != "silent" or silent is None or not is_name(device.name):
                continue  # a camera, one that answers, one of which an older central kept no more, or no topic's word
            facts: dict[str, Fact] = {"device": device.name}
            if silent.failed:
                kind = max(sorted(silent.failed), key=lambda one: silent.failed[one])
                facts |= {"errors": float(sum(silent.failed.values())), "kind": kind}
            yield Condition(
                slot=Slot(site=gateway.site, rule="meter_fault", subject=device.name),
                severity="amber",
                since=silent.since,
                gateway=gateway.gateway,
                facts=facts,
            )
