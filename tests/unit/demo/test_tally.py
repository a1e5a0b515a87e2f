"""The demo's count finds every loss and every repetition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumbline_sim.demo.tally import compare

ITEMS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=40)


@given(ITEMS, st.randoms(use_true_random=False))
def test_any_order_of_the_same_things_is_whole(items, rng):
    stored = items.copy()
    rng.shuffle(stored)
    tally = compare(items, stored)

    assert (tally.produced, tally.stored, tally.lost, tally.duplicated) == (len(items), len(items), 0, 0)


@given(ITEMS.filter(len), st.data())
def test_one_missing_is_one_lost_and_one_more_is_one_duplicated(items, data):
    at = data.draw(st.integers(0, len(items) - 1))

    assert compare(items, items[:at] + items[at + 1 :]).lost == 1
    assert compare(items, [*items, items[at]]).duplicated == 1


@given(ITEMS.filter(len), st.data())
def test_an_altered_value_is_both_lost_and_too_much(items, data):
    at = data.draw(st.integers(0, len(items) - 1))
    altered = [*items[:at], ("c", 9), *items[at + 1 :]]
    tally = compare(items, altered)

    assert (tally.lost, tally.duplicated) == (1, 1)
