"""Where vehicles, machines and stacks stand at a shot: on the site, at kerbs, in bays, on the road."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from plumbline_sim.scene.around import diggers, stacks
from plumbline_sim.scene.around.kit import Rgb
from plumbline_sim.scene.around.plot import CLEAR_M, Floats, Plot, grown, hidden_share, seen, touches
from plumbline_sim.scene.around.solids import toned
from plumbline_sim.scene.around.vehicles import LENGTH_M, vehicle
from plumbline_sim.scene.families import CARS, VEHICLES
from plumbline_sim.scene.mesh import Mesh
from plumbline_sim.scene.project import Project

_EARLY, _SHELL, _FINISH = (
    ("excavator", "excavator", "tipper", "loader", "roller", "mini_digger", "tipper"),
    ("mixer", "pump", "mixer", "flatbed", "telehandler", "excavator", "van"),
    ("telehandler", "van", "flatbed", "platform", "box", "mini_digger", "van"),
)
_STACKS: Final = {
    "new": ("container", "skip", "blocks", "rebar", "formwork", "silo", "toilet", "pipes", "timber", "tubes", "blocks", "rebar"),
    "reno": ("skip", "boards", "boards", "bags", "tubes", "toilet", "container", "blocks", "timber"),
}  # fmt: skip
_LOADS: Final[tuple[Rgb, ...]] = ((226, 226, 222), (236, 150, 40), (176, 110, 80), (120, 130, 140))
_HIDES: Final = (0.0, 0.0, 0.03, 0.08, 0.16)
"""How much of the facade's picture what stands on the site may hide: one of these a shot."""


@dataclass(slots=True)
class _Yard:
    """What has been placed so far, so that nothing stands in anything else."""

    mesh: Mesh
    plot: Plot
    rng: np.random.Generator
    free: int
    left: float
    houses: list[tuple[float, float, float]]
    taken: list[tuple[float, float, float]] = field(default_factory=list)

    def put(self, part: Mesh, x: float, z: float, yaw: float, radius: float, tall: float, *, counted: bool = True, reach: float = 3.0) -> bool:  # fmt: skip
        """Place `part` if there is room, if it can be seen, if it does not `reach` into the camera, and if it hides no more than is left to hide."""
        if (
            touches(grown(self.plot.house, CLEAR_M), x, z, radius).item()
            or not seen(self.plot, x, z, radius).item()
        ):
            return False
        if math.hypot(x - self.plot.eye[0], z - self.plot.eye[2]) < max(
            self.plot.eye[1] * 0.4, radius + reach
        ):
            return False
        if any(math.hypot(x - a, z - b) < radius + r for a, b, r in self.taken):
            return False
        side = radius * 0.75
        share = float(hidden_share(self.plot, (x - side, 0, z - side), (x + side, tall, z + side))[0])
        if share > max(self.left, 0.004):
            return False
        self.left -= share
        self.taken.append((x, z, radius))
        self.mesh.add(part, at=(x, 0.02, z), yaw_deg=math.degrees(yaw), instance=self.free if counted else 0)
        self.free += int(counted)
        return True


def place_machines(mesh: Mesh, project: Project, plot: Plot, day: float, houses: Floats, fixed: np.random.Generator,
                   shot: np.random.Generator, first_instance: int) -> int:  # fmt: skip
    """Everything on wheels or tracks and what stands stacked; `houses` [n, 3] are x, z, radius; returns the next free instance number."""
    yard = _Yard(
        mesh, plot, shot, first_instance, float(shot.choice(_HIDES)), [tuple(row) for row in houses.tolist()]
    )
    done = float(project.zone_stages(day).mean())
    if 0.02 < done < 6.9:
        _cabins(yard, fixed, new=project.track == "new")
        _fleet(yard, project, day, done)
        _stacks(yard, project)
    _street(yard, project)
    if project.track == "reno":
        _bays(yard, project)
    return yard.free


