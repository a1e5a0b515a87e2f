"""The concrete frame of a new building: columns, slabs, cores, and the gear that stands where it goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.building.face import DayFace, Floats, Ints
from plumbline_sim.scene.building.pit import column_rows, starters
from plumbline_sim.scene.building.plan import BUILDING, NET, OPENING, Plan, shade
from plumbline_sim.scene.building.skin import fronts
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

_FRAMED, _WALLED, _BOARDED = 3, 4, 6
_EDGE_Z = -0.1


def frame(mesh: Mesh, plan: Plan, day: DayFace) -> None:
    """All that is poured, and the formwork, props and rails that come with it."""
    lowest = _lowest(day)
    concrete = Surface(rgb=plan.works.concrete, aux=BUILDING, contrast=0.14, seed=float(plan.seed % 9))
    _slabs(mesh, plan, day, lowest, concrete)
    columns = _columns(mesh, plan, day, concrete)
    _partitions(mesh, plan, lowest)
    _props(mesh, plan, lowest)
    _rails(mesh, plan, day, lowest)
    _formwork(mesh, plan, day, lowest)
    _heads(mesh, plan, columns)
    _cores(mesh, plan, day, lowest, concrete)
    _stacks(mesh, plan, lowest)


def _lowest(day: DayFace) -> Ints:
    """The stage each zone has reached all over, [floors, bays]; a zone partly framed counts as framed."""
    face = day.face
    lowest = np.full(face.floors * face.bays, 9)
    np.minimum.at(lowest, day.parts.zone, day.parts.stage)
    most = np.full(face.floors * face.bays, -1)
    np.maximum.at(most, day.parts.zone, day.parts.stage)
    return np.where(most == _FRAMED, _FRAMED, lowest).reshape(face.floors, face.bays)


def _slabs(mesh: Mesh, plan: Plan, day: DayFace, lowest: Ints, concrete: Surface) -> None:
    face, depth = day.face, plan.depth_m
    framed = day.parts.stage >= _FRAMED
    rect, zone = day.parts.rect_m[framed], day.parts.zone[framed]
    if not len(rect):
        return
    floor, bay = zone // face.bays, zone % face.bays
    top = (floor + 1) * face.storey_m
    above = np.where(floor + 1 < face.floors, lowest[np.minimum(floor + 1, face.floors - 1), bay], -1)
    bare = day.parts.stage[framed] < _BOARDED
    low = np.stack([rect[:, 0], top - plan.slab_m, np.full(len(rect), -1.2)], axis=1)
    high = np.stack([rect[:, 2], top, np.full(len(rect), _EDGE_Z)], axis=1)
    tone = 1 + plan.rng(8).normal(0, 0.05, face.floors * face.bays)[zone]
    mesh.boxes(low[bare], high[bare], concrete, rgb=np.asarray(concrete.rgb) * tone[bare, None], faces="xXyZ")
    seen = (lowest[floor, bay] <= _FRAMED) | (above <= _FRAMED)
    strips = (0.0, 1.3, 3.2, max(4.0, depth - 3.0), max(4.5, depth - 1.0), depth)
    open_top = above < _FRAMED
    for near, far, light in zip(strips, strips[1:], (0.8, 0.42, 0.26, 0.4, 0.75), strict=False):
        for y, shown, dim in ((top - plan.slab_m, seen, 0.62), (top, seen | open_top, 1.0)):
            at = np.where(open_top & (dim == 1.0), 1.0, light * dim)
            _levels(mesh, rect, y, (near - _EDGE_Z * (near == 0), far), concrete, at, shown & open_top if dim == 1.0 else shown,
                    aux=BUILDING if dim == 1.0 or near == 0 else OPENING)  # fmt: skip
            if dim == 1.0:
                _levels(
                    mesh,
                    rect,
                    y,
                    (near - _EDGE_Z * (near == 0), far),
                    concrete,
                    at,
                    shown & ~open_top,
                    aux=OPENING,
                )


def _levels(
    mesh: Mesh, rect: Floats, y: Floats, z: tuple[float, float], concrete: Surface, light: Floats, shown: NDArray[np.bool_], *, aux: int
) -> None:  # fmt: skip
    """Level faces of these rectangles' width between two depths."""
    x0, x1, near, far = (
        rect[shown, 0],
        rect[shown, 2],
        np.full(shown.sum(), -z[0]),
        np.full(shown.sum(), -z[1]),
    )
    height = y[shown]
    corners = [
        np.stack([x, height, depth], axis=1) for x, depth in ((x0, near), (x1, near), (x1, far), (x0, far))
    ]
    mesh.quads(
        np.stack(corners, axis=1),
        replace(concrete, aux=aux),
        rgb=np.asarray(concrete.rgb) * light[shown, None],
    )


