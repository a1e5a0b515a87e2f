"""What is set on or before a wall: window surrounds, shutters, string courses, an entrance canopy, site tarpaulins, banners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.building.face import DayFace, Floats
from plumbline_sim.scene.building.plan import BUILDING, NET, Plan, shade, tone
from plumbline_sim.scene.building.scaffold import Cells
from plumbline_sim.scene.building.skin import Z_OF, fronts
from plumbline_sim.scene.mesh import Mesh, Pattern, Rgb, Surface

_FRAMED, _FINISHED = 3, 7


def trim(mesh: Mesh, plan: Plan, day: DayFace, track: str) -> None:
    """Ornament of the old wall until it is stripped, and of the new one once it is finished."""
    rng = plan.rng(70)
    styles = rng.random((2, 4))
    before = (0, 1) if track == "reno" else ()
    after = (6, 7) if track == "reno" else (7,)
    for number, (stages, wall) in enumerate(((before, plan.old.rgb), (after, plan.paint.rgb))):
        if not stages or (number == 1 and plan.cladding is not None):
            continue
        bands, wings, courses, light = styles[number]
        rgb = tone(plan.rng(71 + number), shade(wall, 1.25 if light < 0.6 else 0.72), 6)
        look = Surface(rgb=rgb, aux=BUILDING, contrast=0.06)
        z = Z_OF[track][stages[0]]
        pieces = day.cut(day.face.openings, day.face.opening_zone).at(*stages)
        if bands < (0.4, 0.25)[number]:
            _surrounds(mesh, pieces.rect_m, z, look)
        elif wings < 0.18:
            _shutters(mesh, plan, pieces.rect_m, z)
        if courses < 0.3:
            _courses(mesh, day, stages, z, look)


def _surrounds(mesh: Mesh, rect: Floats, z: float, look: Surface) -> None:
    x0, y0, x1, y1 = rect.T
    w = 0.14
    bars = [(x0 - w, y0, x0, y1), (x1, y0, x1 + w, y1), (x0 - w, y1, x1 + w, y1 + w * 1.3)]
    mesh.quads(fronts(np.concatenate([np.stack(bar, 1) for bar in bars]), z + 0.03), look)


def _shutters(mesh: Mesh, plan: Plan, rect: Floats, z: float) -> None:
    """A folded-back wing on either side of narrow windows."""
    tones: tuple[Rgb, ...] = (
        (72, 92, 78),
        (96, 66, 50),
        (92, 108, 128),
        (60, 60, 64),
        (140, 60, 50),
        (196, 190, 178),
    )
    look = Surface(
        rgb=tone(plan.rng(73), tones[plan.seed % 6], 8),
        aux=BUILDING,
        pattern=Pattern.WOOD,
        unit_m=(1, 0.09),
        contrast=0.15,
    )
    x0, y0, x1, y1 = rect[(rect[:, 2] - rect[:, 0]) < 1.7].T
    w = np.minimum(0.5, (x1 - x0) * 0.45)
    low = np.concatenate([np.stack([x0 - w, y0, x0 * 0 + z], 1), np.stack([x1, y0, x0 * 0 + z], 1)])
    high = np.concatenate(
        [np.stack([x0, y1, x0 * 0 + z + 0.05], 1), np.stack([x1 + w, y1, x0 * 0 + z + 0.05], 1)]
    )
    mesh.boxes(low, high, look, faces="xXyZ")


def _courses(mesh: Mesh, day: DayFace, stages: tuple[int, ...], z: float, look: Surface) -> None:
    """A moulding at every floor."""
    here = np.isin(day.parts.stage, stages)
    x0, _, x1, y1 = day.parts.rect_m[here].T
    top = np.abs(y1 / day.face.storey_m - np.round(y1 / day.face.storey_m)) < 0.01
    low = np.stack([x0, y1 - 0.16, np.full(x0.size, z)], 1)[top]
    high = np.stack([x1, y1, np.full(x0.size, z + 0.09)], 1)[top]
    mesh.boxes(low, high, look, faces="yYZ")


def canopy(mesh: Mesh, plan: Plan, day: DayFace, track: str) -> None:
    """A roof and steps before the house door, the tall opening on the ground floor."""
    face = day.face
    doors = face.openings[(face.opening_zone < face.bays) & (face.openings[:, 1] < 0.05)]
    if not len(doors):
        return
    x0, _, x1, y1 = doors[0]
    stage = int(day.stage_at(np.array((x0 + x1) / 2), np.array(1.0)))
    if stage < (6 if track == "new" else 0):
        return
    concrete = Surface(rgb=shade(plan.works.concrete, 0.9), aux=BUILDING, contrast=0.12)
    mesh.boxes(
        (x0 - 0.4, y1 + 0.12, 0.0),
        (x1 + 0.4, y1 + 0.28, 1.15),
        concrete if track == "reno" else replace(plan.accent, contrast=0.05),
    )
    mesh.boxes((x0 - 0.3, 0.0, 0.0), (x1 + 0.3, 0.14, 1.2), concrete, faces="xXYZ")


def tarpaulins(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """Foil and tarpaulins hung from slab to slab on some floors of the open frame."""
    rng = plan.rng(74)
    face = day.face
    share = float(rng.choice((0.0, 0.0, 0.12, 0.3)))
    floors = rng.random(face.floors) < share
    gaps = rng.random((face.floors, face.bays)) < 0.85
    tones: tuple[Rgb, ...] = ((52, 92, 164), (206, 210, 212), (184, 190, 192), (70, 110, 76), (214, 132, 54))
    rgb = tone(rng, tones[int(rng.integers(5))], 9)
    here = (day.parts.stage == _FRAMED) & (floors[:, None] & gaps).ravel()[day.parts.zone]
    rect = day.parts.rect_m[here].copy()
    if not len(rect):
        return
    rect[:, 3] = (day.parts.zone[here] // face.bays + 1) * face.storey_m - plan.slab_m * 0.6
    rect[:, 1] += rng.uniform(0, 0.5, len(rect))
    cloth = Surface(rgb=rgb, aux=NET, pattern=Pattern.NET, contrast=0.18, seed=5.0)
    mesh.quads(fronts(rect, -0.07), cloth, alpha=rng.uniform(0.7, 0.97, len(rect)))


def banner(mesh: Mesh, plan: Plan, cells: Cells) -> None:
    """A firm's banner tied to the scaffold, over several fields."""
    rng = plan.rng(75)
    lifts, fields = cells.stands.shape
    if lifts < 4 or fields < 3 or rng.random() > 0.22:
        return
    row, col = int(rng.integers(1, lifts - 2)), int(rng.integers(0, fields - 1))
    wide, tall = min(int(rng.integers(1, 4)), fields - col), int(rng.integers(1, 3))
    if not cells.stands[row : row + tall, col : col + wide].all():
        return
    ground = tuple(
        float(v)
        for v in rng.choice([(226, 228, 228), (30, 60, 120), (190, 40, 40), (240, 200, 40), (40, 110, 70)])
    )
    x0, x1, y0, y1 = cells.x[col], cells.x[col + wide], cells.y[row], cells.y[row + tall]
    z = cells.z + 1.12
    cloth: NDArray[np.float64] = np.array([[x0, y0, x1, y1]])
    mesh.quads(fronts(cloth, z), Surface(rgb=(ground[0], ground[1], ground[2]), aux=NET, contrast=0.12))
    lines = rng.uniform(0, 1, (7, 3))
    a = x0 + (x1 - x0) * (0.08 + 0.5 * lines[:, 0])
    b = np.minimum(a + (x1 - x0) * (0.1 + 0.4 * lines[:, 1]), x1 - 0.1)
    c = y0 + (y1 - y0) * (0.15 + 0.65 * lines[:, 2])
    ink: Rgb = (30, 34, 40) if sum(ground) > 420 else (236, 236, 234)
    mesh.quads(
        fronts(np.stack([a, c, b, c + 0.12 * (y1 - y0)], 1), z + 0.02),
        Surface(rgb=ink, aux=NET, contrast=0.1),
    )
