"""A building site as a seeded value: its shape, its look, its schedule, and how far it is on any day.

Rows of every per-zone table are floors counted from the ground (0) up; columns are bays from the image's left.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plumbline.errors import ConfigError
from plumbline.stages import DEFAULT_VALUES, Track
from plumbline_sim.scene.camera import Pinhole
from plumbline_sim.scene.families import CAMERAS, CATALOGUES, CameraRange, Split

Floats = NDArray[np.float64]
_STEPS: Final = 1200
_NOMINAL: Final = (1280, 720)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """Work falls up to `lag_pp` behind the plan inside these days and is back on it at `to_day`.

    The lag grows over the first 40 % of the window, stands for 25 % and is caught up in the rest by extra crews.
    Work never goes backwards, so where the plan is flat the lag reached can be smaller than the one asked for.
    """

    from_day: float
    to_day: float
    lag_pp: float

    def at(self, day: float) -> float:
        """How far behind the plan, in percentage points of the whole, this slip alone wants the work to be."""
        share = (day - self.from_day) / max(self.to_day - self.from_day, 1e-9)
        return self.lag_pp * float(np.interp(share, (0.0, 0.4, 0.65, 1.0), (0.0, 1.0, 1.0, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rework:
    """Inside these days one floor stands `stages` lower than it had come to: what was built is taken out again."""

    from_day: float
    to_day: float
    floor: int
    stages: float

    def at(self, day: float) -> float:
        """How many stages the floor has lost on `day`; taken out in a tenth of the window, put back in a half."""
        share = (day - self.from_day) / max(self.to_day - self.from_day, 1e-9)
        return self.stages * float(np.interp(share, (0.0, 0.1, 0.5, 1.0), (0.0, 1.0, 1.0, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The family names and colours this site is painted with; see `families`."""

    infill: str
    boards: str
    old: str
    paint: str
    net: str
    preset: str
    second_preset: str
    cladding: str
    base: str
    scaffolding: str
    works: str
    frame: str
    camera: str
    paint_bgr: tuple[int, int, int]
    accent_bgr: tuple[int, int, int]
    old_bgr: tuple[int, int, int]
    frame_bgr: tuple[int, int, int]
    bay_kinds: tuple[int, ...]
    net_zones: tuple[tuple[bool, ...], ...]
    net_opacity: float
    scaffold: bool
    scaffold_from: int
    """The stage a new building's zone gets its scaffold at."""
    crane: bool
    hoist_bay: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One building site. Every value follows from `seed`; `as_json` describes it whole."""

    seed: int
    track: Track
    split: Split
    days: int
    floors: int
    bays: int
    bay_m: float
    storey_m: float
    depth_m: float
    facing_deg: float
    camera: Pinhole
    look: Look
    weights: tuple[tuple[float, ...], ...]
    values: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    ends: tuple[tuple[float, ...], ...]
    fill_modes: tuple[int, ...]
    slips: tuple[Slip, ...] = ()
    reworks: tuple[Rework, ...] = ()

    @classmethod
    def sample(
        cls,
        seed: int,
        *,
        track: Track,
        days: int,
        slips: tuple[Slip, ...] = (),
        split: Split = "train",
        reworks: tuple[Rework, ...] = (),
    ) -> Project:
        """The project of this seed; `split="holdout"` draws every look from families training never sees."""
        if days < 2:
            raise ConfigError(f"a project of {days} days has no course", hint="Ask for at least 2 days.")
        rng = np.random.default_rng([seed, track == "reno", split == "holdout"])
        floors, bays = _sample_grid(rng)
        bay_m, storey_m = float(rng.uniform(2.8, 5.2)), float(rng.uniform(2.7, 3.6))
        look = _sample_look(rng, split, track, floors, bays)
        starts, ends = _sample_schedule(rng, track, floors, bays)
        return cls(
            seed=seed, track=track, split=split, days=days, floors=floors, bays=bays, bay_m=bay_m, storey_m=storey_m,
            depth_m=float(rng.uniform(9.0, 16.0)), facing_deg=float(rng.uniform(-75, 75)),
            camera=_sample_camera(rng, CAMERAS[split][look.camera], floors * storey_m, bays * bay_m), look=look,
            weights=_sample_weights(rng, floors, bays), values=DEFAULT_VALUES[track], starts=starts, ends=ends,
            fill_modes=_sample_fill_modes(rng, track), slips=slips, reworks=reworks,
        )  # fmt: skip

    @property
    def width_m(self) -> float:
        return self.bays * self.bay_m

    @property
    def height_m(self) -> float:
        return self.floors * self.storey_m

    def planned_percent(self, day: float) -> float:
        """The plan's percent complete of the visible works at the end of `day`, 0..100."""
        curve = _plan(self)
        return float(np.interp(day / self.days, curve.at, curve.percent))

    def percent(self, day: float) -> float:
        """The true percent complete, 0..100; equals the weighted mean of `zone_percents`."""
        if any(rework.at(day) > 0 for rework in self.reworks):
            return float((self.zone_percents(day) * np.asarray(self.weights)).sum())
        curve = _plan(self)
        return float(np.interp(self._work(day), curve.at, curve.percent))

    def zone_stages(self, day: float) -> Floats:
        """The true continuous stage of each zone, 0..7, [floors, bays]: 3.4 is 40 % on the way from 3 to 4."""
        stages = _stages(self, self._work(day)).reshape(self.floors, self.bays)
        for rework in self.reworks:
            stages[rework.floor] = np.maximum(stages[rework.floor] - rework.at(day), 0.0)
        return stages

    def zone_percents(self, day: float) -> Floats:
        """The true percent complete of each zone, 0..100, [floors, bays]."""
        return 100 * np.interp(self.zone_stages(day), np.arange(8), self.values)

    def facade_quad(self, size: tuple[int, int]) -> tuple[tuple[float, float], ...]:
        """Where the finished facade's corners lie in a (width, height) image: top-left, then clockwise."""
        corners = [(0, self.height_m, 0), (self.width_m, self.height_m, 0), (self.width_m, 0, 0), (0, 0, 0)]
        points = self.camera.pixels(corners, size)
        return tuple((float(x), float(y)) for x, y in points)

    def as_json(self) -> dict[str, Any]:
        """Everything that makes this project, as plain values."""
        return dataclasses.asdict(self)

    def _work(self, day: float) -> float:
        """The share of the planned course that is done on `day`: day/days where nothing slipped."""
        if not self.slips:
            return min(max(day / self.days, 0.0), 1.0)
        days, work = _actual(self)
        return float(np.interp(day, days, work))


