"""Whatever a camera, a card or a model delivers: percent is unknown with its reason, never 0, and never yesterday's."""

from __future__ import annotations

import hashlib
import struct
import zlib
from datetime import timedelta

import cv2
import numpy as np
import pytest
from onnx_by_hand import constant_model

from plumbline.errors import Refused
from plumbline_edge.camera.capture import LazyModel, judge
from plumbline_edge.camera.memory import Memory
from plumbline_edge.settings import FacadeSettings


@pytest.fixture
def after_a_good_day(paint, model, clock):
    """Judge bytes the day after a photo that was 60 %: the memory holds a percent that must not be repeated."""
    good = judge(paint.jpeg(paint.facade(150)), clock.wall(), paint.settings(), lambda: model, Memory())
    assert good.captured.progress.percent == pytest.approx(60, abs=2)

    def see(raw, load_model=lambda: model, **settings):
        at = clock.wall() + timedelta(days=1)
        judged = judge(raw, at, paint.settings(**settings), load_model, good.memory)
        assert judged.memory.courses == good.memory.courses or judged.captured.progress.percent is not None
        return judged.captured

    return see


def exif_turned(jpeg, orientation):
    """The JPEG with an EXIF block that says how the camera was held."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def cmyk(size=(640, 360)):
    """A JPEG of four components that claims to be CMYK, as print software writes it."""
    grey = cv2.imencode(".jpg", np.full((size[1], size[0]), 120, np.uint8))[1].tobytes()
    at = grey.index(b"\xff\xc0")
    return (
        grey[:at]
        + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x02"
        + grey[at:].replace(b"\x01\x01\x11", b"\x04\x01\x11", 1)
    )


BYTES = {
    "zero bytes": (b"", "UNREADABLE"),
    "no picture": (b"<html>404</html>", "UNREADABLE"),
    "only a start mark": (b"\xff\xd8", "UNREADABLE"),
    "random bytes": (np.random.default_rng(1).bytes(20_000), "UNREADABLE"),
    "a CMYK JPEG that lies": (cmyk(), "UNREADABLE"),
    "a TIFF": (cv2.imencode(".tiff", np.zeros((9, 9, 3), np.uint8))[1].tobytes(), "UNREADABLE"),
}


@pytest.mark.parametrize(("raw", "reason"), BYTES.values(), ids=BYTES.keys())
def test_what_is_no_picture_is_unreadable(after_a_good_day, raw, reason):
    captured = after_a_good_day(raw)

    assert (captured.progress.percent, captured.progress.gate) == (None, (reason,))
    assert (captured.progress.zones, captured.photo.jpeg) == ((), b"")


@pytest.mark.parametrize("cut", [3, 100, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("kind", [".jpg", ".png"])
def test_a_picture_cut_anywhere_is_unreadable(after_a_good_day, paint, kind, cut):
    whole = cv2.imencode(kind, paint.facade(150, seed=2))[1].tobytes()
    end = cut if isinstance(cut, int) else int(cut * len(whole))

    assert after_a_good_day(whole[:end]).progress.gate == ("UNREADABLE",)


def test_a_picture_with_flipped_bits_is_judged_or_refused_but_never_an_error(after_a_good_day, paint):
    rng = np.random.default_rng(3)
    whole = paint.jpeg(paint.facade(150, seed=2))
    for _ in range(25):
        broken = bytearray(whole)
        for place in rng.integers(2, len(whole) - 2, 12):
            broken[place] ^= 1 << int(rng.integers(0, 8))
        progress = after_a_good_day(bytes(broken)).progress
        assert (progress.percent is None) == bool(progress.gate)


def test_a_huge_picture_is_refused_from_its_header(after_a_good_day):
    header = struct.pack(">4sIIBBBBB", b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\r" + header + struct.pack(">I", zlib.crc32(header))

    assert after_a_good_day(bomb + b"\0\0\0\0IEND\xaeB`\x82").progress.gate == ("TOO_LARGE",)


def test_a_grey_picture_is_a_picture(after_a_good_day, paint):
    grey = cv2.cvtColor(paint.facade(160, seed=2), cv2.COLOR_BGR2GRAY)
    progress = after_a_good_day(cv2.imencode(".png", grey)[1].tobytes()).progress

    assert progress.gate == ()
    assert progress.zones[0].raw == pytest.approx(67, abs=3)


@pytest.mark.parametrize("channels", [4, 3])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_other_depths_and_transparency_are_brought_to_ours(after_a_good_day, paint, channels, depth):
    image = paint.facade(160, seed=2)
    if channels == 4:
        image = np.dstack([image, np.full(image.shape[:2], 128, np.uint8)])
    image = image.astype(depth) * (257 if depth is np.uint16 else 1)
    progress = after_a_good_day(cv2.imencode(".png", image)[1].tobytes()).progress

    assert progress.gate == ()
    assert progress.zones[0].raw == pytest.approx(67, abs=3)


def test_a_camera_hung_upside_down_that_says_so_is_turned_back(after_a_good_day, paint):
    image = paint.facade(210, seed=2)
    image[:180] = paint.facade(60, seed=3)[:180]  # the upper floor is bare
    turned = exif_turned(paint.jpeg(cv2.rotate(image, cv2.ROTATE_180)), 3)
    zones = {zone.id: zone.raw for zone in after_a_good_day(turned).progress.zones}

    assert zones["f1b1"] > 90
    assert zones["f2b1"] < 10


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (16, 9), (5000, 3), (3, 4000)])
def test_a_picture_of_a_strange_size_is_judged_or_refused_but_never_an_error(after_a_good_day, size):
    raw = cv2.imencode(".png", np.full((size[1], size[0], 3), 140, np.uint8))[1].tobytes()
    progress = after_a_good_day(raw).progress

    assert "FAULT" not in progress.gate
    assert (progress.percent is None) == bool(progress.gate)


def test_the_camera_set_to_another_shape_is_no_longer_the_same_view(after_a_good_day, paint):
    tall = paint.jpeg(paint.facade(150, seed=2, size=(360, 640)))

    assert "MOVED" in after_a_good_day(tall).progress.gate


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -1.0, 7.0])
@pytest.mark.parametrize("name", ["stage", "aux", "quality"])
def test_a_model_that_answers_no_probabilities_gives_no_percent(
    after_a_good_day, paint, tmp_path, name, spoilt
):
    outputs = {
        "stage": np.ones((1, 7, 8, 12), np.float32),
        "aux": np.eye(9, dtype=np.float32)[0].reshape(1, 9, 1, 1) * np.ones((1, 9, 8, 12), np.float32),
        "quality": np.zeros((1, 6), np.float32),
    }
    outputs[name].flat[3] = spoilt
    folder = write_model(tmp_path, constant_model({"x": (1, 6, 32, 48), "track": (1, 2)}, outputs))
    captured = after_a_good_day(paint.jpeg(paint.facade(150, seed=2)), LazyModel(folder))

    assert (captured.progress.percent, captured.progress.gate) == (None, ("MODEL",))
    assert captured.photo.jpeg == b""


def write_model(folder, content, digest=None):
    (folder / "model.onnx").write_bytes(content)
    digest = digest or hashlib.sha256(content).hexdigest()
    (folder / "card.toml").write_text(
        f'name = "tiny"\nversion = "1"\nsha256 = "{digest}"\n'
        "[interval_pp]\nnew = 4\nreno = 4\n[zone_interval_pp]\nnew = 4\nreno = 4\n"
    )
    return folder


@pytest.mark.parametrize("fault", ["missing", "wrong hash", "empty", "wrong shapes", "wrong outputs"])
def test_a_model_that_is_not_the_one_on_its_card_gives_no_percent(after_a_good_day, paint, tmp_path, fault):
    stage = np.ones((1, 7 if fault != "wrong shapes" else 6, 8, 12), np.float32)
    outputs = {
        "stage": stage,
        "aux": np.ones((1, 9, 8, 12), np.float32),
        "quality": np.zeros((1, 6), np.float32),
    }
    if fault == "wrong outputs":
        outputs["stages"] = outputs.pop("stage")
    content = b"" if fault == "empty" else constant_model({"x": (1, 6, 32, 48), "track": (1, 2)}, outputs)
    write_model(tmp_path, content, "0" * 64 if fault == "wrong hash" else None)
    if fault == "missing":
        (tmp_path / "model.onnx").unlink()
    captured = after_a_good_day(paint.jpeg(paint.facade(150, seed=2)), LazyModel(tmp_path))

    assert (captured.progress.percent, captured.progress.gate, captured.progress.zones) == (
        None,
        ("MODEL",),
        (),
    )


def test_a_model_that_fails_on_one_of_two_facades_gives_no_percent_at_all(after_a_good_day, paint, model):
    run, calls = model.run, []

    def second_fails(x, track):
        calls.append(x)
        if len(calls) == 2:
            raise Refused("the model failed")
        return run(x, track)

    model.run = second_fails
    facade = {"quad": paint.quad, "floors": 1, "bays": 1}
    facades = tuple(FacadeSettings(name=name, **facade) for name in ("a", "b"))
    captured = after_a_good_day(
        paint.jpeg(paint.facade(150, seed=2)), facades=facades, quad=None, floors=None, bays=None
    )

    assert captured.progress.gate == ("MODEL",)
    assert captured.photo.jpeg == b""


@pytest.mark.parametrize("size", [(16, 2000), (2000, 16), (100, 2100)])
def test_a_strip_is_no_photo_and_costs_no_memory(after_a_good_day, paint, size):
    rng = np.random.default_rng(3)
    frame = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    captured = after_a_good_day([paint.jpeg(frame), paint.jpeg(frame[:, ::-1]), paint.jpeg(255 - frame)])

    assert (captured.progress.percent, captured.progress.gate) == (None, ("UNREADABLE",))
