"""Scaffolds: lifts with planks, rails and braces, nets and sheets before them, hoists, stair towers, catch nets, cradles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.building.face import DayFace, Floats
from plumbline_sim.scene.building.plan import MACHINE, NET, Plan, shade
from plumbline_sim.scene.building.skin import fronts
from plumbline_sim.scene.mesh import Mesh, Pattern, Rgb, Surface

_FINISHED, _FRAMED = 7, 3
_DECK_M = 0.9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """The grid a scaffold fills: `stands` [lifts, fields]; lines are the edges of its fields and lifts in metres."""

    stands: NDArray[np.bool_]
    netted: NDArray[np.bool_]
    x: Floats
    y: Floats
    z: float
    """How far out the inner standards are."""


def cells_of(
    plan: Plan, day: DayFace, track: str, net_zones: NDArray[np.bool_], *, first_stage: int, out_m: float
) -> Cells:
    """Where scaffold and net stand on the day; on the judged facade the truth of reno stages 1..6 decides."""
    face, kind = day.face, plan.scaffold
    fields = max(1, round(face.width_m / kind.field_m))
    lifts = max(1, round(face.height_m / kind.lift_m))
    x, y = np.linspace(0, face.width_m, fields + 1), np.linspace(0, face.height_m, lifts + 1)
    mid_x, mid_y = np.meshgrid((x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2)
    stage = day.stage_at(mid_x, mid_y)
    if track == "reno":
        stands = (stage >= 1) & (stage < _FINISHED)
    else:
        unfinished_above = np.flip(np.logical_or.accumulate(np.flip(stage < _FINISHED, 0), axis=0), 0)
        stands = (stage >= first_stage) & unfinished_above
    floor = np.minimum((mid_y / face.storey_m).astype(int), face.floors - 1)
    bay = np.minimum((mid_x / face.bay_m).astype(int), face.bays - 1)
    return Cells(stands=stands, netted=stands & net_zones[floor, bay], x=x, y=y, z=out_m)


def scaffold(mesh: Mesh, plan: Plan, cells: Cells) -> None:
    """Standards, decks, rails, toe boards and braces of the cells that stand."""
    if not cells.stands.any():
        return
    kind = plan.scaffold
    tube = Surface(rgb=kind.tube, aux=NET, contrast=0.12, pattern=Pattern.PLAIN, seed=3.0)
    plank = Surface(rgb=kind.plank, aux=NET, contrast=0.2, pattern=Pattern.WOOD, unit_m=(1, 0.3))
    row, col = np.nonzero(cells.stands)
    x0, x1, y0, y1 = cells.x[col], cells.x[col + 1], cells.y[row], cells.y[row + 1]
    near, far = cells.z, cells.z + _DECK_M
    _decks(mesh, cells, plank)
    t = kind.tube_m
    bars = []
    for number in range(kind.rails):
        h = (0.5, 1.0, 0.75)[number]
        bars.append(np.stack([x0, y0 + h, x1, y0 + h + t * 0.8], 1))
    last = cells.stands & ~np.vstack([cells.stands[1:], np.zeros((1, cells.stands.shape[1]), bool)])
    top_row, top_col = np.nonzero(last)
    tx0, tx1, ty = cells.x[top_col], cells.x[top_col + 1], cells.y[top_row + 1]
    bars += [np.stack([tx0, ty + h, tx1, ty + h + t * 0.8], 1) for h in (0.5, 1.0)]
    mesh.quads(fronts(np.concatenate(bars), far + 0.03), tube)
    toe = np.concatenate(
        [np.stack([x0, y0 + 0.0, x1, y0 + 0.17], 1)[row > 0], np.stack([tx0, ty, tx1, ty + 0.17], 1)]
    )
    mesh.quads(fronts(toe, far + 0.02), Surface(rgb=kind.toe, aux=NET, contrast=0.2))
    _standards(mesh, cells, tube, t)
    braced = (col + row // 3) % 4 == plan.seed % 4
    rise = np.where(
        (row % 2 == 0)[braced, None], np.stack([y0, y1], 1)[braced], np.stack([y1, y0], 1)[braced]
    )
    quads = [np.stack([x, y + d, np.full(x.size, far + 0.06)], 1)
             for x, y, d in ((x0[braced], rise[:, 0], 0), (x1[braced], rise[:, 1], 0), (x1[braced], rise[:, 1], t), (x0[braced], rise[:, 0], t))]  # fmt: skip
    mesh.quads(np.stack(quads, axis=1), tube)
    del near


def _decks(mesh: Mesh, cells: Cells, plank: Surface) -> None:
    """A deck at the foot of each cell but the lowest, and one on the highest, runs of cells in one piece."""
    below = np.vstack([np.zeros((1, cells.stands.shape[1]), bool), cells.stands])
    level = below | np.vstack([cells.stands, np.zeros((1, cells.stands.shape[1]), bool)])
    level[0] = False
    edge = np.diff(np.pad(level.astype(int), ((0, 0), (1, 1))), axis=1)
    row, start = np.nonzero(edge == 1)
    _, stop = np.nonzero(edge == -1)
    low = np.stack([cells.x[start], cells.y[row] - 0.09, np.full(row.size, cells.z + 0.05)], 1)
    high = np.stack([cells.x[stop], cells.y[row], np.full(row.size, cells.z + _DECK_M)], 1)
    mesh.boxes(low, high, plank, faces="xXyYZ")


def _standards(mesh: Mesh, cells: Cells, tube: Surface, width: float) -> None:
    padded = np.pad(cells.stands, ((0, 0), (1, 1)))
    beside = padded[:, 1:] | padded[:, :-1]
    edge = np.diff(np.pad(beside.astype(int), ((1, 1), (0, 0))), axis=0)
    line, start = np.nonzero((edge == 1).T)
    _, stop = np.nonzero((edge == -1).T)
    x, y0, y1 = cells.x[line], cells.y[start], cells.y[stop] + 1.05
    for z, faces in ((cells.z + _DECK_M, "xXZ"), (cells.z, "xZ")):
        low = np.stack([x - width / 2, y0, np.full(x.size, z - width / 2)], 1)
        high = np.stack([x + width / 2, y1 - (z == cells.z) * 1.0, np.full(x.size, z + width / 2)], 1)
        mesh.boxes(low, high, tube, faces=faces)


def nets(mesh: Mesh, plan: Plan, cells: Cells, rng: np.random.Generator, job: int = 20) -> None:
    """Cloth before the netted cells: folds, some sag, a few torn or missing fields; `rng` is the wind of the shot."""
    if not cells.netted.any():
        return
    fixed = plan.rng(job)
    lifts, fields = cells.stands.shape
    wear = float(fixed.uniform(0.0, 0.1))
    roll = fixed.random((lifts, fields))
    hangs = cells.netted & (roll > wear)
    half = cells.netted & (roll <= wear) & (roll > wear * 0.5)
    loose = float(fixed.uniform(0.02, 0.16))
    z = (
        cells.z
        + _DECK_M
        + 0.1
        + loose
        * np.abs(
            fixed.normal(0, 1, (lifts + 1, fields + 1)) + 0.4 * rng.normal(0, 1, (lifts + 1, fields + 1))
        )
    )
    row, col = np.nonzero(hangs | half)
    torn = half[row, col]
    x0, x1 = cells.x[col], cells.x[col + 1]
    y0, y1 = cells.y[row], cells.y[row + 1] + 0.02
    drop = np.where(torn, (y1 - y0) * (0.35 + 0.4 * fixed.random(row.size)), 0.0)
    slope = np.where(torn, drop * 0.3 * fixed.uniform(-1, 1, row.size), 0.0)
    corners = np.stack([
        np.stack([x0, y0 + drop * torn, z[row, col]], 1), np.stack([x1, y0 + (drop + slope) * torn, z[row, col + 1]], 1),
        np.stack([x1, y1, z[row + 1, col + 1]], 1), np.stack([x0, y1, z[row + 1, col]], 1)], axis=1)  # fmt: skip
    gain = (1 + 0.06 * fixed.normal(0, 1, (max(1, lifts // 2) + 1, fields)))[row // 2, col]
    contrast = float(fixed.uniform(0.08, 0.2))
    rgb = np.asarray(plan.net_rgb) * gain[:, None]
    if plan.net_sheet:
        mesh.quads(
            corners,
            Surface(
                rgb=plan.net_rgb, aux=NET, pattern=Pattern.NET, contrast=contrast * 0.7, seed=plan.seed % 8
            ),
            rgb=rgb,
        )
        return
    cover = np.clip(plan.net_alpha * (1 + 0.08 * fixed.normal(0, 1, row.size)), 0.2, 0.97)
    cloth = Surface(rgb=plan.net_rgb, aux=NET, pattern=Pattern.NET, contrast=contrast, seed=plan.seed % 8)
    mesh.quads(corners, cloth, rgb=rgb, alpha=cover)


def hoist(mesh: Mesh, plan: Plan, x: float, top_m: float, rng: np.random.Generator) -> None:
    """A lattice mast with its cage somewhere on it."""
    if top_m < 3:
        return
    colours: tuple[Rgb, ...] = ((176, 44, 40), (206, 170, 50), (120, 124, 128), (60, 90, 150))
    look = Surface(rgb=colours[plan.seed % 4], aux=NET, contrast=0.08)
    z, w = 2.5, 0.65
    corners = np.array([(x, z), (x + w, z), (x, z + w), (x + w, z + w)])
    foot = np.column_stack([corners[:, 0], np.zeros(4), corners[:, 1]])
    mesh.tubes(foot, np.add(foot, (0, top_m + 2.0, 0)), 0.09, look)
    step = np.arange(0, top_m + 1.5, 1.5)
    low = np.stack([np.full(step.size, x), step, np.full(step.size, z + w)], 1)
    mesh.tubes(low, np.add(low, (w, 1.5, 0)), 0.05, look)
    mesh.tubes(low, np.add(low, (w, 0, 0)), 0.05, look)
    mesh.tubes(low, np.add(low, (0, 1.5, -w)), 0.05, look)
    y = float(rng.uniform(0, max(top_m - 2.5, 0.1)))
    cage = Surface(
        rgb=shade(look.rgb, 0.85), aux=MACHINE, pattern=Pattern.RIBBED, unit_m=(0.2, 1), contrast=0.08
    )
    mesh.boxes((x + w + 0.05, y, z - 0.6), (x + w + 1.7, y + 2.3, z + w + 0.4), cage)
    floors = np.arange(plan.front.storey_m, top_m, plan.front.storey_m)
    gate = np.stack([np.full(floors.size, x - 0.3), floors - 0.1, np.full(floors.size, 0.0)], 1)
    mesh.boxes(gate, np.add(gate, (2.6, 0.1, 2.1)), look, faces="yYZ")


def stair_tower(mesh: Mesh, plan: Plan, cells: Cells) -> None:
    """Flights zig-zag before one field of the scaffold, up to where that field stands."""
    field_ = int(plan.rng(21).integers(cells.stands.shape[1]))
    rows = np.flatnonzero(cells.stands[:, field_])
    if not len(rows):
        return
    tube = Surface(rgb=plan.scaffold.tube, aux=NET, contrast=0.1)
    x0, x1, z = cells.x[field_], cells.x[field_ + 1], cells.z + _DECK_M + 0.15
    y0, y1 = cells.y[rows], cells.y[rows + 1]
    even = rows % 2 == 0
    xa, xb = np.where(even, x0, x1), np.where(even, x1, x0)
    flight = [np.stack([xa, y0, np.full(rows.size, z + 0.1)], 1), np.stack([xb, y1, np.full(rows.size, z + 0.1)], 1),
              np.stack([xb, y1, np.full(rows.size, z + 0.8)], 1), np.stack([xa, y0, np.full(rows.size, z + 0.8)], 1)]  # fmt: skip
    mesh.quads(np.stack(flight, axis=1), Surface(rgb=shade(plan.scaffold.plank, 0.8), aux=NET))
    mesh.tubes(np.add(flight[3], (0, 1, 0)), np.add(flight[2], (0, 1, 0)), 0.05, tube)
    post = np.array([(x, cells.y[rows[0]], d) for x in (x0, x1) for d in (z + 0.02, z + 0.9)])
    mesh.tubes(
        post,
        np.add(post, (0, float(cells.y[rows[-1] + 1] - cells.y[rows[0]]) + 1.0, 0)),
        plan.scaffold.tube_m,
        tube,
    )


def catch_nets(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """Fans of net that stick out at some floors of a building going up."""
    fixed = plan.rng(22)
    floors = np.arange(2, day.face.floors, int(fixed.integers(3, 6)))
    mid = (np.arange(day.face.bays) + 0.5) * day.face.bay_m
    colours: tuple[Rgb, ...] = ((40, 90, 160), (70, 120, 60), (210, 120, 50), (210, 212, 212))
    cloth = Surface(
        rgb=colours[int(fixed.integers(4))], aux=NET, pattern=Pattern.NET, contrast=0.12, alpha=0.66
    )
    quads = []
    for floor in floors:
        y = floor * day.face.storey_m
        here = day.stage_at(mid, np.full(mid.size, y - 0.1))
        for bay in np.flatnonzero((here >= _FRAMED) & (here < 6)):
            x0, x1 = bay * day.face.bay_m, (bay + 1) * day.face.bay_m
            quads.append([(x0, y - 0.3, 0.0), (x1, y - 0.3, 0.0), (x1, y + 0.7, 2.6), (x0, y + 0.7, 2.6)])
    if quads:
        mesh.quads(quads, cloth)
        edge = np.asarray(quads)
        mesh.tubes(edge[:, 0], edge[:, 3], 0.08, Surface(rgb=(150, 152, 154), aux=NET))
        mesh.tubes(edge[:, 3], edge[:, 2], 0.06, Surface(rgb=(150, 152, 154), aux=NET))


def cradle(mesh: Mesh, plan: Plan, y: float, x: float) -> None:
    """A hanging platform on two ropes from the roof."""
    long = min(5.0, plan.width_m * 0.5)
    x = min(max(x, 0.2), plan.width_m - long - 0.2)
    metal = Surface(
        rgb=((198, 140, 40), (170, 174, 178), (176, 60, 50))[plan.seed % 3],
        aux=NET,
        pattern=Pattern.RIBBED,
        unit_m=(0.3, 1),
    )
    mesh.boxes((x, y, 0.35), (x + long, y + 0.15, 1.05), metal)
    mesh.boxes((x, y, 0.98), (x + long, y + 0.5, 1.05), metal)
    mesh.boxes((x, y + 0.95, 0.98), (x + long, y + 1.02, 1.05), metal)
    ropes = np.array([(x + 0.2, y, 0.7), (x + long - 0.2, y, 0.7)])
    mesh.tubes(
        ropes,
        [(x + 0.2, plan.height_m + 0.8, 0.7), (x + long - 0.2, plan.height_m + 0.8, 0.7)],
        0.04,
        Surface(rgb=(90, 90, 92), aux=NET),
    )
