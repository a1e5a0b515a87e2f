"""A table as CSV that spreadsheets and programs read alike: UTF-8 with a mark that Excel wants, CRLF, no formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from plumbline_central.export.table import Cell, Row, Table

MEDIA_TYPE: Final = "text/csv"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet may take for a formula's beginning, the full-width forms of Chinese keyboards too."""


def csv_file(table: Table, portions: Iterable[Sequence[Row]]) -> Iterator[bytes]:
    """The header with the first portion, then portion after portion."""
    lead = "\ufeff" + _lines([table.names])
    for rows in portions:
        yield (lead + _lines([[cell_text(cell) for cell in row] for row in rows])).encode()
        lead = ""
    if lead:
        yield lead.encode()


def cell_text(cell: Cell) -> str:
    """Nothing for what is not there; text that looks like a formula is told to be text by an apostrophe."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    return repr(cell)


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
