"""A table out of a file that a person made: CSV in UTF-8 or GBK, or XLSX; rows keep the numbers they have there."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from plumbline.errors import ConfigError, Fault, FaultyFile

Cell = str | datetime
"""Text as it stands, or a spreadsheet's own date: wall time without a zone."""

MOST_BYTES: Final = 4_000_000
MOST_ROWS: Final = 10_000
MOST_COLUMNS: Final = 64
_SEPARATORS: Final = (",", "\t", ";")
_SAVE_AS: Final = "In Excel or WPS: save as “CSV UTF-8” or as .xlsx, and import that."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The rows that hold something, each with its number in the file; empty cells at the end of a row are cut."""

    file: str
    rows: tuple[tuple[int, tuple[Cell, ...]], ...]
    read_as: str
    epoch: datetime | None = None
    """What a bare number in a column of dates counts its days from; None: it is no date."""


def read_sheet(content: bytes, file: str) -> Sheet:
    """The table in the file's content. Raises ConfigError for what is no table, with what to do instead."""
    if len(content) > MOST_BYTES:
        raise ConfigError(
            f"{file}: more than {MOST_BYTES / 1e6:g} MB", hint="A table of dates is far smaller."
        )
    if content.startswith(b"PK\x03\x04"):
        from plumbline_central.indicators.xlsx import read_xlsx  # noqa: PLC0415 - openpyxl costs 0.3 s

        return read_xlsx(content, file)
    if content.startswith(b"\xd0\xcf\x11\xe0"):
        raise ConfigError(f"{file}: an old .xls file, or one with a password", hint=_SAVE_AS)
    text, read_as = _decoded(content, file)
    return Sheet(file=file, rows=_csv_rows(text, file), read_as=read_as)


def sheet_of_text(text: str, file: str) -> Sheet:
    """The table in a text that has been decoded already."""
    return Sheet(file=file, rows=_csv_rows(text.removeprefix("\ufeff"), file), read_as="UTF-8")


def _decoded(content: bytes, file: str) -> tuple[str, str]:
    """UTF-8, or what Chinese Windows writes. Whether the second guess is right the header shows."""
    for mark in (b"\xff\xfe", b"\xfe\xff"):
        if content.startswith(mark):
            raise ConfigError(f"{file}: text in UTF-16", hint=_SAVE_AS)
    if b"\0" in content:
        raise ConfigError(f"{file}: no text and no .xlsx", hint=_SAVE_AS)
    for encoding, name in (("utf-8-sig", "UTF-8"), ("gb18030", "GBK")):
        try:
            return content.decode(encoding), name
        except UnicodeDecodeError:
            continue
    raise ConfigError(f"{file}: neither UTF-8 nor GBK", hint=_SAVE_AS)


def _csv_rows(text: str, file: str) -> tuple[tuple[int, tuple[Cell, ...]], ...]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    rows: list[tuple[int, tuple[Cell, ...]]] = []
    try:
        for row in reader:
            if len(rows) > MOST_ROWS:
                raise too_long(file)
            cells = cut([cell.strip() for cell in row])
            if cells:
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise FaultyFile(
            [Fault(file=file, key=f"row {reader.line_num}", value=str(error), expected="a row of CSV")]
        ) from None
    return tuple(rows)


def _separator(text: str) -> str:
    """The one that stands most often in the first line that has any."""
    for line in text.splitlines()[:20]:
        counts = {mark: line.count(mark) for mark in _SEPARATORS}
        if any(counts.values()):
            return max(counts, key=counts.__getitem__)
    return ","


def cut(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Without the empty cells at the end: spreadsheets export empty columns."""
    end = len(cells)
    while end and cells[end - 1] == "":
        end -= 1
    return tuple(cells[:end])


def too_long(file: str) -> FaultyFile:
    return FaultyFile(
        [Fault(file=file, key="rows", value=f"more than {MOST_ROWS}", expected=f"at most {MOST_ROWS} rows")]
    )
