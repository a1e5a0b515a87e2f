"""What people write in a table's cells, as dates and numbers; which column is which."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

from plumbline.errors import Fault, FaultyFile
from plumbline_central.indicators.sheet import Cell, Sheet

DATE_EXPECTED: Final = "a date YYYY-MM-DD from 1970 to 2099, or a time with its zone (RFC 3339)"
TOO_WIDE: Final = "no more cells than the header has; a number with commas stands in quotes"
_DATE: Final = re.compile(
    r"(\d{4})(?:-(\d{1,2})-|/(\d{1,2})/|\.(\d{1,2})\.|年(\d{1,2})月)(\d{1,2})日?", re.ASCII
)
_PLAIN: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_YEARS: Final = (1970, 2100)
_HEADER_WITHIN: Final = 10
"""Rows in which the header is looked for: a title may stand above it."""
_ASIDE: Final = re.compile(r"[(\[].*?[)\]]|[\s_%:]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where the known columns stand, and the rows below their names."""

    at: Mapping[str, int]
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]
    unread: tuple[str, ...]
    """Names of columns that mean nothing here."""
    width: int

    def too_wide(self, row: tuple[Cell, ...]) -> str | None:
        """What stands right of the last column, as a comma within a number leaves it; None: nothing."""
        return ",".join(map(str, row)) if len(row) > self.width else None

    def cell(self, row: tuple[Cell, ...], name: str) -> Cell:
        """What stands there; an empty text where nothing does."""
        index = self.at.get(name)
        return row[index] if index is not None and index < len(row) else ""

    def text(self, row: tuple[Cell, ...], name: str) -> str:
        cell = self.cell(row, name)
        return cell if isinstance(cell, str) else cell.isoformat(sep=" ")


def find_columns(
    sheet: Sheet, names: Mapping[str, Collection[str]], required: Collection[str], expected: str
) -> Columns:
    """The columns of `names` (ours -> what people call it). Raises FaultyFile with one clear fault."""
    ours = {_plain_name(called): name for name, all_ in names.items() for called in (name, *all_)}
    for index, (number, row) in enumerate(sheet.rows[:_HEADER_WITHIN]):
        found = [(ours.get(_plain_name(str(cell))), i, str(cell)) for i, cell in enumerate(row)]
        known = [name for name, _, _ in found if name is not None]
        if not set(required) <= set(known):
            continue
        twice = sorted({name for name in known if known.count(name) > 1})
        if twice:
            called = [str(cell) for name, _, cell in found if name in twice]
            raise FaultyFile([_fault(sheet, f"row {number}", ",".join(called), "one column of this meaning")])
        return Columns(
            at={name: i for name, i, _ in found if name is not None},
            rows=sheet.rows[index + 1 :],
            unread=tuple(cell for name, _, cell in found if name is None and cell),
            width=len(row),
        )
    number, row = sheet.rows[0] if sheet.rows else (1, ())
    if sheet.read_as == "GBK":
        expected += "; the file is not in UTF-8 and was read as GBK: save it as “CSV UTF-8” if that is wrong"
    raise FaultyFile([_fault(sheet, f"row {number}", ",".join(map(str, row)), expected)])


def row_fault(sheet: Sheet, number: int, value: Cell, expected: str) -> Fault:
    """One wrong cell, by the number of its row in the file."""
    return _fault(
        sheet, f"row {number}", value if isinstance(value, str) else f"{value:%Y-%m-%d %H:%M}", expected
    )


def date_of(cell: Cell, tz: tzinfo, epoch: datetime | None = None) -> datetime | None:
    """The midnight in `tz` of a date in the usual spellings, or a time with its zone; None for anything else."""
    if isinstance(cell, datetime):
        return _within(cell.replace(tzinfo=tz))
    text = unicodedata.normalize("NFKC", cell)
    try:
        if found := _DATE.fullmatch(text):
            year, *months, day = found.groups()
            return _within(datetime(int(year), int(next(filter(None, months))), int(day), tzinfo=tz))
        if epoch is not None and _PLAIN.fullmatch(text):
            return _within((epoch + timedelta(days=float(text))).replace(tzinfo=tz))
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return None if at.tzinfo is None else _within(at)


def number_of(cell: Cell, *, percent: bool = False) -> float | None:
    """A number, thousands separated by commas or not; with `percent`, a percent sign may follow it."""
    if isinstance(cell, datetime):
        return None
    text = unicodedata.normalize("NFKC", cell).replace(" ", "")
    if percent:
        text = text.removesuffix("%")
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if not _PLAIN.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _within(at: datetime) -> datetime | None:
    return at if _YEARS[0] <= at.year < _YEARS[1] else None


def _plain_name(text: str) -> str:
    """`计划完成 （%）` and `计划完成` are one name."""
    return _ASIDE.sub("", unicodedata.normalize("NFKC", text).strip().lower())


def _fault(sheet: Sheet, key: str, value: str, expected: str) -> Fault:
    return Fault(file=sheet.file, key=key, value=value, expected=expected)
