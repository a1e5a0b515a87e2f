"""What years have left on an old facade, and what stripping shows: boxes, dishes, cables, pipes, patches."""

from __future__ import annotations

import numpy as np

from plumbline_sim.scene.building.face import DayFace, Floats
from plumbline_sim.scene.building.plan import BUILDING, Plan, shade
from plumbline_sim.scene.building.skin import fronts
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

_Z = -0.14


def old(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """All of it for one face of a renovation."""
    rng = plan.rng(50)
    _patches(mesh, plan, day, rng)
    _joints(mesh, plan, day)
    _boxes(mesh, day, rng)
    _dishes(mesh, day, rng)
    _pipes(mesh, plan, day, rng)
    _cables(mesh, day, rng)


def _patches(mesh: Mesh, plan: Plan, day: DayFace, rng: np.random.Generator) -> None:
    """Old mends and bare spots (stages 0, 1); hacked-off areas and fresh mortar (stage 2)."""
    pieces = day.cut(day.face.walls, day.face.wall_zone)
    many = len(day.face.walls)
    roll, where = rng.random((many, 2)), rng.random((many, 4))
    dirty, stripped = float(rng.uniform(0.02, 0.2)), float(rng.uniform(0.35, 0.8))
    tones = np.array([plan.repaired.rgb, (172, 168, 160), (118, 112, 104), (148, 98, 78), (196, 192, 184)])
    pick = tones[(rng.random(many) * 5).astype(int)] * rng.uniform(0.85, 1.12, (many, 1))
    for stages, share, z in (((0, 1), dirty, _Z + 0.006), ((2,), stripped, -0.148)):
        here = pieces.at(*stages)
        use = roll[here.source, 0] < share
        rect, own = here.rect_m[use], where[here.source[use]]
        wide, tall = rect[:, 2] - rect[:, 0], rect[:, 3] - rect[:, 1]
        x0, y0 = rect[:, 0] + own[:, 0] * 0.6 * wide, rect[:, 1] + own[:, 1] * 0.6 * tall
        x1, y1 = (
            x0 + (0.15 + 0.8 * own[:, 2]) * (rect[:, 2] - x0),
            y0 + (0.15 + 0.8 * own[:, 3]) * (rect[:, 3] - y0),
        )
        spot = Surface(rgb=plan.repaired.rgb, aux=BUILDING, pattern=Pattern.STAINED, contrast=0.2, seed=4.0)
        mesh.quads(_ragged(np.stack([x0, y0, x1, y1], 1), z, own), spot, rgb=pick[here.source[use]])


def _ragged(rect: Floats, z: float, roll: Floats) -> Floats:
    """Rectangles whose corners are pulled inwards unevenly, as a hammer leaves them."""
    quads = fronts(rect, z)
    pull = np.stack(
        [
            (roll - 0.5) * 0.3 * (rect[:, 2] - rect[:, 0])[:, None],
            (roll[:, ::-1] - 0.5) * 0.3 * (rect[:, 3] - rect[:, 1])[:, None],
        ],
        -1,
    )
    signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    quads[..., :2] += np.abs(pull) * signs
    return quads


def _joints(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """Sealed joints of a panel house, smeared over in another tone."""
    if plan.old.pattern is not Pattern.PANEL:
        return
    here = np.isin(day.parts.stage, (0, 1))
    rect = day.parts.rect_m[here]
    rng = plan.rng(51)
    mended = rng.random(day.face.floors * day.face.bays)[day.parts.zone[here]] < rng.uniform(0.0, 0.6)
    x0, y0, x1, y1 = rect[mended].T
    bars = np.concatenate(
        [np.stack([x0 - 0.07, y0, x0 + 0.08, y1], 1), np.stack([x0, y0 - 0.06, x1, y0 + 0.08], 1)]
    )
    dark = Surface(rgb=shade(plan.old.rgb, float(rng.choice((0.55, 1.22)))), aux=BUILDING, contrast=0.1)
    mesh.quads(fronts(np.clip(bars, 0, None), _Z + 0.004), dark)


def _still_there(day: DayFace, x: Floats, y: Floats) -> np.ndarray:
    stage = day.stage_at(x, y)
    kept: np.ndarray = (stage == 0) | (stage == 1)
    return kept


def _boxes(mesh: Mesh, day: DayFace, rng: np.random.Generator) -> None:
    """Outdoor units of air conditioners, beside or under windows."""
    holes = day.face.openings
    has = rng.random(len(holes)) < rng.uniform(0.02, 0.35)
    side, tint = rng.random(len(holes)) < 0.5, rng.uniform(170, 232, len(holes))
    x = np.where(side, holes[:, 2] + 0.12, holes[:, 0] + 0.1)
    y = np.where(side, holes[:, 1] + 0.2, holes[:, 1] - 0.72)
    use = has & (x + 0.8 < day.face.width_m) & (y > 2.0) & _still_there(day, x, y)
    low = np.column_stack([x, y, np.full(len(x), _Z + 0.06)])[use]
    body = Surface(rgb=(205, 205, 200), aux=BUILDING, contrast=0.08)
    mesh.boxes(
        low, np.add(low, (0.8, 0.56, 0.3)), body, rgb=tint[use, None] * (1.0, 1.0, 0.97), faces="xXyYZ"
    )
    fan = np.column_stack([low[:, 0] + 0.08, low[:, 1] + 0.06, low[:, 0] + 0.52, low[:, 1] + 0.5])
    mesh.quads(fronts(fan, _Z + 0.365), Surface(rgb=(92, 94, 96), aux=BUILDING, contrast=0.1))


def _dishes(mesh: Mesh, day: DayFace, rng: np.random.Generator) -> None:
    """Satellite dishes as leaning octagons."""
    holes = day.face.openings
    has = rng.random(len(holes)) < rng.uniform(0.0, 0.12)
    x, y = holes[:, 2] + 0.3, holes[:, 1] + 0.35
    use = has & (x < day.face.width_m - 0.4) & (y > 3) & _still_there(day, x, y)
    if not use.any():
        return
    angle = np.linspace(0, 2 * np.pi, 9)
    ring = np.stack([0.36 * np.cos(angle), 0.38 * np.sin(angle), 0.3 - 0.14 * np.sin(angle)], 1)
    centre = np.column_stack([x, y, np.full(len(x), _Z)])[use]
    a, b = centre[:, None] + ring[None, :-1], centre[:, None] + ring[None, 1:]
    hub = np.broadcast_to((np.add(centre, (0, 0, 0.2)))[:, None], a.shape)
    normals = np.broadcast_to(np.array((0.0, 0.35, 0.94)), (a.shape[0] * a.shape[1], 3, 3))
    mesh.triangles(
        np.stack([hub, a, b], 2).reshape(-1, 3, 3),
        normals,
        Surface(rgb=(214, 214, 208), aux=BUILDING, contrast=0.05),
    )


def _pipes(mesh: Mesh, plan: Plan, day: DayFace, rng: np.random.Generator) -> None:
    """Rainwater pipes at some bay lines, down to where the scaffold crew took them off."""
    face = day.face
    lines = np.flatnonzero(rng.random(face.bays + 1) < 0.3)
    floors = np.arange(face.floors)
    line, floor = (v.ravel() for v in np.meshgrid(lines, floors))
    x = np.clip(line * face.bay_m, 0.15, face.width_m - 0.15)
    use = _still_there(day, x, (floor + 0.5) * face.storey_m)
    foot = np.column_stack([x, floor * face.storey_m, np.full(x.size, _Z + 0.1)])[use]
    mesh.tubes(
        foot,
        np.add(foot, (0, face.storey_m, 0)),
        0.11,
        Surface(rgb=shade(plan.old.rgb, float(rng.uniform(0.5, 1.1))), aux=BUILDING, contrast=0.15),
    )


def _cables(mesh: Mesh, day: DayFace, rng: np.random.Generator) -> None:
    """Slack cables along the floors."""
    face = day.face
    for floor in np.flatnonzero(rng.random(face.floors) < 0.25):
        y = (floor + rng.uniform(0.02, 0.15)) * face.storey_m
        x = np.linspace(0, face.width_m, face.bays * 2 + 1)
        sag = y - 0.25 * np.sin(np.linspace(0, np.pi * face.bays, x.size)) ** 2
        points = np.column_stack([x, np.maximum(sag, 0.1), np.full(x.size, _Z + 0.05)])
        keep = _still_there(day, (x[:-1] + x[1:]) / 2, np.full(x.size - 1, y + 0.01))
        mesh.tubes(points[:-1][keep], points[1:][keep], 0.035, Surface(rgb=(40, 40, 42), aux=BUILDING))
