"""In whatever order batches come, and wherever central dies meanwhile, each reading ends where it belongs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline.clock import from_us, to_us
from plumbline.messages import Anchor, Frame, Record, Summary
from plumbline.metrics import BY_NAME, Flaw
from plumbline_central.placing import fix_of, place, with_fixes
from plumbline_central.project import LedgerRow, catch_up
from plumbline_central.stores.series import SeriesProjection
from plumbline_central.stores.sqlite import SqliteTelemetryStore

S = 1_000_000
T0 = to_us(datetime(2026, 5, 1, tzinfo=UTC))
BEGINNING, END = from_us(0), datetime(2099, 1, 1, tzinfo=UTC)


class PaperLedger:
    def __init__(self, rows=()):
        self.rows = list(rows)

    def read(self, after_id, limit):
        return [row for row in self.rows if row.id > after_id][:limit]


class Died(Exception):
    pass


class MortalStore(SqliteTelemetryStore):
    """Dies at its n-th write or removal, before or after it is done."""

    left = None
    after = False

    def _live(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Died

    def write(self, points):
        if not self.after:
            self._live()
        super().write(points)
        if self.after:
            self._live()

    def remove(self, points):
        if not self.after:
            self._live()
        super().remove(points)
        if self.after:
            self._live()


def series_of(store):
    return store.series("a12", "m1", "voltage_l1", BEGINNING, END)


@st.composite
def batches(draw):
    """Batches of up to two boots: frames and anchors, each value another, no two times since boot alike."""
    made, number = [], 0
    for boot in ("b1", "b2"):
        for _ in range(draw(st.integers(0, 6))):
            records = []
            for _ in range(draw(st.integers(1, 4))):
                number += 1
                # the last digits keep any two records apart, wherever they are placed: offsets are whole seconds
                mono_us = draw(st.integers(0, 600)) * S + number
                clock = draw(st.sampled_from(["synced", "unsynced", "unset"]))
                offset = {"unset": 0, "unsynced": T0 + draw(st.sampled_from([0, 7200, -7200])) * S}.get(
                    clock, T0 + draw(st.sampled_from([0, 0, 1, 3])) * S
                )
                body = draw(
                    st.sampled_from(
                        [Anchor(offset_us=offset), *[Frame(device="m1", metrics=(1,), values=(number,))] * 3]
                    )
                )
                records.append(
                    Record(
                        seq=number, at_us=mono_us + offset, boot=boot, mono_us=mono_us, clock=clock, body=body
                    )
                )
            made.append(tuple(records))
    return draw(st.permutations(made))


def ledger_of(story):
    return PaperLedger(
        LedgerRow(id=i, received_us=T0, site="a12", gateway="gw1", epoch="e1", lane="data", records=records)
        for i, records in enumerate(story, 1)
    )


def truth(story):
    """Every reading at its place, with all anchors known from the start."""
    known = {
        boot: with_fixes(
            (), [fix for batch in story for r in batch if r.boot == boot and (fix := fix_of(r)) is not None]
        )
        for boot in ("b1", "b2")
    }
    found = {
        place(r, known[r.boot]): r.body.values[0] / 100
        for batch in story
        for r in batch
        if isinstance(r.body, Frame)
    }
    found.pop(None, None)
    return [(from_us(at), value) for at, value in sorted(found.items())]


@settings(deadline=None, max_examples=40)
@given(batches(), st.integers(1, 5))
def test_any_order_of_batches_ends_in_the_same_points_and_so_does_a_rebuild(story, at_once):
    ledger = ledger_of(story)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "series.db"
        store = SqliteTelemetryStore.open(path)
        series = SeriesProjection.open(path, store, ledger)
        for first in range(0, len(ledger.rows), at_once):
            series.apply(ledger.rows[first : first + at_once])
        found, waiting = series_of(store), series.waiting()
        series.reset()
        catch_up(ledger, series)
        rebuilt = series_of(store)
        store.close()
        series.close()
    unplaced = sum(isinstance(r.body, Frame) for batch in story for r in batch) - len(truth(story))

    assert found == truth(story)
    assert rebuilt == found
    assert waiting == unplaced


@settings(deadline=None, max_examples=40)
@given(
    batches(),
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(1, 5)), min_size=1, max_size=4),
)
def test_wherever_central_dies_while_readings_move_nothing_is_lost_or_left_behind(story, deaths):
    ledger = ledger_of(story)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "series.db"
        for left, after, at_once in [*deaths, (None, False, 64)]:
            store = MortalStore.open(path)
            store.left, store.after = left, after
            series = SeriesProjection.open(path, store, ledger)
            try:
                at = series.cursor()
                while rows := ledger.read(at, at_once):
                    series.apply(rows)
                    at = rows[-1].id
            except Died:
                pass
            found = series_of(store)
            store.close()
            series.close()

    assert found == truth(story)


def test_a_summary_is_one_point_that_says_what_it_is_and_yields_to_a_single_poll(tmp_path):
    codes = tuple(BY_NAME[name].code for name in ("voltage_l1", "energy_import_total", "current_l1"))
    summary = Summary(
        device="m1", metrics=codes, frames=90, span_us=900 * S, good=(90, 90, 0), low=(1, 1, None),
        mean=(23_000, 5, None), high=(9, 9, None), newest=(22_900, 12_345, None),
    )  # fmt: skip
    whole = Frame(device="m1", metrics=codes, values=(23_100, 12_300, 7))
    records = [
        Record(seq=n, at_us=T0 + at * S, boot="b", mono_us=at * S, clock="synced", body=body)
        for n, (at, body) in enumerate([(900, summary), (1800, whole), (1800, summary), (2700, summary)], 1)
    ]
    path = tmp_path / "series.db"
    store = SqliteTelemetryStore.open(path)
    series = SeriesProjection.open(path, store, PaperLedger())
    series.apply(ledger_of([tuple(records), tuple(records)]).rows)
    series.close()

    assert series_of(store) == [
        (from_us(T0 + at * S), volts) for at, volts in [(900, 230.0), (1800, 231.0), (2700, 230.0)]
    ]
    assert [(r.metric, r.value, r.flaw) for r in store.latest("a12")] == [
        ("voltage_l1", 230.0, Flaw.THINNED),
        ("current_l1", None, Flaw.NOT_A_NUMBER),
        ("energy_import_total", 1.2345, Flaw.THINNED),
    ]
    store.close()
