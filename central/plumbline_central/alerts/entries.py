"""The rows of the alert book: the SQL of entries, audit, latches, silences and deliveries, and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline_central.alerts.alert import Alert, AuditLine, Notice, Rule, Slot, What
from plumbline_central.alerts.latch import Latch
from plumbline_central.alerts.rates import Raise
from plumbline_central.alerts.silence import Kind, Silence
from plumbline_central.alerts.states import Shown, State
from plumbline_central.deviation import Severity

_SELECT: Final = "SELECT id, alert FROM alert_entry"
_OPEN_IDS: Final = "SELECT id FROM alert_entry INDEXED BY alert_entry_open WHERE state != 'normal'"
_SILENCE: Final = (
    "SELECT id, kind, site, rule, subject, start_us, until_us, by, why, at_us, ended_us, ended_by, ended_why"
    " FROM alert_silence"
)
_decode: Final = msgspec.json.Decoder(Alert).decode


class NotInTheBook(Refused):
    """The book has nothing of that number."""


class NoSuchAlert(NotInTheBook):
    """The book has no alert of that number."""


class NoSuchSilence(NotInTheBook):
    """The book has no shelf, window or slot out of service of that number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts to list, the newest first; None: any. `after` is the id of the last one seen."""

    site: str | None = None
    rule: Rule | None = None
    severity: Severity | None = None
    shown: Shown | Literal["open", "all"] = "all"
    assigned_to: str | None = None
    since: datetime | None = None
    """Raised then or later."""
    until: datetime | None = None
    """Raised before."""
    after: int | None = None
    limit: int = 100


def alerts(db: sqlite3.Connection, tail: str, *values: str | int | None) -> list[Alert]:
    return _read(db.execute(f"{_SELECT} {tail}", values))


def alert(db: sqlite3.Connection, number: int) -> Alert:
    """Raises NoSuchAlert."""
    found = alerts(db, "WHERE id = ?", number)
    if not found:
        raise NoSuchAlert(f"there is no alert {number}", hint="See the list of alerts.")
    return found[0]


def open_in(db: sqlite3.Connection, slot: Slot) -> Alert | None:
    found = alerts(
        db,
        "WHERE site = ? AND rule = ? AND subject = ? AND state != 'normal'",
        *(slot.site, slot.rule, slot.subject),
    )
    return found[0] if found else None


def open_at(db: sqlite3.Connection, site: str | None) -> list[Alert]:
    """Those not at rest, the first one first; of one site, or all. Costs nothing for those at rest, however many."""
    where = "" if site is None else " AND site = ?"
    rows = db.execute(
        f"{_SELECT} INDEXED BY alert_entry_open WHERE state != 'normal'{where} ORDER BY id",
        () if site is None else (site,),
    )
    return _read(rows)


def find(db: sqlite3.Connection, wanted: Wanted) -> list[Alert]:
    parts: list[tuple[str, Any]] = [
        ("site = ?", wanted.site),
        ("rule = ?", wanted.rule),
        ("alert ->> 'severity' = ?", wanted.severity),
        ("alert ->> 'assigned_to' = ?", wanted.assigned_to),
        ("raised_us >= ?", to_us(wanted.since) if wanted.since else None),
        ("raised_us < ?", to_us(wanted.until) if wanted.until else None),
        ("id < ?", wanted.after),
        ("shown = ?", wanted.shown if isinstance(wanted.shown, Shown) else None),
    ]
    given = [(text, value) for text, value in parts if value is not None]
    texts = [text for text, _ in given]
    if wanted.shown not in ("all", Shown.NORMAL):
        texts.append(f"id IN ({_OPEN_IDS})")
    where = " AND ".join(texts) or "1"
    values = [value for _, value in given]
    return _read(db.execute(f"{_SELECT} WHERE {where} ORDER BY id DESC LIMIT ?", (*values, wanted.limit)))


def insert(db: sqlite3.Connection, fresh: Alert) -> Alert:
    """The alert with its number."""
    row = db.execute(
        "INSERT INTO alert_entry (site, rule, subject, state, shown, raised_us, alert)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            *(fresh.site, fresh.rule, fresh.subject, fresh.state, fresh.shown, to_us(fresh.raised_at)),
            _dump(fresh),
        ),
    ).fetchone()
    return replace(fresh, id=int(row[0]))


def update(db: sqlite3.Connection, changed: Alert) -> None:
    db.execute(
        "UPDATE alert_entry SET state = ?, shown = ?, raised_us = ?, alert = ? WHERE id = ?",
        (changed.state, changed.shown, to_us(changed.raised_at), _dump(changed), changed.id),
    )


def audit(
    db: sqlite3.Connection, entry: int, line: AuditLine, *, cause: str | None = None, told: What | None = None
) -> int:
    """The line's number."""
    row = db.execute(
        "INSERT INTO alert_audit (entry, at_us, who, what, old, new, comment, cause, told)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (*(entry, to_us(line.at), line.who, line.what, line.old, line.new, line.comment, cause, told or ""),),
    ).fetchone()
    return int(row[0])


def history(db: sqlite3.Connection, entry: int) -> list[AuditLine]:
    """The first line first."""
    rows = db.execute(
        "SELECT at_us, who, what, old, new, comment FROM alert_audit WHERE entry = ? ORDER BY id", (entry,)
    ).fetchall()
    return [
        AuditLine(at=from_us(at_us), who=who, what=what, old=State(old), new=State(new), comment=comment)
        for at_us, who, what, old, new, comment in rows
    ]


def is_judged(db: sqlite3.Connection, cause: str) -> bool:
    return db.execute("SELECT 1 FROM alert_audit WHERE cause = ?", (cause,)).fetchone() is not None


