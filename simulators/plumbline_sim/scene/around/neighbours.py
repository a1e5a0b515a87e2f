"""The town around: houses beside, behind and in the corners of the picture, quarters beyond, hills at the horizon."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot, grown, hidden_share, seen, touches
from plumbline_sim.scene.around.skyline import close_horizon, spread_quarters
from plumbline_sim.scene.around.solids import bars, gables, hips, toned, turned, walls
from plumbline_sim.scene.families import NEIGHBOURS, Block, Split
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

Floats = NDArray[np.float64]
Point = tuple[float, float, float]
Places = Callable[[Floats], Floats]
BUILDING: Final = AUX_CLASSES.index("building")
GLAZED: Final = AUX_CLASSES.index("window_glazed")
GROUND: Final = AUX_CLASSES.index("ground")
_FINE_M: Final = 120.0
"""Balconies and dormers are built up to here; farther ones would be smaller than a pixel."""
_PEEP: Final = 0.07
"""A neighbour in front may hide this share of the facade's picture, no more."""


def build_town(mesh: Mesh, plot: Plot, rng: np.random.Generator, split: Split, photos: int = 0) -> Floats:
    """Houses from the next plot to the horizon; returns where the near ones stand: [n, 3] x, z, radius.

    `photos` is how many real facades there are to be hung on some walls.
    """
    styles = NEIGHBOURS[split]
    names = sorted(styles)
    main, second = (styles[str(name)] for name in rng.choice(names, 2))
    taken = []
    for x, z, yaw in _lots(plot, rng):
        style = (
            main if rng.random() < 0.6 else second if rng.random() < 0.6 else styles[str(rng.choice(names))]
        )
        floors = int(rng.integers(style.floors[0], style.floors[1] + 1))
        size = (
            float(rng.uniform(*style.long_m)),
            floors * style.unit_m[1] * float(rng.uniform(0.96, 1.08)),
            float(rng.uniform(*style.deep_m)),
        )
        if _fits(plot, x, z, yaw, size):
            fine = math.hypot(x - plot.eye[0], z - plot.eye[2]) < _FINE_M
            _house(mesh, rng, style, size, (x, yaw, z), photos, fine=fine)
            taken.append((x, z, math.hypot(size[0], size[2]) / 2))
    spread_quarters(mesh, plot, rng, [styles[name] for name in names], main)
    close_horizon(mesh, plot, rng)
    return np.array(taken).reshape(-1, 3)


