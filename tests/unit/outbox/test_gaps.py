"""Few gap records say exactly what many said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumbline import ranges
from plumbline.messages import Gap
from plumbline_edge.outbox.gaps import merged


def gap(first, last, lane="data", why="size"):
    head = last.to_bytes(32, "big")
    return Gap(
        lane=lane,
        first=first,
        last=last,
        why=why,
        prev=(first - 1).to_bytes(32, "big"),
        head=head,
        from_us=first,
        until_us=last,
    )


GAPS = st.builds(
    lambda first, more, lane, why: gap(first, first + more, lane, why),
    st.integers(1, 60),
    st.integers(0, 9),
    st.sampled_from(["data", "photo"]),
    st.sampled_from(["size", "thinned"]),
)


@given(st.lists(GAPS))
def test_the_same_numbers_are_declared_and_each_range_keeps_its_own_ends(gaps):
    few = merged(gaps)
    for lane in ("data", "photo"):
        many = ranges.union(tuple((g.first, g.last) for g in gaps if g.lane == lane))
        ours = [g for g in few if g.lane == lane]

        assert tuple((g.first, g.last) for g in ours) == many
        assert all(g.prev == (g.first - 1).to_bytes(32, "big") for g in ours)
        assert all(g.head == g.last.to_bytes(32, "big") for g in ours)
        assert all((g.from_us, g.until_us) == (g.first, g.last) for g in ours)


def test_a_range_given_up_for_two_reasons_counts_as_given_up_for_room():
    (one,) = merged([gap(1, 4, why="thinned"), gap(5, 9, why="size")])

    assert one.why == "size"
    assert merged([gap(1, 4, why="thinned"), gap(5, 9, why="thinned")])[0].why == "thinned"


def test_an_open_end_swallows_what_follows():
    open_end = Gap(lane="data", first=5, last=0, why="damaged")

    assert [(g.first, g.last) for g in merged([gap(1, 4), open_end, gap(9, 12)])] == [(1, 0)]
