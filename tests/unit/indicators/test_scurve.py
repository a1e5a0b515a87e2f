from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_central.scurve import Stretch, linear, logistic, through

from .conftest import START, day

stretches = st.builds(
    lambda days, total, step: Stretch(
        start=START, end=START + timedelta(days=days), total=total, step=timedelta(days=step), kind="quantity"
    ),
    st.floats(1, 2000),
    st.floats(0.01, 1e9),
    st.floats(0.5, 60),
)


@given(stretches, st.floats(0.1, 50), st.floats(0.05, 0.95))
def test_an_s_begins_at_nothing_ends_at_the_total_and_never_falls(stretch, steepness, middle):
    curve = logistic(stretch, steepness=steepness, middle=middle)

    assert curve.points[0] == (stretch.start, 0.0)
    assert curve.points[-1] == (stretch.end, stretch.total)


@given(stretches)
def test_a_straight_plan_is_straight(stretch):
    half = linear(stretch).planned_at(stretch.start + (stretch.end - stretch.start) / 2)

    assert half == pytest.approx(stretch.total / 2, rel=1e-6)


def test_an_s_is_half_done_in_the_middle_and_slow_at_both_ends():
    curve = logistic(Stretch(start=START, end=day(100), step=timedelta(days=1)))

    assert curve.planned_at(day(50)) == pytest.approx(50)
    assert curve.planned_at(day(10)) < 5
    assert curve.planned_at(day(90)) > 95


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 100)), min_size=1, max_size=10))
def test_a_plan_through_milestones_reaches_its_total_at_the_last_of_them(due):
    due = [*due, (501, 1.0)]
    curve = through(START, [(day(number), weight) for number, weight in due])

    assert curve.points[0] == (START, 0.0)
    assert curve.points[-1] == (day(501), 100.0)


def test_what_makes_no_plan_is_said():
    with pytest.raises(ConfigError, match="end is not after"):
        linear(Stretch(start=START, end=START))
    with pytest.raises(ConfigError, match="no milestone has a weight"):
        through(START, [(day(1), 0.0)])
    with pytest.raises(ConfigError, match="before the start"):
        through(START, [(day(-1), 1.0)])
    with pytest.raises(ConfigError, match="make no S"):
        logistic(Stretch(start=START, end=day(9)), steepness=0)
    with pytest.raises(ConfigError, match="more than"):
        linear(Stretch(start=START, end=day(9), step=timedelta(seconds=1)))
