"""Rendered samples in shards: each shard follows from the recipe and its number, so a run can be resumed or repeated.

A sample is one facade on its canvas, as the gateway cuts it, with the truth of that canvas. Samples of one camera
stand together: two lights of one day, then other days, for the losses that compare pictures.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError
from plumbline.stages import AUX_CLASSES, QUALITY_CLASSES, TRACKS, Track
from plumbline_edge.vision.view import CANVAS_HW, View
from plumbline_sim import scene
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.families import CATALOGUES, Split
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import Render, render

SIZE_HW: Final = CANVAS_HW
MAX_ZONES: Final = 240
"""The largest facade a sample can hold: 17 floors x 14 bays."""
SHARD: Final = 96
SHOTS: Final = 4
"""Samples of one camera: two lights of one day, and two other days."""
UNKNOWN: Final = 255
"""In the maps: no truth here, or not in the picture."""
_MAP_HW: Final = (SIZE_HW[0] // 2, SIZE_HW[1] // 2)
_DAYS: Final = 100
_PERSON: Final = AUX_CLASSES.index("person")
_LOST: Final = (QUALITY_CLASSES.index("obstructed"), QUALITY_CLASSES.index("not_a_site"))

SAMPLE: Final = np.dtype(
    [
        ("now", np.uint8, (*SIZE_HW, 3)), ("day0", np.uint8, (*SIZE_HW, 3)),  # RGB
        ("stage", np.uint8, _MAP_HW), ("aux", np.uint8, _MAP_HW),
        ("percent", np.float32, MAX_ZONES), ("weight", np.float32, MAX_ZONES),  # 0..1, in the order of zone_ids
        ("quality", np.float32, len(QUALITY_CLASSES)),  # below 0: unknown
        ("floors", np.uint8), ("bays", np.uint8), ("track", np.uint8),
        ("camera", np.int64), ("day", np.float32),  # camera -1: nothing to compare with
    ]
)  # fmt: skip
"""One sample; a shard is a .npy file of them, which can be read without being loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is rendered; the same recipe renders the same samples."""

    seed: int = 1
    split: Split = "train"
    sizes: tuple[tuple[int, int], ...] = ((512, 288), (560, 315), (640, 360))
    finer: float = 1.15
    """How much finer than its picture a scene is drawn; most of a render's time goes with its square."""
    reno_share: float = 0.55
    """Stages of a renovation differ less to the eye and take longer to learn."""
    fault_share: float = 0.2
    by_percent: float = 0.65
    """Share of days drawn by percent instead of by calendar: the steep middle has few days."""
    corner_off: float = 0.012
    """How far a person clicks beside a corner: standard deviation in shares of the facade."""


