"""What is wrong at a site and what to do, in two sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from plumbline_central.alerts.alert import Alert
from plumbline_central.alerts.states import State
from plumbline_central.deviation import Band
from plumbline_central.indicators import Curve, Observation
from plumbline_central.stores.gateways import GatewayStatus
from plumbline_central.web import numerals, times
from plumbline_central.web.texts import Texts

Level = Literal["alarm", "warning", "calm", "unknown"]
WORST_FIRST: Final[tuple[Level, ...]] = ("alarm", "warning", "unknown", "calm")

_BY_URGENCY: Final = (State.UNACKNOWLEDGED, State.ACKNOWLEDGED, State.RETURNED_UNACKNOWLEDGED, State.NORMAL)
TO_ACKNOWLEDGE: Final = (State.UNACKNOWLEDGED, State.RETURNED_UNACKNOWLEDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A site's state in words. `latest` is the newest photo that gave a percent, `alert` the one to act on."""

    level: Level
    headline: str
    todo: str
    command: str = ""
    """What to type, where that is the next step."""
    alert: Alert | None = None
    more_alerts: int = 0
    latest: Observation | None = None
    deviation_pp: float | None = None

    @property
    def acknowledgeable(self) -> bool:
        return self.alert is not None and self.alert.state in TO_ACKNOWLEDGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the sentence is made of."""

    site: str
    curve: Curve
    open_alerts: Sequence[Alert]
    gateways: Sequence[GatewayStatus]
    band: Band
    now: datetime


def summarise(texts: Texts, facts: Facts) -> Summary:
    """The most urgent alert if there is one, else what is missing, else that all is well."""
    latest = facts.curve.latest
    deviation = latest.deviation_pp if latest else None
    alerts = sorted((alert for alert in facts.open_alerts if not alert.quiet), key=_urgency)
    if alerts and alerts[0].state != State.RETURNED_UNACKNOWLEDGED:
        said = _of_alert(texts, alerts[0], facts, latest, deviation)
    else:
        said = _of_what_is_missing(texts, facts, latest) or _of_progress(texts, facts.band, deviation)
    if alerts and alerts[0].state == State.RETURNED_UNACKNOWLEDGED and said.level == "calm":
        said = replace(said, todo=texts("hero.todo_returned", title=alert_title(texts, alerts[0])))
    return Summary(
        level=said.level,
        headline=said.headline,
        todo=said.todo,
        command=said.command,
        alert=alerts[0] if alerts else None,
        more_alerts=max(len(alerts) - 1, 0),
        latest=latest,
        deviation_pp=deviation,
    )


def alert_title(texts: Texts, alert: Alert) -> str:
    """What an alert is about, with the deviation it was raised at."""
    if alert.rule == "no_data":
        return texts("alert.no_data")
    if alert.rule == "deviation" and alert.deviation_pp is None:
        value, plan, unit = (alert.facts.get(name, "") for name in ("value", "plan", "unit"))
        return texts(
            "alert.indicator", subject=alert.subject, value=_number(value), plan=_number(plan), unit=unit
        )
    if alert.deviation_pp is None:
        return texts("alert.other", what=texts(f"rule.{alert.rule}"), subject=alert.subject)
    side = "behind" if alert.deviation_pp < 0 else "ahead"
    return texts(f"alert.deviation_{side}", pp=numerals.fixed(abs(alert.deviation_pp), 1))


def _number(value: float | str) -> str:
    return numerals.fixed(value, 1) if isinstance(value, float) else value


@dataclass(frozen=True, slots=True)
class _Said:
    level: Level
    headline: str
    todo: str
    command: str = ""


def _urgency(alert: Alert) -> tuple[int, int, datetime]:
    return _BY_URGENCY.index(alert.state), 0 if alert.severity == "red" else 1, alert.raised_at


def _of_alert(
    texts: Texts, alert: Alert, facts: Facts, latest: Observation | None, deviation: float | None
) -> _Said:
    seen = None
    if alert.state == State.ACKNOWLEDGED and alert.acknowledged_at is not None:
        seen = {"by": alert.acknowledged_by, "time": times.stamp(texts, alert.acknowledged_at, facts.now)}
    level: Level = "alarm" if alert.severity == "red" and seen is None else "warning"
    if alert.rule == "no_data":
        todo = texts("hero.todo_no_data_acknowledged", **seen) if seen else texts("hero.todo_no_data")
        return _Said(level, _no_data(texts, latest, facts.now), todo)
    if alert.deviation_pp is None:
        todo = texts("hero.todo_other_acknowledged", **seen) if seen else texts("hero.todo_other")
        return _Said(level, alert_title(texts, alert), todo)
    known = (off for off in (deviation, alert.latest_pp, alert.deviation_pp) if off is not None)
    off = next(known, 0.0)
    side = "behind" if off < 0 else "ahead"
    limit = numerals.fixed(facts.band.clear_below_pp, 0)
    todo = texts("hero.todo_acknowledged", pp=limit, **seen) if seen else texts(f"hero.todo_{side}")
    return _Said(level, texts(f"hero.{side}", pp=numerals.fixed(abs(off), 1)), todo)


def _of_what_is_missing(texts: Texts, facts: Facts, latest: Observation | None) -> _Said | None:
    """The first thing without which nothing can be said of the progress."""
    if any(status.online is False for status in facts.gateways):
        return _Said("warning", texts("hero.gateway_offline"), texts("hero.todo_gateway"))
    if not facts.curve.planned:
        command = f"plumbline central plan {facts.site} plan.csv"
        return _Said("unknown", texts("hero.no_plan"), texts("hero.todo_no_plan"), command)
    if latest is None and not facts.curve.actual:
        return _Said(
            "unknown", texts("hero.waiting"), texts("hero.todo_waiting"), "plumbline edge check SITE.toml"
        )
    if latest is None or facts.now - latest.at > timedelta(seconds=facts.band.fresh_for_s):
        return _Said("warning", _no_data(texts, latest, facts.now), texts("hero.todo_no_data"))
    return None


def _of_progress(texts: Texts, band: Band, deviation: float | None) -> _Said:
    if deviation is None or abs(deviation) <= band.raise_over_pp:
        return _Said("calm", texts("hero.on_plan"), texts("hero.todo_calm"))
    side = "behind" if deviation < 0 else "ahead"
    return _Said(
        "warning",
        texts(f"hero.watch_{side}", pp=numerals.fixed(abs(deviation), 1)),
        texts("hero.todo_watch", n=band.hold_observations, pp=numerals.fixed(band.raise_over_pp, 0)),
    )


def _no_data(texts: Texts, latest: Observation | None, now: datetime) -> str:
    if latest is None:
        return texts("hero.no_data_never")
    return texts("hero.no_data", age=times.span(texts, (now - latest.at).total_seconds()))
