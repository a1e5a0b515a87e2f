"""A robot is never written to more often than it takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.channels.rate import Bucket


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 10), st.floats(0.05, 5))
def test_no_stretch_of_time_holds_more_than_capacity_and_what_fills_in(pauses, capacity, per_s):
    bucket, now, sent = Bucket.full(capacity=capacity, per_s=per_s, now_s=0.0), 0.0, []
    for pause in pauses:
        now += pause
        bucket, wait_s = bucket.taken(now)
        if not wait_s:
            sent.append(now)

    for i, first in enumerate(sent):
        for j in range(i, len(sent)):
            assert j - i + 1 <= capacity + (sent[j] - first) * per_s + 1e-6


@given(st.integers(1, 5), st.floats(0.05, 5))
def test_whoever_waits_as_long_as_told_is_let_through(capacity, per_s):
    bucket, now = Bucket.full(capacity=capacity, per_s=per_s, now_s=0.0), 0.0
    for _ in range(3 * capacity):
        bucket, wait_s = bucket.taken(now)
        if wait_s:
            now += wait_s + 1e-6
            bucket, wait_s = bucket.taken(now)
        assert wait_s == 0


def test_a_clock_that_steps_back_empties_nothing_and_fills_nothing():
    bucket, _ = Bucket.full(capacity=1, per_s=1, now_s=100.0).taken(100.0)

    assert bucket.taken(50.0)[1] == pytest.approx(1.0)


def test_a_bucket_that_never_holds_a_message_is_a_mistake():
    with pytest.raises(ValueError, match="at least one"):
        Bucket.full(capacity=0.5, per_s=1, now_s=0)
