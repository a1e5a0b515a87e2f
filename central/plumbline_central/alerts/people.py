"""What people do to alerts, checked and audited; whatever is refused says what to do instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from plumbline.errors import Refused
from plumbline.topics import is_name
from plumbline_central.alerts import entries
from plumbline_central.alerts.alert import Alert, AuditLine, Slot
from plumbline_central.alerts.silence import Kind, Silence
from plumbline_central.alerts.states import Action
from plumbline_central.alerts.writer import BookWriter

_LONGEST_NAME: Final = 80
_LONGEST_COMMENT: Final = 2000
_LONGEST_WINDOW: Final = timedelta(days=366)


def acknowledge(writer: BookWriter, alert: int, by: str, comment: str, at: datetime) -> Alert:
    by, comment = _name(by), _words(comment)
    seen = replace(entries.alert(writer.db, alert), acknowledged_by=by, acknowledged_at=at)
    return writer.move(seen, Action.ACKNOWLEDGE, "acknowledged", at, by, comment=comment)


def close(writer: BookWriter, alert: int, by: str, comment: str, at: datetime) -> Alert:
    by, comment = _name(by), _words(comment)
    return writer.move(entries.alert(writer.db, alert), Action.CLOSE, "closed", at, by, comment=comment)


def comment(writer: BookWriter, alert: int, by: str, text: str, at: datetime) -> Alert:
    by, text = _name(by), _words(text)
    if not text:
        raise Refused("the comment is empty", hint="Say what was found or done.")
    known = entries.alert(writer.db, alert)
    line = AuditLine(at=at, who=by, what="comment", old=known.state, new=known.state, comment=text)
    entries.audit(writer.db, alert, line)
    return known


def assign(writer: BookWriter, alert: int, to: str, by: str, comment: str, at: datetime) -> Alert:
    to, by, comment = _name(to), _name(by), _words(comment)
    known = entries.alert(writer.db, alert)
    if not known.open:
        raise Refused(f"alert {alert} is closed", hint="There is nothing left to do; add a comment instead.")
    if known.assigned_to == to:
        raise Refused(f"alert {alert} is {to}'s already", hint="Add a comment instead.")
    theirs = replace(known, assigned_to=to, assigned_at=at)
    return writer.keep(
        theirs, known.state, "assigned", at, by, comment=f"→ {to}: {comment}" if comment else f"→ {to}"
    )


def rectify(writer: BookWriter, alert: int, by: str, comment: str, at: datetime) -> Alert:
    """Someone says that the cause is put right; who says so has seen the alert, too."""
    by, comment = _name(by), _words(comment)
    known = entries.alert(writer.db, alert)
    if known.rectified_at is not None and known.present:
        raise Refused(
            f"{known.rectified_by} said already that the cause is put right",
            hint="It closes itself when the condition is gone, and comes back if it is not; add a comment instead.",
        )
    right = replace(known, rectified_by=by, rectified_at=at)
    if known.acknowledged_at is None:
        right = replace(right, acknowledged_by=by, acknowledged_at=at)
    return writer.move(right, Action.RECTIFY, "rectified", at, by, comment=comment)


def shelve(writer: BookWriter, alert: int, until: datetime, by: str, why: str, at: datetime) -> Alert:
    """Nobody is to hear of this slot until then, also where the condition goes and comes back meanwhile."""
    by, why = _name(by), _reason(why)
    known = entries.alert(writer.db, alert)
    if not known.present:
        raise Refused(
            f"the condition of alert {alert} is gone",
            hint="Acknowledge or close it; there is nothing to shelve."
            if known.open
            else "It is closed already.",
        )
    if not at < until <= at + writer.handling.longest_shelf:
        raise Refused(
            f"it cannot be shelved until {until.isoformat()}",
            hint=f"At most {writer.handling.longest_shelf.days} days from now; for longer, take it out of service.",
        )
    _end_shelf(writer, known.slot, by, why, at)
    shelf = Silence(
        kind="shelved",
        site=known.site,
        rule=known.rule,
        subject=known.subject,
        start=at,
        until=until,
        by=by,
        why=why,
        at=at,
    )
    entries.add_silence(writer.db, shelf)
    return writer.cover(known, at, writer.around(at, known.site), by, why)


def unshelve(writer: BookWriter, alert: int, by: str, comment: str, at: datetime) -> Alert:
    by, comment = _name(by), _words(comment)
    known = entries.alert(writer.db, alert)
    if not known.open or known.shelved_until is None:
        raise Refused(f"alert {alert} is not shelved", hint="There is nothing to do.")
    _end_shelf(writer, known.slot, by, comment, at)
    return writer.cover(known, at, writer.around(at, known.site), by, comment)


def take_out(writer: BookWriter, slot: Slot, by: str, why: str, at: datetime) -> Silence:
    """Nobody is to hear of this slot until it is put back, whether it has an alert now or not."""
    by, why = _name(by), _reason(why)
    if not is_name(slot.site) or not is_name(slot.subject):
        raise Refused(
            f"{slot.site}/{slot.key} cannot be anything of ours", hint="Copy site and subject from an alert."
        )
    for known in entries.silences_now(writer.db, at, slot.site):
        if known.kind == "out_of_service" and (known.rule, known.subject) == (slot.rule, slot.subject):
            raise Refused(f"{known.by} has taken it out of service already", hint=f"See {known.key}.")
    ordered = Silence(
        kind="out_of_service",
        site=slot.site,
        rule=slot.rule,
        subject=slot.subject,
        start=at,
        by=by,
        why=why,
        at=at,
    )
    ordered = entries.add_silence(writer.db, ordered)
    _cover_all(writer, ordered, by, why, at)
    return ordered


def plan_maintenance(
    writer: BookWriter,
    site: str,
    subject: str | None,
    start: datetime,
    until: datetime,
    by: str,
    why: str,
    at: datetime,
) -> Silence:
    """Nobody is to hear of the site, or of one thing at it and what is known through it, from `start` to `until`."""
    by, why = _name(by), _reason(why)
    if subject is not None and not is_name(subject):
        raise Refused(f"{subject!r} cannot be anything of ours", hint="Name a camera, a meter or a gateway.")
    if until <= max(start, at) or until - start > _LONGEST_WINDOW:
        raise Refused(
            f"a window from {start.isoformat()} to {until.isoformat()}",
            hint=f"It has to end later than it begins, in the future, and within {_LONGEST_WINDOW.days} days.",
        )
    ordered = Silence(
        kind="maintenance", site=site, subject=subject, start=start, until=until, by=by, why=why, at=at
    )
    ordered = entries.add_silence(writer.db, ordered)
    _cover_all(writer, ordered, by, why, at)
    return ordered


def end_silence(writer: BookWriter, kind: Kind, silence: int, by: str, comment: str, at: datetime) -> Silence:
    """Put a slot back into service, or end a window early; what is still there is told now."""
    by, comment = _name(by), _words(comment)
    known = entries.silence(writer.db, silence)
    if known.kind != kind:
        raise entries.NoSuchSilence(f"{silence} is {known.key}", hint="See the list of this kind.")
    if known.ended_at is not None or (known.until is not None and known.until <= at):
        raise Refused(f"{known.key} has ended already", hint="There is nothing to do.")
    ended = entries.end_silence(writer.db, known, by, comment, at)
    _cover_all(writer, ended, by, comment, at)
    return ended


def _end_shelf(writer: BookWriter, slot: Slot, by: str, why: str, at: datetime) -> None:
    for known in entries.silences_now(writer.db, at, slot.site):
        if known.kind == "shelved" and (known.rule, known.subject) == (slot.rule, slot.subject):
            entries.end_silence(writer.db, known, by, why, at)


def _cover_all(writer: BookWriter, silence: Silence, by: str, why: str, at: datetime) -> None:
    """Let a silence begin or end for the alerts that it concerns."""
    around = writer.around(at, silence.site)
    for alert in entries.open_at(writer.db, silence.site):
        if silence.covers(alert):
            writer.cover(alert, at, around, by, why)


def _name(by: str) -> str:
    by = by.strip()
    if not by:
        raise Refused("no name was given", hint="Say who you are: the step is kept with your name.")
    if not by.isprintable():
        raise Refused("the name is not one line of text", hint="Leave out line ends and control characters.")
    if len(by) > _LONGEST_NAME:
        raise Refused(f"the name has {len(by)} characters", hint=f"At most {_LONGEST_NAME}.")
    return by


def _words(comment: str) -> str:
    comment = comment.strip()
    if len(comment) > _LONGEST_COMMENT:
        raise Refused(f"the comment has {len(comment)} characters", hint=f"At most {_LONGEST_COMMENT}.")
    return comment


def _reason(why: str) -> str:
    why = _words(why)
    if not why:
        raise Refused("no reason was given", hint="Say why: colleagues will ask.")
    return why
