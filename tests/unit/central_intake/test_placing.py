"""Where records of an untrusted clock belong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.clock import TRUSTED
from plumbline.messages import Anchor, Frame, Record
from plumbline_central.placing import MOST_FIXES, Fix, fix_of, place, touched, with_fixes

T0 = 1_790_000_000_000_000
S = 1_000_000
FRAME = Frame(device="m1", metrics=(1,), values=(1,))

monos = st.integers(0, 10**9)
fixes = st.lists(st.builds(Fix, monos, st.integers(0, 10**15)), max_size=6).map(lambda f: with_fixes((), f))


def record(mono_us=0, *, at_us=T0, clock="unset", body=FRAME):
    return Record(seq=1, at_us=at_us, boot="b", mono_us=mono_us, clock=clock, body=body)


@pytest.mark.parametrize("clock", sorted(TRUSTED))
def test_a_trusted_clocks_word_stands_against_every_anchor(clock):
    assert place(record(clock=clock), (Fix(0, 5),)) == T0


def test_without_an_anchor_an_unset_clock_says_nothing_and_an_unsynced_one_is_believed():
    assert place(record(clock="unset", at_us=30 * S), ()) is None
    assert place(record(clock="unsynced"), ()) == T0


def test_the_nearest_anchor_decides_and_of_two_equally_near_the_later():
    known = (Fix(0, T0), Fix(100, T0 + 1000), Fix(200, T0 + 5000))

    assert [place(record(mono), known) - mono - T0 for mono in (0, 49, 50, 100, 149, 150, 999)] == [
        0, 0, 1000, 1000, 1000, 5000, 5000,
    ]  # fmt: skip


def test_half_a_second_more_or_less_leaves_a_signed_time_as_it_is():
    assert place(record(clock="unsynced"), (Fix(0, T0 + 500_000),)) == T0
    assert place(record(clock="unsynced"), (Fix(0, T0 + 500_001),)) == T0 + 500_001


def test_an_anchor_that_leads_out_of_time_places_nothing():
    assert place(record(clock="unset"), (Fix(0, -5),)) is None
    assert place(record(clock="unsynced"), (Fix(0, 1 << 62),)) == T0


def test_only_a_synchronised_anchor_that_agrees_with_itself_places_others():
    anchor = Anchor(offset_us=T0)

    assert fix_of(record(7, at_us=T0 + 7, clock="synced", body=anchor)) == Fix(7, T0)
    assert fix_of(record(7, at_us=T0 + 7, clock="unsynced", body=anchor)) is None
    assert fix_of(record(7, at_us=T0 + 7, clock="simulated", body=anchor)) is None
    assert fix_of(record(7, at_us=T0 + 7 * S, clock="synced", body=anchor)) is None
    assert fix_of(record(7, clock="synced")) is None


@given(st.lists(st.builds(Fix, st.integers(0, 5), st.integers(0, 5)), max_size=10), st.randoms())
def test_what_is_known_does_not_depend_on_the_order_in_which_it_came(came, rng):
    shuffled = came.copy()
    rng.shuffle(shuffled)
    one_by_one = ()
    for fix in shuffled:
        one_by_one = with_fixes(one_by_one, [fix])

    assert one_by_one == with_fixes((), came)
    assert len({fix.mono_us for fix in one_by_one}) == len(one_by_one)


@given(fixes, st.lists(st.builds(Fix, monos, st.integers(0, 10**15)), max_size=3), monos)
def test_whatever_new_anchors_move_lies_in_the_stretch_they_touch(before, new, mono_us):
    after = with_fixes(before, new)
    low, high = touched(before, after)
    moved = place(record(mono_us), before) != place(record(mono_us), after)

    assert not moved or low <= mono_us <= high


@given(st.randoms(use_true_random=False), st.integers(MOST_FIXES + 1, 3 * MOST_FIXES))
def test_of_more_anchors_than_are_kept_the_same_are_kept_in_any_order(rng, count):
    came = [Fix(rng.randrange(10**4), rng.randrange(3)) for _ in range(count)]
    one_by_one = ()
    for first in range(0, count, 50):
        one_by_one = with_fixes(one_by_one, came[first : first + 50])
    rng.shuffle(came)

    assert one_by_one == with_fixes((), came)
    assert len(one_by_one) <= MOST_FIXES
    assert (one_by_one[0], one_by_one[-1].mono_us) == (min(came), max(came).mono_us)


@given(st.randoms(use_true_random=False), st.integers(0, 3), st.integers(1, 2 * MOST_FIXES))
def test_what_moves_where_anchors_fall_out_or_say_the_same_lies_in_the_stretch_they_touch(rng, most, count):
    before = with_fixes((), [Fix(rng.randrange(5000), rng.randint(0, most)) for _ in range(count)])
    after = with_fixes(before, [Fix(rng.randrange(5000), rng.randint(0, most)) for _ in range(3)])
    low, high = touched(before, after)
    moved = [n for n in range(0, 5100, 3) if place(record(n), before) != place(record(n), after)]

    assert all(low <= n <= high for n in moved)


def test_an_anchor_that_says_what_those_around_it_say_touches_nothing():
    before = (Fix(0, T0), Fix(100, T0))
    low, high = touched(before, with_fixes(before, [Fix(50, T0), Fix(200, T0)]))

    assert low > high
