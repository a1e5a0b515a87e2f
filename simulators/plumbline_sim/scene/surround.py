"""Everything around the facade: sky, ground, pit, neighbours, trees, cranes, machines, people."""

from __future__ import annotations

import math
from typing import Any, Final

import cv2
import numpy as np

from plumbline_sim.scene.camera import Pinhole, plane_homography
from plumbline_sim.scene.canvas import Canvas
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.facade import BUILDING, GROUND, MACHINE, PERSON, SKY, VEGETATION
from plumbline_sim.scene.families import Bgr
from plumbline_sim.scene.project import Floats, Project
from plumbline_sim.scene.textures import modulate, noise

_SKIES: Final[dict[str, tuple[Bgr, Bgr]]] = {
    "clear": ((205, 150, 95), (235, 215, 190)), "cloudy": ((200, 165, 130), (228, 220, 210)),
    "overcast": ((198, 196, 192), (222, 222, 220)), "rain": ((160, 158, 154), (190, 188, 186)),
    "fog": ((205, 206, 206), (210, 211, 211)), "snow": ((205, 205, 203), (222, 222, 222)),
}  # fmt: skip
_VESTS: Final[tuple[Bgr, ...]] = ((40, 130, 245), (60, 230, 210), (70, 70, 75), (150, 90, 50))
_HELMETS: Final[tuple[Bgr, ...]] = ((240, 240, 240), (40, 200, 245), (200, 110, 40), (40, 60, 220))
_BODIES: Final[tuple[Bgr, ...]] = (
    (40, 175, 235), (50, 120, 220), (235, 235, 235), (70, 70, 190), (160, 110, 50), (90, 130, 80),
)  # fmt: skip
_LEAVES: Final[dict[str, tuple[Bgr, ...]]] = {
    "spring": ((70, 135, 95), (80, 150, 110)), "summer": ((45, 95, 60), (55, 110, 75)),
    "autumn": ((50, 110, 150), (45, 125, 175)), "winter": ((85, 90, 95), (75, 80, 86)),
}  # fmt: skip


