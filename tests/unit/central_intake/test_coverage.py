"""What an arriving batch costs and changes in the coverage of its lane."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import codec, ranges
from plumbline_central.ledger import Arrival, DeadLetter, Ledger, coverage, tables
from plumbline_central.ledger.tails import Tail, fitting, joined, lengthened

LANE = ("gw-1", "e1", "data")
SPAN = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1]))


def arrival(payload, at_us=1):
    return Arrival(received_us=at_us, payload=payload, batch=codec.open_batch(payload))


@pytest.fixture
def table():
    db = sqlite3.connect(":memory:", isolation_level=None)
    for _, script in tables.MIGRATIONS:
        db.executescript(script)
    yield db
    db.close()


def take(db, span):
    """One batch's way through the table, as the ledger goes it."""
    touched = coverage.touching(db, LANE, span)
    (island,) = ranges.add(touched, span)
    coverage.join(db, LANE, touched, island)
    return ranges.missing(touched, span)


@given(spans=st.lists(SPAN, max_size=40))
def test_the_table_says_what_the_pure_ranges_say(spans):
    db = sqlite3.connect(":memory:", isolation_level=None)
    for _, script in tables.MIGRATIONS:
        db.executescript(script)
    whole = ()
    for span in spans:
        assert take(db, span) == ranges.missing(whole, span)
        whole = ranges.add(whole, span)

        assert coverage.load(db, LANE) == whole
        assert coverage.through(db, LANE) == ranges.through(whole)
        after = [first for first, _ in whole if first > span[1]]
        assert coverage.next_after(db, LANE, span[1]) == (after[0] if after else None)
    db.close()


def test_a_lane_of_a_hundred_thousand_islands_costs_no_more_than_one_of_ten(table):
    def steps_for(islands):
        table.execute("DELETE FROM coverage")
        table.executemany(
            "INSERT INTO coverage VALUES (?, ?, ?, ?, ?)",
            [(*LANE, 10 * n, 10 * n + 2) for n in range(1, islands)],
        )
        steps = [0]
        table.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 1)
        take(table, (45, 46))
        coverage.through(table, LANE)
        coverage.next_after(table, LANE, 46)
        table.set_progress_handler(None, 1)
        return steps[0]

    few, many = steps_for(10), steps_for(100_000)

    assert many <= few + 10


def test_an_acknowledgement_names_what_is_whole_and_the_islands_just_touched(tmp_path, gateway):
    gateway.frames(60)
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.append([arrival(gateway.pack(*span)) for span in ((1, 5), (10, 12), (20, 22), (30, 33), (34, 35))])

    assert ledger.acknowledged(LANE, [(30, 33), (34, 35)]) == (5, ((30, 35),))
    assert ledger.acknowledged(LANE, [(2, 4)]) == (5, ())
    assert ledger.acknowledged(LANE, [(13, 19)]) == (5, ((10, 12), (20, 22)))
    assert ledger.acknowledged(("gw-9", "e1", "data"), [(1, 4)]) == (0, ())
    ledger.close()


SENDING = st.lists(
    st.tuples(st.sampled_from(["live", "backlog", "any"]), st.integers(1, 8), st.integers(0, 40)), max_size=30
)


def spans(sending, length):
    """Batches as a gateway sends them: live ones at the end, a backlog from the start, and repeats of either."""
    live, backlog = length // 2, 1
    for how, count, where in sending:
        if how == "live":
            first, live = live, live + count
        elif how == "backlog":
            first, backlog = backlog, backlog + count
        else:
            first = where + 1
        if first + count - 1 <= length:
            yield first, first + count - 1


@settings(deadline=None, max_examples=60)
@given(sending=SENDING, cuts=st.lists(st.integers(1, 6)), forked=st.sets(st.integers(0, 29)))
def test_remembered_tails_change_nothing_but_the_speed(sending, cuts, forked, tmp_path_factory, new_gateway):
    """With and without memory every outcome, row, island and counter is the same; also for batches that lie."""
    folder = tmp_path_factory.mktemp("tails")
    gateway = new_gateway()
    gateway.frames(80)
    liar = new_gateway(key=gateway.key)
    liar.frames(80, device="m2")
    arrivals = [
        arrival((liar if n in forked else gateway).pack(*span)) for n, span in enumerate(spans(sending, 80))
    ]
    told = []
    for remembers in (True, False):
        ledger = Ledger.open(folder / f"{remembers}.db", remembers=remembers)
        at, outcomes = 0, []
        for size in [*cuts, len(arrivals)]:
            outcomes += ledger.append(arrivals[at : at + size])
            at += size
        told.append(
            (
                outcomes,
                ledger.coverage(*LANE),
                ledger.counters(),
                list(ledger.rows(*LANE)),
                ledger.read(0, 99),
            )
        )
        ledger.close()

    assert told[0] == told[1]


def test_a_group_that_fails_leaves_no_tail_behind(tmp_path, gateway):
    gateway.frames(9)
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.append([arrival(gateway.pack(1, 3))])
    broken = DeadLetter(received_us=1, topic="t", payload=b"", why=None)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.append([arrival(gateway.pack(4, 6))], [broken])

    (outcome,) = ledger.append([arrival(gateway.pack(7, 9))])

    assert (outcome.status, outcome.row_id) == ("stored", 2)
    assert ledger.coverage(*LANE) == ((1, 3), (7, 9))
    ledger.close()


def test_what_another_process_changed_is_not_remembered(tmp_path, gateway):
    gateway.frames(9)
    ledger = Ledger.open(tmp_path / "ledger.db")
    ledger.append([arrival(gateway.pack(1, 3))])
    other = Ledger.open(tmp_path / "ledger.db")
    other.append([arrival(gateway.pack(4, 6))])
    other.close()

    (outcome,) = ledger.append([arrival(gateway.pack(4, 7))])

    assert outcome.taken == ((7, 7),)
    ledger.close()


def test_a_batch_lengthens_a_tail_only_where_it_meets_nothing_else():
    live, backlog = Tail(50, 60, b"L", None), Tail(1, 9, b"B", 50)

    assert fitting((live, backlog), 61, 70, b"L") == live
    assert fitting((live, backlog), 10, 20, b"B") == backlog
    assert fitting((live, backlog), 10, 20, b"X") is None
    assert fitting((live, backlog), 10, 48, b"B") == backlog
    assert fitting((live, backlog), 10, 49, b"B") is None
    assert lengthened((live, backlog), backlog, 20, b"C") == (Tail(1, 20, b"C", 50), live)


def test_a_filled_hole_joins_two_tails_to_one():
    live, backlog = Tail(50, 60, b"L", None), Tail(1, 9, b"B", 50)

    assert joined((live, backlog), (1, 60), last=49, head=b"H", room=None) == (Tail(1, 60, b"L", None),)
    assert joined((live, backlog), (20, 25), last=25, head=b"H", room=50) == (
        Tail(20, 25, b"H", 50),
        live,
        Tail(1, 9, b"B", 20),
    )
