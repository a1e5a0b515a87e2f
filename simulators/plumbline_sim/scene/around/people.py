"""People: workers in vests and helmets on the ground, on lifts, slabs and the roof; passers-by on the pavement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.plot import Plot, seen
from plumbline_sim.scene.around.solids import bars, toned, turned
from plumbline_sim.scene.building.plan import plan_of
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface
from plumbline_sim.scene.project import Project

Floats = NDArray[np.float64]
Rgb = tuple[float, float, float]
PERSON: Final = AUX_CLASSES.index("person")
_VESTS: Final[tuple[Rgb, ...]] = (
    (250, 120, 30),
    (214, 232, 40),
    (240, 90, 40),
    (200, 222, 60),
    (52, 66, 96),
    (60, 90, 150),
)
_HELMETS: Final[tuple[Rgb, ...]] = (
    (240, 240, 238),
    (250, 200, 40),
    (220, 60, 40),
    (40, 90, 180),
    (250, 130, 30),
)
_CLOTHES: Final[tuple[Rgb, ...]] = (
    (40, 44, 54),
    (90, 40, 44),
    (150, 150, 148),
    (60, 84, 60),
    (190, 170, 140),
    (36, 60, 110),
    (220, 214, 206),
    (30, 30, 32),
)
_SKINS: Final[tuple[Rgb, ...]] = ((222, 180, 150), (200, 152, 120), (150, 106, 80), (104, 72, 54))


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone standing at `at` (feet), `tall_m` from sole to helmet's top, facing `yaw` radians from +z."""

    at: tuple[float, float, float]
    tall_m: float
    yaw: float
    pose: str
    coat: Rgb
    legs: Rgb
    skin: Rgb
    hat: Rgb | None


def people_of(project: Project, plot: Plot, day: float, rng: np.random.Generator) -> list[Person]:
    """Who is on the site and in the street at this shot."""
    spots = _ground_spots(plot, rng) + _lift_spots(project, day, rng) + _slab_spots(project, day, rng)
    workers = [_someone(rng, at, worker=True) for at in spots]
    return workers + [_someone(rng, at, worker=False) for at in _street_spots(plot, rng)]


def draw_people(mesh: Mesh, people: list[Person], first_instance: int) -> int:
    """Every person with an instance number of their own from `first_instance` on; returns the next free one."""
    for number, person in enumerate(people, first_instance):
        faces, rgb = figure(person)
        mesh.quads(
            faces,
            Surface(rgb=(0, 0, 0), aux=PERSON, pattern=Pattern.PLAIN, contrast=0.1, instance=number),
            rgb=rgb,
        )
    return first_instance + len(people)


def figure(person: Person) -> tuple[Floats, Floats]:
    """Faces [n, 4, 3] and colours [n, 3] of head, helmet, torso, arms and legs."""
    t = person.tall_m / 1.78
    stride, lift_l, lift_r, bend = _POSES[person.pose]
    hip, chest, neck = 0.92 * t, 1.45 * t, 1.5 * t
    lean = math.sin(bend)
    drop = (1 - math.cos(bend)) * (chest - hip)
    shoulder = (0.0, chest - drop, lean * (chest - hip))
    head_y, head_z = neck - drop, shoulder[2] + lean * 0.1
    top = person.tall_m - drop - (0.0 if person.hat else 0.01)
    parts: list[
        tuple[
            tuple[float, float, float],
            tuple[float, float, float],
            tuple[float, float],
            tuple[float, float],
            Rgb,
        ]
    ] = []
    for side, swing in ((-1, stride), (1, -stride)):
        x = side * 0.1 * t
        knee = (x, 0.48 * t, swing * 0.55 + 0.04)
        foot = (x, 0.06, swing)
        parts += [((x, hip, 0), knee, (0.17, 0.18), (0.13, 0.14), person.legs), (knee, foot, (0.13, 0.14), (0.1, 0.11), person.legs),
                  ((x, 0.05, swing - 0.08), (x, 0.05, swing + 0.19), (0.1, 0.1), (0.09, 0.07), (40, 34, 30))]  # fmt: skip
    parts.append(
        (
            (0, hip - 0.06, 0),
            (shoulder[0], shoulder[1] - 0.16 * t, shoulder[2] * 0.8),
            (0.34 * t, 0.22 * t),
            (0.4 * t, 0.25 * t),
            person.coat,
        )
    )
    parts.append(
        (
            (shoulder[0], shoulder[1] - 0.17 * t, shoulder[2] * 0.8),
            shoulder,
            (0.41 * t, 0.25 * t),
            (0.34 * t, 0.18 * t),
            person.coat,
        )
    )
    if person.hat:  # the bright band of a vest
        parts.append(
            (
                (0, hip + 0.2, shoulder[2] * 0.35),
                (0, hip + 0.25, shoulder[2] * 0.42),
                (0.4 * t, 0.27 * t),
                (0.4 * t, 0.27 * t),
                (226, 226, 214),
            )
        )
    for side, lift in ((-1, lift_l), (1, lift_r)):
        from_ = (side * 0.22 * t, shoulder[1] - 0.05 * t, shoulder[2])
        down, out = math.cos(lift), math.sin(lift)
        elbow = (side * 0.27 * t, from_[1] - 0.28 * t * down, from_[2] + 0.28 * t * out)
        bent = lift + 0.45
        hand = (side * 0.25 * t, elbow[1] - 0.27 * t * math.cos(bent), elbow[2] + 0.27 * t * math.sin(bent))
        parts += [
            (from_, elbow, (0.13 * t, 0.13 * t), (0.1 * t, 0.1 * t), person.coat),
            (
                elbow,
                hand,
                (0.1 * t, 0.1 * t),
                (0.08 * t, 0.08 * t),
                person.skin if not person.hat else person.coat,
            ),
        ]
    parts.append(
        ((0, head_y - 0.03, head_z), (0, top - 0.07, head_z + 0.01), (0.13, 0.15), (0.16, 0.19), person.skin)
    )
    crown: Rgb = person.hat or toned(person.skin, 0.35)
    parts.append(
        (
            (0, top - 0.13, head_z),
            (0, top - 0.05, head_z),
            (0.25, 0.29) if person.hat else (0.19, 0.22),
            (0.22, 0.25) if person.hat else (0.19, 0.22),
            crown,
        )
    )
    parts.append(((0, top - 0.05, head_z), (0, top, head_z), (0.22, 0.25), (0.11, 0.13), crown))
    faces = bars([p[0] for p in parts], [p[1] for p in parts], [p[2] for p in parts], [p[3] for p in parts])
    rgb = np.repeat(np.array([p[4] for p in parts], float), 6, axis=0)
    return turned(faces[None], [person.yaw], [person.at])[0], rgb


