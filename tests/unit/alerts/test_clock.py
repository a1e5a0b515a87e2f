"""Photos of a clock that could not be trusted are judged by the day they were taken, once that is known."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.clock import to_us
from plumbline.messages import Anchor
from plumbline_central.alerts.states import State
from plumbline_central.deviation import Band, Seen, Watch, redate, step

from .conftest import SITE, START, ledger_row, row

US_PER_DAY = 86_400_000_000


def photo(seq, taken_day, percent, *, off_days=0.0, clock="unsynced", received_day=None):
    """Taken on `taken_day` by a clock that was `off_days` wrong; the board booted when the story starts."""
    made = row(seq, taken_day + off_days, percent, clock=clock, received_day=received_day or taken_day + 0.1)
    (record,) = made.records
    return replace(made, records=(replaced(record, mono_us=round(taken_day * US_PER_DAY)),))


def replaced(record, **fields):
    return type(record)(**{name: getattr(record, name) for name in record.__struct_fields__} | fields)


def anchor(seq, day, *, clock="synced"):
    made = ledger_row(
        seq, START + timedelta(days=day), to_us(START + timedelta(days=day)),
        Anchor(offset_us=to_us(START)), clock,
    )  # fmt: skip
    (record,) = made.records
    return replace(made, records=(replaced(record, mono_us=round(day * US_PER_DAY)),))


def standings(central):
    with central.db.read() as db:
        return dict(db.execute("SELECT photo, standing FROM alert_observation ORDER BY photo"))


@pytest.fixture
def rising(opened):
    """A site due at 0, 10, 20 … percent on days 0, 1, 2 …"""
    central = opened(band=Band(fresh_for_s=30 * 86_400.0))  # silence is not the subject
    central.plan(*range(0, 101, 10))
    return central


def test_photos_of_an_unset_clock_are_judged_once_their_anchor_came(rising):
    for seq, day in [(1, 3), (2, 4)]:
        rising.projection.apply([photo(seq, day, 10.0, clock="unset", off_days=-20000, received_day=5)])
    before, open_before = standings(rising), rising.book.open(SITE)
    rising.projection.apply([anchor(3, 5)])
    (alert,) = rising.book.open(SITE)

    assert (before, open_before) == ({"p1": "untimed", "p2": "untimed"}, [])
    assert standings(rising) == {"p1": "judged", "p2": "judged"}
    assert [(point.planned, point.percent) for point in alert.evidence] == [(30.0, 10.0), (40.0, 10.0)]


def test_an_anchor_that_came_before_its_photos_dates_them_at_once(rising):
    rising.projection.apply([anchor(1, 1)])
    rising.projection.apply([photo(2, 3, 30.0, off_days=2, received_day=9)])

    assert standings(rising) == {"p2": "judged"}
    assert rising.book.recent(SITE) == []


def test_an_alert_that_rested_on_a_wrong_date_clears_when_the_right_one_is_known(rising):
    for seq, day in [(1, 3), (2, 4)]:  # on plan, but dated two days later
        rising.projection.apply([photo(seq, day, day * 10.0, off_days=2, received_day=9)])
    wrongly = rising.book.open(SITE)
    rising.projection.apply([anchor(3, 9)])

    assert [alert.rule for alert in wrongly] == ["deviation"]
    assert [alert.state for alert in rising.book.recent(SITE)] == [State.RETURNED_UNACKNOWLEDGED]
    assert standings(rising) == {"p1": "judged", "p2": "judged"}


def test_a_site_that_is_behind_by_either_date_is_raised_once(rising):
    for seq, day in [(1, 3), (2, 4)]:
        rising.projection.apply([photo(seq, day, 1.0, off_days=1, received_day=9)])
    before = [alert.id for alert in rising.book.open(SITE)]
    rising.projection.apply([anchor(3, 9)])

    assert len(before) == 1
    assert [alert.id for alert in rising.book.recent(SITE) if alert.rule == "deviation"] == before


def test_a_clock_that_was_ahead_does_not_make_later_photos_late_for_good(rising):
    rising.projection.apply([photo(1, 3, 30.0, off_days=2, received_day=6)])  # says day 5
    rising.projection.apply([anchor(2, 6)])
    rising.projection.apply([row(3, 4, 40.0, received_day=6.1)])

    assert standings(rising) == {"p1": "judged", "p3": "judged"}


def test_an_anchor_of_a_clock_that_is_not_synchronised_dates_nothing(rising):
    rising.projection.apply([photo(1, 3, 30.0, clock="unset", off_days=-20000)])
    rising.projection.apply([anchor(2, 4, clock="unsynced")])

    assert standings(rising) == {"p1": "untimed"}


def test_a_rebuild_dates_and_raises_the_same(rising):
    story = [
        photo(1, 3, 1.0, off_days=1, received_day=9),
        photo(2, 4, 1.0, off_days=1, received_day=9),
        photo(3, 5, 1.0, clock="unset", off_days=-20000, received_day=9),
        anchor(4, 9),
        row(5, 8, 80.0),
        row(6, 8.5, 85.0),
    ]
    for each in story:
        rising.projection.apply([each])
    alerts, standing = rising.book.recent(SITE), standings(rising)
    history = [rising.book.history(alert.id) for alert in alerts]
    rising.projection.reset()
    rising.projection.apply(story)

    assert rising.book.recent(SITE) == alerts
    assert [rising.book.history(alert.id) for alert in alerts] == history
    assert standings(rising) == standing


@given(
    story=st.lists(
        st.tuples(st.integers(1, 40), st.sampled_from([40.0, 44.0, 50.0, 56.0])), min_size=1, max_size=12
    ),
    error_hours=st.sampled_from([-5000, -7, 3, 5000]),
)
def test_observations_that_are_redated_leave_the_watch_that_right_dates_would_have(story, error_hours):
    band, planned_at = Band(), lambda at: 50.0
    right, wrong = Watch(), Watch()
    at = START
    moves = []
    for n, (hours, percent) in enumerate(story):
        at += timedelta(hours=hours)
        seen = Seen(ref=f"r{n}", at=at, percent=percent)
        off = replace(seen, at=at + timedelta(hours=error_hours))
        right, _ = step(right, seen, planned_at(seen.at), band)
        wrong, _ = step(wrong, off, planned_at(off.at), band)
        moves.append((seen, off.at))
    for seen, was_at in moves:
        wrong, verdict = redate(wrong, seen, was_at, planned_at(seen.at), band)

        assert verdict is None
    assert (wrong.recent, wrong.newest_at, wrong.firing) == (right.recent, right.newest_at, right.firing)
