"""What is chosen next never overlaps what is settled or on its way, and everything has its turn."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from plumbline import ranges
from plumbline_edge.uplink.window import LIVE_S, MAX_RECORDS, SLOTS, Choice, Flight, Window, offers


def flight(
    first: int,
    last: int,
    *,
    live: bool = False,
    deadline: float = 10.0,
    attempt: int = 1,
    sent_at: float = 0.0,
) -> Flight:
    return Flight(
        first=first,
        last=last,
        live=live,
        attempt=attempt,
        size=100,
        sent_at=sent_at,
        first_sent_at=sent_at,
        deadline=deadline,
    )


def offered(**changes):
    how = {
        "last": 0,
        "settled": (),
        "flights": (),
        "lost": (),
        "backlog_through": 0,
        "slots": 4,
        "max_records": 500,
    }
    return offers(**(how | changes))


def seqs(some) -> set[int]:
    return {seq for first, last in some for seq in range(first, last + 1)}


RANGES = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 40)), max_size=6).map(
    lambda pairs: tuple((first, first + more) for first, more in pairs)
)


@st.composite
def states(draw):
    settled: ranges.Ranges = ()
    for one in draw(RANGES):
        settled = ranges.add(settled, one)
    taken, flights = settled, []
    for first, last in draw(RANGES)[:3]:
        for part in ranges.missing(taken, (first, last)):
            flights.append(flight(*part, live=draw(st.booleans())))
            taken = ranges.add(taken, part)
    lost = []
    for first, last in draw(RANGES)[:2]:
        for part in ranges.missing(taken, (first, last)):
            lost.append(Choice(first=part[0], last=part[1], live=draw(st.booleans()), attempt=2))
            taken = ranges.add(taken, part)
    return {
        "last": 350,
        "settled": settled,
        "flights": tuple(flights),
        "lost": tuple(sorted(lost, key=lambda choice: choice.first)),
        "backlog_through": draw(st.integers(0, 350)),
        "slots": draw(st.sampled_from([1, 4, 8])),
        "max_records": draw(st.sampled_from([4, 20, 500])),
        "live_before": draw(st.booleans()),
    }


@given(states())
def test_an_offer_overlaps_nothing_that_is_settled_or_on_its_way_and_is_no_longer_than_it_may_be(state):
    taken = seqs(state["settled"]) | seqs((f.first, f.last) for f in state["flights"])
    found = offers(**state)

    for choice in filter(None, (found.live, found.backlog)):
        assert 1 <= choice.first <= choice.last <= state["last"]
        assert choice.last - choice.first < state["max_records"]
        assert taken.isdisjoint(range(choice.first, choice.last + 1))
    if found.live and found.backlog:
        assert found.live.last < found.backlog.first or found.backlog.last < found.live.first


@given(states())
def test_with_nothing_on_its_way_something_is_offered_while_anything_is_unsettled(state):
    state["flights"] = ()
    found = offers(**state)
    unsettled = ranges.missing(state["settled"], (1, state["last"]))

    assert found.waiting == bool(unsettled)
    assert bool(found.live or found.backlog) == bool(unsettled)


@given(states(), st.integers(0, 1000))
def test_whatever_is_lost_every_record_is_covered_in_the_end(state, seed):
    chance = random.Random(seed)
    window = Window("data" if state["slots"] > 1 else "photo", last=state["backlog_through"])
    window.flights, window.lost = state["flights"], state["lost"]
    settled = state["settled"]
    now = 0.0
    for _ in range(2000):
        found = window.offers(now, state["last"], settled)
        choice = found.live or found.backlog
        if choice is not None:
            assert len(window.flights) < SLOTS[window.lane]
            window.sent(flight(choice.first, choice.last, live=choice.live, deadline=now + 10))
        elif window.flights:
            one = chance.choice(window.flights)
            if chance.random() < 0.7:
                settled = ranges.add(settled, (one.first, one.last))
                window.settle(settled)
            else:
                now += 10
                window.expire(now)
        else:
            break

    assert not ranges.missing(settled, (1, state["last"]))


@given(states())
def test_live_records_are_never_kept_out_by_backlog_alone(state):
    state["flights"] = ()
    window = Window("data", last=0)
    for _ in range(10):
        state["flights"], state["slots"] = window.flights, 4
        found = offers(**state)
        if found.backlog is None:
            break
        window.sent(flight(found.backlog.first, found.backlog.last))
    state["flights"] = window.flights
    unsent_live = ranges.missing(
        ranges.add(state["settled"], (1, state["backlog_through"]))
        if state["backlog_through"]
        else state["settled"],
        (1, state["last"]),
    )
    lost = seqs((c.first, c.last) for c in state["lost"])

    if seqs(unsent_live) - lost - seqs((f.first, f.last) for f in state["flights"]):
        assert offers(**state).live is not None


def test_a_backlog_keeps_a_slot_however_much_is_live():
    busy = [flight(101 + n, 101 + n, live=True) for n in range(3)]
    found = offered(last=200, backlog_through=100, flights=busy)

    assert found.live is None
    assert found.backlog == Choice(first=1, last=100, live=False)


def test_without_a_backlog_live_records_have_the_whole_window():
    busy = [flight(101 + n, 101 + n, live=True) for n in range(3)]
    found = offered(last=200, backlog_through=100, settled=((1, 100),), flights=busy)

    assert found.live == Choice(first=104, last=200, live=True)


def test_in_a_window_of_one_live_and_backlog_take_turns():
    state = {"last": 20, "backlog_through": 10, "slots": 1, "max_records": 4}

    assert offered(**state, live_before=False).live == Choice(first=11, last=14, live=True)
    assert offered(**state, live_before=True).live is None
    assert offered(**state, live_before=True).backlog == Choice(first=1, last=4, live=False)


def test_only_the_batch_whose_own_deadline_passed_is_offered_again():
    window = Window("data", last=0)
    window.sent(flight(1, 10, live=True, deadline=5))
    window.sent(flight(11, 20, live=True, deadline=9))
    late = window.expire(5)

    assert [(f.first, f.last) for f in late] == [(1, 10)]
    assert window.offers(5, 20, ()).live == Choice(first=1, last=10, live=True, attempt=2, since=0.0)
    assert [(f.first, f.last) for f in window.flights] == [(11, 20)]


def test_what_later_batches_overtook_goes_again_soon_but_not_for_ever():
    window = Window("data", last=0)
    window.sent(flight(1, 10, sent_at=0, deadline=50))
    window.sent(flight(11, 20, sent_at=1, deadline=50, attempt=9))
    window.sent(flight(21, 30, sent_at=3, deadline=50))
    window.sent(flight(41, 50, sent_at=4, deadline=50))
    window.settle(((21, 30),))
    window.hurry(flight(21, 30, sent_at=3), by=5)

    assert [(f.first, f.deadline) for f in window.flights] == [(1, 5), (11, 50), (41, 50)]


def test_what_an_answer_leaves_of_a_batch_is_sent_again_as_ranges_of_its_own():
    window = Window("data", last=0)
    window.sent(flight(1, 100, live=True))
    arrived = window.settle(((1, 30), (41, 60)))
    window.expire(10)
    first = window.offers(10, 100, ((1, 30), (41, 60))).live
    window.sent(flight(first.first, first.last, live=True, deadline=99))

    assert arrived == []
    assert first == Choice(first=31, last=40, live=True, attempt=2, since=0.0)
    assert window.offers(10, 100, ((1, 30), (41, 60))).live == Choice(
        first=61, last=100, live=True, attempt=2, since=0.0
    )


def test_a_batch_counts_as_arrived_once_everything_in_it_is_settled():
    window = Window("data", last=0)
    window.sent(flight(1, 10))

    assert window.settle(((1, 9),)) == []
    assert [f.first for f in window.settle(((1, 10),))] == [10]
    assert window.flights == ()


def test_at_a_new_link_everything_is_backlog_and_what_comes_later_is_live():
    found = Window("data", last=30).offers(0, 31, ())

    assert found.backlog == Choice(first=1, last=30, live=False)
    assert found.live == Choice(first=31, last=31, live=True)


def test_where_the_link_is_slower_than_the_meters_the_newest_minute_stays_live():
    window = Window("data", last=0)
    found = None
    for second in range(600):
        found = window.offers(float(second), second + 1, ())

    assert found.live.first in range(600 - int(LIVE_S) - 5, 600 - int(LIVE_S) + 2)
    assert found.backlog == Choice(first=1, last=MAX_RECORDS["data"], live=False)


def test_what_the_log_has_not_is_not_asked_for_again():
    window = Window("data", last=10)
    window.pass_over(1, 10)

    assert not window.offers(0, 10, ()).waiting
    assert window.offers(0, 11, ()).live == Choice(first=11, last=11, live=True)