_POSES: Final[dict[str, tuple[float, float, float, float]]] = {
    # stride in metres, left and right arm's lift in radians, bend of the back in radians
    "stand": (0.05, 0.1, 0.05, 0.03), "walk": (0.3, 0.45, -0.4, 0.06), "reach": (0.08, 2.3, 1.6, 0.0),
    "carry": (0.16, 0.9, 0.9, 0.05), "stoop": (0.14, 0.7, 0.9, 0.85), "point": (0.06, 0.1, 1.5, 0.0),
}  # fmt: skip


def _someone(rng: np.random.Generator, at: tuple[float, float, float], *, worker: bool) -> Person:

    def pick(options: tuple[Rgb, ...]) -> Rgb:
        return options[int(rng.integers(len(options)))]

    poses = sorted(_POSES) if worker else ["walk", "stand", "walk"]
    return Person(
        at=at, tall_m=float(rng.uniform(1.62, 1.9)), yaw=float(rng.uniform(-math.pi, math.pi)), pose=poses[int(rng.integers(len(poses)))],
        coat=pick(_VESTS) if worker else pick(_CLOTHES), legs=pick(_CLOTHES[:1] + _CLOTHES[5:6] + ((70, 72, 84), (110, 104, 90))),
        skin=pick(_SKINS), hat=pick(_HELMETS) if worker and rng.random() < 0.95 else None,
    )  # fmt: skip


def _ground_spots(plot: Plot, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    count = int(rng.integers(0, 9))
    x, z = (
        rng.uniform(plot.site[0] + 1, plot.site[2] - 1, count),
        rng.uniform(3.6, max(3.7, plot.site[3] - 0.8), count),
    )
    keep = seen(plot, x, z, 1) & (np.hypot(x - plot.eye[0], z - plot.eye[2]) > 6)
    return [(float(a), 0.03, float(b)) for a, b in zip(x[keep], z[keep], strict=True)]


def _lift_spots(project: Project, day: float, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """On the boards of the scaffold, before the zones that are being worked on."""
    if not project.look.scaffold:
        return []
    stages = project.zone_stages(day)
    busy = (stages > 1.02) & (stages < 6.95) if project.track == "reno" else (stages > 3.3) & (stages < 6.8)
    lift_m = project.height_m / max(1, round(project.height_m / plan_of(project).scaffold.lift_m))
    out = []
    for floor, bay in np.argwhere(busy)[rng.permutation(int(busy.sum()))][: int(rng.integers(0, 7))]:
        y = math.floor((floor + float(rng.uniform(0.1, 0.9))) * project.storey_m / lift_m) * lift_m
        if y >= lift_m:
            out.append(
                (
                    (bay + float(rng.uniform(0.15, 0.85))) * project.bay_m,
                    y + 0.06,
                    float(rng.uniform(0.5, 0.95)),
                )
            )
    return out


def _slab_spots(project: Project, day: float, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """At the edges of slabs that stand open, and on top of what is built."""
    if project.track == "reno":
        top = [
            (
                float(rng.uniform(0.1, 0.9)) * project.width_m,
                project.height_m + 0.05,
                -float(rng.uniform(0.8, 4)),
            )
        ]
        return top if rng.random() < 0.2 else []
    stages, out = project.zone_stages(day), []
    open_ = (stages >= 3.0) & (stages < 4.2)
    for floor, bay in np.argwhere(open_)[rng.permutation(int(open_.sum()))][: int(rng.integers(0, 5))]:
        above = floor + 1 < project.floors and stages[floor + 1, bay] >= 2.6
        y = (floor + (0 if above else int(rng.integers(0, 2)))) * project.storey_m
        out.append(
            ((bay + float(rng.uniform(0.2, 0.8))) * project.bay_m, y + 0.03, -float(rng.uniform(0.5, 1.6)))
        )
    return out


def _street_spots(plot: Plot, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    count = int(rng.integers(0, 10))
    side = rng.random(count) < 0.7
    near, far = plot.street[1] - plot.pavement_m, plot.street[3]
    z = np.where(side, near + rng.uniform(0.5, 1.8, count), far + rng.uniform(0.4, 1.6, count))
    x = rng.uniform(plot.site[0] - 40, plot.site[2] + 40, count)
    keep = seen(plot, x, z, 1) & (np.hypot(x - plot.eye[0], z - plot.eye[2]) > 6)
    return [(float(a), 0.12, float(b)) for a, b in zip(x[keep], z[keep], strict=True)]
