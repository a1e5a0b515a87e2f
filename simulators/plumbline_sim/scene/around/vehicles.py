"""Cars, vans, buses and lorries, in local axes: front along +z."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from plumbline_sim.scene.around.kit import DARK, PANE, STEEL, Kit, Rgb
from plumbline_sim.scene.mesh import Mesh, Pattern

LENGTH_M: Final = {
    "car": 4.4,
    "estate": 4.7,
    "van": 5.6,
    "bus": 11.5,
    "tipper": 8.2,
    "flatbed": 9.5,
    "mixer": 8.8,
    "box": 8.6,
}
_LAMP: Final[Rgb] = (236, 232, 214)
_REAR: Final[Rgb] = (150, 26, 24)


@lru_cache(maxsize=128)
def vehicle(kind: str, rgb: Rgb, load: Rgb = (150, 120, 90)) -> Mesh:
    """The vehicle of this kind, painted `rgb`; `load` is what it carries or its body's colour."""
    kit = Kit()
    if kind in {"car", "estate"}:
        _car(kit, rgb, estate=kind == "estate")
    elif kind == "van":
        _van(kit, rgb)
    elif kind == "bus":
        _bus(kit, rgb)
    else:
        _lorry(kit, kind, rgb, load)
    return kit.mesh().joined()


def _car(kit: Kit, rgb: Rgb, *, estate: bool) -> None:
    half = LENGTH_M["estate" if estate else "car"] / 2
    kit.bar((0, 0.28, 0), (0, 0.62, 0), (1.72, 2 * half), (1.8, 2 * half), rgb)
    kit.bar((0, 0.62, 0), (0, 0.88, 0), (1.8, 2 * half), (1.66, 2 * half - 0.3), rgb)
    back = -half + (0.15 if estate else 0.6)
    middle, long = (back + half - 1.15) / 2, half - 1.15 - back
    kit.bar((0, 0.87, middle), (0, 1.38, middle), (1.62, long), (1.34, long - (0.8 if estate else 1.1)), PANE)
    kit.bar(
        (0, 1.37, middle),
        (0, 1.46, middle),
        (1.38, long - (0.74 if estate else 1.02)),
        (1.26, long - 1.2),
        rgb,
    )
    for x in (-0.74, 0.74):  # the pillar between the doors
        kit.bar((x, 0.87, middle), (x * 0.9, 1.4, middle), (0.12, 0.14), None, rgb)
    for x in (-0.66, 0.66):
        kit.box((x - 0.2, 0.55, half - 0.1), (x + 0.2, 0.7, half + 0.02), _LAMP)
        kit.box((x - 0.2, 0.6, -half - 0.02), (x + 0.2, 0.75, -half + 0.1), _REAR)
    kit.box((-0.8, 0.3, half - 0.05), (0.8, 0.5, half + 0.03), DARK)
    for x in (-0.78, 0.78):
        kit.wheel(x, half - 0.9, 0.32, 0.22).wheel(x, -half + 0.85, 0.32, 0.22)


def _van(kit: Kit, rgb: Rgb) -> None:
    kit.box((-0.98, 0.35, -2.8), (0.98, 2.45, 1.3), rgb)
    kit.bar((0, 0.35, 1.98), (0, 1.15, 1.98), (1.94, 1.5), (1.92, 1.35), rgb)
    kit.bar((0, 1.15, 1.75), (0, 2.35, 1.5), (1.84, 1.3), (1.7, 0.5), PANE)
    kit.box((-0.9, 0.35, 2.68), (0.9, 0.6, 2.78), DARK)
    for x in (-0.7, 0.7):
        kit.box((x - 0.16, 0.75, 2.62), (x + 0.16, 0.95, 2.7), _LAMP)
        kit.box((x - 0.14, 0.8, -2.84), (x + 0.14, 1.3, -2.78), _REAR)
    for x in (-0.9, 0.9):
        kit.wheel(x, 1.8, 0.36).wheel(x, -1.8, 0.36)


