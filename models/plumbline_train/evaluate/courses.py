"""Renders a site's photos over its whole time and lets the gateway's eyes look at each."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from plumbline.stages import TRACKS, Track
from plumbline_edge.camera import privacy
from plumbline_edge.vision.model import Outputs
from plumbline_edge.vision.view import CANVAS_QUAD, View
from plumbline_edge.vision.zones import ZoneReading, pool
from plumbline_sim.scene.conditions import SEASONS, Conditions, Season
from plumbline_sim.scene.families import Split
from plumbline_sim.scene.project import Project, Slip
from plumbline_train.evaluate.doorkeeper import Doorkeeper, doubts
from plumbline_train.evaluate.looking import Blind, Judge, blinded, changed_percent, hits
from plumbline_train.evaluate.scores import majority_stage
from plumbline_train.evaluate.sightings import Course, Shot
from plumbline_train.evaluate.studio import PICTURE, Photo, Studio

DAYS: Final = 60
FIRST_SEED: Final = 5_000_000_000
"""Training draws its projects below 2**31: no site of a card was ever learned from."""
_OUTSIDE: Final = 255
_BEFORE: Final = 2
_EARLY: Final = 900
"""Draws the weather of days before the first: past any day of the works."""
_ANY_WEATHER: Final = 6
"""One photo in six is of a day that can bring anything: rain, fog, snow, dusk."""
_LAGS: Final = (0.0, 8.0, -8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseJob:
    """One course to see: site `number` of a track and split, a photo each `every` days."""

    number: int
    track: Track
    split: Split
    every: int = 1
    blind: Blind | None = None

    def do(self, judge: Judge, studio: Studio) -> Course:
        """Render and look; a second for three photos."""
        return see(judge, studio, self.project(), self)

    @property
    def season(self) -> Season:
        """The time of the year its photos are of."""
        return SEASONS[self.number % len(SEASONS)]

    def project(self) -> Project:
        """Its site: on plan, or 8 pp behind or ahead for a while, so that work also stalls and hurries."""
        lag = _LAGS[self.number % len(_LAGS)]
        slips = (Slip(from_day=16, to_day=48, lag_pp=lag),) if lag else ()
        return Project.sample(
            FIRST_SEED + self.number, track=self.track, days=DAYS, slips=slips, split=self.split
        )


def see(judge: Judge, studio: Studio, project: Project, job: CourseJob) -> Course:
    """Every photo of a project as the gateway would meet it, from two before the works to the last day."""
    view = judge.view(project.facade_quad(PICTURE), PICTURE)
    gate = Doorkeeper(view)
    day0, before = None, []
    for n in range(_BEFORE):
        picture = studio.photo(project, 0, Conditions.workday(job.number, _EARLY + n, season=job.season)).bgr
        gate.meets_day0(picture, n - _BEFORE)
        day0 = view.cut(picture)
        day0 = privacy.hide_people(day0, judge.look(day0, day0, project.track).aux)
        before.append(_pooled(judge.look(*blinded(day0, day0, job.blind), project.track), project))
    assert day0 is not None
    days = np.arange(1, project.days + 1, job.every)
    shots = tuple(_shot(judge, studio, project, job, view, gate, day0, int(day)) for day in days)
    return Course(
        number=job.number, track=job.track, split=job.split, days=project.days, floors=project.floors,
        bays=project.bays, weights=np.asarray(project.weights).ravel(), values=tuple(project.values),
        families=families_of(project), planned=np.array([project.planned_percent(float(d)) for d in days]),
        shots=shots, before=tuple(before),
    )  # fmt: skip


def families_of(project: Project) -> dict[str, str]:
    """The families this site's look was drawn from, as kind -> name."""
    look: Any = project.look
    named = {f.name: getattr(look, f.name) for f in dataclasses.fields(look)}
    return {name: value for name, value in named.items() if isinstance(value, str)}


def conditions(number: int, day: int, season: Season) -> Conditions:
    """The weather of a course's day: an ordinary working day, one in six whatever the season can bring."""
    rng = np.random.default_rng([number, day, 31])
    if rng.integers(_ANY_WEATHER):
        return Conditions.workday(number, day, season=season)
    drawn = Conditions.sample(rng)
    snows = drawn.weather == "snow" and season != "winter"
    return replace(drawn, season=season, weather="overcast" if snows else drawn.weather, jitter_px=(0.0, 0.0))


def _shot(
    judge: Judge,
    studio: Studio,
    project: Project,
    job: CourseJob,
    view: View,
    gate: Doorkeeper,
    day0: Any,
    day: int,
) -> Shot:
    weather = conditions(job.number, day, job.season)
    photo = studio.photo(project, day, weather)
    laid = gate.takes(photo.bgr, day)
    canvas = view.cut(laid.picture)
    outputs = judge.look(*blinded(canvas, day0, job.blind), project.track)
    readings = _pooled(outputs, project, view.cells_shown(laid.shown, outputs.stage.shape[1:]))
    return Shot(
        day=float(day), weather=_kind(weather), gate=laid.codes or doubts(outputs.quality),
        percent=np.array([np.nan if r.percent is None else r.percent for r in readings]),
        visible=np.array([r.visible for r in readings]),
        stage=np.array([-1 if r.stage is None else r.stage for r in readings]),
        reached=np.array([r.reached or (np.nan,) * 7 for r in readings]),
        true_zones=project.zone_percents(day).ravel(), true_stages=majority_stage(project.zone_stages(day)).ravel(),
        true=project.percent(day), changed=changed_percent(canvas, day0), hits=_hits(outputs, photo, view),
    )  # fmt: skip


def _hits(outputs: Outputs, photo: Photo, view: View) -> Any:
    return hits(outputs.aux, view.cut_classes(photo.aux, _OUTSIDE))


def _pooled(outputs: Outputs, project: Project, shown: Any = None) -> tuple[ZoneReading, ...]:
    return pool(
        outputs.stage, outputs.aux, CANVAS_QUAD, project.floors, project.bays, project.values, shown=shown
    )


def _kind(weather: Conditions) -> str:
    return "dusk" if weather.daylight < 0.4 else str(weather.weather)


def jobs(sites: int, *, split: Split, every: int, blind: Blind | None = None) -> list[CourseJob]:
    """`sites` courses of each track."""
    return [
        CourseJob(number=number, track=track, split=split, every=every, blind=blind)
        for track in TRACKS
        for number in range(sites)
    ]
