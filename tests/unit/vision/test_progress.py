from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.settings import FacadeSettings
from plumbline_edge.vision.course import Course, Day
from plumbline_edge.vision.interval import Widths
from plumbline_edge.vision.progress import all_weights, combine, flat_weights, from_zero
from plumbline_edge.vision.zones import ZoneReading

NOW = datetime(2026, 5, 12, 2, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)


def seen(name, percent, visible=1.0):
    return ZoneReading(id=name, percent=percent, visible=visible, stage=3)


def hidden(name, visible=0.1):
    return ZoneReading(id=name, percent=None, visible=visible, stage=None)


def held(percent, at=YESTERDAY):
    day = Day(on=at.date(), percent=percent, weight=1.0)
    return Course(level=percent, at=at, days=(day,))


def widths(site_pp, zone_pp=None):
    return Widths(site_pp=(site_pp,), zone_pp=(zone_pp or site_pp,))


percents = st.floats(0, 100)
zones = st.lists(
    st.one_of(
        st.tuples(percents, st.floats(0.35, 1)).map(lambda z: seen("", *z)),
        st.floats(0, 0.34).map(lambda v: hidden("", v)),
    ),
    min_size=1,
    max_size=12,
).map(
    lambda found: [
        ZoneReading(id=f"f1b{i}", percent=z.percent, visible=z.visible, stage=z.stage)
        for i, z in enumerate(found)
    ]
)


def test_the_site_is_the_weighted_mean_of_its_zones():
    got = combine([seen("a", 10), seen("b", 50)], (0.75, 0.25), {}, NOW, widths=widths(4))

    assert got.percent == pytest.approx(20)
    assert (got.low, got.high) == pytest.approx((16, 24))


@given(zones, st.data())
def test_a_percent_lies_in_its_interval_and_between_0_and_100(readings, data):
    last = {r.id: held(data.draw(percents)) for r in readings if data.draw(st.booleans())}
    got = combine(readings, flat_weights(None, 1, len(readings)), last, NOW, widths=widths(5, 9))

    if got.percent is None:
        assert (got.low, got.high, got.gate) == (None, None, ("NOT_VISIBLE",))
    else:
        assert 0 <= got.low <= got.percent + 1e-9
        assert got.percent - 1e-9 <= got.high <= 100
        assert got.gate == ()
    for zone in got.zones:
        assert zone.percent is None or 0 <= zone.low <= zone.percent <= zone.high <= 100
        assert (zone.raw is None) == (zone.stage is None)


@given(zones, percents)
def test_a_percent_never_comes_from_a_photo_that_shows_nothing(readings, before):
    last = {r.id: held(before) for r in readings}
    unseen = [hidden(r.id) for r in readings]

    assert combine(unseen, flat_weights(None, 1, len(unseen)), last, NOW, widths=widths(5)).percent is None


def test_a_hidden_zone_repeats_its_last_value_and_says_so():
    last = {"b": held(40)}
    got = combine([seen("a", 20), hidden("b")], (0.5, 0.5), last, NOW, widths=widths(4))

    assert got.percent == pytest.approx(30)
    assert (got.zones[1].percent, got.zones[1].visible, got.zones[1].stage) == (40, 0, None)
    assert got.courses["b"] == last["b"]
    assert (got.courses["a"].level, got.courses["a"].at) == (20, NOW)


def test_a_zone_never_seen_is_unknown_not_zero():
    got = combine([seen("a", 60), hidden("b", 0.2)], (0.6, 0.4), {}, NOW, widths=widths(4))

    assert got.percent == pytest.approx(60)
    assert (got.zones[1].percent, got.zones[1].low, got.zones[1].visible) == (None, None, 0.2)
    assert "b" not in got.courses
    assert got.high - got.low > 2 * 0.4 * 50 - 1e-9


def test_with_less_than_half_of_the_weight_ever_seen_there_is_no_percent():
    got = combine([seen("a", 60), hidden("b")], (0.49, 0.51), {}, NOW, widths=widths(4))

    assert (got.percent, got.gate) == (None, ("NOT_VISIBLE",))
    assert {zone: course.level for zone, course in got.courses.items()} == {"a": 60}


def test_the_interval_widens_as_less_is_seen_and_as_held_values_age():
    def width(visible, age_days):
        last = {"b": held(50, NOW - timedelta(days=age_days))}
        got = combine([seen("a", 50, visible), hidden("b")], (0.5, 0.5), last, NOW, widths=widths(3))
        return got.high - got.low

    assert width(1, 1) < width(0.5, 1) < width(0.5, 9)


