"""received = stored + duplicate + refused, stored = applied + passed over + behind: always, and visibly."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import codec
from plumbline.messages import Event, Frame, Health, Photo, Progress
from plumbline_central.ledger import Arrival, DeadLetter
from plumbline_central.parts import Parts
from plumbline_central.project import LedgerRow, Tally, catch_up


def arrival(payload, at_us=1_790_000_000_000_000):
    return Arrival(received_us=at_us, payload=payload, batch=codec.open_batch(payload))


@pytest.fixture
def parts(tmp_path):
    made = Parts.open(tmp_path)
    yield made
    made.close()


def follow(parts, rows=None):
    """All projections catch up; with `rows` no further than that many rows each."""
    for projection in parts.projections:
        at = projection.cursor()
        if rows is None:
            catch_up(parts.ledger, projection, at)
        elif some := parts.ledger.read(at, rows):
            projection.apply(some)


def forge(path, sql):
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()


def wrong(parts):
    return [name for name, holds in parts.books.standing().equations.items() if not holds]


def everything(gateway):
    bodies = [
        Event(code="started"),
        Health(version="1"),
        Photo(camera="c", photo="p", jpeg=b"\xff"),
        Progress(camera="c", photo="p", percent=1.0, low=0.0, high=2.0),
    ]
    for n in range(40):
        gateway.record(bodies[n // 4 % 4] if n % 4 == 0 else Frame(device="m", metrics=(1,), values=(n,)))


def test_an_empty_central_balances(parts):
    standing = parts.books.standing()

    assert standing.balanced
    assert (standing.rows, standing.missing, standing.segments) == (0, 0, 0)


def test_what_is_stored_is_applied_or_still_behind(parts, gateway):
    everything(gateway)
    parts.ledger.append([arrival(gateway.pack(*span)) for span in ((1, 10), (5, 20), (21, 40), (1, 3))])

    before = parts.books.standing()
    follow(parts)
    after = parts.books.standing()

    assert {one.behind for one in before.projections.values()} == {40}
    assert {(one.applied, one.passed_over, one.behind) for one in after.projections.values()} == {(40, 0, 0)}
    assert set(after.projections) == {"series", "photos", "gateways", "gaps", "progress"}
    assert (before.balanced, after.balanced) == (True, True)


ACTION = st.one_of(
    st.tuples(st.just("send"), st.integers(1, 40), st.integers(0, 9)),
    st.tuples(st.just("follow"), st.integers(1, 3), st.just(0)),
    st.tuples(st.just("kill"), st.just(0), st.just(0)),
    st.tuples(st.just("garbage"), st.just(0), st.just(0)),
)


@settings(deadline=None, max_examples=25)
@given(actions=st.lists(ACTION, max_size=30))
def test_the_books_balance_after_every_kill_and_replay(actions, tmp_path_factory, new_gateway):
    folder = tmp_path_factory.mktemp("books")
    gateway, liar = new_gateway(), new_gateway()
    everything(gateway)
    liar.frames(40, device="m2")
    parts = Parts.open(folder)
    for n, (what, first, count) in enumerate(actions):
        if what == "send":
            last = min(first + count, 40)
            sent = [arrival(gateway.pack(first, last))]
            parts.ledger.append([*sent, arrival(liar.pack(first, last))] if n % 3 == 0 and n else sent)
        elif what == "garbage":
            parts.ledger.append([], [DeadLetter(received_us=1, topic="t", payload=b"x", why="no batch")])
        elif what == "follow":
            follow(parts, first)
        else:
            parts.close()
            parts = Parts.open(folder)
        assert wrong(parts) == []
    follow(parts)
    assert wrong(parts) == []
    assert {one.behind for one in parts.books.standing().projections.values()} == {0}
    parts.close()


@pytest.mark.parametrize(
    ("file", "sql", "equations"),
    [
        ("ledger.db", "UPDATE counter SET value = value + 1 WHERE name = 'records_duplicate'", 1),
        ("ledger.db", "INSERT INTO counter VALUES ('batches_refused', 1)", 1),
        ("ledger.db", "UPDATE counter SET value = value - 1 WHERE name = 'records_stored'", 7),
        ("ledger.db", "UPDATE coverage SET last = last + 1", 3),
        ("series.db", "UPDATE projection_cursor SET applied = applied + 1 WHERE name = 'gateways'", 1),
        ("series.db", "UPDATE projection_cursor SET ledger_id = 1 WHERE name = 'gateways'", 1),
        ("control.db", "UPDATE alert_cursor SET passed_over = 1", 1),
    ],
)
def test_a_forged_figure_is_seen(tmp_path, gateway, file, sql, equations):
    everything(gateway)
    gateway.record(Progress(camera="c", photo="p", percent=1.0, low=0.0, high=2.0))
    parts = Parts.open(tmp_path)
    parts.ledger.append(
        [arrival(gateway.pack(n, n, lane="data")) for n in range(1, 40)] + [arrival(gateway.pack(39, 41))]
    )
    follow(parts)
    assert wrong(parts) == []
    parts.close()

    forge(tmp_path / file, sql)

    again = Parts.open(tmp_path)
    assert not again.books.standing().balanced
    assert len(wrong(again)) == equations
    again.close()


def test_what_cannot_be_digested_is_passed_over_and_still_adds_up(parts, gateway, monkeypatch, caplog):
    everything(gateway)
    parts.ledger.append([arrival(gateway.pack(1, 20)), arrival(gateway.pack(21, 40))])
    write = parts.telemetry.write

    def fussy(points):
        if any(point.values == (30,) for point in points):
            raise OverflowError("too much")
        write(points)

    monkeypatch.setattr(parts.telemetry, "write", fussy)

    follow(parts)
    series = parts.books.standing().projections["series"]
    assert (series.applied, series.passed_over, series.behind) == (39, 1, 0)
    assert wrong(parts) == []
    assert "passes over 1 of 20" in caplog.text


def test_records_tried_one_by_one_are_counted_once_even_behind_a_row_that_is_lost(
    tmp_path, gateway, monkeypatch
):
    everything(gateway)
    parts = Parts.open(tmp_path)
    parts.ledger.append([arrival(gateway.pack(*span)) for span in ((1, 10), (11, 20), (21, 40))])
    parts.close()
    forge(tmp_path / "ledger.db", "DELETE FROM batch WHERE id = 2")
    again = Parts.open(tmp_path)
    write = again.telemetry.write

    def fussy(points):
        if any(point.values == (30,) for point in points):
            raise OverflowError("too much")
        write(points)

    monkeypatch.setattr(again.telemetry, "write", fussy)

    follow(again)

    assert again.series.tally() == Tally(through=3, applied=29, passed_over=1)
    again.close()


def test_a_row_that_rotted_on_disk_is_counted_as_passed_over(tmp_path, gateway):
    everything(gateway)
    parts = Parts.open(tmp_path)
    parts.ledger.append([arrival(gateway.pack(1, 30)), arrival(gateway.pack(25, 40))])
    parts.close()
    forge(tmp_path / "ledger.db", "UPDATE batch SET payload = x'00' WHERE id = 2")
    again = Parts.open(tmp_path)

    follow(again)

    assert {(one.applied, one.passed_over) for one in again.books.standing().projections.values()} == {
        (30, 10)
    }
    assert wrong(again) == []
    again.close()


def test_a_rebuild_counts_from_nothing(parts, gateway):
    everything(gateway)
    parts.ledger.append([arrival(gateway.pack(1, 40))])
    follow(parts)
    for projection in parts.projections:
        projection.reset()
        assert projection.tally() == Tally()

        catch_up(parts.ledger, projection, 0)

        assert projection.tally() == Tally(through=1, applied=40)
    assert wrong(parts) == []


def test_figures_of_a_version_that_did_not_count_are_said_to_be_unknown(tmp_path, gateway):
    everything(gateway)
    parts = Parts.open(tmp_path)
    parts.ledger.append([arrival(gateway.pack(1, 40))])
    follow(parts)
    parts.close()
    forge(tmp_path / "series.db", "UPDATE projection_cursor SET applied = NULL")
    again = Parts.open(tmp_path)
    gateway.frames(5)
    again.ledger.append([arrival(gateway.pack(41, 45))])

    follow(again)

    assert again.books.standing().projections["gateways"].applied is None
    assert wrong(again) == []
    again.close()


def row(id_, count, **more):
    return LedgerRow(
        id=id_,
        received_us=1,
        site="s",
        gateway="g",
        epoch="e",
        lane="data",
        records=tuple(range(count)),
        **more,
    )


@given(
    counts=st.lists(st.integers(0, 9), max_size=20), cuts=st.lists(st.integers(1, 5)), back=st.integers(0, 3)
)
def test_a_tally_counts_each_row_once_however_often_it_is_applied(counts, cuts, back):
    rows = [row(n, count) for n, count in enumerate(counts, start=1)]
    tally, at = Tally(), 0
    for size in [*cuts, len(rows)]:
        tally = tally.plus(rows[max(at - back, 0) : at + size])
        at = min(at + size, len(rows))

    assert tally == Tally(through=len(rows), applied=sum(counts))


def test_a_row_says_what_of_it_was_applied_and_passed_over_before():
    tally = Tally(through=3, applied=7).plus([row(4, 0, applied=5, passed_over=2), row(5, 1)])

    assert tally == Tally(through=5, applied=13, passed_over=2)
