import itertools

from hypothesis import given
from hypothesis import strategies as st

from plumbline import ranges

pairs = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1]))


def as_set(found):
    return {n for first, last in found for n in range(first, last + 1)}


def built(parts):
    found = ()
    for part in parts:
        found = ranges.add(found, part)
    return found


@given(st.lists(pairs))
def test_added_ranges_hold_exactly_the_numbers_that_were_added_and_never_touch(parts):
    found = built(parts)

    assert as_set(found) == as_set(parts)
    assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(found))


@given(st.lists(pairs), pairs)
def test_what_is_missing_is_what_is_wanted_and_not_there(parts, within):
    found = ranges.missing(built(parts), within)

    assert as_set(found) == as_set([within]) - as_set(parts)
    assert ranges.size(found) == len(as_set(found))


@given(st.lists(pairs))
def test_through_is_the_last_number_before_the_first_hole(parts):
    numbers = as_set(parts)
    expected = next(n for n in range(100) if n + 1 not in numbers)

    assert ranges.through(built(parts)) == expected
