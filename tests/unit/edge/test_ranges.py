"""The mark of what is settled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.ranges import Settled

RANGES = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda r: (r[0], r[0] + r[1])), max_size=20
)


@given(RANGES)
def test_exactly_what_was_added_is_settled(ranges):
    settled = Settled()
    for first, last in ranges:
        settled = settled.add(first, last)
    wanted = {seq for first, last in ranges for seq in range(first, last + 1)}

    assert {seq for seq in range(80) if seq in settled} == wanted


@given(RANGES)
def test_the_mark_stands_before_the_first_hole_and_islands_are_apart(ranges):
    settled = Settled()
    for first, last in ranges:
        settled = settled.add(first, last)

    assert settled.through + 1 not in settled
    edges = [settled.through, *(edge for island in settled.islands for edge in island)]
    assert all(a < b for a, b in zip(edges[::2], edges[1::2], strict=False))
    assert all(b[0] > a[1] + 1 for a, b in zip(settled.islands, settled.islands[1:], strict=False))