def _cabins(yard: _Yard, fixed: np.random.Generator, *, new: bool) -> None:
    """Site offices stay where they are; they keep to a side or the back."""
    columns, storeys, colour = (
        int(fixed.integers(1, 4 if new else 2)),
        int(fixed.integers(1, 4 if new else 2)),
        int(fixed.integers(5)),
    )
    x0, z0, x1, z1 = yard.plot.site
    radius = columns * 3.05
    for _ in range(4):
        x, z, yaw = ((float(fixed.uniform(x0 + radius, x1 - radius)), z0 + 2.5, 0.0), (x0 + 2.4, float(fixed.uniform(z0 + radius, max(z1 - radius, z0 + radius + 1))), math.pi / 2),
                     (x1 - 2.4, float(fixed.uniform(z0 + radius, max(z1 - radius, z0 + radius + 1))), -math.pi / 2))[int(fixed.integers(3))]  # fmt: skip
        if yard.put(
            stacks.cabins(columns, storeys, colour),
            x,
            z,
            yaw,
            min(radius, 4.0),
            storeys * 2.75,
            counted=False,
        ):
            return


def _fleet(yard: _Yard, project: Project, day: float, done: float) -> None:
    rng, split = yard.rng, project.split
    names = sorted(VEHICLES[split])
    kinds = (
        (_EARLY if done < 1.6 else _SHELL if done < 4.2 else _FINISH)
        if project.track == "new"
        else ("van", "van", "telehandler", "platform", "flatbed", "mini_digger")
    )
    built_m = project.storey_m * float((project.zone_stages(day).max(axis=1) > 2.0).sum())
    wanted = int(rng.integers(1, 6) if project.track == "new" else rng.integers(0, 3))
    x0, z0, x1, z1 = yard.plot.site
    for _ in range(wanted * 5):
        if wanted == 0:
            return
        kind = str(rng.choice(kinds))
        colours = VEHICLES[split][str(rng.choice(names))]
        rgb = toned(
            np.round(np.array(colours[int(rng.integers(len(colours)))]) * rng.uniform(0.92, 1.04) / 6) * 6
        )
        x = float(rng.uniform(x0 + 2, x1 - 2))
        z = float(rng.uniform(2.5, z1 - 1.5) if rng.random() < 0.75 else rng.uniform(z0 + 2, 2.5))
        along = float(rng.choice([math.pi / 2, -math.pi / 2]) + rng.normal(0, 0.35))
        yaw = along if rng.random() < 0.7 else float(rng.uniform(-math.pi, math.pi))
        wanted -= int(_one(yard, project, kind, rgb, (x, z, yaw), built_m))


def _one(
    yard: _Yard, project: Project, kind: str, rgb: Rgb, place: tuple[float, float, float], built_m: float
) -> bool:
    """One machine or lorry, its arm turned away from the house; a pump's boom goes to it, and over it."""
    (x, z, yaw), rng = place, yard.rng
    if kind not in diggers.RADIUS_M:
        load = _LOADS[int(rng.integers(len(_LOADS)))]
        return yard.put(vehicle(kind, rgb, load), x, z, yaw, LENGTH_M[kind] * 0.42, 2.9, reach=5.0)
    if kind == "pump":
        yaw = math.atan2(project.width_m / 2 - x, -4 - z)
    elif _arm_meets_house(yard.plot, x, z, yaw):
        yaw += math.pi
        if _arm_meets_house(yard.plot, x, z, yaw):
            return False
    part = diggers.machine(kind, rgb, rng, over_m=built_m)
    return yard.put(part, x, z, yaw, diggers.RADIUS_M[kind] * 0.7, 3.2, reach=10.0)


def _arm_meets_house(plot: Plot, x: float, z: float, yaw: float) -> bool:
    out = np.linspace(2.0, 8.0, 4)
    return bool(touches(grown(plot.house, CLEAR_M), x + np.sin(yaw) * out, z + np.cos(yaw) * out, 1.3).any())


def _stacks(yard: _Yard, project: Project) -> None:
    rng = yard.rng
    x0, z0, x1, z1 = yard.plot.site
    wanted = int(rng.integers(3, 14) if project.track == "new" else rng.integers(0, 8))
    for _ in range(wanted * 2):
        kind = str(rng.choice(_STACKS[project.track]))
        x = float(rng.uniform(x0 + 1.5, x1 - 1.5))
        z = float(rng.uniform(2.2, z1 - 1.2)) if rng.random() < 0.7 else float(rng.uniform(z0 + 1.5, 2.2))
        yaw = float(rng.choice([0, math.pi / 2]) + rng.normal(0, 0.15))
        radius = stacks.RADIUS_M[kind] * 0.75
        if seen(yard.plot, x, z, radius).item():
            wanted -= int(yard.put(stacks.stack(kind, rng), x, z, yaw, radius, 1.6, counted=False))
        if wanted <= 0:
            return


