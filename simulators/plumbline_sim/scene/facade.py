"""The facade seen straight on: what each zone looks like at its stage, with the truth beside it.

Everything is painted on one flat sheet (row 0 is the parapet) that `render` lays into the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.families import BOARDS, INFILL, OLD, PRESETS, Bgr, Preset
from plumbline_sim.scene.project import Floats, Project
from plumbline_sim.scene.textures import Image, coursed, flat, modulate, noise

BUILDING, WINDOW, OPENING, SKY, GROUND, VEGETATION, NET, MACHINE, PERSON = range(len(AUX_CLASSES))
UNSEEN: Final = 255

Map = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A painted facade: colours, where it stands at all, stage 0..7 and aux class of each pixel."""

    bgr: Image
    solid: Map
    stage: Map
    aux: Map
    cell: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One storey of one look, all bays wide."""

    bgr: Image
    aux: Map
    glass: Map


@dataclass(slots=True)
class _Painter:
    project: Project
    cell: tuple[int, int]
    rng: np.random.Generator

    @property
    def px_per_m(self) -> tuple[float, float]:
        return self.cell[0] / self.project.bay_m, self.cell[1] / self.project.storey_m

    def preset(self, bay: int) -> Preset:
        look = self.project.look
        name = look.second_preset if look.bay_kinds[bay] else look.preset
        return PRESETS[self.project.split][name]

    def boxes(self, bay: int) -> list[tuple[int, int, int, int]]:
        """Openings of this bay in storey pixels."""
        width, height = self.cell
        left = bay * width
        return [
            (
                left + round(x0 * width),
                round(y0 * height),
                left + round(x1 * width) - 1,
                round(y1 * height) - 1,
            )
            for x0, y0, x1, y1 in self.preset(bay).openings
        ]

    def blank(self, wall: Image) -> Row:
        shape = wall.shape[:2]
        return Row(wall, np.full(shape, BUILDING, np.uint8), np.zeros(shape, np.uint8))

    def strip_size(self) -> tuple[int, int]:
        return self.cell[0] * self.project.bays, self.cell[1]


def paint(
    project: Project, day: float, cell: tuple[int, int], rng: np.random.Generator, *, night: bool
) -> Sheet:
    """The facade on `day` with `cell` = (width, height) pixels per zone; `rng` moves only what may differ by the day."""
    stages = project.zone_stages(day)
    stage = _spread(project, stages, cell)
    fixed = np.random.default_rng([project.seed, 7])  # materials stay the same every day
    size = (stage.shape[1], stage.shape[0])
    bgr, aux, glass = flat(size, (90, 90, 90)), np.zeros_like(stage), np.zeros_like(stage)
    for number in np.unique(stage):
        name = _LOOK_OF[project.track][number]
        if name is None:
            continue
        row = _LOOKS[name](_Painter(project, cell, np.random.default_rng([project.seed, 3, int(number)])))
        here = (stage == number).astype(np.uint8)
        floors = project.floors
        cv2.copyTo(np.tile(row.bgr, (floors, 1, 1)), here, bgr)
        cv2.copyTo(np.tile(row.aux, (floors, 1)), here, aux)
        cv2.copyTo(np.tile(row.glass, (floors, 1)), here, glass)
    gain = _zone_gain(fixed, stages)
    bgr = _weathered(bgr, project, stage, gain, fixed)
    _glaze(bgr, glass, project, rng, night=night)
    solid = np.where(stage >= 3, 255, 0) if project.track == "new" else np.full(stage.shape, 255)
    return Sheet(bgr, solid.astype(np.uint8), stage, aux, cell)


def zone_sheet(project: Project, cell: tuple[int, int]) -> NDArray[np.int16]:
    """The zone number floor * bays + bay of every sheet pixel."""
    numbers = np.arange(project.floors * project.bays).reshape(project.floors, project.bays)[::-1]
    return np.repeat(np.repeat(numbers, cell[1], 0), cell[0], 1).astype(np.int16)


def _spread(project: Project, stages: Floats, cell: tuple[int, int]) -> Map:
    """The stage of each sheet pixel: in every zone the share already at the next stage covers that share of it."""
    width, height = cell
    sheet = np.zeros((project.floors * height, project.bays * width), np.uint8)
    for floor in range(project.floors):
        top = (project.floors - 1 - floor) * height
        for bay in range(project.bays):
            whole = min(int(stages[floor, bay]), 7)
            zone = sheet[top : top + height, bay * width : (bay + 1) * width]
            zone[:] = whole
            if whole < 7:
                _part(zone, stages[floor, bay] - whole, project.fill_modes[whole])[:] = whole + 1
    return sheet


def _part(zone: Map, share: float, mode: int) -> Map:
    height, width = zone.shape
    across, up = round(share * width), round(share * height)
    return (zone[:, :across], zone[:, width - across :], zone[height - up :], zone[:up])[mode]


_LOOK_OF: Final[dict[str, tuple[str | None, ...]]] = {
    "new": (None, None, None, "structure", "infill", "window", "insulation", "finish"),
    "reno": ("old", "old", "stripped", "boards", "base", "paint", "renewed", "renewed"),
}


def _structure(p: _Painter) -> Row:
    """Slab edge above, columns, and a dark inside with its ceiling, back wall and props."""
    width, height = p.cell
    size = p.strip_size()
    inside = int(p.rng.integers(38, 75))
    row = p.blank(flat(size, (inside + 4, inside, inside)))
    row.aux[:] = OPENING
    concrete = tuple(int(v) for v in np.array((150, 155, 158)) + int(p.rng.integers(-22, 18)))
    slab, column = max(2, round(0.1 * height)), max(2, round(0.11 * width))
    cv2.rectangle(row.bgr, (0, slab), (size[0], round(0.34 * height)), (inside + 34,) * 3, -1)  # lit ceiling
    cv2.rectangle(
        row.bgr, (0, round(0.86 * height)), (size[0], height), (inside + 46, inside + 48, inside + 52), -1
    )
    for bay in range(p.project.bays):
        left = bay * width
        for share in p.rng.uniform(0.15, 0.9, int(p.rng.integers(0, 4))):
            x = left + int(share * width)
            cv2.line(
                row.bgr,
                (x, slab),
                (x, height),
                ((60, 70, 200), (90, 150, 200), (110, 110, 115))[int(p.rng.integers(3))],
                1,
            )
        cv2.rectangle(row.bgr, (left, 0), (left + column - 1, height), _shade(concrete, 0.93), -1)
        cv2.rectangle(
            row.bgr, (left + width - column // 2, 0), (left + width, height), _shade(concrete, 0.8), -1
        )
        row.aux[:, left : left + column] = BUILDING
    cv2.rectangle(row.bgr, (0, 0), (size[0], slab - 1), concrete, -1)
    row.aux[:slab] = BUILDING
    return row


def _infill(p: _Painter) -> Row:
    material = INFILL[p.project.split][p.project.look.infill]
    row = p.blank(coursed(material, p.strip_size(), p.px_per_m, p.rng))
    slab = max(1, round(0.09 * p.cell[1]))
    cv2.rectangle(row.bgr, (0, 0), (p.strip_size()[0], slab), (150, 154, 156), -1)
    for bay in range(p.project.bays):
        cv2.rectangle(
            row.bgr,
            (bay * p.cell[0], 0),
            (bay * p.cell[0] + max(1, p.cell[0] // 14), p.cell[1]),
            (146, 150, 152),
            -1,
        )
    return _with_holes(p, row)


def _with_holes(p: _Painter, row: Row) -> Row:
    for bay in range(p.project.bays):
        for x0, y0, x1, y1 in p.boxes(bay):
            depth = int(p.rng.integers(22, 46))
            cv2.rectangle(row.bgr, (x0, y0), (x1, y1), (depth + 4, depth, depth), -1)
            cv2.rectangle(row.bgr, (x0, y0), (x1, y0 + max(1, (y1 - y0) // 7)), (depth // 2,) * 3, -1)
            cv2.line(row.bgr, (x0, y1), (x1, y1), (130, 132, 134), 1)
            row.aux[y0 : y1 + 1, x0 : x1 + 1] = OPENING
    return row


def _with_windows(
    p: _Painter, row: Row, frame: Bgr, *, film: float = 0.0, sill: bool = False, old: bool = False
) -> Row:
    thick = max(1, round(0.012 * sum(p.cell)))
    for bay in range(p.project.bays):
        mullions = p.preset(bay).mullions
        for x0, y0, x1, y1 in p.boxes(bay):
            cv2.rectangle(row.bgr, (x0, y0), (x1, y1), frame, -1)
            row.aux[y0 : y1 + 1, x0 : x1 + 1] = WINDOW
            panes = mullions + 1
            for pane in range(panes):
                left = x0 + thick + pane * (x1 - x0) // panes
                right = x0 + (pane + 1) * (x1 - x0) // panes - (thick if pane == panes - 1 else 0)
                cv2.rectangle(row.glass, (left, y0 + thick), (right - 1, y1 - thick), 255, -1)
            if old and (y1 - y0) > 7:
                cv2.line(row.glass, (x0, y0 + (y1 - y0) // 3), (x1, y0 + (y1 - y0) // 3), 0, thick)
                cv2.line(row.bgr, (x0, y0 + (y1 - y0) // 3), (x1, y0 + (y1 - y0) // 3), frame, thick)
            if film:
                _film(p, row, (x0, y0, x1, y1), film)
            if sill:
                cv2.rectangle(row.bgr, (x0 - 1, y1 + 1), (x1 + 1, y1 + thick), (215, 216, 218), -1)
            cv2.line(row.bgr, (x0, y0), (x1, y0), _shade(frame, 0.45), 1)
    return row


def _film(p: _Painter, row: Row, box: tuple[int, int, int, int], share: float) -> None:
    """Milky protective film over a window while the wall around it is worked on."""
    if p.rng.random() < share:
        x0, y0, x1, y1 = box
        milky = int(p.rng.integers(165, 215))
        cv2.rectangle(row.bgr, (x0, y0), (x1, y1), (milky, milky - 4, milky - 8), -1)
        row.glass[y0 : y1 + 1, x0 : x1 + 1] = 0


def _window(p: _Painter) -> Row:
    base = _Painter(p.project, p.cell, np.random.default_rng([p.project.seed, 3, 4]))
    return _with_windows(p, _infill(base), p.project.look.frame_bgr)


def _board_row(p: _Painter) -> Row:
    return p.blank(coursed(BOARDS[p.project.split][p.project.look.boards], p.strip_size(), p.px_per_m, p.rng))


def _insulation(p: _Painter) -> Row:
    return _with_windows(p, _board_row(p), p.project.look.frame_bgr, film=0.15)


def _painted(p: _Painter) -> Row:
    row = p.blank(flat(p.strip_size(), p.project.look.paint_bgr))
    width, height = p.cell
    style = int(np.random.default_rng([p.project.seed, 9]).integers(4))
    accent = p.project.look.accent_bgr
    for bay, kind in enumerate(p.project.look.bay_kinds):
        if style == 1 and kind:
            cv2.rectangle(row.bgr, (bay * width, 0), ((bay + 1) * width - 1, height), accent, -1)
    if style == 2:
        cv2.rectangle(row.bgr, (0, 0), (row.bgr.shape[1], max(1, height // 12)), accent, -1)
    return row


def _finish(p: _Painter) -> Row:
    row = _with_windows(p, _painted(p), p.project.look.frame_bgr, sill=True)
    return _with_balconies(p, row, p.project.look.accent_bgr)


def _with_balconies(p: _Painter, row: Row, colour: Bgr) -> Row:
    width, height = p.cell
    for bay in range(p.project.bays):
        share = p.preset(bay).balcony
        if not share:
            continue
        pad = round((1 - share) * width / 2)
        left, right = bay * width + pad + 1, (bay + 1) * width - pad - 2
        top = round(0.62 * height)
        cv2.rectangle(row.bgr, (left, top), (right, height - max(2, height // 14)), colour, -1)
        cv2.rectangle(
            row.bgr, (left, height - max(2, height // 14)), (right, height), _shade(colour, 0.6), -1
        )
        cv2.line(row.bgr, (left, top), (right, top), _shade(colour, 1.2), 1)
        row.glass[top:, left : right + 1] = 0
        row.aux[top:, left : right + 1] = BUILDING
    return row


def _old(p: _Painter) -> Row:
    wall = coursed(
        OLD[p.project.split][p.project.look.old], p.strip_size(), p.px_per_m, p.rng, p.project.look.old_bgr
    )
    row = _with_windows(
        p, p.blank(wall), (70, 92, 120) if p.rng.random() < 0.6 else (190, 200, 205), old=True
    )
    return _with_balconies(p, row, _shade(p.project.look.old_bgr, 0.8))


def _stripped(p: _Painter) -> Row:
    """Bare wall with patches of fresh mortar; windows under film."""
    tone = int(p.rng.integers(105, 140))
    wall = modulate(
        flat(p.strip_size(), (tone - 8, tone, tone + 10)), noise("cloud", p.strip_size(), p.rng), 0.13
    )
    for _ in range(p.project.bays * 3):
        x, y = int(p.rng.integers(wall.shape[1])), int(p.rng.integers(wall.shape[0]))
        radius = (
            max(1, int(p.cell[0] * p.rng.uniform(0.03, 0.12))),
            max(1, int(p.cell[1] * p.rng.uniform(0.03, 0.12))),
        )
        cv2.ellipse(
            wall, (x, y), radius, 0, 0, 360, (165, 168, 170) if p.rng.random() < 0.6 else (80, 90, 110), -1
        )
    return _with_windows(p, p.blank(wall), (70, 92, 120), film=0.8)


def _boards(p: _Painter) -> Row:
    return _with_windows(p, _board_row(p), (110, 115, 120), film=0.8)


def _base(p: _Painter) -> Row:
    """Mesh and mortar: one grey or sandy tone with trowel clouds."""
    tone = np.array(((148, 152, 154), (135, 150, 160), (165, 168, 170))[int(p.rng.integers(3))])
    wall = modulate(
        flat(p.strip_size(), _shade(tuple(tone), 1.0)), noise("blotch", p.strip_size(), p.rng), 0.07
    )
    return _with_windows(p, p.blank(wall), (110, 115, 120), film=0.7)


def _paint_row(p: _Painter) -> Row:
    return _with_windows(p, _painted(p), (80, 100, 125), film=0.6, old=True)


def _renewed(p: _Painter) -> Row:
    row = _with_windows(p, _painted(p), (242, 242, 242), sill=True)
    return _with_balconies(p, row, p.project.look.accent_bgr)


_LOOKS: Final[dict[str, Callable[[_Painter], Row]]] = {
    "structure": _structure, "infill": _infill, "window": _window, "insulation": _insulation, "finish": _finish,
    "old": _old, "stripped": _stripped, "boards": _boards, "base": _base, "paint": _paint_row, "renewed": _renewed,
}  # fmt: skip


def _zone_gain(rng: np.random.Generator, stages: Floats) -> Floats:
    """Raw work differs from zone to zone; finished paint hardly does."""
    raw = np.where(stages >= 5.5, 0.015, 0.05)
    return np.asarray(1 + rng.standard_normal(stages.shape) * raw)[::-1]


def _weathered(bgr: Image, project: Project, stage: Map, gain: Floats, rng: np.random.Generator) -> Image:
    size = (bgr.shape[1], bgr.shape[0])
    small = (max(2, size[0] // 2), max(2, size[1] // 2))
    field = cv2.addWeighted(noise("cloud", small, rng), 0.6, noise("grain", small, rng), 0.4, 0).astype(
        np.float32
    )
    gains = cv2.resize(gain.astype(np.float32), small, interpolation=cv2.INTER_NEAREST)
    field = 128 + (field - 128) * 0.9 + (gains - 1) * 600
    if project.track == "reno":
        old = cv2.resize((stage <= 1).astype(np.float32), small, interpolation=cv2.INTER_NEAREST)
        field += old * (noise("streak", small, rng).astype(np.float32) - 150) * 0.9
    image = modulate(
        bgr, np.asarray(cv2.resize(np.clip(field, 0, 255).astype(np.uint8), size), np.uint8), 0.07
    )
    return _appliances(image, project, stage, rng) if project.track == "reno" else image


def _appliances(image: Image, project: Project, stage: Map, rng: np.random.Generator) -> Image:
    """Air conditioners and dishes hang on the old facade until it is stripped."""
    height, width = stage.shape
    cell_w, cell_h = width // project.bays, height // project.floors
    for _ in range(project.bays * project.floors // 3):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        if stage[y, x] <= 1:
            cv2.rectangle(
                image, (x, y), (x + max(2, cell_w // 7), y + max(2, cell_h // 8)), (205, 208, 208), -1
            )
            cv2.rectangle(
                image, (x, y + cell_h // 8), (x + cell_w // 7, y + cell_h // 8 + 1), (60, 60, 60), -1
            )
    return image


def _glaze(bgr: Image, glass: Map, project: Project, rng: np.random.Generator, *, night: bool) -> None:
    """Fill the panes: sky reflected more the higher they look, curtains and rooms behind, lamps at night."""
    height, width = glass.shape
    fixed = np.random.default_rng([project.seed, 13])
    tones = np.array([[150, 120, 95]]) * fixed.uniform(0.35, 1.35, (project.floors * project.bays * 2, 1))
    curtain = fixed.random(len(tones)) < 0.2
    tones[curtain] = (178, 184, 188)
    tones *= rng.uniform(0.75, 1.2)
    if night:
        tones *= 0.25
        tones[rng.random(len(tones)) < 0.2] = (120, 210, 250)
    panes = tones.reshape(project.floors, project.bays * 2, 3)
    colour = cv2.resize(
        np.clip(panes, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    cv2.copyTo(modulate(colour, noise("cloud", (width, height), rng), 0.25), glass, bgr)


def _shade(colour: Any, share: float) -> Bgr:
    values = [min(255, max(0, int(c * share))) for c in colour]
    return values[0], values[1], values[2]
