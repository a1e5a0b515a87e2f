"""How good a model is on sites it never saw: the figures of its card, by onnxruntime alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import QUALITY_CLASSES, TRACKS, Track
from plumbline_edge.vision.preprocess import roi_box, to_input
from plumbline_sim.scene.conditions import Conditions, Fault
from plumbline_sim.scene.facade import MACHINE, NET, PERSON
from plumbline_sim.scene.families import Split
from plumbline_sim.scene.project import Project, Slip
from plumbline_sim.scene.render import render

PICTURE: Final = (1280, 720)
MIN_VISIBLE: Final = 0.35
_DAYS: Final = 60
_HIDING: Final = (NET, MACHINE, PERSON)
_FIRST_SEED: Final = 5_000_000_000  # training draws its projects below 2**31
_CHANGED: Final = 28
_LATE_PP: Final = 5.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Percent 0..100, visible share and stage of each zone, [floors, bays], ground floor first."""

    percent: Floats
    visible: Floats
    stage: NDArray[np.int64]


@dataclass(slots=True)
class Course:
    """One project photographed over its days; what was said and what was true."""

    project: Project
    days: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    true: list[float] = field(default_factory=list)
    zone_off: list[float] = field(default_factory=list)
    stage_off: list[int] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    hits: dict[str, list[int]] = field(
        default_factory=lambda: {"person": [0, 0], "vehicle": [0, 0], "net": [0, 0]}
    )
    hidden: list[float] = field(default_factory=list)


class Judge:
    """A model file, ready to look at crops."""

    def __init__(self, model: Path) -> None:
        import onnxruntime as ort  # noqa: PLC0415 - only a command that judges needs it

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        shape = next(i.shape for i in self._session.get_inputs() if i.name == "x")
        self.size_hw = int(shape[2]), int(shape[3])

    def look(self, now: Any, day0: Any, track: Track) -> tuple[Any, Any, Any]:
        """`stage` [7,h,w], `aux` [9,h,w], `quality` [6] of one crop, both pictures BGR."""
        one_hot = np.array([[float(track == name) for name in TRACKS]], np.float32)
        feed = {"x": to_input(now, day0, self.size_hw), "track": one_hot}
        stage, aux, quality = self._session.run(["stage", "aux", "quality"], feed)
        return stage[0], aux[0], quality[0]


def pool(stage: Any, aux: Any, quad: Any, floors: int, bays: int, values: Sequence[float]) -> Pooled:
    """Zone percents from a model's maps; `quad` holds the facade's corners in shares of the crop."""
    import cv2  # noqa: PLC0415

    height, width = aux.shape[1:]
    corners = np.asarray(quad, np.float32) * np.array((width, height), np.float32)
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    back = cv2.getPerspectiveTransform(corners, unit)
    grid = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1).reshape(-1, 1, 2)
    place = cv2.perspectiveTransform(grid.astype(np.float64), back)[:, 0]
    inside = ((place >= 0) & (place < 1)).all(axis=1)
    bay = np.floor(place[:, 0] * bays)
    floor = floors - 1 - np.floor(place[:, 1] * floors)
    zone = np.where(inside, floor * bays + bay, -1).astype(int)
    open_ = inside & ~np.isin(aux.argmax(0).ravel(), _HIDING)
    count, shape = floors * bays, (floors, bays)
    area = np.bincount(zone[inside], minlength=count)
    seen = np.bincount(zone[open_], minlength=count)
    counts = [np.bincount(zone[open_], plane.ravel()[open_], count) for plane in stage.astype(float)]
    reached = np.stack(counts) / np.maximum(seen, 1)
    percent: Floats = np.asarray(100 * np.diff(values) @ reached, float)
    likeliest = (np.vstack([np.ones(count), reached]) - np.vstack([reached, np.zeros(count)])).argmax(0)
    visible: Floats = np.asarray(seen / np.maximum(area, 1), float)
    return Pooled(percent.reshape(shape), visible.reshape(shape), likeliest.reshape(shape))


def course(judge: Judge, project: Project, days: Floats, seed: int) -> Course:
    """Judge a project's daily pictures in order, holding what is hidden as the gateway does."""
    result = Course(project)
    quad = np.asarray(project.facade_quad(PICTURE))
    x0, y0, x1, y1 = roi_box([(float(x), float(y)) for x, y in quad], PICTURE)
    shares = (quad - (x0, y0)) / (x1 - x0, y1 - y0)
    before = render(project, 0, Conditions.workday(seed, 0), PICTURE).bgr[y0:y1, x0:x1]
    weights = np.asarray(project.weights)
    held = np.full(weights.shape, np.nan)
    for day in days:
        shot = render(project, day, Conditions.workday(seed, int(day) + 1), PICTURE)
        now = shot.bgr[y0:y1, x0:x1]
        stage, aux, _ = judge.look(now, before, project.track)
        pooled = pool(stage, aux, shares, project.floors, project.bays, project.values)
        clear = pooled.visible >= MIN_VISIBLE
        held[clear] = pooled.percent[clear]
        known = ~np.isnan(held)
        truth, stages = project.zone_percents(day), project.zone_stages(day)
        result.days.append(float(day))
        result.true.append(project.percent(day))
        result.said.append(float((held * weights)[known].sum() / max(weights[known].sum(), 1e-9)))
        result.zone_off += (pooled.percent - truth)[clear].tolist()
        result.stage_off += (pooled.stage - np.floor(stages + 0.5).astype(int))[clear].tolist()
        result.hidden.append(1 - float(clear.mean()))
        result.changed.append(_changed_share(now, before, shot.stage[y0:y1, x0:x1] < 8))
        _count_hits(result.hits, aux, shot.aux[y0:y1, x0:x1])
    return result


