"""Shapes the surroundings are made of, many at once, as corners for `Mesh`: tapered bars, turned boxes, roofs, blobs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def toned(rgb: ArrayLike, gain: float = 1.0) -> tuple[float, float, float]:
    """A colour made lighter or darker, kept within what a byte holds."""
    red, green, blue = np.clip(np.asarray(rgb, float) * gain, 0, 255).tolist()
    return red, green, blue


def cross(a: Floats, b: Floats) -> Floats:
    """np.cross of rows [n, 3], without its cost a call, which outweighs the work for a few faces."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def bars(start: ArrayLike, end: ArrayLike, thick_start: ArrayLike, thick_end: ArrayLike | None = None,
         facing: ArrayLike = (0.0, 0.0, 1.0)) -> Floats:  # fmt: skip
    """Closed four-sided bars [n * 6, 4, 3], six faces a bar in order.

    `thick` [n, 2] is across and along `facing`, at the start and at the end.
    """
    a, b = np.atleast_2d(np.asarray(start, float)), np.atleast_2d(np.asarray(end, float))
    first = np.broadcast_to(np.atleast_2d(np.asarray(thick_start, float)), (len(a), 2))
    last = (
        first
        if thick_end is None
        else np.broadcast_to(np.atleast_2d(np.asarray(thick_end, float)), (len(a), 2))
    )
    along = b - a
    along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    towards = np.broadcast_to(np.atleast_2d(np.asarray(facing, float)), a.shape)
    stuck = np.abs(np.einsum("ij,ij->i", along, towards)) > 0.95
    towards = np.where(stuck[:, None], np.array([[0.37, 0.9, 0.21]]), towards)
    side = cross(along, towards)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
    other = cross(side, along)
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    ring_a = (
        a[:, None]
        + side[:, None] * (signs[None, :, :1] * first[:, None, :1])
        + other[:, None] * (signs[None, :, 1:] * first[:, None, 1:])
    )
    ring_b = (
        b[:, None]
        + side[:, None] * (signs[None, :, :1] * last[:, None, :1])
        + other[:, None] * (signs[None, :, 1:] * last[:, None, 1:])
    )
    faces = [
        np.stack([ring_a[:, i], ring_a[:, (i + 1) % 4], ring_b[:, (i + 1) % 4], ring_b[:, i]], 1)
        for i in range(4)
    ]
    faces += [ring_a[:, ::-1], ring_b]
    return np.stack(faces, axis=1).reshape(-1, 4, 3)


def turned(points: ArrayLike, yaw: ArrayLike, at: ArrayLike) -> Floats:
    """Points [n, ..., 3] turned about the upright axis by `yaw` [n] radians and moved to `at` [n, 3]."""
    p: Any = np.asarray(points, float)
    shape = (len(p),) + (1,) * (p.ndim - 2)
    cos, sin = np.cos(np.asarray(yaw, float)).reshape(shape), np.sin(np.asarray(yaw, float)).reshape(shape)
    moved = np.stack(
        [p[..., 0] * cos + p[..., 2] * sin, p[..., 1], p[..., 2] * cos - p[..., 0] * sin], axis=-1
    )
    return np.asarray(moved + np.asarray(at, float).reshape((len(p),) + (1,) * (p.ndim - 2) + (3,)))


def walls(size: ArrayLike, unit_m: tuple[float, float]) -> tuple[Floats, Floats]:
    """The four walls [n, 4, 4, 3] of upright blocks of `size` [n, 3] about the origin, and their uv [n, 4, 4, 2].

    uv is metres stretched a little, so that whole bays and whole storeys of `unit_m` fill each wall.
    """
    s: Any = np.atleast_2d(np.asarray(size, float))
    x, y, z = s[:, 0] / 2, s[:, 1], s[:, 2] / 2
    corners = []
    for sx, sz, ex, ez in ((-1, 1, 1, 1), (1, 1, 1, -1), (1, -1, -1, -1), (-1, -1, -1, 1)):
        bottom = [np.stack([sx * x, 0 * y, sz * z], 1), np.stack([ex * x, 0 * y, ez * z], 1)]
        corners.append(
            np.stack([*bottom, bottom[1] + [[0, 1, 0]] * y[:, None], bottom[0] + [[0, 1, 0]] * y[:, None]], 1)
        )
    long = np.stack([s[:, 0], s[:, 2], s[:, 0], s[:, 2]], axis=1)
    u = np.maximum(np.round(long / unit_m[0]), 1) * unit_m[0]
    v = np.maximum(np.round(y / unit_m[1]), 1)[:, None] * unit_m[1] + 0 * u
    zero = np.zeros_like(u)
    uv = np.stack(
        [np.stack([zero, zero], -1), np.stack([u, zero], -1), np.stack([u, v], -1), np.stack([zero, v], -1)],
        2,
    )
    return np.stack(corners, axis=1), uv


