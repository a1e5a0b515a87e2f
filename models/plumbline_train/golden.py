"""Small canvases with what the model said of them: a new machine, runtime or model is checked against these."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import DEFAULT_VALUES, TRACKS, Track
from plumbline_edge.vision.view import CANVAS_QUAD
from plumbline_edge.vision.zones import MIN_VISIBLE, ZoneReading, pool
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render
from plumbline_train.evaluate.looking import Judge

HIDDEN: Final = -1.0
"""Written for a zone that was not visible; one that is visible elsewhere is then off by more than any tolerance."""
_PICTURE: Final = (960, 540)
_FIRST_SEED: Final = 6_000_000_000
_DAYS: Final = 60
_SHARES: Final = (0.08, 0.25, 0.42, 0.58, 0.75, 0.95)
_LEVELS: Final = 8
"""Pictures are kept in steps of so many grey levels: what is checked is the runtime, and noise does not compress."""
_UNSURE: Final = 0.03


def write_golden(model: Path, folder: Path) -> None:
    """Six days of one unseen site per track: canvases as PNG, geometry and zone percents as JSON. Clears the folder."""
    import cv2  # noqa: PLC0415 - 40 MB, only for who judges

    judge = Judge(model)
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.json"), *folder.glob("*.png")):
        old.unlink()
    for number, track in enumerate(TRACKS):
        project = Project.sample(_FIRST_SEED + number, track=track, days=_DAYS, split="holdout")
        view = judge.view(project.facade_quad(_PICTURE), _PICTURE)
        day0 = _kept(view.cut(render(project, 0, Conditions.workday(number, 0), _PICTURE).bgr))
        cv2.imwrite(str(folder / f"{track}_day0.png"), day0)
        for share in _SHARES:
            day, now, readings = _case(judge, project, view, day0, share, track)
            stem = f"{track}_{round(100 * share):02d}"
            cv2.imwrite(str(folder / f"{stem}_now.png"), now)
            percents = [HIDDEN if r.percent is None else round(r.percent, 3) for r in readings]
            case = {
                "track": track, "floors": project.floors, "bays": project.bays, "quad": CANVAS_QUAD,
                "weights": project.weights, "true_percent": round(project.percent(day), 2),
                "zone_percents": np.reshape(percents, (project.floors, project.bays)).tolist(),
            }  # fmt: skip
            (folder / f"{stem}.json").write_text(json.dumps(case) + "\n", encoding="utf-8")


def _case(
    judge: Judge, project: Project, view: Any, day0: Any, share: float, track: Track
) -> tuple[float, NDArray[np.uint8], tuple[ZoneReading, ...]]:
    """The first day from `share` of the course on whose zones are clearly visible or clearly hidden."""
    for day in range(round(share * _DAYS), _DAYS + 1):
        now = _kept(view.cut(render(project, day, Conditions.workday(7, day), _PICTURE).bgr))
        outputs = judge.look(now, day0, track)
        readings = pool(
            outputs.stage, outputs.aux, CANVAS_QUAD, project.floors, project.bays, DEFAULT_VALUES[track]
        )
        if all(abs(r.visible - MIN_VISIBLE) > _UNSURE for r in readings):
            break
    return float(day), now, readings


def _kept(canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The canvas in coarse steps, as it is written and as it is judged."""
    return np.asarray(canvas // _LEVELS * _LEVELS + _LEVELS // 2, np.uint8)
