"""Keeps what each site is measured by, and who changed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from sqlite3 import Connection
from typing import Final, Literal

import msgspec

from plumbline.clock import from_us, to_us
from plumbline.errors import Refused
from plumbline_central.indicators.indicator import Indicator, Template, checked
from plumbline_central.indicators.templates import PROGRESS, implied, templates
from plumbline_central.schema import Database

What = Literal["created", "changed", "retired"]
_decode: Final = msgspec.json.Decoder(Indicator).decode
MOST_PER_SITE: Final = 100
_decode_again: Final = lru_cache(maxsize=100_000)(_decode)
"""A timer asks for all of them, and they hardly ever change."""


class NoSuch(Refused):
    """There is nothing of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorStep:
    """One change of an indicator; `old` and `new` are what it said before and after."""

    at: datetime
    who: str
    what: What
    indicator: str
    old: Indicator | None
    new: Indicator | None


class IndicatorStore:
    """Indicators in control.db. Usable from any thread.

    Every site has `progress`, as the library describes it, until somebody writes another one or retires it.
    """

    def __init__(self, db: Database, library: Mapping[str, Template] | None = None) -> None:
        self._db = db
        self._library = library or templates()

    def put(self, indicator: Indicator, by: str, at: datetime) -> Indicator:
        """Add it, or change the one of its id; the same again changes nothing.

        Raises FaultyFile for what makes no sense, and Refused where kind, unit or summing would change under
        values or plans that are there.
        """
        checked(indicator, self._library)
        body = msgspec.json.encode(indicator).decode()
        with self._db.write() as db:
            row = db.execute(
                "SELECT body, retired FROM indicator WHERE site = ? AND id = ?",
                (indicator.site, indicator.id),
            ).fetchone()
            if row == (body, 0):
                return indicator
            before = _decode(row[0]) if row else _implied(indicator.site, indicator.id)
            if before is not None and _meaning(before) != _meaning(indicator) and _has_history(db, before):
                raise Refused(
                    f"{indicator.id} has values or plans in {before.unit}: kind, unit and summing stay",
                    hint="Retire it and add one with another id.",
                )
            if row is None and _count(db, indicator.site) >= MOST_PER_SITE:
                raise Refused(
                    f"{indicator.site} has {MOST_PER_SITE} indicators", hint="Give one of them another use."
                )
            db.execute(
                "INSERT INTO indicator VALUES (?, ?, 0, ?)"
                " ON CONFLICT (site, id) DO UPDATE SET body = excluded.body, retired = 0",
                (indicator.site, indicator.id, body),
            )
            was_there = row is not None and not row[1]
            _note(
                db,
                indicator,
                by,
                at,
                "changed" if was_there else "created",
                row[0] if was_there else "",
                body,
            )
        return indicator

    def retire(self, site: str, id_: str, by: str, at: datetime) -> None:
        """It is neither judged nor scored from now on; its values and plans are kept. Raises NoSuch."""
        indicator = self.get(site, id_)
        with self._db.write() as db:
            body = msgspec.json.encode(indicator).decode()
            db.execute(
                "INSERT INTO indicator VALUES (?, ?, 1, ?) ON CONFLICT (site, id) DO UPDATE SET retired = 1",
                (site, id_, body),
            )
            _note(db, indicator, by, at, "retired", body, "")

    def get(self, site: str, id_: str) -> Indicator:
        """Raises NoSuch, with those that there are."""
        found = self.of(site)
        for indicator in found:
            if indicator.id == id_:
                return indicator
        raise NoSuch(
            f"{site} has no indicator {id_!r}",
            hint=f"There are: {', '.join(one.id for one in found) or 'none'}.",
        )

    def of(self, site: str) -> list[Indicator]:
        """Those of one site, by id, with `progress` before all."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT id, retired, body FROM indicator WHERE site = ? ORDER BY id != ?, id",
                (site, PROGRESS),
            ).fetchall()
        there = [_decode(body) for _, retired, body in rows if not retired]
        return there if any(id_ == PROGRESS for id_, _, _ in rows) else [implied(site), *there]

    def all(self) -> tuple[list[Indicator], frozenset[str]]:
        """Those that somebody wrote and did not retire, by site; and the sites whose `progress` is not the implied one."""
        with self._db.read() as db:
            rows = db.execute("SELECT site, id, retired, body FROM indicator ORDER BY site, id").fetchall()
        return (
            [_decode_again(body) for _, _, retired, body in rows if not retired],
            frozenset(site for site, id_, _, _ in rows if id_ == PROGRESS),
        )

    def history(self, site: str, id_: str | None = None) -> list[IndicatorStep]:
        """Every change, the first one first."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT at_us, who, what, indicator, old, new FROM indicator_audit"
                " WHERE site = ?1 AND (?2 IS NULL OR indicator = ?2) ORDER BY id",
                (site, id_),
            ).fetchall()
        return [
            IndicatorStep(
                at=from_us(at_us),
                who=who,
                what=what,
                indicator=indicator,
                old=_decode(old) if old else None,
                new=_decode(new) if new else None,
            )
            for at_us, who, what, indicator, old, new in rows
        ]


def effective(indicator: Indicator) -> Indicator:
    """With the library's threshold where it has none of its own."""
    template = templates().get(indicator.template)
    if indicator.threshold is not None or template is None:
        return indicator
    return replace(indicator, threshold=template.threshold)


def _implied(site: str, id_: str) -> Indicator | None:
    return implied(site) if id_ == PROGRESS else None


def _meaning(indicator: Indicator) -> tuple[str, str, bool]:
    return indicator.kind, indicator.unit, indicator.cumulative


def _has_history(db: Connection, indicator: Indicator) -> bool:
    key = (indicator.site, indicator.id)
    return any(
        db.execute(f"SELECT 1 FROM {table} WHERE site = ? AND indicator = ? LIMIT 1", key).fetchone()  # noqa: S608 - our own names
        for table in ("indicator_value", "plan_baseline")
    )


def _count(db: Connection, site: str) -> int:
    return int(db.execute("SELECT count(*) FROM indicator WHERE site = ?", (site,)).fetchone()[0])


def _note(
    db: Connection, indicator: Indicator, by: str, at: datetime, what: What, old: str, new: str
) -> None:
    db.execute(
        "INSERT INTO indicator_audit (site, indicator, at_us, who, what, old, new) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (indicator.site, indicator.id, to_us(at), by, what, old, new),
    )
