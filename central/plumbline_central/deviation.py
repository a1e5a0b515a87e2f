"""When a site has left its plan: a judgement that goes one observation at a time, with time as an argument.

Deviation = actual - planned in percentage points, against the plan at the time of capture. A band, not a line:
raised when the last `hold_observations` valid observations are all strictly more than `raise_over_pp` off on the
same side; cleared when as many are all less than `clear_below_pp` off on that side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

Severity = Literal["amber", "red"]
Side = Literal["behind", "ahead"]

_DECIMALS: Final = 6  # the plan's line is floating point; five points are five points


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """How far is too far, how near is near again, and how much must be seen before anyone is told."""

    raise_over_pp: float = 5.0
    clear_below_pp: float = 4.0
    hold_observations: int = 2
    fresh_for_s: float = 36 * 3600.0
    """How long the last valid observation speaks for the site."""

    def __post_init__(self) -> None:
        if not 0 < self.clear_below_pp <= self.raise_over_pp:
            raise ValueError("a band needs 0 < clear_below_pp <= raise_over_pp")
        if self.hold_observations < 1 or self.fresh_for_s <= 0:
            raise ValueError("a band needs hold_observations >= 1 and fresh_for_s > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One photo's word on the visible works: percent 0..100 with its 90 % interval, at the time of capture."""

    ref: str
    """Names the observation for ever."""
    at: datetime
    percent: float | None
    low: float | None = None
    high: float | None = None
    gate: tuple[str, ...] = ()
    photo: str = ""

    @property
    def valid(self) -> bool:
        """It may be judged: there is a value, and nothing was wrong with the photo."""
        return self.percent is not None and 0 <= self.percent <= 100 and not self.gate


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

    def beyond(self, limit_pp: float) -> Side | None:
        """The side on which it is strictly more than `limit_pp` off plan."""
        return _side(self.deviation_pp, limit_pp)

    def wholly_beyond(self, limit_pp: float) -> Side | None:
        """The side on which even the far end of its interval is strictly more than `limit_pp` off plan."""
        side = self.beyond(limit_pp)
        if side is None or self.low is None or self.high is None:
            return None
        nearest = self.high if side == "behind" else self.low
        return side if _side(deviation_pp(nearest, self.planned), limit_pp) == side else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is remembered of one camera between observations."""

    newest_at: datetime | None = None
    recent: tuple[Point, ...] = ()
    """The last valid observations, at most `hold_observations`."""
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


def step(watch: Watch, seen: Seen, planned: float | None, band: Band) -> tuple[Watch, Verdict | None]:
    """One observation further. An older one than the newest known changes nothing; an invalid one never counts."""
    if watch.newest_at is not None and seen.at <= watch.newest_at:
        return watch, None
    watch = replace(watch, newest_at=seen.at)
    if not seen.valid or seen.percent is None or planned is None:
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
    recent = (*watch.recent, point)[-band.hold_observations :]
    return _settle(replace(watch, recent=recent), band)


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
    return _settle(watch, band)


def replan(
    watch: Watch, planned_at: Callable[[datetime], float], band: Band, *, version: int
) -> tuple[Watch, Verdict | None]:
    """The same observations beside a new baseline, each at its own time of capture."""
    recent = tuple(replace(point, planned=planned_at(point.at)) for point in watch.recent)
    return _settle(replace(watch, recent=recent, plan_version=version), band)


def is_back(watch: Watch, band: Band, firing: Side | None = None) -> bool:
    """Enough valid observations, all nearer than `clear_below_pp`: on the side of `firing`, or on both."""
    return len(watch.recent) >= band.hold_observations and all(
        _off(point, firing) < band.clear_below_pp for point in watch.recent
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
    side = overtaken.wholly_beyond(band.raise_over_pp)
    held = len(watch.recent) >= band.hold_observations
    if side is None or not held or _agreed(watch.recent, band.clear_below_pp) != side:
        return watch, None
    points = (*watch.recent[:-1], overtaken)
    return replace(watch, firing=side, severity="amber"), Verdict(change="raise", points=points)


def _settle(watch: Watch, band: Band) -> tuple[Watch, Verdict | None]:
    """What the last valid observations say together."""
    points = watch.recent
    if len(points) < band.hold_observations:
        return watch, None
    red = _agreed(points, band.raise_over_pp, wholly=True)
    if watch.firing is None:
        side = _agreed(points, band.raise_over_pp)
        if side is None:
            return watch, None
        severity: Severity = "red" if red else "amber"
        return replace(watch, firing=side, severity=severity), Verdict(
            change="raise", points=points, severity=severity
        )
    if is_back(watch, band, watch.firing):
        return replace(watch, firing=None, severity=None), Verdict(change="clear", points=points)
    if watch.severity == "amber" and red == watch.firing:
        return replace(watch, severity="red"), Verdict(change="severity", points=points, severity="red")
    return watch, None


def _agreed(points: tuple[Point, ...], limit_pp: float, *, wholly: bool = False) -> Side | None:
    """The side on which all points are beyond the limit."""
    sides = {point.wholly_beyond(limit_pp) if wholly else point.beyond(limit_pp) for point in points}
    return sides.pop() if len(sides) == 1 else None


def _off(point: Point, firing: Side | None) -> float:
    if firing is None:
        return abs(point.deviation_pp)
    return -point.deviation_pp if firing == "behind" else point.deviation_pp


def _side(deviation: float, limit_pp: float) -> Side | None:
    if deviation < -limit_pp:
        return "behind"
    return "ahead" if deviation > limit_pp else None
