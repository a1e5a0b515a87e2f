from __future__ import annotations

import contextlib
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_edge.camera.image import WORK_WIDTH_PX, decode, read_header
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_sim.camera import pixel_bomb

PICTURE = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
PNG = cv2.imencode(".png", PICTURE)[1].tobytes()
THUMBNAIL = b"\xff\xe1" + (len(JPEG) + 2).to_bytes(2, "big") + JPEG if len(JPEG) < 65_000 else b""
WITH_THUMBNAIL = JPEG[:2] + THUMBNAIL + JPEG[2:]


def code_of(data, megapixels=24.0):
    with pytest.raises(PhotoRefused) as refused:
        decode(data, max_megapixels=megapixels)
    return refused.value.code


@pytest.mark.parametrize(
    "data", [JPEG, PROGRESSIVE, PNG, WITH_THUMBNAIL], ids=["jpeg", "progressive", "png", "exif"]
)
def test_a_whole_picture_is_decoded(data):
    assert THUMBNAIL
    assert (read_header(data).width_px, read_header(data).height_px) == (160, 90)
    assert decode(data, max_megapixels=1).shape == (90, 160, 3)


@pytest.mark.parametrize(
    "data", [JPEG, PROGRESSIVE, PNG, WITH_THUMBNAIL], ids=["jpeg", "progressive", "png", "exif"]
)
@given(share=st.floats(0, 0.999))
def test_a_cut_picture_is_unreadable_wherever_it_is_cut(data, share):
    assert code_of(data[: int(len(data) * share)]) == "UNREADABLE"


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_with_a_reason(data):
    for start in (b"", b"\xff\xd8\xff", PNG[:20], JPEG[:300]):
        assert code_of(start + data) in {"UNREADABLE", "TOO_LARGE"}


@given(st.integers(0, len(JPEG) - 1), st.integers(0, 255))
def test_a_changed_byte_never_crashes(place, value):
    broken = bytearray(JPEG)
    broken[place] = value
    with contextlib.suppress(PhotoRefused):
        assert decode(bytes(broken), max_megapixels=1).ndim == 3


def test_a_hundred_megapixels_are_refused_before_anything_is_decoded():
    tracemalloc.start()
    code = code_of(pixel_bomb(JPEG))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert code == "TOO_LARGE"
    assert peak < 100_000


def test_a_png_header_bomb_is_refused_too():
    header = PNG[12:16] + (50_000).to_bytes(4, "big") * 2 + PNG[24:29]
    whole = PNG[:12] + header + zlib.crc32(header).to_bytes(4, "big") + PNG[33:]

    assert code_of(whole) == "TOO_LARGE"


def test_padding_after_the_end_mark_does_no_harm():
    assert decode(JPEG + bytes(100), max_megapixels=1).shape == (90, 160, 3)


@pytest.mark.parametrize("width", [1300, 2600, 5300])
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_large_pictures_come_at_working_width(width, kind):
    data = cv2.imencode(kind, np.zeros((width // 2, width, 3), np.uint8))[1].tobytes()
    image = decode(data, max_megapixels=24)

    assert image.shape[1] == WORK_WIDTH_PX
    assert image.shape[0] == pytest.approx(WORK_WIDTH_PX / 2, abs=1)


def test_a_second_frame_header_that_hides_the_real_size_is_refused():
    at = JPEG.index(b"\xff\xc0")
    small = JPEG[at : at + 2 + int.from_bytes(JPEG[at + 2 : at + 4], "big")]

    assert code_of(JPEG[:-2] + small + JPEG[-2:]) == "UNREADABLE"


def test_scans_without_end_are_refused_and_a_usual_progressive_picture_is_not():
    at = PROGRESSIVE.rindex(b"\xff\xda")

    assert decode(PROGRESSIVE, max_megapixels=24) is not None
    assert code_of(PROGRESSIVE[:at] + PROGRESSIVE[at:-2] * 200 + PROGRESSIVE[-2:]) == "UNREADABLE"
