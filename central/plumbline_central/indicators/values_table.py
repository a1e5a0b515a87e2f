"""A table of values to hand in, with every wrong row told by its number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

from plumbline.errors import Fault
from plumbline_central.indicators.cells import (
    DATE_EXPECTED,
    TOO_WIDE,
    date_of,
    find_columns,
    number_of,
    row_fault,
)
from plumbline_central.indicators.sheet import read_sheet
from plumbline_central.indicators.values import Pushed
from plumbline_central.plan import SHANGHAI

HEADERS: Final[Mapping[str, frozenset[str]]] = {
    "indicator": frozenset(("指标", "指标编号", "id")),
    "date": frozenset(("日期", "时间", "at", "day", "time")),
    "value": frozenset(("数值", "实际值", "完成值", "值", "actual")),
    "note": frozenset(("备注", "说明", "comment", "remark")),
}


def read_values(
    content: bytes, file: str, *, indicator: str = "", tz: tzinfo = SHANGHAI
) -> tuple[list[Pushed], list[Fault]]:
    """The values in a CSV or XLSX file, and every wrong row; without a column for it, all are of `indicator`.

    An empty value is a fault. Raises FaultyFile where there is no header, ConfigError for what is no table.
    """
    sheet = read_sheet(content, file)
    required = ("date", "value") if indicator else ("indicator", "date", "value")
    columns = find_columns(sheet, HEADERS, required, f"the header {','.join(required)} (or 指标,日期,数值)")
    faults: list[Fault] = []
    pushed: list[Pushed] = []
    seen: dict[tuple[str, datetime], int] = {}
    for number, row in columns.rows:
        if (wide := columns.too_wide(row)) is not None:
            faults.append(row_fault(sheet, number, wide, TOO_WIDE))
            continue
        date, cell = columns.cell(row, "date"), columns.cell(row, "value")
        name = columns.text(row, "indicator") or indicator
        at, value = date_of(date, tz, sheet.epoch), number_of(cell, percent=True)
        if at is None:
            faults.append(row_fault(sheet, number, date, DATE_EXPECTED))
        elif (first := seen.setdefault((name, at), number)) != number:
            faults.append(row_fault(sheet, number, date, f"each time once; it stands in row {first} already"))
        if value is None:
            faults.append(row_fault(sheet, number, cell, "a number"))
        if at is not None and value is not None:
            pushed.append(
                Pushed(
                    indicator=name, at=at, value=value, note=columns.text(row, "note"), where=f"row {number}"
                )
            )
    if not pushed and not faults:
        faults.append(Fault(file=file, key="rows", value=0, expected="at least one row below the header"))
    return pushed, faults