@dataclass(frozen=True, slots=True)
class _Curve:
    at: Floats
    percent: Floats


@lru_cache(maxsize=64)
def _plan(project_: Project) -> _Curve:
    at = np.linspace(0, 1, _STEPS + 1)
    weights = np.asarray(project_.weights).ravel()
    stages = np.stack([_stages(project_, share) for share in at])
    percent = 100 * np.interp(stages, np.arange(8), project_.values) @ weights
    return _Curve(at, np.maximum.accumulate(percent))  # a sum of weights wobbles in its last digit


@lru_cache(maxsize=64)
def _actual(project_: Project) -> tuple[Floats, Floats]:
    curve = _plan(project_)
    days = np.linspace(0, project_.days, _STEPS + 1)
    lag = np.array([sum(slip.at(day) for slip in project_.slips) for day in days])
    wanted = np.maximum.accumulate(np.clip(curve.percent - lag, 0, 100))
    rising = curve.percent + np.arange(_STEPS + 1) * 1e-9  # np.interp needs a strictly rising axis
    return days, np.interp(wanted, rising, curve.at)


def _stages(project_: Project, share: float) -> Floats:
    starts, ends = np.asarray(project_.starts), np.asarray(project_.ends)
    done: Floats = np.clip((share - starts) / (ends - starts), 0, 1).sum(axis=0)
    return done


def _sample_grid(rng: np.random.Generator) -> tuple[int, int]:
    """Floors and bays: low blocks more often than towers, and nothing so long that its zones are slivers."""
    kind = int(rng.choice(3, p=(0.55, 0.3, 0.15)))
    floors = int(rng.integers(*((2, 8), (5, 12), (10, 18))[kind]))
    bays = int(rng.integers(*((3, 15), (3, 11), (3, 7))[kind]))
    return floors, bays


