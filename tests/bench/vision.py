"""What a photo costs the gateway: milliseconds by step and resident memory. Prints JSON lines.

python tests/bench/vision.py [MODEL_FOLDER]
"""

# ruff: noqa: PLC0415 - each import is part of what is measured
from __future__ import annotations

import json
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_PHOTOS = 30


def rss_mb():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * 4096 / 1e6, 1)


def say(**facts):
    print(json.dumps(facts))


def rendered(folder):
    """Photos made in another process, so that this one's memory is the gateway's alone; camera sizes of 1, 2, 8 and 20 MP."""
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_render, (str(folder),))


def _render(folder):
    import cv2

    from plumbline_sim.scene.conditions import Conditions
    from plumbline_sim.scene.project import Project
    from plumbline_sim.scene.render import render

    project = Project.sample(11, track="new", days=60)
    for i in range(_PHOTOS):
        shot = render(project, 2 * i, Conditions.workday(11, 2 * i), size=(1280, 720)).bgr
        for name, width in (("1MP", 1280), ("2MP", 1920), ("8MP", 3840), ("20MP", 6000)):
            image = cv2.resize(shot, (width, width * 9 // 16))
            cv2.imwrite(f"{folder}/{name}-{i:02d}.jpg", image)
    quad = [(x / 1280, y / 720) for x, y in project.facade_quad((1280, 720))]
    return quad, project.floors, project.bays, [project.percent(2 * i) for i in range(_PHOTOS)]


def main(folder):
    import tempfile

    say(bench="vision", step="empty process", rss_mb=rss_mb())
    with tempfile.TemporaryDirectory() as made:
        quad, floors, bays, truth = rendered(made)
        photos = {
            name: [path.read_bytes() for path in sorted(Path(made).glob(f"{name}-*.jpg"))]
            for name in ("1MP", "2MP", "8MP", "20MP")
        }
    held = rss_mb()
    from plumbline_edge.camera.capture import give_memory_back, judge
    from plumbline_edge.camera.memory import Memory
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
    begin = datetime(2026, 5, 1, 2, tzinfo=UTC)
    for name, pictures in photos.items():
        memory, costs, off, gates = Memory(), [], [], {}
        for i, raw in enumerate(pictures):
            began = time.perf_counter()
            judged = judge(raw, begin + timedelta(days=2 * i), settings, lambda: model, memory)
            give_memory_back()
            costs.append(1e3 * (time.perf_counter() - began))
            memory = judged.memory
            for reason in judged.captured.progress.gate:
                gates[reason] = gates.get(reason, 0) + 1
            if judged.captured.progress.percent is not None:
                off.append(abs(judged.captured.progress.percent - truth[i]))
        say(
            bench="vision", step="whole photo", camera=name, photos=len(pictures),
            ms_p50=round(statistics.median(costs), 1), ms_max=round(max(costs), 1),
            added_mb=round(rss_mb() - held, 1), gate=gates, preview_bytes=len(judged.captured.photo.jpeg),
            mae_pp=round(statistics.mean(off), 2) if off else None,
        )  # fmt: skip
    steps(photos["2MP"][10], settings, model)


def steps(raw, settings, model):
    from plumbline.stages import DEFAULT_VALUES
    from plumbline_edge.camera import align, gate, image, privacy
    from plumbline_edge.camera.shot import facade_mask
    from plumbline_edge.vision.preprocess import to_input
    from plumbline_edge.vision.view import CANVAS_QUAD, View
    from plumbline_edge.vision.zones import pool

    picture = image.decode(raw, max_megapixels=24)
    height, width = picture.shape[:2]
    facades = facade_mask(settings.all_facades(), (height, width))
    view = View(settings.quad, (width, height), model.size_hw)
    canvas = view.cut(picture)
    x = to_input(canvas, None, model.size_hw)
    out = model.run(x, "new")
    reference = align.reference(picture, facades)
    alignment = align.find(picture, reference)
    work = {
        "decode": lambda: image.decode(raw, max_megapixels=24),
        "gate": lambda: gate.measure(picture, facades),
        "align": lambda: align.find(picture, reference),
        "warp": lambda: align.warp(picture, alignment),
        "view": lambda: view.cut(picture),
        "to_input": lambda: to_input(canvas, None, model.size_hw),
        "model": lambda: model.run(x, "new"),
        "zones": lambda: pool(
            out.stage, out.aux, CANVAS_QUAD, settings.floors, settings.bays, DEFAULT_VALUES["new"]
        ),
        "mask": lambda: privacy.mask(
            picture, privacy.clear_mask([(view, out.aux)]), hfov_deg=70.0, distance_m=30.0
        ),
    }
    for name, call in work.items():
        costs = []
        for _ in range(20):
            began = time.perf_counter()
            call()
            costs.append(1e3 * (time.perf_counter() - began))
        say(bench="vision", step=name, camera="2MP", ms_p50=round(statistics.median(costs), 2))


if __name__ == "__main__":
    from plumbline_edge.vision.model import shipped_folder

    main(Path(sys.argv[1]) if len(sys.argv) > 1 else shipped_folder())
