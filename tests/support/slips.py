"""Simulated projects that leave their plan by a known amount, seen through a noisy photo model, judged by our rule.

Each project follows its plan, is off it by `slip_pp` from one day on, and comes back after three weeks. A photo a day; some days have
none, some photos are gated and say something absurd, some arrive after newer ones. Intervals are as wide as the noise: nine of ten hold. An *alert* is what
`deviation.step` raises. It is *right* where the truth has been strictly more than 5 points off on its side within the
last three valid photos. A slip of more than 5 points is *found* where its alert stands once three valid photos have
been taken since the truth went beyond.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from plumbline_central.deviation import Band, Seen, Watch, step
from plumbline_central.plan import PlanCurve

START = datetime(2026, 3, 1, 4, tzinfo=UTC)
DAYS = 60
LIMIT_PP = 5.0
WITHIN = 3
SLIPS = (0.0, -3.0, 3.0, -8.0, 8.0, -15.0, 15.0)
ON_THE_LINE = (-5.0, 5.0)
_Z90 = 1.645


def planned(day: float) -> float:
    """An S-curve that leaves room for 15 points to both sides while projects are off it."""
    share = min(1.0, max(0.0, day / DAYS))
    return 100 * share * share * (3 - 2 * share)


PLAN = PlanCurve(points=tuple((START + timedelta(days=day), planned(day)) for day in range(DAYS + 1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    seen: Seen
    day: int
    truth: float
    received: float


@dataclass(slots=True, kw_only=True)
class Tally:
    due: int = 0
    found: int = 0
    raised: int = 0
    right: int = 0
    from_flagged: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.due if self.due else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.raised if self.raised else 1.0


def project(rng: random.Random, slip_pp: float, sigma_pp: float) -> list[Photo]:
    """In the order in which the photos reach central."""
    first, last = rng.randint(18, 24), rng.randint(38, 44)
    photos = []
    for day in range(1, DAYS):
        grown = min(1.0, max(0.0, day - first + 1.0), max(0.0, (last + 3 - day) / 3))
        truth = min(100.0, max(0.0, planned(day) + slip_pp * grown))
        if rng.random() < 0.1:
            continue
        gated = rng.random() < 0.1
        word = rng.uniform(0, 100) if gated else min(100.0, max(0.0, rng.gauss(truth, sigma_pp)))
        half = _Z90 * sigma_pp
        seen = Seen(
            ref=str(day),
            at=START + timedelta(days=day),
            percent=None if gated and rng.random() < 0.5 else word,
            low=max(0.0, word - half),
            high=min(100.0, word + half),
            gate=("FOG_RAIN",) if gated else (),
        )
        late = rng.uniform(1.0, 3.0) if rng.random() < 0.05 else 0.0
        photos.append(Photo(seen=seen, day=day, truth=truth, received=day + late))
    return sorted(photos, key=lambda photo: photo.received)


def judge(photos: list[Photo], band: Band) -> Iterator[tuple[Photo, Watch, str]]:
    """Each photo with the watch after it, and what changed."""
    watch = Watch()
    for photo in photos:
        watch, verdict = step(watch, photo.seen, PLAN.due_at(photo.seen.at), band)
        yield photo, watch, verdict.change if verdict else ""


def tally(seed: int, slip_pp: float, sigma_pp: float, band: Band, into: Tally) -> None:
    """One project more."""
    recent: list[float] = []
    beyond = 0
    newest = -1
    found = due = False
    for photo, watch, change in judge(project(random.Random(seed), slip_pp, sigma_pp), band):
        counts = photo.seen.valid and photo.day > newest
        newest = max(newest, photo.day)
        off = photo.truth - planned(photo.day)
        if counts:
            recent = [*recent, off][-WITHIN:]
            beyond += abs(off) > LIMIT_PP and not due
        side = -1 if watch.firing == "behind" else 1
        if change == "raise":
            into.raised += 1
            into.right += any(side * one > LIMIT_PP for one in recent)
            into.from_flagged += not counts
        found |= bool(watch.firing) and side * slip_pp > LIMIT_PP and beyond > 0 and not due
        due |= beyond >= WITHIN
    into.due += abs(slip_pp) > LIMIT_PP
    into.found += found


def study(projects: int, sigma_pp: float, band: Band, slips: tuple[float, ...] = SLIPS) -> dict[float, Tally]:
    """By slip; the seeds are the same for every sigma and band."""
    found = {slip: Tally() for slip in slips}
    for slip, into in found.items():
        for seed in range(projects):
            tally(seed * 1_000 + int(slip) + 500, slip, sigma_pp, band, into)
    return found


def together(found: dict[float, Tally]) -> Tally:
    """Over all slips but those on the line, of which either answer is right."""
    total = Tally()
    for slip, one in found.items():
        if slip not in ON_THE_LINE:
            for name in ("due", "found", "raised", "right", "from_flagged"):
                setattr(total, name, getattr(total, name) + getattr(one, name))
    return total
