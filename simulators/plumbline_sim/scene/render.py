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
from plumbline_sim.scene.building import building
from plumbline_sim.scene.camera import Pinhole
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.light import light_of
from plumbline_sim.scene.photos import real_facades
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.truth import OUTSIDE, UNSEEN, truth_maps

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
    project: Project, day: float, conditions: Conditions, size: tuple[int, int] = (1280, 720)
) -> Render:
    """What the project's camera sees on `day`, as an image of (width, height) pixels.

    The same arguments give the same picture on the same OpenGL driver, and within rounding on another.
    """
    shot = np.random.default_rng([project.seed, conditions.seed])
    camera = _swayed(project.camera, conditions)
    mesh = building(project, day, conditions, shot).add(surroundings(project, day, conditions, shot))
    light = light_of(conditions, project.facing_deg, site_lamps(project))
    middle = (project.width_m / 2, project.height_m / 2, 0.0)
    reach = 0.75 * math.hypot(project.width_m, project.height_m) + 12
    painted = gl.paint(
        mesh, camera, light, size, middle=middle, reach_m=reach, photos=real_facades(project.split)
    )
    stage, zone = truth_maps(project, day, camera.matrix(size), size)
    linear, maps = _bent(
        camera, size, painted.linear, (stage, painted.aux, zone, painted.instance, painted.depth_m)
    )
    stage, aux, zone, instance, depth_m = maps
    linear = lens.air(linear, depth_m, conditions, shot)
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


def _bent(
    camera: Pinhole, size: tuple[int, int], linear: Map, maps: tuple[Map, ...]
) -> tuple[Map, tuple[Any, ...]]:
    """Picture and truth through the lens' distortion alike."""
    if camera.k1 == 0:
        return linear, maps
    x, y = camera.undistorting(size)
    outside = {np.dtype(np.int16): OUTSIDE}
    bent = cv2.remap(linear, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    others = []
    for number, sheet in enumerate(maps):
        kind = sheet.astype(np.float32) if sheet.dtype == np.int32 else sheet
        border = float(UNSEEN) if number == 0 else float(outside.get(sheet.dtype, 0))
        mode = cv2.BORDER_CONSTANT if number in {0, 2} else cv2.BORDER_REPLICATE
        moved = cv2.remap(kind, x, y, cv2.INTER_NEAREST, borderMode=mode, borderValue=border)
        others.append(moved.astype(sheet.dtype))
    return bent, tuple(others)
