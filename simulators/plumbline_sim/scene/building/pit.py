"""The ground inside the footprint: as found, dug out in tiers with pile heads, and the foundation with its starters."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from plumbline_sim.scene.building.face import DayFace, Floats
from plumbline_sim.scene.building.plan import BUILDING, GROUND, Plan, shade, tone
from plumbline_sim.scene.mesh import Mesh, Pattern, Rgb, Surface

_SOILS: tuple[Rgb, ...] = (
    (128, 104, 78),
    (146, 122, 92),
    (112, 92, 74),
    (158, 136, 104),
    (120, 116, 108),
    (136, 96, 70),
)
_DUG, _FOUNDED, _FRAMED = 1, 2, 3
REBAR_RGB: Rgb = (112, 74, 54)


def pit(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """Everything below and at ground level between the footprint's edges; the ground around it is not ours."""
    rng = plan.rng(6)
    face = day.face
    soil = Surface(rgb=tone(rng, _SOILS[int(rng.integers(len(_SOILS)))], 7), aux=GROUND, pattern=Pattern.SOIL,
                   unit_m=(float(rng.uniform(0.5, 1.6)), 1), contrast=float(rng.uniform(0.1, 0.25)), seed=float(rng.uniform(0, 9)))  # fmt: skip
    ground = day.parts.zone < face.bays
    rect, stage = day.parts.rect_m[ground], day.parts.stage[ground]
    spans = rect[:, [0, 2]]
    found = _as_found(rng, soil)
    _blocks(mesh, spans[stage == 0], plan, -plan.pit_m, 0.0, soil, top=found)
    open_ = (stage == _DUG) | (stage == _FOUNDED)
    if open_.any():
        _hole(mesh, plan, spans[open_], soil)
        _dig_faces(mesh, plan, spans, stage, soil)
        _piles(mesh, plan, spans[stage == _DUG], rng)
    _foundation(mesh, plan, spans[stage == _FOUNDED], rng)
    slab = Surface(rgb=shade(plan.works.concrete, 0.92), aux=BUILDING, contrast=0.15, seed=soil.seed)
    _blocks(mesh, spans[stage >= _FRAMED], plan, -plan.pit_m, 0.0, slab, top=slab)


def apron(mesh: Mesh, plan: Plan) -> None:
    """The strip of ground between an old wall and the line its new skin will reach."""
    strip = Surface(rgb=(132, 130, 126), aux=GROUND, pattern=Pattern.PAVED, unit_m=(1.0, 1.0), contrast=0.15)
    w, d = plan.width_m, plan.depth_m
    mesh.quads([[(0, 0.0, 0), (w, 0.0, 0), (w, 0.0, -d), (0, 0.0, -d)]], strip)


def _as_found(rng: np.random.Generator, soil: Surface) -> Surface:
    kind = int(rng.integers(3))
    if kind == 0:
        return Surface(
            rgb=tone(rng, (104, 118, 66), 10), aux=GROUND, pattern=Pattern.GRASS, contrast=0.3, seed=soil.seed
        )
    if kind == 1:
        return Surface(
            rgb=tone(rng, (112, 110, 108), 10),
            aux=GROUND,
            pattern=Pattern.PAVED,
            unit_m=(30, 30),
            contrast=0.2,
        )
    return replace(soil, rgb=shade(soil.rgb, 1.08))


def _blocks(
    mesh: Mesh, spans: Floats, plan: Plan, low_y: float, high_y: float, side: Surface, *, top: Surface
) -> None:
    if not len(spans):
        return
    low = np.column_stack([spans[:, 0], np.full(len(spans), low_y), np.full(len(spans), -plan.depth_m)])
    high = np.column_stack([spans[:, 1], np.full(len(spans), high_y), np.zeros(len(spans))])
    mesh.boxes(low, high, side, faces="xX").boxes(low, high, top, faces="Y")


