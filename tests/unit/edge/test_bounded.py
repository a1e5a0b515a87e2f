from __future__ import annotations

import errno
import os

import pytest

from plumbline_edge import bounded
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_edge.vision import album, calibrate, model, photo_file


def fifo(folder):
    os.mkfifo(folder / "pipe.jpg")
    return folder / "pipe.jpg"


def test_an_ordinary_file_is_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"12345")

    assert bounded.read(path, 5) == b"12345"
    assert bounded.head(path, 3) == b"123"
    with pytest.raises(OSError, match="more than") as large:
        bounded.read(path, 4)
    assert large.value.errno == errno.EFBIG


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin/none", "/", "no\0name", "nowhere"])
def test_what_is_no_ordinary_file_is_an_os_error_with_a_sentence(path):
    with pytest.raises(OSError, match=r"\w") as why:
        bounded.read(path)

    assert why.value.strerror


def test_a_pipe_is_not_waited_for(tmp_path):
    with pytest.raises(OSError, match="no ordinary file"):
        bounded.read(fifo(tmp_path))


def test_photos_that_are_pipes_devices_or_endless_are_unreadable(tmp_path):
    for path in (fifo(tmp_path), "/dev/zero", tmp_path):
        with pytest.raises(PhotoRefused) as why:
            photo_file.read(tmp_path / path)

        assert album.found_at(tmp_path / path, album.UNDATED.tzinfo).at is None
        assert why.value.code == "UNREADABLE"


def test_corrections_cards_and_models_that_have_no_end_are_refused(tmp_path):
    for name in ("card.toml", "model.onnx"):
        (tmp_path / name).symlink_to("/dev/zero")

    with pytest.raises(calibrate.ConfigError, match="no ordinary file"):
        calibrate.read_corrections(tmp_path / "card.toml")
    with pytest.raises(model.ConfigError, match="no ordinary file"):
        model.read_card(tmp_path)
