"""Everything that a site is measured by, behind one door: indicators, values, plans, milestones, scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final, Self

from plumbline.errors import Fault, FaultyFile, Refused
from plumbline_central.indicators.indicator import Indicator
from plumbline_central.indicators.milestone_store import MilestoneStore
from plumbline_central.indicators.points import IndicatorPoints, PointReader
from plumbline_central.indicators.score import Score, score
from plumbline_central.indicators.store import IndicatorStore
from plumbline_central.indicators.values import ValueStore
from plumbline_central.indicators.values_table import read_values
from plumbline_central.plan import SHANGHAI, PlanCurve, Scope, remarks
from plumbline_central.plan_store import PlanStore
from plumbline_central.plan_table import Draft, read_plan
from plumbline_central.schema import Database

_NEWEST: Final = 64
"""Among so many points one must count, or the indicator has no value worth a score."""

_JUST_AFTER: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of an import; `version` None: it was only tried."""

    version: int | None
    draft: Draft
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicatorBook:
    """The parts of one control.db. Usable from any thread."""

    indicators: IndicatorStore
    values: ValueStore
    plans: PlanStore
    milestones: MilestoneStore
    points: PointReader

    @classmethod
    def on(cls, control: Database, plans: PlanStore | None = None) -> Self:
        """The book in control.db, as `open_control` opened it."""
        plans = plans or PlanStore(control)
        indicators = IndicatorStore(control)
        return cls(
            indicators=indicators,
            values=ValueStore(control, indicators),
            plans=plans,
            milestones=MilestoneStore(control),
            points=PointReader(control, indicators, plans),
        )

    def import_plan_file(
        self,
        indicator: Indicator,
        content: bytes,
        source: str,
        by: str,
        at: datetime,
        *,
        scope: Scope | None = None,
        dry_run: bool = False,
        tz: tzinfo = SHANGHAI,
    ) -> Imported:
        """Read a planner's file as the next baseline. Raises FaultyFile with every bad row; then nothing is kept."""
        draft = read_plan(content, source, kind=indicator.kind, cumulative=indicator.cumulative, tz=tz)
        return self.import_draft(indicator, draft, source, by, at, scope=scope, dry_run=dry_run)

    def import_curve(
        self,
        indicator: Indicator,
        points: Iterable[tuple[datetime, float]],
        source: str,
        by: str,
        at: datetime,
        *,
        scope: Scope | None = None,
        dry_run: bool = False,
    ) -> Imported:
        """The same from points that a program has. Raises Refused for what is no plan."""
        try:
            curve = PlanCurve(points=tuple(points), kind=indicator.kind, cumulative=indicator.cumulative)
        except ValueError as error:
            raise Refused(
                f"no plan: {error}", hint="Dates increase, and what accumulates never falls."
            ) from None
        draft = Draft(curve=curve, remarks=tuple(remarks(curve)))
        return self.import_draft(indicator, draft, source, by, at, scope=scope, dry_run=dry_run)

    def import_draft(
        self,
        indicator: Indicator,
        draft: Draft,
        source: str,
        by: str,
        at: datetime,
        *,
        scope: Scope | None = None,
        dry_run: bool = False,
    ) -> Imported:
        """Keep a plan that was read, or with `dry_run` only say what would be kept."""
        scope = scope or indicator.scope
        version = None
        if not dry_run:
            version = self.plans.import_plan(
                indicator.site, indicator.id, draft.curve, source, by, at, scope=scope
            )
        return Imported(version=version, draft=draft, scope=scope)

    def import_values_file(
        self,
        site: str,
        content: bytes,
        source: str,
        by: str,
        now: datetime,
        *,
        indicator: str = "",
        dry_run: bool = False,
        tz: tzinfo = SHANGHAI,
    ) -> int:
        """Hand in all values of a file, or none; how many are new, or with `dry_run` how many there are.

        Raises FaultyFile with every bad row.
        """
        pushed, faults = read_values(content, source, indicator=indicator, tz=tz)
        faults += self.values.check(site, pushed, now, source)
        if faults:
            raise FaultyFile(sorted(faults, key=_row))
        return len(pushed) if dry_run else self.values.push(site, pushed, by, now)

    def measured(self, site: str, at: datetime) -> list[IndicatorPoints]:
        """All indicators of a site with their newest points up to `at`."""
        until = at + _JUST_AFTER
        return [
            self.points.indicator_points(site, one.id, until=until, newest=_NEWEST)
            for one in self.indicators.of(site)
        ]

    def score(self, site: str, at: datetime) -> Score:
        """How the site keeps its plans at `at`, down to its inputs."""
        return score(site, self.measured(site, at), at)

    def scores(self, sites: Iterable[str], at: datetime) -> list[Score]:
        """The same for many sites, with a few questions to the disk whatever their number."""
        measured: dict[str, list[IndicatorPoints]] = {site: [] for site in sites}
        for one in self.points.all_points(_NEWEST, until=at + _JUST_AFTER, sites=measured, latest_only=True):
            if one.indicator.site in measured:
                measured[one.indicator.site].append(one)
        return [score(site, found, at) for site, found in measured.items()]


def _row(fault: Fault) -> int:
    number = fault.key.removeprefix("row ")
    return int(number) if number.isdecimal() else -1
