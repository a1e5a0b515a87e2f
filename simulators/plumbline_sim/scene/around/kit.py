"""Small things out of boxes, bars and wheels, collected with their colours and turned into one mesh."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.around.solids import bars
from plumbline_sim.scene.mesh import Mesh, Pattern, Surface

Rgb = tuple[float, float, float]
Point = tuple[float, float, float]
MACHINE: Final = AUX_CLASSES.index("machine_vehicle")
TYRE: Final[Rgb] = (34, 34, 36)
PANE: Final[Rgb] = (34, 42, 50)
STEEL: Final[Rgb] = (120, 122, 124)
DARK: Final[Rgb] = (52, 54, 56)


@dataclass(slots=True)
class Kit:
    """Parts of one machine; its front looks along +z, its wheels stand on y = 0."""

    _parts: dict[tuple[Pattern, float], list[tuple[float, ...]]] = field(default_factory=dict)

    def box(
        self, low: Point, high: Point, rgb: Rgb, pattern: Pattern = Pattern.METAL, unit: float = 1.0
    ) -> Self:
        """An upright box."""
        x, z = (low[0] + high[0]) / 2, (low[2] + high[2]) / 2
        return self.bar(
            (x, low[1], z), (x, high[1], z), (high[0] - low[0], high[2] - low[2]), None, rgb, pattern, unit
        )

    def bar(self, start: ArrayLike, end: ArrayLike, thick: tuple[float, float], tip: tuple[float, float] | None, rgb: Rgb,
            pattern: Pattern = Pattern.METAL, unit: float = 1.0, facing: Point = (0.0, 0.0, 1.0)) -> Self:  # fmt: skip
        """A bar that may taper to `tip`; see `solids.bars`."""
        row = (
            *np.asarray(start, float).tolist(),
            *np.asarray(end, float).tolist(),
            *thick,
            *(tip or thick),
            *facing,
            *rgb,
        )
        self._parts.setdefault((pattern, unit), []).append(row)
        return self

    def wheel(self, x: float, z: float, radius: float, wide: float = 0.28) -> Self:
        """A wheel on an axle along x."""
        for facing in ((0.0, 0.0, 1.0), (0.0, 0.7, 0.7)):
            self.bar(
                (x - wide / 2, radius, z),
                (x + wide / 2, radius, z),
                (radius * 1.7, radius * 1.7),
                None,
                TYRE,
                Pattern.PLAIN,
                facing=facing,
            )
        return self

    def round(
        self, start: Point, end: Point, wide: float, tip: float, rgb: Rgb, facing: Point = (0.0, 1.0, 0.0)
    ) -> Self:
        """An eight-cornered tube that may taper: a drum, a tank, a roll."""
        a, b = np.array(start), np.array(end)
        along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-9)
        side = np.cross(along, facing)
        side /= max(float(np.linalg.norm(side)), 1e-9)
        other = np.cross(side, along)
        for turn in (0.0, np.pi / 4):
            self.bar(
                a,
                b,
                (wide * 0.85, wide * 0.85),
                (tip * 0.85, tip * 0.85),
                rgb,
                facing=tuple(other * np.cos(turn) + side * np.sin(turn)),
            )
        return self

    def mesh(self) -> Mesh:
        """All parts, one call a finish."""
        out = Mesh()
        for (pattern, unit), rows in self._parts.items():
            part = np.array(rows)
            faces = bars(part[:, :3], part[:, 3:6], part[:, 6:8], part[:, 8:10], part[:, 10:13])
            look = Surface(rgb=(0, 0, 0), aux=MACHINE, pattern=pattern, unit_m=(unit, unit), contrast=0.12)
            out.quads(faces, look, rgb=np.repeat(part[:, 13:16], 6, axis=0))
        return out