def _columns(mesh: Mesh, plan: Plan, day: DayFace, concrete: Surface) -> Floats:
    """Columns on every bay line; gives the heads [n, 3] of those with nothing above."""
    face = day.face
    floor, line = (
        v.ravel() for v in np.meshgrid(np.arange(face.floors), np.arange(face.bays + 1), indexing="ij")
    )
    x, y = line * face.bay_m, (floor + 0.5) * face.storey_m
    beside = np.stack([day.stage_at(x - 0.08, y), day.stage_at(x + 0.08, y)])
    stands = (beside >= _FRAMED).any(axis=0)
    next_up = np.stack([day.stage_at(x - 0.08, y + face.storey_m), day.stage_at(x + 0.08, y + face.storey_m)])
    last = stands & ~(next_up >= _FRAMED).any(axis=0) & (floor + 1 < face.floors)
    shown = stands & ((beside >= _FRAMED) & (beside < _BOARDED)).any(axis=0)
    inner = stands & ((beside == _FRAMED) | (beside == 2)).any(axis=0)
    half, rows = plan.column_m / 2, column_rows(plan)
    centre = np.clip(x, half, plan.width_m - half)
    for number, z in enumerate(rows):
        use = shown if number == 0 else inner
        light = (1.0, 0.5, 0.34)[min(number, 2)] if z > -plan.depth_m + 1 else 0.7
        low = np.stack([centre - half, floor * face.storey_m, np.full(x.size, z - half * 0.7)], axis=1)[use]
        high = np.stack(
            [centre + half, (floor + 1) * face.storey_m - plan.slab_m, np.full(x.size, z + half * 0.7)],
            axis=1,
        )[use]
        mesh.boxes(low, high, replace(concrete, rgb=shade(concrete.rgb, light)), faces="xXZ")
    heads = [
        np.stack([centre[last], (floor[last] + 1) * face.storey_m, np.full(last.sum(), z)], axis=1)
        for z in rows
    ]
    return np.concatenate(heads)


def _heads(mesh: Mesh, plan: Plan, heads: Floats) -> None:
    if len(heads):
        starters(mesh, heads, plan.column_m / 2, 0.95)


def _cell(plan: Plan, chosen: NDArray[np.bool_]) -> tuple[Floats, Ints, Ints]:
    """The rectangles of these zones [floors, bays] with their floor and bay."""
    floor, bay = np.nonzero(chosen)
    face = plan.front
    rect = np.stack(
        [bay * face.bay_m, floor * face.storey_m, (bay + 1) * face.bay_m, (floor + 1) * face.storey_m], axis=1
    )
    return rect, floor, bay


def _partitions(mesh: Mesh, plan: Plan, lowest: Ints) -> None:
    """Inner walls and shafts a few metres in, where the crews came up to long ago."""
    roll = plan.rng(9).random((*lowest.shape, 3))
    below_top = np.vstack([lowest[1:] >= _FRAMED, np.zeros((1, lowest.shape[1]), bool)])
    rect, floor, bay = _cell(plan, (lowest == _FRAMED) & below_top & (roll[..., 0] < 0.6))
    if not len(rect):
        return
    dim = 52 + 60 * roll[floor, bay, 1]
    rect[:, 2] -= plan.front.bay_m * 0.5 * (roll[floor, bay, 2] < 0.4)
    z = -(0.3 + 0.4 * roll[floor, bay, 1]) * plan.depth_m
    mesh.quads(
        fronts(rect, z),
        Surface(rgb=(80, 80, 80), aux=OPENING, contrast=0.25),
        rgb=dim[:, None] * (1.0, 0.97, 0.93),
    )


