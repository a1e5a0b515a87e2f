"""The ground: the site's soil or courtyard, streets with kerbs and markings, yards and lawns, the quarter beyond."""

from __future__ import annotations

from typing import Final

import numpy as np

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot, Rect, flat, grown, less, seen, touches
from plumbline_sim.scene.around.solids import blob, heap, toned
from plumbline_sim.scene.conditions import Season
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

GROUND: Final = AUX_CLASSES.index("ground")
PIT_M: Final = 3.0
"""Heaps, puddles and pads keep this far from the footprint."""
_FAR_M: Final = 2450.0
_GRASS: Final = {
    "spring": (98, 124, 62),
    "summer": (96, 116, 58),
    "autumn": (116, 112, 62),
    "winter": (112, 110, 78),
}


def lay_ground(mesh: Mesh, plot: Plot, rng: np.random.Generator, *, new: bool, season: Season) -> None:
    """Everything level, down to the horizon; nothing is drawn inside the building's footprint."""
    grass = _near(_GRASS[season], rng, 10)
    holes = (plot.house,)
    whole = (-_FAR_M, -_FAR_M, _FAR_M, _FAR_M)
    mesh.quads(flat(less(whole, holes), -0.09), Surface(
        rgb=_near((104, 106, 84), rng, 8), aux=GROUND, pattern=Pattern.DISTRICT, unit_m=(float(rng.uniform(9, 16)), 1.0),
        contrast=0.3, seed=float(rng.uniform(0, 9)),
    ))  # fmt: skip
    _streets(mesh, plot, rng)
    _yards(mesh, plot, rng, grass)
    if new:
        _site(mesh, plot, rng, grass, holes)
    else:
        _courtyard(mesh, plot, rng, grass)


def _streets(mesh: Mesh, plot: Plot, rng: np.random.Generator) -> None:
    asphalt = float(rng.uniform(66, 112))
    road = Surface(rgb=(asphalt, asphalt, asphalt * 1.02), aux=GROUND, pattern=Pattern.PAVED, unit_m=(40, 40), contrast=0.16,
                   seed=float(rng.uniform(0, 9)))  # fmt: skip
    _, z0, _, z1 = plot.street
    x0, _, x1, _ = plot.lane
    mesh.quads(flat([plot.street], 0.0), road)
    lane = less(
        plot.lane,
        (plot.street, *(() if plot.lane[0] > plot.site[2] or plot.lane[2] < plot.site[0] else (plot.site,))),
    )
    mesh.quads(flat(lane, 0.0), road)
    wide = plot.pavement_m
    slabs = float(rng.uniform(120, 168))
    walk = Surface(rgb=(slabs, slabs * 0.985, slabs * 0.95), aux=GROUND, pattern=Pattern.PAVED,
                   unit_m=(float(rng.choice([0.5, 1.0, 40])),) * 2, contrast=0.14, seed=float(rng.uniform(0, 9)))  # fmt: skip
    strips = [(-400.0, z0 - wide, 400.0, z0), (-400.0, z1, 400.0, z1 + wide)]
    pieces = [piece for strip in strips for piece in less(strip, ((x0, -900, x1, 900),))]
    strips = [(x0 - 1.8, -300.0, x0, 300.0), (x1, -300.0, x1 + 1.8, 300.0)]
    pieces += [
        piece for strip in strips for piece in less(strip, ((-900, z0 - wide, 900, z1 + wide), plot.site))
    ]
    low = np.array([(p[0], -0.05, p[1]) for p in pieces])
    mesh.boxes(low, np.array([(p[2], 0.12, p[3]) for p in pieces]), walk, faces="xXYzZ")
    kerb = Surface(rgb=(176, 174, 168), aux=GROUND, contrast=0.12)
    edges = [
        (-400, z0 - 0.15, x0, z0),
        (x1, z0 - 0.15, 400, z0),
        (-400, z1, x0, z1 + 0.15),
        (x1, z1, 400, z1 + 0.15),
    ]
    mesh.boxes([(e[0], 0, e[1]) for e in edges], [(e[2], 0.14, e[3]) for e in edges], kerb, faces="YzZ")
    _markings(mesh, plot, rng)


