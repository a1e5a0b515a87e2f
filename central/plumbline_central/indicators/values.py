"""Values that people and programs hand in: kept for ever, corrected by a newer one of the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import Final

from plumbline.clock import from_us, to_us
from plumbline.errors import Fault, FaultyFile
from plumbline.strictfile import near
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.store import IndicatorStore
from plumbline_central.plan import is_value
from plumbline_central.schema import Database

MOST_AT_ONCE: Final = 10_000
LONGEST_NOTE: Final = 500
_AHEAD: Final = timedelta(minutes=10)
WITHDRAWN: Final = "withdrawn"
_FOREVER_US: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """One value of an indicator at a time; None takes back what was said of that time."""

    indicator: str
    at: datetime
    value: float | None
    note: str = ""
    where: str = ""
    """What to call it where it is wrong, such as `row 7`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A value as it is kept. `current`: no correction of the same time came after it."""

    indicator: str
    at: datetime
    seq: int
    value: float | None
    flag: str
    by: str
    note: str
    received_at: datetime
    current: bool


class ValueStore:
    """Values in control.db. Usable from any thread."""

    def __init__(self, db: Database, indicators: IndicatorStore) -> None:
        self._db = db
        self._indicators = indicators

    def check(self, site: str, pushed: Sequence[Pushed], now: datetime, file: str = "values") -> list[Fault]:
        """Everything that is wrong with them; nothing is written."""
        known = {indicator.id: indicator for indicator in self._indicators.of(site)}
        faults = [
            Fault(file=file, key=one.where or one.indicator, value=value, expected=expected)
            for one in pushed
            for value, expected in _wrong(one, known, now)
        ]
        if len(pushed) > MOST_AT_ONCE:
            faults.append(
                Fault(file=file, key="values", value=len(pushed), expected=f"at most {MOST_AT_ONCE} at once")
            )
        return faults

    def push(self, site: str, pushed: Sequence[Pushed], by: str, now: datetime) -> int:
        """Keep all of them or none; how many are new. What is known already changes nothing.

        Raises FaultyFile with everything that is wrong.
        """
        if faults := self.check(site, pushed, now):
            raise FaultyFile(faults)
        with self._db.write() as db:
            return sum(
                append(db, site, one.indicator, one.at, one.value, by=by, note=one.note, now=now)
                for one in pushed
            )

    def kept(
        self,
        site: str,
        indicator: str,
        start: datetime | None,
        end: datetime | None,
        limit: int = 1_000,
        *,
        after: Sequence[int] | None = None,
    ) -> list[Kept]:
        """Every row with start <= at < end, corrected ones too, the newest time first; those after (microseconds, seq)."""
        after_us, after_seq = after or (_FOREVER_US, 0)
        with self._db.read() as db:
            rows = db.execute(
                "SELECT at_us, seq, value, flag, who, note, received_us,"
                " seq = (SELECT max(seq) FROM indicator_value n WHERE n.site = v.site AND n.indicator = v.indicator"
                "        AND n.at_us = v.at_us)"
                " FROM indicator_value v WHERE site = ? AND indicator = ? AND at_us >= ? AND at_us < ?"
                " AND (at_us, seq) < (?, ?) ORDER BY at_us DESC, seq DESC LIMIT ?",
                (
                    *(site, indicator, to_us(start) if start else 0, to_us(end) if end else _FOREVER_US),
                    *(after_us, after_seq, limit),
                ),
            ).fetchall()
        return [
            Kept(
                indicator=indicator,
                at=from_us(at_us),
                seq=seq,
                value=value,
                flag=flag,
                by=who,
                note=note,
                received_at=from_us(received_us),
                current=bool(current),
            )
            for at_us, seq, value, flag, who, note, received_us, current in rows
        ]


def append(
    db: Connection,
    site: str,
    indicator: str,
    at: datetime,
    value: float | None,
    *,
    flag: str = "",
    by: str,
    note: str = "",
    now: datetime,
) -> bool:
    """One row more, in the caller's transaction; False where the newest of that time says the same."""
    row = db.execute(
        "SELECT seq, value, flag, note FROM indicator_value WHERE site = ? AND indicator = ? AND at_us = ?"
        " ORDER BY seq DESC LIMIT 1",
        (site, indicator, to_us(at)),
    ).fetchone()
    flag = flag or (WITHDRAWN if value is None else "")
    if row is not None and row[1:] == (value, flag, note):
        return False
    db.execute(
        "INSERT INTO indicator_value VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (site, indicator, to_us(at), row[0] + 1 if row else 1, value, flag, by, note, to_us(now)),
    )
    return True


def _wrong(one: Pushed, known: dict[str, Indicator], now: datetime) -> Iterable[tuple[object, str]]:
    indicator = known.get(one.indicator)
    if indicator is None:
        yield one.indicator, f"an indicator of this site: {near(one.indicator, known)}"
        return
    if indicator.source.kind != "pushed":
        yield (
            one.indicator,
            f"an indicator whose values are handed in; this one is measured ({indicator.source.kind})",
        )
    if one.value is not None and not is_value(one.value, indicator.kind):
        yield (
            one.value,
            "a number from 0 to 100" if indicator.kind == "percent" else "a number from 0 to 1e15",
        )
    if one.at.year < 1970 or one.at > now + _AHEAD:
        yield one.at.isoformat(sep=" "), "a time from 1970 on that is not in the future"
    if len(one.note) > LONGEST_NOTE:
        yield one.note, f"a note of at most {LONGEST_NOTE} characters"
