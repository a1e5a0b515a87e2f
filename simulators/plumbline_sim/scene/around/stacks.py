"""What stands about on a site: cabins in rows and storeys, containers, skips, pallets, bundles, silos, toilets."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np

from plumbline_sim.scene.around.kit import DARK, PANE, STEEL, Kit, Rgb
from plumbline_sim.scene.around.solids import toned
from plumbline_sim.scene.mesh import Mesh, Pattern

RADIUS_M: Final = {"container": 3.3, "skip": 2.2, "blocks": 1.6, "boards": 2.0, "rebar": 4.2, "formwork": 2.2, "silo": 1.6, "toilet": 0.9, "pipes": 3.0,
                   "timber": 2.2, "tubes": 3.2, "bags": 1.2}  # fmt: skip
_CABINS: Final[tuple[Rgb, ...]] = (
    (222, 222, 216),
    (196, 200, 202),
    (74, 104, 140),
    (210, 190, 140),
    (120, 132, 124),
)
_BOXES: Final[tuple[Rgb, ...]] = ((34, 74, 120), (150, 60, 44), (62, 96, 74), (180, 182, 180), (196, 130, 50))


@lru_cache(maxsize=32)
def cabins(columns: int, storeys: int, colour: int) -> Mesh:
    """Site offices side by side along x, doors to +z, a stair at the end of the upper storey."""
    kit, rgb = Kit(), _CABINS[colour % len(_CABINS)]
    for floor in range(storeys):
        y = floor * 2.75
        for column in range(columns):
            x = (column - columns / 2) * 6.1
            kit.box((x + 0.05, y + 0.12, -1.22), (x + 6.05, y + 2.7, 1.22), rgb, Pattern.RIBBED, 0.25)
            for edge in (x + 0.05, x + 5.93):
                kit.box((edge, y + 0.1, 1.14), (edge + 0.12, y + 2.72, 1.25), DARK)
            kit.box((x + 0.05, y + 2.58, 1.14), (x + 6.05, y + 2.72, 1.26), DARK)
            kit.box((x + 0.7, y + 0.2, 1.2), (x + 1.6, y + 2.25, 1.27), (120, 124, 128)).box(
                (x + 2.3, y + 1.0, 1.2), (x + 3.6, y + 2.1, 1.27), PANE
            )
            kit.box((x + 4.2, y + 1.0, 1.2), (x + 5.5, y + 2.1, 1.27), PANE)
        if floor:
            wide = columns * 3.05
            kit.box((-wide, y - 0.05, 1.25), (wide, y + 0.05, 2.3), STEEL)
            for rail in (y + 0.55, y + 1.05):
                kit.bar((-wide, rail, 2.3), (wide, rail, 2.3), (0.05, 0.05), None, (226, 180, 50))
            kit.bar((wide, y, 1.8), (wide + 2.6, y - 2.7, 1.8), (0.9, 0.12), None, STEEL)
    return kit.mesh()


def stack(kind: str, rng: np.random.Generator) -> Mesh:
    """One stack of this kind."""
    kit = Kit()
    _MAKERS[kind](kit, rng)
    return kit.mesh()


def _wood(rng: np.random.Generator) -> Rgb:
    return toned((170, 134, 92), float(rng.uniform(0.85, 1.12)))


def _one_of(rng: np.random.Generator, colours: tuple[Rgb, ...]) -> Rgb:
    return colours[int(rng.integers(len(colours)))]


def _container(kit: Kit, rng: np.random.Generator) -> None:
    kit.box((-3.0, 0.05, -1.22), (3.0, 2.6, 1.22), _one_of(rng, _BOXES), Pattern.RIBBED, 0.28)
    kit.box((2.98, 0.1, -1.15), (3.04, 2.5, 1.15), DARK)


def _skip(kit: Kit, rng: np.random.Generator) -> None:
    rgb = _one_of(rng, ((226, 170, 40), (60, 96, 70), (50, 84, 130), (150, 54, 44)))
    kit.bar((0, 0.1, 0), (0, 1.5, 0), (1.5, 2.0), (1.8, 3.6), rgb)
    kit.bar((0, 1.45, 0), (0, 1.8, 0), (1.5, 3.1), (0.5, 1.4), (130, 112, 92), Pattern.SOIL, 0.4)


def _blocks(kit: Kit, rng: np.random.Generator) -> None:
    rgb, wood = _one_of(rng, ((214, 214, 208), (172, 96, 70), (150, 150, 148), (196, 130, 84))), _wood(rng)
    for i in range(int(rng.integers(1, 4))):
        x, high = i * 1.3 - 1.5, 0.15 + float(rng.choice([0.6, 1.2, 1.2]))
        kit.box((x, 0, -0.5), (x + 1.0, 0.14, 0.5), wood)
        kit.box((x, 0.14, -0.5), (x + 1.0, high, 0.5), rgb, Pattern.COURSED, 0.3)


def _boards(kit: Kit, rng: np.random.Generator) -> None:
    """Insulation in packs."""
    rgb = _one_of(rng, ((242, 242, 240), (150, 150, 150), (220, 196, 90), (206, 170, 120)))
    for i in range(int(rng.integers(1, 5))):
        x, y = i % 2 * 1.3 - 1.2, i // 2 * 1.25 + 0.1
        kit.box((x, y, -0.55), (x + 1.2, y + 1.2, 0.55), rgb, Pattern.WOOD, 0.2)


def _rebar(kit: Kit, rng: np.random.Generator) -> None:
    rust = toned((118, 76, 54), float(rng.uniform(0.85, 1.12)))
    for i in range(int(rng.integers(2, 6))):
        x = i * 0.55 - 1
        kit.bar(
            (x, 0.3, -4.0),
            (x + float(rng.normal(0, 0.2)), 0.3, 4.0),
            (0.35, 0.25),
            None,
            rust,
            facing=(0, 1, 0),
        )
    for z in (-2.5, 0.0, 2.5):
        kit.box((-1.3, 0, z - 0.08), (1.8, 0.17, z + 0.08), _wood(rng))


def _formwork(kit: Kit, rng: np.random.Generator) -> None:
    for i in range(int(rng.integers(3, 9))):
        y = 0.1 + i * 0.2
        kit.box(
            (-1.4, y, -0.9 + float(rng.normal(0, 0.05))),
            (1.4, y + 0.17, 0.9),
            (216, 172, 52) if i % 3 else DARK,
        )


def _silo(kit: Kit, rng: np.random.Generator) -> None:
    """A mortar silo on four legs."""
    rgb = toned((222, 222, 216), float(rng.uniform(0.9, 1.05)))
    kit.round((0, 3.0, 0), (0, 6.6, 0), 2.4, 2.4, rgb, (0, 0, 1))
    kit.round((0, 1.2, 0), (0, 3.0, 0), 0.5, 2.4, rgb, (0, 0, 1))
    for x in (-1, 1):
        for z in (-1, 1):
            kit.bar((x * 1.2, 0, z * 1.2), (x * 0.95, 3.4, z * 0.95), (0.16, 0.16), None, STEEL)


def _toilet(kit: Kit, rng: np.random.Generator) -> None:
    kit.box(
        (-0.55, 0.05, -0.55), (0.55, 2.15, 0.55), _one_of(rng, ((36, 92, 150), (60, 120, 80), (40, 60, 110)))
    )
    kit.box((-0.6, 2.15, -0.6), (0.6, 2.35, 0.6), (222, 222, 220))


def _pipes(kit: Kit, rng: np.random.Generator) -> None:
    _tubes(kit, rng, 0.35, (226, 120, 50) if rng.random() < 0.5 else (160, 160, 156))


def _tubes(kit: Kit, rng: np.random.Generator, wide: float = 0.16, rgb: Rgb = (160, 160, 156)) -> None:
    """A pile of tubes that narrows upwards."""
    for row in range(int(rng.integers(2, 5))):
        for i in range(5 - row):
            x, y = (i + row / 2 - 2) * wide, wide / 2 + row * wide * 0.87
            kit.bar((x, y, -2.6), (x, y, 2.6), (wide * 0.9, wide * 0.9), None, rgb, facing=(0, 1, 0))


def _timber(kit: Kit, rng: np.random.Generator) -> None:
    wood = _wood(rng)
    for i in range(int(rng.integers(2, 6))):
        y = 0.15 + i * 0.22
        kit.bar((-2.0, y, 0), (2.0, y, 0), (0.18, 1.0 - 0.06 * i), None, wood, Pattern.WOOD, 0.2)


def _bags(kit: Kit, rng: np.random.Generator) -> None:
    rgb = toned((206, 200, 186), float(rng.uniform(0.85, 1.1)))
    for i in range(int(rng.integers(1, 4))):
        kit.box((-0.6, 0.1 + i * 0.35, -0.5), (0.6, 0.42 + i * 0.35, 0.5), rgb)


_MAKERS: Final[dict[str, Callable[[Kit, np.random.Generator], None]]] = {
    "container": _container, "skip": _skip, "blocks": _blocks, "boards": _boards, "rebar": _rebar, "formwork": _formwork,
    "silo": _silo, "toilet": _toilet, "pipes": _pipes, "tubes": _tubes, "timber": _timber, "bags": _bags,
}  # fmt: skip
