"""What was planned when: dated percentages and the line between them."""

from __future__ import annotations

import csv
import io
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from plumbline.errors import Fault, FaultyFile

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
HEADER: Final = ("date", "percent")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MAX_ROWS: Final = 10_000
_YEARS: Final = (1970, 2100)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCurve:
    """Cumulative percent of the visible works due at dates; dates increase, percent never falls.

    Raises ValueError for anything else: `parse_plan_csv` is where a person's mistakes are told.
    """

    points: tuple[tuple[datetime, float], ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError("a plan has at least one point")
        before: tuple[datetime, float] | None = None
        for at, percent in self.points:
            if at.tzinfo is None or not 0 <= percent <= 100:
                raise ValueError(f"({at}, {percent}) cannot be planned")
            if before is not None and not (before[0] < at and before[1] <= percent):
                raise ValueError(f"{at}: dates must increase and percent must not fall")
            before = (at, percent)

    @property
    def start(self) -> datetime:
        return self.points[0][0]

    @property
    def end(self) -> datetime:
        return self.points[-1][0]

    def due_at(self, at: datetime) -> float | None:
        """As `planned_at`, but None before the plan begins: there is nothing yet to deviate from."""
        return None if at < self.start else self.planned_at(at)

    def planned_at(self, at: datetime) -> float:
        """Percent due at `at`: linear between points, 0 before the first, the last one's after it."""
        index = bisect_right(self.points, at, key=lambda point: point[0])
        if index == 0:
            return 0.0
        left_at, left = self.points[index - 1]
        if index == len(self.points):
            return left
        right_at, right = self.points[index]
        return left + (right - left) * ((at - left_at) / (right_at - left_at))


def remarks(curve: PlanCurve) -> list[str]:
    """What is allowed in a plan and still worth a word to whoever imports it."""
    said = []
    if len(curve.points) == 1:
        at, percent = curve.points[0]
        said.append(f"only one point: 0 % is due before {at:%Y-%m-%d}, {percent:g} % from then on")
    if curve.points[-1][1] < 100:
        said.append(f"ends at {curve.points[-1][1]:g} %, not at 100 %")
    return said


def parse_plan_csv(text: str, tz: tzinfo = SHANGHAI, *, file: str = "plan.csv") -> PlanCurve:
    """The plan in a table with header `date,percent`, one row per point.

    A date is YYYY-MM-DD (its midnight in `tz`) or an RFC 3339 time with its zone; percent is 0 to 100.
    Raises FaultyFile with every bad row, by its number in the file.
    """
    rows = _rows(text)
    number, header = next(rows, (1, []))
    if tuple(cell.lower() for cell in header) != HEADER:
        raise FaultyFile(
            [
                Fault(
                    file=file, key=f"row {number}", value=",".join(header), expected="the header date,percent"
                )
            ]
        )
    faults: list[Fault] = []
    points: list[tuple[datetime, float]] = []
    for number, row in rows:
        if number > _MAX_ROWS:
            faults.append(Fault(file=file, key="rows", value=number, expected=f"at most {_MAX_ROWS} rows"))
            break
        found = _check(row, points[-1] if points else None, tz)
        if isinstance(found, tuple):
            points.append(found)
        else:
            faults += [Fault(file=file, key=f"row {number}", value=value, expected=e) for value, e in found]
    if not points and not faults:
        faults.append(Fault(file=file, key="rows", value=0, expected="at least one row below the header"))
    if faults:
        raise FaultyFile(faults)
    return PlanCurve(points=tuple(points))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something, each with the line it ends on."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    for row in reader:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()  # spreadsheets export empty columns
        if cells:
            yield reader.line_num, cells


def _check(
    row: Sequence[str], before: tuple[datetime, float] | None, tz: tzinfo
) -> tuple[datetime, float] | list[tuple[str, str]]:
    """The row's point, or (value, expectation) for each thing wrong with it."""
    if len(row) != len(HEADER):
        return [(",".join(row), "two cells, date and percent")]
    wrong: list[tuple[str, str]] = []
    at, percent = _date(row[0], tz), _percent(row[1])
    if at is None:
        wrong.append((row[0], "a date YYYY-MM-DD from 1970 to 2099, or a time with its zone (RFC 3339)"))
    elif before is not None and at <= before[0]:
        wrong.append((row[0], f"a date after {before[0].isoformat(sep=' ', timespec='minutes')}"))
    if percent is None:
        wrong.append((row[1], "a number from 0 to 100"))
    elif before is not None and percent < before[1]:
        wrong.append((row[1], f"not less than {before[1]:g}: what was done stays done"))
    if at is None or percent is None or wrong:
        return wrong
    return at, percent


def _date(text: str, tz: tzinfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not _YEARS[0] <= at.year < _YEARS[1]:
        return None
    if at.tzinfo is None:
        return at.replace(tzinfo=tz) if _DATE.fullmatch(text) else None
    return at


def _percent(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value <= 100 else None
