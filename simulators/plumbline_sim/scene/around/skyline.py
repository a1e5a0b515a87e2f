"""The town from 170 m on: quarters of simple houses, towers, and ridges that close the horizon."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot, grown, hidden_share, touches
from plumbline_sim.scene.around.solids import gables, hips, turned, walls
from plumbline_sim.scene.families import Block
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

BUILDING: Final = AUX_CLASSES.index("building")
VEGETATION: Final = AUX_CLASSES.index("vegetation")


def spread_quarters(
    mesh: Mesh, plot: Plot, rng: np.random.Generator, styles: list[Block], main: Block
) -> None:
    """Some hundred houses from 180 m on, drawn simply and by kind, and a few towers."""
    eye, target = plot.eye, np.asarray(plot.camera.target_m, float)
    ahead = math.atan2(target[0] - eye[0], target[2] - eye[2])
    half = math.radians(plot.camera.hfov_deg / 2 + 10)
    middle = np.array([plot.camera.target_m[0], plot.camera.target_m[2]])
    for style in styles:
        count = 130 if style is main else 36
        away = 170 + 1600 * rng.random(count) ** 1.7 + math.dist(plot.camera.position_m, plot.camera.target_m)
        angle = ahead + rng.uniform(-half, half, count)
        x, z = eye[0] + away * np.sin(angle), eye[2] + away * np.cos(angle)
        free = (
            (np.hypot(x - middle[0], z - middle[1]) > 150)
            & ~touches(grown(plot.street, 12), x, z, 12)
            & ~touches(grown(plot.lane, 3), x, z, 12)
        )
        free &= (z < plot.house[1] - 20) | (np.hypot(x - middle[0], z - middle[1]) > 170)
        x, z = x[free], z[free]
        count = len(x)
        floors = rng.integers(style.floors[0], style.floors[1] + 1, count)
        floors = np.where(rng.random(count) < 0.05, floors + rng.integers(4, 12, count), floors)
        size = np.stack(
            [rng.uniform(*style.long_m, count), floors * style.unit_m[1], rng.uniform(*style.deep_m, count)],
            1,
        )
        yaw = rng.choice([0.0, math.pi / 2], count) + rng.normal(0, 0.12, count) + float(rng.normal(0, 0.3))
        at = np.stack([x, np.zeros(count), z], 1)
        keep = hidden_share(plot, at - [20, 0, 20], np.add(at, (20, 30, 20))) < 0.01
        size, yaw, at, count = size[keep], yaw[keep], at[keep], int(keep.sum())
        if count == 0:
            continue
        tone = np.array(style.walls)[rng.integers(len(style.walls), size=count)] + rng.normal(
            0, 10, (count, 1)
        )
        roofs = np.array(style.roofs)[rng.integers(len(style.roofs), size=count)] + rng.normal(
            0, 10, (count, 1)
        )
        faces, uv = walls(size, style.unit_m)
        mesh.quads(turned(faces, yaw, at).reshape(-1, 4, 3), Surface(
            rgb=(0, 0, 0), aux=BUILDING, pattern=Pattern.WINDOWS, unit_m=style.unit_m, contrast=0.12, seed=style.skin + float(rng.uniform(0, 0.99)),
        ), rgb=np.repeat(tone, 4, axis=0), uv=uv.reshape(-1, 4, 2))  # fmt: skip
        cover = Surface(rgb=(0, 0, 0), aux=BUILDING, contrast=0.1)
        if style.roof == "gable":
            slopes, ends = gables(size, size[:, 2] * 0.34)
            mesh.quads(turned(slopes, yaw, at).reshape(-1, 4, 3), cover, rgb=np.repeat(roofs, 2, axis=0))
            mesh.quads(turned(ends, yaw, at).reshape(-1, 4, 3), cover, rgb=np.repeat(tone, 2, axis=0))
        else:
            rise = 0.1 if style.roof == "flat" else 3.0
            top = hips(size, np.full(count, rise), np.full(count, 0.3 if style.roof == "flat" else 3.0))
            top = top[:, 4:] if style.roof == "flat" else top
            mesh.quads(
                turned(top, yaw, at).reshape(-1, 4, 3), cover, rgb=np.repeat(roofs, top.shape[1], axis=0)
            )


def close_horizon(mesh: Mesh, plot: Plot, rng: np.random.Generator) -> None:
    """Two rings of ridge with woods and roofs too far to tell apart: they close the horizon."""
    count = 90
    angle = np.linspace(0, 2 * math.pi, count + 1)
    for away, tall, tone in (
        (1500.0, rng.uniform(6, 26), (92, 100, 84)),
        (2250.0, rng.uniform(38, 80), (112, 122, 122)),
    ):
        wave = sum(
            float(rng.normal(0, 1)) * np.sin(angle * k + float(rng.uniform(0, 7))) / k for k in range(1, 9)
        )
        rough = rng.uniform(0, 1, count + 1)
        rough[-1] = rough[0]
        height = np.maximum(
            tall * (0.75 + 0.35 * np.asarray(wave)) + 5 * rough, 14.0 if away < 2000 else 34.0
        )
        x, z = plot.house[2] / 2 + away * np.cos(angle), away * np.sin(angle)
        low = np.stack([x, np.full(count + 1, -3.0), z], 1)
        high = np.stack([x * 1.08, height, z * 1.08], 1)
        mesh.quads(np.stack([low[:-1], low[1:], high[1:], high[:-1]], 1), Surface(
            rgb=tone, aux=VEGETATION, pattern=Pattern.DISTRICT, unit_m=(22, 1), contrast=0.3, seed=float(rng.uniform(0, 9))))  # fmt: skip
