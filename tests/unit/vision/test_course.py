from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plumbline_edge.vision.course import (
    DAYS,
    REGRESS_PP,
    Course,
    Day,
    forgotten,
    is_doubted,
    line_end,
    step,
)

BEGIN = datetime(2026, 5, 12, 10, tzinfo=UTC)
percents = st.floats(0, 100)
shares = st.floats(0.35, 1)
photos = st.lists(st.tuples(st.integers(0, 60 * 24), percents, shares), min_size=1, max_size=40)


def run(shots, course=None, **limits):
    """The courses after each (hours, percent, visible), and each regress with its place."""
    course, courses, said = course or Course(), [], []
    for i, (hours, percent, visible) in enumerate(shots):
        course, regress = step(
            course, percent, visible, BEGIN + timedelta(hours=hours), **{"half_pp": 4.0} | limits
        )
        courses.append(course)
        if regress is not None:
            said.append((i, regress))
    return courses, said


def daily(*values):
    return [(24 * day, percent, 1.0) for day, percent in enumerate(values)]


def on_days(pairs):
    """Days of full weight, from (day, percent)."""
    return [
        Day(on=(BEGIN + timedelta(days=day)).date(), percent=percent, weight=1.0) for day, percent in pairs
    ]


@given(st.sets(st.integers(0, 40), min_size=1, max_size=10), st.floats(0, 2), st.floats(0, 20), st.data())
def test_on_an_even_rise_the_line_ends_on_it_however_far_apart_photos_are(days, rise, start, data):
    at = sorted(days)
    weighed = [
        Day(on=day.on, percent=day.percent, weight=data.draw(shares))
        for day in on_days([(day, start + rise * day) for day in at])
    ]

    assert line_end(weighed) == pytest.approx(start + rise * at[-1])


@given(st.lists(percents, min_size=1, max_size=10))
def test_the_lines_end_is_never_past_what_was_seen(values):
    end = line_end(on_days(enumerate(values)))

    assert min(values) <= end <= max(values)


def test_the_line_follows_a_lasting_fall_no_further_than_to_what_was_seen():
    assert line_end(on_days(enumerate([50, 50, 50, 44, 44, 44, 44, 44, 44, 44]))) == pytest.approx(
        44, abs=0.5
    )


@given(photos)
def test_a_level_lies_between_the_lowest_and_the_highest_seen(shots):
    courses, _ = run(sorted(shots))
    seen = [percent for _, percent, _ in shots]

    assert all(min(seen) - 1e-6 <= course.level <= max(seen) + 1e-6 for course in courses)


@given(photos, st.floats(0.5, 30))
def test_no_zone_rises_faster_than_it_may(shots, limit):
    courses, said = run(sorted(shots), max_rise_pp=limit)
    assume(not said)
    ends = {course.at.date(): course for course in courses}

    for before, after in pairwise(ends.values()):
        days = (after.at.date() - before.at.date()).days
        assert after.level - before.level <= limit * days + 1e-6


@given(st.lists(percents, min_size=1, max_size=30))
def test_what_only_rises_never_falls_and_is_never_called_a_regress(values):
    courses, said = run(daily(*sorted(values)))
    levels = [course.level for course in courses]

    assert all(a <= b + 1e-9 for a, b in pairwise(levels))
    assert said == []


@given(photos, st.integers(1, 60 * 24), percents)
def test_a_photo_from_the_past_changes_nothing(shots, ago, percent):
    courses, _ = run(sorted(shots))
    late = courses[-1].at - timedelta(hours=ago)

    assert step(courses[-1], percent, 1.0, late, half_pp=4.0) == (courses[-1], None)


@given(photos)
def test_no_more_days_are_kept_than_count(shots):
    courses, _ = run(sorted(shots))

    assert all(len(course.days) <= DAYS and len(course.doubted) <= 2 for course in courses)
    assert all(a.on < b.on for course in courses for a, b in pairwise(course.days))


