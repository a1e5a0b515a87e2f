"""Trees, shrubs and woods: trunks, boughs and a crown of leaf cards, bare in winter."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import CLEAR_M, Plot, grown, hidden_share, seen, touches
from plumbline_sim.scene.around.solids import bars
from plumbline_sim.scene.conditions import Season
from plumbline_sim.scene.families import TREES, Split
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

Floats = NDArray[np.float64]
VEGETATION: Final = AUX_CLASSES.index("vegetation")
_HIDE: Final = 0.16
"""Trees may hide this share of the facade's picture together."""
_BARK: Final = (92, 80, 66)


def plant(
    mesh: Mesh,
    plot: Plot,
    rng: np.random.Generator,
    *,
    season: Season,
    split: Split,
    houses: Floats,
    new: bool,
) -> None:
    """Every tree of the scene; `houses` [n, 3] x, z, radius are kept free. The places do not depend on the season."""
    kinds = sorted(TREES[split])
    x, z, tall = _places(plot, rng, houses, new)
    kind = rng.integers(len(kinds), size=len(x))
    away = np.hypot(x - plot.eye[0], z - plot.eye[2])
    for number, name in enumerate(kinds):
        green, slim, closed = TREES[split][name]
        mine = kind == number
        for near, low, high in ((84, 0.0, 60.0), (30, 60.0, 170.0), (8, 170.0, 9999.0)):
            these = mine & (away >= low) & (away < high)
            if these.any():
                leaf = _leaf(green, season, evergreen=name == "spruce")
                own = np.random.default_rng([number, near, int(rng.integers(2**31))])
                _trees(mesh, own, np.stack([x[these], z[these], tall[these]], 1), slim, closed, near, leaf)


def _leaf(
    green: tuple[int, int, int], season: Season, *, evergreen: bool
) -> tuple[float, float, float] | None:
    """The crown's colour, or None where it stands bare."""
    r, g, b = green
    if evergreen or season == "summer":
        return float(r), float(g), float(b)
    if season == "spring":
        return min(r * 1.22 + 12, 250.0), min(g * 1.2 + 10, 250.0), b * 1.05
    return (min(g * 1.55, 210.0), g * 1.02, b * 0.75) if season == "autumn" else None


def _places(plot: Plot, rng: np.random.Generator, houses: Floats, new: bool) -> tuple[Floats, Floats, Floats]:
    """Where trees stand and how tall they are: along streets, in yards, a few before the facade, woods far off."""
    x0, z0, x1, z1 = plot.site
    row = np.arange(-160, 160, float(rng.uniform(7, 13)))
    groups = []
    for z, share in (
        (plot.street[1] - plot.pavement_m + 0.9, 0.5),
        (plot.street[3] + plot.pavement_m - 0.7, 0.6),
    ):
        keep = rng.random(len(row)) < share * float(rng.random() < 0.7)
        groups.append(
            np.stack(
                [row + rng.normal(0, 0.6, len(row)), np.full(len(row), z), rng.uniform(6, 11, len(row))], 1
            )[keep]
        )
    yard = 90
    groups.append(
        np.stack(
            [
                rng.uniform(-170, 170, yard),
                rng.uniform(z0 - 190, plot.street[1], yard),
                rng.uniform(5, 15, yard),
            ],
            1,
        )
    )
    front = int(rng.integers(0, 4 if new else 9))
    groups.append(
        np.stack(
            [
                rng.uniform(x0 - 6, x1 + 6, front),
                rng.uniform(CLEAR_M + 3.5, max(z1, 6.0), front),
                rng.uniform(4, 12, front),
            ],
            1,
        )
    )
    bushes = int(rng.integers(0, 3 if new else 14))
    groups.append(
        np.stack(
            [rng.uniform(x0, x1, bushes), rng.uniform(2.4, z1, bushes), rng.uniform(0.8, 1.8, bushes)], 1
        )
    )
    away, angle = 190 + 1300 * rng.random(260) ** 1.5, rng.uniform(0, 2 * math.pi, 260)
    groups.append(np.stack([away * np.cos(angle), away * np.sin(angle), rng.uniform(8, 20, 260)], 1))
    x, z, tall = np.concatenate(groups).T
    radius = tall * 0.33
    free = (
        ~touches(grown(plot.house, CLEAR_M), x, z, radius)
        & ~touches(plot.street, x, z, 0.4)
        & ~touches(plot.lane, x, z, 0.4)
    )
    if new:  # a building site is cleared of trees but for its rim
        free &= ~touches((x0 + 3, z0 + 3, x1 - 3, z1 - 4), x, z, 0.0) | (tall < 2)
    for hx, hz, hr in houses.tolist():
        free &= np.hypot(x - hx, z - hz) > hr + np.minimum(radius, 2.0)
    free &= seen(plot, x, z, radius)
    low, high = np.stack([x - radius, tall * 0.2, z - radius], 1), np.stack([x + radius, tall, z + radius], 1)
    hides = hidden_share(plot, low, high) * 0.8
    hides[np.hypot(x - plot.eye[0], z - plot.eye[2]) < 9] = 1.0
    allowed = float(rng.choice([0.0, 0.04, 0.1, _HIDE]))
    free &= (hides < 0.002) | (np.cumsum(np.where(free & (hides < 0.1), hides, 0)) < allowed) & (hides < 0.1)
    return x[free], z[free], tall[free]


