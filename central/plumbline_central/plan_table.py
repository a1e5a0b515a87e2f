"""A planner's table of dates and values as a plan, with every wrong row told by its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from plumbline.errors import Fault, FaultyFile
from plumbline_central.indicators.cells import (
    DATE_EXPECTED,
    TOO_WIDE,
    Columns,
    date_of,
    find_columns,
    number_of,
    row_fault,
)
from plumbline_central.indicators.sheet import MOST_ROWS, Cell, Sheet, read_sheet, sheet_of_text
from plumbline_central.plan import SHANGHAI, Kind, PlanCurve, is_value, remarks

HEADERS: Final[Mapping[str, frozenset[str]]] = {
    "date": frozenset(("日期", "时间", "计划日期", "截止日期", "day", "time")),
    "value": frozenset(
        (
            "percent", "planned", "plan", "cumulative", "quantity", "计划完成百分比", "计划完成", "计划百分比", "计划累计完成百分比",
            "累计完成百分比", "累计百分比", "完成百分比", "计划进度", "计划值", "计划量", "计划累计", "累计计划", "累计计划值", "百分比",
        )
    ),
}  # fmt: skip
"""Column names that are understood; what stands in brackets, blanks and % do not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A plan that could be imported, and what is worth a word about it."""

    curve: PlanCurve
    remarks: tuple[str, ...]


def read_plan(
    content: bytes, file: str, *, kind: Kind = "percent", cumulative: bool = True, tz: tzinfo = SHANGHAI
) -> Draft:
    """The plan in a CSV or XLSX file. Raises FaultyFile with every bad row, ConfigError for what is no table."""
    sheet = read_sheet(content, file)
    columns = _columns(sheet)
    curve = _curve(sheet, columns, kind, tz, cumulative=cumulative)
    said = remarks(curve)
    if sheet.read_as == "GBK":
        said.insert(0, "read as GBK")
    if columns.unread:
        said.append(f"columns not read: {', '.join(columns.unread)}")
    return Draft(curve=curve, remarks=tuple(said))


def parse_plan_csv(text: str, tz: tzinfo = SHANGHAI, *, file: str = "plan.csv") -> PlanCurve:
    """The plan of percent in a table with header `date,percent`, one row per point. Raises FaultyFile."""
    sheet = sheet_of_text(text, file)
    return _curve(sheet, _columns(sheet), "percent", tz, cumulative=True)


def _columns(sheet: Sheet) -> Columns:
    return find_columns(sheet, HEADERS, ("date", "value"), "the header date,percent (or 日期,计划完成百分比)")


def _curve(sheet: Sheet, columns: Columns, kind: Kind, tz: tzinfo, *, cumulative: bool) -> PlanCurve:
    faults: list[Fault] = []
    points: list[tuple[datetime, float]] = []
    seen: dict[datetime, int] = {}
    if len(columns.rows) > MOST_ROWS:
        faults.append(
            Fault(file=sheet.file, key="rows", value=len(columns.rows), expected=f"at most {MOST_ROWS} rows")
        )
    for number, row in columns.rows[:MOST_ROWS]:
        if (wide := columns.too_wide(row)) is not None:
            faults.append(row_fault(sheet, number, wide, TOO_WIDE))
            continue
        date, value = columns.cell(row, "date"), columns.cell(row, "value")
        at, amount = date_of(date, tz, sheet.epoch), number_of(value, percent=kind == "percent")
        before = points[-1] if points else None
        wrong = [
            *_wrong_date(date, at, before, seen),
            *_wrong_value(value, amount, before if cumulative else None, kind),
        ]
        faults += [row_fault(sheet, number, cell, expected) for cell, expected in wrong]
        if at is not None:
            seen.setdefault(at, number)
            if amount is not None and not wrong:
                points.append((at, amount))
    if not points and not faults:
        faults.append(
            Fault(file=sheet.file, key="rows", value=0, expected="at least one row below the header")
        )
    if faults:
        raise FaultyFile(faults)
    return PlanCurve(points=tuple(points), kind=kind, cumulative=cumulative)


def _wrong_date(
    cell: Cell, at: datetime | None, before: tuple[datetime, float] | None, seen: Mapping[datetime, int]
) -> list[tuple[Cell, str]]:
    if at is None:
        return [(cell, DATE_EXPECTED)]
    if at in seen:
        return [(cell, f"each date once; it stands in row {seen[at]} already")]
    if before is not None and at < before[0]:
        return [(cell, f"a date after {before[0].isoformat(sep=' ', timespec='minutes')}")]
    return []


def _wrong_value(
    cell: Cell, amount: float | None, before: tuple[datetime, float] | None, kind: Kind
) -> list[tuple[Cell, str]]:
    if amount is None or not is_value(amount, kind):
        return [(cell, "a number from 0 to 100" if kind == "percent" else "a number from 0 to 1e15")]
    if before is not None and amount < before[1]:
        return [(cell, f"not less than {before[1]:g}: what was done stays done")]
    return []
