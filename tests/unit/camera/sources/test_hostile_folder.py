"""Folders with photos from the future, archives poured in, and more files than anybody looks at."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from plumbline_edge.camera.sources import folder as module
from plumbline_edge.camera.sources.folder import PhotoFolder
from plumbline_edge.camera.sources.port import PhotoUnreachable


@pytest.fixture
def drop(tmp_path):
    """Puts a photo there whose name says when it was taken: so many days from now."""

    def make(days, text):
        at = datetime.now(UTC) + timedelta(days=days)  # the kernel's clock is the witness
        (tmp_path / f"east_{at:%Y%m%d-%H%M%S}.jpg").write_bytes(text)

    return make


async def taken(folder):
    try:
        return await folder.snapshot()
    except PhotoUnreachable as why:
        return why.code


async def test_one_photo_from_the_future_does_not_outdo_all_that_follow(drop, tmp_path):
    folder = PhotoFolder(tmp_path)
    drop(-3, b"one")
    drop(26_000, b"future")
    seen = [await taken(folder)]
    for days, text in ((-2, b"two"), (-1, b"three")):
        drop(days, text)
        seen += [await taken(folder), await taken(folder)]

    assert seen == [b"future", b"two", "NO_PHOTO", b"three", "NO_PHOTO"]


async def test_an_archive_poured_in_later_is_not_taken(drop, tmp_path):
    folder = PhotoFolder(tmp_path)
    drop(-1, b"new")
    first = await taken(folder)
    for days in range(100, 110):
        drop(-days, b"old")

    assert (first, await taken(folder)) == (b"new", "NO_PHOTO")


async def test_a_photo_from_the_future_deletes_nothing(drop, tmp_path):
    for days in range(10):
        drop(-days, b"photo")
    drop(26_000, b"future")
    await PhotoFolder(tmp_path, keep_days=90).snapshot()

    assert len(list(tmp_path.iterdir())) == 11


async def test_a_time_beyond_any_calendar_is_borne(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"photo")
    try:
        os.utime(tmp_path / "a.jpg", ns=(0, 9 * 10**18))
    except OSError:
        pytest.skip("this file system keeps no such time")

    assert await taken(PhotoFolder(tmp_path)) == b"photo"


async def test_a_folder_of_too_many_files_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MAX_FILES", 3)
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(b"photo")
    folder = PhotoFolder(tmp_path)
    await folder.snapshot()
    with pytest.raises(PhotoUnreachable, match="only 3 of its files"):
        await folder.snapshot()