def enqueue(db: sqlite3.Connection, notice: Notice, channels: Sequence[str]) -> None:
    text = msgspec.json.encode(notice).decode()
    db.executemany(
        "INSERT INTO alert_delivery (channel, notice, state, attempts, why) VALUES (?, ?, 'waiting', 0, '')",
        [(channel, text) for channel in channels],
    )


def latches(db: sqlite3.Connection, rules: Collection[Rule], site: str | None) -> dict[Slot, Latch]:
    query = (
        "SELECT site, rule, subject, is_on, since_us, off_us FROM alert_latch"
        " WHERE rule IN (SELECT value FROM json_each(?))"
    )
    values = [msgspec.json.encode(sorted(rules)).decode()]
    if site is not None:  # by the primary key, however many sites there are
        query, values = f"{query} AND site = ?", [*values, site]
    rows = db.execute(query, values).fetchall()
    return {
        Slot(site=where, rule=rule, subject=subject): Latch(
            on=bool(on), since=_at(since_us), off_at=_at(off_us)
        )
        for where, rule, subject, on, since_us, off_us in rows
    }


def keep_latch(db: sqlite3.Connection, slot: Slot, latch: Latch) -> None:
    db.execute(
        "INSERT OR REPLACE INTO alert_latch VALUES (?, ?, ?, ?, ?, ?)",
        (slot.site, slot.rule, slot.subject, latch.on, _us(latch.since), _us(latch.off_at)),
    )


def drop_latches(db: sqlite3.Connection, off_before: datetime) -> None:
    """Forget what has been off so long that it explains nothing any more."""
    db.execute(
        "DELETE FROM alert_latch WHERE NOT is_on AND since_us IS NULL AND coalesce(off_us, 0) < ?",
        (to_us(off_before),),
    )


def silences_now(db: sqlite3.Connection, now: datetime, site: str | None) -> list[Silence]:
    """Those in force."""
    now_us = to_us(now)
    return _silences(
        db.execute(
            f"{_SILENCE} WHERE ended_us IS NULL AND start_us <= ? AND (until_us IS NULL OR until_us > ?)"
            " AND (site = ? OR ?) ORDER BY id",
            (now_us, now_us, site, site is None),
        )
    )


def silences_of(db: sqlite3.Connection, kind: Kind, site: str | None) -> list[Silence]:
    """All that were ever ordered, the newest first."""
    return _silences(
        db.execute(
            f"{_SILENCE} WHERE kind = ? AND (site = ? OR ?) ORDER BY id DESC", (kind, site, site is None)
        )
    )


def silence(db: sqlite3.Connection, number: int) -> Silence:
    """Raises NoSuchSilence."""
    found = _silences(db.execute(f"{_SILENCE} WHERE id = ?", (number,)))
    if not found:
        raise NoSuchSilence(f"there is no silence {number}", hint="See the lists of windows and slots.")
    return found[0]


def add_silence(db: sqlite3.Connection, ordered: Silence) -> Silence:
    """The silence with its number."""
    row = db.execute(
        "INSERT INTO alert_silence (kind, site, rule, subject, start_us, until_us, by, why, at_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            *(ordered.kind, ordered.site, ordered.rule, ordered.subject, to_us(ordered.start)),
            *(_us(ordered.until), ordered.by, ordered.why, to_us(ordered.at)),
        ),
    ).fetchone()
    return replace(ordered, id=int(row[0]))


def end_silence(db: sqlite3.Connection, ended: Silence, by: str, why: str, at: datetime) -> Silence:
    db.execute(
        "UPDATE alert_silence SET ended_us = ?, ended_by = ?, ended_why = ? WHERE id = ?",
        (to_us(at), by, why, ended.id),
    )
    return replace(ended, ended_at=at, ended_by=by, ended_why=why)


def raises(db: sqlite3.Connection, site: str | None, start: datetime, end: datetime) -> list[Raise]:
    """After `start`, up to `end`, the first one first; one that was withheld counts as told when it was."""
    rows = db.execute(
        "SELECT l.at_us, e.site, e.rule, e.subject, l.what, l.told FROM alert_audit l"
        " JOIN alert_entry e ON e.id = l.entry"
        " WHERE l.at_us > ? AND l.at_us <= ? AND (l.what = 'raised' OR l.told = 'raised') AND (e.site = ? OR ?)"
        " ORDER BY l.at_us, l.id",
        (to_us(start), to_us(end), site, site is None),
    ).fetchall()
    return [
        Raise(
            at=from_us(at_us),
            slot=Slot(site=where, rule=rule, subject=subject),
            found=what == "raised",
            told=told in ("raised", "?"),
        )
        for at_us, where, rule, subject, what, told in rows
    ]


def _read(rows: sqlite3.Cursor) -> list[Alert]:
    return [replace(_decode(text), id=number) for number, text in rows.fetchall()]


def _silences(rows: sqlite3.Cursor) -> list[Silence]:
    return [_silence(*row) for row in rows.fetchall()]


def _silence(*row: Any) -> Silence:
    number, kind, site, rule, subject, start_us, until_us, by, why, at_us, ended_us, ended_by, ended_why = row
    return Silence(
        id=number,
        kind=kind,
        site=site,
        rule=rule,
        subject=subject,
        start=from_us(start_us),
        until=_at(until_us),
        by=by,
        why=why,
        at=from_us(at_us),
        ended_at=_at(ended_us),
        ended_by=ended_by,
        ended_why=ended_why,
    )


def _dump(kept: Alert) -> str:
    return msgspec.json.encode(kept).decode()


def _at(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)


def _us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)
