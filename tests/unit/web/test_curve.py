from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline_central.indicators import Curve, Observation
from plumbline_central.plan import PlanCurve
from plumbline_central.plan_store import Baseline
from plumbline_central.web.curve import chart


@pytest.fixture
def start(told):
    return told.START


def plan(start, *points):
    return Baseline(
        site="s",
        indicator="progress",
        version=1,
        imported_at=start,
        source="plan.csv",
        imported_by="a.li",
        curve=PlanCurve(
            points=tuple((start + timedelta(days=day), float(percent)) for day, percent in points)
        ),
    )


def seen(start, day, percent, planned=None, *, half=2.0, gate=()):
    at = start + timedelta(days=day)
    return Observation(
        ref=f"r{day}", site="s", camera="c", photo="p", at=at, received_at=at, percent=percent,
        low=None if percent is None else max(percent - half, 0), high=None if percent is None else min(percent + half, 100),
        planned=planned, plan_version=1, standing="gated" if gate or percent is None else "judged", gate=gate,
        zones=(), quad=(), grid=(0, 0), facades=(), model="",
    )  # fmt: skip


def curve(baseline, *actual):
    return Curve(site="s", indicator="progress", unit="%", baseline=baseline, actual=actual)


def points(text):
    return [tuple(float(part) for part in point.split(",")) for point in text.split()]


def test_nothing_at_all_has_no_chart(start):
    assert chart(curve(None), start, 5.0) is None


def test_the_plan_runs_from_corner_to_corner(start):
    made = chart(curve(plan(start, (0, 0), (10, 100))), start + timedelta(days=5), 5.0)

    assert points(made.planned) == [(0, 1000), (1000, 0)]
    assert made.today == 50
    assert made.dots == ()


def test_a_plan_of_one_point_is_a_step(start):
    made = chart(curve(plan(start, (5, 60))), start + timedelta(days=5), 5.0)

    assert [y for _, y in points(made.planned)] == [1000, 1000, 400, 400]


def test_a_photo_more_than_five_points_off_is_outside_and_one_at_five_is_not(start):
    made = chart(
        curve(plan(start, (0, 0), (10, 100)), seen(start, 4, 35.0, 40.0), seen(start, 5, 44.9, 50.0)),
        start + timedelta(days=6),
        5.0,
    )

    assert [dot.outside for dot in made.dots] == [False, True]
    assert made.latest.observation.percent == 44.9
    assert made.latest_planned_y == 50.0


def test_an_unusable_photo_is_no_point_of_the_line(start):
    made = chart(
        curve(None, seen(start, 1, 10.0), seen(start, 2, None, gate=("DARK",)), seen(start, 3, 12.0)),
        start,
        5.0,
    )

    assert [dot.observation.percent for dot in made.dots] == [10.0, 12.0]
    assert len(points(made.actual)) == 2
    assert len(made.unusable) == 1


def test_a_moment_long_after_the_end_does_not_squeeze_the_chart(start):
    made = chart(curve(plan(start, (0, 0), (10, 100))), start + timedelta(days=900), 5.0)

    assert made.today is None
    assert made.end == start + timedelta(days=10)


def test_a_thousand_photos_are_thinned_and_the_newest_stays(start):
    actual = [seen(start, hour / 24, hour / 10, hour / 10) for hour in range(1000)]
    made = chart(curve(plan(start, (0, 0), (50, 100)), *actual), start + timedelta(days=42), 5.0)

    assert len(made.dots) <= 401
    assert made.latest.observation is actual[-1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 700), st.floats(0, 100)), min_size=1, max_size=12),
    st.lists(st.tuples(st.floats(-50, 900), st.one_of(st.none(), st.floats(0, 100))), max_size=30),
    st.floats(-100, 1500),
)
def test_everything_drawn_lies_inside_the_chart(planned, photos, now_day):
    start = datetime(2026, 3, 1, tzinfo=UTC)
    days = sorted({round(day, 3) for day, _ in planned})
    percents = sorted(percent for _, percent in planned)[: len(days)]
    baseline = plan(start, *zip(days, percents, strict=True))
    actual = [seen(start, day, percent, 50.0) for day, percent in sorted(photos, key=lambda one: one[0])]
    made = chart(curve(baseline, *actual), start + timedelta(days=now_day), 5.0)

    for line in (made.planned, made.tolerance, made.interval, made.actual):
        for x, y in points(line):
            assert -0.1 <= x <= 1000.1
            assert -0.1 <= y <= 1000.1
    assert all(0 <= tick.x <= 100 for tick in made.ticks)
    assert len(made.ticks) <= 8
    assert made.today is None or 0 <= made.today <= 100
