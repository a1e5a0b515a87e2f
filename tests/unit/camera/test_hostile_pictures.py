"""Picture files made to break a decoder or to swell in it: judged or refused, soon, and never an error."""

from __future__ import annotations

import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline_edge.camera import image, png
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_edge.vision import photo_file


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def a_png(*, extra=b"", before=b"", width=64, height=48, kept=1.0):
    """A black picture; `before` stands in front of its header, `extra` behind it."""
    rows = zlib.compress((b"\0" + bytes(3 * width)) * height, 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", rows[: int(kept * len(rows))])
    return png.SIGNATURE + before + header + extra + data + chunk(b"IEND")


def refused(data):
    with pytest.raises(PhotoRefused) as why:
        image.decode(data, max_megapixels=24)
    return why.value.code


@pytest.mark.parametrize(
    ("kind", "begin"), [(b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"k\0\0")]
)
def test_a_png_whose_texts_swell_a_thousandfold_costs_no_time(kind, begin):
    swelling = chunk(kind, begin + zlib.compress(bytes(7_900_000), 9))
    data = a_png(extra=swelling * 300)
    began = time.process_time()
    picture = image.decode(data, max_megapixels=24)

    assert picture.shape == (48, 64, 3)
    assert time.process_time() - began < 1  # 17 s where the decoder reads the texts


@pytest.mark.parametrize(
    "data",
    [
        a_png(before=chunk(b"tEXt", struct.pack(">II", 64, 48)), width=30_000, height=1),
        a_png(extra=chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0))),
        a_png()[:-13],
        a_png().replace(chunk(b"IEND"), b"\xff\xff\xff\xffIEND"),
        png.SIGNATURE,
        png.SIGNATURE + chunk(b"IHDR") + chunk(b"IEND"),
        png.SIGNATURE + chunk(b"IEND") * 9,
        a_png(extra=chunk(b"tEXt") * 100_001),
    ],
    ids=[
        "another size first", "two headers", "cut", "an end mark of 4 GB", "a mark alone", "an empty header",
        "no header", "pieces without end",
    ],
)  # fmt: skip
def test_a_png_that_lies_is_unreadable(data):
    assert refused(data) == "UNREADABLE"


def test_of_an_animated_png_the_first_picture_counts():
    whole = a_png(
        extra=chunk(b"acTL", struct.pack(">II", 1_000_000, 0))
        + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 20_000, 20_000, 0, 0, 1, 1, 0, 0))
    )

    assert image.decode(whole, max_megapixels=24).shape == (48, 64, 3)


def test_every_flipped_bit_of_a_png_is_noticed():
    whole = cv2.imencode(".png", np.random.default_rng(1).integers(0, 255, (9, 9, 3), np.uint8))[1].tobytes()
    for place in range(8, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8

        assert refused(bytes(damaged)) == "UNREADABLE"


def samples():
    pixels = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 255, (48, 64, 3), np.uint8), (0, 0), 2)
    for kind, options in (
        (".jpg", ()),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".jpg", (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)),
        (".png", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 70)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
    ):
        yield cv2.imencode(kind, pixels, list(options))[1].tobytes()


@settings(max_examples=200)
@given(
    st.sampled_from(list(samples())),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
    st.floats(0.05, 1),
)
def test_damaged_pictures_are_read_or_refused(tmp_path_factory, whole, bytes_set, cut):
    damaged = bytearray(whole[: int(cut * len(whole)) + 1])
    for where, byte in bytes_set:
        damaged[int(where * len(damaged))] = byte
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(damaged)
    codes = set()
    try:
        picture = image.decode(photo_file.read(path), max_megapixels=1)
    except PhotoRefused as why:
        codes.add(why.code)
    else:
        codes.add((picture.dtype, picture.ndim))

    assert codes <= {"UNREADABLE", "TOO_LARGE", (np.dtype(np.uint8), 3)}


def four_planes(planes, transform):
    """A JPEG of four components as print software writes it, put together from four grey ones; Adobe's mark says how."""

    def pieces(whole):
        at, found = 2, []
        while not found or found[-1][1] != 0xDA:
            length = struct.unpack_from(">H", whole, at + 2)[0]
            found.append(whole[at : at + 2 + length])
            at += 2 + length
        return found, whole[at:-2]

    encoded = [pieces(cv2.imencode(".jpg", plane)[1].tobytes()) for plane in planes]
    height, width = planes[0].shape
    tables = b"".join(piece for piece in encoded[0][0] if piece[1] in (0xDB, 0xC4))
    frame = struct.pack(">BBHBHHB", 0xFF, 0xC0, 20, 8, height, width, 4)
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3, 4))
    scans = b"".join(
        b"\xff\xda\0\x08\x01" + bytes([number, 0, 0, 63, 0]) + coded
        for number, (_, coded) in enumerate(encoded, 1)
    )
    mark = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    return b"\xff\xd8" + mark + tables + frame + components + scans + b"\xff\xd9"


@pytest.mark.parametrize("transform", [0, 2], ids=["CMYK", "YCCK"])
def test_a_genuine_picture_for_printers_has_the_same_colours(transform):
    shades = np.random.default_rng(3).integers(40, 215, (6, 8, 3), np.uint8)
    picture = cv2.resize(shades, (64, 48), interpolation=cv2.INTER_CUBIC)
    blue, green, red = cv2.split(picture)
    black = np.full(blue.shape, 255, np.uint8)
    y, cr, cb = cv2.split(cv2.cvtColor(255 - picture, cv2.COLOR_BGR2YCrCb))
    planes = [red, green, blue, black] if transform == 0 else [y, cb, cr, black]
    read = image.decode(four_planes(planes, transform), max_megapixels=1)

    assert np.abs(read.astype(int) - picture).mean() < 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_says_which_side_is_up_is_turned_so(orientation):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 255
    stored = {
        1: picture, 2: cv2.flip(picture, 1), 3: cv2.rotate(picture, cv2.ROTATE_180), 4: cv2.flip(picture, 0),
        5: cv2.transpose(picture), 6: cv2.rotate(picture, cv2.ROTATE_90_COUNTERCLOCKWISE),
        7: cv2.rotate(cv2.transpose(picture), cv2.ROTATE_180), 8: cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE),
    }[orientation]  # fmt: skip
    jpeg = cv2.imencode(".jpg", stored)[1].tobytes()
    body = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    turned = image.decode(
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:], max_megapixels=1
    )

    assert np.abs(turned.astype(int) - picture).mean() < 5
