"""What fills the openings of a face: dark rooms, windows with frames, film, blinds and open sashes, and their reveals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plumbline_sim.scene.building.face import DayFace, Floats, Ints, Pieces
from plumbline_sim.scene.building.plan import BUILDING, OPENING, WINDOW, Plan, shade, tone
from plumbline_sim.scene.building.skin import Z_OF, fronts
from plumbline_sim.scene.mesh import Mesh, Pattern, Rgb, Surface

_ROOM_M = 2.9
_FRAME_M = 0.07


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What a set of windows has in common."""

    frame: Rgb
    film: float
    sticker: float
    blind: float
    open_sash: float
    mixed: float
    sill: bool
    vents: bool


def openings(
    mesh: Mesh, plan: Plan, day: DayFace, track: str, rng: np.random.Generator, *, night: float
) -> None:
    """Fill every opening of a face as its stage says; `rng` moves what people move: sashes, blinds, lights."""
    face = day.face
    if not len(face.openings):
        return
    pieces = day.cut(face.openings, face.opening_zone)
    holes = pieces.at(*((4, 5, 6, 7) if track == "new" else range(8)))
    _reveals(mesh, plan, holes, track)
    fixed = plan.rng(3)
    busy = float(fixed.uniform(0.0, 0.55))
    if track == "new":
        _rooms(mesh, day, pieces.at(4), fixed)
        kinds: tuple[tuple[tuple[int, ...], float, float, float], ...] = (
            ((5,), 0.6 * busy, 0.3, 0.0),
            ((6,), busy, 0.25, 0.0),
            ((7,), 0.1 * busy, 0.12, 0.25),
        )
        for stages, film, sticker, blind in kinds:
            kind = _Kind(frame=plan.frame_rgb, film=film, sticker=sticker, blind=blind, open_sash=0.08, mixed=0.0,
                         sill=stages == (7,), vents=False)  # fmt: skip
            _windows(mesh, plan, day, pieces.at(*stages), kind, track, rng, night=night)
        return
    for stages, film in (((0, 1), 0.0), ((2,), 0.4 * busy), ((3, 4, 5), busy)):
        old = _Kind(
            frame=plan.old_frame_rgb,
            film=film,
            sticker=0.0,
            blind=0.45,
            open_sash=0.05,
            mixed=0.4,
            sill=stages == (0, 1),
            vents=True,
        )
        _windows(mesh, plan, day, pieces.at(*stages), old, track, rng, night=night)
    new = _Kind(
        frame=plan.frame_rgb,
        film=0.15 * busy,
        sticker=0.15,
        blind=0.3,
        open_sash=0.07,
        mixed=0.0,
        sill=True,
        vents=False,
    )
    _windows(mesh, plan, day, pieces.at(6, 7), new, track, rng, night=night)


def _reveals(mesh: Mesh, plan: Plan, holes: Pieces, track: str) -> None:
    """The four inner sides of each opening, from the wall's surface to behind the frame."""
    front = np.asarray(Z_OF[track])[holes.stage]
    surfaces = _reveal_rgb(plan, track)[holes.stage]
    low = np.column_stack([holes.rect_m[:, :2], np.full(len(front), -0.42)])
    high = np.column_stack([holes.rect_m[:, 2:], front])
    mesh.boxes(
        low, high, Surface(rgb=(128, 128, 128), aux=BUILDING, contrast=0.1), rgb=surfaces, faces="xXyY"
    )


def _reveal_rgb(plan: Plan, track: str) -> Floats:
    finish = (plan.cladding or plan.paint).rgb
    if track == "new":
        rows = [plan.infill.rgb] * 6 + [plan.boards.rgb, finish]
    else:
        rows = [
            plan.old.rgb,
            plan.old.rgb,
            plan.repaired.rgb,
            plan.boards.rgb,
            plan.base.rgb,
            finish,
            finish,
            finish,
        ]
    return np.asarray(rows, float) * 0.85


