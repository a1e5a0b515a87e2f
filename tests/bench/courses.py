"""How far the gateway's percent is from the truth over whole simulated projects, and how often it cries wolf.

Each seed is a 60-day project of the demo with its slip, two photos a day, judged by the very function the gateway
calls, from the camera's bytes on; alerts by the default band. `plumbline model evaluate` measures more and on families
training never saw, from its own composition of the same parts: this is what shows that the two agree.
Usage: courses.py [TRACK] [SEED ...]
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import machine

from plumbline.stages import Track
from plumbline_central.deviation import Band, Seen, Watch, step
from plumbline_edge.camera.capture import LazyModel, judge
from plumbline_edge.camera.memory import Memory
from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.model import shipped_folder
from plumbline_sim.camera import SceneSource
from plumbline_sim.demo.stage import ZONE, sample_project

DAYS = 60
SEEDS = tuple(range(1, 15))
BEGIN = datetime(2026, 3, 4, tzinfo=ZONE).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of one course: errors in points, whether each interval held, alerts as (day, points), refusals."""

    errors: list[float]
    held: list[bool]
    alerts: list[tuple[float, float]]
    refused: int


def course(track: Track, seed: int, model: LazyModel) -> Told:
    """One project from two days before its works to its end."""
    project = sample_project(seed, track, DAYS)
    source = SceneSource(project, begin=BEGIN)
    width, height = source.size
    camera = CameraSettings(
        name="east",
        url="http://127.0.0.1/",
        track=track,
        floors=project.floors,
        bays=project.bays,
        weights=project.weights,
        quad=tuple((x / width, y / height) for x, y in project.facade_quad(source.size)),
    )
    memory, watch, errors, held, alerts, refused = Memory(), Watch(), [], [], [], 0
    for hours in range(-38, DAYS * 24, 24):
        for at in (BEGIN + timedelta(hours=hours + offset) for offset in (0, 4)):
            local = at.astimezone(ZONE)  # a zone's course goes by the site's days
            judged = judge(source.picture(at).jpeg, local, camera, model, memory, day0_until=BEGIN)
            memory, said = judged.memory, judged.captured.progress
            day = (at - BEGIN) / timedelta(days=1)
            if day < 0:
                continue
            if said.percent is None:
                refused += 1
                continue
            true = project.percent(day)
            errors.append(abs(said.percent - true))
            held.append(said.low is not None and said.high is not None and said.low <= true <= said.high)
            seen = Seen(
                ref=said.photo, at=at, percent=said.percent, low=said.low, high=said.high, photo=said.photo
            )
            watch, verdict = step(watch, seen, project.planned_percent(day), Band())
            if verdict is not None and verdict.change == "raise":
                alerts.append((round(day, 1), round(said.percent - project.planned_percent(day), 1)))
    return Told(errors=errors, held=held, alerts=alerts, refused=refused)


def main(track: Track, seeds: tuple[int, ...]) -> None:
    model = LazyModel(shipped_folder())
    means, held, true_alerts, false_alerts = [], [], 0, 0
    for seed in seeds:
        told = course(track, seed, model)
        project = sample_project(seed, track, DAYS)
        false = [
            (day, points)
            for day, points in told.alerts
            if abs(project.percent(day) - project.planned_percent(day)) < 1
        ]
        means.append(statistics.fmean(told.errors))
        held += told.held
        false_alerts += len(false)
        true_alerts += any(alert not in false for alert in told.alerts)
        line = {
            "seed": seed, "track": track, "mae_pp": round(means[-1], 2), "held": round(statistics.fmean(told.held), 3),
            "refused": told.refused, "alerts": told.alerts, "false": false,
        }  # fmt: skip
        print(json.dumps(line), flush=True)
    how = {"track": track, "courses": len(seeds), "pictures": "renders of families seen in training"}
    machine.say("course_mae_median_pp", statistics.median(means), "pp", **how)
    machine.say("course_mae_worst_pp", max(means), "pp", **how)
    machine.say("course_interval_holds", statistics.fmean(held), "share", **how)
    machine.say("courses_whose_slip_was_alerted", true_alerts, "courses", **how)
    machine.say("false_alerts", false_alerts, "alerts", **how)


if __name__ == "__main__":
    main(
        "reno" if sys.argv[1:2] == ["reno"] else "new",
        tuple(int(seed) for seed in sys.argv[2:]) or SEEDS,
    )
