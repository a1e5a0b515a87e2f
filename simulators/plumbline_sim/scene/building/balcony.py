"""Balconies and loggias: cantilever slabs, parapets of several kinds, temporary rails, glazing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plumbline_sim.scene.building.face import DayFace, Floats
from plumbline_sim.scene.building.plan import BUILDING, WINDOW, Plan, shade, tone
from plumbline_sim.scene.building.skin import fronts
from plumbline_sim.scene.mesh import Mesh, Pattern, Rgb, Surface

_RAIL_M = 1.05
_OUT_M = 1.15


def balconies(mesh: Mesh, plan: Plan, day: DayFace, track: str) -> None:
    """All balconies that are there on the day."""
    face = day.face
    if not len(face.balconies):
        return
    x0, x1, y = face.balconies.T
    stage = day.stage_at((x0 + x1) / 2, y + 0.4 * face.storey_m)
    stands = stage >= 3 if track == "new" else stage >= 0
    slab = Surface(rgb=shade(plan.works.concrete, 0.95), aux=BUILDING, contrast=0.12)
    low = np.stack([x0, y - 0.17, np.full(x0.size, -0.2)], 1)
    mesh.boxes(low[stands], np.stack([x1, y, np.full(x0.size, _OUT_M)], 1)[stands], slab, faces="xXyYZ")
    done = stage >= 7 if track == "new" else stage >= 6
    style = plan.balcony_style
    fixed = plan.rng(12)
    own = fixed.random((len(x0), 3))
    rows = face.balconies
    _parapet(mesh, plan, rows[done], style, plan.accent if plan.accent_style % 2 else plan.paint)
    if track == "new":
        _site_rails(mesh, plan, rows[stands & ~done])
        _glazing(mesh, rows[done & face.loggia], face.storey_m, plan.frame_rgb)
        return
    old = replace(
        plan.old,
        pattern=Pattern.STAINED,
        contrast=0.15,
        rgb=tone(plan.rng(13), shade(plan.old.rgb, 0.95), 14),
    )
    cluttered = stage < 2
    _parapet(mesh, plan, rows[~done], plan.old_balcony_style, old)
    glazed = ~done & cluttered & (own[:, 0] < (0.75 if face.loggia.any() else 0.3))
    for white in (True, False):
        some = glazed & ((own[:, 1] < 0.55) == white)
        _glazing(
            mesh,
            rows[some],
            face.storey_m,
            (222, 222, 216) if white else shade(plan.old_frame_rgb, 0.8),
        )
    _glazing(mesh, rows[done & face.loggia], face.storey_m, plan.frame_rgb)
    _clutter(
        mesh,
        rows[~done & cluttered & ~glazed & (own[:, 2] < 0.5)],
        own[:, 1][~done & cluttered & ~glazed & (own[:, 2] < 0.5)],
    )


def _ring(rows: Floats, low: float, high: float) -> Floats:
    """Front, left and right sides [3n, 4, 3] round each balcony between two heights above its floor."""
    x0, x1, y = rows.T
    z = np.full(x0.size, _OUT_M - 0.04)
    back = np.full(x0.size, 0.0)
    sides = []
    for (xa, za), (xb, zb) in (((x0, z), (x1, z)), ((x0, back), (x0, z)), ((x1, z), (x1, back))):
        sides.append(np.stack([np.stack([xa, y + low, za], 1), np.stack([xb, y + low, zb], 1),
                               np.stack([xb, y + high, zb], 1), np.stack([xa, y + high, za], 1)], axis=1))  # fmt: skip
    return np.concatenate(sides)


def _parapet(mesh: Mesh, plan: Plan, rows: Floats, style: int, solid: Surface) -> None:
    if not len(rows):
        return
    metal = Surface(
        rgb=plan.frame_rgb if plan.seed % 2 else (70, 72, 76), aux=BUILDING, pattern=Pattern.METAL
    )
    if style == 0:
        mesh.quads(_ring(rows, -0.17, _RAIL_M), solid)
    elif style == 1:  # bars
        _bars(mesh, rows, metal)
    elif style == 2:
        sheet = Surface(
            rgb=shade(solid.rgb, 0.9), aux=BUILDING, pattern=Pattern.RIBBED, unit_m=(0.14, 1), contrast=0.08
        )
        mesh.quads(_ring(rows, 0.05, _RAIL_M - 0.05), sheet)
    else:
        glass = Surface(
            rgb=(120, 140, 140), aux=WINDOW, pattern=Pattern.GLASS, unit_m=(1.2, 3), contrast=0.1, alpha=0.55
        )
        mesh.quads(_ring(rows, 0.06, _RAIL_M), glass)
    mesh.quads(_ring(rows, _RAIL_M - 0.05, _RAIL_M + 0.02), metal)


def _bars(mesh: Mesh, rows: Floats, metal: Surface) -> None:
    x0, x1, y = rows.T
    share = np.linspace(0, 1, 15)[None, :-1]
    x = (x0[:, None] + (x1 - x0)[:, None] * share).ravel()
    level = np.repeat(y, share.size)
    mesh.quads(fronts(np.stack([x, level + 0.06, x + 0.035, level + _RAIL_M], 1), _OUT_M - 0.04), metal)
    for side in (x0, x1):
        z = np.linspace(0.1, _OUT_M - 0.1, 5)
        at, up = np.repeat(side, z.size), np.repeat(y, z.size)
        depth = np.tile(z, x0.size)
        corners = [
            np.stack([at, up + h, depth + d], 1)
            for h, d in ((0.06, 0), (0.06, 0.035), (_RAIL_M, 0.035), (_RAIL_M, 0))
        ]
        mesh.quads(np.stack(corners, axis=1), metal)


def _site_rails(mesh: Mesh, plan: Plan, rows: Floats) -> None:
    """Two timber or tube rails until the parapet comes."""
    look = Surface(rgb=plan.works.rail, aux=BUILDING, contrast=0.06)
    for h in (0.5, 1.0):
        mesh.quads(_ring(rows, h, h + 0.07), look)


def _glazing(mesh: Mesh, rows: Floats, storey_m: float, rgb: Rgb) -> None:
    """Frames and panes above the parapet up to the next slab."""
    if not len(rows):
        return
    glass = Surface(
        rgb=(52, 60, 64), aux=WINDOW, pattern=Pattern.GLASS, unit_m=(0.8, storey_m), contrast=0.2, seed=1.0
    )
    mesh.quads(_ring(rows, _RAIL_M, storey_m - 0.18), glass)
    x0, x1, y = rows.T
    share = np.linspace(0, 1, 5)[None]
    x = (x0[:, None] + (x1 - x0 - 0.07)[:, None] * share).ravel()
    level = np.repeat(y, share.size)
    posts = fronts(np.stack([x, level + _RAIL_M, x + 0.07, level + storey_m - 0.17], 1), _OUT_M - 0.02)
    frame = Surface(rgb=rgb, aux=WINDOW, contrast=0.04)
    mesh.quads(posts, frame)
    mesh.quads(_ring(rows, storey_m - 0.27, storey_m - 0.17), frame)


def _clutter(mesh: Mesh, rows: Floats, roll: Floats) -> None:
    """What people keep on balconies: cupboards, washing."""
    if not len(rows):
        return
    x0, x1, y = rows.T
    x = x0 + 0.1 + roll * (x1 - x0 - 0.9)
    low = np.stack([x, y, np.full(x.size, 0.5)], 1)
    tones = np.array([(188, 170, 140), (120, 90, 70), (230, 230, 226), (90, 120, 160), (180, 80, 80)])
    mesh.boxes(low, low + np.stack([np.full(x.size, 0.7), 0.9 + 0.9 * roll, np.full(x.size, 0.4)], 1),
               Surface(rgb=(160, 160, 160), aux=BUILDING, contrast=0.1), rgb=tones[(roll * 4.99).astype(int)], faces="xXYZ")  # fmt: skip