def paint_sky(canvas: Canvas, conditions: Conditions, rng: np.random.Generator) -> None:
    """Zenith to horizon, with clouds where the weather has them."""
    width, height = canvas.size
    zenith, horizon = (np.array(colour, np.float32) for colour in _SKIES[conditions.weather])
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None] ** 0.8
    column = zenith * (1 - down) + horizon * down
    canvas.bgr[:] = column.astype(np.uint8)
    if conditions.weather in {"cloudy", "overcast", "rain"}:
        field = noise("cloud", (width // 4, height // 4), rng).astype(np.float32)
        share_covered = 0.85 if conditions.weather == "cloudy" else 0.35
        cover = cv2.resize(np.clip((field - 122) / 70, 0, 1) * np.float32(share_covered), (width, height))
        white = np.full_like(canvas.bgr, 236 if conditions.weather == "cloudy" else 175)
        canvas.bgr[:] = cv2.blendLinear(white, canvas.bgr, cover, 1 - cover)
    canvas.aux[:] = SKY


def paint_ground(canvas: Canvas, project: Project, camera: Pinhole, conditions: Conditions) -> None:
    """Soil, grass and street to the horizon, with the texture of a plane seen aslant."""
    fixed = np.random.default_rng([project.seed, 21])
    eye, width = np.array(camera.position_m), project.width_m
    towards = np.array(camera.target_m) - eye
    angle = math.atan2(towards[0], -towards[2])
    far = [eye + 4000 * np.array((math.sin(angle + a), 0, -math.cos(angle + a))) for a in (-1.0, 1.0)]
    left, right = canvas.at(far)
    corners = [left, right, (canvas.size[0] + 4000, canvas.size[1] + 4000), (-4000, canvas.size[1] + 4000)]
    grass = {
        "summer": (62, 108, 92),
        "spring": (66, 112, 88),
        "autumn": (70, 100, 105),
        "winter": (98, 108, 110),
    }
    soil = np.array((92, 118, 142)) * fixed.uniform(0.75, 1.2)
    site = soil if fixed.random() < 0.6 else np.array((128, 130, 132)) * fixed.uniform(0.8, 1.1)
    canvas.outline(corners, grass[conditions.season], GROUND)
    apron = 9.0 + 6 * fixed.random()
    _plate(
        canvas,
        (-9, -project.depth_m - 9, width + 9, apron),
        _bgr(site * (0.8 if conditions.weather == "rain" else 1)),
    )
    _plate(
        canvas,
        (-300, apron + 1, width + 300, apron + 8),
        (112, 110, 108) if conditions.weather != "rain" else (82, 80, 78),
    )
    if conditions.weather == "snow":
        below = (canvas.aux == GROUND).astype(np.float32) * 0.82
        canvas.bgr[:] = cv2.blendLinear(np.full_like(canvas.bgr, 236), canvas.bgr, below, 1 - below)
    _grain(canvas, fixed)


def _plate(canvas: Canvas, area: tuple[float, float, float, float], colour: Bgr) -> None:
    """A flat piece of ground (x0, z0, x1, z1), cut where it would pass under the camera."""
    x0, z0, x1, z1 = area
    rows = np.linspace(z0, z1, 2)
    outline = [(x0, 0, rows[0]), (x1, 0, rows[0]), (x1, 0, rows[1]), (x0, 0, rows[1])]
    depths = np.asarray(outline) @ canvas.matrix[2, :3] + canvas.matrix[2, 3]
    if (depths > 0.5).all():
        canvas.polygon(outline, colour, GROUND)


def _grain(canvas: Canvas, rng: np.random.Generator) -> None:
    ground = canvas.aux == GROUND
    rows = np.flatnonzero(ground.any(axis=1))
    if rows.size == 0:
        return
    top = int(rows[0])
    size = (canvas.size[0], canvas.size[1] - top)
    warp = plane_homography(canvas.matrix, (-60, 0, -60), (0.25, 0, 0), (0, 0, 0.25))
    warp = np.array([[1, 0, 0], [0, 1, -top], [0, 0, 1.0]]) @ warp
    field: Any = noise("cloud", (512, 512), rng)
    seen: Any = cv2.warpPerspective(field, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    seen = cv2.addWeighted(seen, 0.55, noise("grain", size, rng), 0.45, 0)
    part = canvas.bgr[top:]
    cv2.copyTo(modulate(part, seen, 0.08), ground[top:].astype(np.uint8), part)


def paint_pit(canvas: Canvas, project: Project, stages: Floats) -> None:
    """The dug-out part of each bay, then its concrete, then the ground filled in again around it."""
    if project.track == "reno":
        return
    fixed = np.random.default_rng([project.seed, 23])
    soil = np.array((70, 105, 140)) * fixed.uniform(0.75, 1.2)
    depth, ahead, behind = 2.6, fixed.uniform(2.0, 4.5), project.depth_m
    for bay in range(project.bays):
        done = float(stages[0, bay])
        dug, cast = min(done, 1.0), min(max(done - 1, 0.0), 1.0)
        x0, x1 = _span(project, bay, dug)
        if dug > 0 and cast < 1:
            _hole(canvas, (x0, x1), (-behind, ahead), depth, _bgr(soil))
        if cast > 0:
            concrete = np.array((172, 176, 178)) * fixed.uniform(0.85, 1.08)
            xs = _span(project, bay, cast)
            canvas.polygon(
                [(xs[0], 0.1, -behind), (xs[1], 0.1, -behind), (xs[1], 0.1, ahead * 0.4), (xs[0], 0.1, ahead * 0.4)],
                _bgr(concrete), GROUND,
            )  # fmt: skip
            _starters(canvas, xs, behind)
        if dug >= 1 and cast < 1:
            _rebar(canvas, _span(project, bay, dug), behind)


def _span(project: Project, bay: int, share: float) -> tuple[float, float]:
    """The metres along the facade that `share` of this bay covers, from the side the crew began."""
    left = bay * project.bay_m
    if project.fill_modes[0] == 0:
        return left, left + share * project.bay_m
    return left + (1 - share) * project.bay_m, left + project.bay_m


def _hole(canvas: Canvas, xs: tuple[float, float], zs: tuple[float, float], depth: float, soil: Bgr) -> None:
    (x0, x1), (z0, z1) = xs, zs
    top = [(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)]
    mask = np.zeros(canvas.aux.shape, np.uint8)
    cv2.fillConvexPoly(mask, canvas.at(top).round().astype(np.int32), 1)
    below = Canvas(canvas.bgr.copy(), canvas.aux, canvas.matrix)
    below.polygon(top, _times(soil, 0.55), GROUND)
    below.polygon(
        [(x0, 0, z0), (x1, 0, z0), (x1, -depth, z0 + 1), (x0, -depth, z0 + 1)], _times(soil, 0.8), GROUND
    )
    floor = [(x0, -depth, z0 + 1), (x1, -depth, z0 + 1), (x1, -depth, z1), (x0, -depth, z1)]
    below.polygon(floor, _times(soil, 0.68), GROUND)
    cv2.copyTo(below.bgr, mask, canvas.bgr)


def _starters(canvas: Canvas, xs: tuple[float, float], behind: float) -> None:
    for x in np.arange(xs[0] + 0.4, xs[1], 1.1):
        for z in (-behind + 1, -behind / 2, -0.6):
            canvas.stroke([(x, 0.1, z), (x, 1.2, z)], (60, 80, 120), GROUND, 0.08)


def _rebar(canvas: Canvas, xs: tuple[float, float], behind: float) -> None:
    for z in np.arange(-behind + 2, 1, 1.6):
        canvas.stroke([(xs[0], -2.3, z), (xs[1], -2.3, z)], (55, 85, 130), GROUND, 0.1)


def paint_neighbours(canvas: Canvas, project: Project, conditions: Conditions) -> None:
    """Blocks beside and behind the site, farthest first."""
    fixed = np.random.default_rng([project.seed, 29])
    blocks = []
    for side in (-1, 0, 1):
        for _ in range(int(fixed.integers(0, 3))):
            wide, tall = fixed.uniform(10, 30), fixed.uniform(6, 30)
            gap = fixed.uniform(8, 26)
            middle = {
                -1: -gap - wide / 2,
                0: fixed.uniform(0, project.width_m),
                1: project.width_m + gap + wide / 2,
            }[side]
            back = -project.depth_m - fixed.uniform(14, 60) if side == 0 else fixed.uniform(-45, -6)
            blocks.append((back, middle - wide / 2, wide, tall, _muted(fixed)))
    light = 0.72 + 0.22 * conditions.direct
    for front, left, wide, tall, colour in sorted(blocks):
        canvas.box(
            (left, 0, front - 12),
            (left + wide, tall, front),
            colour,
            BUILDING,
            light=(light, light * 0.75, 0.9),
        )
        _dots(canvas, left, wide, tall, front)


def _muted(rng: np.random.Generator) -> Bgr:
    return _bgr(
        np.clip(
            rng.uniform(95, 225) + np.array((-12, 0, 10)) * rng.uniform(-0.6, 1.8) + rng.normal(0, 6, 3),
            20,
            240,
        )
    )


def _dots(canvas: Canvas, left: float, wide: float, tall: float, front: float) -> None:
    across, up = max(1, int(wide / 3.4)), max(1, int(tall / 3))
    xs, ys = (np.arange(across) + 0.5) * wide / across + left, (np.arange(up) + 0.55) * tall / up
    grid = np.array([(x, y) for x in xs for y in ys])
    low = canvas.at(np.c_[grid[:, 0] - 0.7, grid[:, 1] - 0.7, np.full(len(grid), front)])
    high = canvas.at(np.c_[grid[:, 0] + 0.7, grid[:, 1] + 0.7, np.full(len(grid), front)])
    for (x0, y0), (x1, y1) in zip(
        low.round().astype(int).tolist(), high.round().astype(int).tolist(), strict=True
    ):
        cv2.rectangle(canvas.bgr, (x0, y1), (x1, y0), (88, 78, 70), -1)
        cv2.rectangle(canvas.aux, (x0, y1), (x1, y0), 1, -1)


def paint_trees(canvas: Canvas, project: Project, conditions: Conditions, *, front: bool) -> None:
    """Crowns as clusters of blobs: behind and beside the building, a low one before it now and then."""
    fixed = np.random.default_rng([project.seed, 31, front])
    count = int(fixed.integers(0, 2) if front else fixed.integers(1, 7))
    for _ in range(count):
        if front:
            x, z, tall = (
                fixed.choice([-1, 1]) * fixed.uniform(1, 6) + fixed.choice([0, project.width_m]),
                8.0,
                3.2,
            )
        else:
            x, z, tall = (
                fixed.uniform(-25, project.width_m + 25),
                -project.depth_m - fixed.uniform(4, 25),
                fixed.uniform(5, 12),
            )
        canvas.stroke([(x, 0, z), (x, tall * 0.7, z)], (60, 70, 80), VEGETATION, 0.35)
        colours = _LEAVES[conditions.season]
        for _ in range(14 if conditions.season != "winter" else 5):
            spot = (x + fixed.normal(0, tall * 0.16), tall * fixed.uniform(0.5, 0.95), z)
            (px, py), radius = canvas.at([spot])[0], tall * fixed.uniform(0.07, 0.14) * canvas.px_per_m(spot)
            tone = _times(colours[int(fixed.integers(2))], fixed.uniform(0.75, 1.2))
            centre = (int(np.clip(px, -9999, 9999)), int(np.clip(py, -9999, 9999)))
            cv2.circle(canvas.bgr, centre, max(1, int(radius)), tone, -1, cv2.LINE_AA)
            cv2.circle(canvas.aux, centre, max(1, int(radius)), VEGETATION, -1)


def paint_crane(canvas: Canvas, project: Project, rng: np.random.Generator, light: float) -> None:
    """A tower crane beside or behind the building; its jib swings from shot to shot and may cross the facade."""
    fixed = np.random.default_rng([project.seed, 37])
    x = (
        fixed.choice([-5.0, project.width_m + 5.0])
        if fixed.random() < 0.7
        else project.width_m * fixed.uniform(0.3, 0.7)
    )
    z = -project.depth_m - 3 if 0 < x < project.width_m else fixed.uniform(-8, 3)
    top = project.height_m + fixed.uniform(4, 10)
    colour = _times(((40, 190, 240), (60, 90, 220), (225, 225, 225))[int(fixed.integers(3))], light)
    for offset in (-0.7, 0.7):
        canvas.stroke([(x + offset, 0, z), (x + offset, top + 3, z)], colour, MACHINE, 0.16)
    for y in np.arange(0, top, 1.5):
        canvas.stroke([(x - 0.7, y, z), (x + 0.7, y + 1.5, z)], colour, MACHINE, 0.1)
    swing = rng.uniform(-math.pi, math.pi)
    reach = fixed.uniform(18, 32)
    tip = (x + reach * math.cos(swing), top, z + 0.6 * reach * math.sin(swing))
    tail = (x - 9 * math.cos(swing), top, z - 5 * math.sin(swing))
    canvas.stroke([tail, tip], colour, MACHINE, 0.5)
    canvas.stroke([tail, (x, top + 3, z), tip], colour, MACHINE, 0.1)
    hook = np.array(tip) * 0.6 + np.array((x, top, z)) * 0.4
    canvas.stroke([hook, hook - (0, rng.uniform(3, top), 0)], (50, 50, 50), MACHINE, 0.06)


def paint_machines(canvas: Canvas, project: Project, rng: np.random.Generator, light: float) -> None:
    """Cabins that stay, trucks and diggers that come and go, farthest first."""
    fixed = np.random.default_rng([project.seed, 41])
    shades = (light, light * 0.75, light * 1.05)
    side = fixed.choice([-1, 1])
    for number in range(int(fixed.integers(0, 3))):
        x = (-12.0 if side < 0 else project.width_m + 6) + fixed.uniform(-1, 1)
        colour = _BODIES[int(fixed.integers(len(_BODIES)))]
        canvas.box((x, number * 2.5, -2), (x + 6, number * 2.5 + 2.4, 0.5), colour, MACHINE, light=shades)
    for _ in range(int(rng.choice(3, p=(0.5, 0.37, 0.13)))):
        x, z = rng.uniform(-12, project.width_m + 6), rng.uniform(4.5, 8.0)
        colour = _BODIES[int(rng.integers(len(_BODIES)))]
        if rng.random() < 0.6:
            _truck(canvas, x, z, colour, shades)
        else:
            _digger(canvas, x, z, shades, rng)


def _truck(canvas: Canvas, x: float, z: float, colour: Bgr, shades: tuple[float, float, float]) -> None:
    canvas.box((x, 0.5, z - 2.3), (x + 1.9, 2.7, z), colour, MACHINE, light=shades)
    canvas.polygon(
        [(x + 0.2, 1.6, z), (x + 1.6, 1.6, z), (x + 1.6, 2.4, z), (x + 0.2, 2.4, z)], (70, 60, 55), MACHINE
    )
    canvas.box((x + 2.1, 0.9, z - 2.3), (x + 6.4, 2.5, z), _times(colour, 0.8), MACHINE, light=shades)
    for wheel in (0.9, 3.6, 5.4):
        (px, py), radius = canvas.at([(x + wheel, 0.5, z)])[0], 0.5 * canvas.px_per_m((x, 0, z))
        cv2.circle(canvas.bgr, (int(px), int(py)), max(1, int(radius)), (35, 35, 35), -1)
        cv2.circle(canvas.aux, (int(px), int(py)), max(1, int(radius)), MACHINE, -1)


def _digger(
    canvas: Canvas, x: float, z: float, shades: tuple[float, float, float], rng: np.random.Generator
) -> None:
    colour = (30, 170, 240)
    canvas.box((x, 0, z - 2.4), (x + 3.2, 0.9, z), (45, 45, 45), MACHINE, light=shades)
    canvas.box((x + 0.2, 0.9, z - 2.2), (x + 2.8, 2.4, z - 0.2), colour, MACHINE, light=shades)
    reach = rng.uniform(2.5, 4.5) * rng.choice([-1, 1])
    start = x + 1.5
    arm = [
        (start, 2.0, z),
        (start + reach * 0.5, 4.6, z),
        (start + reach, 3.2, z),
        (start + reach * 1.05, 0.6, z),
    ]
    canvas.stroke(arm, _times(colour, 0.9), MACHINE, 0.4)


def paint_people(
    canvas: Canvas, project: Project, stages: Floats, rng: np.random.Generator, light: float
) -> None:
    """Workers on the ground before the building, and on slabs or scaffold where work goes on."""
    spots = [
        (rng.uniform(-4, project.width_m + 4), 0.0, rng.uniform(1.8, 8.0))
        for _ in range(int(rng.integers(0, 6)))
    ]
    active = np.argwhere(
        (stages > 2.05) & (stages < 6.9) if project.track == "new" else (stages > 0.2) & (stages < 6.9)
    )
    for floor, bay in rng.permutation(active)[: int(rng.integers(0, 5))].tolist():
        height = floor * project.storey_m + (0.0 if project.track == "reno" else 0.1)
        spots.append(
            ((bay + rng.uniform(0.1, 0.9)) * project.bay_m, height, 0.9 if project.look.scaffold else 0.1)
        )
    for spot in sorted(spots, key=lambda s: s[2]):
        _worker(canvas, spot, rng, light)


def _worker(canvas: Canvas, feet: tuple[float, float, float], rng: np.random.Generator, light: float) -> None:
    unit = canvas.px_per_m(feet) * float(rng.uniform(0.92, 1.08))
    x, y = canvas.at([feet])[0]
    lean = float(rng.normal(0, 0.08))
    vest = _times(_VESTS[int(rng.integers(4))], light)
    trousers = _times(((70, 55, 45), (50, 50, 55), (90, 80, 70))[int(rng.integers(3))], light)

    def part(x0: float, y0: float, x1: float, y1: float, colour: Bgr) -> None:
        left, top, right, bottom = (
            x + (x0 + lean * y1) * unit,
            y - y1 * unit,
            x + (x1 + lean * y1) * unit,
            y - y0 * unit,
        )
        corners = (round(left), round(top)), (max(round(right), round(left)), max(round(bottom), round(top)))
        cv2.rectangle(canvas.bgr, *corners, colour, -1)
        cv2.rectangle(canvas.aux, *corners, PERSON, -1)

    part(-0.2, 0.0, -0.03, 0.85, trousers)
    part(0.03, 0.0, 0.2, 0.85, trousers)
    part(-0.27, 0.8, 0.27, 1.45, vest)
    part(-0.12, 1.42, 0.12, 1.62, _times((125, 150, 200), light))
    part(-0.16, 1.6, 0.16, 1.8, _times(_HELMETS[int(rng.integers(4))], light))


def paint_fence(canvas: Canvas, project: Project, light: float) -> None:
    """A hoarding on the street side where the camera looks over it."""
    fixed = np.random.default_rng([project.seed, 43])
    if fixed.random() < 0.5:
        return
    z, tall = 9.0 + fixed.uniform(0, 1), 2.0
    if canvas.matrix[2, :3] @ (project.width_m / 2, 1, z) + canvas.matrix[2, 3] < 8:
        return
    colour = _times(
        ((140, 142, 140), (70, 120, 60), (180, 120, 60), (90, 140, 170))[int(fixed.integers(4))], light
    )
    for x in np.arange(-12.0, project.width_m + 12, 2.4):
        panel = [(x, 0, z), (x + 2.3, 0, z), (x + 2.3, tall, z), (x, tall, z)]
        canvas.polygon(panel, _times(colour, fixed.uniform(0.9, 1.05)), GROUND)


def _times(colour: Any, share: float) -> Bgr:
    return _bgr(np.clip(np.asarray(colour, float) * share, 0, 255))


def _bgr(colour: Any) -> Bgr:
    return int(colour[0]), int(colour[1]), int(colour[2])