@given(st.lists(st.floats(40, 60), min_size=3, max_size=12), st.floats(0, 20))
def test_three_days_far_below_are_one_regress_and_the_zone_follows(before, low):
    courses, said = run(daily(*sorted(before), low, low, low, low, low))
    ((place, regress),) = said

    assert place == len(before) + 2
    assert regress.before == courses[len(before) - 1].level
    assert regress.after == pytest.approx(low)
    assert courses[-1].level == pytest.approx(low)
    assert courses[-1].fell_from == regress.before
    for held in courses[len(before) : len(before) + 2]:
        assert held.level == courses[len(before) - 1].level
        assert is_doubted(held)


@given(st.lists(st.floats(40, 60), min_size=3, max_size=9), st.floats(0, 30), st.integers(1, 2))
def test_one_or_two_bad_days_leave_no_trace(before, low, bad):
    """Somebody parked a lorry there."""
    good = sorted(before)
    courses, said = run(daily(*good, *[low] * bad, good[-1]))
    undisturbed, _ = run([*daily(*good), (24 * (len(good) + bad), good[-1], 1.0)])

    assert said == []
    assert courses[-1].level == pytest.approx(undisturbed[-1].level)


@given(st.floats(30, 50), st.floats(10, 50))
def test_coming_back_from_one_outlier_upwards_is_no_regress(usual, spike):
    courses, said = run(daily(usual, usual, usual, usual + spike, usual, usual, usual, usual))

    assert said == []
    assert courses[-1].level - usual <= 4.01


@given(st.floats(40, 60), st.floats(0, 20))
def test_one_day_that_looks_better_again_does_not_start_the_count_of_a_fall_anew(usual, low):
    courses, said = run(daily(usual, usual, usual, low, low, usual, low))

    assert [place for place, _ in said] == [6]
    assert not is_doubted(courses[5])
    assert courses[-1].level == pytest.approx(low)


def test_doubted_days_that_are_long_ago_count_no_more():
    assert run(daily(60, 60, 60, 20, 20, 60, 60, 20, 60))[1] == []


@given(photos, percents)
def test_with_another_model_the_next_photo_counts_as_if_it_were_the_first(shots, percent):
    courses, _ = run(sorted(shots))
    later = courses[-1].at + timedelta(days=1)
    course, regress = step(forgotten(courses[-1]), percent, 1.0, later, half_pp=4.0)

    assert forgotten(courses[-1]).level == courses[-1].level
    assert course.level == percent
    assert regress is None


def test_a_regress_has_to_exceed_the_zones_own_interval():
    shots = daily(60, 60, 60, 45, 45, 45)

    assert len(run(shots, half_pp=10.0)[1]) == 1
    assert run(shots, half_pp=20.0)[1] == []


def test_a_fall_smaller_than_six_points_is_noise():
    assert run(daily(60, 60, 60, *[60 - REGRESS_PP + 0.1] * 5), half_pp=0.0)[1] == []


def test_the_mark_goes_when_the_zone_has_come_back_and_the_next_fall_is_another_cause():
    courses, said = run(daily(60, 60, 60, 30, 30, 30, 40, 50, 58, 60, 61, 20, 20, 20))

    assert [place for place, _ in said] == [5, 13]
    assert [course.fell_from is not None for course in courses] == (
        [False] * 5 + [True] * 3 + [False] * 5 + [True]
    )


def test_two_photos_of_a_day_are_one_day():
    shots = daily(60, 60, 60)
    low = [(24 * day + hour, 30, 1.0) for day in (3, 4) for hour in (0, 4)]

    assert run([*shots, *low])[1] == []
    assert len(run([*shots, *low, (24 * 5, 30, 1.0), (24 * 5 + 4, 30, 1.0)])[1]) == 1


def test_a_day_is_the_mean_of_its_photos_by_how_much_they_show():
    courses, _ = run([(0, 40, 1.0), (4, 70, 0.5)])

    assert courses[-1].level == pytest.approx(50)


@given(photos, st.integers(0, 39))
def test_a_course_that_was_kept_and_read_back_goes_on_the_same(shots, cut):
    shots = sorted(shots)
    assume(cut < len(shots))
    first, _ = run(shots[:cut])
    kept = msgspec.json.decode(msgspec.json.encode(first[-1] if first else Course()), type=Course)

    assert run(shots[cut:], kept) == run(shots[cut:], first[-1] if first else Course())