def _hole(mesh: Mesh, plan: Plan, spans: Floats, soil: Surface) -> None:
    """The pit's floor, its two-tier slope at the back and the cut at the front."""
    x0, x1 = spans[:, 0], spans[:, 1]
    deep, back = -plan.pit_m, -plan.depth_m
    profile = ((0.0, 0.0), (0.42 * deep, 0.9), (0.45 * deep, 1.9), (deep, 3.0))
    for number, ((y_a, z_a), (y_b, z_b)) in enumerate(pairwise(profile)):
        _sheet(
            mesh,
            x0,
            x1,
            (y_b, back + z_b),
            (y_a, back + z_a),
            replace(soil, rgb=shade(soil.rgb, (0.94, 1.06, 0.86)[number])),
        )
    _sheet(mesh, x0, x1, (deep, 0.0), (deep, back + 3.0), replace(soil, rgb=shade(soil.rgb, 0.82)))
    _sheet(mesh, x0, x1, (0.0, 0.0), (deep, -0.01), replace(soil, rgb=shade(soil.rgb, 0.9)))


def _sheet(
    mesh: Mesh, x0: Floats, x1: Floats, near: tuple[float, float], far: tuple[float, float], look: Surface
) -> None:
    """Quads between x0 and x1 from the near (y, z) edge to the far one."""

    def corner(x: Floats, edge: tuple[float, float]) -> Floats:
        return np.column_stack([x, np.full(len(x), edge[0]), np.full(len(x), edge[1])])

    mesh.quads(np.stack([corner(x0, near), corner(x1, near), corner(x1, far), corner(x0, far)], axis=1), look)


def _dig_faces(mesh: Mesh, plan: Plan, spans: Floats, stage: np.ndarray, soil: Surface) -> None:
    """Slopes where the dug part ends, and the ramp down from one of them."""
    open_ = (stage == _DUG) | (stage == _FOUNDED)
    order = np.argsort(spans[:, 0])
    deep, back = -plan.pit_m, -plan.depth_m
    for place, i in enumerate(order):
        if not open_[i]:
            continue
        left_shut = place == 0 or not open_[order[place - 1]]
        right_shut = place == len(order) - 1 or not open_[order[place + 1]]
        for shut, x, way in ((left_shut, spans[i, 0], 1.0), (right_shut, spans[i, 1], -1.0)):
            if not shut:
                continue
            foot = x + way * min(0.55 * plan.pit_m, 0.45 * (spans[i, 1] - spans[i, 0]))
            mesh.quads(
                [[(x, 0, 0), (foot, deep, 0), (foot, deep, back), (x, 0, back)]],
                replace(soil, rgb=shade(soil.rgb, 0.97)),
            )
    if stage.min() < _FOUNDED and open_.any():
        wide = spans[open_]
        x_a, x_b = float(wide[:, 0].min()), float(wide[:, 1].max())
        run = min(x_b - x_a, 3.2 * plan.pit_m)
        z_a, z_b = back * 0.45, back * 0.45 - min(4.5, 0.4 * plan.depth_m)
        start, end = (x_a, x_a + run) if plan.seed % 2 else (x_b, x_b - run)
        track = replace(soil, rgb=shade(soil.rgb, 1.15))
        mesh.quads([[(start, 0.02, z_a), (end, deep, z_a), (end, deep, z_b), (start, 0.02, z_b)]], track)
        mesh.quads([[(start, 0.02, z_a), (start, deep, z_a), (end, deep, z_a), (end, deep, z_a)]], soil)


def _piles(mesh: Mesh, plan: Plan, spans: Floats, rng: np.random.Generator) -> None:
    """Pile heads with their bars on a grid, in the dug bays."""
    x, z = np.meshgrid(np.arange(0.8, plan.width_m, 2.1), np.arange(-plan.depth_m + 3.4, -0.8, 2.3))
    shift = rng.normal(0, 0.08, (2, x.size))
    x, z, tall = x.ravel() + shift[0], z.ravel() + shift[1], rng.uniform(0.3, 0.9, x.size)
    inside = np.any((x[:, None] > spans[:, 0] + 0.3) & (x[:, None] < spans[:, 1] - 0.3), axis=1)
    foot = np.column_stack([x, np.full(x.size, -plan.pit_m), z])[inside]
    head = foot + np.column_stack([np.zeros(len(foot)), tall[inside], np.zeros(len(foot))])
    mesh.tubes(foot, head, 0.42, Surface(rgb=shade(plan.works.concrete, 0.9), aux=BUILDING, contrast=0.15))
    mesh.tubes(head, np.add(head, (0, 0.5, 0)), 0.16, Surface(rgb=REBAR_RGB, aux=BUILDING))


