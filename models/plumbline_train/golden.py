"""Small pictures with what the model said of them: a new machine, runtime or model is checked against these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

from plumbline.stages import TRACKS
from plumbline_edge.vision.preprocess import roi_box
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render
from plumbline_train.evaluate import Judge, pool

_PICTURE: Final = (960, 540)
_FIRST_SEED: Final = 6_000_000_000
_SHARES: Final = (0.22, 0.5, 0.78)


def write_golden(model: Path, folder: Path) -> None:
    """Three days of one unseen site per track: both crops as PNG, geometry and zone percents as JSON."""
    import cv2  # noqa: PLC0415

    judge = Judge(model)
    folder.mkdir(parents=True, exist_ok=True)
    height, width = judge.size_hw
    for number, track in enumerate(TRACKS):
        project = Project.sample(_FIRST_SEED + number, track=track, days=60)
        quad = np.asarray(project.facade_quad(_PICTURE))
        x0, y0, x1, y1 = roi_box([(float(x), float(y)) for x, y in quad], _PICTURE)
        shares = (quad - (x0, y0)) / (x1 - x0, y1 - y0)
        crops = []
        for day in (0.0, *(share * project.days for share in _SHARES)):
            shot = render(project, day, Conditions.workday(number, int(day)), _PICTURE).bgr[y0:y1, x0:x1]
            crops.append(cv2.resize(shot, (width, height), interpolation=cv2.INTER_AREA))
        cv2.imwrite(str(folder / f"{track}_day0.png"), crops[0])
        for share, now in zip(_SHARES, crops[1:], strict=True):
            day = share * project.days
            stage, aux, _ = judge.look(now, crops[0], track)
            pooled = pool(stage, aux, shares, project.floors, project.bays, project.values)
            stem = f"{track}_{round(100 * share)}"
            cv2.imwrite(str(folder / f"{stem}_now.png"), now)
            case = {
                "track": track, "floors": project.floors, "bays": project.bays, "quad": shares.round(6).tolist(),
                "weights": project.weights, "true_percent": round(project.percent(day), 2),
                "zone_percents": pooled.percent.round(3).tolist(),
            }  # fmt: skip
            (folder / f"{stem}.json").write_text(json.dumps(case) + "\n", encoding="utf-8")
