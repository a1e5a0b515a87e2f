from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import FaultyFile
from plumbline_central.plan import PlanCurve, remarks
from plumbline_central.plan_table import parse_plan_csv

DAY = datetime(2026, 3, 1, tzinfo=UTC)


@st.composite
def curves(draw):
    gaps = draw(st.lists(st.integers(1, 5_000_000), min_size=1, max_size=12))
    percents = sorted(draw(st.lists(st.floats(0, 100), min_size=len(gaps), max_size=len(gaps))))
    at, points = DAY, []
    for gap, percent in zip(gaps, percents, strict=True):
        at += timedelta(seconds=gap)
        points.append((at, percent))
    return PlanCurve(points=tuple(points))


@given(curves(), st.integers(-10_000_000, 80_000_000), st.integers(0, 10_000_000))
def test_what_is_due_never_falls_and_stays_between_nothing_and_the_last_point(curve, seconds, later):
    first = curve.planned_at(DAY + timedelta(seconds=seconds))
    second = curve.planned_at(DAY + timedelta(seconds=seconds + later))

    assert 0 <= first <= second + 1e-9
    assert second <= curve.points[-1][1] + 1e-9


@given(curves())
def test_the_line_goes_through_every_point(curve):
    assert [curve.planned_at(at) for at, _ in curve.points] == [percent for _, percent in curve.points]


def test_half_way_between_two_points_half_the_difference_is_due():
    curve = PlanCurve(points=((DAY, 10.0), (DAY + timedelta(days=2), 20.0)))

    assert curve.planned_at(DAY + timedelta(days=1)) == 15.0
    assert curve.planned_at(DAY - timedelta(seconds=1)) == 0.0
    assert curve.planned_at(DAY + timedelta(days=9)) == 20.0


def test_a_date_means_midnight_in_shanghai():
    curve = parse_plan_csv("date,percent\n2026-03-01,0\n2026-05-01,100\n")

    assert curve.start == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert curve.end == datetime(2026, 4, 30, 16, tzinfo=UTC)


def test_a_spreadsheets_export_with_mark_windows_lines_and_empty_columns_is_read():
    curve = parse_plan_csv("\ufeffDate,Percent,,\r\n2026-03-01T08:00:00Z,0,,\r\n\r\n2026-04-01,12.5,,\r\n")

    assert [percent for _, percent in curve.points] == [0.0, 12.5]
    assert curve.start == datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_every_bad_row_is_told_at_once_with_its_number():
    text = (
        "date,percent\n2026-03-01,0\n2026-13-01,5\n2026-03-02,much\n2026-03-03,101\n2026-02-01,7\n"
        "2026-03-05,20\n2026-03-06,19\n2026-03-07,nan\n2026-03-08\n2026-03-09T10:00:00,30\n"
    )

    with pytest.raises(FaultyFile) as caught:
        parse_plan_csv(text, file="a.csv")

    keys = [fault.key for fault in caught.value.faults]
    assert keys == ["row 3", "row 4", "row 5", "row 6", "row 8", "row 9", "row 10", "row 11"]
    assert str(caught.value.faults[0]) == (
        "a.csv: row 3: expected a date YYYY-MM-DD from 1970 to 2099,"
        " or a time with its zone (RFC 3339), got '2026-13-01'"
    )


@pytest.mark.parametrize("text", ["", "\n\n", "when,what\n2026-03-01,1\n", "date,percent\n"])
def test_a_file_that_is_no_plan_is_one_clear_fault(text):
    with pytest.raises(FaultyFile) as caught:
        parse_plan_csv(text)

    assert len(caught.value.faults) == 1


@given(st.text(), st.sampled_from(["", "date,percent\n", "date,percent\n2026-03-01,5\n"]))
def test_any_text_is_a_plan_or_a_list_of_faults(text, before):
    try:
        found = parse_plan_csv(before + text).points
    except FaultyFile as faulty:
        found = tuple(faulty.faults)

    assert found


def test_one_point_is_allowed_but_said():
    assert remarks(parse_plan_csv("date,percent\n2026-03-01,100\n")) == [
        "only one point: 0 % is due before 2026-03-01, 100 % from then on"
    ]
    assert remarks(parse_plan_csv("date,percent\n2026-03-01,0\n2026-04-01,100\n")) == []


@pytest.mark.parametrize("date", ["0001-01-01", "1969-12-31", "2100-01-01", "9999-12-31T23:59:59-12:00"])
def test_a_date_that_no_works_can_have_is_a_fault_of_its_row(date):
    with pytest.raises(FaultyFile) as caught:
        parse_plan_csv(f"date,percent\n{date},5\n")

    assert [fault.key for fault in caught.value.faults] == ["row 2"]