def _sample_weights(rng: np.random.Generator, floors: int, bays: int) -> tuple[tuple[float, ...], ...]:
    weights = rng.uniform(0.85, 1.15, (floors, 1)) * rng.uniform(0.85, 1.15, (1, bays))
    weights[0] *= rng.uniform(1.0, 1.25)
    weights /= weights.sum()
    return tuple(tuple(float(w) for w in row) for row in weights)


def _sample_fill_modes(rng: np.random.Generator, track: Track) -> tuple[int, ...]:
    """How each next stage spreads inside a zone: 0 from the left, 1 from the right, 2 upwards, 3 downwards."""
    side = int(rng.integers(0, 2))
    modes = [side, side, side, side, *(int(rng.choice([side, 2])) for _ in range(3)), side]
    if track == "reno":
        modes = [2, 2, *(int(rng.choice([side, 2])) for _ in range(5)), 3]
    return tuple(modes)


def _sample_schedule(
    rng: np.random.Generator, track: Track, floors: int, bays: int
) -> tuple[tuple[tuple[float, ...], ...], tuple[tuple[float, ...], ...]]:
    """When each of the 7 steps starts and ends in each zone, as shares of the project's time."""
    floor, bay = np.divmod(np.arange(floors * bays), bays)
    along = bay / bays if rng.random() < 0.5 else (bays - 1 - bay) / bays
    climb = (floor + along) / floors
    crew = rng.uniform(1.5, 3.5)
    if track == "new":
        begins, spans = (0.02, 0.08, 0.17, 0.3, 0.4, 0.52, 0.62), (0.07, 0.09, 0.42, 0.4, 0.38, 0.36, 0.33)
        orders = [along, along, climb, climb, climb, climb, climb if rng.random() < 0.5 else 1 - climb]
    else:
        begins, spans = (0.02, 0.13, 0.24, 0.38, 0.5, 0.6, 0.72), (0.16, 0.3, 0.36, 0.34, 0.32, 0.3, 0.24)
        orders = [climb, climb, climb, climb, climb, climb, (floors - 1 - floor + along) / floors]
    previous = np.zeros(floors * bays)
    starts, ends = [], []
    late = _sample_delays(rng, floors, bays)
    for number, (begin, span, order) in enumerate(zip(begins, spans, orders, strict=True)):
        start = begin + span * order * rng.uniform(0.85, 1.15) + rng.normal(0, 0.006, order.size)
        start = start + late * (number >= 3)
        start = np.maximum(start, previous + 0.002)
        previous = start + crew * span / floors / 2 * rng.uniform(0.8, 1.2)
        starts.append(start)
        ends.append(previous)
    start_table, end_table = _s_curve(np.stack(starts), np.stack(ends), last=0.97)
    return tuple(map(tuple, start_table.tolist())), tuple(map(tuple, end_table.tolist()))


def _sample_delays(rng: np.random.Generator, floors: int, bays: int) -> Floats:
    """Shares of the project's time by which some zones lag: a floor that waits, a bay left open for the hoist."""
    late = np.zeros((floors, bays))
    if rng.random() < 0.3:
        late[int(rng.integers(floors))] += rng.uniform(0.03, 0.14)
    if rng.random() < 0.3:
        late[:, int(rng.integers(bays))] += rng.uniform(0.04, 0.18)
    if rng.random() < 0.35:  # early and late windows alike: crews come when they can
        late += rng.uniform(-0.02, 0.05, late.shape) * (rng.random(late.shape) < 0.25)
    return late.ravel()


def _s_curve(starts: Floats, ends: Floats, *, last: float) -> tuple[Floats, Floats]:
    """Stretch to end at `last`, slow at both ends as crews come and go; order is kept."""
    grid = np.linspace(0, 1, 513)
    slow = 0.55 * grid + 0.45 * (3 * grid**2 - 2 * grid**3)
    whole = ends.max()
    first = np.interp(starts / whole, slow, grid) * last
    second = np.interp(ends / whole, slow, grid) * last
    return first, np.maximum(second, first + 1e-4)


