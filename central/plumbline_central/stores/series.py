"""Frames and summaries of the ledger into a time-series store, each at the time where it belongs.

A record whose clock could not be trusted is placed by an anchor of its boot, and moved when a better one comes
(`placing.py`). Until there is one, readings of a clock that was never set wait: a graph from 1970 would be a lie.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from plumbline.clock import TRUSTED, from_us
from plumbline.errors import ConfigError, Refused
from plumbline.messages import Frame, Record, Summary
from plumbline.metrics import BY_CODE, Flaw
from plumbline_central import placing
from plumbline_central.live import LiveHub
from plumbline_central.placing import Boot, Fixes
from plumbline_central.project import LedgerRow, Readable, Tally
from plumbline_central.schema import Database, Migrations
from plumbline_central.stores import cursors, fixes, left_behind
from plumbline_central.stores.port import FramePoint, TelemetryStore

log = logging.getLogger(__name__)

MIGRATIONS: Final[Migrations] = (
    (
        "series_1",
        """
        -- ledger rows with readings whose clock could not be trusted; from_us, until_us: microseconds since boot;
        -- waiting: how many of them have no place in time yet
        CREATE TABLE doubtful_row (
            gateway TEXT NOT NULL, boot TEXT NOT NULL, ledger_id INTEGER NOT NULL, from_us INTEGER NOT NULL,
            until_us INTEGER NOT NULL, waiting INTEGER NOT NULL, PRIMARY KEY (gateway, boot, ledger_id)
        ) WITHOUT ROWID;
        """,
    ),
    *left_behind.MIGRATIONS,
)
_POINTS_AT_ONCE: Final = 10_000
_ROWS_PER_CURSOR: Final = 64
"""How many rows a restart may write a second time; it saves a commit per batch."""
_BOOTS_REMEMBERED: Final = 1_000


@dataclass(slots=True)
class _Stretch:
    """Rows with no anchor between them, on their way into the store."""

    rows: list[LedgerRow] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """It is a part of one row, of which more comes."""
        return any(row.partial for row in self.rows)

    points: list[FramePoint] = field(default_factory=list)
    doubtful: dict[tuple[Boot, int], list[int]] = field(default_factory=dict)
    """(boot, ledger id) -> first and last time since boot, and how many have no place."""


@dataclass(slots=True)
class _Move:
    """Readings of one boot on their way to where new fixes place them."""

    boot: Boot
    lies_by: dict[int, Fixes]
    """Ledger id -> the fixes by which its readings lie where they lie."""
    left: dict[int, Fixes] = field(default_factory=dict)
    """Those of `lies_by` whose ledger row could not be read."""

    @property
    def moved(self) -> list[int]:
        return [id_ for id_ in self.lies_by if id_ not in self.left]


class SeriesProjection:
    """Writes first, then moves its cursor: a crash in between writes the same points again, which changes nothing.

    Where readings move, three commits keep that true: all rows before the anchor's, then the moves, then the anchor
    with the cursor. A crash between them moves the same readings from the same places to the same places again.
    """

    name: Final = "series"

    def __init__(
        self, store: TelemetryStore, db: Database, ledger: Readable, live: LiveHub | None = None
    ) -> None:
        self._store = store
        self._db = db
        self._ledger = ledger
        self._live = live
        self._cursor = cursors.Cursor(db, self.name, _ROWS_PER_CURSOR)
        self._known: dict[Boot, Fixes] = {}
        self._told_of: set[Boot] = set()

    @classmethod
    def open(cls, path: Path, store: TelemetryStore, ledger: Readable, live: LiveHub | None = None) -> Self:
        """`path` is the file that keeps the cursor; `ledger` is asked again for what must move."""
        return cls(
            store,
            Database.open(path, (*cursors.MIGRATIONS, *fixes.MIGRATIONS, *MIGRATIONS)),
            ledger,
            live,
        )

    def close(self) -> None:
        self._db.close()

    def cursor(self) -> int:
        self._known.clear()
        return self._cursor.load()

    def tally(self) -> Tally:
        return self._cursor.tally()

    def waiting(self) -> int:
        """How many records are in no series yet, because nobody knows when they were."""
        with self._db.read() as db:
            (records,) = db.execute("SELECT coalesce(sum(waiting), 0) FROM doubtful_row").fetchone()
        return int(records)

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        told: list[FramePoint] = []
        stretch = _Stretch()
        for row in rows:
            learnt = self._learnt(row)
            if learnt:
                self._finish(stretch, told)
                stretch = _Stretch()
            moves = [self._move(boot, self._fixes(boot), after) for boot, after in learnt.items()]
            self._take(stretch, row, learnt)
            if learnt:
                self._finish(stretch, told, learnt, moves)
                stretch = _Stretch()
        self._finish(stretch, told)
        if self._live is not None:
            for point in _newest(told):
                self._live.publish("frame", point.site, _spoken(point))

    def reset(self) -> None:
        self._store.reset()
        self._known.clear()
        with self._db.write() as db:
            db.execute("DELETE FROM doubtful_row")
            left_behind.forget(db)
            fixes.forget(db, self.name)
            cursors.move(db, self.name, Tally())
        self._cursor.saved(Tally())

    def _take(self, stretch: _Stretch, row: LedgerRow, learnt: dict[Boot, Fixes]) -> None:
        """Add a row's readings to the stretch, each at its place."""
        stretch.rows.append(row)
        for record in row.records:
            body = record.body
            if isinstance(body, Frame) and record.clock in TRUSTED:  # nearly all: without a call in between
                stretch.points.append(
                    FramePoint(
                        site=row.site,
                        gateway=row.gateway,
                        device=body.device,
                        at_us=record.at_us,
                        metrics=body.metrics,
                        values=body.values,
                        flaws=body.flaws,
                    )
                )
                continue
            if not isinstance(body, (Frame, Summary)):
                continue
            if record.clock in TRUSTED:
                stretch.points.append(_point(row, record, body, record.at_us))
                continue
            boot = (row.gateway, record.boot)
            at_us = placing.place(record, learnt.get(boot) or self._fixes(boot))
            if at_us is not None:
                stretch.points.append(_point(row, record, body, at_us))
            noted = stretch.doubtful.setdefault((boot, row.id), [record.mono_us, record.mono_us, 0])
            noted[0] = min(noted[0], record.mono_us)
            noted[1] = max(noted[1], record.mono_us)
            noted[2] += at_us is None

    def _finish(
        self,
        stretch: _Stretch,
        told: list[FramePoint],
        learnt: dict[Boot, Fixes] | None = None,
        moves: Iterable[_Move] = (),
    ) -> None:
        """Write the stretch; commit what must be known before the next one, or once in a while the cursor alone."""
        for points in _portions(stretch.points):
            self._store.write(points)
        told += stretch.points
        tally = self.tally().plus(stretch.rows)
        if not (stretch.doubtful or learnt or self._cursor.is_due(tally)):
            self._cursor.reach(tally)
            return
        with self._db.write() as db:
            db.executemany(
                "INSERT INTO doubtful_row VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " from_us = min(from_us, excluded.from_us), until_us = max(until_us, excluded.until_us),"
                " waiting = excluded.waiting + ? * waiting",
                [
                    (*boot, ledger_id, *noted, int(stretch.partial))
                    for (boot, ledger_id), noted in stretch.doubtful.items()
                ],
            )
            for move in moves:
                left_behind.put(db, move.boot, move.left, move.moved)
            for boot, known in (learnt or {}).items():
                fixes.change(db, self.name, boot, fixes.get(db, self.name, boot), known)
                db.execute(
                    "UPDATE doubtful_row SET waiting = 0 WHERE gateway = ?1 AND boot = ?2 AND ledger_id NOT IN"
                    " (SELECT ledger_id FROM left_behind WHERE gateway = ?1 AND boot = ?2)",
                    boot,
                )
            cursors.move(db, self.name, tally)
        self._cursor.saved(tally)
        self._known |= learnt or {}

    def _learnt(self, row: LedgerRow) -> dict[Boot, Fixes]:
        """All that is known of each boot of which the row says something new."""
        learnt = {
            boot: placing.with_fixes(self._fixes(boot), came) for boot, came in placing.learnt(row).items()
        }
        return {boot: after for boot, after in learnt.items() if after != self._fixes(boot)}

    def _move(self, boot: Boot, before: Fixes, after: Fixes) -> _Move:
        """Take what the new fixes place elsewhere from its old place to its new one; a second time changes nothing.

        All is removed before anything is written: one record's new place may be another's old one. What was left
        behind earlier is tried again, from where it lies.
        """
        with self._db.read() as db:
            lies_by = {
                id_: before
                for (id_,) in db.execute(
                    "SELECT ledger_id FROM doubtful_row WHERE gateway = ? AND boot = ? AND from_us <= ? AND until_us >= ?"
                    " ORDER BY ledger_id",
                    (*boot, *reversed(placing.in_64_bits(placing.touched(before, after)))),
                )
            } | left_behind.get(db, boot)
        move = _Move(boot, lies_by)
        for points in _portions(self._reread(move, moved_by=after)):
            self._store.remove(points)
        for points in _portions(self._reread(move, placed_by=after)):
            self._store.write(points)
        return move

    def _reread(
        self, move: _Move, *, moved_by: Fixes | None = None, placed_by: Fixes | None = None
    ) -> Iterator[FramePoint]:
        """The doubtful readings where they lie, if `moved_by` moves them; or where `placed_by` places them."""
        for id_ in move.moved:
            known = move.lies_by[id_] if placed_by is None else placed_by
            for row in self._row(move, id_):
                for record in row.records:
                    body = record.body
                    if (
                        record.boot != move.boot[1]
                        or record.clock in TRUSTED
                        or not isinstance(body, (Frame, Summary))
                    ):
                        continue
                    at_us = placing.place(record, known)
                    if at_us is None or (moved_by is not None and placing.place(record, moved_by) == at_us):
                        continue
                    yield _point(row, record, body, at_us)

    def _row(self, move: _Move, id_: int) -> Sequence[LedgerRow]:
        """The ledger row, or nothing where it cannot be read: one archive file that is away stops no site's series."""
        try:
            return self._ledger.read(id_ - 1, 1)
        except (ConfigError, Refused) as why:
            move.left[id_] = move.lies_by[id_]
            if move.boot not in self._told_of:
                self._told_of.add(move.boot)
                log.warning(
                    "readings of %s, boot %s, from ledger row %d stay where they are until its next anchor or a"
                    " rebuild finds them: %s",
                    *move.boot,
                    id_,
                    why,
                )
            return ()

    def _fixes(self, boot: Boot) -> Fixes:
        known = self._known.get(boot)
        if known is None:
            if len(self._known) >= _BOOTS_REMEMBERED:
                self._known.clear()
            with self._db.read() as db:
                known = self._known[boot] = fixes.get(db, self.name, boot)
        return known