def _lots(plot: Plot, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """Places a house may take: x, z of its middle and its yaw in radians."""
    x0, z0, x1, z1 = plot.site
    out = []
    skew = float(rng.normal(0, 0.05))
    close = float(rng.uniform(8, 16))
    for k in range(7):
        step = float(rng.uniform(22, 44))
        z = z0 - close - k * float(rng.uniform(26, 36))
        shift = float(rng.uniform(0, step))
        out += [(x + shift + float(rng.normal(0, 2)), z + float(rng.normal(0, 2)), skew + (math.pi / 2 if rng.random() < 0.22 else 0.0))
                for x in np.arange(-240, 240, step) if rng.random() < 0.86]  # fmt: skip
    for side in (-1, 1):
        x = (x0 if side < 0 else x1) + side * float(rng.uniform(9, 22))
        for _ in range(4):
            z = float(rng.uniform(plot.house[1], min(z1 - 9, 2.0)))
            if rng.random() < 0.85:
                out.append((x, z, skew + (math.pi / 2 if rng.random() < 0.3 else 0.0)))
            x += side * float(rng.uniform(24, 40))
        for _ in range(3):  # blocks across the street, whose roofs a high camera looks over
            z = plot.street[3] + plot.pavement_m + float(rng.uniform(8, 60))
            out.append(
                (
                    float(rng.uniform(-70, plot.house[2] + 70)),
                    z,
                    math.pi + skew + (math.pi / 2 if rng.random() < 0.3 else 0.0),
                )
            )
        if rng.random() < 0.4:  # a house across the street, in the picture's corner
            share = float(rng.uniform(0.15, 0.6))
            edge = plot.house[0] if side < 0 else plot.house[2]
            z = plot.street[3] + plot.pavement_m + float(rng.uniform(7, 14))
            out.append((edge + side * float(rng.uniform(4, 26)) * (1 + share), z, math.pi + skew))
    return out


def _fits(plot: Plot, x: float, z: float, yaw: float, size: tuple[float, float, float]) -> bool:
    across = abs(math.cos(yaw)) * size[0] / 2 + abs(math.sin(yaw)) * size[2] / 2 + 0.6
    along = abs(math.sin(yaw)) * size[0] / 2 + abs(math.cos(yaw)) * size[2] / 2 + 0.6
    rect = (x - across, z - along, x + across, z + along)
    for other in (plot.site, grown(plot.street, plot.pavement_m), grown(plot.lane, 1.8)):
        if rect[0] < other[2] and rect[2] > other[0] and rect[1] < other[3] and rect[3] > other[1]:
            return False
    if not bool(seen(plot, x, z, max(across, along))):
        return False
    share = hidden_share(plot, (rect[0], 0, rect[1]), (rect[2], size[1] + 4, rect[3]))[0]
    return float(share) < _PEEP


def _house(
    mesh: Mesh, rng: np.random.Generator, style: Block, size: Point, place: Point, photos: int, *, fine: bool
) -> None:
    """One house at `place` (x, yaw, z): walls, windows, a roof, and if `fine` what stands on and before them."""
    yaw, at = place[1], (place[0], 0.0, place[2])
    tone = np.array(style.walls[int(rng.integers(len(style.walls)))]) + rng.normal(0, 7) + rng.normal(0, 4, 3)
    wall_rgb = toned(np.clip(tone, 20, 245))
    skin = Surface(rgb=wall_rgb, aux=BUILDING, pattern=Pattern.WINDOWS, unit_m=style.unit_m, contrast=0.16,
                   seed=style.skin + float(rng.uniform(0.02, 0.98)))  # fmt: skip
    blind = Surface(rgb=wall_rgb, aux=BUILDING, pattern=Pattern.COURSED if style.skin == 0 else Pattern.STAINED,
                    unit_m=(0.25, 0.08), contrast=0.12, seed=float(rng.uniform(0, 9)))  # fmt: skip
    trim = Surface(rgb=toned(wall_rgb, float(rng.choice([0.78, 1.16]))), aux=BUILDING, contrast=0.1)

    def places(points: Floats) -> Floats:
        return turned(points[None], [yaw], [at]).reshape(-1, 4, 3)

    faces, uv = walls([size], style.unit_m)
    gable_blind = style.roof == "gable" or rng.random() < 0.4
    show = [0, 2] if gable_blind else [0, 1, 2, 3]
    if photos and style.skin in {0, 1} and rng.random() < 0.35:
        _hang_photos(mesh, rng, faces[0, 0], places, (size[0], size[1]), photos)
        show.remove(0)
    mesh.quads(places(faces[0, show]), skin, uv=uv[0, show])
    if gable_blind:
        mesh.quads(places(faces[0, [1, 3]]), blind)
    up = _roof(mesh, rng, style, size, places, blind)
    if fine and style.roof == "mansard" and rng.random() < 0.7:
        _dormers(mesh, rng, size, places, trim)
    over = _on_top(rng, style, size, up) + (
        _balconies(rng, size, style) if fine and style.skin == 2 and rng.random() < 0.75 else []
    )
    if over:
        part = Mesh().boxes(np.array([o[0] for o in over]), np.array([o[1] for o in over]), trim)
        mesh.add(part, at=at, yaw_deg=math.degrees(yaw))


def _roof(
    mesh: Mesh, rng: np.random.Generator, style: Block, size: Point, places: Places, blind: Surface
) -> float:
    """The roof's faces; returns the height that chimneys start from."""
    _, tall, deep = size
    tone = np.array(style.roofs[int(rng.integers(len(style.roofs)))]) + rng.normal(0, 8)
    tiles = Surface(rgb=toned(np.clip(tone, 20, 220)), aux=BUILDING, pattern=Pattern.COURSED, unit_m=(0.32, 0.36), contrast=0.16,
                    seed=float(rng.uniform(0, 9)))  # fmt: skip
    if style.roof == "gable":
        rise = deep * float(rng.uniform(0.24, 0.42)) if style.skin != 4 else deep * 0.12
        slopes, ends = gables([size], [rise])
        mesh.quads(places(slopes[0]), tiles)
        mesh.quads(places(ends[0]), blind)
        return tall + rise * 0.75
    if style.roof == "flat":
        mesh.quads(places(_lid(size)), Surface(rgb=tiles.rgb, aux=BUILDING, contrast=0.18))
        return tall
    steep = style.roof == "mansard"
    rise, inset = (
        (float(rng.uniform(2.4, 3.4)), float(rng.uniform(0.7, 1.6))) if steep else (deep * 0.3, deep * 0.46)
    )
    mesh.quads(places(hips([size], [rise], [inset])[0]), tiles)
    return tall + rise * 0.8


def _on_top(rng: np.random.Generator, style: Block, size: Point, up: float) -> list[tuple[Point, Point]]:
    """Parapets, stair heads, chimneys, cornices: boxes as their low and high corners."""
    long, tall, deep = size
    x, z, out = long / 2, deep / 2, list[tuple[Point, Point]]()
    if style.roof == "flat":
        out += [((-x, tall, z - 0.2), (x, tall + 0.7, z)), ((-x, tall, -z), (x, tall + 0.7, -z + 0.2)),
                ((-x, tall, -z), (-x + 0.2, tall + 0.7, z)), ((x - 0.2, tall, -z), (x, tall + 0.7, z))]  # fmt: skip
        for _ in range(int(rng.integers(1, 5))):
            a, b, s = rng.uniform(-0.4, 0.4) * long, rng.uniform(-0.25, 0.25) * deep, rng.uniform(0.6, 2.0)
            out.append(((a - s, tall, b - s), (a + s, tall + rng.uniform(0.8, 2.6), b + s)))
    elif style.skin != 4:
        for _ in range(int(rng.integers(1, 5))):
            a, b = rng.uniform(-0.45, 0.45) * long, rng.uniform(-0.15, 0.15) * deep
            out.append(((a - 0.45, tall, b - 0.3), (a + 0.45, up + rng.uniform(0.7, 1.6), b + 0.3)))
    if style.skin in {0, 1} and rng.random() < 0.5:
        out.append(((-x - 0.12, tall - 0.35, -z - 0.12), (x + 0.12, tall, z + 0.12)))
    return out


def _hang_photos(
    mesh: Mesh, rng: np.random.Generator, wall: Floats, places: Places, size: tuple[float, float], photos: int
) -> None:
    """A real facade, repeated so that a crop is about ten metres wide."""
    count, rows = max(1, round(size[0] / 10)), max(1, round(size[1] / 10))
    u, v = np.linspace(0, 1, count + 1), np.linspace(0, 1, rows + 1)
    left, across, up = wall[0], wall[1] - wall[0], wall[3] - wall[0]
    tiles = np.array([[left + across * a + up * b for a, b in ((u[i], v[j]), (u[i + 1], v[j]), (u[i + 1], v[j + 1]), (u[i], v[j + 1]))]
                      for j in range(rows) for i in range(count)])  # fmt: skip
    uv = np.broadcast_to(np.array([(0, 1), (1, 1), (1, 0), (0, 0)], float), (len(tiles), 4, 2))
    grey = float(rng.uniform(170, 200))
    look = Surface(
        rgb=(grey, grey, grey), aux=BUILDING, pattern=Pattern.PHOTO, seed=float(rng.integers(photos))
    )
    mesh.quads(places(tiles), look, uv=uv)


def _lid(size: tuple[float, float, float]) -> Floats:
    x, y, z = size[0] / 2, size[1] + 0.05, size[2] / 2
    return np.array([[(-x, y, z), (x, y, z), (x, y, -z), (-x, y, -z)]])


def _dormers(mesh: Mesh, rng: np.random.Generator, size: Point, places: Places, trim: Surface) -> None:
    long, tall, deep = size
    xs = np.arange(-long / 2 + 1.6, long / 2 - 1.2, float(rng.uniform(2.6, 4.0)))
    for sign in (1.0, -1.0):
        z = sign * deep / 2
        foot = np.stack([xs, np.full(len(xs), tall + 0.4), np.full(len(xs), z - sign * 0.5)], 1)
        mesh.quads(places(bars(foot, np.add(foot, (0, 1.7, 0)), (1.2, 1.0))), trim)
        front = z + sign * 0.02
        pane = [
            [
                (x - 0.4, tall + 0.6, front),
                (x + 0.4, tall + 0.6, front),
                (x + 0.4, tall + 1.8, front),
                (x - 0.4, tall + 1.8, front),
            ]
            for x in xs
        ]
        mesh.quads(places(np.array(pane)), Surface(rgb=(40, 46, 54), aux=GLAZED, pattern=Pattern.GLASS))


def _balconies(
    rng: np.random.Generator, size: tuple[float, float, float], style: Block
) -> list[tuple[Point, Point]]:
    long, tall, deep = size
    bays, floors = max(1, round(long / style.unit_m[0])), max(1, round(tall / style.unit_m[1]))
    wide, high = long / bays, tall / floors
    every, first = int(rng.integers(2, 5)), int(rng.integers(0, 2))
    columns = range(first, bays, every)
    return [((-long / 2 + c * wide + 0.1, f * high + 0.05, deep / 2), (-long / 2 + (c + 1) * wide - 0.1, f * high + 1.1, deep / 2 + 1.1))
            for c in columns for f in range(1, floors)]  # fmt: skip


def poles(mesh: Mesh, plot: Plot, rng: np.random.Generator) -> None:
    """Street lamps along the carriageway."""
    step, z = float(rng.uniform(24, 36)), plot.street[1] - 0.6
    xs = np.arange(-150 + float(rng.uniform(0, step)), 150, step)
    share = hidden_share(
        plot,
        np.stack([xs - 0.1, 0 * xs, 0 * xs + z - 0.1], 1),
        np.stack([xs + 0.1, 0 * xs + 8, 0 * xs + z + 0.1], 1),
    )
    xs = xs[
        (share < 0.02) & seen(plot, xs, 0 * xs + z, 3) & ~touches(grown(plot.lane, 1), xs, 0 * xs + z, 0.5)
    ]
    if not len(xs):
        return
    foot = np.stack([xs, 0 * xs, 0 * xs + z], 1)
    top = np.add(foot, (0, 8.0, 0))
    steel = Surface(rgb=(120, 124, 126), aux=GROUND, pattern=Pattern.METAL)
    mesh.quads(bars(foot, top, (0.18, 0.18), (0.1, 0.1)), steel)
    mesh.quads(bars(top, np.add(top, (0, 0.3, 1.8)), (0.09, 0.09)), steel)
    mesh.quads(
        bars(np.add(top, (0, 0.26, 1.3)), np.add(top, (0, 0.3, 2.2)), (0.3, 0.12)),
        Surface(rgb=(235, 225, 200), aux=GROUND, pattern=Pattern.GLOW),
    )