def _foundation(mesh: Mesh, plan: Plan, spans: Floats, rng: np.random.Generator) -> None:
    """Raft, basement walls to just below the ground, column stubs and starters above it."""
    if not len(spans):
        return
    concrete = Surface(rgb=plan.works.concrete, aux=BUILDING, contrast=0.16, seed=2.0)
    raft_y = -plan.pit_m + 0.6
    low = np.column_stack(
        [spans[:, 0], np.full(len(spans), -plan.pit_m), np.full(len(spans), -plan.depth_m + 0.4)]
    )
    high = np.column_stack([spans[:, 1], np.full(len(spans), raft_y), np.full(len(spans), -0.2)])
    mesh.boxes(low, high, concrete, faces="xXYZ")
    top = -0.25
    for z in (-plan.depth_m + 0.5, -0.5):
        wall_low = np.column_stack([spans[:, 0], np.full(len(spans), raft_y), np.full(len(spans), z)])
        mesh.boxes(wall_low, wall_low + np.column_stack([spans[:, 1] - spans[:, 0], np.full(len(spans), top - raft_y), np.full(len(spans), 0.3)]),
                   concrete)  # fmt: skip
    bays = plan.front.bays
    x, z = np.meshgrid(np.arange(bays + 1) * plan.front.bay_m, column_rows(plan))
    x, z = np.clip(x.ravel(), 0.3, plan.width_m - 0.3), z.ravel()
    inside = np.any((x[:, None] >= spans[:, 0] - 0.01) & (x[:, None] <= spans[:, 1] + 0.01), axis=1)
    x, z = x[inside], z[inside]
    half = plan.column_m / 2
    stub_low, stub_high = (
        np.column_stack([x - half, np.full(x.size, raft_y), z - half]),
        np.column_stack([x + half, np.full(x.size, top), z + half]),
    )
    formed = rng.random(len(plan.front.walls) + 500)[: x.size] < 0.3
    mesh.boxes(stub_low[~formed], stub_high[~formed], concrete, faces="xXYZ")
    panel = Surface(
        rgb=plan.works.panel, aux=BUILDING, pattern=Pattern.RIBBED, unit_m=(0.3, 1), contrast=0.08
    )
    mesh.boxes(stub_low[formed] - (0.12, 0, 0.12), stub_high[formed] + (0.12, 0.2, 0.12), panel, faces="xXYZ")
    starters(mesh, np.column_stack([x, np.full(x.size, top), z]), half, 1.1)
    fresh = spans[rng.random(max(len(spans), 1))[: len(spans)] < 0.5]
    if len(fresh):  # wall forms stand along the back
        low = np.column_stack(
            [fresh[:, 0], np.full(len(fresh), raft_y), np.full(len(fresh), -plan.depth_m + 0.9)]
        )
        mesh.boxes(
            low,
            low
            + np.column_stack(
                [fresh[:, 1] - fresh[:, 0], np.full(len(fresh), 0.3 - raft_y), np.full(len(fresh), 0.12)]
            ),
            panel,
        )


def column_rows(plan: Plan) -> Floats:
    """Where the rows of columns stand, from the front to the back."""
    count = max(2, round(plan.depth_m / 5.2) + 1)
    rows: Floats = np.linspace(-0.34, -plan.depth_m + 0.34, count)
    return rows


def starters(mesh: Mesh, foot: Floats, half: float, tall: float) -> None:
    """Four bars above each column's head."""
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (half * 0.75)
    base = (foot[:, None, :] + np.insert(corners, 1, 0, axis=1)[None]).reshape(-1, 3)
    mesh.tubes(base, np.add(base, (0, tall, 0)), 0.045, Surface(rgb=REBAR_RGB, aux=BUILDING))
