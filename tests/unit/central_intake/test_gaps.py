"""Holes that a gateway declared, and holes that nobody explained."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import codec, ranges
from plumbline.messages import Event, Gap
from plumbline_central import account
from plumbline_central.account import Books
from plumbline_central.gaps import Declared, lacking
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.project import catch_up
from plumbline_central.stores.gaps import GapStore
from plumbline_central.verify import verify


def arrival(payload, at_us=1):
    return Arrival(received_us=at_us, payload=payload, batch=codec.open_batch(payload))


@pytest.fixture
def ledger(tmp_path):
    opened = Ledger.open(tmp_path / "ledger.db")
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path):
    opened = GapStore.open(tmp_path / "series.db")
    yield opened
    opened.close()


def gone(gateway, first, last, *, lane="data", **more):
    """A true gap record about what `gateway` has in its lane."""
    heads = gateway.heads[lane]
    said = {"why": "size", "prev": heads[first - 1], "head": heads[last]} | more
    return Gap(lane=lane, first=first, last=last, **said)


def say(ledger, gateway, *gaps):
    """The gap records through the status lane, into the ledger."""
    numbers = [gateway.record(gap, lane="status").seq for gap in gaps]
    ledger.append([arrival(gateway.pack(seq, seq, lane="status")) for seq in numbers])


def listed(ledger, store):
    catch_up(ledger, store)
    return [(gap.first, gap.last, gap.why) for gap in Books(ledger, (), store).gaps()]


SPAN = st.tuples(st.integers(1, 40), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1]))


@given(
    stored=st.lists(SPAN, max_size=8),
    closed=st.lists(SPAN, max_size=8),
    opened=st.none() | st.integers(1, 45),
)
def test_every_record_that_lacks_is_listed_once_and_with_its_reason(stored, closed, opened):
    covered = ()
    for span in stored:
        covered = ranges.add(covered, span)
    name = {"site": "a", "gateway": "g", "epoch": "e", "lane": "data"}
    words = [Declared(**name, first=a, last=b, why="size") for a, b in closed]
    words += [Declared(**name, first=opened, last=None, why="damaged")] if opened else []

    found = list(lacking(covered, words))

    have = {n for a, b in covered for n in range(a, b + 1)}
    said = {n for a, b in closed for n in range(a, b + 1)}
    newest = max(have | said, default=0)
    numbers = [(n, word) for a, b, word in found if b is not None for n in range(a, b + 1)]
    assert [n for n, _ in numbers] == sorted(set(range(1, newest + 1)) - have)
    for n, word in numbers:
        if n in said:
            assert word is not None
            assert word.first <= n <= (word.last or n)
        else:
            assert (word is not None) == (opened is not None and n >= opened)
    assert [a for a, b, _ in found if b is None] == ([max(opened, newest + 1)] if opened else [])


def test_declared_and_unexplained_holes_are_told_apart(ledger, store, gateway):
    gateway.frames(40)
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 4), (11, 20), (31, 40))])
    say(ledger, gateway, gone(gateway, 5, 10), gone(gateway, 21, 25, why="thinned", instead=(41, 42)))

    report = verify(ledger, gateway.lookup)

    assert listed(ledger, store) == [(5, 10, "size"), (21, 25, "thinned"), (26, 30, "")]
    assert (report.faults, report.declared_missing, report.missing) == ([], 11, 5)


def test_records_that_came_although_they_were_declared_gone_stay_and_are_not_listed(ledger, store, gateway):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 7), (11, 20))])
    say(ledger, gateway, gone(gateway, 5, 10))
    assert listed(ledger, store) == [(8, 10, "size")]

    ledger.append([arrival(gateway.pack(8, 10))])

    report = verify(ledger, gateway.lookup)
    assert listed(ledger, store) == []
    assert (report.faults, report.declared_missing, report.missing, report.records) == ([], 0, 0, 21)


def test_adjacent_gap_records_bridge_together(ledger, gateway):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 4), (13, 20))])
    say(ledger, gateway, gone(gateway, 9, 12), gone(gateway, 5, 8))

    report = verify(ledger, gateway.lookup)

    assert (report.faults, report.declared_missing) == ([], 8)


def test_a_lane_whose_start_or_end_is_gone_is_bridged_too(ledger, store, gateway):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(6, 10))])
    say(ledger, gateway, gone(gateway, 1, 5), gone(gateway, 11, 20))

    report = verify(ledger, gateway.lookup)

    assert listed(ledger, store) == [(1, 5, "size"), (11, 20, "size")]
    assert (report.faults, report.declared_missing, report.missing) == ([], 15, 0)


def test_a_damaged_file_declares_all_that_central_does_not_have(ledger, store, gateway, new_gateway):
    """The gap record lies in the new epoch and speaks of the old one; nobody knows how many were lost."""
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 4), (9, 12))])
    after = new_gateway(key=gateway.key, epoch="e2")
    say(ledger, after, Gap(lane="data", first=3, last=0, why="damaged", epoch="e1"))

    report = verify(ledger, gateway.lookup)

    assert listed(ledger, store) == [(5, 8, "damaged"), (13, None, "damaged")]
    assert (report.faults, report.declared_missing, report.missing) == ([], 4, 0)


def test_a_lane_of_which_nothing_ever_came_is_listed_as_well(ledger, store, gateway):
    gateway.frames(5, lane="photo")
    say(ledger, gateway, gone(gateway, 1, 5, lane="photo"))

    assert listed(ledger, store) == [(1, 5, "size")]
    assert verify(ledger, gateway.lookup).declared_missing == 5


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ({"prev": b"x" * 32}, 4),
        ({"head": b"x" * 32}, 10),
        ({"first": 4}, 3),
        ({"last": 11}, 11),
        ({"first": 1, "prev": b"x" * 32}, 1),
    ],
)
def test_a_declared_gap_that_contradicts_the_chain_is_a_fault_and_named(ledger, gateway, change, seq):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 4), (11, 20))])
    true = gone(gateway, 5, 10)
    fields = {name: getattr(true, name) for name in ("lane", "first", "last", "why", "prev", "head")}

    say(ledger, gateway, Gap(**(fields | change)))

    (fault,) = verify(ledger, gateway.lookup).faults
    assert ((fault.lane, fault.seq, fault.row), "gw-1/e1/status/1" in fault.why) == (("data", seq, 3), True)


def test_two_gap_records_that_tell_different_chains_are_a_fault(ledger, gateway):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(1, 4))])
    say(ledger, gateway, gone(gateway, 5, 8), gone(gateway, 9, 12, prev=b"x" * 32))

    (fault,) = verify(ledger, gateway.lookup).faults

    assert (fault.seq, fault.row) == (8, 3)


def test_a_lane_that_goes_on_from_another_head_than_the_gap_left_is_a_fault(ledger, gateway, new_gateway):
    gateway.frames(20)
    other = new_gateway(key=gateway.key)
    other.frames(20, device="m2")
    ledger.append([arrival(gateway.pack(1, 4)), arrival(other.pack(11, 20))])
    say(ledger, gateway, gone(gateway, 5, 10))

    (fault,) = verify(ledger, gateway.lookup).faults

    assert (fault.lane, fault.seq) == ("data", 10)


def test_the_projection_of_gaps_can_be_thrown_away_and_made_again(ledger, store, gateway):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(1, 4))])
    say(ledger, gateway, gone(gateway, 5, 8, from_us=5, until_us=9, instead=(3, 4)), gone(gateway, 9, 12))
    catch_up(ledger, store)
    before = store.declared()

    store.reset()
    assert store.declared() == []
    catch_up(ledger, store, 0)

    assert store.declared() == before
    assert (before[0].from_us, before[0].until_us, before[0].instead) == (5, 9, (3, 4))


def test_a_listing_can_read_on_where_the_projection_has_not_been(ledger, store, gateway):
    gateway.frames(20)
    ledger.append([arrival(gateway.pack(1, 4))])
    say(ledger, gateway, gone(gateway, 5, 8))

    books = Books(ledger, (), store)

    assert [gap.why for gap in books.gaps()] == []
    assert [gap.why for gap in books.gaps(read_on=True)] == ["size"]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_whatever_is_evicted_arrives_or_is_repeated_verify_finds_every_loss_declared(
    data, tmp_path_factory, new_gateway
):
    """A gateway loses ranges, declares them truly, sends the rest in any order and overlap, some of it twice."""
    gateway = new_gateway()
    gateway.frames(40)
    lost = sorted(data.draw(st.lists(SPAN.filter(lambda s: s[1] <= 40), max_size=4)))
    for span in lost:
        gateway.record(gone(gateway, *span), lane="status")
    gateway.record(Event(code="started"), lane="status")
    sent = data.draw(st.lists(SPAN.filter(lambda s: s[1] <= 40), max_size=10))
    status = [(seq, seq) for seq in range(1, len(lost) + 2)]
    messages = data.draw(st.permutations([("data", s) for s in sent] + [("status", s) for s in status * 2]))
    ledger = Ledger.open(tmp_path_factory.mktemp("gaps") / "ledger.db")
    for lane, span in messages:
        ledger.append([arrival(gateway.pack(*span, lane=lane))])

    report = verify(ledger, gateway.lookup)

    have = {n for a, b in sent for n in range(a, b + 1)}
    said = {n for a, b in lost for n in range(a, b + 1)}
    assert report.faults == []
    assert report.declared_missing == len(said - have)
    assert report.missing == len(set(range(1, max(have | said, default=0) + 1)) - have - said)
    ledger.close()


def test_what_lacks_is_counted_again_only_where_something_came(ledger, store, gateway, monkeypatch):
    gateway.frames(40)
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 4), (11, 20), (31, 40))])
    say(ledger, gateway, *(gone(gateway, n, n) for n in (5, 7, 9)))
    catch_up(ledger, store)
    books, counted = Books(ledger, (), store), []
    monkeypatch.setattr(account, "lacking", lambda have, words: counted.append(have) or lacking(have, words))

    first, again = books.lacking(), books.lacking()
    counted_twice = len(counted)
    listed = list(islice(books.each_gap(), 2))
    ledger.append([arrival(gateway.pack(21, 30))])

    assert first == again == {"gw-1": (13, 3)}
    assert counted_twice == 2  # lanes
    assert [(gap.first, gap.declared) for gap in listed] == [(5, True), (6, False)]
    assert books.lacking() == {"gw-1": (3, 3)}
    assert len(counted) == 3
    say(ledger, gateway, gone(gateway, 6, 6))
    catch_up(ledger, store)
    assert books.lacking() == {"gw-1": (2, 4)}