def test_weights_are_read_floor_by_floor_from_the_ground():
    assert flat_weights(((0.1, 0.2), (0.3, 0.4)), 2, 2) == pytest.approx((0.1, 0.2, 0.3, 0.4))


@given(st.integers(1, 9), st.integers(1, 9))
def test_equal_weights_add_up_to_one(floors, bays):
    weights = flat_weights(None, floors, bays)

    assert len(weights) == floors * bays
    assert sum(weights) == pytest.approx(1)


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 30))
def test_mending_the_toe_of_the_scale_keeps_order_and_ends(one, other, zero):
    low, high = sorted((one, other))
    (a,), (b,) = (from_zero([seen("a", percent)], {"a": zero}) for percent in (low, high))

    assert 0 <= a.percent <= b.percent <= 100
    assert from_zero([seen("a", zero)], {"a": zero})[0].percent == pytest.approx(0, abs=1e-9)
    assert from_zero([seen("a", 100)], {"a": zero})[0].percent == pytest.approx(100)


def test_a_zone_without_a_zero_or_without_a_percent_stays_as_it_is():
    readings = [seen("a", 40), hidden("b")]

    assert list(from_zero(readings, {"b": 10})) == readings


def test_a_building_that_looks_half_done_before_the_works_is_not_taken_for_nothing():
    (zone,) = from_zero([seen("a", 65)], {"a": 65})

    assert zone.percent == 65


def days_of(course_percents, zone="a", weight=1.0, last=None):
    """One photo a day of one zone; what the last one came to."""
    got, courses = None, dict(last or {})
    for day, percent in enumerate(course_percents):
        got = combine(
            [seen(zone, percent)], (weight,), courses, NOW + timedelta(days=day), widths=widths(3, 5)
        )
        courses = got.courses
    return got


def test_a_zone_that_fell_back_is_held_at_first_and_its_interval_reaches_down():
    got = days_of([50, 52, 54, 20])

    assert got.zones[0].percent > 50
    assert got.zones[0].raw == 20
    assert got.zones[0].low == 20
    assert got.low == pytest.approx(20)
    assert not got.zones[0].regress
    assert got.fallen == {}


def test_a_zone_that_stays_below_is_followed_and_named():
    got = days_of([50, 52, 54, 20, 21, 22])

    assert got.zones[0].percent == pytest.approx(22)
    assert got.zones[0].regress
    assert got.fallen["a"].before > 50
    assert got.fallen["a"].after == pytest.approx(22)
    assert days_of([50, 52, 54, 20, 21, 22, 23]).fallen == {}


def test_a_hidden_zone_that_has_fallen_still_says_so():
    fallen = days_of([50, 52, 54, 20, 21, 22])
    got = combine(
        [hidden("a"), seen("b", 9)], (0.5, 0.5), fallen.courses, NOW + timedelta(days=9), widths=widths(3)
    )

    assert got.zones[0].regress
    assert got.zones[0].raw is None


def test_a_late_photo_speaks_for_its_own_time_and_changes_nothing_newer():
    newest = days_of([50, 52, 54])
    got = combine(
        [seen("a", 40), hidden("b")], (0.9, 0.1), newest.courses, NOW - timedelta(days=3), widths=widths(3)
    )

    assert got.zones[0].percent == 40
    assert got.courses["a"] == newest.courses["a"]


def test_a_zone_hidden_in_a_late_photo_does_not_get_what_was_seen_after_it():
    got = combine([seen("b", 5), hidden("a")], (0.5, 0.5), {"a": held(80, NOW)}, YESTERDAY, widths=widths(3))

    assert got.zones[1].percent is None


def facade(name, floors, bays, **more):
    return FacadeSettings(name=name, quad=((0, 0), (1, 0), (1, 1), (0, 1)), floors=floors, bays=bays, **more)


def test_facades_count_by_their_shares_or_by_their_zones():
    wide, narrow = facade("wide", 2, 3), facade("narrow", 2, 1)
    by_share = all_weights([facade("wide", 2, 3, share=0.4), facade("narrow", 2, 1, share=0.6)])

    assert all_weights([wide, narrow]) == pytest.approx([1 / 8] * 8)
    assert sum(by_share[:6]) == pytest.approx(0.4)
    assert sum(by_share[6:]) == pytest.approx(0.6)
