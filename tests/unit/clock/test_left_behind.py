"""A ledger row that cannot be read when its readings should move stops nothing, and is moved later."""

from datetime import UTC, datetime

import pytest

from plumbline.clock import from_us, to_us
from plumbline.errors import ConfigError, Refused
from plumbline.messages import Anchor, Frame, Record
from plumbline_central.project import LedgerRow
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore

S = 1_000_000
T0 = to_us(datetime(2026, 5, 1, tzinfo=UTC))


class HoledLedger:
    """Some of its rows cannot be read just now."""

    why = None
    away = ()

    def __init__(self, rows):
        self.rows = rows

    def read(self, after_id, limit):
        if self.why is not None and after_id + 1 in self.away:
            raise self.why
        return [row for row in self.rows if row.id > after_id][:limit]


def series_of(store):
    return store.series("a12", "m1", "voltage_l1", from_us(0), datetime(2099, 1, 1, tzinfo=UTC))


def row(id_, mono_us, body, clock, at_us=0):
    record = Record(seq=id_, at_us=at_us, boot="b1", mono_us=mono_us, clock=clock, body=body)
    return LedgerRow(
        id=id_, received_us=T0, site="a12", gateway="gw1", epoch="e1", lane="data", records=(record,)
    )


def frame(id_, mono_us, value):
    return row(id_, mono_us, Frame(device="m1", metrics=(1,), values=(value,)), "unset")


def anchor(id_, mono_us, offset_us):
    return row(id_, mono_us, Anchor(offset_us=offset_us), "synced", mono_us + offset_us)


@pytest.mark.parametrize("why", [ConfigError("away", hint="bring it back"), Refused("damaged")])
def test_readings_that_cannot_be_read_stay_and_move_at_the_next_anchor(tmp_path, why, caplog):
    rows = [
        frame(1, 100 * S, 100), frame(2, 200 * S, 200), anchor(3, 1000 * S, T0), anchor(4, 150 * S, T0 + 5 * S),
        anchor(5, 120 * S, T0 + 7 * S), anchor(6, 10**6 * S, T0),
    ]  # fmt: skip
    ledger = HoledLedger(rows)
    ledger.away = (1,)
    path = tmp_path / "series.db"
    store = SqliteTelemetryStore.open(path)
    series = SeriesProjection.open(path, store, ledger)
    series.apply(rows[:3])
    lain = series_of(store)
    ledger.why = why
    series.apply(rows[3:4])
    series.apply(rows[4:5])
    left = series_of(store)
    series.close()
    series = SeriesProjection.open(path, store, ledger)  # what was left behind outlives a restart
    ledger.why = None
    series.apply(rows[5:])

    assert lain == [(from_us(T0 + 100 * S), 1.0), (from_us(T0 + 200 * S), 2.0)]
    assert left == [(from_us(T0 + 100 * S), 1.0), (from_us(T0 + 205 * S), 2.0)]
    assert series_of(store) == [(from_us(T0 + 107 * S), 1.0), (from_us(T0 + 205 * S), 2.0)]
    assert [one.message.count("stay where they are") for one in caplog.records] == [1]
    series.close()
    store.close()


def test_readings_that_wait_in_a_file_that_is_away_wait_on(tmp_path):
    rows = [frame(1, 100 * S, 100), anchor(2, 1000 * S, T0), anchor(3, 2000 * S, T0)]
    ledger = HoledLedger(rows)
    ledger.why, ledger.away = Refused("damaged"), (1,)
    path = tmp_path / "series.db"
    store = SqliteTelemetryStore.open(path)
    series = SeriesProjection.open(path, store, ledger)
    series.apply(rows[:2])
    waited = series.waiting()
    ledger.why = None
    series.apply(rows[2:])

    assert (waited, series.waiting()) == (1, 0)
    assert series_of(store) == [(from_us(T0 + 100 * S), 1.0)]
    series.close()
    store.close()
