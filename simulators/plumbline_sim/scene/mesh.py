"""World geometry with the look and the class of every face, collected in numpy and drawn in one go.

World axes: x along the facade from its left end, y up from the ground, z out of the facade towards the camera's side.
Every method takes many shapes at once: one call for all sills of a facade, not one a sill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Rgb = tuple[float, float, float]
"""Red, green, blue as a person would pick them: sRGB, 0..255."""


class Pattern(IntEnum):
    """What the fragment shader lays over a face's colour; `unit_m` and `contrast` mean what stands beside each."""

    PLAIN = 0  # blotches of `contrast`
    COURSED = 1  # running bond of units with darker joints: brick, block; `unit_m` one unit
    BOARDS = 2  # stack or half bond of boards, thin joints, dots of glue and anchors; `unit_m` one board
    PANEL = 3  # large panels with visible joints; `unit_m` one panel
    RIBBED = 4  # corrugated sheet, formwork planks: ribs every `unit_m[0]`
    GLASS = 5  # mirrors the sky, dark room behind; `contrast` how many panes differ
    SOIL = 6  # lumps and tracks, `unit_m[0]` size of a lump
    GRASS = 7
    PAVED = 8  # asphalt or slabs of `unit_m`
    NET = 9  # woven mesh with folds; alpha is its cover
    LEAVES = 10  # ragged, alpha-tested
    STAINED = 11  # plaster with runs from above, cracks; `contrast` how worn
    WOOD = 12  # planks along the longer side, `unit_m[1]` width
    PHOTO = 13  # a real facade's crop; `seed` picks it, uv 0..1 given
    METAL = 14  # smooth, some gloss
    GLOW = 15  # gives light at night: lit windows, lamps
    TROWELLED = 16  # base coat: damp patches, trowel arcs, mesh shining through; `contrast` how uneven
    WINDOWS = 17  # a far wall with its window grid, `unit_m` a bay and a storey; `seed`: 0.. brick, 1.. plaster, 2.. panels, 3.. glass, 4.. ribbons
    DISTRICT = 18  # a quarter seen from afar: trees, roofs and yards in patches of `unit_m[0]`


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """How a face looks and which aux class (plumbline.stages.AUX_CLASSES) a pixel of it has."""

    rgb: Rgb
    aux: int
    pattern: Pattern = Pattern.PLAIN
    unit_m: tuple[float, float] = (1.0, 1.0)
    contrast: float = 0.08
    alpha: float = 1.0
    seed: float = 0.0
    instance: int = 0
    """0 for what is not counted; people and vehicles have a number of their own."""


VERTEX: Final = np.dtype(
    [
        ("position", "f4", 3), ("normal", "f4", 3), ("uv", "f4", 2), ("rgba", "u1", 4),
        ("look", "f4", 4), ("ids", "u1", 4),
    ]
)  # fmt: skip
"""`look` is unit_m, contrast, seed; `ids` is pattern, aux, instance low, instance high."""

