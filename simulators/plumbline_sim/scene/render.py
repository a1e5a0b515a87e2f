"""A day of a project as a photo, with the truth of every pixel."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene import gl, lens, sensor
from plumbline_sim.scene.around import site_lamps, surroundings
from plumbline_sim.scene.building.assemble import building
from plumbline_sim.scene.camera import Pinhole
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.light import light_of
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.truth import UNSEEN, truth_maps

__all__ = ["Conditions", "Render", "render"]

Map = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Render:
    """A photo [h, w, 3] uint8 BGR with its truth, each [h, w].

    `stage` is 0..7 inside the facade quad and 255 outside or where the shot no longer shows the site; `aux` follows
    AUX_CLASSES; `zone` is floor * bays + bay, -1 outside; `instance` numbers people and vehicles, 0 for all else;
    `depth_m` is the distance along the camera's axis; `quality` follows QUALITY_CLASSES.
    """

    bgr: NDArray[np.uint8]
    stage: NDArray[np.uint8]
    aux: NDArray[np.uint8]
    zone: NDArray[np.int16]
    instance: NDArray[np.int32]
    depth_m: NDArray[np.float32]
    quality: tuple[float, ...]


def render(
    project: Project,
    day: float,
    conditions: Conditions,
    size: tuple[int, int] = (1280, 720),
    *,
    photos: NDArray[np.uint8] | None = None,
    finer: float = 1.5,
) -> Render:
    """What the project's camera sees on `day`, as an image of (width, height) pixels.

    `photos` [n, 256, 256, 3] RGB are facades for the town around (scene.around.load_facades), drawn ones if None;
    the scene is drawn `finer` than the picture and shrunk, for smooth edges. The same arguments
    give the same picture on the same OpenGL driver, and within rounding on another.
    """
    shot = np.random.default_rng([project.seed, conditions.seed])
    camera = _swayed(project.camera, conditions)
    place = np.random.default_rng([project.seed, 17])
    count = 0 if photos is None else len(photos)
    mesh = building(project, day, conditions)
    mesh.add(surroundings(project, day, conditions, place, shot, photos=count))
    middle = (project.width_m / 2, project.height_m / 2, 0.0)
    away_m = math.dist(project.camera.position_m, middle)
    light = light_of(conditions, project.facing_deg, site_lamps(project), away_m=away_m)
    reach = 0.75 * math.hypot(project.width_m, project.height_m) + 12
    straight, pad = _straight(camera, size)
    wide = (size[0] + 2 * pad, size[1] + 2 * pad)
    drawn = (round(wide[0] * finer), round(wide[1] * finer))
    painted = gl.paint(mesh, straight, light, drawn, middle=middle, reach_m=reach, photos=photos)
    linear = np.asarray(cv2.resize(painted.linear, wide, interpolation=cv2.INTER_AREA), np.float32)
    aux, instance, depth = (_thinned(m, wide) for m in (painted.aux, painted.instance, painted.depth_m))
    stage, zone = truth_maps(project, day, straight.matrix(wide), wide)
    linear, maps = _bent(camera, size, pad, linear, (stage, aux, zone, instance, depth))
    stage, aux, zone, instance, depth_m = maps
    linear = lens.air(linear, conditions, shot)
    spoilt = lens.glass(linear, conditions, shot)
    if spoilt.lost is not None:
        stage = np.where(spoilt.lost > 127, UNSEEN, stage).astype(np.uint8)
    bgr = sensor.develop(spoilt.linear, conditions, sensor.Style.of(project.seed), shot)
    return Render(bgr, stage, aux, zone, instance, depth_m, conditions.quality)


def _swayed(camera: Pinhole, conditions: Conditions) -> Pinhole:
    """The camera turned a little, by `jitter_px` of a 1280 wide image."""
    dx, dy = conditions.jitter_px
    away = math.dist(camera.position_m, camera.target_m)
    metre = 2 * away * math.tan(math.radians(camera.hfov_deg) / 2) / 1280
    x, y, z = camera.target_m
    return dataclasses.replace(camera, target_m=(x + dx * metre, y + dy * metre, z))


def _straight(camera: Pinhole, size: tuple[int, int]) -> tuple[Pinhole, int]:
    """The same camera without distortion and with so many pixels more on every side as a barrel lens gathers in."""
    if camera.k1 == 0:
        return camera, 0
    x, y = camera.undistorting(size)
    pad = max(0, math.ceil(max(-float(x.min()), -float(y.min()))) + 1)
    wider = math.tan(math.radians(camera.hfov_deg) / 2) * (size[0] + 2 * pad) / size[0]
    return dataclasses.replace(camera, k1=0.0, hfov_deg=math.degrees(2 * math.atan(wider))), pad


def _thinned(sheet: Map, size: tuple[int, int]) -> Map:
    """A map at a smaller size, each pixel one that was drawn."""
    width, height = size
    rows = (np.arange(height) * sheet.shape[0] + sheet.shape[0] // 2) // height
    columns = (np.arange(width) * sheet.shape[1] + sheet.shape[1] // 2) // width
    return sheet[np.ix_(rows, columns)]


def _bent(
    camera: Pinhole, size: tuple[int, int], pad: int, linear: Map, maps: tuple[Map, ...]
) -> tuple[Map, tuple[Any, ...]]:
    """Picture and truth through the lens' distortion alike, `pad` pixels cut from each side."""
    if camera.k1 == 0:
        return linear, maps
    x, y = (axis + np.float32(pad) for axis in camera.undistorting(size))
    bent = cv2.remap(linear, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = []
    for sheet in maps:
        plain = sheet.astype(np.float32) if sheet.dtype == np.int32 else sheet  # what remap takes
        nearest = cv2.remap(plain, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        moved.append(nearest.astype(sheet.dtype))
    return bent, tuple(moved)
