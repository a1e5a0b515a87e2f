"""Every indicator's newest values beside what was planned then: what rules, score and API judge by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from plumbline.clock import from_us, to_us
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.store import IndicatorStore
from plumbline_central.indicators.templates import PROGRESS, implied
from plumbline_central.plan_store import Baseline, PlanStore
from plumbline_central.schema import Database

NEWEST: Final = 8
"""How many of the newest points a timer's look takes with it."""
_FOREVER_US: Final = 1 << 62

_VALUES: Final = (
    "SELECT site, indicator, at_us, seq, value, value, value, flag, who FROM indicator_value v"
    " WHERE site = :site AND indicator = :indicator AND at_us >= :since AND at_us < :until"
    " AND seq = (SELECT max(seq) FROM indicator_value n"
    "   WHERE n.site = v.site AND n.indicator = v.indicator AND n.at_us = v.at_us) ORDER BY at_us DESC LIMIT :newest"
)
_PHOTOS: Final = (
    "SELECT site, 'progress', at_us, ref, percent, low, high,"
    " CASE WHEN standing IN ('judged', 'late', 'no_plan') THEN '' WHEN gate != '' THEN gate ELSE standing END, photo"
    " FROM alert_observation WHERE site = :site AND at_us >= :since AND (at_us, ref) < (:until, :before)"
    " ORDER BY at_us DESC, ref DESC LIMIT :newest"
)
_Row = tuple[str, str, int, int | str, float | None, float | None, float | None, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorPoint:
    """One value and what was planned at its time, by the current plan; None: there is none, which is never 0."""

    ref: str
    """Names it for ever: a photo's record, or indicator/time/number of the correction."""
    at: datetime
    value: float | None
    low: float | None
    high: float | None
    planned: float | None
    flags: tuple[str, ...] = ()
    """Why it does not count; empty where it does."""
    seen_by: str = ""
    """The photo, or whoever handed it in."""

    @property
    def valid(self) -> bool:
        return self.value is not None and not self.flags


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorPoints:
    """An indicator with its current plan and points in time order, doubtful and missing ones among them."""

    indicator: Indicator
    baseline: Baseline | None
    points: tuple[IndicatorPoint, ...]

    @property
    def latest(self) -> IndicatorPoint | None:
        """The newest that counts."""
        return next((point for point in reversed(self.points) if point.valid), None)

    def due_at(self, at: datetime) -> float | None:
        return self.baseline.curve.due_at(at) if self.baseline else None


class PointReader:
    """Reads points from control.db. Usable from any thread."""

    def __init__(self, db: Database, indicators: IndicatorStore, plans: PlanStore) -> None:
        self._db = db
        self._indicators = indicators
        self._plans = plans
        self._answered: dict[tuple[str, str, bool], tuple[list[_Row], IndicatorPoints]] = {}

    def indicator_points(
        self,
        site: str,
        indicator: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        before: str = "",
        newest: int | None = None,
    ) -> IndicatorPoints:
        """All points from `since` to before `until`, of photos of that very time those whose ref comes before `before`;
        or the newest of them. Raises NoSuch.
        """
        known = self._indicators.get(site, indicator)
        baseline = self._plans.current(site, indicator, known.scope)
        wanted = {
            "site": site,
            "indicator": indicator,
            "since": to_us(since) if since else -_FOREVER_US,
            "until": to_us(until) if until else _FOREVER_US,
            "before": before,
            "newest": -1 if newest is None else newest,
        }
        with self._db.read() as db:
            rows: list[_Row] = db.execute(
                _PHOTOS if known.source.kind == "photos" else _VALUES, wanted
            ).fetchall()
        return _together(known, baseline, rows[::-1])

    def all_points(
        self,
        newest: int = NEWEST,
        *,
        until: datetime | None = None,
        sites: Collection[str] = (),
        latest_only: bool = False,
    ) -> list[IndicatorPoints]:
        """The newest points of every indicator of every site: two queries and one plan each, whatever the number.

        Where nobody wrote another `progress`, the implied one is there for sites that have its plan or photos, and
        for `sites`. With `latest_only`, of these points the newest that counts, or the newest where none does.
        """
        written, own_progress = self._indicators.all()
        plans = self._plans.all_current()
        until_us = to_us(until) if until else _FOREVER_US
        with self._db.read() as db:
            seen = {site for (site,) in db.execute(_SITES_SEEN)}
            values = _grouped(db.execute(_ALL_VALUES, (until_us, newest)).fetchall())
            photos = _grouped(db.execute(_ALL_PHOTOS, (until_us, newest)).fetchall())
        shown = seen | {site for site, indicator, _ in plans if indicator == PROGRESS} | set(sites)
        wanted = [*written, *(implied(site) for site in sorted(shown - own_progress))]
        picked = _last_that_counts if latest_only else list
        wanted.sort(key=lambda one: (one.site, one.id != PROGRESS, one.id))
        found = []
        for one in wanted:
            rows = (photos if one.source.kind == "photos" else values).get((one.site, one.id), [])
            baseline = plans.get((one.site, one.id, one.scope))
            found.append(self._again(one, baseline, picked(rows), latest_only=latest_only))
        return found

    def _again(
        self, indicator: Indicator, baseline: Baseline | None, rows: list[_Row], *, latest_only: bool
    ) -> IndicatorPoints:
        """What was answered the last time, where nothing has changed since: most of a timer's look."""
        key = (indicator.site, indicator.id, latest_only)
        known_rows, known = self._answered.get(key, (None, None))
        if (
            known is not None
            and known_rows == rows
            and known.baseline is baseline
            and known.indicator == indicator
        ):
            return known
        told: dict[_Row, IndicatorPoint] = {}
        if known is not None and known_rows is not None and known.baseline is baseline:
            told = dict(zip(known_rows, known.points, strict=True))
        points = tuple(told.get(row) or _point(baseline, row) for row in rows)
        found = IndicatorPoints(indicator=indicator, baseline=baseline, points=points)
        self._answered[key] = (rows, found)
        return found


_ALL_VALUES: Final = (
    "SELECT v.site, v.indicator, v.at_us, v.seq, v.value, v.value, v.value, v.flag, v.who"
    " FROM indicator i CROSS JOIN indicator_value v ON v.site = i.site AND v.indicator = i.id"
    " AND v.at_us < ?1 AND v.at_us >= coalesce((SELECT n.at_us FROM indicator_value n"
    "   WHERE n.site = i.site AND n.indicator = i.id AND n.at_us < ?1 ORDER BY n.at_us DESC LIMIT 1 OFFSET ?2 - 1), 0)"
    " WHERE NOT i.retired ORDER BY i.site, i.id, v.at_us, v.seq"
)
_SITES: Final = (
    "WITH RECURSIVE s (site) AS (SELECT min(site) FROM alert_observation UNION ALL"
    " SELECT (SELECT min(o.site) FROM alert_observation o WHERE o.site > s.site) FROM s WHERE s.site IS NOT NULL)"
)
"""One step of the index for each site; DISTINCT would walk over all photos ever taken."""
_SITES_SEEN: Final = f"{_SITES} SELECT site FROM s WHERE site IS NOT NULL"  # noqa: S608 - our own names
_ALL_PHOTOS: Final = (
    f"{_SITES} SELECT o.site, 'progress', o.at_us, o.ref, o.percent, o.low, o.high,"  # noqa: S608 - our own names
    " CASE WHEN o.standing IN ('judged', 'late', 'no_plan') THEN '' WHEN o.gate != '' THEN o.gate ELSE o.standing END,"
    " o.photo FROM s CROSS JOIN alert_observation o ON o.site = s.site"
    " AND o.at_us < ?1 AND o.at_us >= coalesce((SELECT n.at_us FROM alert_observation n"
    "   WHERE n.site = s.site AND n.at_us < ?1 ORDER BY n.at_us DESC LIMIT 1 OFFSET ?2 - 1), 0)"
    " ORDER BY s.site, o.at_us, o.ref"
)
"""From the newest so many rows of each on. CROSS JOIN keeps SQLite from reading the whole history instead."""


def _grouped(rows: list[_Row]) -> dict[tuple[str, str], list[_Row]]:
    """By site and indicator; of several rows of one time the correction alone."""
    found: defaultdict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in rows:
        of = found[row[0], row[1]]
        if of and of[-1][2] == row[2] and isinstance(row[3], int):
            of[-1] = row
        else:
            of.append(row)
    return found


def _last_that_counts(rows: list[_Row]) -> list[_Row]:
    return next(([row] for row in reversed(rows) if row[4] is not None and not row[7]), rows[-1:])


def _together(indicator: Indicator, baseline: Baseline | None, rows: list[_Row]) -> IndicatorPoints:
    return IndicatorPoints(
        indicator=indicator, baseline=baseline, points=tuple(_point(baseline, row) for row in rows)
    )


def _point(baseline: Baseline | None, row: _Row) -> IndicatorPoint:
    _, indicator, at_us, seq, value, low, high, flags, seen_by = row
    at = from_us(at_us)
    return IndicatorPoint(
        ref=seq if isinstance(seq, str) else f"{indicator}/{at_us}/{seq}",
        at=at,
        value=value,
        low=low,
        high=high,
        planned=baseline.curve.due_at(at) if baseline else None,
        flags=tuple(flags.split()),
        seen_by=seen_by,
    )
