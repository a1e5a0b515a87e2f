"""How many spoiled photos the gate refuses, by what is wrong with them, and how many good ones, by weather.

A camera first sees its day 0 and the six days before the spoiled photo, so that the gate knows what is usual. A photo
counts as caught when it is refused for whatever reason; `named` when its own code is among the reasons.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np

from plumbline.stages import TRACKS
from plumbline_edge.vision.view import View
from plumbline_sim.scene.conditions import SEASONS, Conditions, Fault, Weather
from plumbline_sim.scene.project import Project
from plumbline_train.evaluate.courses import DAYS
from plumbline_train.evaluate.doorkeeper import Doorkeeper, doubts
from plumbline_train.evaluate.looking import Judge
from plumbline_train.evaluate.sightings import Course
from plumbline_train.evaluate.studio import PICTURE, Studio

Spoiled = Literal["dark", "blur", "fog_rain", "obstructed", "lens_dirt", "not_a_site", "moved", "frozen"]
SPOILED: Final[tuple[Spoiled, ...]] = get_args(Spoiled)
MOVED_SHARE: Final = 0.05
"""Of the picture's width: what a knock against the pole does."""
_FIRST_SEED: Final = 5_500_000_000
_USUAL: Final = 6
_NOMINAL_PX: Final = 1280
"""Conditions give a camera's sway in pixels of a picture this wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One camera's spoiled photos: what was wrong, and what the gate said. Good ones have their weather as `what`."""

    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJob:
    """One camera, unseen families, one photo of each kind of fault."""

    number: int

    def do(self, judge: Judge, studio: Studio) -> Refused:
        """Some fourteen renders."""
        track = TRACKS[self.number % 2]
        project = Project.sample(_FIRST_SEED + self.number, track=track, days=DAYS, split="holdout")
        view = judge.view(project.facade_quad(PICTURE), PICTURE)
        rng = np.random.default_rng([self.number, 61])
        day = float(rng.uniform(_USUAL + 1, DAYS))
        usual, day0 = _usual(studio, project, view, day, self.number)
        rows = []
        for spoiled in SPOILED:
            picture = studio.photo(project, day, _spoiled(spoiled, self.number, rng)).bgr
            gate = copy.copy(usual)
            if spoiled == "frozen":
                gate.takes(picture, day - 0.1)
            laid = gate.takes(picture, day)
            quality = judge.look(view.cut(laid.picture), day0, track).quality
            rows.append((spoiled, laid.codes or doubts(quality)))
        return Refused(rows=tuple(rows))


def _usual(studio: Studio, project: Project, view: View, day: float, number: int) -> tuple[Doorkeeper, Any]:
    """A gate that has seen this camera's day 0 and a few ordinary days; and day 0's canvas."""
    gate = Doorkeeper(view)
    first = studio.photo(project, 0, Conditions.workday(number, 0)).bgr
    gate.meets_day0(first, -1)
    for back in range(_USUAL, 0, -1):
        conditions = Conditions.workday(number, 40 - back, season=SEASONS[number % len(SEASONS)])
        gate.takes(studio.photo(project, day - back, conditions).bgr, day - back)
    return gate, view.cut(first)


def _spoiled(spoiled: Spoiled, number: int, rng: np.random.Generator) -> Conditions:
    good = Conditions.workday(number, 40, season=SEASONS[number % len(SEASONS)])
    if spoiled == "moved":
        angle = rng.uniform(0, 2 * np.pi)
        far = MOVED_SHARE * _NOMINAL_PX
        good = replace(good, jitter_px=(far * float(np.cos(angle)), far * float(np.sin(angle))))
    elif spoiled != "frozen":
        fault: Fault = spoiled
        good = replace(good, fault=fault)
    return good


def recall(refusals: Iterable[Refused]) -> dict[str, dict[str, float]]:
    """Of each kind of fault: how many photos, which share was refused, and which share under its own name."""
    rows = [row for refused in refusals for row in refused.rows]
    table: dict[str, dict[str, float]] = {}
    for spoiled in SPOILED:
        said = [codes for what, codes in rows if what == spoiled]
        if said:
            table[spoiled] = {
                "shots": float(len(said)),
                "caught": float(np.mean([bool(codes) for codes in said])),
                "named": float(np.mean([spoiled.upper() in codes for codes in said])),
            }
    return table


def false_alarms(courses: Iterable[Course]) -> dict[str, dict[str, float]]:
    """Of ordinary photos by weather: how many, and which share was refused. Fog is meant to be refused."""
    said: dict[str, list[bool]] = {weather: [] for weather in (*get_args(Weather), "dusk")}
    for course in courses:
        for shot in course.shots:
            said.setdefault(shot.weather, []).append(bool(shot.gate))
    return {
        weather: {"shots": float(len(refused)), "refused": float(np.mean(refused))}
        for weather, refused in said.items()
        if refused
    }
