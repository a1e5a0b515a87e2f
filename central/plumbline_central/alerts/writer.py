"""What happens to alerts within one transaction: conditions come and go, time passes, steps are audited and told."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from plumbline_central.alerts import entries, feed
from plumbline_central.alerts.alert import Alert, AuditLine, Notice, Rule, Slot, What
from plumbline_central.alerts.condition import Condition
from plumbline_central.alerts.covering import Around, covered
from plumbline_central.alerts.escalation import Handling, climb, overdue
from plumbline_central.alerts.inhibition import EXPLAINS
from plumbline_central.alerts.latch import NO_DELAY, Delays, Latch, step
from plumbline_central.alerts.states import Action, State, after
from plumbline_central.alerts.telling import said
from plumbline_central.deviation import Point, Severity

OURSELVES: Final = "plumbline"
Addressees = Callable[[Notice], Sequence[str]]
"""Which channels hear of a notice."""


@dataclass(slots=True, kw_only=True)
class BookWriter:
    """Steps within one transaction; what they changed is told when it is committed."""

    db: sqlite3.Connection
    addressees: Addressees
    handling: Handling = field(default_factory=Handling)
    steps: list[Notice] = field(default_factory=list)
    """Every change, for who watches."""
    notices: list[Notice] = field(default_factory=list)
    """The changes that receivers are told of."""

    def raise_(
        self,
        slot: Slot,
        severity: Severity,
        points: Sequence[Point],
        at: datetime,
        cause: str,
        *,
        gateway: str = "",
    ) -> Alert | None:
        """The condition is there. None where that was known, or was judged before from the same `cause`."""
        return self._appear(
            slot, severity, at, cause, lambda alert: replace(_with_evidence(alert, points), gateway=gateway)
        )

    def returned(self, slot: Slot, at: datetime, cause: str | None) -> Alert | None:
        """The condition is gone. None where no alert said that it was there.

        What nobody was told of needs nobody to acknowledge it: it ends at once.
        """
        known = self.open_in(slot)
        if known is None or not known.present or self._judged(cause):
            return None
        gone = replace(known, cleared_at=at)
        if known.told is None and known.state == State.UNACKNOWLEDGED:
            closed = replace(gone, state=State.NORMAL, closed_at=at)
            return self.keep(closed, known.state, "returned", at, OURSELVES, cause=cause)
        return self.move(gone, Action.RETURN, "returned", at, OURSELVES, cause=cause)

    def outdated(self, slot: Slot, seen_at: datetime, at: datetime, cause: str) -> Alert | None:
        """As `returned`, where what says so was seen later than all that the alert rests on."""
        known = self.open_in(slot)
        if known is None or seen_at <= known.newest_at:
            return None
        return self.returned(slot, at, cause)

    def worsened(self, slot: Slot, severity: Severity, at: datetime, cause: str) -> Alert | None:
        """The condition is graver than it was said to be."""
        known = self.open_in(slot)
        if known is None or known.severity == severity or self._judged(cause):
            return None
        graver = replace(known, severity=severity)
        return self.keep(graver, known.state, "severity", at, OURSELVES, comment=severity, cause=cause)

    def latest(self, slot: Slot, deviation_pp: float, at: datetime) -> None:
        """Where an open alert stands now; no step of its life, so no line in the audit."""
        known = self.open_in(slot)
        if known is not None and at > known.newest_at:
            entries.update(self.db, replace(known, latest_pp=deviation_pp, latest_at=at))

    def settle(
        self,
        conditions: Iterable[Condition],
        looked_at: Collection[Rule],
        now: datetime,
        delays: Mapping[Rule, Delays] | None = None,
        *,
        site: str | None = None,
    ) -> None:
        """What was found when all of `looked_at` was looked at, everywhere or at one `site`; then time passes.

        A condition found long enough is raised, one not found long enough returns; the same one found again is
        silent. Raises ValueError for a condition that `looked_at` and `site` do not announce.
        """
        found = _gravest(conditions, looked_at, site)
        known = entries.latches(self.db, looked_at, site)
        for slot in sorted({*found, *known}, key=_explanations_first):
            condition, before = found.get(slot), known.get(slot, Latch())
            latch, change = step(
                before, now, (delays or {}).get(slot.rule, NO_DELAY), found=condition is not None
            )
            if latch != before:
                entries.keep_latch(self.db, slot, latch)
            if change == "off":
                self.returned(slot, now, None)
            elif condition is not None and latch.on:
                if change == "on" or condition.evidence:
                    self._found(condition, now)
                if condition.severity == "red":
                    self._graver(condition, now)
        self.pass_time(now, site)

    def pass_time(self, now: datetime, site: str | None = None) -> None:
        """Wake what was shelved, begin and end windows, climb where nobody acts, reopen what was not put right."""
        entries.drop_latches(self.db, now - self.handling.linger)
        around = self.around(now, site)
        for alert in entries.open_at(self.db, site):
            current = self.cover(alert, now, around)
            if overdue(current, now, self.handling.rectified_within):
                self._reopen(current, now)
            elif rung := climb(current, now, self.handling.ladders):
                height, severity = rung
                higher = replace(current, escalation=height, severity=severity)
                comment = severity if severity != current.severity else ""
                self.keep(higher, current.state, "escalated", now, OURSELVES, comment=comment)

    def around(self, now: datetime, site: str | None) -> Around:
        """All that may withhold alerts now."""
        latches = entries.latches(self.db, list(EXPLAINS), site)
        return Around(
            silences=entries.silences_now(self.db, now, site),
            explaining=[slot for slot, latch in latches.items() if latch.explains(now, self.handling.linger)],
        )

    def cover(
        self, alert: Alert, now: datetime, around: Around, who: str = OURSELVES, why: str = ""
    ) -> Alert:
        """Begin and end what withholds an open alert, step by step."""
        current, changes = covered(alert, around)
        if alert.quiet and not current.quiet:
            current = replace(current, waiting_since=now)
        if not changes and current != alert:
            entries.update(self.db, current)
        for change in changes:
            current = self.keep(current, current.state, change.what, now, who, comment=why or change.why)
        return current

    def remind(self, channel: str, at: datetime) -> None:
        """Tell one channel anew of every open alert that receivers know of; earlier reminders are moot."""
        self.db.execute(
            "DELETE FROM alert_delivery WHERE channel = ? AND state IN ('waiting', 'parked')"
            " AND notice ->> 'what' = 'reminder'",
            (channel,),
        )
        for alert in entries.open_at(self.db, None):
            if alert.told is not None:
                notice = Notice(id=f"reminder-{alert.id}", what="reminder", at=at, alert=alert)
                entries.enqueue(self.db, notice, [channel])

    def open_in(self, slot: Slot) -> Alert | None:
        return entries.open_in(self.db, slot)

    def move(
        self,
        alert: Alert,
        action: Action,
        what: What,
        at: datetime,
        who: str,
        *,
        comment: str = "",
        cause: str | None = None,
    ) -> Alert:
        """One step through the table of states. Raises Refused where it has none."""
        state = after(alert.state, action)
        moved = replace(alert, state=state, closed_at=at if state == State.NORMAL else None)
        return self.keep(moved, alert.state, what, at, who, comment=comment, cause=cause)

    def keep(
        self,
        alert: Alert,
        old: State,
        what: What,
        at: datetime,
        who: str,
        *,
        comment: str = "",
        cause: str | None = None,
    ) -> Alert:
        """Write one step, audit it, and tell whoever is to hear of it."""
        told = said(alert, what)
        if told is not None and not alert.present:
            alert = replace(alert, told="returned")
        elif told is not None and not alert.quiet:
            alert = replace(alert, told=alert.severity)
        entries.update(self.db, alert)
        line = AuditLine(at=at, who=who, what=what, old=old, new=alert.state, comment=comment)
        number = entries.audit(self.db, alert.id, line, cause=cause, told=told)
        self.steps.append(Notice(id=str(number), what=what, at=at, alert=alert))
        if told is not None:
            notice = Notice(id=str(number), what=told, at=at, alert=alert)
            entries.enqueue(self.db, notice, self.addressees(notice))
            feed.keep(self.db, number, notice)
            self.notices.append(notice)
        return alert

    def _found(self, condition: Condition, now: datetime) -> None:
        cause = None
        if condition.evidence:
            slot = condition.slot
            cause = f"{slot.site}/{slot.subject}/{slot.rule}/raise/{condition.evidence}"
        self._appear(
            condition.slot, condition.severity, now, cause, lambda alert: _with_condition(alert, condition)
        )

    def _appear(
        self,
        slot: Slot,
        severity: Severity,
        at: datetime,
        cause: str | None,
        seen: Callable[[Alert], Alert],
    ) -> Alert | None:
        if self._judged(cause):
            return None
        known = self.open_in(slot)
        if known is not None and known.present:
            return None
        if known is None:
            known = entries.insert(self.db, _fresh(slot, severity, at))
        raised = _unattended(replace(seen(known), severity=severity, raised_at=at, cleared_at=None), at)
        covers, changes = covered(raised, self.around(at, slot.site))
        done = self.move(covers, Action.RAISE, "raised", at, OURSELVES, cause=cause)
        for change in changes:
            done = self.keep(done, done.state, change.what, at, OURSELVES, comment=change.why)
        return done

    def _graver(self, condition: Condition, now: datetime) -> None:
        known = self.open_in(condition.slot)
        if known is not None and known.present and known.severity != condition.severity:
            graver = _with_condition(replace(known, severity=condition.severity), condition)
            self.keep(graver, known.state, "severity", now, OURSELVES, comment=condition.severity)

    def _reopen(self, alert: Alert, now: datetime) -> None:
        self.move(
            _unattended(alert, now),
            Action.REOPEN,
            "reopened",
            now,
            OURSELVES,
            comment=alert.rectified_by or "",
        )

    def _judged(self, cause: str | None) -> bool:
        return cause is not None and entries.is_judged(self.db, cause)


def _gravest(
    conditions: Iterable[Condition], looked_at: Collection[Rule], site: str | None
) -> dict[Slot, Condition]:
    found: dict[Slot, Condition] = {}
    for condition in conditions:
        slot = condition.slot
        if slot.rule not in looked_at or site not in (None, slot.site):
            raise ValueError(f"{slot.site}/{slot.key} was not said to be looked at")
        if slot not in found or condition.severity == "red":
            found[slot] = condition
    return found


def _explanations_first(slot: Slot) -> tuple[bool, str, str, str]:
    return slot.rule not in EXPLAINS, slot.site, slot.rule, slot.subject


def _fresh(slot: Slot, severity: Severity, at: datetime) -> Alert:
    return Alert(id=0, slot=slot, severity=severity, state=State.NORMAL, raised_at=at, evidence=())


def _unattended(alert: Alert, now: datetime) -> Alert:
    """From now on it waits for a person."""
    return replace(
        alert,
        waiting_since=now,
        escalation=0,
        acknowledged_by=None,
        acknowledged_at=None,
        rectified_by=None,
        rectified_at=None,
    )


def _with_condition(alert: Alert, condition: Condition) -> Alert:
    """A gateway may report infinity, which JSON cannot hold: kept, it would make the book unreadable for ever."""
    facts = {
        name: fact for name, fact in condition.facts.items() if isinstance(fact, str) or math.isfinite(fact)
    }
    return replace(alert, since=condition.since, gateway=condition.gateway, facts=facts)


def _with_evidence(alert: Alert, points: Sequence[Point]) -> Alert:
    newest = points[-1]
    deviation_pp = newest.deviation_pp if alert.rule == "deviation" else None
    return replace(
        alert,
        deviation_pp=deviation_pp,
        planned=newest.planned,
        actual=newest.percent,
        low=newest.low,
        high=newest.high,
        evidence=tuple(points),
        latest_pp=deviation_pp,
        latest_at=newest.at,
    )
