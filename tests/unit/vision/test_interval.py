from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError
from plumbline_edge.vision.interval import (
    ENOUGH_PHOTOS,
    LEAST_VISIBLE,
    Widths,
    bounds,
    fitted,
    of_card,
    of_site,
    quantile,
)

CARD = {"new": {"edges": [25, 75], "site_pp": [2, 4, 3], "zone_pp": [6, 9, 5], "doubt_weight": 0.5}}
scores = st.lists(st.floats(0, 50), min_size=1, max_size=60)


def test_a_card_without_bands_gives_one_width_everywhere():
    widths = of_card(CARD, "reno", site_pp=7.0, zone_pp=12.0)

    assert {widths.site(percent, 1.0, 1.0) for percent in (0, 50, 100)} == {7.0}
    assert widths.zone(50, 0.25, 0.0) == 24.0


def test_a_width_is_its_bands_and_grows_with_doubt_and_with_what_is_hidden():
    widths = of_card(CARD, "new", site_pp=7.0, zone_pp=12.0)

    assert [widths.site(percent, 1.0, 0.0) for percent in (0, 24.9, 25, 74, 75, 100)] == [2, 2, 4, 4, 3, 3]
    assert widths.zone(50, 1.0, 0.0) < widths.zone(50, 1.0, 0.5) < widths.zone(50, 0.5, 0.5)
    assert widths.zone(50, 0.0, 0.0) == widths.zone(50, LEAST_VISIBLE, 0.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"edges": [75, 25]},
        {"edges": [25]},
        {"zone_pp": [6, 9]},
        {"site_pp": [2, -4, 3]},
        {"site_pp": [2, float("nan"), 3]},
        {"site_pp": None},
        {"doubt_weight": "much"},
    ],
)
def test_a_table_that_makes_no_sense_is_refused(changed):
    with pytest.raises(ConfigError, match="interval"):
        of_card({"new": CARD["new"] | changed}, "new", site_pp=7.0, zone_pp=12.0)


@given(scores, st.randoms())
def test_a_quantile_is_one_of_the_scores_in_any_order_and_at_least_nine_tenths_of_them(values, rng):
    shuffled = list(values)
    rng.shuffle(shuffled)
    got = quantile(values)

    assert got in values
    assert got == quantile(shuffled)
    assert sum(v <= got for v in values) >= 0.9 * len(values) - 1e-9 or got == max(values)


def test_the_next_error_lies_within_in_nine_of_ten_cases():
    rng = random.Random(4)
    hits = 0
    for _ in range(2000):
        past = [rng.gauss(0, 3) for _ in range(40)]
        hits += abs(rng.gauss(0, 3)) <= quantile(past)

    assert 0.88 <= hits / 2000 <= 0.94


@given(st.lists(st.floats(0, 30), max_size=20), st.lists(st.floats(0, 30), max_size=50))
def test_a_sites_own_errors_count_from_eight_photos_on(site_scores, zone_scores):
    card = of_card(CARD, "new", site_pp=7.0, zone_pp=12.0)
    got = of_site(card, site_scores, zone_scores)

    if len(site_scores) < ENOUGH_PHOTOS or not zone_scores:
        assert got is card
    else:
        assert got == Widths(
            site_pp=(quantile(site_scores),), zone_pp=(quantile(zone_scores),), doubt_weight=0.5
        )


def test_a_band_gets_its_own_width_and_a_scarce_one_never_less_than_all():
    errors = [1.0] * 50 + [8.0] * 50 + [2.0]
    percents = [10.0] * 50 + [50.0] * 50 + [90.0]
    got = fitted(errors, percents, [1.0] * 101, (25, 75))

    assert got == (1.0, 8.0, 8.0)


def test_difficulty_is_taken_out_of_a_width_before_it_is_put_in_again():
    widths = Widths(site_pp=(1,), zone_pp=(1,), doubt_weight=1.0)
    hard = widths.difficulty(0.25, 1.0)

    assert hard == 4
    assert fitted([8.0] * 20, [50.0] * 20, [hard] * 20, ()) == (2.0,)


@given(st.floats(0, 100), st.floats(0, 60), st.none() | st.floats(0, 100))
def test_bounds_hold_the_percent_and_stay_on_the_scale(percent, half, below):
    low, high = bounds(percent, half, also_below=below)

    assert 0 <= low <= percent <= high <= 100
    assert below is None or low <= below or below > percent