_TWO_TRIANGLES: Final = [0, 1, 2, 0, 2, 3]
_FACES: Final = {  # corner numbers of a box whose corner i has x, y, z high where bits 0, 1, 2 of i are set
    "x": (0, 4, 6, 2), "X": (5, 1, 3, 7), "y": (0, 1, 5, 4),
    "Y": (6, 7, 3, 2), "z": (1, 0, 2, 3), "Z": (4, 5, 7, 6),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Quads:
    """Four-cornered faces as they were given; what follows from them is worked out for all at once."""

    points: Floats
    rgb: ArrayLike
    alpha: ArrayLike
    surface: Surface
    uv: Floats | None


@dataclass(slots=True)
class Mesh:
    """Faces so far; what lets light through (`alpha` < 1) is drawn after all else, in the order it was added."""

    _solid: list[NDArray[Any] | _Quads] = field(default_factory=list)
    _sheer: list[NDArray[Any] | _Quads] = field(default_factory=list)

    def quads(self, corners: ArrayLike, surface: Surface, *, rgb: ArrayLike | None = None, uv: ArrayLike | None = None,
              alpha: ArrayLike | None = None) -> Self:  # fmt: skip
        """Flat four-cornered faces [n, 4, 3], counter-clockwise seen from outside; `rgb` [n, 3] and `alpha` [n] per face.

        Where no `uv` [n, 4, 2] is given, patterns are anchored in the world in metres and run on from face to face.
        """
        points = np.asarray(corners, np.float32).reshape(-1, 4, 3)
        if len(points):
            sheer = surface.alpha < 1 or alpha is not None
            laid = None if uv is None else np.asarray(uv, np.float32).reshape(-1, 4, 2)
            cover = surface.alpha if alpha is None else alpha
            part = _Quads(points, surface.rgb if rgb is None else rgb, cover, surface, laid)
            (self._sheer if sheer else self._solid).append(part)
        return self

    def triangles(self, corners: ArrayLike, normals: ArrayLike, surface: Surface, *, rgb: ArrayLike | None = None,
                  uv: ArrayLike | None = None) -> Self:  # fmt: skip
        """Triangles [n, 3, 3] with a normal per corner, for round things; `rgb` [n, 3] and `uv` [n, 3, 2] per triangle."""
        points = np.asarray(corners, np.float32).reshape(-1, 3, 3)
        vertices = np.zeros((len(points), 3), VERTEX)
        vertices["position"] = points
        vertices["normal"] = np.broadcast_to(np.asarray(normals, np.float32), points.shape)
        vertices["uv"] = points[..., [0, 1]] + points[..., [2]] if uv is None else np.asarray(uv, np.float32)
        colours = np.asarray(surface.rgb if rgb is None else rgb, np.float32)
        vertices["rgba"][..., :3] = np.clip(np.broadcast_to(colours, (len(points), 3)), 0, 255).astype(
            np.uint8
        )[:, None]
        vertices["rgba"][..., 3] = int(min(max(surface.alpha * 255, 0), 255))
        vertices["look"] = (*surface.unit_m, surface.contrast, surface.seed)
        vertices["ids"] = (int(surface.pattern), surface.aux, surface.instance & 255, surface.instance >> 8)
        (self._sheer if surface.alpha < 1 else self._solid).append(vertices.reshape(-1))
        return self

    def boxes(
        self,
        low: ArrayLike,
        high: ArrayLike,
        surface: Surface,
        *,
        rgb: ArrayLike | None = None,
        faces: str = "xXyYzZ",
    ) -> Self:
        """Upright boxes between corners [n, 3]; `faces` names the sides wanted: xyz the low ones, XYZ the high ones."""
        lows, highs = np.atleast_2d(np.asarray(low, np.float32)), np.atleast_2d(np.asarray(high, np.float32))
        lows, highs = np.broadcast_arrays(lows, highs)
        if not len(lows):
            return self
        bits = np.array([[(i >> axis) & 1 for axis in range(3)] for i in range(8)], bool)
        corners = np.where(bits[None], highs[:, None], lows[:, None])
        every = np.stack([corners[:, _FACES[name]] for name in faces], axis=1).reshape(-1, 4, 3)
        colours = (
            None if rgb is None else np.repeat(np.atleast_2d(np.asarray(rgb, np.float32)), len(faces), axis=0)
        )
        return self.quads(every, surface, rgb=colours)

    def tubes(
        self,
        start: ArrayLike,
        end: ArrayLike,
        width_m: float,
        surface: Surface,
        *,
        rgb: ArrayLike | None = None,
    ) -> Self:
        """Square bars of `width_m` from points [n, 3] to points [n, 3], without their ends."""
        a, b = np.atleast_2d(np.asarray(start, np.float32)), np.atleast_2d(np.asarray(end, np.float32))
        a, b = np.broadcast_arrays(a, b)
        if not len(a):
            return self
        along = b - a
        along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        helper = np.where(
            np.abs(along[:, 1:2]) > 0.9, np.array([[1, 0, 0]], np.float32), np.array([[0, 1, 0]], np.float32)
        )
        side = _cross(along, np.broadcast_to(helper, along.shape))
        side *= width_m / 2 / np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-9)
        other = _cross(along, side)
        ring = [side + other, -side + other, -side - other, side - other]
        faces = [
            np.stack([a + ring[i], a + ring[(i + 1) % 4], b + ring[(i + 1) % 4], b + ring[i]], axis=1)
            for i in range(4)
        ]
        colours = None if rgb is None else np.repeat(np.atleast_2d(np.asarray(rgb, np.float32)), 4, axis=0)
        return self.quads(np.stack(faces, axis=1).reshape(-1, 4, 3), surface, rgb=colours)

    def ball(self, centre: ArrayLike, radius_m: ArrayLike, surface: Surface, *, rings: int = 6, rough: float = 0.0,
             rng: np.random.Generator | None = None) -> Self:  # fmt: skip
        """An ellipsoid about `centre` with radii [3] or one; `rough` shakes its corners by that share of the radius."""
        theta, phi = np.linspace(0, math.pi, rings + 1), np.linspace(0, 2 * math.pi, 2 * rings + 1)
        grid = np.stack(
            [np.sin(theta)[:, None] * np.cos(phi), np.broadcast_to(np.cos(theta)[:, None], (rings + 1, 2 * rings + 1)),
             np.sin(theta)[:, None] * np.sin(phi)], axis=-1,
        )  # fmt: skip
        spread = np.ones(grid.shape[:2])
        if rough and rng is not None:
            spread += rough * rng.standard_normal(spread.shape)
            spread[:, -1] = spread[:, 0]
        points = np.asarray(centre) + grid * spread[..., None] * np.asarray(radius_m)
        a, b, c, d = ((slice(0, -1), slice(0, -1)), (slice(0, -1), slice(1, None)),
                      (slice(1, None), slice(1, None)), (slice(1, None), slice(0, -1)))  # fmt: skip
        three = [np.stack([points[i], points[j], points[k]], axis=2) for i, j, k in ((a, b, c), (a, c, d))]
        norms = [np.stack([grid[i], grid[j], grid[k]], axis=2) for i, j, k in ((a, b, c), (a, c, d))]
        return self.triangles(np.stack(three).reshape(-1, 3, 3), np.stack(norms).reshape(-1, 3, 3), surface)

    def add(self, other: Mesh, *, at: ArrayLike = (0, 0, 0), yaw_deg: float = 0.0, scale: float = 1.0,
            instance: int | None = None) -> Self:  # fmt: skip
        """Another mesh's faces, scaled, turned about the upright axis and moved to `at`, all of one `instance` if given."""
        if yaw_deg == 0.0 and scale == 1.0 and instance is None and not np.any(at):
            self._solid += other._solid
            self._sheer += other._sheer
            return self
        turn = math.radians(yaw_deg)
        matrix = np.array(
            [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]], np.float32
        )
        for mine, theirs in ((self._solid, other._solid), (self._sheer, other._sheer)):
            for part in _settled(theirs):
                moved = part.copy()
                moved["position"] = part["position"] @ matrix.T * np.float32(scale) + np.asarray(
                    at, np.float32
                )
                moved["normal"] = part["normal"] @ matrix.T
                if instance is not None:
                    moved["ids"][:, 2:] = instance & 255, instance >> 8
                mine.append(moved)
        return self

    def joined(self) -> Mesh:
        """The same faces in one piece, which is quicker to add to others many times."""
        rows, solid = self.vertices()
        return Mesh([rows[:solid]], [rows[solid:]])

    def vertices(self) -> tuple[NDArray[Any], int]:
        """All faces as VERTEX rows, three a triangle, and how many of them come first because they are solid."""
        both = _settled(self._solid), _settled(self._sheer)
        self._solid, self._sheer = list(both[0]), list(both[1])
        solid, sheer = (np.concatenate(parts) if parts else np.zeros(0, VERTEX) for parts in both)
        return np.concatenate([solid, sheer]), len(solid)


