"""The wall's surface at its stage: infill, old skin, boards, base coat, paint or cladding, with the steps between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.building.face import DayFace, Floats, Pieces
from plumbline_sim.scene.building.plan import BUILDING, Plan, shade
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

Z_OF: Final[dict[str, tuple[float, ...]]] = {
    "new": (0.0, 0.0, 0.0, -0.12, -0.16, -0.16, -0.03, 0.0),
    "reno": (-0.14, -0.14, -0.155, -0.03, -0.02, 0.0, 0.0, 0.0),
}
"""How far the wall's surface lies behind the finished one at each stage, metres."""
_BACK_M: Final = -0.34


def fronts(rects: Floats, z: Floats | float) -> Floats:
    """Rectangles [n, 4] as quads [n, 4, 3] that face out at depth `z`."""
    depth = np.broadcast_to(np.asarray(z, float), (len(rects),))
    x0, y0, x1, y1 = rects.T
    corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    return np.stack([np.stack([x, y, depth], axis=1) for x, y in corners], axis=1)


def skin(mesh: Mesh, plan: Plan, day: DayFace, track: str, coated: NDArray[np.bool_]) -> None:
    """Wall pieces of one face. `coated` says per zone whether its boards already carry their base coat at stage 6 (new)."""
    pieces = day.cut(day.face.walls, day.face.wall_zone)
    rng = plan.rng(1)
    zone_gain = 1 + rng.normal(0, 0.018, day.face.floors * day.face.bays)
    for name, part in _by_look(pieces, track, coated).items():
        if not len(part.rect_m):
            continue
        surface = _surface(plan, name)
        gain = (
            zone_gain[part.zone] if name != "boards" else 1 + rng.normal(0, 0.03, len(zone_gain))[part.zone]
        )
        rgb = np.asarray(surface.rgb)[None] * gain[:, None]
        depth = np.asarray(Z_OF[track])[part.stage]
        if name == "finish":
            _finish(mesh, plan, day, part, rgb, depth)
        else:
            mesh.quads(fronts(part.rect_m, depth), surface, rgb=rgb)
        if name == "boards" and plan.cladding is not None and track == "new":
            _rails(mesh, part)
        if name == "infill":
            _ties(mesh, plan, part)
    _steps(mesh, plan, day, track)


def _by_look(pieces: Pieces, track: str, coated: NDArray[np.bool_]) -> dict[str, Pieces]:
    if track == "reno":
        return {"old": pieces.at(0, 1), "repaired": pieces.at(2), "boards": pieces.at(3), "base": pieces.at(4),
                "finish": pieces.at(5, 6, 7)}  # fmt: skip
    six = pieces.at(6)
    wet = coated[six.zone]
    return {
        "infill": pieces.at(4, 5),
        "boards": _pick(six, ~wet),
        "base": _pick(six, wet),
        "finish": pieces.at(7),
    }


def _pick(pieces: Pieces, here: NDArray[np.bool_]) -> Pieces:
    return Pieces(pieces.rect_m[here], pieces.stage[here], pieces.source[here], pieces.zone[here])


def _surface(plan: Plan, name: str) -> Surface:
    return {"old": plan.old, "repaired": plan.repaired, "boards": plan.boards, "base": plan.base, "infill": plan.infill,
            "finish": plan.cladding or plan.paint}[name]  # fmt: skip


def _finish(mesh: Mesh, plan: Plan, day: DayFace, part: Pieces, rgb: Floats, depth: Floats) -> None:
    """Paint with the accents this architect chose, or cladding; a plinth of another stone at the foot."""
    face = day.face
    bay, floor = part.zone % face.bays, part.zone // face.bays
    rect = part.rect_m
    local_top = rect[:, 3] - floor * face.storey_m
    accent = np.zeros(len(rect), bool)
    style = plan.accent_style
    if style == 1:
        accent = bay % 3 == 1
    elif style == 2:
        accent = (local_top < 0.45 * face.storey_m) & (rect[:, 2] - rect[:, 0] > 0.25)
    elif style == 3:
        accent = floor == 0
    elif style == 4:
        accent = plan.rng(2).random(len(face.walls))[part.source] < 0.2
    elif style == 5:
        accent = floor == face.floors - 1
    main = plan.cladding or plan.paint
    other = plan.paint if plan.cladding is not None and style in (1, 4) else plan.accent
    other_rgb = np.asarray(other.rgb) * (rgb / np.maximum(np.asarray(main.rgb), 1))
    mesh.quads(fronts(rect[~accent], depth[~accent]), main, rgb=rgb[~accent])
    mesh.quads(fronts(rect[accent], depth[accent]), other, rgb=other_rgb[accent])
    foot = (floor == 0) & (rect[:, 1] < 0.05)
    plinth = rect[foot].copy()
    plinth[:, 3] = np.minimum(plinth[:, 3], 0.6)
    stone = Surface(
        rgb=shade(plan.works.concrete, 0.75),
        aux=BUILDING,
        pattern=Pattern.PAVED,
        unit_m=(0.6, 0.6),
        contrast=0.1,
    )
    mesh.quads(fronts(plinth, 0.02), stone)


