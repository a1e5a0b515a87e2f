"""A rendered photo agrees with the project it shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from plumbline.stages import AUX_CLASSES
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import Conditions, render
from plumbline_sim.scene.truth import UNSEEN

SIZE = (640, 360)
NET = AUX_CLASSES.index("scaffold_net")
NOON = Conditions(hour=12, weather="cloudy", seed=5)


@pytest.fixture(scope="module", params=["new", "reno"])
def project(request):
    return Project.sample(21, track=request.param, days=60)


def test_the_same_arguments_give_the_same_picture(project):
    one, two = (render(project, 25.5, NOON, SIZE) for _ in range(2))
    assert np.array_equal(one.bgr, two.bgr)
    assert np.array_equal(one.aux, two.aux)


def test_another_shot_of_the_same_day_differs_but_its_truth_does_not(project):
    one, two = render(project, 25, NOON, SIZE), render(project, 25, Conditions(hour=9, seed=6), SIZE)
    assert np.abs(one.bgr.astype(int) - two.bgr).mean() > 2
    assert np.array_equal(one.stage, two.stage)


def test_the_zone_map_covers_the_facade_quad(project):
    shot = render(project, 30, NOON, SIZE)
    area = cv2.contourArea(np.array(project.facade_quad(SIZE), np.float32))
    assert (shot.zone >= 0).sum() == pytest.approx(area, rel=0.02)
    assert set(np.unique(shot.zone)) - {-1} == set(range(project.floors * project.bays))


def test_the_picture_s_stages_are_worth_the_true_percent(project):
    values = np.array(project.values)
    for day in (12, 27, 41):
        shot = render(project, day, NOON, (960, 540))
        shown = [
            100 * values[shot.stage[shot.zone == zone]].mean()
            for zone in range(project.floors * project.bays)
        ]
        assert np.dot(shown, np.ravel(project.weights)) == pytest.approx(project.percent(day), abs=1.2)


def test_zone_numbers_rise_from_the_ground(project):
    shot = render(project, 30, NOON, SIZE)
    lowest, highest = (np.nonzero(shot.zone == z)[0].mean() for z in (0, project.floors * project.bays - 1))
    assert lowest > highest


def test_maps_have_the_picture_s_shape_and_known_classes(project):
    shot = render(project, 30, NOON, SIZE)
    assert shot.bgr.shape == (360, 640, 3)
    assert shot.bgr.dtype == np.uint8
    assert shot.stage.shape == shot.aux.shape == shot.zone.shape == (360, 640)
    assert set(np.unique(shot.stage)) <= {*range(8), UNSEEN}
    assert shot.aux.max() <= 8


@pytest.mark.parametrize("fault", ["dark", "blur", "fog_rain", "obstructed", "lens_dirt", "not_a_site"])
def test_a_fault_is_labelled_and_seen(project, fault):
    good, bad = (
        render(project, 30, NOON, SIZE),
        render(project, 30, Conditions(hour=12, seed=5, fault=fault), SIZE),
    )
    assert sum(good.quality) == 0
    assert sum(bad.quality) == 1
    assert np.abs(good.bgr.astype(int) - bad.bgr).mean() > 3


def test_a_renovation_stands_behind_scaffold_only_while_it_is_up():
    project = Project.sample(21, track="reno", days=60)
    nets = [(render(project, day, NOON, SIZE).aux == NET).mean() for day in (0, 30, 60)]
    assert nets[0] == nets[2] == 0
    assert nets[1] > 0.01
