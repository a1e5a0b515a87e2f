"""Keeps every version of a site's milestones; a mark of done is a version too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline_central.indicators.milestones import Milestone, in_order
from plumbline_central.indicators.store import NoSuch
from plumbline_central.schema import Database

_SELECT: Final = "SELECT site, version, imported_us, source, imported_by, milestones FROM milestone_plan"
_decode: Final = msgspec.json.Decoder(tuple[Milestone, ...]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """One version of all milestones of a site, by due date; versions count from 1."""

    site: str
    version: int
    imported_at: datetime
    source: str
    imported_by: str
    milestones: tuple[Milestone, ...]


class MilestoneStore:
    """Milestones in control.db. Usable from any thread."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, site: str, milestones: Sequence[Milestone], source: str, by: str, at: datetime) -> int:
        """Make these the current ones; their version. The same again stays the same version.

        A milestone that was marked as done stays done, unless the new one says another day. Raises Refused for one
        that was done in the future.
        """
        for one in milestones:
            _check_done(one.id, one.done, at)
        with self._db.write() as db:
            row = db.execute(f"{_SELECT} WHERE site = ? ORDER BY version DESC LIMIT 1", (site,)).fetchone()
            before = _read(row) if row else None
            done = {one.id: one.done for one in before.milestones} if before else {}
            merged = in_order([replace(one, done=one.done or done.get(one.id)) for one in milestones])
            if before is not None and before.milestones == merged:
                return before.version
            version = before.version + 1 if before else 1
            body = msgspec.json.encode(merged).decode()
            db.execute(
                "INSERT INTO milestone_plan VALUES (?, ?, ?, ?, ?, ?)",
                (site, version, to_us(at), source, by, body),
            )
        return version

    def mark(self, site: str, milestone: str, done: datetime | None, by: str, at: datetime) -> int:
        """Say when it was done, or that it is not; the new version. Raises NoSuch, and Refused for the future."""
        _check_done(milestone, done, at)
        with self._db.write() as db:
            row = db.execute(f"{_SELECT} WHERE site = ? ORDER BY version DESC LIMIT 1", (site,)).fetchone()
            before = _read(row) if row else None
            known = {one.id: one for one in before.milestones} if before else {}
            if before is None or milestone not in known:
                raise NoSuch(
                    f"{site} has no milestone {milestone!r}", hint=f"There are: {', '.join(known) or 'none'}."
                )
            if known[milestone].done == done:
                return before.version
            known[milestone] = replace(known[milestone], done=done)
            said = f"{milestone} {'done' if done else 'not done'}"
            body = msgspec.json.encode(tuple(known.values())).decode()
            db.execute(
                "INSERT INTO milestone_plan VALUES (?, ?, ?, ?, ?, ?)",
                (site, before.version + 1, to_us(at), said, by, body),
            )
        return before.version + 1

    def current(self, site: str) -> Milestones | None:
        with self._db.read() as db:
            row = db.execute(f"{_SELECT} WHERE site = ? ORDER BY version DESC LIMIT 1", (site,)).fetchone()
        return _read(row) if row else None

    def versions(self, site: str) -> list[Milestones]:
        """The first one first."""
        with self._db.read() as db:
            rows = db.execute(f"{_SELECT} WHERE site = ? ORDER BY version", (site,)).fetchall()
        return [_read(row) for row in rows]

    def all_current(self) -> Mapping[str, Milestones]:
        """The current ones of every site that has any."""
        with self._db.read() as db:
            rows = db.execute(
                f"{_SELECT} m WHERE version = (SELECT max(version) FROM milestone_plan n WHERE n.site = m.site)"  # noqa: S608 - our own names
            ).fetchall()
        return {row[0]: _read(row) for row in rows}


def _check_done(milestone: str, done: datetime | None, at: datetime) -> None:
    if done is not None and done > at:
        raise Refused(f"{milestone} cannot have been done in the future", hint="Name a day that has begun.")


def _read(row: tuple[str, int, int, str, str, str]) -> Milestones:
    site, version, imported_us, source, imported_by, milestones = row
    return Milestones(
        site=site,
        version=version,
        imported_at=from_us(imported_us),
        source=source,
        imported_by=imported_by,
        milestones=_decode(milestones),
    )