def _settled(parts: list[NDArray[Any] | _Quads]) -> list[NDArray[Any]]:
    """The parts as vertices, in the same order; runs of quads are worked out together, as a call costs more than a face."""
    done: list[NDArray[Any]] = []
    run: list[_Quads] = []
    for part in parts:
        if isinstance(part, _Quads):
            run.append(part)
            continue
        if run:
            done.append(_vertices_of(run))
            run = []
        done.append(part)
    if run:
        done.append(_vertices_of(run))
    return done


def _vertices_of(run: list[_Quads]) -> NDArray[Any]:
    points = np.concatenate([part.points for part in run])
    normal = _cross(points[:, 1] - points[:, 0], points[:, 3] - points[:, 0])
    flat = np.linalg.norm(normal, axis=1) < 1e-9
    if flat.any():
        normal[flat] = _cross(points[flat, 2] - points[flat, 1], points[flat, 3] - points[flat, 1])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    uv = _world_uv(points, normal)
    vertices = np.zeros((len(points), 4), VERTEX)
    rgba = np.empty((len(points), 4), np.float32)
    look, ids = np.empty((len(points), 4), np.float32), np.empty((len(points), 4), np.uint8)
    end = 0
    for part in run:
        start, end = end, end + len(part.points)
        surface = part.surface
        rgba[start:end, :3], rgba[start:end, 3] = part.rgb, np.asarray(part.alpha) * 255
        look[start:end] = (*surface.unit_m, surface.contrast, surface.seed)
        ids[start:end] = (
            int(surface.pattern),
            surface.aux,
            surface.instance & 255,
            surface.instance >> 8,
        )
        if part.uv is not None:
            uv[start:end] = part.uv
    vertices["position"], vertices["uv"] = points, uv
    vertices["normal"] = normal[:, None]
    vertices["rgba"] = np.clip(rgba, 0, 255).astype(np.uint8)[:, None]
    vertices["look"], vertices["ids"] = look[:, None], ids[:, None]
    return vertices[:, _TWO_TRIANGLES].reshape(-1)


def _cross(a: Floats, b: Floats) -> Floats:
    """np.cross of rows [n, 3], without its cost a call, which outweighs the work for a few faces."""
    ax, ay, az = a.T
    bx, by, bz = b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)


def _world_uv(points: Floats, normal: Floats) -> Floats:
    """Metres along the face [n, 4, 2]: x, z on level faces, else along the level direction and up."""
    tangent = np.stack([normal[:, 2], np.zeros(len(normal), np.float32), -normal[:, 0]], axis=1)
    length = np.linalg.norm(tangent, axis=1, keepdims=True)
    level = length[:, 0] < 0.5
    tangent = tangent / np.maximum(length, 1e-6)
    across = np.einsum("nij,nj->ni", points, tangent)
    u = np.where(level[:, None], points[..., 0], across)
    v = np.where(level[:, None], points[..., 2], points[..., 1])
    return np.stack([u, v], axis=-1).astype(np.float32)
