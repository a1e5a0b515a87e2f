"""The gateways take turns, nothing is lost or taken twice, and the broker is told in its own order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.mqtt import Delivery
from plumbline_central.waiting import Waiting


def message(sender, n=0, size=1):
    return Delivery(f"plumbline/1/a12/{sender}/up", n.to_bytes(4, "big") + bytes(size), lambda: None)


def filled(messages):
    waiting = Waiting()
    for one in messages:
        waiting.add(one)
    return waiting


def groups(waiting, *, most, most_bytes=1 << 20):
    while waiting:
        yield waiting.next_group(most=most, most_bytes=most_bytes)


def test_a_flood_keeps_no_other_gateway_waiting():
    flood = [message("loud", n) for n in range(1000)]
    quiet = [message(f"quiet-{n}") for n in range(20)]

    (first, *_) = groups(filled([*flood, *quiet]), most=30)

    assert {held.delivery.topic for held in first} >= {one.topic for one in quiet}


def test_who_did_not_come_to_its_turn_is_first_in_the_next_group():
    waiting = filled([message(sender, n) for sender in "abc" for n in range(2)])

    order = [[held.delivery.topic[-4] for held in group] for group in groups(waiting, most=2)]

    assert order == [["a", "b"], ["c", "a"], ["b", "c"]]


def test_a_group_ends_with_the_message_that_fills_it():
    waiting = filled([message("a", n, size=600) for n in range(5)])

    assert [len(group) for group in groups(waiting, most=9, most_bytes=1000)] == [2, 2, 1]


SENDERS = st.lists(st.sampled_from("abcde"), max_size=40)


@given(SENDERS, st.integers(1, 9))
def test_each_message_is_taken_once_and_each_senders_in_its_order(senders, most):
    messages = [message(sender, n) for n, sender in enumerate(senders)]

    taken = [held.delivery for group in groups(filled(messages), most=most) for held in group]

    assert Counter(taken) == Counter(messages)
    for sender in "abcde":
        assert [one for one in taken if one.topic == message(sender).topic] == [
            one for one in messages if one.topic == message(sender).topic
        ]


@given(SENDERS)
def test_nobody_gets_a_second_turn_before_all_who_wait_had_their_first(senders):
    ((*group,),) = groups(filled([message(s) for s in senders]), most=100) if senders else [[]]
    turns = Counter()
    for held in group:
        turns[held.delivery.topic] += 1
        waiting = Counter(message(s).topic for s in senders) - turns

        assert all(turns[held.delivery.topic] - turns[other] <= 1 for other in waiting)


@given(SENDERS, st.integers(1, 9))
def test_the_broker_may_forget_in_the_order_of_arrival(senders, most):
    messages = [message(sender, n) for n, sender in enumerate(senders)]
    waiting = filled(messages)
    forgotten, stored = [], []
    for group in groups(waiting, most=most):
        stored += [held.delivery for held in group]
        forgotten += waiting.finish(group)

        assert set(forgotten) <= set(stored)
    assert forgotten == messages