def _bus(kit: Kit, rgb: Rgb) -> None:
    kit.box((-1.25, 0.35, -5.75), (1.25, 1.35, 5.75), rgb).box((-1.24, 1.35, -5.6), (1.24, 2.45, 5.72), PANE)
    kit.box((-1.25, 2.45, -5.75), (1.25, 3.0, 5.75), rgb).box((-0.8, 3.0, -4), (0.8, 3.2, 0), (220, 220, 220))
    for z in (-4.6, -2.4, 0.2, 2.6):
        kit.box((-1.26, 1.35, z), (1.26, 2.45, z + 0.18), rgb)
    for x in (-1.1, 1.1):
        kit.wheel(x, 3.4, 0.48).wheel(x, -3.0, 0.48)


def _lorry(kit: Kit, kind: str, rgb: Rgb, load: Rgb) -> None:
    half = LENGTH_M[kind] / 2
    cab = half - 1.9
    kit.box((-1.2, 0.75, cab), (1.2, 1.75, half), rgb).bar(
        (0, 1.7, (cab + half) / 2), (0, 2.85, (cab + half) / 2 - 0.08), (2.4, 1.9), (2.3, 1.65), rgb
    )
    kit.box((-1.1, 1.85, half - 0.16), (1.1, 2.6, half + 0.02), PANE).box(
        (-1.23, 1.8, half - 1.0), (1.23, 2.5, half - 0.3), PANE
    )
    kit.box((-1.2, 0.4, half - 0.2), (1.2, 0.8, half + 0.08), DARK).box(
        (-0.95, 0.35, half - 0.1), (-0.55, 0.65, half + 0.1), _LAMP
    )
    kit.box((0.55, 0.35, half - 0.1), (0.95, 0.65, half + 0.1), _LAMP)
    kit.box((-0.5, 0.7, -half), (0.5, 1.0, cab), DARK)
    back, front = -half, cab - 0.25
    if kind == "tipper":
        kit.bar(
            (0, 1.1, (back + front) / 2),
            (0, 2.5, (back + front) / 2),
            (2.1, front - back - 0.5),
            (2.5, front - back),
            load if sum(load) > 500 else rgb,
        )
        kit.bar(
            (0, 2.4, (back + front) / 2),
            (0, 2.85, (back + front) / 2),
            (2.3, front - back - 0.4),
            (0.9, 2.2),
            (128, 106, 80),
            Pattern.SOIL,
            0.5,
        )
    elif kind == "flatbed":
        kit.box((-1.25, 1.05, back), (1.25, 1.25, front), STEEL)
        for z in range(3):
            kit.box(
                (-1.0, 1.25, back + 0.4 + z * 1.9),
                (1.0, 1.25 + (1.1, 0.6, 1.4)[z], back + 2.0 + z * 1.9),
                load,
                Pattern.COURSED,
                0.3,
            )
    elif kind == "mixer":
        kit.box((-1.15, 0.95, back), (1.15, 1.2, front), DARK)
        kit.round((0, 2.0, front - 0.2), (0, 2.35, front - 2.2), 1.3, 2.35, load).round(
            (0, 2.35, front - 2.2), (0, 2.75, back + 0.5), 2.35, 1.0, load
        )
        kit.round((0, 2.33, front - 2.0), (0, 2.4, front - 2.5), 2.39, 2.39, rgb)
        kit.bar((0, 3.3, back + 0.5), (0, 2.5, back + 0.1), (0.9, 0.9), (0.5, 0.5), STEEL).bar(
            (0, 1.9, back + 0.2), (0.2, 0.9, back - 1.0), (0.4, 0.2), None, STEEL
        )
    else:
        kit.box((-1.25, 1.05, back), (1.25, 3.5, front), load)
    axles = (half - 1.3, back + 1.1, back + 2.4)
    for x in (-1.02, 1.02):
        for axle in axles:
            kit.wheel(x, axle, 0.5, 0.36)
