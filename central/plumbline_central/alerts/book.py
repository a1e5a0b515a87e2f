"""The alert book: which alerts there are and were, every step of each kept for ever.

One open alert per slot. The alert book is no projection: it holds what people said, and a replay of the ledger
finds its own earlier judgements in it by their cause and does not repeat them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import msgspec

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline_central.alerts.alert import Alert, AuditLine, Notice, Slot, What
from plumbline_central.alerts.states import Action, State, after
from plumbline_central.deviation import Point, Severity
from plumbline_central.live import LiveHub
from plumbline_central.schema import Database

OURSELVES: Final = "plumbline"
_LONGEST_NAME: Final = 80
_LONGEST_COMMENT: Final = 2000
_SELECT: Final = "SELECT id, alert FROM alert_entry"


Addressees = Callable[[Notice], Sequence[str]]
"""Which channels hear of a notice."""


class NoSuchAlert(Refused):
    """The book has no alert of that number."""


@dataclass(slots=True, kw_only=True)
class BookWriter:
    """Steps within one transaction; what they changed is told when it is committed."""

    db: sqlite3.Connection
    addressees: Addressees
    notices: list[Notice] = field(default_factory=list)

    def raise_(
        self, slot: Slot, severity: Severity, points: Sequence[Point], at: datetime, cause: str
    ) -> Alert | None:
        """The condition is there. None where that was known, or was judged before from the same `cause`."""
        if self._judged(cause):
            return None
        known = self.open_in(slot)
        if known is None:
            known = _fresh(slot, severity, at)
            known = replace(known, id=self._insert(known))
        elif known.state != State.RETURNED_UNACKNOWLEDGED:
            return None
        raised = replace(_with_evidence(known, points), severity=severity, raised_at=at, cleared_at=None)
        return self._move(raised, Action.RAISE, "raised", at, OURSELVES, cause=cause)

    def returned(self, slot: Slot, at: datetime, cause: str) -> Alert | None:
        """The condition is gone. None where no alert said that it was there."""
        known = self.open_in(slot)
        if known is None or known.state == State.RETURNED_UNACKNOWLEDGED or self._judged(cause):
            return None
        return self._move(
            replace(known, cleared_at=at), Action.RETURN, "returned", at, OURSELVES, cause=cause
        )

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
        return self._keep(graver, known.state, "severity", at, OURSELVES, comment=severity, cause=cause)

    def latest(self, slot: Slot, deviation_pp: float, at: datetime) -> None:
        """Where an open alert stands now; no step of its life, so no line in the audit."""
        known = self.open_in(slot)
        if known is not None and at > known.newest_at:
            self._update(replace(known, latest_pp=deviation_pp, latest_at=at))

    def person(self, alert: int, action: Action, by: str, comment: str, at: datetime) -> Alert:
        """What a person does to an alert. Raises Refused, with what to do instead; NoSuchAlert."""
        known = self.get(alert)
        if action is Action.ACKNOWLEDGE:
            seen = replace(known, acknowledged_by=by, acknowledged_at=at)
            return self._move(seen, action, "acknowledged", at, by, comment=comment)
        return self._move(known, action, "closed", at, by, comment=comment)

    def comment(self, alert: int, by: str, text: str, at: datetime) -> Alert:
        known = self.get(alert)
        self._audit(known, known.state, "comment", at, by, comment=text)
        return known

    def remind(self, channel: str, at: datetime) -> None:
        self.db.execute(
            "DELETE FROM alert_delivery WHERE channel = ? AND state = 'waiting'"
            " AND notice ->> 'what' = 'reminder'",
            (channel,),
        )
        for alert in _alerts(self.db.execute(f"{_SELECT} WHERE state != 'normal' ORDER BY id")):
            self._enqueue(Notice(id=f"reminder-{alert.id}", what="reminder", at=at, alert=alert), [channel])

    def get(self, alert: int) -> Alert:
        found = _alerts(self.db.execute(f"{_SELECT} WHERE id = ?", (alert,)))
        if not found:
            raise NoSuchAlert(f"there is no alert {alert}", hint="See the list of alerts.")
        return found[0]

    def open_in(self, slot: Slot) -> Alert | None:
        found = _alerts(
            self.db.execute(
                f"{_SELECT} WHERE site = ? AND rule = ? AND subject = ? AND state != 'normal'",
                (slot.site, slot.rule, slot.subject),
            )
        )
        return found[0] if found else None

    def _move(
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
        state = after(alert.state, action)
        moved = replace(alert, state=state, closed_at=at if state == State.NORMAL else None)
        return self._keep(moved, alert.state, what, at, who, comment=comment, cause=cause)

    def _keep(
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
        self._update(alert)
        line = self._audit(alert, old, what, at, who, comment=comment, cause=cause)
        notice = Notice(id=str(line), what=what, at=at, alert=alert)
        self._enqueue(notice, self.addressees(notice))
        self.notices.append(notice)
        return alert

    def _insert(self, alert: Alert) -> int:
        row = self.db.execute(
            "INSERT INTO alert_entry (site, rule, subject, state, raised_us, alert)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (alert.site, alert.rule, alert.subject, alert.state, to_us(alert.raised_at), _dump(alert)),
        ).fetchone()
        return int(row[0])

    def _update(self, alert: Alert) -> None:
        self.db.execute(
            "UPDATE alert_entry SET state = ?, alert = ? WHERE id = ?", (alert.state, _dump(alert), alert.id)
        )

    def _audit(
        self,
        alert: Alert,
        old: State,
        what: str,
        at: datetime,
        who: str,
        *,
        comment: str = "",
        cause: str | None = None,
    ) -> int:
        row = self.db.execute(
            "INSERT INTO alert_audit (entry, at_us, who, what, old, new, comment, cause)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (alert.id, to_us(at), who, what, old, alert.state, comment, cause),
        ).fetchone()
        return int(row[0])

    def _enqueue(self, notice: Notice, channels: Sequence[str]) -> None:
        self.db.executemany(
            "INSERT INTO alert_delivery (channel, notice, state, attempts, why) VALUES (?, ?, 'waiting', 0, '')",
            [(channel, msgspec.json.encode(notice).decode()) for channel in channels],
        )

    def _judged(self, cause: str) -> bool:
        return self.db.execute("SELECT 1 FROM alert_audit WHERE cause = ?", (cause,)).fetchone() is not None


class AlertBook:
    """Alerts in control.db; `channels`, or those that `tell_by` chooses, get each change in the same transaction.

    Usable from any thread.
    """

    def __init__(self, db: Database, *, channels: Sequence[str] = (), live: LiveHub | None = None) -> None:
        self._db = db
        self._addressees: Addressees = lambda _: channels
        self._live = live
        self._listeners: list[Callable[[], None]] = []

    def tell_by(self, addressees: Addressees) -> None:
        """From now on, ask `addressees` whom to tell."""
        self._addressees = addressees

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit that changed an alert, in whatever thread made it."""
        self._listeners.append(listener)

    @contextmanager
    def write(self) -> Iterator[BookWriter]:
        """One transaction; its changes are told once it is committed. Raises Unreachable."""
        with self._db.write() as db:
            writer = BookWriter(db=db, addressees=self._addressees)
            yield writer
        if self._live is not None:
            for notice in writer.notices:
                self._live.publish(
                    "alert", notice.alert.site, {"what": notice.what, **notice.alert.as_json()}
                )
        if writer.notices:
            self._tell()

    def open(self, site: str | None = None) -> list[Alert]:
        """Those not yet at rest, the newest first; of one site, or all."""
        return self._read("WHERE state != 'normal' AND (?1 IS NULL OR site = ?1) ORDER BY id DESC", site)

    def recent(self, site: str | None = None, limit: int = 50) -> list[Alert]:
        """The newest alerts, open or not."""
        return self._read("WHERE ?1 IS NULL OR site = ?1 ORDER BY id DESC LIMIT ?2", site, limit)

    def get(self, alert: int) -> Alert:
        """Raises NoSuchAlert."""
        found = self._read("WHERE id = ?", alert)
        if not found:
            raise NoSuchAlert(f"there is no alert {alert}", hint="See the list of alerts.")
        return found[0]

    def history(self, alert: int) -> list[AuditLine]:
        """Every step of an alert and every comment, the first one first."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT at_us, who, what, old, new, comment FROM alert_audit WHERE entry = ? ORDER BY id",
                (alert,),
            ).fetchall()
        return [
            AuditLine(at=from_us(at_us), who=who, what=what, old=State(old), new=State(new), comment=comment)
            for at_us, who, what, old, new, comment in rows
        ]

    def acknowledge(self, alert: int, by: str, comment: str, at: datetime) -> Alert:
        """A person has seen it. Raises Refused where there is nothing to acknowledge or no name; NoSuchAlert."""
        by, comment = _checked(by, comment)
        with self.write() as writer:
            return writer.person(alert, Action.ACKNOWLEDGE, by, comment, at)

    def close(self, alert: int, by: str, comment: str, at: datetime) -> Alert:
        """Put an alert to rest whose condition is gone. Raises Refused while it is there; NoSuchAlert."""
        by, comment = _checked(by, comment)
        with self.write() as writer:
            return writer.person(alert, Action.CLOSE, by, comment, at)

    def comment(self, alert: int, by: str, text: str, at: datetime) -> Alert:
        """Add a remark at any time. Raises Refused where it is empty or has no name; NoSuchAlert."""
        by, text = _checked(by, text)
        if not text:
            raise Refused("the comment is empty", hint="Say what was found or done.")
        with self.write() as writer:
            return writer.comment(alert, by, text, at)

    def remind(self, channel: str, at: datetime) -> None:
        """Tell one channel of every open alert anew: its broker may have lost what it kept."""
        with self.write() as writer:
            writer.remind(channel, at)
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _read(self, tail: str, *values: str | int | None) -> list[Alert]:
        with self._db.read() as db:
            return _alerts(db.execute(f"{_SELECT} {tail}", values))


def _checked(by: str, comment: str) -> tuple[str, str]:
    by, comment = by.strip(), comment.strip()
    if not by:
        raise Refused("no name was given", hint="Say who you are: the step is kept with your name.")
    for what, text, longest in (("name", by, _LONGEST_NAME), ("comment", comment, _LONGEST_COMMENT)):
        if len(text) > longest:
            raise Refused(f"the {what} has {len(text)} characters", hint=f"At most {longest}.")
    return by, comment


def _fresh(slot: Slot, severity: Severity, at: datetime) -> Alert:
    return Alert(id=0, slot=slot, severity=severity, state=State.NORMAL, raised_at=at, evidence=())


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


def _dump(alert: Alert) -> str:
    return msgspec.json.encode(alert).decode()


def _alerts(rows: sqlite3.Cursor) -> list[Alert]:
    return [replace(_decode(text), id=number) for number, text in rows.fetchall()]


_decode: Final = msgspec.json.Decoder(Alert).decode
