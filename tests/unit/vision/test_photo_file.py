from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera import image
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_edge.vision import photo_file


def encoded(kind, *options, size=(40, 60)):
    pixels = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    return cv2.imencode(kind, pixels, list(options))[1].tobytes()


@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_jpeg_and_png_stay_as_they_are(tmp_path, kind):
    path = tmp_path / "photo"
    path.write_bytes(encoded(kind))

    assert photo_file.read(path) == path.read_bytes()


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_WEBP_QUALITY, 101)], ids=["lossy", "lossless"])
def test_webp_comes_as_the_same_picture_in_png(tmp_path, options):
    path = tmp_path / "photo.webp"
    path.write_bytes(encoded(".webp", *options))
    read = image.decode(photo_file.read(path), max_megapixels=1)

    assert (read == cv2.imread(str(path))).all()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypmp42", "film"),
        (b"%PDF-1.7", "PDF"),
        (b"II*\0....", "TIFF or raw"),
        (b"", "empty"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "ends before"),
    ],
)
def test_what_is_no_photo_is_called_what_it_is(tmp_path, content, what):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoRefused, match=what) as why:
        photo_file.read(path)

    assert why.value.code == "UNREADABLE"
    assert why.value.hint


def test_a_file_that_is_not_there_is_unreadable(tmp_path):
    with pytest.raises(PhotoRefused, match="No such file") as why:
        photo_file.read(tmp_path / "none.jpg")

    assert why.value.code == "UNREADABLE"


def test_a_webp_that_promises_too_much_is_never_decoded():
    header = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\0\xff\x3f\0"
    with pytest.raises(PhotoRefused) as why:
        photo_file.png_of_webp(header)

    assert why.value.code == "TOO_LARGE"


@given(st.integers(0, 3000), st.integers(0, 255))
def test_a_damaged_webp_is_read_or_refused(where, byte):
    content = bytearray(encoded(".webp"))
    content[where % len(content)] = byte
    try:
        read = photo_file.png_of_webp(bytes(content))
    except PhotoRefused:
        return

    assert read.startswith(b"\x89PNG")