def families_hash() -> str:
    """Names the families and their split; a model's card carries it."""
    text = json.dumps(
        {kind: {split: repr(sorted(c[split].items())) for split in c} for kind, c in CATALOGUES.items()}
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def renderer_hash() -> str:
    """Names the renderer by its files' content."""
    digest = hashlib.sha256()
    for folder in sorted(scene.__path__):
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def dataset_hash(recipe: Recipe, photos: str = "") -> str:
    """Names the samples: families, renderer, recipe, and `photos` where real ones are mixed in."""
    parts = [families_hash(), renderer_hash(), asdict(recipe), repr(SAMPLE), SHARD, SHOTS, photos]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def render_shards(
    folder: Path, recipe: Recipe, count: int, *, workers: int, report: Callable[[int], None]
) -> list[Path]:
    """The first `count` shards, rendering those that are not there yet; `report` hears how many are done."""
    kept = folder / dataset_hash(recipe)
    kept.mkdir(parents=True, exist_ok=True)
    paths = [_shard_path(kept, number) for number in range(count)]
    missing = [number for number, path in enumerate(paths) if not path.exists()]
    report(count - len(missing))
    if missing:
        # spawn: a GL context or an OpenCV thread pool does not survive a fork
        with multiprocessing.get_context("spawn").Pool(min(workers, len(missing))) as pool:
            jobs = pool.imap_unordered(_write_shard, [(kept, recipe, number) for number in missing])
            for done, _ in enumerate(jobs, 1):
                report(count - len(missing) + done)
    return paths


def write_shard(folder: Path, recipe: Recipe, number: int) -> Path:
    """Render shard `number` unless it is already there; complete or absent, never half."""
    path = _shard_path(folder, number)
    if path.exists():
        return path
    import cv2  # noqa: PLC0415 - the names of families are wanted without it

    cv2.setNumThreads(1)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.save(file, shard(recipe, number))
    unfinished.rename(path)
    return path


def shard(recipe: Recipe, number: int, count: int = SHARD) -> NDArray[Any]:
    """The first `count` samples of shard `number`."""
    rng = np.random.default_rng([recipe.seed, number, recipe.split == "holdout"])
    samples = np.zeros(count, SAMPLE)
    for first in range(0, count, SHOTS):
        part = samples[first : first + SHOTS]
        _fill(part, rng, recipe, camera=number * SHARD + first)
    return samples


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.npy"


def _write_shard(job: tuple[Path, Recipe, int]) -> Path:
    return write_shard(*job)


def _fill(samples: NDArray[Any], rng: np.random.Generator, recipe: Recipe, camera: int) -> None:
    """One camera's samples: the same facade and day-0 photo, other days and other weather."""
    track = TRACKS[int(rng.random() < recipe.reno_share)]
    size = recipe.sizes[int(rng.integers(len(recipe.sizes)))]
    project = _project(rng, track, recipe.split)
    view = View(_clicked(project.facade_quad(size), size, rng, recipe.corner_off), size)
    day0 = view.cut(render(project, 0, Conditions.sample(rng), size, finer=recipe.finer).bgr)[:, :, ::-1]
    days = [_a_day(rng, project, recipe.by_percent) for _ in range(SHOTS - 1)]
    for index, day in enumerate((days[0], *days)[: len(samples)]):
        conditions = Conditions.sample(rng, fault_share=recipe.fault_share)
        _write(samples[index], project, day, render(project, day, conditions, size, finer=recipe.finer), view)
        samples[index]["day0"], samples[index]["camera"] = day0, camera


def _project(rng: np.random.Generator, track: Track, split: Split) -> Project:
    while True:
        project = Project.sample(int(rng.integers(2**31)), track=track, days=_DAYS, split=split)
        if project.floors * project.bays <= MAX_ZONES:
            return project


def _clicked(
    corners: Sequence[tuple[float, float]], size: tuple[int, int], rng: np.random.Generator, off: float
) -> tuple[tuple[float, float], ...]:
    """The corners in shares of the picture as a person would click them, each a little beside."""
    exact = np.asarray(corners, float) / size
    beside = np.clip(rng.normal(0, off, (4, 2)), -2 * off, 2 * off) * (exact.max(0) - exact.min(0))
    return tuple((float(x), float(y)) for x, y in exact + beside)


def _a_day(rng: np.random.Generator, project: Project, by_percent: float) -> float:
    if rng.random() >= by_percent:
        return float(rng.uniform(0, project.days))
    days = np.linspace(0, project.days, 201)
    course = np.maximum.accumulate([project.percent(float(d)) for d in days]) + np.arange(201) * 1e-9
    return float(np.interp(rng.uniform(0, 100), course, days))


def _write(sample: Any, project: Project, day: float, shot: Render, view: View) -> None:
    zones = project.floors * project.bays
    sample["now"] = view.cut(shot.bgr)[:, :, ::-1]
    sample["stage"] = view.cut_classes(shot.stage, UNKNOWN)[::2, ::2]
    lost = any(shot.quality[index] > 0 for index in _LOST)
    sample["aux"] = UNKNOWN if lost else _halved(view.cut_classes(shot.aux, UNKNOWN))
    sample["percent"][:zones] = project.zone_percents(day).ravel() / 100
    sample["weight"][:zones] = np.asarray(project.weights).ravel()
    sample["quality"] = shot.quality
    sample["floors"], sample["bays"] = project.floors, project.bays
    sample["track"], sample["day"] = TRACKS.index(project.track), day


def _halved(aux: NDArray[Any]) -> NDArray[Any]:
    """Every second pixel; a person, who may be two pixels wide, is kept wherever one of the four shows any."""
    half = np.array(aux[::2, ::2])
    person = (aux == _PERSON).reshape(half.shape[0], 2, half.shape[1], 2).any(axis=(1, 3))
    half[person] = _PERSON
    return half


class Shards:
    """Samples of many files as one row, read where they lie; the page cache keeps what fits into memory."""

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        if not parts:
            raise ConfigError("no samples to train on", hint="Ask for at least one shard.")
        self._parts = list(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.camera = np.concatenate([part["camera"] for part in parts])
        self.track = np.concatenate([part["track"] for part in parts])

    @classmethod
    def opened(cls, paths: Sequence[Path]) -> Shards:
        return cls([np.load(path, mmap_mode="r") for path in paths])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def pick(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Copies of these samples, in this order."""
        picked = np.empty(len(numbers), SAMPLE)
        for index, number in enumerate(numbers):
            part = int(np.searchsorted(self._starts, number, side="right")) - 1
            picked[index] = self._parts[part][number - self._starts[part]]
        return picked

    def pairs(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Every sample once, [n, 2]: two of one camera side by side, pairs and partners in random order."""
        return shuffled_pairs(self.camera, rng)


def shuffled_pairs(camera: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices in pairs of one camera, [n, 2], each index at most once; an odd one out of a camera is left out."""
    mixed = rng.permutation(len(camera))
    ordered = mixed[np.argsort(camera[mixed], kind="stable")]
    groups = np.split(ordered, np.flatnonzero(np.diff(camera[ordered])) + 1)
    pairs = np.concatenate([group[: len(group) // 2 * 2].reshape(-1, 2) for group in groups])
    return np.asarray(pairs[rng.permutation(len(pairs))], np.int64)


def batches(
    shards: Shards, seed: int, size: int, first: int = 0, *, reno_kept: float = 1.0
) -> Iterator[tuple[int, list[int]]]:
    """(step, sample numbers) from step `first` on, for ever: what a step is shown follows from `seed` and its number.

    Each pass leaves out all renovations but a share of `reno_kept`, others each time.
    """
    step, half = first, size // 2
    is_reno = shards.track == TRACKS.index("reno")

    def shown(number: int) -> NDArray[np.int64]:
        rng = np.random.default_rng([seed, number])
        return _thinned(shards.pairs(rng), is_reno, reno_kept, rng)

    number, order = 0, shown(0)
    a_pass = max(1, len(order) // half)
    while True:
        if step // a_pass != number:
            number = step // a_pass
            order = shown(number)
        at = step % a_pass * half
        yield step, order[at : at + half].ravel().tolist()
        step += 1


def _thinned(
    pairs: NDArray[np.int64], is_reno: NDArray[np.bool_], kept: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """`pairs` with only a share of the renovations, in the same order."""
    reno = np.flatnonzero(is_reno[pairs[:, 0]])
    gone = rng.permutation(reno)[round(kept * len(reno)) :]
    return np.delete(pairs, gone, axis=0)


def shards_for(samples: int) -> int:
    return math.ceil(samples / SHARD)
