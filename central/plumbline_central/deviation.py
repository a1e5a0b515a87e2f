"""When something has left its plan: a judgement that goes one observation at a time, with time as an argument.

Deviation = actual - planned against the plan at the time of capture: of a percent in percentage points, of a quantity
in percent of what was planned, and nothing where that is 0. A band, not a line: raised when the last
`hold_observations` valid observations are all strictly more than `raise_over_pp` off on the same side; cleared when as
many are all less than `clear_below_pp` off on that side. Observations with wide intervals say
less: of these three must be there, and their mean `wide_margin_pp` further off (tests/bench/deviation.py: without this every sixth
alert of a photo model that errs by 2 points is false).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean
from typing import Final, Literal

from plumbline_central.plan import Kind, is_value

Severity = Literal["amber", "red"]
Side = Literal["behind", "ahead"]

_WIDE_OF: Final = 3
_DECIMALS: Final = 6  # the plan's line is floating point; five points are five points


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """How far is too far, how near is near again, and how much must be seen before anyone is told.

    The two limits are points for a percent, and percent of the plan for a quantity.
    """

    raise_over_pp: float = 5.0
    clear_below_pp: float = 4.0
    hold_observations: int = 2
    fresh_for_s: float = 36 * 3600.0
    """How long the last valid observation speaks for the site."""
    kind: Kind = "percent"
    side: Side | None = None
    """The side that is one too many; None: both are."""
    wide_pp: float = 2.0
    """An observation is wide whose 90 % interval reaches further than this from it, in its own unit."""
    wide_margin_pp: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.clear_below_pp <= self.raise_over_pp:
            raise ValueError("a band needs 0 < clear_below_pp <= raise_over_pp")
        if self.hold_observations < 1 or self.fresh_for_s <= 0:
            raise ValueError("a band needs hold_observations >= 1 and fresh_for_s > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One word on what was done, such as a photo's: a value with its 90 % interval, at the time of capture.

    `percent` is 0..100 for what has no `kind` of its own, and in its own unit for a quantity.
    """

    ref: str
    """Names the observation for ever."""
    at: datetime
    percent: float | None
    low: float | None = None
    high: float | None = None
    gate: tuple[str, ...] = ()
    photo: str = ""
    kind: Kind = "percent"

    @property
    def valid(self) -> bool:
        """It may be judged: there is a value, and nothing was wrong with the photo."""
        return self.percent is not None and is_value(self.percent, self.kind) and not self.gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A valid observation beside what was planned then: one piece of evidence."""

    ref: str
    at: datetime
    percent: float
    low: float | None
    high: float | None
    planned: float
    photo: str = ""

    @property
    def deviation_pp(self) -> float:
        """Signed: negative is behind plan."""
        return deviation_pp(self.percent, self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered of one camera between observations."""

    newest_at: datetime | None = None
    recent: tuple[Point, ...] = ()
    """The last valid observations, as many as a judgement rests on at most."""
    firing: Side | None = None
    severity: Severity | None = None
    silent: bool = False
    plan_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A change of mind, with what it rests on; `points` end with the newest."""

    change: Literal["raise", "clear", "severity", "silent", "heard"]
    points: tuple[Point, ...]
    severity: Severity = "amber"


def deviation_pp(actual: float, planned: float) -> float:
    """Percentage points off plan; negative is behind."""
    return round(actual - planned, _DECIMALS)


def off_plan(actual: float, planned: float, kind: Kind) -> float | None:
    """Points off plan, or of a quantity percent of the plan; negative is below it. None: there is no plan to be off."""
    if kind == "percent":
        return deviation_pp(actual, planned)
    return None if planned == 0 else round(100 * (actual - planned) / planned, _DECIMALS)


def step(watch: Watch, seen: Seen, planned: float | None, band: Band) -> tuple[Watch, Verdict | None]:
    """One observation further. An older one than the newest known changes nothing; an invalid one never counts."""
    if watch.newest_at is not None and seen.at <= watch.newest_at:
        return watch, None
    watch = replace(watch, newest_at=seen.at)
    if not seen.valid or seen.percent is None or planned is None:
        return watch, None
    if off_plan(seen.percent, planned, band.kind) is None:
        return watch, None
    point = Point(
        ref=seen.ref,
        at=seen.at,
        percent=seen.percent,
        low=seen.low,
        high=seen.high,
        planned=planned,
        photo=seen.photo,
    )
    recent = (*watch.recent, point)[-max(band.hold_observations, _WIDE_OF) :]
    return settle(replace(watch, recent=recent), band)


def redate(
    watch: Watch, seen: Seen, was_at: datetime, planned: float | None, band: Band
) -> tuple[Watch, Verdict | None]:
    """An observation that was judged as of `was_at` turns out to be of another time, `seen.at`: judge it beside what
    was planned then. `planned` None takes it out of the judgement.
    """
    moved = next((point for point in watch.recent if point.ref == seen.ref), None)
    recent = [point for point in watch.recent if point is not moved]
    newest_at = watch.newest_at
    if newest_at == was_at:
        newest_at = max([seen.at, *(point.at for point in recent)])
    if moved is not None and planned is not None:
        recent.append(replace(moved, at=seen.at, planned=planned))
    recent.sort(key=lambda point: point.at)
    watch = replace(watch, newest_at=newest_at, recent=tuple(recent))
    if moved is None or moved.planned == planned:
        return watch, None
    return settle(watch, band)


def replan(
    watch: Watch, planned_at: Callable[[datetime], float], band: Band, *, version: int
) -> tuple[Watch, Verdict | None]:
    """The same observations beside a new baseline, each at its own time of capture."""
    watch = replace(watch, plan_version=version)
    return revise(watch, lambda point: replace(point, planned=planned_at(point.at)), band)


def revise(watch: Watch, known: Callable[[Point], Point | None], band: Band) -> tuple[Watch, Verdict | None]:
    """The same observations as they are known now; None: it does not count any more.

    What was raised by observations that all do not count any more is cleared.
    """
    now_known = (known(point) for point in watch.recent)
    recent = tuple(
        point
        for point in now_known
        if point is not None and off_plan(point.percent, point.planned, band.kind) is not None
    )
    if not recent and watch.recent and watch.firing is not None:
        gone = replace(watch, recent=(), firing=None, severity=None)
        return gone, Verdict(change="clear", points=watch.recent)
    return settle(replace(watch, recent=recent), band)


def settle(watch: Watch, band: Band) -> tuple[Watch, Verdict | None]:
    """What the last valid observations say together. Call again until nothing changes: who was behind may be ahead."""
    points = watch.recent[-band.hold_observations :]
    if len(points) < band.hold_observations:
        return watch, None
    red = _agreed(points, band.raise_over_pp, band, wholly=True)
    if watch.firing is None:
        if any(_is_wide(point, band) for point in points):
            points = watch.recent[-max(band.hold_observations, _WIDE_OF) :]
            side = _on_the_mean(points, band)
        else:
            side = _agreed(points, band.raise_over_pp, band)
        if side is None:
            return watch, None
        severity: Severity = "red" if red == side else "amber"
        return replace(watch, firing=side, severity=severity), Verdict(
            change="raise", points=points, severity=severity
        )
    if is_back(watch, band, watch.firing):
        return replace(watch, firing=None, severity=None), Verdict(change="clear", points=points)
    if watch.severity == "amber" and red == watch.firing:
        return replace(watch, severity="red"), Verdict(change="severity", points=points, severity="red")
    return watch, None


def is_back(watch: Watch, band: Band, firing: Side | None = None) -> bool:
    """Enough valid observations, all nearer than `clear_below_pp`: on the side of `firing`, or on both."""
    held = watch.recent[-band.hold_observations :]
    return len(held) == band.hold_observations and all(
        _off(point, firing, band) < band.clear_below_pp for point in held
    )


def tick(watch: Watch, now: datetime, planned_now: float | None, band: Band) -> tuple[Watch, Verdict | None]:
    """Time passes without a new photo. Call again until nothing changes.

    Silence past `fresh_for_s` is its own condition and never a deviation; of finished works nothing more is
    expected. While the last photo is fresh, the plan
    moves on without it. That alone makes nobody late: only a site that its photos already held beyond
    `clear_below_pp` is raised, and only when the whole interval of the last one lies outside what is due now.
    Nothing is cleared without a photo.
    """
    if not watch.recent:
        return watch, None
    last = watch.recent[-1]
    done = planned_now == 100 and last.percent > 100 - band.clear_below_pp
    stale = not done and now - last.at > timedelta(seconds=band.fresh_for_s)
    if stale != watch.silent:
        return replace(watch, silent=stale), Verdict(change="silent" if stale else "heard", points=(last,))
    if stale or watch.firing is not None or planned_now is None:
        return watch, None
    overtaken = replace(last, planned=planned_now)
    side = _wholly_beyond(overtaken, band.raise_over_pp, band)
    held = watch.recent[-band.hold_observations :]
    if side is None or len(held) < band.hold_observations or _agreed(held, band.clear_below_pp, band) != side:
        return watch, None
    points = (*held[:-1], overtaken)
    return replace(watch, firing=side, severity="amber"), Verdict(change="raise", points=points)


def _is_wide(point: Point, band: Band) -> bool:
    if point.low is None or point.high is None:
        return False
    return max(point.percent - point.low, point.high - point.percent) > band.wide_pp


def _on_the_mean(points: tuple[Point, ...], band: Band) -> Side | None:
    """The side on which enough points are together beyond the limit and the margin, the newest among them."""
    if len(points) < _WIDE_OF:
        return None
    actual, planned = (
        fmean(values) for values in zip(*((p.percent, p.planned) for p in points), strict=True)
    )
    side = _side(actual, planned, band.raise_over_pp + band.wide_margin_pp, band)
    return side if _beyond(points[-1], band.raise_over_pp, band) == side else None


def _agreed(points: tuple[Point, ...], limit: float, band: Band, *, wholly: bool = False) -> Side | None:
    """The side on which all points are beyond the limit."""
    beyond = _wholly_beyond if wholly else _beyond
    sides = {beyond(point, limit, band) for point in points}
    return sides.pop() if len(sides) == 1 else None


def _beyond(point: Point, limit: float, band: Band) -> Side | None:
    """The side on which it is strictly more than `limit` off plan."""
    return _side(point.percent, point.planned, limit, band)


def _wholly_beyond(point: Point, limit: float, band: Band) -> Side | None:
    """The side on which even the far end of its interval is strictly more than `limit` off plan."""
    side = _beyond(point, limit, band)
    if side is None or point.low is None or point.high is None:
        return None
    nearest = point.high if side == "behind" else point.low
    return side if _side(nearest, point.planned, limit, band) == side else None


def _off(point: Point, firing: Side | None, band: Band) -> float:
    """How far, towards `firing`; where nothing was planned it is not off at all."""
    off = off_plan(point.percent, point.planned, band.kind) or 0.0
    if firing is None:
        return abs(off)
    return -off if firing == "behind" else off


def _side(actual: float, planned: float, limit: float, band: Band) -> Side | None:
    off = off_plan(actual, planned, band.kind)
    if off is None or abs(off) <= limit:
        return None
    side: Side = "behind" if off < 0 else "ahead"
    return side if band.side in (None, side) else None
