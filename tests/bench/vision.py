"""What a photo costs the gateway on one thread: milliseconds by step, and resident memory. Prints JSON lines.

The photos are of one simulated site, rendered in another process. Of each figure the least and the median are said: on a
machine that others use too, the least is nearest to what it costs, and time of the processor nearer than time. Usage: vision.py [MODEL_FOLDER]
"""

# ruff: noqa: PLC0415 - each import is part of what is measured
from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_PHOTOS = 12


def rss_mb():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * 4096 / 1e6, 1)


def peak_mb():
    """The most this process ever held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def say(**facts):
    print(json.dumps(facts))


def rendered(folder):
    """Photos made in another process, so that this one's memory is the gateway's alone; camera sizes of 1, 2, 8 and 20 MP."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_render, (str(folder),))


def _render(folder):
    import cv2
    import numpy as np

    from plumbline_sim.scene.conditions import Conditions
    from plumbline_sim.scene.project import Project
    from plumbline_sim.scene.render import render

    project = Project.sample(11, track="new", days=60)
    for i in range(_PHOTOS):
        shot = render(project, 2 * i, Conditions.workday(11, 2 * i), size=(1280, 720)).bgr
        for name, width in (("1MP", 1280), ("2MP", 1920), ("8MP", 3840), ("20MP", 6000)):
            image = cv2.resize(shot, (width, width * 9 // 16))
            cv2.imwrite(f"{folder}/{name}-{i:02d}-0.jpg", image)
        noise = np.random.default_rng(i)
        for n in range(3):
            again = np.clip(shot + noise.normal(0, 2, shot.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(f"{folder}/burst-{i:02d}-{n}.jpg", again)
    quad = [(x / 1280, y / 720) for x, y in project.facade_quad((1280, 720))]
    return quad, project.floors, project.bays, [project.percent(2 * i) for i in range(_PHOTOS)]


def main(folder):
    say(bench="vision", step="empty process", rss_mb=rss_mb())
    with tempfile.TemporaryDirectory() as made:
        site = rendered(made)
        judged(folder, Path(made), *site)


def judged(folder, photos, quad, floors, bays, truth):
    """The gateway's own modules from here on, and no more than one burst in memory."""
    import plumbline_edge.app
    import plumbline_edge.meters.wiring

    assert plumbline_edge.app.run
    say(bench="vision", step="gateway without cameras", rss_mb=rss_mb())
    held = rss_mb()
    from plumbline_edge.camera.capture import give_memory_back
    from plumbline_edge.settings import CameraSettings
    from plumbline_edge.vision.model import load

    say(bench="vision", step="imports", added_mb=round(rss_mb() - held, 1))
    began = time.perf_counter()
    model = load(folder)
    say(
        bench="vision", step="model loaded", model=model.card.id, ms=round(1e3 * (time.perf_counter() - began), 1),
        added_mb=round(rss_mb() - held, 1),
    )  # fmt: skip
    settings = CameraSettings(
        name="bench", url="http://127.0.0.1/", track="new", quad=tuple(quad), floors=floors, bays=bays
    )
    for name in ("1MP", "burst", "2MP", "8MP", "20MP"):
        files = [sorted(photos.glob(f"{name}-{i:02d}-*.jpg")) for i in range(_PHOTOS)]
        say(bench="vision", step="whole photo", camera=name, **course(files, settings, model, truth))
    give_memory_back()
    say(bench="vision", step="whole gateway", rss_mb=rss_mb(), peak_mb=peak_mb())
    steps([path.read_bytes() for path in sorted(photos.glob("burst-10-*.jpg"))], settings, model)


def course(files, settings, model, truth):
    """A burst every other day, each after the ones before it."""
    from plumbline_edge.camera.capture import give_memory_back, judge
    from plumbline_edge.camera.memory import Memory

    memory, costs, worked, off, gates, preview = Memory(), [], [], [], {}, 0
    for i, paths in enumerate(files):
        raws = [path.read_bytes() for path in paths]
        began, spent = time.perf_counter(), time.process_time()
        at = datetime(2026, 5, 1, 2, tzinfo=UTC) + timedelta(days=2 * i)
        judged = judge(raws, at, settings, lambda: model, memory)
        give_memory_back()
        memory, said = judged.memory, judged.captured.progress
        for reason in said.gate:
            gates[reason] = gates.get(reason, 0) + 1
        if said.percent is not None:
            costs.append(1e3 * (time.perf_counter() - began))
            worked.append(1e3 * (time.process_time() - spent))
            off.append(abs(said.percent - truth[i]))
            preview = max(preview, len(judged.captured.photo.jpeg))
    return {
        "photos": len(files), "cpu_ms_least": round(min(worked), 1), "cpu_ms_p50": round(statistics.median(worked), 1),
        "ms_least": round(min(costs), 1), "ms_p50": round(statistics.median(costs), 1),
        "ms_max": round(max(costs), 1), "rss_mb": rss_mb(), "peak_mb": peak_mb(), "gate": gates,
        "preview_bytes_most": preview, "mae_pp": round(statistics.mean(off), 2),
    }  # fmt: skip


def steps(raws, settings, model):
    from plumbline.stages import DEFAULT_VALUES
    from plumbline_edge.camera import align, burst, gate, image, privacy
    from plumbline_edge.camera.shot import facade_mask
    from plumbline_edge.vision.preprocess import to_input
    from plumbline_edge.vision.view import CANVAS_QUAD, View
    from plumbline_edge.vision.zones import pool

    frames = [image.decode(one, max_megapixels=24) for one in raws]
    picture = frames[0]
    height, width = picture.shape[:2]
    facades = facade_mask(settings.all_facades(), (height, width))
    view = View(settings.quad, (width, height), model.size_hw)
    canvas = view.cut(picture)
    x = to_input(canvas, None, model.size_hw)
    out = model.run(x, "new")
    reference = align.reference(picture, facades)
    alignment = align.find(picture, reference)
    seen = [(view, out.aux)]
    work = {
        "decode": lambda: image.decode(raws[0], max_megapixels=24),
        "gate": lambda: gate.measure(picture, facades),
        "align": lambda: align.find(picture, reference),
        "warp": lambda: align.warp(picture, alignment),
        "view": lambda: view.cut(picture),
        "to_input": lambda: to_input(canvas, None, model.size_hw),
        "model": lambda: model.run(x, "new"),
        "zones": lambda: pool(
            out.stage, out.aux, CANVAS_QUAD, settings.floors, settings.bays, DEFAULT_VALUES["new"]
        ),
        "gate of 3, median": lambda: burst.median(burst.usable(frames, facades)),
        "clear places": lambda: privacy.clear_mask(seen),
        "mask": lambda: privacy.mask(picture, privacy.clear_mask(seen), hfov_deg=70.0, distance_m=30.0),
        "day-0's features": lambda: align.reference(picture, facades, privacy.private_places(seen)),
    }
    for name, call in work.items():
        costs = []
        for _ in range(20):
            began = time.process_time()
            call()
            costs.append(1e3 * (time.process_time() - began))
        say(
            bench="vision",
            step=name,
            camera="1MP",
            cpu_ms_least=round(min(costs), 2),
            cpu_ms_p50=round(statistics.median(costs), 2),
        )


if __name__ == "__main__":
    from plumbline_edge.vision.model import shipped_folder

    main(Path(sys.argv[1]) if len(sys.argv) > 1 else shipped_folder())