def _rooms(mesh: Mesh, day: DayFace, holes: Pieces, rng: np.random.Generator) -> None:
    """Dark back walls, sides and floors behind openings that nothing fills yet."""
    zones = np.unique(holes.zone)
    if not len(zones):
        return
    face = day.face
    x0, y0 = zones % face.bays * face.bay_m, zones // face.bays * face.storey_m
    rect = np.stack([x0, y0, x0 + face.bay_m, y0 + face.storey_m], axis=1)
    depth = -_ROOM_M + rng.uniform(-0.7, 0.7, face.floors * face.bays)[zones]
    dark = rng.uniform(30, 68, face.floors * face.bays)[zones]
    inside = Surface(rgb=(40, 40, 42), aux=OPENING, contrast=0.3)
    mesh.quads(fronts(rect, depth), inside, rgb=dark[:, None] * (1.0, 0.98, 0.95))
    middle = 0.45 * depth
    for far, near, sides, floors in (
        (depth, middle, 1.15, 1.3),
        (middle, np.full(len(rect), -0.4), 1.5, 1.9),
    ):
        low, high = np.column_stack([rect[:, :2], far]), np.column_stack([rect[:, 2:], near])
        mesh.boxes(low, high, inside, rgb=dark[:, None] * np.array((1.0, 0.97, 0.93)) * sides, faces="xXY")
        mesh.boxes(low, high, inside, rgb=dark[:, None] * np.array((1.0, 0.97, 0.92)) * floors, faces="y")


def _windows(
    mesh: Mesh, plan: Plan, day: DayFace, pieces: Pieces, kind: _Kind, track: str, rng: np.random.Generator, *, night: float
) -> None:  # fmt: skip
    if not len(pieces.rect_m):
        return
    face, rect = day.face, pieces.rect_m
    many = len(face.openings)
    fixed = plan.rng(4)
    draw = {
        name: fixed.random(many)[pieces.source]
        for name in ("film", "sticker", "blind", "own", "vent", "tint", "side")
    }
    moving = {name: rng.random(many)[pieces.source] for name in ("sash", "lamp", "blind")}
    z = np.asarray(Z_OF[track])[pieces.stage] - plan.frame_depth_m
    frame_rgb = np.tile(np.asarray(kind.frame, float), (len(rect), 1))
    own = draw["own"] < kind.mixed
    frame_rgb[own] = (228, 228, 224)
    frame_rgb *= (0.9 + 0.15 * draw["tint"])[:, None]
    dark = 20 + 45 * draw["tint"] ** 2
    glass = Surface(
        rgb=(40, 46, 50),
        aux=WINDOW,
        pattern=Pattern.GLASS,
        unit_m=(0.7, face.storey_m),
        contrast=0.18,
        seed=plan.seed % 7,
    )
    mesh.quads(fronts(rect, z), glass, rgb=dark[:, None] * (0.9, 1.0, 1.08))
    inner = rect + np.array([_FRAME_M, _FRAME_M, -_FRAME_M, -_FRAME_M])
    _blinds(mesh, inner, z, draw, moving["blind"], kind)
    lamp = (moving["lamp"] < 0.4 * night) & (pieces.stage >= 7 if track == "new" else pieces.stage >= 0)
    mesh.quads(
        fronts(inner[lamp], z[lamp] + 0.006),
        Surface(rgb=(250, 205, 130), aux=WINDOW, pattern=Pattern.GLOW, contrast=0.25),
    )
    ajar = moving["sash"] < kind.open_sash
    _sashes(mesh, inner[ajar], z[ajar], frame_rgb[ajar])
    _frames(
        mesh,
        rect,
        z + 0.035,
        frame_rgb,
        face.mullions[pieces.source],
        vents=(draw["vent"] < 0.55) & kind.vents,
    )
    _covers(mesh, plan, rect, z, draw, kind)
    if kind.sill:
        x0, y0, x1, _ = rect.T
        out = np.asarray(Z_OF[track])[pieces.stage] + 0.04
        low, high = np.stack([x0 - 0.04, y0 - 0.035, z], axis=1), np.stack([x1 + 0.04, y0, out], axis=1)
        mesh.boxes(low, high, Surface(rgb=_sill_rgb(plan), aux=BUILDING, pattern=Pattern.METAL), faces="YZ")


def _sill_rgb(plan: Plan) -> Rgb:
    return shade(plan.frame_rgb, 0.95) if plan.seed % 3 else (196, 198, 200)


