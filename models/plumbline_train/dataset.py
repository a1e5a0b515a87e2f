"""Rendered samples in shards: each shard follows from its number alone, so a run can be resumed or repeated."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import TRACKS, Track
from plumbline_edge.vision.preprocess import roi_box
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.families import CATALOGUES, Split
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import Render, render

SIZE_HW: Final = (192, 320)
SHARD: Final = 96
MAX_ZONES: Final = 72
_DAYS_PER_PROJECT: Final = 4
_DAYS: Final = 100
_WIDTHS: Final = (448, 640, 960)
_KEYS: Final = ("now", "day0", "stage", "aux", "zone", "percent", "weight", "track", "quality")


@dataclass(frozen=True, slots=True)
class Crop:
    """What of a picture the model is shown, and how it is stretched."""

    box: tuple[int, int, int, int]

    def cut(self, image: NDArray[Any], size_hw: tuple[int, int], *, nearest: bool) -> NDArray[Any]:
        import cv2  # noqa: PLC0415 - the names of families are wanted without it

        x0, y0, x1, y1 = self.box
        how = cv2.INTER_NEAREST if nearest else cv2.INTER_AREA
        return np.asarray(cv2.resize(image[y0:y1, x0:x1], (size_hw[1], size_hw[0]), interpolation=how))


def families_hash() -> str:
    """Names the families and their split; a model's card carries it."""
    text = json.dumps(
        {kind: {split: repr(sorted(c[split].items())) for split in c} for kind, c in CATALOGUES.items()}
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_shard(folder: Path, number: int, seed: int, split: Split = "train") -> Path:
    """Render shard `number` unless it is already there; complete or absent, never half."""
    path = folder / f"{split}-{seed}-{number:05d}.npz"
    if path.exists():
        return path
    import cv2  # noqa: PLC0415

    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, number, split == "holdout"])
    samples: list[dict[str, Any]] = []
    while len(samples) < SHARD:
        track = TRACKS[int(rng.integers(2))]
        samples += _project_samples(rng, track, split)
    columns: dict[str, Any] = {key: np.stack([sample[key] for sample in samples[:SHARD]]) for key in _KEYS}
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp.npz")
    np.savez(unfinished, **columns)
    unfinished.rename(path)
    return path


def _project_samples(rng: np.random.Generator, track: Track, split: Split) -> list[dict[str, Any]]:
    project = Project.sample(int(rng.integers(2**31)), track=track, days=_DAYS, split=split)
    width = int(_WIDTHS[int(rng.choice(3, p=(0.2, 0.6, 0.2)))])
    size = (width, width * 9 // 16)
    crop = Crop(_loose_box(rng, project, size))
    before = render(project, 0, Conditions.sample(rng), size)
    day0 = crop.cut(before.bgr, SIZE_HW, nearest=False)
    samples = []
    for _ in range(_DAYS_PER_PROJECT):
        day = _a_day(rng, project)
        conditions = Conditions.sample(rng, fault_share=0.14)
        samples.append(_sample(project, day, render(project, day, conditions, size), crop, day0))
    return samples


def _a_day(rng: np.random.Generator, project: Project) -> float:
    """Half of the days by the calendar, half by percent: the steep middle has few days."""
    if rng.random() < 0.5:
        return float(rng.uniform(0, project.days))
    wanted = rng.uniform(0, 100)
    days = np.linspace(0, project.days, 201)
    return float(np.interp(wanted, [project.percent(d) + i * 1e-9 for i, d in enumerate(days)], days))


def _loose_box(
    rng: np.random.Generator, project: Project, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The gateway's crop, or one a person might have drawn instead."""
    quad = project.facade_quad(size)
    if rng.random() < 0.5:
        return roi_box(quad, size)
    tight, loose = roi_box(quad, size, 0.04), roi_box(quad, size, 0.4)
    share = rng.uniform(0, 1, 4)
    x0, y0, x1, y1 = (round(a + (b - a) * s) for a, b, s in zip(tight, loose, share, strict=True))
    return x0, y0, x1, y1


def _sample(project: Project, day: float, shot: Render, crop: Crop, day0: NDArray[Any]) -> dict[str, Any]:
    height, width = SIZE_HW
    zones = project.floors * project.bays
    percent, weight = np.zeros(MAX_ZONES, np.float32), np.zeros(MAX_ZONES, np.float32)
    percent[:zones] = project.zone_percents(day).ravel() / 100
    weight[:zones] = np.asarray(project.weights).ravel()
    lost = shot.quality[3] + shot.quality[5] > 0
    aux = np.full_like(shot.aux, 255) if lost else shot.aux
    zone = np.where(shot.zone < 0, 255, shot.zone).astype(np.uint8)
    return {
        "now": crop.cut(shot.bgr, SIZE_HW, nearest=False)[:, :, ::-1], "day0": day0[:, :, ::-1],
        "stage": crop.cut(shot.stage, (height // 2, width // 2), nearest=True),
        "aux": crop.cut(aux, (height // 2, width // 2), nearest=True),
        "zone": crop.cut(zone, (height // 4, width // 4), nearest=True),
        "percent": percent, "weight": weight, "track": np.uint8(TRACKS.index(project.track)),
        "quality": np.asarray(shot.quality, np.float32),
    }  # fmt: skip
