from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.alerts.alert import Slot
from plumbline_central.alerts.rates import Raise, most_within, rates
from plumbline_central.alerts.states import State

from .conftest import SITE, START, condition

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def raised(*minutes, subject="m1", **how):
    slot = Slot(site=SITE, rule="meter_fault", subject=subject)
    return [Raise(at=START + minute * MINUTE, slot=slot, **how) for minute in minutes]


def figures(raises, hours=10.0, chatter=HOUR, standing=()):
    ordered = sorted(raises, key=lambda one: one.at)
    return rates(ordered, standing, START, START + hours * HOUR, chatter_within=chatter)


def test_a_rate_is_the_last_span_the_worst_and_the_mean():
    found = figures(raised(5, 100, 105, 106, 140, 595, 599))

    assert (found.per_10_minutes.now, found.per_10_minutes.peak) == (2, 3)
    assert (found.per_hour.now, found.per_hour.peak) == (2, 4)
    assert found.per_hour.mean == pytest.approx(0.7)
    assert found.per_10_minutes.mean == pytest.approx(7 / 60)


def test_what_nobody_was_told_of_is_no_rate_but_can_chatter():
    found = figures(raised(1, 2, 3, told=False))

    assert (found.per_hour.peak, found.per_hour.mean) == (0, 0)
    assert [(one.slot.subject, one.most_within) for one in found.chattering] == [("m1", 3)]


def test_what_was_found_in_silence_and_told_later_counts_once_in_each():
    found = figures([*raised(1, told=False), *raised(300, found=False)])

    assert found.per_hour.peak == 1
    assert [one.raised for one in found.bad_actors] == [1]


def test_three_raises_within_the_span_chatter_and_three_farther_apart_do_not():
    found = figures(
        [*raised(0, 20, 59, subject="a"), *raised(0, 30, 60, subject="b"), *raised(0, 1, subject="c")]
    )

    assert [one.slot.subject for one in found.chattering] == ["a"]


def test_the_ten_raised_most_often_are_named_with_their_share():
    found = figures([one for n in range(12) for one in raised(*range(n + 1), subject=f"m{n}")])

    assert [one.slot.subject for one in found.bad_actors] == [f"m{n}" for n in range(11, 1, -1)]
    assert found.bad_actors[0].share == pytest.approx(12 / 78)


@given(st.lists(st.integers(0, 200)), st.integers(1, 60))
def test_the_worst_window_is_what_counting_from_each_moment_finds(minutes, span):
    times = [START + minute * MINUTE for minute in sorted(minutes)]
    counted = [sum(0 <= (other - at) / MINUTE < span for other in times) for at in times]

    assert most_within(times, span * MINUTE) == max(counted, default=0)


def test_an_empty_range_has_rates_of_nothing():
    found = figures([])

    assert (found.standing, found.stale, found.chattering, found.bad_actors) == (0, (), (), ())
    assert (found.per_hour.now, found.per_hour.peak, found.per_hour.mean) == (0, 0, 0.0)


def test_the_book_counts_what_was_told_when_it_was_told(central):
    quiet = Slot(site=SITE, rule="clock", subject="gw1")
    out = central.book.take_out(quiet, "li", "old clock", START)
    found = [condition(subject=f"m{n}") for n in range(3)]
    central.settle(START + MINUTE, *found, condition("clock", "gw1"))
    central.settle(START + 2 * MINUTE, *found[:2], condition("clock", "gw1"))
    central.book.end_silence("out_of_service", out.id, "li", "", START + DAY)

    at = START + DAY + 2 * MINUTE
    told = central.book.rates(SITE, START, at, chatter_within=HOUR)
    assert (told.per_hour.now, told.per_hour.peak) == (1, 3)
    assert told.standing == 3
    assert [alert.subject for alert in told.stale] == ["gw1", "m0", "m1"]
    assert all(alert.state == State.UNACKNOWLEDGED for alert in told.stale)
    assert central.book.rates("other", START, at, chatter_within=HOUR).bad_actors == ()
