"""A workbook that is damaged, locked or made to hurt is refused in words, whatever its reader trips over."""

from __future__ import annotations

import io
import random
import struct

import openpyxl

from plumbline.errors import ConfigError
from plumbline_central.indicators.xlsx import read_xlsx


def workbook():
    book = openpyxl.Workbook()
    for line in (["date", "percent"], ["2026-03-01", 5], ["2026-04-01", 50]):
        book.active.append(line)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def read(content):
    try:
        read_xlsx(content, "p.xlsx")
    except ConfigError as error:
        return str(error)
    return "read"


def test_a_locked_part_is_refused():
    content = bytearray(workbook())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            struct.pack_into("<H", content, at + flags, 1)

    assert "no workbook" in read(bytes(content))


def test_flipped_bytes_are_refused_or_read_and_never_more():
    dice, whole = random.Random(6), workbook()
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 12)):
            content[dice.randrange(len(content))] = dice.randrange(256)

        assert read(bytes(content))
