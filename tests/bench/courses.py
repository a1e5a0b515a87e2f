"""How far the gateway's percent is from the truth over whole simulated projects, and how often it cries wolf.

Each seed is a 60-day project of the demo with its slip, two photos a day, judged as the gateway judges them; alerts
by the default band. Usage: courses.py [TRACK] [SEED ...]
"""

from __future__ import annotations

import json
import statistics
import sys
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


def course(track: Track, seed: int, model: LazyModel) -> tuple[float, list[tuple[float, float]]]:
    """Mean error in percentage points, and (day, points) of every deviation alert."""
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
    memory, watch, errors, alerts = Memory(), Watch(), [], []
    for hours in range(-38, DAYS * 24, 24):
        for at in (BEGIN + timedelta(hours=hours + offset) for offset in (0, 4)):
            judged = judge(source.picture(at).jpeg, at, camera, model, memory, day0_until=BEGIN)
            memory, said = judged.memory, judged.captured.progress
            day = (at - BEGIN) / timedelta(days=1)
            if said.percent is None or day < 0:
                continue
            errors.append(abs(said.percent - project.percent(day)))
            seen = Seen(
                ref=said.photo, at=at, percent=said.percent, low=said.low, high=said.high, photo=said.photo
            )
            watch, verdict = step(watch, seen, project.planned_percent(day), Band())
            if verdict is not None and verdict.change == "raise":
                alerts.append((round(day, 1), round(said.percent - project.planned_percent(day), 1)))
    return statistics.fmean(errors), alerts


def main(track: Track, seeds: tuple[int, ...]) -> None:
    model = LazyModel(shipped_folder())
    means, true_alerts, false_alerts = [], 0, 0
    for seed in seeds:
        mean, alerts = course(track, seed, model)
        project = sample_project(seed, track, DAYS)
        false = [
            (day, points)
            for day, points in alerts
            if abs(project.percent(day) - project.planned_percent(day)) < 1
        ]
        means.append(mean)
        false_alerts += len(false)
        true_alerts += any(alert not in false for alert in alerts)
        print(
            json.dumps(
                {"seed": seed, "track": track, "mae_pp": round(mean, 2), "alerts": alerts, "false": false}
            ),
            flush=True,
        )
    how = {"track": track, "courses": len(seeds), "pictures": "renders of families seen in training"}
    machine.say("course_mae_median_pp", statistics.median(means), "pp", **how)
    machine.say("course_mae_worst_pp", max(means), "pp", **how)
    machine.say("courses_whose_slip_was_alerted", true_alerts, "courses", **how)
    machine.say("false_alerts", false_alerts, "alerts", **how)


if __name__ == "__main__":
    main(
        "reno" if sys.argv[1:2] == ["reno"] else "new",
        tuple(int(seed) for seed in sys.argv[2:]) or SEEDS,
    )