def _frames(
    mesh: Mesh, rect: Floats, z: Floats, rgb: Floats, mullions: Ints, *, vents: NDArray[np.bool_]
) -> None:
    x0, y0, x1, y1 = rect.T
    f = _FRAME_M
    bars = [
        (x0, y0, x0 + f, y1),
        (x1 - f, y0, x1, y1),
        (x0 + f, y0, x1 - f, y0 + f),
        (x0 + f, y1 - f, x1 - f, y1),
    ]
    depth, colour = [z] * 4, [rgb] * 4
    for number in range(1, int(mullions.max(initial=0)) + 1):
        has = mullions >= number
        x = (x0 + (x1 - x0) * number / (mullions + 1))[has]
        bars.append((x - f / 2, y0[has] + f, x + f / 2, y1[has] - f))
        depth.append(z[has])
        colour.append(rgb[has])
    y = (y0 + 0.68 * (y1 - y0))[vents]
    bars.append((x0[vents] + f, y - f / 2, x1[vents] - f, y + f / 2))
    depth.append(z[vents])
    colour.append(rgb[vents])
    every = np.concatenate([np.stack(bar, axis=1) for bar in bars])
    mesh.quads(
        fronts(every, np.concatenate(depth)),
        Surface(rgb=(200, 200, 200), aux=WINDOW, contrast=0.03),
        rgb=np.concatenate(colour),
    )


def _blinds(
    mesh: Mesh, inner: Floats, z: Floats, draw: Mapping[str, Floats], moved: Floats, kind: _Kind
) -> None:
    """Roller blinds let down from the top, and curtains at the sides, seen through the glass."""
    has = draw["blind"] < kind.blind
    rect = inner[has].copy()
    if not len(rect):
        return
    tint, side = draw["tint"][has], draw["side"][has]
    drop = np.where(
        side < 0.4,
        1.0,
        0.15 + 0.85 * np.clip(draw["blind"][has] / max(kind.blind, 1e-6) * 0.6 + 0.4 * moved[has], 0, 1),
    )
    curtain = side < 0.4
    rect[:, 1] = rect[:, 3] - drop * (rect[:, 3] - rect[:, 1])
    wide = (rect[:, 2] - rect[:, 0]) * (0.15 + 0.25 * tint)
    rect[curtain, 2] = rect[curtain, 0] + wide[curtain]
    rgb = (95 + 110 * tint)[:, None] * np.stack(
        [np.ones_like(tint), 0.95 + 0.03 * side, 0.84 + 0.16 * side], axis=1
    )
    cloth = Surface(rgb=(150, 146, 138), aux=WINDOW, pattern=Pattern.RIBBED, unit_m=(0.16, 1), contrast=0.1)
    mesh.quads(fronts(rect, z[has] + 0.004), cloth, rgb=rgb)


def _sashes(mesh: Mesh, inner: Floats, z: Floats, rgb: Floats) -> None:
    """A wing turned inwards: a dark gap, the wing's edge beside it."""
    rect = inner.copy()
    rect[:, 0] = rect[:, 0] + 0.5 * (rect[:, 2] - rect[:, 0])
    mesh.quads(fronts(rect, z + 0.012), Surface(rgb=(20, 20, 22), aux=OPENING, contrast=0.2))
    edge = rect.copy()
    edge[:, 0] = edge[:, 2] - 0.16
    mesh.quads(fronts(edge, z + 0.016), Surface(rgb=(200, 200, 200), aux=WINDOW), rgb=rgb * 0.75)


def _covers(mesh: Mesh, plan: Plan, rect: Floats, z: Floats, draw: Mapping[str, Floats], kind: _Kind) -> None:
    """Protective film over whole windows, makers' stickers on panes."""
    filmed = draw["film"] < kind.film
    tones: tuple[Rgb, ...] = (
        (196, 202, 206),
        (164, 184, 204),
        (212, 210, 204),
        (178, 190, 184),
        (206, 208, 210),
    )
    film = Surface(
        rgb=tone(plan.rng(5), tones[plan.seed % 5], 8), aux=WINDOW, contrast=0.3, seed=plan.seed % 11
    )
    cover = 0.55 + 0.4 * draw["side"][filmed]
    mesh.quads(
        fronts(rect[filmed], z[filmed] + 0.05),
        film,
        rgb=np.asarray(film.rgb) * (0.8 + 0.3 * draw["tint"][filmed])[:, None],
        alpha=cover,
    )
    stuck = (draw["sticker"] < kind.sticker) & ~filmed
    x0, y0, x1, y1 = rect[stuck].T
    x, y = (
        x0 + (x1 - x0) * (0.2 + 0.15 * draw["side"][stuck]),
        y0 + (y1 - y0) * (0.4 + 0.3 * draw["tint"][stuck]),
    )
    label = Surface(
        rgb=((236, 236, 232), (60, 130, 70), (40, 90, 170), (220, 60, 50))[plan.seed % 4], aux=WINDOW
    )
    mesh.quads(
        fronts(np.stack([x, y, np.minimum(x + 0.28, x1), np.minimum(y + 0.2, y1)], axis=1), z[stuck] + 0.01),
        replace(label, contrast=0.05),
    )
