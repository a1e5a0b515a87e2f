"""What planners hand in: every spelling that is understood, and every mistake with its row."""

import io
import zipfile
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline.errors import ConfigError, FaultyFile
from plumbline_central.indicators.cells import number_of
from plumbline_central.plan import PlanCurve, diff
from plumbline_central.plan_table import read_plan

MARCH = datetime(2026, 2, 28, 16, tzinfo=UTC)


def excel_day(month):
    return datetime(2026, month, 1)  # noqa: DTZ001 - Excel knows no zone


def workbook(*rows, percent_format=False, epoch=None, empty_first=False):
    book = openpyxl.Workbook()
    if epoch is not None:
        book.epoch = epoch
    sheet = book.active
    if empty_first:
        sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    if percent_format:
        for cell in sheet["B"][1:]:
            cell.number_format = "0.0%"
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def faults_of(content, **how):
    with pytest.raises(FaultyFile) as caught:
        read_plan(content, "plan", **how)
    return [(fault.key, fault.value, fault.expected) for fault in caught.value.faults]


@pytest.mark.parametrize(
    "text",
    [
        "日期,计划完成百分比\n2026-03-01,0\n2026-09-01,100\n",
        "日期，计划\n".replace("，", ",").replace("计划", "计划完成百分比（%）")
        + "2026年3月1日,0%\n2026年9月1日,100％\n",
        "计划日期;累计完成百分比\n2026/3/1;0\n2026/9/1;100\n",
        "某某工程形象进度计划\n\n日期\t计划进度\n2026.3.1\t0\n2026.09.01\t100\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk"])