def _markings(mesh: Mesh, plot: Plot, rng: np.random.Generator) -> None:
    _, z0, _, z1 = plot.street
    x0, _, x1, _ = plot.lane
    middle = (z0 + z1) / 2
    dashes = [
        (x, middle - 0.07, x + 3.0, middle + 0.07)
        for x in np.arange(-160, 160, 9.0)
        if x + 3 < x0 - 6 or x > x1 + 6
    ]
    if z1 - z0 > 9 and rng.random() < 0.6:
        dashes += [
            (x, z1 - 2.1, x + 0.1, z1) for x in np.arange(-120, 120, 5.6) if x < x0 - 12 or x > x1 + 12
        ]
    zebra = x1 + 3 if rng.random() < 0.5 else x0 - 6.5
    if rng.random() < 0.7:
        dashes += [(zebra, z, zebra + 3.2, z + 0.5) for z in np.arange(z0 + 0.4, z1 - 0.5, 1.0)]
    dashes += [(-400, z0 + 0.25, x0 - 6, z0 + 0.35), (x1 + 6, z0 + 0.25, 400, z0 + 0.35)]
    mesh.quads(flat(dashes, 0.012), Surface(rgb=(206, 206, 200), aux=GROUND, contrast=0.3))


def _yards(mesh: Mesh, plot: Plot, rng: np.random.Generator, grass: tuple[float, float, float]) -> None:
    """Lots of the nearest blocks: lawns and paved yards, so that between houses there is a town, not a field."""
    lots = []
    z_rows = [(plot.site[1] - 34 * k - 33, plot.site[1] - 34 * k) for k in range(6)]
    z_rows += [
        (plot.site[1], plot.site[3]),
        (plot.street[3] + plot.pavement_m, plot.street[3] + plot.pavement_m + 40),
    ]
    for low, high in z_rows:
        x = -260.0
        while x < 260:
            wide = float(rng.uniform(14, 40))
            lots.append((x, low, x + wide - 0.5, high))
            x += wide
    keep = [piece for lot in lots for piece in less(lot, (plot.site, grown(plot.lane, 1.8)))]
    rects = np.array(keep)
    middle = (rects[:, :2] + rects[:, 2:]) / 2
    rects = rects[seen(plot, middle[:, 0], middle[:, 1], 22)]
    kind = rng.random(len(rects))
    green = kind < 0.5
    mesh.quads(flat(rects[green], -0.03), Surface(rgb=grass, aux=GROUND, pattern=Pattern.GRASS, contrast=0.2, seed=1.3),
               rgb=np.array(grass) * rng.uniform(0.8, 1.12, (int(green.sum()), 1)))  # fmt: skip
    grey = rng.uniform(104, 150, (int((~green).sum()), 1)) * np.array([[1, 0.985, 0.95]])
    mesh.quads(flat(rects[~green], -0.03), Surface(rgb=(120, 120, 118), aux=GROUND, pattern=Pattern.PAVED, unit_m=(30, 30),
               contrast=0.2), rgb=grey)  # fmt: skip


def _site(
    mesh: Mesh,
    plot: Plot,
    rng: np.random.Generator,
    grass: tuple[float, float, float],
    holes: tuple[Rect, ...],
) -> None:
    """Soil with haul roads, pads, puddles, tyre tracks and heaps of what was dug out."""
    earth = _near(
        ((150, 118, 84), (132, 112, 90), (166, 138, 100), (118, 104, 88))[int(rng.integers(4))], rng, 10
    )
    soil = Surface(rgb=earth, aux=GROUND, pattern=Pattern.SOIL, unit_m=(float(rng.uniform(0.8, 2.2)), 1.0),
                   contrast=float(rng.uniform(0.16, 0.3)), seed=float(rng.uniform(0, 9)))  # fmt: skip
    mesh.quads(flat(less(plot.site, holes), 0.0), soil)
    x0, z0, x1, z1 = plot.site
    gravel = Surface(
        rgb=_near((150, 146, 138), rng, 14),
        aux=GROUND,
        pattern=Pattern.SOIL,
        unit_m=(0.5, 1),
        contrast=0.14,
        seed=3.1,
    )
    road = min(5.0, (z1 - 3.5) * 0.6)
    at = float(rng.uniform(3.4, max(3.5, z1 - road - 1.5)))
    roads: list[Rect] = [(x0, at, x1, at + road)]
    side = float(rng.uniform(x0 + 0.5, max(x0 + 0.6, -6.0))) if rng.random() < 0.6 else None
    if side is not None and side + 4 < -PIT_M:
        roads.append((side, z0, side + 4.0, at))
    mesh.quads(flat([piece for r in roads for piece in less(r, holes)], 0.015), gravel)
    pads = [(px, pz, px + w, pz + w * 0.6) for px, pz, w in zip(
        rng.uniform(x0, x1 - 8, 4), rng.uniform(3.2, max(3.3, z1 - 5), 4), rng.uniform(3, 8, 4), strict=True)]  # fmt: skip
    slabs = Surface(rgb=(158, 156, 150), aux=GROUND, pattern=Pattern.PAVED, unit_m=(2.0, 3.0), contrast=0.14)
    mesh.quads(flat([p for p in pads[: int(rng.integers(0, 4))] if p[3] < z1 and p[1] > PIT_M], 0.03), slabs)
    _tracks(mesh, plot, rng, earth, at + road / 2)
    _patches(mesh, plot, rng, earth, grass)
    _heaps(mesh, plot, rng, soil)


