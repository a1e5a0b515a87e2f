"""The plan of a site's surroundings: its rectangle, the streets by it, and what of that the camera sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plumbline_sim.scene.camera import Pinhole
from plumbline_sim.scene.project import Project

Floats = NDArray[np.float64]
Rect = tuple[float, float, float, float]
"""x0, z0, x1, z1 on the ground, in metres."""

CLEAR_M = 1.5
"""Nothing but people stands closer than this before the facade."""
_SIZE = (1280, 720)
_MARGIN_DEG = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Where things may stand. `house` is the building's footprint, `street` the carriageway along the front,
    `lane` one across; `sight` is what the camera sees of the facade as left, top, right, bottom pixels of 1280 x 720.
    """

    house: Rect
    height_m: float
    site: Rect
    street: Rect
    lane: Rect
    pavement_m: float
    camera: Pinhole
    sight: Rect

    @property
    def eye(self) -> Floats:
        return np.asarray(self.camera.position_m, float)


def plot_of(project: Project, rng: np.random.Generator) -> Plot:
    """The plan of this project; the same random numbers give the same plan."""
    width, depth = project.width_m, project.depth_m
    new = project.track == "new"
    front = float(rng.uniform(10, 26) if new else rng.uniform(7, 18))
    left, right = (float(v) for v in rng.uniform(7, 24 if new else 12, 2))
    site = (-left, -depth - float(rng.uniform(7, 18)), width + right, front)
    pavement, road = float(rng.uniform(2.0, 4.5)), float(rng.uniform(6.5, 12.0))
    street = (-900.0, front + pavement, 900.0, front + pavement + road)
    lane_wide, on_left = float(rng.uniform(5.5, 8.5)), bool(rng.random() < 0.5)
    gap = float(rng.uniform(2.5, 14))
    lane_x = site[0] - gap - lane_wide if on_left else site[2] + gap
    lane = (lane_x, -900.0, lane_x + lane_wide, 900.0)
    return Plot(
        house=(0.0, -depth, width, 0.0), height_m=project.height_m, site=site, street=street, lane=lane,
        pavement_m=pavement, camera=project.camera, sight=_sight(project),
    )  # fmt: skip


def _sight(project: Project) -> Rect:
    points = np.array(project.facade_quad(_SIZE))
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def seen(plot: Plot, x: ArrayLike, z: ArrayLike, radius_m: ArrayLike = 0.0) -> NDArray[np.bool_]:
    """Whether something of this radius can be in the picture, even if the camera has been knocked aside a little."""
    eye, target = plot.eye, np.asarray(plot.camera.target_m, float)
    dx, dz = np.asarray(x, float) - eye[0], np.asarray(z, float) - eye[2]
    away = np.hypot(dx, dz)
    ahead = np.arctan2(target[0] - eye[0], target[2] - eye[2])
    off = np.abs((np.arctan2(dx, dz) - ahead + np.pi) % (2 * np.pi) - np.pi)
    wide = np.arctan2(np.asarray(radius_m, float), np.maximum(away, 0.1))
    half = math.radians(plot.camera.hfov_deg / 2 + _MARGIN_DEG)
    return np.asarray((off < half + wide) | (away < 30 + np.asarray(radius_m, float)))


def hidden_share(plot: Plot, low: ArrayLike, high: ArrayLike) -> Floats:
    """How much of the facade's picture each box [n, 3]..[n, 3] hides, 0..1; 1 for one that stands in the camera."""
    lows, highs = np.atleast_2d(np.asarray(low, float)), np.atleast_2d(np.asarray(high, float))
    bits = np.array([[(i >> axis) & 1 for axis in range(3)] for i in range(8)], bool)
    corners = np.where(bits[None], highs[:, None], lows[:, None])
    matrix = plot.camera.matrix(_SIZE)
    points = corners @ matrix[:, :3].T + matrix[:, 3]
    depth = np.maximum(points[..., 2], 0.3)
    pixels = points[..., :2] / depth[..., None]
    x0, y0, x1, y1 = plot.sight
    across = np.clip(np.minimum(pixels[..., 0].max(1), x1) - np.maximum(pixels[..., 0].min(1), x0), 0, None)
    down = np.clip(np.minimum(pixels[..., 1].max(1), y1) - np.maximum(pixels[..., 1].min(1), y0), 0, None)
    share = across * down / max((x1 - x0) * (y1 - y0), 1e-6)
    share[(highs[:, 2] < 0.05) | (points[..., 2].max(axis=1) < 0)] = 0.0
    away = np.maximum(np.maximum(lows - plot.eye, plot.eye - highs), 0)
    share[np.hypot(away[:, 0], away[:, 2]) + away[:, 1] < 4.0] = 1.0
    return np.asarray(share)


def touches(rect: Rect, x: ArrayLike, z: ArrayLike, radius_m: ArrayLike = 0.0) -> NDArray[np.bool_]:
    """Whether circles about (x, z) reach into `rect`."""
    xs, zs = np.asarray(x, float), np.asarray(z, float)
    dx = np.maximum(np.maximum(rect[0] - xs, xs - rect[2]), 0)
    dz = np.maximum(np.maximum(rect[1] - zs, zs - rect[3]), 0)
    return np.asarray(np.hypot(dx, dz) < np.asarray(radius_m, float) + 1e-9)


def grown(rect: Rect, by_m: float) -> Rect:
    return rect[0] - by_m, rect[1] - by_m, rect[2] + by_m, rect[3] + by_m


def less(rect: Rect, holes: tuple[Rect, ...]) -> list[Rect]:
    """`rect` without `holes`, as rectangles that do not overlap."""
    parts = [rect]
    for hole in holes:
        parts = [piece for part in parts for piece in _without(part, hole)]
    return parts


def _without(rect: Rect, hole: Rect) -> list[Rect]:
    x0, z0, x1, z1 = rect
    hx0, hz0 = max(x0, hole[0]), max(z0, hole[1])
    hx1, hz1 = min(x1, hole[2]), min(z1, hole[3])
    if hx0 >= hx1 or hz0 >= hz1:
        return [rect]
    every = [(x0, z0, x1, hz0), (x0, hz1, x1, z1), (x0, hz0, hx0, hz1), (hx1, hz0, x1, hz1)]
    return [piece for piece in every if piece[2] - piece[0] > 1e-9 and piece[3] - piece[1] > 1e-9]


def flat(rects: ArrayLike, y: float) -> Floats:
    """Level quads [n, 4, 3] that face up."""
    r: Any = np.asarray(rects, float).reshape(-1, 4)
    ys = np.full(len(r), y)
    x0, z0, x1, z1 = r.T
    return np.stack(
        [np.stack([x0, ys, z1], 1), np.stack([x1, ys, z1], 1), np.stack([x1, ys, z0], 1), np.stack([x0, ys, z0], 1)],
        axis=1,
    )  # fmt: skip
