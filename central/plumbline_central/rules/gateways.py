"""What can be wrong with a gateway: it is silent, its clock is not to be trusted, its buffer fills up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import inf, isfinite

from plumbline.clock import TRUSTED
from plumbline_central.alerts.alert import Fact, Rule, Slot
from plumbline_central.alerts.condition import Condition
from plumbline_central.deviation import Severity
from plumbline_central.plan import SHANGHAI
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.snapshot import Gateway, Snapshot


def conditions(snapshot: Snapshot, now: datetime, limits: Limits) -> Iterator[Condition]:
    """A gateway of which nothing is known yet is not installed yet; the last word on its buffer stands."""
    for gateway in snapshot.gateways:
        yield from _offline(gateway, now, limits)
        yield from _clock(gateway, limits)
        yield from _buffer(gateway, limits)


def _offline(gateway: Gateway, now: datetime, limits: Limits) -> Iterator[Condition]:
    last_seen = gateway.last_seen
    if last_seen is None or now - last_seen <= timedelta(seconds=limits.gateway_silent_s):
        return
    grave = now - last_seen > timedelta(seconds=limits.gateway_silent_red_s)
    seen = last_seen.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    yield _condition(
        gateway,
        "gateway_offline",
        last_seen,
        {"last_seen": seen},
        severity="red" if grave else "amber",
        evidence=last_seen.isoformat(),
    )


def _clock(gateway: Gateway, limits: Limits) -> Iterator[Condition]:
    if gateway.health_at is None or gateway.clock is None:
        return
    ahead_s = gateway.ahead_s or 0.0
    is_ahead = ahead_s > limits.clock_ahead_s and gateway.clock != "simulated"
    if is_ahead or gateway.clock not in TRUSTED:
        facts: dict[str, Fact] = {"off_s": round(ahead_s, 1)} if is_ahead else {}
        yield _condition(gateway, "clock", gateway.health_at, facts)


def _buffer(gateway: Gateway, limits: Limits) -> Iterator[Condition]:
    if gateway.health is None or gateway.health_at is None:
        return
    gauges = gateway.health.gauges
    left, holds = gauges.get("outbox_full_in_days"), gauges.get("outbox_holds_days")
    if left is None or holds is None or not (isfinite(left) and 0 < holds < inf):
        return  # too little was written for a forecast, or no forecast says this
    used = max(0.0, 100 * (1 - left / holds))
    short = left < limits.buffer_left_days and used > limits.buffer_used_percent / 2
    if used > limits.buffer_used_percent or short:
        facts: dict[str, Fact] = {"used_percent": round(used, 1), "days_left": left}
        yield _condition(
            gateway, "buffer_filling", gateway.health_at, facts, severity="red" if short else "amber"
        )


def _condition(
    gateway: Gateway,
    rule: Rule,
    since: datetime,
    facts: dict[str, Fact],
    *,
    severity: Severity = "amber",
    evidence: str = "",
) -> Condition:
    return Condition(
        slot=Slot(site=gateway.site, rule=rule, subject=gateway.gateway),
        severity=severity,
        since=since,
        gateway=gateway.gateway,
        facts=facts,
        evidence=evidence,
    )