def _rails(mesh: Mesh, part: Pieces) -> None:
    """Upright rails before the wool, which carry the cladding."""
    x0, y0, x1, y1 = part.rect_m.T
    first, last = np.ceil(x0 / 0.6).astype(int), np.floor(x1 / 0.6).astype(int)
    count = np.maximum(last - first + 1, 0)
    own = np.repeat(np.arange(len(x0)), count)
    step = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count)
    x = (first[own] + step) * 0.6
    keep = (x - 0.03 > x0[own]) & (x + 0.03 < x1[own])
    rects = np.stack([x - 0.03, y0[own], x + 0.03, y1[own]], axis=1)[keep]
    mesh.quads(fronts(rects, -0.005), Surface(rgb=(176, 178, 182), aux=BUILDING, pattern=Pattern.METAL))


def _ties(mesh: Mesh, plan: Plan, part: Pieces) -> None:
    """Lintels over the openings of a block wall, paler than the blocks."""
    if plan.infill.pattern is not Pattern.COURSED:
        return
    rect = part.rect_m[
        (part.rect_m[:, 3] - part.rect_m[:, 1] < 0.95) & (part.rect_m[:, 2] - part.rect_m[:, 0] > 0.7)
    ]
    lintel = np.stack(
        [rect[:, 0] - 0.15, rect[:, 1], rect[:, 2] + 0.15, np.minimum(rect[:, 1] + 0.2, rect[:, 3])], axis=1
    )
    on_top = (rect[:, 1] % plan.front.storey_m) > 0.5 * plan.front.storey_m
    mesh.quads(
        fronts(lintel[on_top], -0.15),
        Surface(rgb=shade(plan.works.concrete, 1.05), aux=BUILDING, contrast=0.1),
    )


def _steps(mesh: Mesh, plan: Plan, day: DayFace, track: str) -> None:
    """The edges of boards and coats where a neighbour is not as far."""
    parts, face = day.parts, day.face
    lowest = {"new": 4, "reno": 3}[track]
    count = np.bincount(parts.zone, minlength=face.floors * face.bays)
    first = np.searchsorted(parts.zone, np.arange(face.floors * face.bays))
    grid = np.pad(parts.stage[first].reshape(face.floors, face.bays), 1, mode="edge")
    own = grid[1:-1, 1:-1]
    mixed = np.zeros_like(own, bool)
    for near in (grid[:-2, 1:-1], grid[2:, 1:-1], grid[1:-1, :-2], grid[1:-1, 2:]):
        mixed |= near != own
    here = (mixed.ravel() | (count > 1))[parts.zone] & (parts.stage >= lowest)
    rect, stage = parts.rect_m[here], parts.stage[here]
    if not len(rect):
        return
    front = np.asarray(Z_OF[track])[stage]
    low = np.column_stack([rect[:, :2], np.full(len(rect), _BACK_M)])
    high = np.column_stack([rect[:, 2:], front])
    boards = stage >= (6 if track == "new" else 3)
    mesh.boxes(
        low[boards],
        high[boards],
        replace(plan.boards, pattern=Pattern.PLAIN, rgb=shade(plan.boards.rgb, 0.92)),
        faces="xXyY",
    )
    mesh.boxes(
        low[~boards], high[~boards], replace(plan.infill, rgb=shade(plan.infill.rgb, 0.85)), faces="xX"
    )
