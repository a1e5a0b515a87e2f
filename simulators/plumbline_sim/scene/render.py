"""A day of a project as a photo, with the truth of every pixel."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene import facade, lens, surround
from plumbline_sim.scene.camera import Pinhole
from plumbline_sim.scene.canvas import Canvas, warp_map
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.facade import BUILDING, NET, UNSEEN, Sheet
from plumbline_sim.scene.families import NETS
from plumbline_sim.scene.project import Floats, Project
from plumbline_sim.scene.textures import Image, modulate, noise

__all__ = ["Conditions", "Render", "render"]

Map = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Render:
    """A photo [h,w,3] BGR with its truth.

    `stage` is 0..7 inside the facade quad and 255 outside or where the shot no longer shows the site; `aux` follows
    `AUX_CLASSES`; `zone` is floor * bays + bay, -1 outside; `quality` follows `QUALITY_CLASSES`.
    """

    bgr: Image
    stage: Map
    aux: Map
    zone: NDArray[np.int16]
    quality: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Light:
    front: float
    side: float
    tint: float
    lit: bool


def render(
    project: Project, day: float, conditions: Conditions, size: tuple[int, int] = (1280, 720)
) -> Render:
    """What the project's camera sees on `day`, as an image of (width, height) pixels; same arguments, same picture."""
    rng = np.random.default_rng([project.seed, conditions.seed])
    camera = _swayed(project.camera, conditions)
    matrix = camera.matrix(size)
    canvas = Canvas(np.zeros((size[1], size[0], 3), np.uint8), np.zeros((size[1], size[0]), np.uint8), matrix)
    stages = project.zone_stages(day)
    light = _light(project, conditions)
    sheet = facade.paint(project, day, _cell(project, size), rng, night=conditions.daylight < 0.4)

    surround.paint_sky(canvas, conditions, rng)
    surround.paint_ground(canvas, project, camera, conditions)
    surround.paint_neighbours(canvas, project, conditions)
    surround.paint_trees(canvas, project, conditions, front=False)
    if conditions.weather in {"fog", "rain", "overcast"}:
        canvas.bgr = lens.fog(canvas.bgr, 0.35 if conditions.weather == "fog" else 0.08)
    surround.paint_pit(canvas, project, stages)
    _paint_body(canvas, project, sheet, light)
    _paint_facade(canvas, project, sheet, light, conditions)
    _paint_scaffold(canvas, project, sheet, stages, light)
    if project.look.crane and 0.4 < stages.mean() < 6.4:
        surround.paint_crane(canvas, project, rng, light.front)
    surround.paint_machines(canvas, project, rng, light.front)
    surround.paint_people(canvas, project, stages, rng, light.front)
    surround.paint_fence(canvas, project, light.front)
    surround.paint_trees(canvas, project, conditions, front=True)

    image = lens.daylight(canvas.bgr, conditions, rng)
    image = lens.air(image, conditions, rng)
    image, lost = lens.spoil(image, conditions, rng)
    image = lens.sense(image, conditions, rng)
    stage, zone = _truth_maps(project, sheet, matrix, size)
    if lost is not None:
        stage[lost > 127] = UNSEEN
    return Render(image, stage, canvas.aux, zone, conditions.quality)


def _swayed(camera: Pinhole, conditions: Conditions) -> Pinhole:
    """The camera turned a little, by `jitter_px` of a 1280 wide image."""
    dx, dy = conditions.jitter_px
    away = math.dist(camera.position_m, camera.target_m)
    metre = 2 * away * math.tan(math.radians(camera.hfov_deg) / 2) / 1280
    x, y, z = camera.target_m
    return dataclasses.replace(camera, target_m=(x + dx * metre, y + dy * metre, z))