def _props(mesh: Mesh, plan: Plan, lowest: Ints) -> None:
    """Props under slabs that are still green: the two highest floors of each bay."""
    built = (lowest >= _FRAMED).sum(axis=0)
    floor_of = np.arange(lowest.shape[0])[:, None]
    rect, _, _ = _cell(plan, (lowest == _FRAMED) & (floor_of >= built - 2) & (floor_of < built))
    if not len(rect):
        return
    across = max(2, round(plan.front.bay_m / 1.4))
    x = (rect[:, :1] + (np.arange(across) + 0.5) / across * plan.front.bay_m)[:, :, None] + np.zeros(
        (1, 1, 3)
    )
    z = np.broadcast_to(np.array([-0.9, -2.4, -4.2])[None, None], x.shape)
    y0, y1 = (np.broadcast_to(rect[:, k, None, None] - d, x.shape) for k, d in ((1, 0.0), (3, plan.slab_m)))
    mesh.tubes(
        np.stack([x, y0, z], -1).reshape(-1, 3),
        np.stack([x, y1, z], -1).reshape(-1, 3),
        0.06,
        Surface(rgb=plan.works.prop, aux=BUILDING),
    )


def _rails(mesh: Mesh, plan: Plan, day: DayFace, lowest: Ints) -> None:
    """Edge protection on every open slab edge: posts and two rails, or mesh panels."""
    face = day.face
    here = day.parts.stage == _FRAMED
    rect, zone = day.parts.rect_m[here], day.parts.zone[here]
    floor, bay = zone // face.bays, zone % face.bays
    above = np.where(floor + 1 < face.floors, lowest[np.minimum(floor + 1, face.floors - 1), bay], -1)
    top = above < _FRAMED
    edges = np.concatenate([np.stack([rect[:, 0], floor * face.storey_m, rect[:, 2]], 1)[floor > 0],
                            np.stack([rect[:, 0], (floor + 1) * face.storey_m, rect[:, 2]], 1)[top]])  # fmt: skip
    x0, y, x1 = edges.T
    bars = [np.stack([x0, y + h, x1, y + h + 0.055], 1) for h in (0.5, 1.02)]
    steps = max(2, round(face.bay_m / 1.8))
    bars += [
        np.stack([x0 + (x1 - x0) * k / steps, y, x0 + (x1 - x0) * k / steps + 0.055, y + 1.1], 1)
        for k in range(steps)
    ]
    toe = np.stack([x0, y, x1, y + 0.16], 1)
    mesh.quads(
        fronts(np.concatenate([*bars, toe]), -0.06), Surface(rgb=plan.works.rail, aux=BUILDING, contrast=0.06)
    )
    if plan.works.mesh is not None:
        cloth = Surface(rgb=plan.works.mesh, aux=NET, pattern=Pattern.NET, contrast=0.08, alpha=0.72)
        mesh.quads(fronts(np.stack([x0, y + 0.05, x1, y + 1.05], 1), -0.05), cloth)
    for x, own in (
        (0.0, bay == 0),
        (plan.width_m - 0.05, bay == face.bays - 1),
    ):  # round the corner: the end walls' slab edges and their rails
        level = np.unique(
            np.concatenate([(floor[own & top] + 1) * face.storey_m, floor[own & (floor > 0)] * face.storey_m])
        )
        low = np.stack([np.full(level.size, x), level, np.full(level.size, -plan.depth_m)], 1)
        for foot, head, look in (
            (-plan.slab_m, 0.0, plan.works.concrete),
            (0.5, 0.56, plan.works.rail),
            (1.0, 1.06, plan.works.rail),
        ):
            start, stop = np.add(low, (0, foot, 0)), np.add(low, (0.05, head, plan.depth_m - 0.1))
            mesh.boxes(start, stop, Surface(rgb=look, aux=BUILDING, contrast=0.1), faces="xXY")


