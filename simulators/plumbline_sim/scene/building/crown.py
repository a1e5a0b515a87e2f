"""A storey set back on the roof: it follows the top floor and lies outside the judged facade."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from plumbline_sim.scene.building.face import DayFace, Face, face_of
from plumbline_sim.scene.building.openings import openings
from plumbline_sim.scene.building.pit import starters
from plumbline_sim.scene.building.plan import BUILDING, Plan, shade
from plumbline_sim.scene.building.skin import skin
from plumbline_sim.scene.mesh import Mesh, Surface
from plumbline_sim.scene.parts import Parts
from plumbline_sim.scene.presets import Preset

_FRAMED, _WALLED, _BOARDED = 3, 4, 6


def crown(
    mesh: Mesh, plan: Plan, top: DayFace, track: str, rng: np.random.Generator, *, night: float
) -> None:
    """Its walls, or its bare columns, at the stage the whole top floor has reached."""
    if not plan.crowned:
        return
    highest = top.parts.zone >= (top.face.floors - 1) * top.face.bays
    stage = int(top.parts.stage[highest].min())
    if track == "new" and stage < _WALLED:
        return
    side_m, back_m = 1.2 + 0.05 * (plan.seed % 30), 2.0 + 0.1 * (plan.seed % 17)
    wide, deep, tall = plan.width_m - 2 * side_m, 0.5 * (plan.depth_m - back_m), top.face.storey_m
    if track == "new" and stage == _WALLED:
        _bare(mesh, plan, side_m, back_m, wide, deep, tall)
        return
    front, end = _faces(wide, deep, tall)
    y = plan.height_m
    for face, at, yaw in ((front, (side_m, y, -back_m), 0.0), (end, (side_m, y, -back_m - deep), -90.0),
                          (end, (side_m + wide, y, -back_m), 90.0)):  # fmt: skip
        own = Mesh()
        day = DayFace(face=face, parts=_one_stage(face, stage))
        skin(own, plan, day, track, np.zeros(face.bays, bool))
        openings(own, plan, day, track, rng, night=night)
        mesh.add(own, at=at, yaw_deg=yaw)
    mesh.boxes(
        (side_m - 0.25, y + tall, -back_m - deep),
        (side_m + wide + 0.25, y + tall + 0.22, -back_m + 0.3),
        plan.roof,
    )


def _bare(mesh: Mesh, plan: Plan, x: float, back_m: float, wide: float, deep: float, tall: float) -> None:
    concrete = Surface(rgb=plan.works.concrete, aux=BUILDING, contrast=0.14)
    count = max(2, round(wide / 4))
    line = np.linspace(x + 0.2, x + wide - 0.2, count)
    for z, light in ((-back_m, 1.0), (-back_m - deep, 0.7)):
        low = np.column_stack([line - 0.18, np.full(count, plan.height_m), np.full(count, z - 0.18)])
        mesh.boxes(
            low,
            np.add(low, (0.36, tall - 0.2, 0.36)),
            Surface(rgb=shade(concrete.rgb, light), aux=BUILDING, contrast=0.14),
            faces="xXZ",
        )
    mesh.boxes(
        (x, plan.height_m + tall - 0.22, -back_m - deep),
        (x + wide, plan.height_m + tall, -back_m + 0.2),
        concrete,
    )
    starters(
        mesh,
        np.column_stack([line, np.full(count, plan.height_m + tall), np.full(count, -back_m)]),
        0.15,
        0.6,
    )


@lru_cache(maxsize=32)
def _faces(wide: float, deep: float, tall: float) -> tuple[Face, Face]:
    window = Preset(openings=((0.2, 0.2, 0.8, 0.85),), mullions=2)
    bays = max(1, round(wide / 3.6))
    return face_of(1, wide / bays, tall, [window] * bays), face_of(1, deep, tall, [None])


def _one_stage(face: Face, stage: int) -> Parts:
    left = np.arange(face.bays) * face.bay_m
    rect = np.column_stack([left, np.zeros(face.bays), left + face.bay_m, np.full(face.bays, face.storey_m)])
    return Parts(rect, np.full(face.bays, stage), np.arange(face.bays))
