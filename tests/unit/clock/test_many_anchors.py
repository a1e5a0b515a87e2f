"""However many anchors a boot has, what they cost is bounded, and each reading ends where it belongs in any order."""

import random
from datetime import UTC, datetime

import pytest

from plumbline.clock import from_us, to_us
from plumbline.messages import Anchor, Frame, Photo, Record
from plumbline_central.placing import MOST_FIXES
from plumbline_central.project import LedgerRow
from plumbline_central.stores import fixes
from plumbline_central.stores.photos import PhotoStore
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore

S = 1_000_000
T0 = to_us(datetime(2026, 5, 1, tzinfo=UTC))


class PaperLedger:
    reads = 0

    def __init__(self, rows):
        self.rows = rows

    def read(self, after_id, limit):
        self.reads += 1
        return [row for row in self.rows if row.id > after_id][:limit]


def record(number, mono_us, body, clock="unset", at_us=0):
    return Record(seq=number, at_us=at_us, boot="b1", mono_us=mono_us, clock=clock, body=body)


def anchor(number, mono_us, offset_us):
    return record(number, mono_us, Anchor(offset_us=offset_us), "synced", mono_us + offset_us)


def ledger_of(batches):
    return PaperLedger(
        [
            LedgerRow(
                id=n, received_us=T0, site="a12", gateway="gw1", epoch="e1", lane="data", records=tuple(b)
            )
            for n, b in enumerate(batches, 1)
        ]
    )


def test_more_anchors_than_are_kept_place_the_same_in_any_order(tmp_path):
    rng = random.Random(7)
    records = [anchor(n, n * 7 * S, T0 + rng.randrange(9) * S) for n in range(2 * MOST_FIXES)]
    records += [
        record(n, rng.randrange(3600 * S) * 1000 + n, Frame(device="m1", metrics=(1,), values=(n,)))
        for n in range(1000, 1060)
    ]
    ends = []
    for order in range(3):
        rng.shuffle(records)
        ledger = ledger_of([records[n : n + 40] for n in range(0, len(records), 40)])
        store = SqliteTelemetryStore.open(tmp_path / f"{order}.db")
        series = SeriesProjection.open(tmp_path / f"{order}.db", store, ledger)
        series.apply(ledger.rows)
        ends.append(store.series("a12", "m1", "voltage_l1", from_us(0), datetime(2099, 1, 1, tzinfo=UTC)))
        series.close()
        store.close()

    assert len(ends[0]) == 60
    assert ends[0] == ends[1] == ends[2]


def test_an_anchor_that_says_nothing_new_reads_no_ledger_row_again(tmp_path):
    frame = record(1, 5 * S, Frame(device="m1", metrics=(1,), values=(1,)))
    ledger = ledger_of([[frame], *([anchor(n, n * S, T0)] for n in range(2, 60))])
    store = SqliteTelemetryStore.open(tmp_path / "series.db")
    series = SeriesProjection.open(tmp_path / "series.db", store, ledger)
    series.apply(ledger.rows)

    assert ledger.reads == 2  # from where it lay and to where it lies, when the first anchor came
    series.close()
    store.close()


@pytest.fixture
def read(monkeypatch):
    """How many fixes were read so far."""
    count, get = [0], fixes.get

    def counting(*what):
        found = get(*what)
        count[0] += len(found)
        return found

    monkeypatch.setattr(fixes, "get", counting)
    return count


def test_the_anchors_of_a_boot_are_read_once_for_all_photos_that_come_together(tmp_path, read):
    photo = Photo(photo="p", camera="north", jpeg=b"x", width_px=1, height_px=1, mask="none")
    ledger = ledger_of(
        [
            [anchor(n, n * S, T0 + n) for n in range(1000)],
            [record(n, n * S, photo) for n in range(1000, 1100)],
        ]
    )
    photos = PhotoStore.open(tmp_path / "series.db")
    photos.apply(ledger.rows[:1])
    photos.apply(ledger.rows[1:])

    assert 0 < read[0] <= 2 * MOST_FIXES
    photos.close()
