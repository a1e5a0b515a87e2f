from datetime import datetime, timedelta

import pytest

from plumbline.errors import Unreachable
from plumbline_central.alerts.tables import open_control
from plumbline_central.rules.limits import Limits
from plumbline_central.rules.metering import EnergyBook, Meter

from .conftest import NOW, SITE

MAIN = Meter(site=SITE, device="main", gateway="gw")
HOUR = timedelta(hours=1)


class Series:
    """A meter that counts 12 kWh an hour until `until`; what it was asked for is kept."""

    def __init__(self, start, until):
        self.start, self.until = start, until
        self.asked = []
        self.away = False

    def series(self, site, device, metric, start: datetime, end: datetime, step_s=None):
        if self.away:
            raise Unreachable("away")
        self.asked.append((start, end))
        at, found = max(start, self.start), []
        while at < min(end, self.until):
            found.append((at, 12 * (at - self.start) / HOUR))
            at += timedelta(seconds=step_s)
        return found


@pytest.fixture
def made(tmp_path):
    def make(series):
        return EnergyBook(db, series, lambda: [MAIN], Limits())

    db = open_control(tmp_path / "control.db")
    make.db = db
    yield make
    db.close()


def hours(db):
    with db.read() as read:
        return read.execute("SELECT count(*), min(kwh), max(kwh) FROM energy_hour").fetchone()


def test_a_meters_history_is_taken_in_week_by_week_and_then_hour_by_hour(made):
    series = Series(NOW - timedelta(days=20), NOW + timedelta(days=9))
    book = made(series)
    for _ in range(12):
        book.catch_up(NOW)

    assert hours(made.db) == (20 * 24 - 1, pytest.approx(12.0), pytest.approx(12.0))
    assert all(end - start <= timedelta(days=7, hours=2) for start, end in series.asked)
    asked = len(series.asked)
    assert book.catch_up(NOW + timedelta(minutes=20)) == 1
    assert book.catch_up(NOW + timedelta(minutes=30)) == 0
    assert len(series.asked) == asked + 1


def test_hours_after_the_newest_reading_wait_for_what_may_only_be_late(made):
    series = Series(NOW - timedelta(days=3), NOW - timedelta(hours=5))
    book = made(series)
    for _ in range(12):
        book.catch_up(NOW)
    before = hours(made.db)[0]
    series.until = NOW
    book.catch_up(NOW)

    assert hours(made.db)[0] - before == pytest.approx(4, abs=1)


def test_what_is_usual_is_known_after_weeks_and_survives_a_restart(made):
    book = made(Series(NOW - timedelta(days=40), NOW))
    for _ in range(12):
        book.catch_up(NOW)

    (meter,) = book.metered()
    assert (meter.site, meter.device, meter.gateway) == (SITE, "main", "gw")
    assert meter.night.energy_kwh == pytest.approx(meter.night.usual_kwh)
    assert [day.usual_kwh for day in meter.days] == [pytest.approx(288.0)] * len(meter.days)
    assert made(Series(NOW, NOW)).metered() == [meter]
    assert book.metered()[0] is meter


def test_a_store_that_is_away_costs_nothing_that_was_known(made):
    series = Series(NOW - timedelta(days=40), NOW)
    book = made(series)
    for _ in range(12):
        book.catch_up(NOW)
    known = book.metered()
    series.away = True
    with pytest.raises(Unreachable):
        book.catch_up(NOW + HOUR)

    assert book.metered() == known
