"""Cranes: a tower crane with its jib, a luffing one, a crawler whose boom crosses the building; turned anew each shot."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot
from plumbline_sim.scene.around.solids import bars, toned, turned
from plumbline_sim.scene.families import VEHICLES
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface
from plumbline_sim.scene.project import Project

Floats = NDArray[np.float64]
Rgb = tuple[float, float, float]
MACHINE: Final = AUX_CLASSES.index("machine_vehicle")


def raise_cranes(mesh: Mesh, project: Project, plot: Plot, day: float, fixed: np.random.Generator, shot: np.random.Generator,
                 first_instance: int) -> int:  # fmt: skip
    """The site's cranes while there is work for them; returns the next free instance number."""
    names = sorted(VEHICLES[project.split])
    colours = VEHICLES[project.split][str(fixed.choice(names))]
    rgb = toned(colours[0])
    kind = str(fixed.choice(["tower", "tower", "luffing", "crawler"]))
    foot = _foot(plot, fixed, crawler=kind == "crawler")
    reach, mast = float(fixed.uniform(30, 55)), project.height_m + float(fixed.uniform(9, 26))
    done = float(project.zone_stages(day).mean())
    if not project.look.crane or not 0.35 < done < 6.5:
        return first_instance
    yaw = float(shot.uniform(-math.pi, math.pi))
    surface = Surface(rgb=rgb, aux=MACHINE, pattern=Pattern.METAL, contrast=0.1, instance=first_instance)
    if kind == "crawler":
        middle = project.width_m / 2
        yaw = math.atan2(middle - foot[0] + float(shot.uniform(-12, 12)), -4 - foot[2])
        _crawler(
            mesh,
            surface,
            foot,
            yaw,
            project.height_m + float(fixed.uniform(8, 22)),
            float(shot.uniform(0.95, 1.3)),
            shot,
        )
    else:
        (_tower if kind == "tower" else _luffing)(mesh, surface, foot, yaw, mast, reach, shot)
    return first_instance + 1


def _foot(plot: Plot, rng: np.random.Generator, *, crawler: bool) -> tuple[float, float, float]:
    x0, z0, x1, _ = plot.house
    if crawler:
        return float(rng.choice([x0 - 7, x1 + 7])), 0.0, float(rng.uniform(3, max(3.1, plot.site[3] - 4)))
    spots = [
        (float(rng.uniform(x0, x1)), z0 - 4.5),
        (x0 - 5.0, float(rng.uniform(z0, 0))),
        (x1 + 5.0, float(rng.uniform(z0, 0))),
        (float(rng.uniform(x0, x1)), z0 - 4.5),
    ]
    x, z = spots[int(rng.integers(4))]
    return x, 0.0, z


