"""What a rendered scene costs: milliseconds a frame in one process, by the wall clock and of processor time, by size and
by how fine it is drawn. Prints JSON lines.

On a busy machine processor time, of all threads together, is the figure to compare.

Usage: scene.py [FRAMES]
"""

from __future__ import annotations

import statistics
import sys
import time

import machine

from plumbline.stages import TRACKS
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render

SIZES = ((640, 360), (1280, 720))
SEEDS = (1, 2, 3, 4)
FINER = (1.0, 1.5)
_DAYS = 100


def main(frames: int) -> None:
    began = time.perf_counter()
    render(Project.sample(1, track="new", days=_DAYS), 50, Conditions(), SIZES[0])
    machine.say("first frame", 1e3 * (time.perf_counter() - began), "ms", size="640x360")
    for size in SIZES:
        for finer in FINER:
            for track in TRACKS:
                walls, processors = zip(*timed(track, size, finer, frames), strict=True)
                shown = {"size": f"{size[0]}x{size[1]}", "finer": finer, "track": track, "frames": frames}
                machine.say("frame, median", statistics.median(walls), "ms", **shown)
                machine.say("frame, slowest", max(walls), "ms", **shown)
                machine.say("processor time of a frame, median", statistics.median(processors), "ms", **shown)


def timed(track: str, size: tuple[int, int], finer: float, frames: int) -> list[tuple[float, float]]:
    """Milliseconds by the clock and of processor time of each of `frames` days, spread over the works and over several buildings in turn.

    Each building's first frame, which compiles what shaders it is the first to need, is drawn before the count.
    """
    projects = [Project.sample(seed, track=track, days=_DAYS) for seed in SEEDS]
    for project in projects:
        for day in (5, 50, 95):
            render(project, day, Conditions(), size, finer=finer)
    costs = []
    for number in range(frames):
        day = (number + 0.5) * _DAYS / frames
        conditions = Conditions.workday(number, int(day))
        began, worked = time.perf_counter(), time.process_time()
        render(projects[number % len(projects)], day, conditions, size, finer=finer)
        costs.append((1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - worked)))
    return costs


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
