from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.sources import exif
from plumbline_edge.camera.sources.folder import PhotoFolder
from plumbline_edge.camera.sources.name import day_and_time
from plumbline_edge.camera.sources.port import MAX_BYTES, PhotoRefused, PhotoUnreachable

SHANGHAI = ZoneInfo("Asia/Shanghai")
MAY = datetime(2026, 5, 1, 10, tzinfo=SHANGHAI)


@pytest.fixture
def drop(tmp_path):
    """Puts a file into the folder, as old as it is told."""

    def make(name, content=b"picture", at=MAY):
        path = tmp_path / name
        path.write_bytes(content)
        os.utime(path, (at.timestamp(), at.timestamp()))
        return path

    return make


@pytest.fixture
def photos(tmp_path):
    return PhotoFolder(tmp_path, zone=SHANGHAI)


async def code_of(folder):
    with pytest.raises((PhotoUnreachable, PhotoRefused)) as failed:
        await folder.snapshot()
    assert failed.value.hint
    return failed.value.code


async def test_the_newest_is_taken_once_and_then_only_what_is_newer(drop, photos):
    drop("b.jpg", b"old", MAY)
    drop("a.jpg", b"new", MAY + timedelta(hours=1))

    assert await photos.burst(5, 60) == [b"new"]
    assert photos.taken_at == MAY + timedelta(hours=1)
    assert await code_of(photos) == "NO_PHOTO"
    drop("c.PNG", b"newer", MAY + timedelta(hours=2))
    assert await photos.snapshot() == b"newer"


async def test_a_time_in_the_name_counts_before_the_files_own(drop, photos):
    drop("east_20260502-0930.jpg", b"second", MAY - timedelta(days=9))
    drop("east_20260501-1000.jpg", b"first", MAY + timedelta(days=9))

    assert await photos.snapshot() == b"second"
    assert photos.taken_at == datetime(2026, 5, 2, 9, 30, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    "name",
    [
        "20260502093015.jpg", "cam1_2026-05-02_09-30-15.jpg", "2026-05-02T09:30:15.png",
        "IMG_20260502_093015.jpg", "2026.05.02 09h30m15.jpeg",
    ],
)  # fmt: skip
def test_usual_ways_to_write_a_time_into_a_name_are_read(name):
    at = datetime(2026, 5, 2, 9, 30, 15, tzinfo=UTC)

    assert day_and_time(name, UTC) == (at.date(), at)


@given(st.text(max_size=60))
def test_any_name_is_borne(name):
    day_and_time(name, UTC)


@pytest.mark.parametrize("name", ["photo.jpg", "20261399_250000.jpg", "DSC00012.JPG"])
def test_names_without_a_time_have_none(name):
    assert day_and_time(name, UTC) is None


def with_exif(taken, offset="", order="<"):
    """A JPEG's beginning with DateTimeOriginal, as a camera writes it."""
    texts = [(0x9003, taken.encode() + b"\0")] + ([(0x9011, offset.encode() + b"\0")] if offset else [])
    inner_at = 8 + 2 + 12 + 4
    text_at = inner_at + 2 + 12 * len(texts) + 4
    inner, tail = struct.pack(order + "H", len(texts)), b""
    for tag, text in texts:
        inner += struct.pack(order + "HHII", tag, 2, len(text), text_at + len(tail))
        tail += text
    main = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, inner_at, 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    body = b"Exif\0\0" + head + main + inner + bytes(4) + tail
    return b"\xff\xd8\xff\xe0\0\x04ab\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda"


@pytest.mark.parametrize("order", ["<", ">"])
async def test_the_cameras_own_word_counts_most(drop, photos, order):
    drop("20260509-0000.jpg", with_exif("2026:05:02 09:30:15", order=order))
    await photos.snapshot()

    assert photos.taken_at == datetime(2026, 5, 2, 9, 30, 15, tzinfo=SHANGHAI)


def test_a_time_zone_in_exif_is_kept():
    said = exif.taken_at(with_exif("2026:05:02 09:30:15", "+02:00"), SHANGHAI)

    assert said == datetime(2026, 5, 2, 9, 30, 15, tzinfo=timezone(timedelta(hours=2)))


@given(st.binary(max_size=200), st.integers(0, 120), st.integers(0, 255))
def test_broken_exif_says_nothing_and_harms_nobody(rest, at, value):
    broken = bytearray(with_exif("2026:05:02 09:30:15"))
    broken[at % len(broken)] = value
    exif.taken_at(bytes(broken), UTC)
    exif.taken_at(bytes(broken[:at]) + rest, UTC)

    assert exif.taken_at(b"\xff\xd8" + rest, UTC) is None or b"Exif" in rest


async def test_what_is_no_photo_file_is_left_alone(drop, photos, tmp_path):
    drop("notes.txt")
    drop("upload.jpg.part")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.jpg")

    assert await code_of(photos) == "NO_PHOTO"


async def test_a_photo_that_is_still_being_written_waits_for_its_turn(drop, photos, tmp_path):
    drop("a.jpg", b"whole", MAY)
    growing = drop("b.jpg", b"half", MAY + timedelta(hours=1))
    listed = photos._list
    seen = []

    def list_and_grow():
        seen.append(listed())
        with growing.open("ab") as file:
            file.write(b"more")
        return seen[-1]

    photos._list = list_and_grow
    assert await photos.snapshot() == b"whole"
    photos._list = listed
    assert await photos.snapshot() == b"halfmoremore"


async def test_a_folder_that_went_away_is_unreachable(tmp_path):
    assert await code_of(PhotoFolder(tmp_path / "gone")) == "CONNECT"


async def test_a_file_over_the_limit_is_refused(tmp_path, drop, photos):
    path = drop("a.jpg")
    os.truncate(path, MAX_BYTES + 1)

    assert await code_of(photos) == "TOO_LARGE"


async def test_nothing_is_ever_deleted_unless_asked_for(drop, photos, tmp_path):
    for day in range(5):
        drop(f"{day}.jpg", at=MAY + timedelta(days=day))
    await photos.snapshot()

    assert len(list(tmp_path.iterdir())) == 5


async def test_old_photos_go_where_the_site_file_says_so_and_nothing_else(drop, tmp_path):
    for day in range(5):
        drop(f"{day}.jpg", at=MAY + timedelta(days=day))
    drop("notes.txt", at=MAY - timedelta(days=99))
    await PhotoFolder(tmp_path, zone=SHANGHAI, keep_days=2).snapshot()

    assert {path.name for path in tmp_path.iterdir()} == {"2.jpg", "3.jpg", "4.jpg", "notes.txt"}