def _lattice(
    start: Floats, end: Floats, wide: float, step: float, *, corners: int = 4, thick: float = 0.14
) -> Floats:
    """The bars of a truss from `start` to `end`, as faces [n, 4, 3]: chords, rungs and zigzag."""
    along = end - start
    length = float(np.linalg.norm(along))
    along = along / length
    side = np.cross(along, (0.0, 1.0, 0.0) if abs(along[1]) < 0.9 else (1.0, 0.0, 0.0))
    side /= np.linalg.norm(side)
    other = np.cross(side, along)
    ring = (
        [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
        if corners == 4
        else [(-0.5, 0.0), (0.5, 0.0), (0.0, 0.85)]
    )
    offsets = np.array([side * a * wide + other * b * wide for a, b in ring])
    count = max(2, round(length / step))
    nodes = start + along * np.linspace(0, length, count + 1)[:, None]
    a, b = [nodes[0] + o for o in offsets], [nodes[-1] + o for o in offsets]
    thin_a, thin_b = [], []
    for i in range(corners):
        first, last = nodes + offsets[i], nodes + offsets[(i + 1) % corners]
        zig = np.where((np.arange(count) % 2 == 0)[:, None], first[:-1], last[:-1])
        zag = np.where((np.arange(count) % 2 == 0)[:, None], last[1:], first[1:])
        thin_a += [zig, first[1:]]
        thin_b += [zag, last[1:]]
    chords = bars(np.array(a), np.array(b), (thick, thick)).reshape(-1, 6, 4, 3)[:, :4]
    thin = bars(np.concatenate(thin_a), np.concatenate(thin_b), (thick * 0.6, thick * 0.6)).reshape(
        -1, 6, 4, 3
    )[:, [0, 2]]
    return np.concatenate([chords.reshape(-1, 4, 3), thin.reshape(-1, 4, 3)])


def _part(
    mesh: Mesh,
    faces: Floats,
    surface: Surface,
    at: tuple[float, float, float],
    yaw: float,
    rgb: Rgb | None = None,
) -> None:
    tone = None if rgb is None else np.broadcast_to(np.asarray(rgb, float), (len(faces), 3))
    mesh.quads(turned(faces[None], [yaw], [at])[0], surface, rgb=tone)


def _cuboid(low: tuple[float, float, float], high: tuple[float, float, float]) -> Floats:
    middle_x, middle_z = (low[0] + high[0]) / 2, (low[2] + high[2]) / 2
    return bars(
        (middle_x, low[1], middle_z), (middle_x, high[1], middle_z), (high[0] - low[0], high[2] - low[2])
    )


def _mast(mesh: Mesh, surface: Surface, foot: tuple[float, float, float], tall: float) -> None:
    base = np.array(foot)
    mesh.quads(_lattice(base, np.add(base, (0, tall, 0)), 1.9, 2.2, thick=0.2), surface)
    mesh.boxes(
        base - [2.6, 0.1, 2.6],
        np.add(base, (2.6, 0.7, 2.6)),
        Surface(rgb=(166, 164, 158), aux=MACHINE, contrast=0.12, instance=surface.instance),
    )


def _tower(
    mesh: Mesh,
    surface: Surface,
    foot: tuple[float, float, float],
    yaw: float,
    tall: float,
    reach: float,
    shot: np.random.Generator,
) -> None:
    """A hammerhead: everything above the slewing ring is built along +z and turned."""
    _mast(mesh, surface, foot, tall)
    at = (foot[0], foot[1] + tall, foot[2])
    back = reach * 0.28
    z = np.array
    for faces in (
        _lattice(z([0, 1.2, 0.9]), z([0, 1.2, reach]), 1.3, 1.9, corners=3, thick=0.13),
        _lattice(z([0, 1.2, -back]), z([0, 1.2, -0.9]), 1.3, 2.2, thick=0.13),
        _lattice(z([0, 1.0, 0]), z([0, 8.2, -0.6]), 1.1, 1.8, thick=0.15),
        _cuboid((-1.1, 0, -1.1), (1.1, 1.0, 1.1)),
    ):
        _part(mesh, faces, surface, at, yaw)
    cable = (
        bars(
            [(0, 8.1, -0.6)] * 3,
            [(0, 2.4, reach * 0.45), (0, 2.3, reach * 0.82), (0, 1.9, -back + 1)],
            (0.09, 0.09),
        )
        .reshape(-1, 6, 4, 3)[:, :4]
        .reshape(-1, 4, 3)
    )
    _part(mesh, cable, surface, at, yaw, (70, 72, 74))
    _part(mesh, _cuboid((-1.0, -1.1, -back), (1.0, 1.3, -back + 2.6)), surface, at, yaw, (150, 148, 142))
    _part(mesh, _cuboid((0.9, -0.6, 0.6), (2.3, 1.5, 2.4)), surface, at, yaw, (214, 218, 218))
    _part(mesh, _cuboid((0.95, 0.2, 2.35), (2.25, 1.3, 2.45)), surface, at, yaw, (40, 50, 58))
    _part(
        mesh, _cuboid((-0.03, 1.2, -back * 0.55), (0.03, 2.9, -back * 0.3)), surface, at, yaw, (236, 236, 232)
    )
    trolley = reach * float(shot.uniform(0.25, 0.95))
    drop = float(shot.uniform(3, max(4.0, tall - 4)))
    _part(
        mesh, _cuboid((-0.9, 0.5, trolley - 0.8), (0.9, 0.95, trolley + 0.8)), surface, at, yaw, (60, 62, 64)
    )
    _hook(mesh, surface, at, yaw, (0, 0.6, trolley), drop, shot)


def _hook(
    mesh: Mesh,
    surface: Surface,
    at: tuple[float, float, float],
    yaw: float,
    top: tuple[float, float, float],
    drop: float,
    shot: np.random.Generator,
) -> None:
    """Ropes, the block, and often a load: boards, rebar, a concrete skip, a formwork panel."""
    x, y, z = top
    ropes = bars(
        [(x - 0.25, y, z - 0.2), (x + 0.25, y, z + 0.2)],
        [(x - 0.2, y - drop, z), (x + 0.2, y - drop, z)],
        (0.06, 0.06),
    )
    _part(mesh, ropes, surface, at, yaw, (50, 52, 54))
    _part(
        mesh,
        _cuboid((x - 0.35, y - drop - 0.9, z - 0.25), (x + 0.35, y - drop, z + 0.25)),
        surface,
        at,
        yaw,
        (214, 60, 44),
    )
    if shot.random() < 0.45 or at[1] + y - drop < 6:
        return
    low = y - drop - 2.6
    loads: list[tuple[tuple[float, float, float], Rgb]] = [((2.4, 0.5, 0.6), (176, 140, 96)), ((3.4, 0.22, 0.4), (120, 84, 62)), ((0.8, 1.1, 0.8), (226, 170, 40)),
                                                           ((2.4, 1.9, 0.18), (196, 160, 60)), ((1.2, 0.9, 1.0), (198, 196, 188))]  # fmt: skip
    (wide, high, deep), rgb = loads[int(shot.integers(len(loads)))]
    slings = bars(
        [(x, y - drop - 0.9, z)] * 2, [(x - wide * 0.45, low, z), (x + wide * 0.45, low, z)], (0.05, 0.05)
    )
    _part(mesh, slings, surface, at, yaw, (50, 52, 54))
    _part(
        mesh,
        _cuboid((x - wide / 2, low - high, z - deep / 2), (x + wide / 2, low, z + deep / 2)),
        surface,
        at,
        yaw,
        rgb,
    )


def _luffing(
    mesh: Mesh,
    surface: Surface,
    foot: tuple[float, float, float],
    yaw: float,
    tall: float,
    reach: float,
    shot: np.random.Generator,
) -> None:
    _mast(mesh, surface, foot, tall)
    at = (foot[0], foot[1] + tall, foot[2])
    rise = float(shot.uniform(0.6, 1.35))
    tip = np.array([0, 1.2 + reach * math.sin(rise), 1.4 + reach * math.cos(rise)])
    _part(mesh, _lattice(np.array([0, 1.2, 1.4]), tip, 1.3, 2.0, thick=0.14), surface, at, yaw)
    _part(mesh, _cuboid((-1.4, 0, -6.5), (1.4, 0.7, 1.8)), surface, at, yaw)
    _part(mesh, _cuboid((-1.3, -1.3, -6.6), (1.3, 1.6, -4.4)), surface, at, yaw, (140, 140, 136))
    peak = (0.0, 8.5, -3.0)
    frame = bars([(-0.7, 0.7, 0), (0.7, 0.7, 0), (-0.7, 0.7, -5), (0.7, 0.7, -5)], [peak] * 4, (0.22, 0.22))
    _part(mesh, frame, surface, at, yaw)
    ropes = bars([peak, peak], [tuple(tip), (0, 1.2, -6)], (0.09, 0.09))
    _part(mesh, ropes, surface, at, yaw, (60, 62, 64))
    _part(mesh, _cuboid((1.2, -0.4, 0.2), (2.5, 1.7, 2.0)), surface, at, yaw, (210, 214, 214))
    _hook(
        mesh,
        surface,
        at,
        yaw,
        (0.0, float(tip[1]) - 0.4, float(tip[2])),
        float(shot.uniform(2, max(3.0, tall * 0.8))),
        shot,
    )


def _crawler(
    mesh: Mesh,
    surface: Surface,
    foot: tuple[float, float, float],
    yaw: float,
    boom: float,
    rise: float,
    shot: np.random.Generator,
) -> None:
    dark: Rgb = (58, 58, 60)
    for side in (-1, 1):
        _part(
            mesh, _cuboid((side * 2.3 - 0.5, 0, -3.4), (side * 2.3 + 0.5, 1.1, 3.4)), surface, foot, yaw, dark
        )
    _part(mesh, _cuboid((-1.7, 1.1, -4.4), (1.7, 3.3, 1.6)), surface, foot, yaw)
    _part(mesh, _cuboid((-1.7, 1.1, -5.4), (1.7, 2.9, -4.4)), surface, foot, yaw, dark)
    _part(mesh, _cuboid((1.0, 1.3, 1.0), (2.2, 3.3, 2.6)), surface, foot, yaw, (70, 84, 92))
    tip = np.array([0, 1.6 + boom * math.sin(rise), 1.2 + boom * math.cos(rise)])
    _part(mesh, _lattice(np.array([0, 1.6, 1.2]), tip, 1.2, 1.8, thick=0.14), surface, foot, yaw)
    ropes = bars([(0, 6.0, -3.5), (0, 6.0, -3.5)], [tuple(tip), (0, 3.3, -4)], (0.08, 0.08))
    _part(
        mesh,
        np.concatenate([ropes, bars([(0, 3.2, -1)], [(0, 6.0, -3.5)], (0.2, 0.2))]),
        surface,
        foot,
        yaw,
        dark,
    )
    _hook(
        mesh,
        surface,
        foot,
        yaw,
        (0.0, float(tip[1]), float(tip[2])),
        float(shot.uniform(2, boom * 0.5)),
        shot,
    )
