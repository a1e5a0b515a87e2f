"""Alerts are counted as the docstring of `slips` says, with central's own rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_sim.scene.project import Slip
from plumbline_train.evaluate import slips
from plumbline_train.evaluate.chain import through_time
from plumbline_train.evaluate.slips import Alert, Episode, Tally

DAYS = np.arange(1.0, 61.0)
TRUE = DAYS * 100 / 60


def slipped(lag, start=10.0):
    return slips.planned(TRUE, DAYS, Slip(from_day=start, to_day=start + slips.SPAN_DAYS, lag_pp=lag))


def words(said, width=3.0):
    return said, said - width, said + width


@given(st.sampled_from(slips.QUIET_PP + slips.ON_THE_LINE_PP + slips.LOUD_PP), st.floats(4, 28))
def test_a_plan_never_falls_and_stays_a_percent(lag, start):
    plan = slipped(lag, start)

    assert (np.diff(plan) >= 0).all()
    assert plan.min() >= 0
    assert plan.max() <= 100


def test_an_episode_is_the_days_on_which_the_truth_is_beyond_five_points():
    true, plan = np.array([10, 20, 30, 40, 50, 60.0]), np.array([10, 25, 36, 46, 50, 54.0])

    assert slips.episodes(np.arange(6.0), true, plan) == [
        Episode(side="behind", first=2, last=3),
        Episode(side="ahead", first=5, last=5),
    ]


def test_exactly_five_points_are_not_beyond_them():
    assert slips.episodes([1.0, 2.0], [10.0, 20.0], [15.0, 25.0]) == []


@pytest.mark.parametrize("lag", slips.LOUD_PP)
def test_someone_who_knows_the_truth_finds_every_loud_slip_and_cries_no_wolf(lag):
    plan = slipped(lag)
    due = slips.episodes(DAYS, TRUE, plan)
    tally = slips.tally(slips.alerts(DAYS, *words(TRUE), plan), due, 60.0)

    assert tally.episodes == tally.found == 1
    assert tally.raised == tally.right == 1


def test_a_small_slip_raises_nothing_from_the_truth():
    for lag in slips.QUIET_PP:
        assert slips.alerts(DAYS, *words(TRUE), slipped(lag)) == []


def test_an_alert_turns_red_only_when_its_whole_interval_is_beyond():
    narrow = slips.alerts(DAYS, *words(TRUE, 3.0), slipped(15.0))
    wide = slips.alerts(DAYS, *words(TRUE, 11.0), slipped(15.0))

    assert narrow[0].red is not None
    assert narrow[0].red >= narrow[0].raised
    assert wide[0].red is None


def test_an_alert_is_cleared_when_the_work_is_back_on_plan():
    (alert,) = slips.alerts(DAYS, *words(TRUE), slipped(15.0, start=5.0))

    assert alert.side == "behind"
    assert alert.cleared is not None
    assert alert.cleared > alert.raised


def test_a_word_without_percent_is_no_observation():
    said = np.full(60, np.nan)

    assert slips.alerts(DAYS, said, said, said, slipped(15.0)) == []


@pytest.mark.parametrize(
    ("raised", "found"),
    [(20.0, 1), (27.0, 1), (27.5, 0), (12.0, 1)],
    ids=["at once", "day 7", "late", "early"],
)
def test_an_episode_is_found_by_an_alert_that_stands_within_seven_days(raised, found):
    due = [Episode(side="behind", first=20, last=40)]

    assert slips.tally([Alert(side="behind", raised=raised)], due, 60.0).found == found


def test_an_alert_on_the_other_side_finds_nothing_and_is_wrong():
    due = [Episode(side="behind", first=20, last=40)]
    tally = slips.tally([Alert(side="ahead", raised=21)], due, 60.0)

    assert (tally.found, tally.raised, tally.right) == (0, 1, 0)


def test_an_alert_that_was_cleared_before_the_episode_finds_nothing():
    due = [Episode(side="behind", first=20, last=40)]

    assert slips.tally([Alert(side="behind", raised=12, cleared=15)], due, 60.0).found == 0


@pytest.mark.parametrize(("day", "right"), [(13.0, 1), (12.9, 0), (47.0, 1), (47.1, 0)])
def test_an_alert_is_right_within_seven_days_of_the_episode(day, right):
    due = [Episode(side="behind", first=20, last=40)]

    assert slips.tally([Alert(side="behind", raised=day)], due, 60.0).right == right


def test_an_episode_too_near_the_end_to_be_found_is_not_asked_for():
    assert slips.tally([], [Episode(side="behind", first=54, last=60)], 60.0).episodes == 0


def test_tallies_add_up_and_shares_of_nothing_are_unknown():
    total = Tally(trials=1, episodes=2, found=1, raised=4, right=3) + Tally(trials=1, episodes=2, found=2)
    figures = total.figures()

    assert figures["recall"] == 0.75
    assert figures["precision"] == 0.75
    assert np.isnan(Tally().figures()["precision"])


def test_the_plan_as_a_word_never_raises_and_a_model_that_sees_beats_every_baseline(make_course):
    courses = [make_course(number=number) for number in (1, 3)]
    judged = slips.judged([(course, through_time(course)) for course in courses])
    model, plan = judged["model"].figures(), judged["plan"].figures()

    assert model["recall"] >= 0.9
    assert plan["recall"] == 0
    assert plan["alerts"] == 0
    assert judged["changed_area"].figures()["precision"] < model["precision"]


def test_the_same_course_slips_on_the_same_days_every_time(make_course):
    course = make_course()
    said = through_time(course)
    once, twice = (slips.judged([(course, said)]) for _ in range(2))

    assert once == twice
