"""When a photo was taken, out of blocks written by hand."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.sources import exif

ZONE = ZoneInfo("Asia/Shanghai")
TAKEN, DIGITIZED, OFFSET, CHANGED, POINTER = 0x9003, 0x9004, 0x9011, 0x0132, 0x8769


def directory(order, at, entries):
    """An IFD at `at`: entries (tag, type, count, value or text); texts follow the directory."""
    head, texts = struct.pack(order + "H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, value in entries:
        if isinstance(value, bytes):
            head += struct.pack(order + "HHII", tag, 2, len(value), behind + len(texts))
            texts += value
        else:
            head += struct.pack(order + "HHII", tag, 4, 1, value)
    return head + bytes(4) + texts


def jpeg(first=(), inner=(), order="<"):
    begin = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    where = 8 + len(directory(order, 8, [*first, (POINTER, 0)]))
    block = begin + directory(order, 8, [*first, (POINTER, where)]) + directory(order, where, list(inner))
    segment = b"Exif\0\0" + block
    return b"\xff\xd8\xff\xe0\0\x04xx\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + b"\xff\xda"


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_time_it_was_taken_counts_more_than_the_last_change(order):
    told = jpeg([(CHANGED, b"2027:01:01 00:00:00\0")], [(TAKEN, b"2026:05:12 14:05:30\0")], order)

    assert exif.taken_at(told, ZONE) == datetime(2026, 5, 12, 14, 5, 30, tzinfo=ZONE)


def test_its_own_offset_counts_more_than_the_sites_zone():
    told = jpeg(inner=[(TAKEN, b"2026:05:12 14:05:30\0"), (OFFSET, b"+02:00\0")])

    assert exif.taken_at(told, ZONE).utcoffset() == timedelta(hours=2)
    assert exif.taken_at(told, ZONE).astimezone(UTC).hour == 12


def test_digitized_and_changed_stand_in_where_that_is_all_there_is():
    assert exif.taken_at(jpeg(inner=[(DIGITIZED, b"2026:05:12 14:05:30\0")]), ZONE).day == 12
    assert exif.taken_at(jpeg([(CHANGED, b"2026:05:13 14:05:30\0")]), ZONE).day == 13


@pytest.mark.parametrize("text", [b"0000:00:00 00:00:00\0", b"2026:13:12 14:05:30\0", b"yesterday\0", b""])
def test_a_clock_that_was_never_set_says_nothing(text):
    assert exif.taken_at(jpeg(inner=[(TAKEN, text)]), ZONE) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_say_nothing(junk):
    for told in (junk, b"\xff\xd8" + junk, b"\xff\xd8\xff\xe1\x01\x2cExif\0\0II*\0" + junk):
        assert exif.taken_at(told, ZONE) is None or exif.taken_at(told, ZONE).tzinfo is not None


@given(st.integers(0, 200), st.integers(0, 255))
def test_one_wrong_byte_harms_nobody(where, byte):
    told = bytearray(jpeg([(CHANGED, b"2026:05:13 14:05:30\0")], [(TAKEN, b"2026:05:12 14:05:30\0")]))
    told[where % len(told)] = byte

    assert exif.taken_at(bytes(told), ZONE) is None or exif.taken_at(bytes(told), ZONE).tzinfo is not None
