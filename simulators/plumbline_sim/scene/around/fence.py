"""The hoarding round a site, in panels; a mesh fence where a hoarding would hide too much."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot, hidden_share
from plumbline_sim.scene.around.solids import toned
from plumbline_sim.scene.families import FENCES, Split
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

Floats = NDArray[np.float64]
GROUND: Final = AUX_CLASSES.index("ground")
_HIDE: Final = 0.08
"""A closed front that hid more of the facade's picture becomes mesh."""


def fence_in(mesh: Mesh, plot: Plot, rng: np.random.Generator, split: Split, *, new: bool) -> None:
    """The fence on all four sides, with a gate; few renovation sites have one, and then low or of mesh."""
    kinds = FENCES[split]
    kind, colours = kinds[str(rng.choice(sorted(kinds)))]
    tall, wide = float(rng.uniform(1.9, 2.6)), float(rng.uniform(1.8, 3.4))
    if not new and rng.random() < 0.65:
        return
    x0, z0, x1, z1 = plot.site
    gate = float(rng.uniform(x0 + 4, x1 - 12))
    front = hidden_share(plot, (x0, 0, z1 - 0.1), (x1, tall, z1 + 0.1))[0]
    sides = [((x0, z0), (x0, z1)), ((x1, z0), (x1, z1)), ((x0, z0), (x1, z0))]
    runs = [(kind, a, b) for a, b in sides]
    kind_front = "mesh" if front > _HIDE else kind
    if front < 0.4:
        runs += [(kind_front, (x0, z1), (gate, z1)), (kind_front, (gate + 7, z1), (x1, z1))]
        _panels(mesh, rng, "mesh", ((170, 174, 176),), (gate, z1), (gate + 7, z1), 2.0, 3.4)
    for each, a, b in runs:
        _panels(mesh, rng, each, colours if each == kind else ((170, 174, 176),), a, b, tall, wide)


def _panels(mesh: Mesh, rng: np.random.Generator, kind: str, colours: tuple[tuple[int, int, int], ...], start: tuple[float, float],
            end: tuple[float, float], tall: float, wide: float) -> None:  # fmt: skip
    a, b = np.array([start[0], 0.0, start[1]]), np.array([end[0], 0.0, end[1]])
    length = float(np.linalg.norm(b - a))
    count = max(1, round(length / wide))
    along = (b - a) / max(length, 1e-9)
    at = np.linspace(0, length, count + 1)
    foot = a + at[:, None] * along
    up = np.array([0.0, tall, 0.0])
    lean = np.cross(along, (0, 1, 0)) * rng.normal(0, 0.03, (count, 1))
    steps = rng.choice([0.0, 0.0, 0.05, -0.06], (count, 1)) * [[0, 1, 0]]
    quads = np.stack(
        [
            foot[:-1] + along * 0.01,
            foot[1:] - along * 0.01,
            foot[1:] + up + lean + steps,
            foot[:-1] + up + lean + steps,
        ],
        1,
    )
    if kind == "mesh":
        _mesh_panels(mesh, quads, foot, colours[0], tall)
        return
    pattern, unit, contrast = {
        "sheet": (Pattern.RIBBED, (float(rng.uniform(0.14, 0.3)), 1.0), 0.1), "boards": (Pattern.WOOD, (1.0, 0.15), 0.25),
        "print": (Pattern.PLAIN, (1.0, 1.0), 0.05), "slabs": (Pattern.STAINED, (1.0, 0.5), 0.2),
    }[kind]  # fmt: skip
    weights = np.array([3.0] + [1.0] * (len(colours) - 1)) if kind == "print" else np.ones(len(colours))
    tone = np.array(colours, float)[rng.choice(len(colours), count, p=weights / weights.sum())] * rng.uniform(
        0.93, 1.05, (count, 1)
    )
    look = Surface(
        rgb=(0, 0, 0),
        aux=GROUND,
        pattern=pattern,
        unit_m=unit,
        contrast=contrast,
        seed=float(rng.uniform(0, 9)),
    )
    mesh.quads(quads, look, rgb=tone)
    posts = Surface(rgb=toned(colours[0], 0.7), aux=GROUND, pattern=Pattern.METAL)
    mesh.tubes(foot, foot + up * 1.03, 0.09, posts)
    if kind == "print":
        _prints(mesh, rng, quads, colours)


def _mesh_panels(mesh: Mesh, quads: Floats, foot: Floats, colour: tuple[int, int, int], tall: float) -> None:
    steel = Surface(
        rgb=(float(colour[0]), float(colour[1]), float(colour[2])), aux=GROUND, pattern=Pattern.METAL
    )
    mesh.tubes(foot, np.add(foot, (0, tall, 0)), 0.05, steel)
    mesh.tubes(np.add(foot[:-1], (0, tall, 0)), np.add(foot[1:], (0, tall, 0)), 0.04, steel)
    mesh.tubes(np.add(foot[:-1], (0, tall * 0.5, 0)), np.add(foot[1:], (0, tall * 0.5, 0)), 0.03, steel)
    mesh.tubes(np.add(foot[:-1], (0, 0.15, 0)), np.add(foot[1:], (0, 0.15, 0)), 0.04, steel)
    mesh.boxes(
        foot - [0.35, 0, 0.12], np.add(foot, (0.35, 0.14, 0.12)), Surface(rgb=(120, 118, 114), aux=GROUND)
    )
    mesh.quads(
        quads,
        Surface(
            rgb=(float(colour[0]), float(colour[1]), float(colour[2])),
            aux=GROUND,
            pattern=Pattern.PLAIN,
            alpha=0.2,
        ),
    )


def _prints(
    mesh: Mesh, rng: np.random.Generator, quads: Floats, colours: tuple[tuple[int, int, int], ...]
) -> None:
    """Bands, blocks and lines that stand for pictures and lettering on the boards."""
    out, rgb = [], []
    normal = np.cross(quads[0, 1] - quads[0, 0], quads[0, 3] - quads[0, 0])
    normal /= max(float(np.linalg.norm(normal)), 1e-9)
    accent = [np.array(c, float) for c in colours[1:]] + [np.array((60, 64, 70.0)), rng.uniform(40, 230, 3)]
    for q in quads:
        kind = rng.random()
        if kind < 0.35:
            shapes = [(0.1, 0.55, 0.6, 0.8)] + [
                (0.1, 0.44 - 0.1 * k, rng.uniform(0.4, 0.9), 0.48 - 0.1 * k) for k in range(3)
            ]
        elif kind < 0.6:
            shapes = [(0.0, 0.0, 1.0, rng.uniform(0.15, 0.4))]
        elif kind < 0.75:
            shapes = [(0.12, 0.12, 0.88, 0.88)]
        else:
            continue
        colour = accent[int(rng.integers(len(accent)))]
        for u0, v0, u1, v1 in shapes:
            across, up = q[1] - q[0], q[3] - q[0]
            out += [
                [
                    q[0] + across * u + up * v + normal * 0.02 * s
                    for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
                ]
                for s in (1, -1)
            ]
            rgb += [colour, colour]
    if out:
        mesh.quads(np.array(out), Surface(rgb=(0, 0, 0), aux=GROUND, contrast=0.12), rgb=np.array(rgb))
