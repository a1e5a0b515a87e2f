"""What one building is made of, the same on every day: its faces, materials and the habits of its crews."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from plumbline_sim.scene.building.face import Face, face_of
from plumbline_sim.scene.materials import (
    BASES,
    BOARDS,
    CLADDINGS,
    FRAMES,
    INFILL,
    NETS,
    OLD,
    SCAFFOLDS,
    WORKS,
    Bgr,
    Coursed,
    Scaffold,
    Split,
    Works,
)
from plumbline_sim.scene.mesh import Pattern, Rgb, Surface
from plumbline_sim.scene.presets import PRESETS, Preset
from plumbline_sim.scene.project import Project

BUILDING, WINDOW, OPENING, SKY, GROUND, VEGETATION, NET, MACHINE, PERSON = range(9)
"""Aux classes by their number in plumbline.stages.AUX_CLASSES."""

_RENDERS = ("render", "render_two", "render_rough")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The fixed choices; colours are RGB, `seed` starts the fixed random numbers of each module."""

    seed: int
    front: Face
    left: Face
    right: Face
    width_m: float
    height_m: float
    depth_m: float
    infill: Surface
    boards: Surface
    base: Surface
    paint: Surface
    accent: Surface
    cladding: Surface | None
    old: Surface
    repaired: Surface
    roof: Surface
    frame_rgb: Rgb
    old_frame_rgb: Rgb
    works: Works
    scaffold: Scaffold
    net_rgb: Rgb
    net_alpha: float
    net_sheet: bool
    accent_style: int
    frame_depth_m: float
    pit_m: float
    cores: tuple[tuple[float, float], ...]
    """Left end and width of each core."""
    parapet_m: float
    crowned: bool
    """A storey set back stands on the roof."""
    pitched: bool
    slab_m: float
    column_m: float
    balcony_style: int
    old_balcony_style: int

    def rng(self, job: int) -> np.random.Generator:
        """Numbers that stay the same for this building; each job has its own."""
        return np.random.default_rng([self.seed, 41, job])


def tone(rng: np.random.Generator, rgb: Rgb | tuple[int, int, int], spread: float) -> Rgb:
    """The colour shifted as a whole by up to `spread` and per channel by a third of that."""
    moved = np.clip(np.asarray(rgb, float) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 14, 248)
    return float(moved[0]), float(moved[1]), float(moved[2])


def shade(rgb: Rgb, factor: float) -> Rgb:
    """The colour made darker or lighter."""
    return min(rgb[0] * factor, 250.0), min(rgb[1] * factor, 250.0), min(rgb[2] * factor, 250.0)


@lru_cache(maxsize=32)
def plan_of(project: Project) -> Plan:
    """The plan of this project's building."""
    rng = np.random.default_rng([project.seed, 40, project.track == "reno", project.split == "holdout"])
    look, split = project.look, project.split
    front, left, right = _faces(project, rng)
    paint_rgb, accent_rgb = _rgb(look.paint_bgr), _rgb(look.accent_bgr)
    rough = look.cladding == "render_rough"
    paint = Surface(
        rgb=paint_rgb,
        aux=BUILDING,
        contrast=float(rng.uniform(0.02, 0.09)) * (1.6 if rough else 1),
        seed=_seed(rng),
    )
    clad = CLADDINGS[split][look.cladding]
    cladding = (
        None
        if look.cladding in _RENDERS or project.track == "reno" or rng.random() < 0.25
        else _surface(rng, clad)
    )
    return Plan(
        seed=project.seed, front=front, left=left, right=right, width_m=project.width_m, height_m=project.height_m,
        depth_m=project.depth_m, infill=_surface(rng, INFILL[split][look.infill]), boards=_surface(rng, BOARDS[split][look.boards]),
        base=_base(rng, split, look.base), paint=paint,
        accent=Surface(rgb=accent_rgb, aux=BUILDING, contrast=paint.contrast, seed=_seed(rng)), cladding=cladding,
        old=_old(rng, OLD[split][look.old], _rgb(look.old_bgr), project), repaired=_repaired(rng),
        roof=_roof(rng), frame_rgb=_rgb(look.frame_bgr), old_frame_rgb=_old_frame(rng, split),
        works=_works(rng, WORKS[split][look.works]), scaffold=_scaffold(rng, SCAFFOLDS[split][look.scaffolding]), net_rgb=tone(rng, _rgb(NETS[split][look.net]), 9),
        net_alpha=look.net_opacity, net_sheet="sheet" in look.net, accent_style=int(rng.integers(6)),
        frame_depth_m=float(rng.uniform(0.1, 0.24)), pit_m=float(rng.uniform(2.2, 4.6)), cores=_cores(rng, project),
        parapet_m=float(rng.uniform(0.35, 1.1)),
        crowned=(roll := float(rng.random())) < 0.22, pitched=project.track == "reno" and roll > 0.72, slab_m=float(rng.uniform(0.2, 0.32)), column_m=float(rng.uniform(0.3, 0.5)),
        balcony_style=int(rng.integers(4)), old_balcony_style=int(rng.integers(3)),
    )  # fmt: skip


