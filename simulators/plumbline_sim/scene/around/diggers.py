"""Machines of a site in local axes, front along +z: excavators, telehandlers, loaders, rollers, concrete pumps."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from plumbline_sim.scene.around.kit import DARK, PANE, STEEL, Kit, Rgb
from plumbline_sim.scene.mesh import Mesh

RADIUS_M: Final = {
    "excavator": 4.0,
    "mini_digger": 2.2,
    "telehandler": 3.4,
    "loader": 3.6,
    "roller": 2.6,
    "pump": 5.4,
    "platform": 1.8,
}


_PUMP_OVER_M: Final = 11.0
"""A boom of this many arms cannot pass over more."""


def machine(kind: str, rgb: Rgb, rng: np.random.Generator, *, over_m: float = 0.0) -> Mesh:
    """The machine of this kind in a pose of its own; a pump's boom goes no lower than `over_m` where it reaches out."""
    kit = Kit()
    if kind == "pump":
        _pump(kit, rgb, rng, over_m)
        return kit.mesh()
    {"excavator": _excavator, "mini_digger": _mini, "telehandler": _telehandler, "loader": _loader, "roller": _roller, "platform": _platform}[kind](kit, rgb, rng)  # fmt: skip
    return kit.mesh()


def _excavator(kit: Kit, rgb: Rgb, rng: np.random.Generator, size: float = 1.0) -> None:
    s = size
    for x in (-1.15 * s, 1.15 * s):
        kit.bar(
            (x, 0.5 * s, -1.9 * s), (x, 0.5 * s, 1.9 * s), (0.6 * s, 0.95 * s), None, DARK, facing=(0, 1, 0)
        )
    kit.box((-0.8 * s, 0.5 * s, -0.8 * s), (0.8 * s, 1.1 * s, 0.8 * s), DARK)
    kit.box((-1.35 * s, 1.1 * s, -2.4 * s), (1.35 * s, 2.1 * s, 0.9 * s), rgb).box(
        (-1.35 * s, 1.1 * s, -2.8 * s), (1.35 * s, 2.2 * s, -2.0 * s), DARK
    )
    kit.bar(
        (-0.85 * s, 1.2 * s, 0.75 * s),
        (-0.85 * s, 3.0 * s, 0.6 * s),
        (0.95 * s, 1.5 * s),
        (0.9 * s, 1.2 * s),
        PANE,
    )
    kit.box((-1.32 * s, 2.95 * s, -0.05 * s), (-0.38 * s, 3.08 * s, 1.25 * s), rgb)
    rise, fold = float(rng.uniform(0.3, 1.0)), float(rng.uniform(-1.5, -0.5))
    knee = np.array([0.25 * s, 1.5 * s + 4.9 * s * math.sin(rise), 0.7 * s + 4.9 * s * math.cos(rise)])
    mid = np.array(
        [0.25 * s, 1.5 * s + 3.0 * s * math.sin(rise + 0.25), 0.7 * s + 3.0 * s * math.cos(rise + 0.25)]
    )
    tip = knee + np.array([0, math.sin(fold), math.cos(fold) * 0.75]) * 2.7 * s
    tip[1] = max(tip[1], 0.7 * s)
    kit.bar((0.25 * s, 1.6 * s, 0.7 * s), mid, (0.42 * s, 0.55 * s), (0.4 * s, 0.65 * s), rgb).bar(
        mid, knee, (0.4 * s, 0.65 * s), (0.34 * s, 0.4 * s), rgb
    )
    kit.bar(np.add(knee, (0, 0.3 * s, -0.2 * s)), tip, (0.32 * s, 0.5 * s), (0.26 * s, 0.28 * s), rgb)
    kit.bar(
        (0.25 * s, 1.4 * s, 1.0 * s), (mid + knee) / 2 - [0, 0.5 * s, 0], (0.16 * s, 0.16 * s), None, STEEL
    )
    kit.bar(tip, tip + np.array([0, -0.8 * s, -0.4 * s]), (1.1 * s, 0.5 * s), (1.1 * s, 0.9 * s), DARK)


