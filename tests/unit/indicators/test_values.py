"""Values that are handed in: all or none, corrected but never changed."""

import sqlite3
from datetime import UTC, datetime

import pytest

from plumbline.errors import FaultyFile
from plumbline_central.indicators.values import Pushed

from .conftest import SITE, START, day


def kept(measured, indicator="funds_paid"):
    return [
        (one.at, one.seq, one.value, one.current)
        for one in measured.book.values.kept(SITE, indicator, START, day(1000))
    ]


def test_a_correction_is_a_new_row_and_the_old_one_stays(measured):
    measured.add("funds_paid")
    assert measured.push("funds_paid", 1, 30.0) == 1
    assert measured.push("funds_paid", 1, 30.0) == 0
    assert measured.push("funds_paid", 1, 35.0) == 1
    assert measured.push("funds_paid", 2, 40.0) == 1

    assert kept(measured) == [
        (day(2), 1, 40.0, True),
        (day(1), 2, 35.0, True),
        (day(1), 1, 30.0, False),
    ]
    points = measured.book.points.indicator_points(SITE, "funds_paid").points
    assert [(point.at, point.value) for point in points] == [(day(1), 35.0), (day(2), 40.0)]
    with pytest.raises(sqlite3.IntegrityError, match="never changed"), measured.db.write() as db:
        db.execute("UPDATE indicator_value SET value = 0")


def test_a_value_that_is_taken_back_is_missing_and_not_0(measured):
    measured.add("funds_paid")
    measured.push("funds_paid", 1, 30.0)
    measured.push("funds_paid", 1, None)

    (point,) = measured.book.points.indicator_points(SITE, "funds_paid").points
    assert (point.value, point.flags, point.valid) == (None, ("withdrawn",), False)


def test_everything_wrong_is_told_at_once_and_nothing_is_kept(measured):
    measured.add("funds_paid")
    measured.add("material_delivered")
    measured.add("energy")
    values = [
        Pushed(indicator="funds_paid", at=day(1), value=30.0),
        Pushed(indicator="funds_paid", at=day(2), value=101.0, where="row 3"),
        Pushed(indicator="material_delivered", at=day(2), value=-1.0),
        Pushed(indicator="material_delivered", at=day(2), value=float("nan")),
        Pushed(indicator="fund_paid", at=day(2), value=1.0),
        Pushed(indicator="energy", at=day(2), value=1.0),
        Pushed(indicator="funds_paid", at=day(500), value=1.0),
        Pushed(indicator="funds_paid", at=datetime(1, 1, 1, tzinfo=UTC), value=1.0),
    ]

    with pytest.raises(FaultyFile) as caught:
        measured.book.values.push(SITE, values, "li", day(400))
    assert [fault.key for fault in caught.value.faults] == [
        "row 3", "material_delivered", "material_delivered", "fund_paid", "energy", "funds_paid", "funds_paid",
    ]  # fmt: skip
    assert "did you mean 'funds_paid'?" in str(caught.value)
    assert kept(measured) == []


def test_a_file_is_taken_whole_or_not_at_all(measured):
    measured.add("funds_paid")
    measured.add("satisfaction")
    good = "指标,日期,数值,备注\nfunds_paid,2026-03-31,30,第三期\nsatisfaction,2026/3/31,88.5%,\n"
    bad = (
        good
        + "funds_paid,2026-03-31,31\nfunds_paid,2026-04-31,31\nfund,2026-03-01,1\nfunds_paid,2026-03-02,101\n"
    )

    def import_(text, **how):
        content = text.encode("gbk")
        return measured.book.import_values_file(SITE, content, "values.csv", "li", day(400), **how)

    with pytest.raises(FaultyFile) as caught:
        import_(bad)
    assert [fault.key for fault in caught.value.faults] == ["row 4", "row 5", "row 6", "row 7"]
    assert kept(measured) == []
    assert (import_(good, dry_run=True), kept(measured)) == (2, [])
    assert (import_(good), len(kept(measured))) == (2, 1)
    assert import_(good) == 0


def test_a_file_of_one_indicator_needs_no_column_for_it(measured):
    measured.add("funds_paid")
    content = b"date,value\n2026-03-31,30\n"

    assert (
        measured.book.import_values_file(SITE, content, "v.csv", "li", day(400), indicator="funds_paid") == 1
    )
    with pytest.raises(FaultyFile, match="the header indicator,date,value"):
        measured.book.import_values_file(SITE, content, "v.csv", "li", day(400))