def _point(row: LedgerRow, record: Record, body: Frame | Summary, at_us: int) -> FramePoint:
    values, flaws = (body.values, body.flaws) if isinstance(body, Frame) else _stand_ins(body)
    return FramePoint(
        site=row.site,
        gateway=row.gateway,
        device=body.device,
        at_us=at_us,
        metrics=body.metrics,
        values=values,
        flaws=flaws,
        boot="" if record.clock in TRUSTED else record.boot,
        thinned=isinstance(body, Summary),
    )


def _stand_ins(summary: Summary) -> tuple[tuple[int | None, ...], tuple[tuple[int, int], ...]]:
    """One value a metric for the whole stretch: where a counter stood at its end, the mean of everything else.

    A metric without one good value has none here either: no number came.
    """
    values = tuple(
        newest if (metric := BY_CODE.get(code)) is not None and metric.kind == "counter" else mean
        for code, mean, newest in zip(summary.metrics, summary.mean, summary.newest, strict=True)
    )
    flaws = tuple(
        (i, int(Flaw.NOT_A_NUMBER if value is None else Flaw.THINNED)) for i, value in enumerate(values)
    )
    return values, flaws


def _portions(points: Iterable[FramePoint]) -> Iterator[list[FramePoint]]:
    portion: list[FramePoint] = []
    for point in points:
        portion.append(point)
        if len(portion) == _POINTS_AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _newest(points: Sequence[FramePoint]) -> list[FramePoint]:
    """One point per device: a page that watches a backlog drain needs no more."""
    newest: dict[tuple[str, str, str], FramePoint] = {}
    for point in points:
        key = (point.site, point.gateway, point.device)
        before = newest.get(key)
        if before is None or point.at_us >= before.at_us:
            newest[key] = point
    return list(newest.values())


def _spoken(point: FramePoint) -> dict[str, Any]:
    flaws = dict(point.flaws)
    values: dict[str, list[Any]] = {}
    for i, (code, steps) in enumerate(zip(point.metrics, point.values, strict=True)):
        metric = BY_CODE.get(code)
        if metric is not None:
            value = None if steps is None else metric.from_wire(steps)
            values[metric.name] = [value, metric.unit, flaws.get(i)]
    return {
        "gateway": point.gateway,
        "device": point.device,
        "values": values,
        "at": from_us(point.at_us).isoformat(),
    }