def _tracks(
    mesh: Mesh, plot: Plot, rng: np.random.Generator, earth: tuple[float, float, float], along_z: float
) -> None:
    """Pairs of ruts that wind along the front of the site."""
    quads = []
    for _ in range(int(rng.integers(3, 7))):
        x = np.linspace(plot.site[0] + 1, plot.site[2] - 1, 24)
        bend = rng.uniform(0.3, 2.0) * np.sin(x / rng.uniform(6, 18) + rng.uniform(0, 6))
        z = np.clip(along_z + rng.normal(0, 2.5) + bend, PIT_M + 0.6, plot.site[3] - 1.6)
        for offset in (-0.9, 0.9):
            for wide in (0.38,):
                zs = z + offset
                quads.append(np.stack([
                    np.stack([x[:-1], 0 * x[:-1] + 0.022, zs[:-1] + wide / 2], 1), np.stack([x[1:], 0 * x[1:] + 0.022, zs[1:] + wide / 2], 1),
                    np.stack([x[1:], 0 * x[1:] + 0.022, zs[1:] - wide / 2], 1), np.stack([x[:-1], 0 * x[:-1] + 0.022, zs[:-1] - wide / 2], 1),
                ], 1))  # fmt: skip
    dark = tuple(c * 0.72 for c in earth)
    mesh.quads(np.concatenate(quads), Surface(rgb=(dark[0], dark[1], dark[2]), aux=GROUND, pattern=Pattern.SOIL, unit_m=(0.35, 1),
               contrast=0.3, alpha=0.6))  # fmt: skip


def _patches(
    mesh: Mesh,
    plot: Plot,
    rng: np.random.Generator,
    earth: tuple[float, float, float],
    grass: tuple[float, float, float],
) -> None:
    x0, _, x1, z1 = plot.site
    wet = Surface(rgb=toned(earth, 0.5), aux=GROUND, pattern=Pattern.GLASS, unit_m=(60, 60), contrast=0.0)
    muddy = Surface(rgb=toned(earth, 0.68), aux=GROUND, pattern=Pattern.SOIL, unit_m=(0.7, 1), contrast=0.2)
    weeds = Surface(rgb=grass, aux=GROUND, pattern=Pattern.GRASS, contrast=0.3)
    up = (0.0, 1.0, 0.0)
    for _ in range(int(rng.integers(3, 10))):
        x, z, r = (
            float(rng.uniform(x0 + 2, x1 - 2)),
            float(rng.uniform(PIT_M + 2, max(PIT_M + 2.1, z1 - 2))),
            float(rng.uniform(0.5, 1.6)),
        )
        radii = (r * float(rng.uniform(1, 2.2)), min(r, z - PIT_M - 0.2))
        mesh.triangles(
            blob(x, z, (radii[0] * 1.25, radii[1] * 1.2), np.random.default_rng(int(x * 99) & 0xFFFF), 0.026),
            up,
            muddy,
        )
        mesh.triangles(blob(x, z, radii, np.random.default_rng(int(x * 99) & 0xFFFF), 0.032), up, wet)
    for _ in range(int(rng.integers(2, 8))):
        x, z = float(rng.choice([x0 + 2, x1 - 2])), float(rng.uniform(plot.site[1], z1 - 1))
        mesh.triangles(blob(x, z, (1.9, float(rng.uniform(1, 5))), rng, 0.02), up, weeds)