def _changed_share(now: Any, before: Any, inside: Any) -> float:
    """The naive measure: how much of the facade looks unlike its day-0 photo, in percent."""
    off = np.abs(now.astype(int) - before.astype(int)).mean(2) > _CHANGED
    return float(100 * off[inside].mean())


def _count_hits(hits: dict[str, list[int]], aux: Any, truth: Any) -> None:
    import cv2  # noqa: PLC0415

    said = cv2.resize(aux.argmax(0).astype(np.uint8), truth.shape[::-1], interpolation=cv2.INTER_NEAREST)
    for name, kind in (("person", PERSON), ("vehicle", MACHINE), ("net", NET)):
        is_there = truth == kind
        hits[name][0] += int((said[is_there] == kind).sum())
        hits[name][1] += int(is_there.sum())


def sample_course(judge: Judge, number: int, track: Track, split: Split, shots: int) -> Course:
    """Course `number` of this track and split: a site with no slip, a small or a large one."""
    rng = np.random.default_rng([number, track == "reno", 99])
    lag = (0.0, 8.0, 13.0)[number % 3]
    slips = (Slip(from_day=16, to_day=48, lag_pp=lag),) if lag else ()
    project = Project.sample(_FIRST_SEED + number, track=track, days=_DAYS, slips=slips, split=split)
    days = np.sort(rng.uniform(0, _DAYS, shots))
    return course(judge, project, days, number)


def project_figures(courses: list[Course]) -> dict[str, float]:
    """The card's figures of one group of courses, pp and shares; `late_` over shots 5 pp or more off their plan."""
    off = np.concatenate([np.subtract(c.said, c.true) for c in courses])
    zone, stage = (np.concatenate([getattr(c, name) for c in courses]) for name in ("zone_off", "stage_off"))
    true = np.concatenate([c.true for c in courses])
    calendar = np.concatenate([100 * np.asarray(c.days) / c.project.days for c in courses])
    plan = np.concatenate([[c.project.planned_percent(d) for d in c.days] for c in courses])
    changed = np.concatenate([c.changed for c in courses])
    late = np.abs(plan - true) >= _LATE_PP
    figures = {
        "shots": float(len(off)), "project_mae_pp": _mae(off), "project_bias_pp": float(off.mean()),
        "project_p90_pp": float(np.quantile(np.abs(off), 0.9)), "zone_mae_pp": _mae(zone),
        "zone_p90_pp": float(np.quantile(np.abs(zone), 0.9)), "stage_exact": float((stage == 0).mean()),
        "stage_within_1": float((np.abs(stage) <= 1).mean()), "zones_hidden": float(np.mean([h for c in courses for h in c.hidden])),
        "person_recall": _recall(courses, "person"), "vehicle_recall": _recall(courses, "vehicle"), "scaffold_net_recall": _recall(courses, "net"),
        "calendar_mae_pp": _mae(calendar - true), "plan_mae_pp": _mae(plan - true),
        "changed_area_mae_pp": _mae(changed - true),
    }  # fmt: skip
    if late.any():
        figures |= {
            "late_shots": float(late.sum()),
            "late_project_mae_pp": _mae(off[late]),
            "late_plan_mae_pp": _mae((plan - true)[late]),
        }
    return figures


def _mae(off: Any) -> float:
    return float(np.abs(off).mean())


def _recall(courses: list[Course], name: str) -> float:
    found = sum(c.hits[name][0] for c in courses)
    return found / max(sum(c.hits[name][1] for c in courses), 1)


def quality_figures(judge: Judge, shots: int, split: Split = "holdout") -> dict[str, float]:
    """How often each fault is seen at a probability over 0.5, and how often a good picture is called faulty."""
    rng = np.random.default_rng([shots, 5])
    names: tuple[Fault | None, ...] = (
        "dark",
        "blur",
        "fog_rain",
        "obstructed",
        "lens_dirt",
        "not_a_site",
        None,
    )
    figures = {}
    for fault in names:
        seen = 0
        for number in range(shots):
            track = TRACKS[number % 2]
            project = Project.sample(_FIRST_SEED + 900 + number, track=track, days=_DAYS, split=split)
            x0, y0, x1, y1 = roi_box(list(project.facade_quad((640, 360))), (640, 360))
            good = Conditions.workday(number, 3)
            conditions = Conditions(hour=good.hour, weather=good.weather, seed=number, fault=fault)
            shot = render(project, float(rng.uniform(0, _DAYS)), conditions, (640, 360))
            quality = judge.look(shot.bgr[y0:y1, x0:x1], None, track)[2]
            seen += bool(quality[QUALITY_CLASSES.index(fault)] >= 0.5 if fault else (quality >= 0.5).any())
        figures[f"{fault}_recall" if fault else "false_alarm"] = seen / shots
    return figures


def evaluate(
    model: Path, *, sites: int, shots: int, report: Callable[[], None]
) -> dict[str, dict[str, float]]:
    """All figures, one table per (split, track) and one of picture quality; `report` is called once per course."""
    judge = Judge(model)
    tables: dict[str, dict[str, float]] = {}
    splits: tuple[Split, ...] = ("holdout", "train")
    for split in splits:
        for track in TRACKS:
            courses = []
            for number in range(sites):
                courses.append(sample_course(judge, number, track, split, shots))
                report()
            tables[f"{'unseen_families' if split == 'holdout' else 'unseen_seeds'}.{track}"] = (
                project_figures(courses)
            )
    tables["unseen_families.quality"] = quality_figures(judge, max(4, sites))
    return tables
