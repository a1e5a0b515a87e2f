"""What the gate finds without the model, on renders and on real facades. Prints JSON lines.

python tests/bench/gate.py [PROJECTS]
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from plumbline_edge.camera import align, burst, gate
from plumbline_edge.camera.baseline import Baseline
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render

SIZE, ROOMY = (1280, 720), (1600, 900)
FAULTS = ("dark", "blur", "fog_rain", "obstructed", "lens_dirt", "not_a_site")
MOVES = (0, 0, 1, 2, 3, 5, 8)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
DATA = Path(os.environ.get("PLUMBLINE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def say(**facts):
    print(json.dumps({"bench": "gate", **facts}), flush=True)


def weather(rng, **changed):
    """Anything a year brings by day."""
    conditions = Conditions.sample(rng)
    hour = conditions.hour if conditions.daylight >= 0.3 else float(rng.uniform(9, 15.5))
    return dataclasses.replace(conditions, hour=hour, **changed)


def mask_of(corners, size):
    mask = np.zeros((size[1], size[0]), np.uint8)
    cv2.fillConvexPoly(mask, np.array(corners).astype(np.int32), 1)
    return mask > 0


def first_photos(projects):
    """Each judged as if it were the camera's first: no baseline, no day 0."""
    codes = defaultdict(Counter)
    for seed in range(projects):
        rng = np.random.default_rng([seed, 1])
        project = Project.sample(20_000 + seed, track=("new", "reno")[seed % 2], days=120)
        facade = mask_of(project.facade_quad(SIZE), SIZE)
        for kind in ("good",) * 4 + FAULTS * 2:
            fault = None if kind == "good" else kind
            shot = render(project, float(rng.uniform(0, 120)), weather(rng, fault=fault), SIZE).bgr
            reasons = gate.refused_by_itself(gate.measure(shot, facade))
            codes[kind].update({"photos": 1, "refused": bool(reasons), **dict.fromkeys(reasons, 1)})
    for kind, counts in codes.items():
        photos = counts.pop("photos")
        say(
            step="first photo",
            kind=kind,
            photos=photos,
            **{k: round(n / photos, 3) for k, n in counts.items()},
        )


def moves(projects):
    """A day-0 picture, later the same site in another season from a camera moved by some percent of the width."""
    rows = defaultdict(list)
    for seed in range(projects):
        rng = np.random.default_rng([seed, 2])
        project = Project.sample(30_000 + seed, track=("new", "reno")[seed % 2], days=120)
        margin = (np.array(ROOMY) - SIZE) / 2
        corners = np.array(project.facade_quad(ROOMY)) - margin
        facade, kept = mask_of(corners, SIZE), None
        for percent in (None, *MOVES):
            turn, zoom = (rng.uniform(-0.8, 0.8), rng.uniform(0.98, 1.02)) if percent else (0, 1)
            matrix = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), turn, zoom)
            angle = rng.uniform(0, 2 * np.pi)
            matrix[:, 2] += np.array((np.cos(angle), np.sin(angle))) * (percent or 0) / 100 * SIZE[0]
            whole = matrix @ np.array([[1, 0, -margin[0]], [0, 1, -margin[1]], [0, 0, 1]])
            day = rng.uniform(0, 8) if percent is None else rng.uniform(5, 118)
            shot = render(project, float(day), weather(rng, jitter_px=(0.0, 0.0)), ROOMY).bgr
            shot = cv2.warpAffine(shot, whole, SIZE)
            if percent is None:
                kept = align.reference(shot, facade)
                continue
            found = align.find(shot, kept)
            reasons = gate.judge(gate.measure(shot, facade), Baseline(), found, NOW, None)
            there = corners @ matrix[:, :2].T + matrix[:, 2]
            back = cv2.perspectiveTransform(there[None], found.homography)[0]
            rows[percent].append(
                (reasons, found.inliers, float(np.linalg.norm(back - corners, axis=1).max()))
            )
    for percent, told in sorted(rows.items()):
        judged = [error for reasons, _, error in told if not reasons]
        say(
            step="moved", percent=percent, photos=len(told),
            refused=round(1 - len(judged) / len(told), 3),
            moved=round(sum("MOVED" in reasons for reasons, *_ in told) / len(told), 3),
            few_inliers=round(sum(inliers < 25 for _, inliers, _ in told) / len(told), 3),
            judged_off_px=[round(float(v), 1) for v in np.percentile(judged, (50, 95, 100))] if judged else None,
        )  # fmt: skip


def real_facades():
    """Real photos as they are and spoilt."""
    for folder in ("facades_stpetersburg", "facades_swiss"):
        codes = Counter()
        paths = sorted((DATA / "photos" / folder / "images").glob("*"))
        for path in paths:
            image = cv2.imread(str(path))
            image = cv2.resize(
                image, (1280, image.shape[0] * 1280 // image.shape[1]), interpolation=cv2.INTER_AREA
            )
            height, width = image.shape[:2]
            facade = np.zeros((height, width), bool)
            facade[height // 5 : height * 17 // 20, width // 5 : width * 4 // 5] = True
            codes.update(gate.refused_by_itself(gate.measure(image, facade)))
        say(step="real", folder=folder, photos=len(paths), **codes)


def speed():
    rng = np.random.default_rng(0)
    project = Project.sample(11, track="new", days=60)
    frames = [render(project, 20, weather(rng), SIZE).bgr for _ in range(5)]
    facade = mask_of(project.facade_quad(SIZE), SIZE)
    kept = align.reference(frames[0], facade)
    found = dataclasses.replace(
        align.find(frames[0], kept), homography=np.array([[1, 0, 9.0], [0, 1, 3], [0, 0, 1]])
    )
    steps = {
        "measure": lambda: gate.measure(frames[1], facade), "reference": lambda: align.reference(frames[0], facade),
        "find": lambda: align.find(frames[1], kept), "warp": lambda: align.warp(frames[1], found),
        "median of 5": lambda: burst.median(frames),
    }  # fmt: skip
    for name, step in steps.items():
        took = []
        for _ in range(9):
            began = time.thread_time()
            step()
            took.append(time.thread_time() - began)
        say(step=name, cpu_ms=round(1e3 * float(np.median(took)), 1))
    say(step="reference file", bytes=len(kept.to_bytes()))


if __name__ == "__main__":
    cv2.setNumThreads(1)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    speed()
    real_facades()
    first_photos(count)
    moves(count)