def gables(size: ArrayLike, rise: ArrayLike, over_m: float = 0.4) -> tuple[Floats, Floats]:
    """Two slopes [n, 2, 4, 3] with the ridge along x, eaves at y = size y, and the two gable ends [n, 2, 4, 3]."""
    s: Any = np.atleast_2d(np.asarray(size, float))
    x, y, z = s[:, 0] / 2, s[:, 1], s[:, 2] / 2
    top = y + np.asarray(rise, float)
    low = y - over_m * np.asarray(rise, float) / z
    slopes = [
        np.stack([np.stack([-sx * (x + over_m), low, sx * (z + over_m)], 1), np.stack([sx * (x + over_m), low, sx * (z + over_m)], 1),
                  np.stack([sx * (x + over_m), top, 0 * z], 1), np.stack([-sx * (x + over_m), top, 0 * z], 1)], 1)
        for sx in (1, -1)
    ]  # fmt: skip
    ends = [
        np.stack([np.stack([sx * x, y, sx * z], 1), np.stack([sx * x, y, -sx * z], 1), np.stack([sx * x, top, 0 * z], 1),
                  np.stack([sx * x, top, 0 * z], 1)], 1)
        for sx in (1, -1)
    ]  # fmt: skip
    return np.stack(slopes, axis=1), np.stack(ends, axis=1)


def hips(size: ArrayLike, rise: ArrayLike, inset: ArrayLike, over_m: float = 0.3) -> Floats:
    """Four slopes [n, 4, 4, 3] up to a smaller level top, `inset` metres in from each wall, and that top: [n, 5, 4, 3]."""
    s: Any = np.atleast_2d(np.asarray(size, float))
    x, y, z = s[:, 0] / 2 + over_m, s[:, 1], s[:, 2] / 2 + over_m
    by = np.asarray(inset, float) + over_m
    tx, tz, top = np.maximum(x - by, 0.05), np.maximum(z - by, 0.05), y + np.asarray(rise, float)
    low = [np.stack([sx * x, y, sz * z], 1) for sx, sz in ((-1, 1), (1, 1), (1, -1), (-1, -1))]
    high = [np.stack([sx * tx, top, sz * tz], 1) for sx, sz in ((-1, 1), (1, 1), (1, -1), (-1, -1))]
    faces = [np.stack([low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]], 1) for i in range(4)]
    return np.stack([*faces, np.stack(high, 1)], axis=1)


def blob(
    x: float, z: float, radii: tuple[float, float], rng: np.random.Generator, y: float, corners: int = 16
) -> Floats:
    """A flat ragged patch about (x, z) as a fan of triangles [corners, 3, 3]."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = np.clip(1 + 0.22 * rng.standard_normal(corners), 0.5, 1.0)
    ring = np.stack(
        [x + radii[0] * reach * np.cos(angle), np.full(corners, y), z - radii[1] * reach * np.sin(angle)], 1
    )
    middle = np.broadcast_to((x, y, z), ring.shape)
    return np.stack([middle, ring, np.roll(ring, -1, axis=0)], axis=1)


def heap(
    x: float, z: float, radii: tuple[float, float], tall_m: float, rng: np.random.Generator, corners: int = 14
) -> tuple[Floats, Floats]:
    """A rounded pile on the ground: triangles [n, 3, 3] and their corners' normals."""
    angle = np.linspace(0, 2 * np.pi, corners + 1)[:-1]
    levels = np.array([1.0, 0.72, 0.4, 0.0])
    wobble = 1 + 0.13 * rng.standard_normal((len(levels), corners))
    rise = (
        np.array([0.0, 0.5, 0.87, 1.0])[:, None]
        * tall_m
        * (1 + 0.1 * rng.standard_normal((len(levels), corners)))
    )
    rise[0], rise[-1] = -0.05, tall_m
    reach = levels[:, None] * np.clip(wobble, 0.7, 1.0)
    px, pz = x + radii[0] * reach * np.cos(angle), z - radii[1] * reach * np.sin(angle)
    points = np.stack([px, rise, pz], axis=-1)
    tilt = np.stack([np.cos(angle) * 0.7, np.full(corners, 0.7), -np.sin(angle) * 0.7], axis=-1)
    normals = np.broadcast_to(tilt, points.shape).copy()
    normals[-1] = (0, 1, 0)
    following = np.roll(points, -1, axis=1), np.roll(normals, -1, axis=1)
    three, norms = [], []
    for i in range(len(levels) - 1):
        three += [
            np.stack([points[i], following[0][i], following[0][i + 1]], 1),
            np.stack([points[i], following[0][i + 1], points[i + 1]], 1),
        ]
        norms += [
            np.stack([normals[i], following[1][i], following[1][i + 1]], 1),
            np.stack([normals[i], following[1][i + 1], normals[i + 1]], 1),
        ]
    return np.concatenate(three), np.concatenate(norms)
