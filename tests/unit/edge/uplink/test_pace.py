"""Patience follows the link, and so does the size of a batch."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.uplink.pace import (
    FIRST_BYTES,
    LEAST_BYTES,
    MOST_BYTES,
    Pace,
    reconnect_wait_s,
)
from plumbline_edge.uplink.window import Flight


def flight(
    sent_at: float = 0.0,
    *,
    size: int = FIRST_BYTES,
    attempt: int = 1,
    crowded: bool = False,
) -> Flight:
    return Flight(
        first=1,
        last=1,
        live=False,
        attempt=attempt,
        size=size,
        sent_at=sent_at,
        first_sent_at=sent_at,
        deadline=0.0,
        crowded=crowded,
    )


def test_before_any_answer_patience_is_ten_seconds():
    assert Pace().patience_s(1) == 10.0


def test_patience_is_the_smoothed_time_plus_four_deviations_and_ten_seconds_at_least():
    pace = Pace()
    pace.answered(0.1, flight())
    quick = pace.patience_s(1)
    pace = Pace()
    pace.answered(4.0, flight())
    after_one = pace.patience_s(1)
    pace.answered(14.0, flight(10.0))

    assert quick == 10
    assert after_one == 4 + 4 * 2
    assert pace.patience_s(1) == 4 + 4 * 1.5


def test_a_batch_that_was_sent_twice_measures_nothing():
    pace = Pace()
    pace.answered(100.0, flight(attempt=2))

    assert pace.smoothed_s is None


def test_where_answers_come_later_than_patience_lasts_patience_grows_until_they_are_waited_for():
    pace = Pace()
    pace.answered(2.0, flight())
    for n in range(1, 40):
        pace.answered(n * 100.0 + 31, replace(flight(n * 100.0 + 30), first_sent_at=n * 100.0, attempt=2))

    assert 31 < pace.patience_s(1) < 120


def test_silence_doubles_patience_until_a_batch_sent_once_is_answered():
    pace = Pace()
    pace.timed_out(10.0, flight(0.0), heard=False)
    pace.timed_out(10.0, flight(1.0), heard=False)
    once = pace.patience_s(1)
    pace.timed_out(30.0, flight(10.0, attempt=2), heard=False)
    twice = pace.patience_s(1)
    pace.answered(31.0, flight(11.0, attempt=3))
    still = pace.patience_s(1)
    pace.answered(32.0, flight(31.0))

    assert (once, twice, still) == (20.0, 40.0, 40.0)
    assert pace.patience_s(1) == 10.0


def test_one_lost_batch_among_answered_ones_is_no_silence():
    pace = Pace()
    pace.timed_out(10.0, flight(0.0), heard=True)

    assert pace.patience_s(1) == 10.0


def test_a_batch_that_never_arrives_is_tried_ever_more_rarely_though_others_are_answered():
    pace = Pace()

    assert [pace.patience_s(attempt) for attempt in (1, 5, 6, 7, 99)] == [10.0, 10.0, 20.0, 40.0, 300.0]


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e6), st.integers(0, 1 << 20)), max_size=60))
def test_patience_and_size_stay_in_their_bounds_whatever_happens(happened):
    pace = Pace()
    now = 0.0
    for answered, took_s, size in happened:
        now += took_s
        if answered:
            pace.answered(now, flight(now - took_s, size=size))
        else:
            pace.timed_out(now, flight(now - took_s, size=size), heard=False)

        assert LEAST_BYTES <= pace.batch_bytes <= MOST_BYTES
        assert 10.0 <= pace.patience_s(1, size) <= 300.0


def test_on_a_fat_link_batches_grow_to_the_most_in_a_few_answers():
    pace = Pace()
    for n in range(4):
        pace.answered(n + 0.05, flight(float(n), size=pace.batch_bytes))

    assert pace.batch_bytes == MOST_BYTES


def test_small_batches_prove_nothing_about_large_ones():
    pace = Pace()
    for n in range(100):
        pace.answered(n + 0.05, flight(float(n), size=500))

    assert pace.batch_bytes == FIRST_BYTES


def test_a_slow_answer_halves_once_for_all_that_was_sent_before_it_came():
    pace = Pace()
    pace.answered(0.1, flight(0.0, size=1))
    pace.answered(9.1, flight(0.0))
    pace.answered(9.2, flight(0.5))
    once = pace.batch_bytes
    pace.answered(20.0, flight(10.0))

    assert once == FIRST_BYTES / 2
    assert pace.batch_bytes == FIRST_BYTES / 4


def test_a_long_way_is_no_queue():
    pace = Pace()
    for n in range(20):
        pace.answered(n * 20 + 12.0, flight(n * 20.0, size=pace.batch_bytes))

    assert pace.batch_bytes == MOST_BYTES


def test_what_travels_behind_a_photo_is_waited_for_longer_and_measures_nothing():
    pace = Pace()
    pace.answered(1.0, flight(0.0, size=1))
    photo = 10 * pace.backlog_bytes
    patience = pace.patience_s(1, photo)
    pace.answered(40.0, flight(1.0, crowded=True))

    assert pace.is_large(photo)
    assert patience == 10.0 + 10 * 8.0
    assert pace.smoothed_s == 1.0
    assert pace.batch_bytes == FIRST_BYTES


def test_five_hundred_gateways_are_spread_over_seconds_then_over_a_minute():
    chance = random.Random(1)
    first = sorted(reconnect_wait_s(1, chance) for _ in range(500))
    tenth = sorted(reconnect_wait_s(10, chance) for _ in range(500))

    assert first[0] >= 0.5
    assert max(sum(at <= wait < at + 0.5 for wait in first) for at in (0.5, 1, 2, 3, 3.5)) < 150
    assert 50 < tenth[-1] <= 60
    assert tenth[250] > 20