def _rgb(bgr: Bgr) -> Rgb:
    return float(bgr[2]), float(bgr[1]), float(bgr[0])


def _seed(rng: np.random.Generator) -> float:
    return float(rng.uniform(0, 9))


def _faces(project: Project, rng: np.random.Generator) -> tuple[Face, Face, Face]:
    presets = PRESETS[project.split]
    look = project.look
    pair = (presets[look.preset], presets[look.second_preset])
    front: list[Preset | None] = [pair[kind] for kind in look.bay_kinds]
    count = max(2, round(project.depth_m / project.bay_m))
    side_bay = project.depth_m / count
    blank = rng.random() < 0.4
    sides: list[list[Preset | None]] = []
    for _ in range(2):
        plain = Preset(openings=pair[0].openings, mullions=pair[0].mullions)
        sides.append([None if blank or rng.random() < 0.25 else plain for _ in range(count)])
    entrance = int(rng.integers(project.bays)) if rng.random() < 0.7 else None
    args = (project.floors, project.bay_m, project.storey_m)
    side_args = (project.floors, side_bay, project.storey_m)
    return (
        face_of(*args, front, entrance=entrance),
        face_of(*side_args, sides[0]),
        face_of(*side_args, sides[1]),
    )


def _surface(rng: np.random.Generator, laid: Coursed, *, aux: int = BUILDING) -> Surface:
    """A catalogue's material with this site's own shade, unit size and unevenness."""
    blue, green, red = laid.colours[int(rng.integers(len(laid.colours)))]
    scale = (
        float(rng.uniform(0.85, 1.2))
        if laid.pattern in (Pattern.BOARDS, Pattern.PANEL, Pattern.RIBBED)
        else float(rng.uniform(0.97, 1.08))
    )
    return Surface(
        rgb=tone(rng, (red, green, blue), 8), aux=aux, pattern=laid.pattern,
        unit_m=(laid.unit_m[0] * scale, laid.unit_m[1] * scale),
        contrast=float(np.clip(laid.spread / 100 * rng.uniform(0.6, 1.8), 0.02, 0.4)), seed=_seed(rng),
    )  # fmt: skip


def _base(rng: np.random.Generator, split: Split, name: str) -> Surface:
    tones = BASES[split][name]
    return Surface(
        rgb=tone(rng, _rgb(tones[int(rng.integers(len(tones)))]), 7), aux=BUILDING, pattern=Pattern.TROWELLED,
        contrast=float(rng.uniform(0.06, 0.3)), seed=_seed(rng),
    )  # fmt: skip