def test_chinese_headers_and_dates_are_read_in_utf_8_and_in_gbk(text, encoding):
    draft = read_plan(text.encode(encoding), "plan.csv")

    assert draft.curve.points == ((MARCH, 0.0), (MARCH + timedelta(days=184), 100.0))
    assert draft.remarks == (("read as GBK",) if encoding == "gbk" else ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("date,percent\n2026-03-01,5\n".encode("utf-16"), "UTF-16"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ".xls"),
        (b"date,percent\n\xff\xff\xff\n", "neither UTF-8 nor GBK"),
        (b"date,percent\n2026-03-01,5\0\n", "no text"),
        (b"PK\x03\x04 and nothing", "no workbook"),
        (b" " * 4_000_001, "more than 4 MB"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(content, said):
    with pytest.raises(ConfigError, match=said) as caught:
        read_plan(content, "plan.csv")

    assert caught.value.hint


def test_another_encoding_that_happens_to_decode_is_told_by_its_header():
    ((key, _, expected),) = faults_of("日付,計画進捗率\n2026-03-01,0\n".encode("shift-jis"))

    assert key == "row 1"
    assert "CSV UTF-8" in expected


def test_each_mistake_is_told_with_its_row_and_nothing_is_left_out():
    text = (
        "date,percent\n2026-03-01,0\n2026-03-01,1\n2026-02-01,2\n2026-03-08,101\n2026-03-09,20\n2026-03-10,19\n"
        "2026-03-11,-1\n46082,30\n2026-03-12,1,200\n"
    )

    found = faults_of(text.encode())
    assert [(key, value) for key, value, _ in found] == [
        ("row 3", "2026-03-01"),
        ("row 4", "2026-02-01"),
        ("row 5", "101"),
        ("row 7", "19"),
        ("row 8", "-1"),
        ("row 9", "46082"),
        ("row 10", "2026-03-12,1,200"),
    ]
    assert found[0][2] == "each date once; it stands in row 2 already"
    assert found[1][2].startswith("a date after 2026-03-01")
    assert found[3][2] == "not less than 20: what was done stays done"


def test_a_quantity_has_thousands_and_no_upper_limit_of_a_hundred():
    content = '日期,计划值(kWh)\n2026-03-01,0\n2026-03-08,"1,200"\n2026-03-15,"12，345.5"\n'.encode()

    curve = read_plan(content, "energy.csv", kind="quantity").curve
    assert [value for _, value in curve.points] == [0.0, 1200.0, 12345.5]
    assert [key for key, _, _ in faults_of(content)] == ["row 3", "row 4"]


def test_a_level_may_fall_and_what_accumulates_may_not():
    content = b"date,percent\n2026-03-01,90\n2026-03-08,85\n"

    assert (
        read_plan(content, "plan.csv", cumulative=False).curve.planned_at(MARCH - timedelta(days=9)) == 90.0
    )
    assert [key for key, _, _ in faults_of(content)] == ["row 3"]


def test_a_gap_is_allowed_and_said():
    dates = [f"2026-03-{day:02}" for day in (1, 2, 3, 4, 8, 9)]
    text = "date,percent\n" + "".join(f"{date},{i * 20}\n" for i, date in enumerate(dates))

    assert read_plan(text.encode(), "plan.csv").remarks == (
        "no date from 2026-03-04 to 2026-03-08 (4 days): a straight line is taken",
    )


def test_shares_of_one_are_said_to_look_wrong():
    (remark,) = read_plan(b"date,percent\n2026-03-01,0\n2026-04-01,1\n", "plan.csv").remarks

    assert "shares of 1" in remark


def test_excels_own_dates_and_percents_are_read_as_they_are_shown():
    content = workbook(
        ["日期", "计划完成百分比", "备注"],
        [excel_day(3), 0, "开工"],
        [excel_day(4), 0.125],
        ["2026-09-01", 1],
        percent_format=True,
        empty_first=True,
    )
    draft = read_plan(content, "plan.xlsx")

    assert draft.curve.points[:2] == ((MARCH, 0.0), (MARCH + timedelta(days=31), 12.5))
    assert draft.curve.points[2][1] == 100.0
    assert draft.remarks[-1] == "columns not read: 备注"


@pytest.mark.parametrize("epoch", [None, openpyxl.utils.datetime.CALENDAR_MAC_1904])
def test_a_bare_number_in_a_column_of_dates_is_excels_day(epoch):
    serial = openpyxl.utils.datetime.to_excel(
        excel_day(3),
        epoch or openpyxl.utils.datetime.WINDOWS_EPOCH,
    )

    assert read_plan(workbook(["date", "percent"], [serial, 5], epoch=epoch), "p.xlsx").curve.start == MARCH


def test_the_rows_of_a_workbook_keep_their_numbers():
    content = workbook(["计划"], [], ["日期", "百分比"], [excel_day(3), 5], [None, None], ["soon", 101])

    assert [(key, value) for key, value, _ in faults_of(content)] == [("row 6", "soon"), ("row 6", "101")]


def test_a_formula_that_was_never_computed_is_a_fault_of_its_row():
    assert [key for key, _, _ in faults_of(workbook(["date", "percent"], ["2026-03-01", "=1+1"]))] == [
        "row 2"
    ]


def test_a_workbook_that_unpacks_to_far_more_is_not_unpacked():
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b" " * 70_000_000)

    with pytest.raises(ConfigError, match="unpacks to far more"):
        read_plan(bomb.getvalue(), "bomb.xlsx")


def test_too_many_rows_are_one_fault():
    rows = "".join(f"2026-03-01T00:00:{i / 1000:09.6f}Z,5\n" for i in range(10_002))
    ((key, _, _),) = faults_of(f"date,percent\n{rows}".encode())

    assert key == "rows"


def test_two_columns_of_the_same_meaning_are_one_clear_fault():
    ((key, value, _),) = faults_of("日期,计划完成百分比,百分比\n2026-03-01,1,2\n".encode())

    assert (key, value) == ("row 1", "计划完成百分比,百分比")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_plan_or_a_sentence(content):
    try:
        found = read_plan(b"date,percent\n2026-03-01,5\n" + content, "plan.csv").curve.points
    except ConfigError as error:
        found = str(error)

    assert found


@given(st.integers(0, 10**14), st.integers(0, 2))
def test_a_number_is_the_same_with_and_without_separators(whole, decimals):
    text = f"{whole / 10**decimals:.{decimals}f}"
    grouped = f"{whole / 10**decimals:,.{decimals}f}"

    assert number_of(text) == number_of(grouped) == float(text)


@pytest.mark.parametrize("text", ["1.234,5", "1,23", "nan", "inf", "1_000", "", "12%", "0x10", "1e999"])
def test_what_may_mean_two_things_is_no_number(text):
    assert number_of(text) is None


def test_two_versions_are_compared_at_their_own_dates():
    before = PlanCurve(points=((MARCH, 0.0), (MARCH + timedelta(days=100), 100.0)))
    after = PlanCurve(
        points=((MARCH, 0.0), (MARCH + timedelta(days=50), 25.0), (MARCH + timedelta(days=110), 100.0))
    )
    found = diff(before, after)

    assert (found.furthest, found.furthest_at) == (-25.0, MARCH + timedelta(days=50))
    assert found.end_moved == timedelta(days=10)
    assert [(change.before, change.after) for change in found.changes] == [
        (None, 25.0),
        (100.0, None),
        (None, 100.0),
    ]


def test_a_plan_against_itself_has_not_changed():
    curve = PlanCurve(points=((MARCH, 0.0), (MARCH + timedelta(days=100), 100.0)))

    assert (diff(curve, curve).changes, diff(curve, curve).furthest) == ((), 0.0)