def _formwork(mesh: Mesh, plan: Plan, day: DayFace, lowest: Ints) -> None:
    """Where the frame goes on: deck tables beside the last pour, column forms a storey up."""
    face, works = day.face, plan.works
    count = np.bincount(day.parts.zone, minlength=lowest.size)
    rest = (
        (count[day.parts.zone] > 1)
        & (day.parts.stage == _FRAMED - 1)
        & (lowest.ravel()[day.parts.zone] == _FRAMED)
    )
    rect = day.parts.rect_m[rest]
    ply = Surface(rgb=works.ply, aux=BUILDING, pattern=Pattern.WOOD, unit_m=(1, 0.5), contrast=0.12)
    if len(rect):
        low = np.stack(
            [rect[:, 0], rect[:, 3] - plan.slab_m - 0.12, np.full(len(rect), -plan.depth_m + 0.3)], 1
        )
        high = np.stack([rect[:, 2], rect[:, 3] - plan.slab_m, np.full(len(rect), -0.2)], 1)
        mesh.boxes(low, high, ply)
        x = (rect[:, 0, None] + (rect[:, 2] - rect[:, 0])[:, None] * np.array([0.15, 0.5, 0.85]))[
            :, :, None
        ] + np.zeros((1, 1, 3))
        z = np.broadcast_to(np.array([-0.6, -2.2, -4.0]), x.shape)
        foot = np.broadcast_to(rect[:, 1, None, None], x.shape)
        head = np.broadcast_to(rect[:, 3, None, None] - plan.slab_m, x.shape)
        mesh.tubes(
            np.stack([x, foot, z], -1).reshape(-1, 3),
            np.stack([x, head, z], -1).reshape(-1, 3),
            0.06,
            Surface(rgb=works.prop, aux=BUILDING),
        )
    built = (lowest >= _FRAMED).sum(axis=0)
    roll = plan.rng(10).random((face.floors, face.bays, 2))
    floor_of = np.arange(face.floors)[:, None]
    cell, floor, bay = _cell(
        plan, (lowest == _FRAMED - 1) & (floor_of == built) & (roll[..., 0] < 0.3) & (built > 0)
    )
    if len(cell):
        rows = column_rows(plan)
        z = rows[(roll[floor, bay, 1] * len(rows)).astype(int)]
        half = plan.column_m / 2 + 0.1
        x = cell[:, 0] + (cell[:, 0] == 0) * half
        low, high = (
            np.stack([x - half, cell[:, 1], z - half], 1),
            np.stack([x + half, cell[:, 1] + 0.82 * face.storey_m, z + half], 1),
        )
        mesh.boxes(
            low,
            high,
            Surface(rgb=works.panel, aux=BUILDING, pattern=Pattern.RIBBED, unit_m=(0.25, 1), contrast=0.08),
        )


def _cores(mesh: Mesh, plan: Plan, day: DayFace, lowest: Ints, concrete: Surface) -> None:
    """Stair and lift cores run ahead of the slabs by a storey, their top in forms."""
    face = day.face
    for x, wide in plan.cores:
        bay = min(int((x + wide / 2) / face.bay_m), face.bays - 1)
        if day.stage_at(np.array(x + wide / 2), np.array(0.1)) < _FRAMED - 1:
            continue
        built = int((lowest[:, bay] >= _FRAMED).sum())
        if built >= face.floors:
            continue
        base, head = -plan.pit_m, (built + (0.85 if built else 0.3)) * face.storey_m
        z_a, z_b = -0.72 * plan.depth_m, -0.4 * plan.depth_m
        mesh.boxes(
            (x, base, z_a),
            (x + wide, head, z_b),
            replace(concrete, rgb=shade(concrete.rgb, 0.85)),
            faces="xXZ",
        )
        form = Surface(
            rgb=plan.works.panel, aux=BUILDING, pattern=Pattern.RIBBED, unit_m=(0.6, 1), contrast=0.07
        )
        mesh.boxes(
            (x - 0.2, head - 0.75 * face.storey_m, z_a - 0.2), (x + wide + 0.2, head + 0.25, z_b + 0.2), form
        )
        ring = np.array(
            [
                (x, head, z_b),
                (x + wide / 2, head, z_b),
                (x + wide, head, z_b),
                (x, head, z_a),
                (x + wide, head, z_a),
            ]
        )
        starters(mesh, ring, 0.3, 0.8)


def _stacks(mesh: Mesh, plan: Plan, lowest: Ints) -> None:
    """Pallets of blocks, bundles and boards set down on open floors."""
    roll = plan.rng(11).random((*lowest.shape, 4))
    rect, floor, bay = _cell(plan, (lowest == _FRAMED) & (roll[..., 0] < 0.3))
    if not len(rect):
        return
    pick = roll[floor, bay]
    size = 0.7 + 0.9 * pick[:, 1:2]
    low = np.stack([rect[:, 0] + 0.5 + pick[:, 2] * 1.2, rect[:, 1], -1.0 - 2.0 * pick[:, 3]], 1)
    tones = np.array([plan.infill.rgb, (196, 154, 92), (206, 206, 202), (60, 96, 160), (150, 60, 50)])
    mesh.boxes(low, low + size * (1.2, 0.8, 0.9), Surface(rgb=(180, 180, 180), aux=BUILDING, pattern=Pattern.COURSED, unit_m=(0.4, 0.2)),
               rgb=tones[(pick[:, 1] * 5).astype(int)] * 0.8, faces="xXYZ")  # fmt: skip