def _cell(project: Project, size: tuple[int, int]) -> tuple[int, int]:
    """Sheet pixels per zone: about one and a half per image pixel at the nearest edge."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = project.facade_quad(size)
    wide = max(math.hypot(bx - ax, by - ay), math.hypot(cx - dx, cy - dy)) / project.bays
    tall = max(math.hypot(cx - bx, cy - by), math.hypot(dx - ax, dy - ay)) / project.floors
    return int(np.clip(wide * 1.25, 12, 220)), int(np.clip(tall * 1.25, 12, 220))


def _light(project: Project, conditions: Conditions) -> _Light:
    azimuth, elevation = conditions.sun
    facing = math.cos(math.radians(azimuth - project.facing_deg)) * math.cos(math.radians(elevation))
    aside = math.sin(math.radians(azimuth - project.facing_deg))
    eye_side = 1 if project.camera.position_m[0] > project.width_m / 2 else -1
    direct = conditions.direct
    ambient = 0.9 - 0.22 * direct
    return _Light(
        front=ambient + 0.36 * direct * max(0.0, facing), side=0.8 * ambient + 0.36 * direct * max(0.0, aside * eye_side),
        tint=0.06 * direct * (1 if facing > 0 else -1), lit=direct > 0.3 and facing > 0.05,
    )  # fmt: skip


def _toned(image: Image, share: float, tint: float) -> Image:
    gain = np.array((share * (1 - tint), share, share * (1 + tint)))
    return lens._channel_gain(image, gain)  # noqa: SLF001


def _paint_body(canvas: Canvas, project: Project, sheet: Sheet, light: _Light) -> None:
    """Roof or top slab, then the side wall that the camera can see."""
    width, depth = project.width_m, project.depth_m
    tops = _tops(project, sheet)
    roof = (105, 105, 108) if project.track == "reno" else (168, 172, 174)
    shade = int(roof[0] * light.front), int(roof[1] * light.front), int(roof[2] * light.front)
    eye = project.camera.position_m
    for bay, top in enumerate(tops):
        x0, x1 = bay * project.bay_m, (bay + 1) * project.bay_m
        if 0 < top < eye[1]:
            canvas.polygon(
                [(x0, top, -depth), (x1, top, -depth), (x1, top, 0), (x0, top, 0)], shade, BUILDING
            )
    if 0 <= eye[0] <= width:
        return
    column, at = (0, 0.0) if eye[0] < 0 else (project.bays - 1, width)
    cell = sheet.cell[0]
    part = slice(column * cell, (column + 1) * cell)
    repeats = max(1, round(depth / project.bay_m))
    bgr = _toned(np.tile(sheet.bgr[:, part], (1, repeats, 1)), light.side, 0.0)
    solid, aux = np.tile(sheet.solid[:, part], (1, repeats)), np.tile(sheet.aux[:, part], (1, repeats))
    canvas.lay(bgr, solid, (at, project.height_m, -depth), (0, 0, depth), (0, -project.height_m, 0), aux)


def _tops(project: Project, sheet: Sheet) -> list[float]:
    """How high each bay stands, in metres."""
    cell_w, cell_h = sheet.cell
    tops = []
    for bay in range(project.bays):
        rows = np.flatnonzero(sheet.solid[:, bay * cell_w : (bay + 1) * cell_w].mean(axis=1) > 127)
        tops.append(
            0.0 if rows.size == 0 else (sheet.solid.shape[0] - int(rows[0])) / cell_h * project.storey_m
        )
    return tops


def _paint_facade(
    canvas: Canvas, project: Project, sheet: Sheet, light: _Light, conditions: Conditions
) -> None:
    bgr = _toned(sheet.bgr, light.front, light.tint)
    if light.lit:
        bgr = _shadowed(bgr, project, conditions)
    canvas.lay(bgr, sheet.solid, *_plane(project, 0.0), sheet.aux)


def _plane(project: Project, ahead_m: float) -> tuple[Any, Any, Any]:
    """Top-left corner and edge vectors of the facade, moved `ahead_m` towards the street."""
    return (0, project.height_m, ahead_m), (project.width_m, 0, 0), (0, -project.height_m, 0)


def _shadowed(bgr: Image, project: Project, conditions: Conditions) -> Image:
    """The cast shadow of something tall across the street, moving with the hour; half of the sites have one."""
    fixed = np.random.default_rng([project.seed, 51])
    if fixed.random() < 0.5:
        return bgr
    height, width = bgr.shape[:2]
    reach = float(fixed.uniform(0.15, 0.6)) * width
    start = float(fixed.uniform(-0.2, 1.0)) * width + (conditions.hour - 12) * 0.09 * width
    rise = height * float(fixed.uniform(0.3, 1.0)) * min(1.0, 25 / conditions.sun[1])
    lean = (conditions.hour - 12) * 0.06 * width
    corners = np.array(
        [
            (start, height),
            (start + lean, height - rise),
            (start + lean + reach, height - rise),
            (start + reach, height),
        ]
    )
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    darker = lens._channel_gain(bgr, np.array((0.66, 0.6, 0.56)))  # noqa: SLF001
    return np.asarray(cv2.copyTo(darker, mask, bgr.copy()), np.uint8)


def _paint_scaffold(canvas: Canvas, project: Project, sheet: Sheet, stages: Floats, light: _Light) -> None:
    """Lifts, tubes and nets where they stand, then the hoist; all a step before the facade."""
    look = project.look
    if not look.scaffold:
        return
    stands, netted = _scaffold_zones(project, sheet, stages)
    if not stands.any():
        return
    height, width = stands.shape
    fixed = np.random.default_rng([project.seed, 61])
    tube = fixed.choice([(150, 152, 155), (95, 130, 165), (175, 178, 180)]) * light.front
    bgr = np.full((height, width, 3), np.clip(tube, 0, 255), np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    _lattice(bgr, alpha, project, sheet.cell, light)
    alpha[stands == 0] = 0
    if netted.any():
        colour = np.clip(np.array(NETS[project.split][look.net]) * light.front, 0, 255).astype(np.uint8)
        folds = noise("streak", (width, height), fixed)
        net = modulate(np.full_like(bgr, colour), folds, 0.12)
        here = ((netted > 0) & (alpha == 0)).astype(np.uint8)
        cv2.copyTo(net, here, bgr)
        cover = np.clip(look.net_opacity * 255 + (folds.astype(np.float32) - 128) * 0.25, 40, 250)
        alpha[here > 0] = cover[here > 0].astype(np.uint8)
    canvas.lay(bgr, alpha, *_plane(project, 1.2), NET)
    if look.hoist_bay is not None:
        x, top = (look.hoist_bay + 0.5) * project.bay_m, project.height_m + 1
        for offset in (-0.5, 0.5):
            canvas.stroke([(x + offset, 0, 1.6), (x + offset, top, 1.6)], (90, 150, 190), facade.MACHINE, 0.1)
        for y in np.arange(0, top, 1.5):
            canvas.stroke([(x - 0.5, y, 1.6), (x + 0.5, y + 1.5, 1.6)], (90, 150, 190), facade.MACHINE, 0.06)


def _scaffold_zones(project: Project, sheet: Sheet, stages: Floats) -> tuple[Map, Map]:
    """Sheet masks of where scaffold stands and where net hangs on it."""
    if project.track == "reno":
        stands = ((sheet.stage >= 1) & (sheet.stage < 7)).astype(np.uint8)
        working = (stages > 1) & (stages < 6)
    else:
        zones = (stages > 3.3) & (stages < 6.8)
        stands = _zones_to_sheet(zones, sheet.cell)
        working = zones
    netted = _zones_to_sheet(working & np.asarray(project.look.net_zones), sheet.cell) & stands
    return stands, netted


def _zones_to_sheet(zones: Any, cell: tuple[int, int]) -> Map:
    rows = np.repeat(np.asarray(zones)[::-1], cell[1], 0)
    return np.repeat(rows, cell[0], 1).astype(np.uint8)


def _lattice(bgr: Image, alpha: Map, project: Project, cell: tuple[int, int], light: _Light) -> None:
    """Planked lifts every two metres, rails, uprights and a brace here and there."""
    height, width = alpha.shape
    across, up = cell[0] / project.bay_m, cell[1] / project.storey_m
    thin, plank = max(1, round(0.06 * up)), max(1, round(0.14 * up))
    wood = tuple(int(c * light.front) for c in (105, 145, 175))
    for lift in np.arange(0, project.height_m, 2.0):
        y = height - round(lift * up)
        cv2.line(alpha, (0, y), (width, y), 255, plank)
        cv2.line(bgr, (0, y), (width, y), wood, plank)
        cv2.line(alpha, (0, y - round(up)), (width, y - round(up)), 190, thin)
    for number, x in enumerate(np.arange(0, project.width_m + 0.1, 2.5)):
        px = round(x * across)
        cv2.line(alpha, (px, 0), (px, height), 225, thin)
        if number % 4 == 1:
            cv2.line(alpha, (px, height), (px + round(5 * across), height - round(8 * up)), 200, thin)


def _truth_maps(
    project: Project, sheet: Sheet, matrix: Any, size: tuple[int, int]
) -> tuple[Map, NDArray[np.int16]]:
    plane = _plane(project, 0.0)
    stage = warp_map(sheet.stage, matrix, *plane, size, UNSEEN)
    zone = warp_map(facade.zone_sheet(project, sheet.cell), matrix, *plane, size, -1)
    return stage, zone
