"""Would a supervisor have been told? Simulated slips against the plan, judged by central's own deviation rule.

What is measured, exactly
-------------------------
A course shows how far the work is; a slip is the plan moved against it, so that one course is judged under every slip:
planned(t) = true(t) + lag(t), kept within 0..100 and never falling. `lag` is positive where work falls behind. It grows
from a random day over 16 days to its full size, stands for 10, and is gone after 14 more. Sizes: 0, +-3 (quiet: any
alert is false), +-8, +-15 (loud: an alert is due), +-5 (on the line: either answer is right, so they are counted apart).

An *episode* is an unbroken run of days on which the truth is strictly more than 5 pp off plan on one side. It counts
where at least 7 days of the course follow its first day. It is *found* if an alert on its side stands at any moment
from its first day to 7 days after it. Recall = found / episodes.

An alert is *right* if the truth is more than 5 pp off plan on the alert's side on some day from 7 days before it was
raised to 7 days after. Precision = right / raised, over quiet and loud slips. An alert is what central's `step` raises,
amber or red; red ones (the whole 90 % interval beyond 5 pp) are counted too.

The baselines say, on the same days: the calendar's share, the plan's own percent, the share of the facade that looks
unlike day 0. They know no interval and so raise amber only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline_central.deviation import Band, Seen, Side, Watch, step
from plumbline_sim.scene.project import Slip
from plumbline_train.evaluate.chain import Said
from plumbline_train.evaluate.doorkeeper import BEGIN
from plumbline_train.evaluate.sightings import Course

Floats = NDArray[np.float64]
LIMIT_PP: Final = 5.0
WITHIN_DAYS: Final = 7.0
QUIET_PP: Final = (0.0, -3.0, 3.0)
ON_THE_LINE_PP: Final = (-5.0, 5.0)
LOUD_PP: Final = (-8.0, 8.0, -15.0, 15.0)
SPAN_DAYS: Final = 40.0
_FIRST_DAY, _LAST_START = 4.0, 28.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One deviation that central raised, and when it was cleared; None: never in this course."""

    side: Side
    raised: float
    cleared: float | None = None
    red: float | None = None
    """The day it became red, if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """The truth is beyond the limit from the first to the last of these days."""

    side: Side
    first: float
    last: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of one or many trials; trials and episodes add up."""

    trials: int = 0
    episodes: int = 0
    found: int = 0
    found_red: int = 0
    raised: int = 0
    right: int = 0
    red: int = 0
    red_right: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    def figures(self) -> dict[str, float]:
        """Shares; NaN where nothing was raised, or nothing was due."""
        return {
            "trials": float(self.trials),
            "episodes": float(self.episodes),
            "recall": _share(self.found, self.episodes),
            "alerts": float(self.raised),
            "precision": _share(self.right, self.raised),
            "red_recall": _share(self.found_red, self.episodes),
            "red_alerts": float(self.red),
            "red_precision": _share(self.red_right, self.red),
        }


def planned(true: Any, days: Any, slip: Slip) -> Floats:
    """The plan from which work that is `true` on `days` has slipped so."""
    lag = np.array([slip.at(float(day)) for day in np.asarray(days)])
    return np.maximum.accumulate(np.clip(np.asarray(true, float) + lag, 0, 100))


def alerts(days: Any, said: Any, low: Any, high: Any, plan: Any, band: Band | None = None) -> list[Alert]:
    """What central's rule raises of these words, one observation a photo; NaN is a photo without a percent."""
    watch, found = Watch(), list[Alert]()
    rows = zip(*(np.asarray(v, float) for v in (days, said, low, high, plan)), strict=True)
    for day, word, least, most, due in rows:
        at = BEGIN + timedelta(days=float(day))
        seen = Seen(ref=str(day), at=at, percent=_or_none(word), low=_or_none(least), high=_or_none(most))
        watch, verdict = step(watch, seen, float(due), band or Band())
        if verdict is None:
            continue
        if verdict.change == "raise" and watch.firing is not None:
            red = float(day) if verdict.severity == "red" else None
            found.append(Alert(side=watch.firing, raised=float(day), red=red))
        elif verdict.change == "severity":
            last = found[-1]
            found[-1] = Alert(side=last.side, raised=last.raised, red=float(day))
        elif verdict.change == "clear":
            last = found[-1]
            found[-1] = Alert(side=last.side, raised=last.raised, cleared=float(day), red=last.red)
    return found


