from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.vision.progress import Held, combine, flat_weights, from_zero
from plumbline_edge.vision.zones import ZoneReading

NOW = datetime(2026, 5, 12, 2, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)


def seen(name, percent, visible=1.0):
    return ZoneReading(id=name, percent=percent, visible=visible, stage=3)


def hidden(name, visible=0.1):
    return ZoneReading(id=name, percent=None, visible=visible, stage=None)


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
    got = combine([seen("a", 10), seen("b", 50)], (0.75, 0.25), {}, NOW, interval_pp=4)

    assert got.percent == pytest.approx(20)
    assert (got.low, got.high) == pytest.approx((16, 24))


@given(zones, st.data())
def test_a_percent_lies_in_its_interval_and_between_0_and_100(readings, data):
    last = {
        r.id: Held(percent=data.draw(percents), at=YESTERDAY) for r in readings if data.draw(st.booleans())
    }
    got = combine(
        readings, flat_weights(None, 1, len(readings)), last, NOW, interval_pp=5, zone_interval_pp=9
    )

    if got.percent is None:
        assert (got.low, got.high, got.gate) == (None, None, ("NOT_VISIBLE",))
    else:
        assert 0 <= got.low <= got.percent + 1e-9
        assert got.percent - 1e-9 <= got.high <= 100
        assert got.gate == ()
    for zone in got.zones:
        assert zone.percent is None or 0 <= zone.low <= zone.percent <= zone.high <= 100


@given(zones, percents)
def test_a_percent_never_comes_from_a_photo_that_shows_nothing(readings, before):
    last = {r.id: Held(percent=before, at=YESTERDAY) for r in readings}
    unseen = [hidden(r.id) for r in readings]

    assert combine(unseen, flat_weights(None, 1, len(unseen)), last, NOW, interval_pp=5).percent is None


def test_a_hidden_zone_repeats_its_last_value_and_says_so():
    last = {"b": Held(percent=40, at=YESTERDAY)}
    got = combine([seen("a", 20), hidden("b")], (0.5, 0.5), last, NOW, interval_pp=4)

    assert got.percent == pytest.approx(30)
    assert (got.zones[1].percent, got.zones[1].visible, got.zones[1].stage) == (40, 0, None)
    assert got.held["b"] == last["b"]
    assert got.held["a"] == Held(percent=20, at=NOW)


def test_a_zone_never_seen_is_unknown_not_zero():
    got = combine([seen("a", 60), hidden("b", 0.2)], (0.6, 0.4), {}, NOW, interval_pp=4)

    assert got.percent == pytest.approx(60)
    assert (got.zones[1].percent, got.zones[1].low, got.zones[1].visible) == (None, None, 0.2)
    assert "b" not in got.held
    assert got.high - got.low > 2 * 0.4 * 50 - 1e-9


def test_with_less_than_half_of_the_weight_ever_seen_there_is_no_percent():
    got = combine([seen("a", 60), hidden("b")], (0.49, 0.51), {}, NOW, interval_pp=4)

    assert (got.percent, got.gate) == (None, ("NOT_VISIBLE",))
    assert got.held == {"a": Held(percent=60, at=NOW)}


def test_the_interval_widens_as_less_is_seen_and_as_held_values_age():
    def width(visible, age_days):
        last = {"b": Held(percent=50, at=NOW - timedelta(days=age_days))}
        got = combine([seen("a", 50, visible), hidden("b")], (0.5, 0.5), last, NOW, interval_pp=3)
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
