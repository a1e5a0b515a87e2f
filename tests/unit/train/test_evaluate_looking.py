"""What is done to one canvas before and after the model, the gate's tallies, and the order of results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project
from plumbline_train.evaluate import gatecheck, studio, workers
from plumbline_train.evaluate.courses import CourseJob, conditions, jobs
from plumbline_train.evaluate.gatecheck import Refused
from plumbline_train.evaluate.looking import blinded, changed_percent, hits
from plumbline_train.evaluate.studio import Studio

PERSON = AUX_CLASSES.index("person")
CANVAS = (64, 80)


def canvas(value):
    return np.full((*CANVAS, 3), value, np.uint8)


def test_a_model_blind_to_today_is_shown_day_0_twice():
    now, day0 = blinded(canvas(200), canvas(10), "now")

    assert now.max() == day0.max() == 10


def test_a_model_blind_to_the_facade_sees_only_the_sky_above_it():
    now, _ = blinded(canvas(200), canvas(10), "facade")

    assert (now[:10] == 200).all()
    assert (now[10:] == 128).all()


def test_a_seeing_model_is_shown_what_there_is():
    now, day0 = blinded(canvas(200), canvas(10), None)

    assert (now.min(), day0.max()) == (200, 10)


def test_only_change_on_the_facade_is_changed_area():
    now, before = canvas(100), canvas(100)
    now[:10] = 255

    assert changed_percent(now, before) == 0
    now[10:58, 8:40] = 0
    assert changed_percent(now, before) == pytest.approx(50, abs=2)


def test_a_person_touched_by_one_pixel_is_found_though_most_of_it_is_not():
    truth = np.zeros(CANVAS, np.uint8)
    truth[10:20, 10:14] = PERSON
    truth[40:44, 40:44] = PERSON
    truth[0, 0] = PERSON  # a speck is nothing to touch
    aux = np.zeros((len(AUX_CLASSES), 16, 20), np.float32)
    aux[0] = 0.5
    aux[PERSON, 3, 3] = 1  # canvas pixels 12..15 both ways
    found = hits(aux, truth)["person"]

    assert (found.things, found.things_touched) == (2, 1)
    assert (found.right, found.said, found.there) == (8, 16, 40 + 16 + 1)


def test_where_the_truth_is_unknown_nothing_said_is_wrong():
    aux = np.zeros((len(AUX_CLASSES), 16, 20), np.float32)
    aux[PERSON] = 1

    assert hits(aux, np.full(CANVAS, 255, np.uint8))["person"].said == 0


def test_the_weather_of_a_day_is_the_same_every_time_and_snow_falls_in_winter_only():
    kinds = {
        season: {conditions(number, day, season).weather for number in range(8) for day in range(60)}
        for season in ("winter", "summer")
    }

    assert conditions(3, 7, "autumn") == conditions(3, 7, "autumn")
    assert "snow" in kinds["winter"]
    assert "snow" not in kinds["summer"]
    assert {"fog", "rain"} <= kinds["summer"]


def test_courses_alternate_between_slips_so_that_work_also_stalls_and_hurries():
    lags = [[slip.lag_pp for slip in job.project().slips] for job in jobs(3, split="holdout", every=1)]

    assert lags == [[], [8.0], [-8.0]] * 2
    assert CourseJob(number=1, track="new", split="train").project().split == "train"


def test_a_fault_refused_under_another_name_is_caught_but_not_named():
    refusals = [
        Refused(rows=(("dark", ("DARK",)),)),
        Refused(rows=(("dark", ("BLUR",)),)),
        Refused(rows=(("dark", ()),)),
    ]
    table = gatecheck.recall(refusals)

    assert table == {"dark": {"shots": 3, "caught": pytest.approx(2 / 3), "named": pytest.approx(1 / 3)}}


def test_false_alarms_stand_by_weather(make_course):
    course = make_course(
        days=4, changed=lambda day: {"weather": "fog", "gate": ("FOG_RAIN",)} if day == 4 else {}
    )

    assert gatecheck.false_alarms([course]) == {
        "clear": {"shots": 3, "refused": 0},
        "fog": {"shots": 1, "refused": 1},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    word: int

    def do(self, judge, studio):
        return self.word, judge.size_hw


def test_results_come_in_the_order_of_the_jobs_and_each_is_reported(shipped):
    told = []
    results = list(
        workers.run([Echo(word=n) for n in range(5)], shipped, workers=1, report=lambda: told.append(1))
    )

    assert [word for word, _ in results] == list(range(5))
    assert all(height % 4 == width % 4 == 0 for _, (height, width) in results)
    assert len(told) == 5


def test_a_photo_is_drawn_once_and_read_again_bit_for_bit(tmp_path, monkeypatch):
    project = Project.sample(3, track="reno", days=60)
    drawn = [Studio(folder).photo(project, 20, Conditions()) for folder in (None, tmp_path)]
    monkeypatch.setattr(studio, "render", None)  # another drawing would fail
    kept = Studio(tmp_path).photo(project, 20, Conditions())

    for photo in drawn:
        assert (photo.bgr == kept.bgr).all()
        assert (photo.aux == kept.aux).all()
    with pytest.raises(TypeError):
        Studio(tmp_path).photo(project, 21, Conditions())
