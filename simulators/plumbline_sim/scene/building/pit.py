"""The ground where the building will stand: as found, dug out in tiers with pile heads, the foundation with its starters.

While there is a pit, this draws the ground of the footprint and RING_M around it; before and after, the ground around
runs through, and only slabs lie on it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

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
RING_M: Final = 3.0
"""How far beyond the footprint the ground is drawn here while there is a pit."""
_LIP_M: Final = 2.5
REBAR_RGB: Rgb = (112, 74, 54)


def pit(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """Everything below and at ground level; nothing while no bay is dug, but the slabs of framed ones."""
    rng = plan.rng(6)
    soil = Surface(rgb=tone(rng, _SOILS[int(rng.integers(len(_SOILS)))], 7), aux=GROUND, pattern=Pattern.SOIL,
                   unit_m=(float(rng.uniform(0.5, 1.6)), 1), contrast=float(rng.uniform(0.1, 0.25)), seed=float(rng.uniform(0, 9)))  # fmt: skip
    ground = day.parts.zone < day.face.bays
    order = np.argsort(day.parts.rect_m[ground][:, 0])
    spans, stage = day.parts.rect_m[ground][order][:, [0, 2]], day.parts.stage[ground][order]
    open_ = (stage == _DUG) | (stage == _FOUNDED)
    slab = Surface(rgb=shade(plan.works.concrete, 0.92), aux=BUILDING, contrast=0.15, seed=soil.seed)
    framed = stage >= _FRAMED
    _blocks(mesh, spans[framed], plan, 0.03, slab, top=slab)
    _blocks(mesh, spans[stage == 0], plan, 0.0, soil, top=_as_found(rng, soil))
    if not open_.any():
        return
    lip_m = 0.4 if framed.any() else _LIP_M  # filled up again round the basement before the frame goes on
    _rim(mesh, plan, spans, open_, lip_m, soil)
    _hole(mesh, plan, spans, open_, lip_m, soil)
    _dig_faces(mesh, plan, spans, open_, lip_m, soil)
    if stage.min() < _FOUNDED:
        _ramp(mesh, plan, spans[open_], soil)
    _piles(mesh, plan, spans[stage == _DUG], rng)
    _foundation(mesh, plan, spans[stage == _FOUNDED], rng)


def apron(mesh: Mesh, plan: Plan) -> None:
    """The strip of ground between an old wall and the line its new skin will reach."""
    strip = Surface(rgb=(132, 130, 126), aux=GROUND, pattern=Pattern.PAVED, unit_m=(1.0, 1.0), contrast=0.15)
    w, d = plan.width_m, plan.depth_m
    mesh.quads([[(0, 0.03, 0), (w, 0.03, 0), (w, 0.03, -d), (0, 0.03, -d)]], strip)


def _as_found(rng: np.random.Generator, soil: Surface) -> Surface:
    kind = int(rng.choice(3, p=(0.15, 0.15, 0.7)))  # the site around is mostly bare soil
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


def _blocks(mesh: Mesh, spans: Floats, plan: Plan, high_y: float, side: Surface, *, top: Surface) -> None:
    if not len(spans):
        return
    low = np.column_stack([spans[:, 0], np.full(len(spans), -plan.pit_m), np.full(len(spans), -plan.depth_m)])
    high = np.column_stack([spans[:, 1], np.full(len(spans), high_y), np.zeros(len(spans))])
    mesh.boxes(low, high, side, faces="xX").boxes(low, high, top, faces="Y")


def _level(mesh: Mesh, x0: Floats, x1: Floats, z0: Floats, z1: Floats, y: float, look: Surface) -> None:
    x0, x1, z0, z1 = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in (x0, x1, z0, z1)))
    height = np.full(x0.shape, y)
    corners = ((x0, z1), (x1, z1), (x1, z0), (x0, z0))
    mesh.quads(np.stack([np.stack([x, height, z], axis=1) for x, z in corners], axis=1), look)


def _rim(
    mesh: Mesh, plan: Plan, spans: Floats, open_: NDArray[np.bool_], lip_m: float, soil: Surface
) -> None:
    """Trampled ground round the pit, up to its lip, and the pit's floor."""
    w, back = plan.width_m, -plan.depth_m
    lip = np.where(open_, lip_m, 0.0)
    trodden = replace(soil, rgb=shade(soil.rgb, 1.08))
    for x0, x1 in ((-RING_M, -lip[0]), (w + lip[-1], w + RING_M)):
        _level(mesh, np.array(x0), np.array(x1), np.array(back - RING_M), np.array(RING_M), 0.0, trodden)
    x0, x1 = spans[:, 0].copy(), spans[:, 1].copy()
    x0[0], x1[-1] = x0[0] - lip[0], x1[-1] + lip[-1]
    _level(mesh, x0, x1, lip, np.full(len(lip), RING_M), 0.0, trodden)
    _level(mesh, x0, x1, np.full(len(lip), back - RING_M), back - lip, 0.0, trodden)
    floor = replace(soil, rgb=shade(soil.rgb, 0.82))
    _level(
        mesh,
        x0[open_],
        x1[open_],
        np.full(open_.sum(), back - lip_m),
        np.full(open_.sum(), lip_m),
        -plan.pit_m,
        floor,
    )


