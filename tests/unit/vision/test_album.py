from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from plumbline.errors import ConfigError
from plumbline_edge.camera.records import photo_name
from plumbline_edge.vision import album

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("2026-05-12", (2026, 5, 12, 12, 0)),
        ("cam1_20260512_1405", (2026, 5, 12, 14, 5)),
        ("20260512T140530", (2026, 5, 12, 14, 5, 30)),
        ("north 2026-05-12 07h30", (2026, 5, 12, 7, 30)),
        ("IMG_20260512_140530123", (2026, 5, 12, 14, 5, 30)),
        ("WhatsApp Image 2026-05-12 at 2", (2026, 5, 12, 12, 0)),
        ("Screenshot_2026-05-12-14-05-30", (2026, 5, 12, 14, 5, 30)),
        ("2026.05.12", (2026, 5, 12, 12, 0)),
    ],
)
def test_a_photos_name_tells_when_it_was_taken(name, at):
    assert album.named_at(name, ZONE, None) == datetime(*at, tzinfo=ZONE)


@pytest.mark.parametrize("name", ["photo", "20269912", "IMG_0042", "2026-0512", "120260512", "DSC20991"])
def test_other_digits_are_no_date(name):
    assert album.named_at(name, ZONE, None) is None


def test_a_photo_that_a_gateway_named_is_of_that_time_in_every_zone():
    named = photo_name("east", datetime(2026, 5, 12, 14, 5, 30, tzinfo=ZONE))

    assert album.named_at(named, ZONE, None) == datetime(2026, 5, 12, 14, 5, 30, tzinfo=ZONE)


def test_a_name_that_tells_the_day_takes_its_time_from_the_same_day_only():
    same, other = datetime(2026, 5, 12, 9, 1, tzinfo=ZONE), datetime(2020, 1, 1, 9, 1, tzinfo=ZONE)

    assert album.named_at("2026-05-12", ZONE, same) == same
    assert album.named_at("2026-05-12", ZONE, other).hour == 12
    assert album.named_at("2026-05-12_1500", ZONE, same).hour == 15


def photo(path, seconds=1_777_777_777):
    path.write_bytes(b"\xff\xd8")
    os.utime(path, (seconds, seconds))
    return path


def test_without_any_date_the_files_time_counts(tmp_path):
    assert album.found_at(photo(tmp_path / "photo.jpg"), ZONE) == album.Picture(
        path=tmp_path / "photo.jpg", at=datetime.fromtimestamp(1_777_777_777, UTC), dated=False
    )


def test_a_file_that_is_not_there_has_no_time_but_its_names(tmp_path):
    assert album.found_at(tmp_path / "photo.jpg", ZONE).at is None
    assert album.found_at(tmp_path / "2026-05-12.jpg", ZONE).at.day == 12


def test_a_folder_stands_for_its_photos_by_time_and_files_keep_their_order(tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    for name in (
        "z_2026-05-01.JPG",
        "a_2026-05-03.png",
        "m_2026-05-02.webp",
        "notes.txt",
        "b_2026-05-01.heic",
    ):
        photo(folder / name)
    (folder / "sub.jpg").mkdir()
    late, early = photo(tmp_path / "2026-07-01.jpg"), photo(tmp_path / "2026-06-01.jpg")

    pictures = album.gathered([late, early, folder], ZONE)

    assert [picture.path.name for picture in pictures] == [
        late.name, early.name, "b_2026-05-01.heic", "z_2026-05-01.JPG", "m_2026-05-02.webp", "a_2026-05-03.png",
    ]  # fmt: skip
    assert [picture.path.name for picture in album.backwards(pictures)] == [early.name, "b_2026-05-01.heic"]


def test_photos_without_a_date_are_never_before_the_one_in_front_of_them(tmp_path):
    later, earlier = photo(tmp_path / "a.jpg", 1_777_777_777), photo(tmp_path / "b.jpg", 1_666_666_666)
    first, second = album.gathered([later, earlier], ZONE)

    assert second.at == first.at
    assert album.backwards([first, second]) == []


def test_a_folder_without_photos_is_said(tmp_path):
    with pytest.raises(ConfigError, match="no photo in this folder"):
        album.gathered([tmp_path], ZONE)


@pytest.mark.skipif(os.geteuid() == 0 or shutil.which("true") is None, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(ConfigError, match="closed"):
        album.gathered([Path(closed)], ZONE)