def episodes(days: Any, true: Any, plan: Any) -> list[Episode]:
    """The runs of days on which the truth is beyond the limit, oldest first."""
    off = np.round(np.asarray(true, float) - np.asarray(plan, float), 6)
    sides: list[Side | None] = ["behind" if d < -LIMIT_PP else "ahead" if d > LIMIT_PP else None for d in off]
    runs: list[Episode] = []
    previous: Side | None = None
    for day, side in zip(np.asarray(days, float), sides, strict=True):
        if side is not None and side == previous:
            runs[-1] = Episode(side=side, first=runs[-1].first, last=float(day))
        elif side is not None:
            runs.append(Episode(side=side, first=float(day), last=float(day)))
        previous = side
    return runs


def tally(raised: Sequence[Alert], due: Sequence[Episode], last_day: float) -> Tally:
    """How one trial went, by the rules at the top."""
    counted = [e for e in due if e.first + WITHIN_DAYS <= last_day]
    reds = [a for a in raised if a.red is not None]
    return Tally(
        trials=1,
        episodes=len(counted),
        found=sum(any(_stands(a, e) for a in raised) for e in counted),
        found_red=sum(any(_stands(a, e, red=True) for a in reds) for e in counted),
        raised=len(raised),
        right=sum(_is_right(a.side, a.raised, due) for a in raised),
        red=len(reds),
        red_right=sum(_is_right(a.side, a.red, due) for a in reds if a.red is not None),
    )


def trial(course: Course, days: Any, true: Any, said: Said, lag_pp: float) -> dict[str, Tally]:
    """One course under one slip: the model's tally and those of the three baselines, by name."""
    rng = np.random.default_rng([course.number, course.track == "reno", round(lag_pp) + 100])
    start = float(rng.uniform(_FIRST_DAY, _LAST_START))
    plan = planned(true, days, Slip(from_day=start, to_day=start + SPAN_DAYS, lag_pp=lag_pp))
    due = episodes(days, true, plan)
    none = np.full(np.shape(days), np.nan)
    words = {
        "model": (said.site, said.site_low, said.site_high),
        "calendar": (np.clip(100 * np.asarray(days) / course.days, 0, 100), none, none),
        "plan": (plan, none, none),
        "changed_area": (course.column("changed"), none, none),
    }
    return {
        name: tally(alerts(days, *word, plan), due, float(np.asarray(days)[-1]))
        for name, word in words.items()
    }


def judged(
    courses: Sequence[tuple[Course, Said]], lags_pp: Sequence[float] = QUIET_PP + LOUD_PP
) -> dict[str, Tally]:
    """All courses under all these slips, added up: the model and the baselines by name."""
    sums = {name: Tally() for name in ("model", "calendar", "plan", "changed_area")}
    for course, said in courses:
        days, true = course.column("day"), course.column("true")
        for lag in lags_pp:
            for name, one in trial(course, days, true, said, lag).items():
                sums[name] += one
    return sums


def _stands(alert: Alert, episode: Episode, *, red: bool = False) -> bool:
    begin = alert.red if red else alert.raised
    if alert.side != episode.side or begin is None:
        return False
    end = float("inf") if alert.cleared is None else alert.cleared
    return begin <= episode.first + WITHIN_DAYS and end >= episode.first


def _is_right(side: Side, day: float, due: Sequence[Episode]) -> bool:
    return any(e.side == side and e.first - WITHIN_DAYS <= day <= e.last + WITHIN_DAYS for e in due)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
