"""A project's truth: monotone, weighted to one, late where it slipped."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_sim.scene.families import CATALOGUES
from plumbline_sim.scene.project import Project, Slip

SEEDS = st.integers(0, 2**31)
TRACKS = st.sampled_from(["new", "reno"])


@settings(max_examples=15, deadline=None)
@given(SEEDS, TRACKS)
def test_without_a_slip_the_truth_is_the_plan_and_never_falls(seed, track):
    project = Project.sample(seed, track=track, days=60)
    true = [project.percent(day) for day in range(61)]
    assert true == [project.planned_percent(day) for day in range(61)]
    assert (np.diff(true) >= 0).all()
    assert true[0] == pytest.approx(0, abs=0.5)
    assert true[-1] == pytest.approx(100)


@settings(max_examples=15, deadline=None)
@given(SEEDS, TRACKS, st.floats(0, 60))
def test_the_whole_is_the_weighted_mean_of_its_zones(seed, track, day):
    project = Project.sample(seed, track=track, days=60, slips=(Slip(from_day=15, to_day=45, lag_pp=9),))
    weights = np.asarray(project.weights)
    assert weights.sum() == pytest.approx(1)
    assert weights.shape == (project.floors, project.bays)
    assert (project.zone_percents(day) * weights).sum() == pytest.approx(project.percent(day), abs=0.15)


@settings(max_examples=15, deadline=None)
@given(SEEDS, TRACKS, st.floats(6, 16))
def test_a_slip_is_felt_caught_up_and_never_undoes_work(seed, track, lag):
    project = Project.sample(seed, track=track, days=60, slips=(Slip(from_day=16, to_day=46, lag_pp=lag),))
    days = np.linspace(0, 60, 121)
    true = np.array([project.percent(day) for day in days])
    behind = np.array([project.planned_percent(day) for day in days]) - true
    assert (np.diff(true) >= -1e-9).all()
    assert behind.max() == pytest.approx(lag, abs=1.0)
    assert np.abs(behind[days <= 16]).max() < 0.2
    assert np.abs(behind[days >= 46.5]).max() < 0.2


def test_stages_only_rise_in_every_zone():
    project = Project.sample(4, track="new", days=50)
    stages = np.stack([project.zone_stages(day) for day in range(51)])
    assert (np.diff(stages, axis=0) >= 0).all()
    assert stages[0].max() == 0
    assert stages[-1].min() == 7


def test_the_facade_lies_inside_the_picture_clockwise_from_top_left():
    for seed in range(20):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = Project.sample(seed, track="new", days=9).facade_quad(
            (640, 360)
        )
        assert 0 <= min(ax, dx) < max(ax, dx) < min(bx, cx) < max(bx, cx) <= 640
        assert 0 <= min(ay, by) < max(ay, by) < min(cy, dy) < max(cy, dy) <= 360


def test_a_project_can_be_written_down_and_follows_from_its_seed():
    one, two = (Project.sample(8, track="reno", days=30) for _ in range(2))
    assert one == two
    assert json.loads(json.dumps(one.as_json()))["floors"] == one.floors


def test_held_out_sites_share_no_family_with_those_of_training():
    for kind, catalogue in CATALOGUES.items():
        assert not set(catalogue["train"]) & set(catalogue["holdout"]), kind
    for seed in range(10):
        look = Project.sample(seed, track="new", days=9, split="holdout").look
        assert all(getattr(look, kind) in CATALOGUES[kind]["holdout"] for kind in CATALOGUES)


def test_a_project_without_a_course_is_refused():
    with pytest.raises(ConfigError, match="1 days"):
        Project.sample(1, track="new", days=1)