def _heaps(mesh: Mesh, plot: Plot, rng: np.random.Generator, soil: Surface) -> None:
    x0, z0, x1, z1 = plot.site
    for _ in range(int(rng.integers(1, 5))):
        x, z, r = (
            float(rng.uniform(x0 + 2, x1 - 2)),
            float(rng.uniform(z0 + 2, z1 - 2)),
            float(rng.uniform(1.2, 4.0)),
        )
        if touches(grown(plot.house, PIT_M + 0.2), x, z, r * 1.4):
            continue
        sand = Surface(rgb=_near(((196, 168, 118), soil.rgb, (150, 148, 146))[int(rng.integers(3))], rng, 8), aux=GROUND,
                       pattern=Pattern.SOIL, unit_m=(0.5, 1), contrast=0.2, seed=float(rng.uniform(0, 9)))  # fmt: skip
        three, normals = heap(
            x, z, (r * float(rng.uniform(1, 1.4)), r), r * float(rng.uniform(0.4, 0.65)), rng
        )
        mesh.triangles(three, normals, sand)


def _courtyard(mesh: Mesh, plot: Plot, rng: np.random.Generator, grass: tuple[float, float, float]) -> None:
    """A finished yard: lawn, a blind strip along the house, a drive with parking bays, paths, a playground."""
    x0, z0, x1, z1 = plot.site
    lawn = Surface(rgb=grass, aux=GROUND, pattern=Pattern.GRASS, contrast=0.24, seed=float(rng.uniform(0, 9)))
    mesh.quads(flat(less(plot.site, (plot.house,)), 0.0), lawn)
    grey = float(rng.uniform(96, 150))
    paved = Surface(rgb=(grey, grey * 0.99, grey * 0.96), aux=GROUND, pattern=Pattern.PAVED,
                    unit_m=(float(rng.choice([0.3, 0.6, 40])),) * 2, contrast=0.16, seed=float(rng.uniform(0, 9)))  # fmt: skip
    asphalt = Surface(
        rgb=(grey * 0.72, grey * 0.72, grey * 0.73),
        aux=GROUND,
        pattern=Pattern.PAVED,
        unit_m=(40, 40),
        contrast=0.18,
    )
    hx0, hz0, hx1, _ = plot.house
    mesh.quads(flat(less((hx0 - 1.2, hz0 - 1.2, hx1 + 1.2, 1.2), (plot.house,)), 0.012), paved)
    drive = float(rng.uniform(2.6, max(2.7, z1 - 7.5)))
    if rng.random() < 0.8:
        mesh.quads(flat([(x0, drive, x1, min(drive + 4.2, z1))], 0.02), asphalt)
        bays = [(x, drive + 4.0, x + 0.1, min(drive + 7.0, z1)) for x in np.arange(x0 + 1, x1 - 1, 2.5)]
        if drive + 7.0 < z1:
            mesh.quads(flat([(x0 + 1, drive + 4.2, x1 - 1, drive + 7.0)], 0.02), asphalt)
            mesh.quads(flat(bays, 0.03), Surface(rgb=(204, 204, 198), aux=GROUND, contrast=0.3))
        mesh.boxes(
            [(x0, 0, drive - 0.15)],
            [(x1, 0.13, drive)],
            Surface(rgb=(172, 170, 164), aux=GROUND),
            faces="YzZ",
        )
    paths = [
        (x, 1.2, x + 1.6, z1) for x in rng.uniform(hx0, max(hx0 + 0.1, hx1 - 2), int(rng.integers(1, 4)))
    ]
    mesh.quads(flat(paths, 0.014), paved)
    worn = Surface(rgb=(150, 128, 96), aux=GROUND, pattern=Pattern.SOIL, unit_m=(0.8, 1), contrast=0.2)
    for _ in range(int(rng.integers(1, 5))):
        x, z = float(rng.uniform(x0, x1)), float(rng.uniform(1.6, z1 - 0.5))
        mesh.triangles(blob(x, z, (float(rng.uniform(1, 3)), 0.9), rng, 0.01), (0, 1, 0), worn)
    back = [piece for piece in [(x0, z0, x1, hz0 - 4)] if piece[3] > piece[1]]
    mesh.quads(flat(back, 0.008), asphalt)


def _near(colour: tuple[float, ...], rng: np.random.Generator, by: float) -> tuple[float, float, float]:
    shift = rng.uniform(-by, by)
    r, g, b = (float(np.clip(c + shift + rng.uniform(-by, by) * 0.4, 8, 250)) for c in colour)
    return r, g, b