def _old(rng: np.random.Generator, laid: Coursed, rgb: Rgb, project: Project) -> Surface:
    """The skin of before the works; panels are cut as the bays and storeys are."""
    unit = laid.unit_m
    if laid.pattern is Pattern.PANEL:
        unit = (project.bay_m, project.storey_m)
    worn = (
        float(rng.uniform(0.05, 0.24))
        if laid.pattern is Pattern.STAINED
        else float(np.clip(laid.spread / 100 * rng.uniform(0.7, 1.6), 0.03, 0.3))
    )
    seed = 0.0 if laid.pattern is Pattern.PANEL else _seed(rng)
    return Surface(rgb=rgb, aux=BUILDING, pattern=laid.pattern, unit_m=unit, contrast=worn, seed=seed)


def _repaired(rng: np.random.Generator) -> Surface:
    """Hacked-off plaster and levelling render."""
    grounds: tuple[Rgb, ...] = (
        (150, 146, 138),
        (166, 158, 146),
        (142, 128, 116),
        (152, 116, 98),
        (172, 168, 160),
        (130, 126, 122),
    )
    pattern = Pattern.COURSED if rng.random() < 0.25 else Pattern.STAINED
    return Surface(
        rgb=tone(rng, grounds[int(rng.integers(len(grounds)))], 9), aux=BUILDING, pattern=pattern, unit_m=(0.25, 0.077),
        contrast=float(rng.uniform(0.12, 0.3)), seed=_seed(rng),
    )  # fmt: skip


def _scaffold(rng: np.random.Generator, kind: Scaffold) -> Scaffold:
    """This hirer's tubes and planks: sun-bleached, rusty, of another width."""
    return replace(kind, tube=_whole(tone(rng, kind.tube, 9)), plank=_whole(tone(rng, kind.plank, 14)), toe=_whole(tone(rng, kind.toe, 14)),
                   field_m=kind.field_m * float(rng.uniform(0.9, 1.1)), lift_m=kind.lift_m * float(rng.uniform(0.95, 1.08)))  # fmt: skip


def _works(rng: np.random.Generator, kind: Works) -> Works:
    return replace(kind, concrete=_whole(tone(rng, kind.concrete, 9)), panel=_whole(tone(rng, kind.panel, 9)), ply=_whole(tone(rng, kind.ply, 12)), prop=_whole(tone(rng, shade(kind.prop, 0.85), 12)), rail=_whole(tone(rng, shade(kind.rail, 0.92), 9)),
                   mesh=kind.mesh if rng.random() < 0.8 else None)  # fmt: skip


def _whole(rgb: Rgb) -> tuple[int, int, int]:
    return int(rgb[0]), int(rgb[1]), int(rgb[2])


def _roof(rng: np.random.Generator) -> Surface:
    tones: tuple[Rgb, ...] = ((86, 86, 88), (128, 124, 118), (110, 112, 116), (146, 140, 130), (70, 72, 76))
    return Surface(rgb=tone(rng, tones[int(rng.integers(len(tones)))], 8), aux=BUILDING, pattern=Pattern.PAVED,
                   unit_m=(30, 30), contrast=0.12, seed=_seed(rng))  # fmt: skip


def _old_frame(rng: np.random.Generator, split: Split) -> Rgb:
    names = sorted(FRAMES[split])
    worn = ("white", "off_white", "brown", "oak") if split == "train" else tuple(names)
    return tone(rng, shade(FRAMES[split][worn[int(rng.integers(len(worn)))]], 0.9), 8)


def _cores(rng: np.random.Generator, project: Project) -> tuple[tuple[float, float], ...]:
    count = max(1, math.ceil(project.width_m / 28))
    wide = float(rng.uniform(2.8, 5.2))
    span = project.width_m / count
    return tuple((float(np.clip((i + rng.uniform(0.35, 0.65)) * span - wide / 2, 0.5, project.width_m - wide - 0.5)), wide)
                 for i in range(count))  # fmt: skip
