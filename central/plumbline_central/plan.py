"""What was planned when: dated values and the line between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Final, Literal
from zoneinfo import ZoneInfo

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
Kind = Literal["percent", "quantity"]
"""percent: 0..100, compared in points; quantity: 0 or more in a unit of its own, compared in percent of the plan."""
Scope = Literal["visible", "total"]
"""visible: what the cameras can see of the works; total: all of them. The two are never mixed."""

MOST: Final = 1e15
"""No quantity of any works is larger, in any unit."""
_GAPS_SAID: Final = 3
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCurve:
    """What is due at dates; dates increase, and what accumulates never falls.

    Raises ValueError for anything else: `plan_table` is where a person's mistakes are told.
    """

    points: tuple[tuple[datetime, float], ...]
    kind: Kind = "percent"
    cumulative: bool = True
    """False: a level to be held, such as a satisfaction of 85 %, that may fall again."""

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a plan has at least one point")
        most = _most(self.kind)
        for at, value in self.points:
            if at.tzinfo is None or not 0 <= value <= most:
                raise ValueError(f"({at}, {value}) cannot be planned")
        for (before_at, before), (at, value) in pairwise(self.points):
            if not before_at < at or (self.cumulative and not before <= value):
                raise ValueError(f"{at}: dates must increase and what is done must not fall")

    @property
    def start(self) -> datetime:
        return self.points[0][0]

    @property
    def end(self) -> datetime:
        return self.points[-1][0]

    def due_at(self, at: datetime) -> float | None:
        """As `planned_at`, but None before the plan begins: there is nothing yet to deviate from."""
        return None if at < self.start else self.planned_at(at)

    def planned_at(self, at: datetime) -> float:
        """What is due at `at`: linear between points, the last one's after it.

        Before the first point nothing of what accumulates is due; a level to be held is the first point's.
        """
        index = bisect_right(self.points, at, key=lambda point: point[0])
        if index == 0:
            return 0.0 if self.cumulative else self.points[0][1]
        left_at, left = self.points[index - 1]
        if index == len(self.points):
            return left
        right_at, right = self.points[index]
        return left + (right - left) * ((at - left_at) / (right_at - left_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One date at which two plans differ; None: that plan has no such point."""

    at: datetime
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """What the later of two plans changed."""

    changes: tuple[Change, ...]
    start_moved: timedelta
    end_moved: timedelta
    furthest: float
    """The largest difference of what is due, later plan minus earlier, at any time."""
    furthest_at: datetime


def is_value(value: float, kind: Kind) -> bool:
    """Whether an indicator of `kind` can have this value at all."""
    return 0 <= value <= _most(kind)


def _most(kind: Kind) -> float:
    return 100.0 if kind == "percent" else MOST


def diff(before: PlanCurve, after: PlanCurve) -> PlanDiff:
    """From `before` to `after`. Both are straight between their points, so the furthest apart is at one of them."""
    old, new = dict(before.points), dict(after.points)
    times = sorted(old | new)
    apart = [(after.planned_at(at) - before.planned_at(at), at) for at in times]
    furthest, at = max(apart, key=lambda one: abs(one[0]))
    return PlanDiff(
        changes=tuple(
            Change(at=at, before=old.get(at), after=new.get(at)) for at in times if old.get(at) != new.get(at)
        ),
        start_moved=after.start - before.start,
        end_moved=after.end - before.end,
        furthest=furthest,
        furthest_at=at,
    )


def remarks(curve: PlanCurve) -> list[str]:
    """What is allowed in a plan and still worth a word to whoever imports it."""
    said = []
    unit = " %" if curve.kind == "percent" else ""
    if len(curve.points) == 1 and curve.cumulative:
        at, value = curve.points[0]
        said.append(f"only one point: 0{unit} is due before {at:%Y-%m-%d}, {value:g}{unit} from then on")
    last = curve.points[-1][1]
    if curve.kind == "percent" and curve.cumulative and last < 100:
        shares = " - are these shares of 1? Percent goes from 0 to 100" if last == 1 else ""
        said.append(f"ends at {last:g} %, not at 100 %{shares}")
    gaps = list(_gaps(curve))
    said += gaps[:_GAPS_SAID]
    if len(gaps) > _GAPS_SAID:
        said.append(f"and {len(gaps) - _GAPS_SAID} more gaps")
    return said


def _gaps(curve: PlanCurve) -> Iterator[str]:
    """Where rows seem to lack, against the usual distance of this plan's dates."""
    dates = [at for at, _ in curve.points]
    apart = [(right - left) / _DAY for left, right in pairwise(dates)]
    if len(apart) < 3:
        return
    usual = median(apart)
    for left, right in pairwise(dates):
        days = (right - left) / _DAY
        if days > usual * 1.5:
            yield f"no date from {left:%Y-%m-%d} to {right:%Y-%m-%d} ({days:g} days): a straight line is taken"
