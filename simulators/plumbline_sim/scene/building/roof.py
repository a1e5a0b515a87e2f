"""Roofs, parapets, stair heads, machines, back walls: what closes a building where its top floor is walled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from plumbline_sim.scene.building.face import DayFace, Floats
from plumbline_sim.scene.building.plan import BUILDING, Plan, shade, tone
from plumbline_sim.scene.mesh import Mesh, Pattern, Rgb, Surface

_FRAMED, _WALLED, _BOARDED, _FINISHED = 3, 4, 6, 7


def roof(mesh: Mesh, plan: Plan, day: DayFace, track: str) -> None:
    """All that lies on or above the top floor, and the back."""
    face = day.face
    highest = day.parts.zone >= (face.floors - 1) * face.bays
    spans, stage = day.parts.rect_m[highest][:, [0, 2]], day.parts.stage[highest]
    _backs(mesh, plan, day, track)
    if plan.pitched:
        _pitched(mesh, plan)
        return
    sealed = track == "reno" or stage.min() >= _BOARDED - 1  # roofers come when all of it is closed in
    shut = spans[stage >= _WALLED] if track == "new" else spans
    covered, raw = (shut, shut[:0]) if sealed else (shut[:0], shut)
    _flat(mesh, plan, covered, plan.roof)
    _flat(mesh, plan, raw, Surface(rgb=plan.works.concrete, aux=BUILDING, contrast=0.16))
    walled = np.ones(len(spans), bool) if track == "reno" else stage >= _WALLED
    _parapets(mesh, plan, spans[walled], stage[walled], track)
    if walled.all() and not plan.crowned:
        _heads(mesh, plan, track, int(stage.min()))
        if track == "reno" or stage.min() >= _BOARDED:
            _machines(mesh, plan)


def _flat(mesh: Mesh, plan: Plan, spans: Floats, look: Surface) -> None:
    if len(spans):
        low = np.column_stack(
            [spans[:, 0], np.full(len(spans), plan.height_m - 0.3), np.full(len(spans), -plan.depth_m)]
        )
        high = np.column_stack(
            [spans[:, 1], np.full(len(spans), plan.height_m + 0.02), np.full(len(spans), -0.14)]
        )
        mesh.boxes(low, high, look, faces="Y")


def _wall_look(plan: Plan, track: str, stage: int) -> Surface:
    if track == "reno":
        return (
            plan.old,
            plan.old,
            plan.repaired,
            plan.boards,
            plan.base,
            plan.paint,
            plan.paint,
            plan.paint,
        )[stage]
    if stage >= _FINISHED:
        return plan.cladding or plan.paint
    return plan.boards if stage == _BOARDED else plan.infill


def _parapets(mesh: Mesh, plan: Plan, spans: Floats, stage: np.ndarray, track: str) -> None:
    top, thick = plan.height_m + plan.parapet_m, 0.28
    for number in np.unique(stage):
        own = spans[stage == number]
        look = _wall_look(plan, track, int(number))
        low = np.column_stack([own[:, 0], np.full(len(own), plan.height_m - 0.02), np.full(len(own), -thick)])
        high = np.column_stack([own[:, 1], np.full(len(own), top), np.full(len(own), -0.005)])
        mesh.boxes(low, high, look, faces="xXYzZ")
        if number >= _FINISHED or track == "reno":
            coping = Surface(
                rgb=(168, 172, 176) if plan.seed % 2 else (84, 60, 50), aux=BUILDING, pattern=Pattern.METAL
            )
            mesh.boxes(
                np.add(low, (0, plan.parapet_m, -0.06)), np.add(high, (0, 0.07, 0.06)), coping, faces="xXYZ"
            )
    if not len(spans):
        return
    look = replace(_wall_look(plan, track, int(stage.min())), seed=0.5)
    for x, own in (
        (0.0, spans[:, 0].min() < 0.01),
        (plan.width_m - thick, spans[:, 1].max() > plan.width_m - 0.01),
    ):
        if own:
            mesh.boxes((x, plan.height_m - 0.02, -plan.depth_m), (x + thick, top, -thick), look, faces="xXY")
    mesh.boxes(
        (spans[:, 0].min(), plan.height_m, -plan.depth_m),
        (spans[:, 1].max(), top, -plan.depth_m + thick),
        look,
        faces="YZ",
    )


def _backs(mesh: Mesh, plan: Plan, day: DayFace, track: str) -> None:
    """The far wall, only ever seen as what keeps the light out."""
    here = day.parts.stage >= (_WALLED if track == "new" else 0)
    rect = day.parts.rect_m[here]
    low = np.column_stack([rect[:, :2], np.full(len(rect), -plan.depth_m)])
    high = np.column_stack([rect[:, 2:], np.full(len(rect), -plan.depth_m + 0.2)])
    mesh.boxes(low, high, replace(plan.infill if track == "new" else plan.old, contrast=0.1), faces="z")


def _heads(mesh: Mesh, plan: Plan, track: str, stage: int) -> None:
    """Stair and lift heads over the cores."""
    look = _wall_look(plan, track, stage)
    for x, wide in plan.cores:
        z_a, z_b = -0.72 * plan.depth_m, -0.4 * plan.depth_m
        low, high = (x, plan.height_m, z_a), (x + wide, plan.height_m + 2.6, z_b)
        mesh.boxes(low, high, look, faces="xXzZ").boxes(low, high, plan.roof, faces="Y")
        door = Surface(rgb=(92, 96, 100), aux=BUILDING)
        mesh.boxes(
            (x + wide * 0.4, plan.height_m, z_b),
            (x + wide * 0.4 + 0.9, plan.height_m + 2.05, z_b + 0.03),
            door,
            faces="Z",
        )


def _machines(mesh: Mesh, plan: Plan) -> None:
    """Vents, coolers and aerials."""
    rng = plan.rng(30)
    count = int(rng.integers(2, 9))
    x, z = rng.uniform(1, plan.width_m - 1.5, count), -rng.uniform(1.5, plan.depth_m - 1.5, count)
    size = rng.uniform((0.4, 0.5, 0.4), (2.2, 1.7, 1.4), (count, 3))
    low = np.column_stack([x, np.full(count, plan.height_m), z])
    tones = rng.uniform(110, 205, (count, 1)) * (1.0, 1.0, 1.01)
    mesh.boxes(
        low,
        low + size,
        Surface(rgb=(150, 150, 150), aux=BUILDING, pattern=Pattern.METAL, contrast=0.08),
        rgb=tones,
        faces="xXYZ",
    )
    if rng.random() < 0.5:
        foot = np.column_stack(
            [
                rng.uniform(1, plan.width_m - 1, 3),
                np.full(3, plan.height_m),
                -rng.uniform(1, plan.depth_m - 1, 3),
            ]
        )
        mesh.tubes(
            foot,
            np.add(foot, (0, float(rng.uniform(2, 4)), 0)),
            0.06,
            Surface(rgb=(130, 132, 134), aux=BUILDING),
        )


def _pitched(mesh: Mesh, plan: Plan) -> None:
    """A hipped roof of tiles, sheet or slate with its eaves."""
    rng = plan.rng(31)
    tiles: tuple[Rgb, ...] = ((142, 74, 54), (96, 98, 102), (112, 84, 66), (78, 96, 84), (128, 60, 48))
    look = Surface(rgb=tone(rng, tiles[int(rng.integers(5))], 8), aux=BUILDING, pattern=Pattern.RIBBED,
                   unit_m=(float(rng.uniform(0.25, 0.6)), 1), contrast=0.12)  # fmt: skip
    out, h, rise = 0.55, plan.height_m, float(rng.uniform(0.2, 0.34)) * plan.depth_m
    w, d = plan.width_m, plan.depth_m
    run = min(d / 2, w / 2 - 0.5)
    a, b, c, e = (-out, h, out), (w + out, h, out), (w + out, h, -d - out), (-out, h, -d - out)
    p, q = (run, h + rise, -d / 2), (w - run, h + rise, -d / 2)
    mesh.quads([(a, b, q, p), (c, e, p, q), (b, c, q, q), (e, a, p, p)], look)
    mesh.boxes(
        (-out, h - 0.22, -d - out),
        (w + out, h, out),
        Surface(rgb=shade(look.rgb, 0.6), aux=BUILDING),
        faces="xXyZ",
    )
    count = int(rng.integers(1, 4))
    x = rng.uniform(run, max(w - run, run + 0.1), count)
    low = np.column_stack([x, np.full(count, h + rise * 0.5), np.full(count, -d / 2 - 0.4)])
    mesh.boxes(
        low,
        np.add(low, (0.9, rise * 0.5 + 1.4, 0.8)),
        Surface(rgb=(136, 88, 70), aux=BUILDING, pattern=Pattern.COURSED, unit_m=(0.25, 0.08)),
    )
