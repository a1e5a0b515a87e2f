"""What a zone's course makes of noisy photos: bias and error of the site's percent, and how soon a fall is said.

Courses are those of simulated projects, percents their truth with noise: no picture, no model. The constants of
plumbline_edge.vision.course were chosen on odd seeds; what is printed is of even ones. `added_pp` is the bias on top of
the photos' own. Usage: filter.py [choose]
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import machine
import numpy as np

from plumbline.stages import TRACKS
from plumbline_edge.vision.course import Course, step
from plumbline_sim.scene.project import Project

DAYS = 60
BEGIN = datetime(2026, 5, 1, 10, tzinfo=UTC)
ODD, EVEN = range(1, 41, 2), range(2, 42, 2)
CAMERA_PP = 4.0
"""How far off a camera's model may be in every photo; half of the cameras above, half below."""
_NINETY = 1.645


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One project: [days + 1, zones] in percent, and its zones' weights."""

    truth: Any
    weights: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Of one site: mean and mean absolute error of the photos and of the courses; falls said though there were none."""

    photo_bias: float
    photo_mae: float
    bias: float
    mae: float
    false: int


def sites(seeds):
    made = []
    for track in TRACKS:
        for seed in seeds:
            project = Project.sample(seed, track=track, days=DAYS)
            truth = np.array([project.zone_percents(day).ravel() for day in range(DAYS + 1)])
            made.append(Site(truth=truth, weights=np.array(project.weights).ravel()))
    return made


def told(site, every, sigma, camera_pp, rng):
    """One site photographed `every` so many days by a camera that is off by `camera_pp`."""
    days = range(0, DAYS + 1, every)
    truth = site.truth[list(days)]
    photos = np.clip(truth + camera_pp + rng.normal(0, sigma, truth.shape), 0, 100) if sigma else truth
    courses, false = [Course()] * truth.shape[1], 0
    levels = np.empty_like(photos)
    for row, day in enumerate(days):
        for zone, percent in enumerate(photos[row]):
            courses[zone], regress = step(
                courses[zone], float(percent), 1.0, BEGIN + timedelta(days=day), half_pp=_NINETY * sigma
            )
            levels[row, zone] = courses[zone].level
            false += regress is not None
    seen, said = (photos - truth) @ site.weights, (levels - truth) @ site.weights
    return Told(
        photo_bias=float(seen.mean()), photo_mae=float(np.abs(seen).mean()),
        bias=float(said.mean()), mae=float(np.abs(said).mean()), false=false,
    )  # fmt: skip


def falls(sigma, rng, zones=400):
    """Days from a fall of 40 points until it is said, and how far the zone is off four and more days after it."""
    after, off = [], []
    for _ in range(zones):
        course, said = Course(), None
        for day in range(24):
            true = min(20.0 + 5 * day, 70.0) if day < 14 else 30.0
            percent = float(np.clip(true + rng.normal(0, sigma), 0, 100)) if sigma else true
            course, regress = step(course, percent, 1.0, BEGIN + timedelta(days=day), half_pp=_NINETY * sigma)
            said = day - 13 if regress is not None and said is None and day > 13 else said
            if day >= 18:
                off.append(abs(course.level - true))
        after.append(said if said is not None else 99)
    return after, off


def main(seeds):
    made = sites(seeds)
    for sigma in (0.0, 3.0, 6.0, 9.0):
        for every in (1, 2, 4, 7):
            for camera_pp in (0.0, CAMERA_PP) if sigma else (0.0,):
                rng = np.random.default_rng(7)
                all_told = [
                    told(site, every, sigma, camera_pp * (-1) ** i, rng) for i, site in enumerate(made)
                ]
                how = {
                    "every_days": every,
                    "zone_noise_pp": sigma,
                    "camera_pp": camera_pp,
                    "sites": len(made),
                }
                means = {
                    name: statistics.fmean(getattr(one, name) for one in all_told)
                    for name in ("bias", "photo_bias", "mae", "photo_mae")
                }
                machine.say("site_bias", round(means["bias"], 2), "pp", **how)
                machine.say("site_bias_added", round(means["bias"] - means["photo_bias"], 2), "pp", **how)
                machine.say(
                    "site_mae", round(means["mae"], 3), "pp", photos=round(means["photo_mae"], 3), **how
                )
                machine.say("false_falls", sum(one.false for one in all_told), "zones", **how)
        after, off = falls(sigma, np.random.default_rng(8))
        machine.say(
            "fall_said_within_4_days",
            sum(days <= 4 for days in after) / len(after),
            "share",
            zone_noise_pp=sigma,
        )
        machine.say(
            "fall_said_after_days", statistics.fmean(after), "days", worst=max(after), zone_noise_pp=sigma
        )
        machine.say(
            "zone_off_after_fall", statistics.fmean(off), "pp", worst=round(max(off), 1), zone_noise_pp=sigma
        )


if __name__ == "__main__":
    main(ODD if sys.argv[1:] == ["choose"] else EVEN)