def _hole(
    mesh: Mesh, plan: Plan, spans: Floats, open_: NDArray[np.bool_], lip_m: float, soil: Surface
) -> None:
    """The pit's slopes at the back, in two tiers, and at the front."""
    deep, back = -plan.pit_m, -plan.depth_m
    x0, x1 = spans[:, 0].copy(), spans[:, 1].copy()
    x0[0], x1[-1] = x0[0] - lip_m, x1[-1] + lip_m
    x0, x1 = x0[open_], x1[open_]
    tier = 0.45 + 0.01 * (plan.seed % 15)
    profile = (
        (0.0, -lip_m),
        (tier * deep, 0.5 - lip_m),
        (tier * deep - 0.05, 1.6 - lip_m),
        (deep, 2.4 - lip_m),
    )
    for number, ((y_a, z_a), (y_b, z_b)) in enumerate(pairwise(profile)):
        look = replace(soil, rgb=shade(soil.rgb, (0.94, 1.06, 0.86)[number]))
        _sheet(mesh, x0, x1, (y_b, back + z_b), (y_a, back + z_a), look)
    _sheet(mesh, x0, x1, (0.0, lip_m), (deep, 0.6), replace(soil, rgb=shade(soil.rgb, 0.9)))


def _sheet(
    mesh: Mesh, x0: Floats, x1: Floats, near: tuple[float, float], far: tuple[float, float], look: Surface
) -> None:
    """Quads between x0 and x1 from the near (y, z) edge to the far one."""

    def corner(x: Floats, edge: tuple[float, float]) -> Floats:
        return np.column_stack([x, np.full(len(x), edge[0]), np.full(len(x), edge[1])])

    mesh.quads(np.stack([corner(x0, near), corner(x1, near), corner(x1, far), corner(x0, far)], axis=1), look)


def _dig_faces(
    mesh: Mesh, plan: Plan, spans: Floats, open_: NDArray[np.bool_], lip_m: float, soil: Surface
) -> None:
    """Slopes at both ends of the pit, and where the dug part stops inside the footprint."""
    deep, z_a, z_b = -plan.pit_m, lip_m, -plan.depth_m - lip_m
    look = replace(soil, rgb=shade(soil.rgb, 0.97))
    padded = np.pad(open_, 1)
    for i in np.flatnonzero(open_):
        for shut, edge, way, outer in (
            (not padded[i], spans[i, 0], 1.0, i == 0),
            (not padded[i + 2], spans[i, 1], -1.0, i == len(spans) - 1),
        ):
            if shut:
                top = edge - way * lip_m * outer
                foot = top + way * min(0.6 * plan.pit_m, 2.4 if outer else 0.45 * (spans[i, 1] - spans[i, 0]))
                mesh.quads([[(top, 0, z_a), (foot, deep, z_a), (foot, deep, z_b), (top, 0, z_b)]], look)


def _ramp(mesh: Mesh, plan: Plan, spans: Floats, soil: Surface) -> None:
    """The way down for lorries, from one end of what is dug."""
    deep, back = -plan.pit_m, -plan.depth_m
    x_a, x_b = float(spans[:, 0].min()), float(spans[:, 1].max())
    run = min(x_b - x_a, 3.2 * plan.pit_m)
    z_a = back * 0.45
    z_b = z_a - min(4.5, 0.4 * plan.depth_m)
    start, end = (x_a, x_a + run) if plan.seed % 2 else (x_b, x_b - run)
    mesh.quads(
        [[(start, 0.02, z_a), (end, deep, z_a), (end, deep, z_b), (start, 0.02, z_b)]],
        replace(soil, rgb=shade(soil.rgb, 1.15)),
    )
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