def _trees(mesh: Mesh, rng: np.random.Generator, places: Floats, slim: float, closed: float, cards: int,
           leaf: tuple[float, float, float] | None) -> None:  # fmt: skip
    """Trees of one kind at `places` [n, 3]: x, z and height."""
    x, z, tall = places.T
    count = len(x)
    bush = tall < 2.2
    clear = np.where(bush, 0.02, rng.uniform(0.16, 0.3, count)) * tall
    crown_y = (tall + clear) / 2
    half_y = (tall - clear) / 2
    half_x = np.clip(half_y / slim * rng.uniform(0.85, 1.2, count), 0.5, tall * 0.42)
    foot = np.stack([x, np.full(count, -0.1), z], 1)
    girth = np.clip(tall * 0.035, 0.06, 0.5)
    if cards > 12:
        top = np.stack([x, crown_y + half_y * 0.6, z], 1)
        bark = Surface(rgb=_BARK, aux=VEGETATION, pattern=Pattern.STAINED, contrast=0.2)
        mesh.quads(bars(foot, top, np.stack([girth, girth], 1), np.stack([girth, girth], 1) * 0.35), bark)
        _boughs(
            mesh,
            rng,
            np.stack([x, clear, z], 1),
            half_x,
            half_y,
            girth,
            24 if leaf is None and cards > 60 else 6,
            bark,
        )
    _crown(mesh, rng, np.stack([x, crown_y, z], 1), half_x, half_y, cards, closed, leaf, cone=slim > 2)


def _boughs(
    mesh: Mesh,
    rng: np.random.Generator,
    clear: Floats,
    half_x: Floats,
    half_y: Floats,
    girth: Floats,
    each: int,
    bark: Surface,
) -> None:
    """Branches out of the trunk, as thin tapering bars."""
    count = len(clear)
    turn, rise = rng.uniform(0, 2 * math.pi, (count, each)), rng.uniform(0.0, 1.25, (count, each))
    start = clear[:, None] + np.stack([0 * turn, rise * half_y[:, None], 0 * turn], -1)
    reach = half_x[:, None] * (1 - 0.45 * rise) * rng.uniform(0.6, 1.0, (count, each))
    end = start + np.stack(
        [
            reach * np.cos(turn),
            half_y[:, None] * rng.uniform(0.25, 0.75, (count, each)),
            reach * np.sin(turn),
        ],
        -1,
    )
    thick = np.broadcast_to(girth[:, None] * 0.3, turn.shape).reshape(-1)
    faces = bars(
        start.reshape(-1, 3),
        end.reshape(-1, 3),
        np.stack([thick, thick], 1),
        np.stack([thick, thick], 1) * 0.25,
    )
    mesh.quads(faces.reshape(-1, 6, 4, 3)[:, [0, 1]].reshape(-1, 4, 3), bark)


