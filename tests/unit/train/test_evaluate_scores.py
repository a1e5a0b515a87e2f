"""The arithmetic behind a card's figures, against slow and obvious versions of itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.stages import DEFAULT_VALUES
from plumbline_train.evaluate import scores

VALUES = st.lists(st.integers(-4, 4), min_size=2, max_size=12)


def slow_tau_b(one, other):
    concordant = discordant = only_one = only_other = 0
    for i in range(len(one)):
        for j in range(i):
            a, b = one[i] - one[j], other[i] - other[j]
            if a and b:
                concordant += a * b > 0
                discordant += a * b < 0
            else:
                only_one += bool(a)
                only_other += bool(b)
    moving = (concordant + discordant + only_one) * (concordant + discordant + only_other)
    return (concordant - discordant) / math.sqrt(moving) if moving else math.nan


@given(
    VALUES.flatmap(
        lambda a: st.tuples(st.just(a), st.lists(st.integers(-4, 4), min_size=len(a), max_size=len(a)))
    )
)
def test_tau_counts_pairs_and_ties_as_kendall_does(rows):
    one, other = rows

    assert scores.kendall_tau(one, other) == pytest.approx(slow_tau_b(one, other), nan_ok=True)


def test_a_percent_that_stands_for_a_while_is_not_in_perfect_order_with_the_days():
    assert scores.kendall_tau([1, 2, 3, 4], [1, 2, 3, 4]) == 1
    assert scores.kendall_tau([4, 3, 2, 1], [1, 2, 3, 4]) == -1
    assert scores.kendall_tau([1, 1, 2, 3], [1, 2, 3, 4]) == pytest.approx(5 / math.sqrt(5 * 6))
    assert math.isnan(scores.kendall_tau([2, 2, 2], [1, 2, 3]))


def test_a_photo_without_a_percent_has_no_part_in_the_order():
    assert scores.kendall_tau([1, np.nan, 3], [1, 2, 3]) == 1


def test_an_interval_holds_at_its_edges_and_an_absent_one_counts_nowhere():
    low, high, true = [0, 0, np.nan, 0], [10, 10, np.nan, 10], [10, 10.1, 5, 5]

    assert scores.coverage(low, high, true) == pytest.approx(2 / 3)


@given(st.floats(0, 7))
def test_a_zone_s_stage_is_the_one_that_holds_most_of_it(stage):
    begun = stage - math.floor(stage)
    named = int(scores.majority_stage(stage))

    assert named == math.floor(stage) + (1 if begun >= 0.5 else 0)


@given(st.floats(0, 7), st.sampled_from(["new", "reno"]))
def test_a_percent_leads_back_to_the_stage_it_came_from(stage, track):
    values = DEFAULT_VALUES[track]
    percent = 100 * np.interp(stage, np.arange(8), values)
    away_from_half = abs(stage - math.floor(stage) - 0.5) > 1e-6

    assert not away_from_half or scores.stage_of_percent(percent, values) == scores.majority_stage(stage)


def test_a_zone_without_a_percent_has_no_stage():
    assert scores.stage_of_percent([np.nan, 0.0, 100.0], DEFAULT_VALUES["new"]).tolist() == [-1, 0, 7]


def test_means_leave_out_what_was_not_measured():
    assert scores.mean_abs([np.nan, -2, 4]) == 3
    assert scores.mean([np.nan, -2, 4]) == 1
    assert math.isnan(scores.mean([np.nan]))
    assert scores.abs_quantile([np.nan, -10, 0], 1.0) == 10


def test_a_word_that_never_moves_has_no_correlation():
    assert scores.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert math.isnan(scores.correlation([5, 5, 5], [1, 2, 3]))
