"""What one course of photos showed and what was true: values only, made once, judged in many ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plumbline.stages import Track
from plumbline_edge.vision.zones import ZoneReading, zone_ids
from plumbline_sim.scene.families import Split

Floats = NDArray[np.float64]
FOUND: Final = ("person", "machine_vehicle", "scaffold_net")
"""The classes of `aux` whose finding is scored: what hides a facade, and whom nobody may recognise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """How one class was found on one canvas: pixels rightly named, named, there; and things touched, there."""

    right: int = 0
    said: int = 0
    there: int = 0
    things_touched: int = 0
    things: int = 0

    def __add__(self, other: Hits) -> Hits:
        return Hits(
            right=self.right + other.right, said=self.said + other.said, there=self.there + other.there,
            things_touched=self.things_touched + other.things_touched, things=self.things + other.things,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One photo as the gateway's first half saw it. Zones floor by floor from the ground, NaN or -1 where hidden."""

    day: float
    weather: str
    gate: tuple[str, ...]
    """Why the gateway refuses it; its readings below are then scored nowhere."""
    percent: Floats
    visible: Floats
    stage: NDArray[np.int64]
    reached: Floats
    """Mean P(stage >= 1..7) of each zone, [zones, 7]."""
    true_zones: Floats
    """Percent of each zone."""
    true_stages: NDArray[np.int64]
    """The stage that holds most of each zone, `scores.majority_stage`."""
    true: float
    """Percent of the site."""
    changed: float
    """The naive measure: share of the facade that looks unlike its day-0 photo, in percent."""
    hits: dict[str, Hits] = field(default_factory=dict)

    def readings(self, floors: int, bays: int) -> tuple[ZoneReading, ...]:
        """The same as `zones.pool` gave it."""
        return tuple(
            ZoneReading(
                id=name,
                percent=None if np.isnan(self.percent[i]) else float(self.percent[i]),
                visible=float(self.visible[i]),
                stage=None if self.stage[i] < 0 else int(self.stage[i]),
                reached=() if self.stage[i] < 0 else tuple(self.reached[i].tolist()),
            )
            for i, name in enumerate(zone_ids(floors, bays))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One site over its whole time: its shots in order, and what of the site the figures need."""

    number: int
    track: Track
    split: Split
    days: int
    floors: int
    bays: int
    weights: Floats
    values: tuple[float, ...]
    families: dict[str, str]
    """Which family of each kind it was drawn from, as kind -> name."""
    planned: Floats
    """The site's own plan on each shot's day."""
    shots: tuple[Shot, ...]
    before: tuple[tuple[ZoneReading, ...], ...] = ()
    """What the model said of each zone in the photos before the works."""

    def column(self, name: str) -> Floats:
        """One number of every shot, as an array."""
        return np.array([getattr(shot, name) for shot in self.shots], float)

    def stacked(self, name: str) -> Floats:
        """One row per shot of a number each zone has, [shots, zones]."""
        return np.stack([getattr(shot, name) for shot in self.shots]).astype(float)

    @property
    def accepted(self) -> NDArray[np.bool_]:
        """Which shots passed the gate."""
        return np.array([not shot.gate for shot in self.shots])


def total_hits(courses: Sequence[Course], name: str) -> Hits:
    """The hits of one class over every accepted shot."""
    total = Hits()
    for course in courses:
        for shot in course.shots:
            if not shot.gate and name in shot.hits:
                total += shot.hits[name]
    return total
