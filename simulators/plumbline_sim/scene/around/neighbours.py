"""The town around: houses beside, behind and in the corners of the picture, quarters beyond, hills at the horizon."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot, grown, hidden_share, seen, touches
from plumbline_sim.scene.around.solids import bars, gables, hips, turned, walls
from plumbline_sim.scene.families import NEIGHBOURS, Block, Split
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

Floats = NDArray[np.float64]
BUILDING: Final = AUX_CLASSES.index("building")
GROUND: Final = AUX_CLASSES.index("ground")
VEGETATION: Final = AUX_CLASSES.index("vegetation")
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
            _house(mesh, rng, style, size, (x, 0.0, z), yaw, photos)
            taken.append((x, z, math.hypot(size[0], size[2]) / 2))
    _quarters(mesh, plot, rng, [styles[name] for name in names], main)
    _hills(mesh, plot, rng)
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


def _house(mesh: Mesh, rng: np.random.Generator, style: Block, size: tuple[float, float, float], at: tuple[float, float, float], yaw: float,
           photos: int) -> None:  # fmt: skip
    """One near house: walls with windows, a roof of its kind, chimneys, parapets, bands."""
    long, tall, deep = size
    tone = np.clip(
        np.array(style.walls[int(rng.integers(len(style.walls)))]) + rng.normal(0, 7) + rng.normal(0, 4, 3),
        20,
        245,
    )
    wall_rgb = (float(tone[0]), float(tone[1]), float(tone[2]))
    roof_tone = np.clip(
        np.array(style.roofs[int(rng.integers(len(style.roofs)))]) + rng.normal(0, 8), 20, 220
    )
    roof_rgb = (float(roof_tone[0]), float(roof_tone[1]), float(roof_tone[2]))
    skin = Surface(
        rgb=wall_rgb,
        aux=BUILDING,
        pattern=Pattern.WINDOWS,
        unit_m=style.unit_m,
        contrast=0.16,
        seed=style.skin + float(rng.uniform(0.02, 0.98)),
    )
    blind = Surface(rgb=wall_rgb, aux=BUILDING, pattern=Pattern.COURSED if style.skin == 0 else Pattern.STAINED, unit_m=(0.25, 0.08), contrast=0.12,
                    seed=float(rng.uniform(0, 9)))  # fmt: skip
    places = lambda points: turned(points[None], [yaw], [at]).reshape(-1, 4, 3)  # noqa: E731
    faces, uv = walls([size], style.unit_m)
    gable_blind = style.roof == "gable" or rng.random() < 0.4
    show = [0, 2] if gable_blind else [0, 1, 2, 3]
    if photos and style.skin in {0, 1} and rng.random() < 0.35:
        _hang_photos(mesh, rng, faces[0, 0], places, long, tall, photos)
        show.remove(0)
    mesh.quads(places(faces[0, show]), skin, uv=uv[0, show])
    if gable_blind:
        mesh.quads(places(faces[0, [1, 3]]), blind)
    trim = Surface(
        rgb=tuple(np.clip(tone * float(rng.choice([0.78, 1.16])), 0, 245)), aux=BUILDING, contrast=0.1
    )  # type: ignore[arg-type]
    tiles = Surface(
        rgb=roof_rgb,
        aux=BUILDING,
        pattern=Pattern.COURSED,
        unit_m=(0.32, 0.36),
        contrast=0.16,
        seed=float(rng.uniform(0, 9)),
    )
    up, over = tall + 0.0, []
    if style.roof == "gable":
        rise = deep * float(rng.uniform(0.24, 0.42)) if style.skin != 4 else deep * 0.12
        slopes, ends = gables([size], [rise])
        mesh.quads(places(slopes[0]), tiles)
        mesh.quads(places(ends[0]), blind)
        up = tall + rise * 0.75
    elif style.roof in {"hip", "mansard"}:
        rise, inset = (
            (deep * 0.3, deep * 0.46)
            if style.roof == "hip"
            else (float(rng.uniform(2.4, 3.4)), float(rng.uniform(0.7, 1.6)))
        )
        mesh.quads(places(hips([size], [rise], [inset])[0]), tiles)
        up = tall + rise * 0.8
        if style.roof == "mansard" and rng.random() < 0.7:
            _dormers(mesh, rng, size, inset, places, trim)
    else:
        mesh.quads(
            places(_lid(size)), Surface(rgb=roof_rgb, aux=BUILDING, pattern=Pattern.PLAIN, contrast=0.18)
        )
        rim = [(-long / 2, tall, deep / 2 - 0.2, long / 2, tall + 0.7, deep / 2), (-long / 2, tall, -deep / 2, long / 2, tall + 0.7, -deep / 2 + 0.2),
               (-long / 2, tall, -deep / 2, -long / 2 + 0.2, tall + 0.7, deep / 2), (long / 2 - 0.2, tall, -deep / 2, long / 2, tall + 0.7, deep / 2)]  # fmt: skip
        over += [((r[0], r[1], r[2]), (r[3], r[4], r[5])) for r in rim]
        for _ in range(int(rng.integers(1, 5))):  # stair heads, fans
            x, z, s = rng.uniform(-0.4, 0.4) * long, rng.uniform(-0.25, 0.25) * deep, rng.uniform(0.6, 2.0)
            over.append(((x - s, tall, z - s), (x + s, tall + rng.uniform(0.8, 2.6), z + s)))
    if style.roof != "flat" and style.skin != 4:
        for _ in range(int(rng.integers(1, 5))):
            x, z = rng.uniform(-0.45, 0.45) * long, rng.uniform(-0.15, 0.15) * deep
            over.append(((x - 0.45, tall, z - 0.3), (x + 0.45, up + rng.uniform(0.7, 1.6), z + 0.3)))
    if style.skin in {1, 0} and rng.random() < 0.5:
        over.append(
            ((-long / 2 - 0.12, tall - 0.35, -deep / 2 - 0.12), (long / 2 + 0.12, tall, deep / 2 + 0.12))
        )
    if style.skin == 2 and rng.random() < 0.75:
        over += _balconies(rng, size, style)
    if over:
        low, high = np.array([o[0] for o in over]), np.array([o[1] for o in over])
        part = Mesh().boxes(low, high, trim)
        mesh.add(part, at=at, yaw_deg=math.degrees(yaw))


def _hang_photos(
    mesh: Mesh, rng: np.random.Generator, wall: Floats, places: object, long: float, tall: float, photos: int
) -> None:
    count, rows = max(1, round(long / 10)), max(1, round(tall / 10))
    u, v = np.linspace(0, 1, count + 1), np.linspace(0, 1, rows + 1)
    left, across, up = wall[0], wall[1] - wall[0], wall[3] - wall[0]
    tiles = np.array([[left + across * a + up * b for a, b in ((u[i], v[j]), (u[i + 1], v[j]), (u[i + 1], v[j + 1]), (u[i], v[j + 1]))]
                      for j in range(rows) for i in range(count)])  # fmt: skip
    uv = np.broadcast_to(np.array([(0, 1), (1, 1), (1, 0), (0, 0)], float), (len(tiles), 4, 2))
    grey = float(rng.uniform(170, 200))
    mesh.quads(
        places(tiles),
        Surface(
            rgb=(grey, grey, grey), aux=BUILDING, pattern=Pattern.PHOTO, seed=float(rng.integers(photos))
        ),
        uv=uv,
    )  # type: ignore[operator]


def _lid(size: tuple[float, float, float]) -> Floats:
    x, y, z = size[0] / 2, size[1] + 0.05, size[2] / 2
    return np.array([[(-x, y, z), (x, y, z), (x, y, -z), (-x, y, -z)]])


def _dormers(
    mesh: Mesh,
    rng: np.random.Generator,
    size: tuple[float, float, float],
    inset: float,
    places: object,
    trim: Surface,
) -> None:
    long, tall, deep = size
    xs = np.arange(-long / 2 + 1.6, long / 2 - 1.2, float(rng.uniform(2.6, 4.0)))
    for sign in (1, -1):
        low = np.stack([xs - 0.6, 0 * xs + tall + 0.4, 0 * xs + sign * deep / 2 - 0.5 - sign * 0.5], 1)
        boxes = Mesh().boxes(low, low + [1.2, 1.7, 1.0], trim)
        rows, _ = boxes.vertices()
        corners = rows["position"].reshape(-1, 6, 3)[:, [0, 1, 2, 5]]
        mesh.quads(places(corners.astype(float)), trim)  # type: ignore[operator]
        z = sign * deep / 2 + (0.02 if sign > 0 else -0.02)
        pane = np.array(
            [
                [
                    (x - 0.4, tall + 0.6, z),
                    (x + 0.4, tall + 0.6, z),
                    (x + 0.4, tall + 1.8, z),
                    (x - 0.4, tall + 1.8, z),
                ]
                for x in xs
            ]
        )
        mesh.quads(
            places(pane),
            Surface(rgb=(40, 46, 54), aux=AUX_CLASSES.index("window_glazed"), pattern=Pattern.GLASS),
        )  # type: ignore[operator]


def _balconies(
    rng: np.random.Generator, size: tuple[float, float, float], style: Block
) -> list[tuple[tuple[float, ...], tuple[float, ...]]]:
    long, tall, deep = size
    bays, floors = max(1, round(long / style.unit_m[0])), max(1, round(tall / style.unit_m[1]))
    wide, high = long / bays, tall / floors
    every, first = int(rng.integers(2, 5)), int(rng.integers(0, 2))
    columns = range(first, bays, every)
    return [((-long / 2 + c * wide + 0.1, f * high + 0.05, deep / 2), (-long / 2 + (c + 1) * wide - 0.1, f * high + 1.1, deep / 2 + 1.1))
            for c in columns for f in range(1, floors)]  # fmt: skip


def _quarters(mesh: Mesh, plot: Plot, rng: np.random.Generator, styles: list[Block], main: Block) -> None:
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
        keep = hidden_share(plot, at - [20, 0, 20], at + [20, 30, 20]) < 0.01
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


def _hills(mesh: Mesh, plot: Plot, rng: np.random.Generator) -> None:
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
    top = foot + [0, 8.0, 0]
    steel = Surface(rgb=(120, 124, 126), aux=GROUND, pattern=Pattern.METAL)
    mesh.quads(bars(foot, top, (0.18, 0.18), (0.1, 0.1)), steel)
    mesh.quads(bars(top, top + [0, 0.3, 1.8], (0.09, 0.09)), steel)
    mesh.quads(
        bars(top + [0, 0.26, 1.3], top + [0, 0.3, 2.2], (0.3, 0.12)),
        Surface(rgb=(235, 225, 200), aux=GROUND, pattern=Pattern.GLOW),
    )