def _mini(kit: Kit, rgb: Rgb, rng: np.random.Generator) -> None:
    _excavator(kit, rgb, rng, 0.55)


def _telehandler(kit: Kit, rgb: Rgb, rng: np.random.Generator) -> None:
    kit.box((-0.95, 0.7, -2.3), (0.95, 1.5, 2.0), rgb).box((0.15, 1.2, -1.2), (1.05, 1.8, 1.2), rgb)
    kit.bar((-0.6, 1.3, 0.1), (-0.6, 2.45, 0.0), (0.95, 1.6), (0.9, 1.2), PANE).box(
        (-1.08, 2.4, -0.65), (-0.12, 2.52, 0.7), DARK
    )
    rise, reach = float(rng.choice([0.05, 0.15, 0.6, 0.95])), float(rng.uniform(3.6, 8.0))
    tip = np.array([0.3, 1.9 + reach * math.sin(rise), -1.9 + (reach + 1.6) * math.cos(rise)])
    half = (np.array([0.3, 1.9, -2.0]) + tip) / 2
    kit.bar((0.3, 1.9, -2.0), half, (0.4, 0.5), None, rgb).bar(half, tip, (0.3, 0.38), None, DARK)
    kit.box((-0.3, tip[1] - 0.9, tip[2]), (0.9, tip[1] + 0.1, tip[2] + 0.1), DARK)
    for x in (-0.1, 0.6):
        kit.box((x, tip[1] - 0.9, tip[2]), (x + 0.12, tip[1] - 0.82, tip[2] + 1.2), DARK)
    if rng.random() < 0.6:
        kit.box((-0.3, tip[1] - 0.8, tip[2] + 0.1), (0.9, tip[1] + 0.1, tip[2] + 1.2), (186, 170, 140))
    for x in (-0.95, 0.95):
        kit.wheel(x, 1.4, 0.6, 0.4).wheel(x, -1.5, 0.6, 0.4)


def _loader(kit: Kit, rgb: Rgb, rng: np.random.Generator) -> None:
    kit.box((-1.1, 0.8, -3.0), (1.1, 2.0, -0.4), rgb).box((-0.8, 0.7, -0.4), (0.8, 1.3, 1.6), rgb)
    kit.bar((0, 1.8, -0.6), (0, 3.2, -0.7), (1.4, 1.5), (1.3, 1.3), PANE).box(
        (-0.7, 3.15, -1.4), (0.7, 3.3, 0.0), rgb
    )
    lift = float(rng.uniform(0.3, 2.2))
    for x in (-0.6, 0.6):
        kit.bar((x, 1.6, 0.6), (x, lift + 0.3, 3.0), (0.2, 0.4), None, rgb)
    kit.bar((0, lift, 3.0), (0, lift + 0.3, 3.9), (2.7, 0.9), (2.7, 0.3), DARK)
    for x in (-1.1, 1.1):
        kit.wheel(x, 1.4, 0.75, 0.55).wheel(x, -1.9, 0.75, 0.55)


def _roller(kit: Kit, rgb: Rgb, rng: np.random.Generator) -> None:
    kit.round((-0.95, 0.65, 1.3), (0.95, 0.65, 1.3), 1.3, 1.3, STEEL).box(
        (-1.05, 0.6, 0.4), (1.05, 1.0, 2.1), rgb
    )
    kit.box((-0.9, 0.7, -2.1), (0.9, 1.7, 0.2), rgb).box((-0.7, 1.7, -0.9), (0.7, 2.7, 0.3), PANE).box(
        (-0.8, 2.7, -1.0), (0.8, 2.85, 0.4), rgb
    )
    for x in (-0.8, 0.8):
        kit.wheel(x, -1.2, 0.65, 0.5)
    kit.box((-0.1, 2.85, -0.4), (0.1, 3.05 + float(rng.uniform(0, 0.1)), -0.2), (250, 160, 30))


