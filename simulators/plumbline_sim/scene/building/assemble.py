"""Puts one day's building together out of its faces and parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.building.balcony import balconies
from plumbline_sim.scene.building.crown import crown
from plumbline_sim.scene.building.face import DayFace, Face
from plumbline_sim.scene.building.frame import frame
from plumbline_sim.scene.building.old import old
from plumbline_sim.scene.building.openings import openings
from plumbline_sim.scene.building.pit import apron, pit
from plumbline_sim.scene.building.plan import Plan, plan_of
from plumbline_sim.scene.building.roof import roof
from plumbline_sim.scene.building.scaffold import (
    catch_nets,
    cells_of,
    cradle,
    hoist,
    nets,
    scaffold,
    stair_tower,
)
from plumbline_sim.scene.building.skin import skin
from plumbline_sim.scene.building.trim import banner, canopy, tarpaulins, trim
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.mesh import Mesh
from plumbline_sim.scene.parts import Parts, facade_parts
from plumbline_sim.scene.project import Project

_FRAMED, _BOARDED, _FINISHED = 3, 6, 7


def building(project: Project, day: float, conditions: Conditions) -> Mesh:
    """Everything on the footprint (x 0..width, z -depth..0) and what hangs out before it, as it stands on `day`.

    While a pit is open, the ground of the footprint and `pit.RING_M` around it is part of this. What people
    move (sashes, blinds, lights, the hoist's cage, the wind in the nets) follows `conditions.seed`, all else the project.
    """
    plan, mesh = plan_of(project), Mesh()
    rng = np.random.default_rng([conditions.seed, 31])
    night = 1 - conditions.daylight
    front = DayFace(face=plan.front, parts=facade_parts(project, day))
    stages = project.zone_stages(day)
    if project.track == "new":
        pit(mesh, plan, front)
        frame(mesh, plan, front)
        tarpaulins(mesh, plan, front)
    else:
        apron(mesh, plan)
    _wall(mesh, plan, front, project.track, _coated(plan, stages), rng, night)
    for side, bay, yaw, at in (
        (plan.left, 0, -90.0, (0.0, 0.0, -plan.depth_m)),
        (plan.right, project.bays - 1, 90.0, (plan.width_m, 0.0, 0.0)),
    ):
        mesh.add(_side(plan, side, stages[:, bay], project, rng, night), at=at, yaw_deg=yaw)
    balconies(mesh, plan, front, project.track)
    canopy(mesh, plan, front, project.track)
    roof(mesh, plan, front, project.track)
    crown(mesh, plan, front, project.track, rng, night=night)
    _gear(mesh, plan, front, project, rng)
    return mesh


def _wall(
    mesh: Mesh,
    plan: Plan,
    day: DayFace,
    track: str,
    coated: NDArray[np.bool_],
    rng: np.random.Generator,
    night: float,
) -> None:
    skin(mesh, plan, day, track, coated)
    openings(mesh, plan, day, track, rng, night=night)
    trim(mesh, plan, day, track)
    if track == "reno":
        old(mesh, plan, day)


def _coated(plan: Plan, stages: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which zones carry a base coat on their boards: those being finished, and some that wait for it."""
    if plan.cladding is not None:
        return np.zeros(stages.size, bool)
    rng = plan.rng(60)
    share = rng.uniform(0.1, 0.6)
    floors, bays = stages.shape
    gone = (
        rng.uniform(-0.4, 1.4, (floors, 1)) * 0.5 + share * 0.7
    )  # crews coat a floor from one end to the other
    along = np.arange(bays)[None] / bays if rng.random() < 0.5 else 1 - np.arange(1, bays + 1)[None] / bays
    result: NDArray[np.bool_] = ((stages > _BOARDED + 0.001) | (along < gone - 0.3)).ravel()
    return result


def _side(
    plan: Plan,
    face: Face,
    stages: NDArray[np.float64],
    project: Project,
    rng: np.random.Generator,
    night: float,
) -> Mesh:
    """An end wall, as far as the bay next to it, floor by floor, with its scaffold."""
    mesh = Mesh()
    whole = np.repeat(np.floor(stages + 1e-9).astype(int), face.bays)
    floor, bay = np.divmod(np.arange(whole.size), face.bays)
    rect = np.stack(
        [bay * face.bay_m, floor * face.storey_m, (bay + 1) * face.bay_m, (floor + 1) * face.storey_m], axis=1
    )
    day = DayFace(face=face, parts=Parts(rect, whole, np.arange(whole.size)))
    _wall(mesh, plan, day, project.track, np.repeat(_coated(plan, stages[:, None]), face.bays), rng, night)
    if project.look.scaffold:
        own_net = np.repeat(np.asarray(project.look.net_zones)[:, :1], face.bays, axis=1)
        cells = cells_of(plan, day, project.track, own_net, first_stage=project.look.scaffold_from, out_m=0.3)
        scaffold(mesh, plan, cells)
        nets(mesh, plan, cells, rng, job=23)
    return mesh


def _gear(mesh: Mesh, plan: Plan, day: DayFace, project: Project, rng: np.random.Generator) -> None:
    look, track = project.look, project.track
    out = 1.35 if len(plan.front.balconies) else 0.3
    built = _built_m(day)
    fixed = plan.rng(61)
    busy = (day.parts.stage < _FINISHED).any()
    if look.hoist_bay is not None and track == "new" and busy and built > 0:
        hoist(mesh, plan, (look.hoist_bay + 0.3) * project.bay_m, built, rng)
    if track == "new" and fixed.random() < 0.3:
        catch_nets(mesh, plan, day)
    if look.scaffold:
        cells = cells_of(
            plan, day, track, np.asarray(look.net_zones), first_stage=look.scaffold_from, out_m=out
        )
        scaffold(mesh, plan, cells)
        if fixed.random() < 0.4:
            stair_tower(mesh, plan, cells)
        if look.hoist_bay is not None and track == "reno":
            x = (look.hoist_bay + 0.3) * project.bay_m
            climbs = cells.stands[:, min(int(np.searchsorted(cells.x, x)) - 1, cells.stands.shape[1] - 1)]
            if climbs.any():
                hoist(mesh, plan, x, float(cells.y[1:][climbs].max()), rng)
        nets(mesh, plan, cells, rng)
        banner(mesh, plan, cells)
    elif fixed.random() < 0.5 and busy and day.parts.stage.min() >= 4:
        cradle(mesh, plan, float(rng.uniform(0.1, 0.85)) * plan.height_m, float(rng.uniform(0, plan.width_m)))


def _built_m(day: DayFace) -> float:
    framed = day.parts.stage >= _FRAMED
    return (
        float((day.parts.zone[framed] // day.face.bays + 1).max() * day.face.storey_m)
        if framed.any()
        else 0.0
    )
