"""How well a site keeps its plans, in one number that falls apart into its inputs again; and earned value.

Pure: the same inputs give the same score. The formulas, with a worked example, stand in docs/indicators.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from plumbline_central.indicators.indicator import Direction, Indicator
from plumbline_central.indicators.points import IndicatorPoint, IndicatorPoints
from plumbline_central.plan import Scope

LeftOut = Literal["no_value", "stale", "no_plan", "not_due"]
"""Why an indicator has no part in a score: no value that counts, an old one, no plan, or one that had not begun."""
_DECIMALS: Final = 9
_AS_GOOD_AS_0: Final = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One indicator's part in a score, down to what it rests on. None: there is none."""

    indicator: Indicator
    attainment: float | None
    share: float
    """Its weight as a share of the weights that count, 0..1; 0 where it is left out."""
    contribution: float
    """share x attainment: these add up to the score."""
    left_out: LeftOut | None
    point: IndicatorPoint | None
    """The observation it rests on, with what was planned at its time."""
    plan_version: int | None
    scope: Scope
    deviation: float | None
    """Points for percent, percent of the plan for quantities; negative is below plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A site's score, 0..100; None where nothing at all is known."""

    site: str
    at: datetime
    score: float | None
    rests_on: float
    """The share of all weights, 0..1, that is known: a score on 0.3 is a third of a score."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarnedValue:
    """Earned value in percent of the works and, with a budget, in money. Definitions: ISO 21508:2018, docs/indicators.md.

    PV: what was planned to be done by then; EV: what was done. SV = EV - PV; SPI = EV / PV, None while PV is as good as 0.
    """

    at: datetime
    scope: Scope
    pv: float
    ev: float
    sv: float
    spi: float | None
    budget: float | None = None
    currency: str = ""
    pv_money: float | None = None
    ev_money: float | None = None
    sv_money: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """A site's place among others, 1 is best; equal scores share it. None: it has no score."""

    place: int | None
    score: Score


def attainment(value: float, planned: float, direction: Direction) -> float:
    """How far the plan is kept, 0..100.

    More is better: value / planned; less is better: planned / value. Never over 100: being far ahead in one thing
    makes up for nothing else. Where nothing was due, anything is enough; where nothing was allowed, only nothing is.
    """
    good, needed = (value, planned) if direction == "more" else (planned, value)
    return 100.0 if good >= needed else 100.0 * (good / needed)


def deviation(indicator: Indicator, value: float, planned: float) -> float | None:
    """Actual minus planned: in points for percent, in percent of the plan for quantities; None where that plan is as good as 0."""
    if indicator.kind == "percent":
        return round(value - planned, _DECIMALS)
    return None if planned < _AS_GOOD_AS_0 else round((value - planned) / planned * 100, _DECIMALS)


def score(site: str, measured: Iterable[IndicatorPoints], at: datetime) -> Score:
    """The weighted mean of all attainments that are known at `at`. What is missing counts as nothing, not as 0."""
    found = [(one, *_standing(one, at)) for one in measured]
    whole = math.fsum(one.indicator.weight for one, _, _ in found)
    known = math.fsum(one.indicator.weight for one, _, left_out in found if left_out is None)
    parts = tuple(_part(one, point, left_out, known) for one, point, left_out in found)
    return Score(
        site=site,
        at=at,
        score=min(math.fsum(part.contribution for part in parts), 100.0) if known > 0 else None,
        rests_on=known / whole if whole > 0 else 0.0,
        parts=parts,
    )


def ranking(scores: Sequence[Score]) -> list[Rank]:
    """The best first; those without a score last, by name. Equal to 0.005 is equal: nobody sees more."""
    ordered = sorted(scores, key=lambda one: (one.score is None, -_shown(one), one.site))
    ranked: list[Rank] = []
    for index, one in enumerate(ordered):
        before = ranked[-1] if ranked else None
        same = before is not None and before.score.score is not None and _shown(before.score) == _shown(one)
        place = before.place if same and before is not None else index + 1
        ranked.append(Rank(place=None if one.score is None else place, score=one))
    return ranked


def earned_value(measured: IndicatorPoints, at: datetime) -> EarnedValue | None:
    """Of a cumulative percent, as of its newest value that counts; None where value or plan is missing."""
    indicator = measured.indicator
    point, left_out = _standing(measured, at)
    if (
        indicator.kind != "percent"
        or not indicator.cumulative
        or left_out not in (None, "stale")
        or point is None
        or point.value is None
        or point.planned is None
    ):
        return None
    pv, ev, budget = point.planned, point.value, indicator.budget
    money = None if budget is None else budget / 100
    return EarnedValue(
        at=point.at,
        scope=indicator.scope,
        pv=pv,
        ev=ev,
        sv=round(ev - pv, _DECIMALS),
        spi=ev / pv if pv >= _AS_GOOD_AS_0 else None,
        budget=budget,
        currency=indicator.currency if budget is not None else "",
        pv_money=None if money is None else pv * money,
        ev_money=None if money is None else ev * money,
        sv_money=None if money is None else (ev - pv) * money,
    )


def _standing(measured: IndicatorPoints, at: datetime) -> tuple[IndicatorPoint | None, LeftOut | None]:
    """The newest point that counts at `at`, and why it has no part in a score."""
    point = next((one for one in reversed(measured.points) if one.valid and one.at <= at), None)
    if point is None:
        return None, "no_value"
    if measured.baseline is None:
        return point, "no_plan"
    if point.planned is None:
        return point, "not_due"
    if at - point.at > timedelta(days=measured.indicator.fresh_for_d):
        return point, "stale"
    return point, None


def _part(
    measured: IndicatorPoints, point: IndicatorPoint | None, left_out: LeftOut | None, known: float
) -> Part:
    indicator, reached, off, share = measured.indicator, None, None, 0.0
    if point is not None and point.value is not None and point.planned is not None:
        reached = attainment(point.value, point.planned, indicator.direction)
        off = deviation(indicator, point.value, point.planned)
    if left_out is None and known > 0:
        share = indicator.weight / known
    return Part(
        indicator=indicator,
        attainment=reached,
        share=share,
        contribution=share * reached if reached is not None else 0.0,
        left_out=left_out,
        point=point,
        plan_version=measured.baseline.version if measured.baseline else None,
        scope=indicator.scope,
        deviation=off,
    )


def _shown(one: Score) -> float:
    return round(one.score, 2) if one.score is not None else -1.0
