"""The first filled sheet of an XLSX file, row by row and bounded; the one file that imports openpyxl."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, Final

from openpyxl import load_workbook

from plumbline.errors import ConfigError
from plumbline_central.indicators.sheet import MOST_COLUMNS, MOST_ROWS, Cell, Sheet, cut, too_long

_MOST_UNPACKED: Final = 64_000_000
_MOST_PARTS: Final = 2_000
_HINT: Final = "Open it in Excel or WPS and save it again as .xlsx, or as “CSV UTF-8”."


def read_xlsx(content: bytes, file: str) -> Sheet:
    """Values as they were last saved: a formula is worth what the spreadsheet had computed.

    Raises ConfigError where it is no workbook, or unpacks to more than a plan can be.
    """
    try:
        _check_size(content, file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that it does not know; we read none
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            try:
                for sheet in book.worksheets:
                    rows = tuple(_rows(sheet, file))
                    if rows:
                        break
                else:
                    rows = ()
                epoch = book.epoch
            finally:
                book.close()
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - what a stranger made trips zipfile, zlib and openpyxl in every way
        raise ConfigError(f"{file}: no workbook that can be read: {error}", hint=_HINT) from None
    return Sheet(file=file, rows=rows, read_as="XLSX", epoch=epoch)


def _check_size(content: bytes, file: str) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        parts = packed.infolist()
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise ConfigError(f"{file}: unpacks to far more than a table of dates", hint=_HINT)


def _rows(sheet: Any, file: str) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    sheet.reset_dimensions()  # what the file says of its own size is not believed
    kept = 0
    for number, row in enumerate(sheet.iter_rows(max_row=2 * MOST_ROWS, max_col=MOST_COLUMNS), start=1):
        cells = cut([_cell(cell) for cell in row])
        if not cells:
            continue
        kept += 1
        if kept > MOST_ROWS + 1:
            raise too_long(file)
        yield number, cells


def _cell(cell: Any) -> Cell:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if "%" in (cell.number_format or ""):
            return f"{value * 100:.12g}%"  # 0.125 that is shown as 12.5%
        return f"{value:.15g}"
    return str(value).strip()