def _sample_camera(rng: np.random.Generator, family: CameraRange, height_m: float, width_m: float) -> Pinhole:
    """A camera of this family that holds the whole facade and the pit before it."""
    yaw = math.radians(rng.uniform(*family.yaw_deg) * rng.choice([-1, 1]))
    hfov, roll = float(rng.uniform(*family.hfov_deg)), float(rng.normal(0, 0.8))
    k1 = float(rng.uniform(*family.k1))
    eye_height, fill = float(rng.uniform(*family.height_m)), float(rng.uniform(0.5, 0.9))
    target = (width_m * float(rng.uniform(0.35, 0.65)), height_m * float(rng.uniform(0.35, 0.6)), 0.0)
    corners = [(x, y, 0.0) for x in (0.0, width_m) for y in (0.0, height_m)]

    def at(distance: float) -> Pinhole:
        eye = (
            target[0] + distance * math.sin(yaw),
            min(eye_height, 0.8 * distance),
            distance * math.cos(yaw),
        )
        return Pinhole(position_m=eye, target_m=target, hfov_deg=hfov, roll_deg=roll, k1=k1)

    near, far = 8.0, 600.0
    for _ in range(14):  # halve the span: the nearest place from which all of it is in view
        middle = math.sqrt(near * far)
        seen = at(middle).pixels(corners, _NOMINAL) / np.array(_NOMINAL)
        near, far = (near, middle) if np.abs(seen - 0.5).max() < fill / 2 else (middle, far)
    return at(far)


def _sample_look(rng: np.random.Generator, split: Split, track: Track, floors: int, bays: int) -> Look:
    names = {kind: sorted(catalogue[split]) for kind, catalogue in CATALOGUES.items()}
    pick = {kind: str(rng.choice(options)) for kind, options in names.items()}
    paints = CATALOGUES["paint"][split][pick["paint"]]
    paint = paints[int(rng.integers(len(paints)))]
    tint = rng.integers(-16, 17) + rng.integers(-8, 9, 3)
    every = int(rng.integers(2, 4))
    old = CATALOGUES["old"][split][pick["old"]].colours[0]
    return Look(
        **pick, second_preset=str(rng.choice(names["preset"])),
        paint_bgr=_near(paint, tint), accent_bgr=_near(paint, tint - int(rng.integers(25, 60))),
        old_bgr=_near(old, rng.integers(-18, 19) + rng.integers(-7, 8, 3)), frame_bgr=_near(CATALOGUES["frame"][split][pick["frame"]][::-1], rng.integers(-8, 9, 3)),
        bay_kinds=tuple(int(b % every == every - 1) for b in range(bays)),
        net_zones=_sample_nets(rng, track, floors, bays),
        net_opacity=float(rng.uniform(0.3, 0.95)), scaffold=bool(track == "reno" or rng.random() < 0.5),
        scaffold_from=int(rng.choice((3, 4, 4, 5))),
        crane=bool(track == "new" and rng.random() < 0.7),
        hoist_bay=int(rng.integers(bays)) if rng.random() < 0.3 else None,
    )  # fmt: skip


def _sample_nets(
    rng: np.random.Generator, track: Track, floors: int, bays: int
) -> tuple[tuple[bool, ...], ...]:
    """Which zones of the scaffold carry a net: none, all, the upper floors, whole columns, or fields two bays wide."""
    odds = (0.3, 0.16, 0.1, 0.14, 0.3) if track == "reno" else (0.55, 0.1, 0.06, 0.09, 0.2)
    kind = int(rng.choice(5, p=odds))
    table = np.zeros((floors, bays), bool)
    if kind == 1:
        table[:] = True
    elif kind == 2:
        table[floors - int(rng.integers(1, max(2, floors // 2 + 1))) :] = True
    elif kind == 3:
        table[:] = rng.random(bays)[None] < rng.uniform(0.2, 0.7)
    elif kind == 4:
        block = rng.random((floors, (bays + 1) // 2)) < rng.uniform(0.1, 0.4)
        table[:] = np.repeat(block, 2, axis=1)[:, :bays]
    return tuple(tuple(bool(v) for v in row) for row in table)


def _near(colour: tuple[int, int, int], shift: Any) -> tuple[int, int, int]:
    moved = np.clip(np.asarray(colour) + shift, 12, 250).astype(int)
    return int(moved[0]), int(moved[1]), int(moved[2])