def _crown(mesh: Mesh, rng: np.random.Generator, middle: Floats, half_x: Floats, half_y: Floats, cards: int, closed: float,
           leaf: tuple[float, float, float] | None, *, cone: bool) -> None:  # fmt: skip
    """Ragged cards scattered in an ellipsoid or a cone, lit as one round body."""
    count = len(middle)
    way = rng.standard_normal((count, cards, 3))
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    lobes = 1 + 0.18 * np.sin(
        3 * np.arctan2(way[..., 2], way[..., 0]) + rng.uniform(0, 6, (count, 1))
    ) * np.cos(2.3 * way[..., 1] + rng.uniform(0, 6, (count, 1)))
    deep = rng.random((count, cards)) ** 0.45 * 0.86 * lobes
    local = way * deep[..., None]
    if cone:
        up = rng.uniform(-1, 1, (count, cards)) ** 1.0
        local = np.stack([way[..., 0] * (1 - up) * 0.5, up, way[..., 2] * (1 - up) * 0.5], -1)
    scale = np.stack([half_x, half_y, half_x], 1)
    at = middle[:, None] + local * scale[:, None]
    size = (
        np.cbrt(half_x**2 * half_y)[:, None]
        * (2.1 / math.cbrt(cards))
        * rng.uniform(0.7, 1.25, (count, cards))
        * closed**0.3
    )
    flat = rng.standard_normal((count, cards, 3))
    flat[..., 1] *= 0.6
    side = np.cross(flat, way)
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-6)
    up_way = np.cross(way, side) + 0.35 * flat
    up_way /= np.maximum(np.linalg.norm(up_way, axis=-1, keepdims=True), 1e-6)
    side, up_way = side * size[..., None], up_way * size[..., None]
    corners = np.stack(
        [at - side - up_way, at + side - up_way, at + side + up_way, at - side + up_way], axis=2
    ).reshape(-1, 4, 3)
    low = corners[..., 1].min(axis=1)
    corners[..., 1] += np.maximum(0.02 - low, 0)[:, None]
    number = np.arange(len(corners))
    base = np.stack([number % 61, number // 61 % 61], 1)[:, None] + np.array(
        [(0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)]
    )
    outward = (
        (local / np.maximum(np.linalg.norm(local, axis=-1, keepdims=True), 1e-6)).reshape(-1, 1, 3) * 0.8
        + way.reshape(-1, 1, 3) * 0.2
        + [0, 0.25, 0]
    )
    normals = np.repeat(outward, 3, axis=1)
    bare = leaf is None
    tone: ArrayLike = (104, 94, 84) if leaf is None else leaf
    shade = 0.5 + 0.42 * np.clip(deep, 0, 1) + 0.26 * local[..., 1]
    each = (
        np.asarray(tone)[None, None]
        * (shade * rng.uniform(0.8, 1.16, (count, cards)))[..., None]
        * rng.normal(1, 0.05, (count, 1, 3))
    )
    surface = Surface(
        rgb=(60, 90, 40),
        aux=VEGETATION,
        pattern=Pattern.LEAVES,
        unit_m=(1.0, 2.0 if bare else 1.0),
        contrast=0.22,
        seed=float(rng.uniform(0, 9)),
    )
    for pick in ([0, 1, 2], [0, 2, 3]):
        mesh.triangles(corners[:, pick], normals, surface, rgb=each.reshape(-1, 3), uv=base[:, pick])