def _pump(kit: Kit, rgb: Rgb, rng: np.random.Generator, over_m: float) -> None:
    """A concrete pump on its outriggers, the boom in four arms, folded or reaching out to the front."""
    kit.box((-1.2, 0.75, 3.3), (1.2, 2.85, 5.2), rgb).box((-1.1, 1.8, 5.1), (1.1, 2.6, 5.23), PANE).box(
        (-1.22, 1.8, 4.2), (1.22, 2.5, 4.9), PANE
    )
    kit.box((-1.15, 0.8, -5.2), (1.15, 1.3, 3.2), DARK).box(
        (-1.0, 1.3, -3.5), (1.0, 1.9, 1.0), (220, 220, 216)
    ).box((-0.9, 1.2, -5.6), (0.9, 2.0, -4.4), DARK)
    for side in (-1.0, 1.0):
        for z in (2.6, -3.6):
            kit.bar((side, 1.2, z), (side * 2.9, 0.9, z + (1.2 if z > 0 else -0.8)), (0.3, 0.3), None, rgb)
            kit.box(
                (side * 2.9 - 0.3, 0, z + (0.9 if z > 0 else -1.1)),
                (side * 2.9 + 0.3, 0.9, z + (1.5 if z > 0 else -0.5)),
                DARK,
            )
    for x in (-1.0, 1.0):
        kit.wheel(x, 4.2, 0.5, 0.36).wheel(x, -2.6, 0.5, 0.36).wheel(x, -1.4, 0.5, 0.36)
    at = np.array([0.0, 2.6, 2.4])
    kit.box((-0.6, 1.3, 1.9), (0.6, 2.8, 2.9), rgb)
    folded = over_m > _PUMP_OVER_M or rng.random() < 0.25
    low = over_m < 3.0  # a foundation is filled from just above, a slab from high up
    angles = (
        (math.pi - 0.1, 0.1, math.pi - 0.06, 0.12)
        if folded
        else (1.25, 0.35, -0.35, -1.0)
        if low
        else (1.4, 0.8, 0.05, -0.4)
    )
    for number, (angle, long) in enumerate(zip(angles, (9.0, 8.0, 7.5, 6.5), strict=True)):
        bent = angle + float(rng.normal(0, 0.05))
        tip = at + np.array([0, math.sin(bent), math.cos(bent)]) * long
        tip[1] = max(tip[1], 3.0)
        wide = 0.5 - 0.08 * number
        kit.bar(at, tip, (wide, wide), (wide * 0.8, wide * 0.8), (232, 232, 228) if number % 2 else rgb)
        at = tip
    kit.bar(at, at - [0, min(3.0, at[1] - 0.3, max(at[1] - over_m - 2.0, 0.3)), 0], (0.18, 0.18), None, DARK)


def _platform(kit: Kit, rgb: Rgb, rng: np.random.Generator) -> None:
    """A scissor lift with its basket up."""
    up = float(rng.uniform(1.5, 7.0))
    kit.box((-0.6, 0.3, -1.2), (0.6, 0.9, 1.2), rgb)
    steps = max(2, round(up / 1.2))
    for i in range(steps):
        low, high = 0.9 + up * i / steps, 0.9 + up * (i + 1) / steps
        for x in (-0.45, 0.45):
            kit.bar((x, low, -1.0), (x, high, 1.0), (0.09, 0.12), None, DARK).bar(
                (x, low, 1.0), (x, high, -1.0), (0.09, 0.12), None, DARK
            )
    top = 0.9 + up
    kit.box((-0.6, top, -1.3), (0.6, top + 0.15, 1.3), rgb)
    for x in (-0.58, 0.58):
        kit.bar((x, top + 1.1, -1.3), (x, top + 1.1, 1.3), (0.06, 0.06), None, rgb)
        for post in (-1.28, 0.0, 1.28):
            kit.bar((x, top, post), (x, top + 1.1, post), (0.06, 0.06), None, rgb)
    for x in (-0.55, 0.55):
        kit.wheel(x, 0.85, 0.3, 0.2).wheel(x, -0.85, 0.3, 0.2)