def _car(rng: np.random.Generator, project: Project) -> tuple[Mesh, str]:
    names = sorted(CARS[project.split])
    r, g, b = CARS[project.split][str(rng.choice(names))]
    gain = float(rng.choice([0.8, 0.9, 1.0, 1.08]))
    kind = str(rng.choice(["car", "car", "car", "estate", "estate", "van"]))
    rgb = (
        (230.0, 230.0, 228.0)
        if kind == "van" and rng.random() < 0.7
        else (min(r * gain, 245.0), min(g * gain, 245.0), min(b * gain, 245.0))
    )
    return vehicle(kind, rgb), kind


def _street(yard: _Yard, project: Project) -> None:
    """Cars at both kerbs and in the lane, some traffic between them."""
    rng, plot = yard.rng, yard.plot
    z0, z1 = plot.street[1], plot.street[3]
    yard.left = 0.05
    share = float(rng.uniform(0.05, 0.8))
    for z, yaw in ((z0 + 1.15, math.pi / 2), (z1 - 1.15, -math.pi / 2)):
        for x in np.arange(plot.site[0] - 60, plot.site[2] + 60, 5.6):
            if (
                rng.random() < share
                and not plot.lane[0] - 7 < x < plot.lane[2] + 7
                and seen(plot, x, z, 2).item()
            ):
                part, kind = _car(rng, project)
                yard.put(
                    part,
                    float(x + rng.normal(0, 0.25)),
                    z,
                    yaw + (math.pi if rng.random() < 0.15 else 0.0),
                    LENGTH_M[kind] * 0.45,
                    1.5,
                )
    for _ in range(int(rng.integers(0, 6))):
        part, kind = (
            _car(rng, project)
            if rng.random() < 0.8
            else (
                vehicle(k := str(rng.choice(["bus", "box", "tipper"])), (200.0, 60.0, 50.0), (226, 226, 222)),
                k,
            )
        )
        near = rng.random() < 0.5
        yard.put(
            part,
            float(rng.uniform(-90, 110)),
            z0 + 3.3 if near else z1 - 3.3,
            math.pi / 2 if near else -math.pi / 2,
            LENGTH_M[kind] * 0.5,
            2.0,
        )
    for _ in range(int(rng.integers(0, 4))):  # car parks across the street and beside it
        x0, z = (
            float(rng.uniform(plot.site[0] - 40, plot.site[2] + 20)),
            float(rng.choice([z1 + plot.pavement_m + rng.uniform(4, 40), plot.site[1] - rng.uniform(5, 60)])),
        )
        for x in x0 + 2.6 * np.arange(int(rng.integers(2, 9))):
            if rng.random() < 0.7 and seen(plot, x, z, 2).item() and not _in_house(yard, float(x), z):
                part, kind = _car(rng, project)
                yard.put(
                    part, float(x), z + float(rng.normal(0, 0.2)), float(rng.choice([0, math.pi])), 1.25, 1.5
                )
    x = plot.lane[2] - 1.1
    for z in np.arange(plot.site[1] - 50, plot.street[1] - 8, 6.0):
        if rng.random() < share * 0.6 and seen(plot, x, z, 2).item():
            part, kind = _car(rng, project)
            yard.put(
                part, float(x), float(z), 0.0 if rng.random() < 0.5 else math.pi, LENGTH_M[kind] * 0.45, 1.5
            )


def _in_house(yard: _Yard, x: float, z: float) -> bool:
    return any(math.hypot(x - hx, z - hz) < radius + 2 for hx, hz, radius in yard.houses)


def _bays(yard: _Yard, project: Project) -> None:
    """Residents' cars before the house."""
    rng = yard.rng
    x0, _, x1, z1 = yard.plot.site
    yard.left = 0.06
    z = float(np.clip(z1 - 3.2, 4.2, 12))
    for x in np.arange(x0 + 2.2, x1 - 2, 2.55):
        if rng.random() < 0.4:
            part, kind = _car(rng, project)
            yard.put(
                part,
                float(x),
                z + float(rng.normal(0, 0.15)),
                float(rng.choice([0, math.pi])),
                1.2 if kind != "van" else 1.3,
                1.5,
            )
