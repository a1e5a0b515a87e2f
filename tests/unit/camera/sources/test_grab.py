"""The process that grabs, and the one that ends it; video files stand for streams here, there is no USB camera."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from plumbline.errors import Refused, Unreachable
from plumbline_edge.camera.image import decode
from plumbline_edge.camera.sources import grab
from plumbline_edge.camera.sources.grabber import Grabber
from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable
from plumbline_edge.camera.sources.usb import UsbCamera, check_device


def wish(where, **changed):
    usual = {
        "backend": "ffmpeg", "where": str(where), "frames": 1, "every_s": 0.0, "within_s": 5.0, "max_megapixels": 24.0,
    }  # fmt: skip
    return usual | changed


@pytest.fixture
def film(tmp_path):
    """A film of eight grey pictures, each lighter than the one before."""

    def make(size=(320, 180), pictures=8):
        path = tmp_path / "film.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, size)
        for n in range(pictures):
            writer.write(np.full((size[1], size[0], 3), 40 + 20 * n, np.uint8))
        writer.release()
        return path

    return make


def levels(pictures):
    return [round(float(picture.mean()) / 20) - 2 for picture in pictures]


def test_the_first_pictures_are_skipped_and_later_ones_taken_in_order(film):
    assert levels(grab.take(wish(film(), frames=3))) == [2, 3, 4]


def test_a_film_that_ends_gives_its_last_good_picture(film):
    assert levels(grab.take(wish(film(pictures=2), frames=3))) == [1]


def test_what_is_no_film_gives_nothing(tmp_path):
    (tmp_path / "film.avi").write_bytes(os.urandom(5000))

    assert list(grab.take(wish(tmp_path / "film.avi"))) == []


def test_too_many_pixels_are_refused_before_a_picture_is_read(film):
    with pytest.raises(ValueError, match="320 x 180"):
        list(grab.take(wish(film(), max_megapixels=0.05)))


def test_what_leaves_the_process_is_no_wider_than_the_gateway_needs():
    picture = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8)

    assert decode(grab.as_jpeg(picture), max_megapixels=24).shape == (720, 1280, 3)
    assert decode(grab.as_jpeg(picture[:99, :99]), max_megapixels=24).shape == (99, 99, 3)


def test_the_process_may_reach_only_the_network(film):
    """A camera that redirects a stream to a file of this machine gets nothing."""
    asked = f'{{"backend": "ffmpeg", "where": "{film()}", "frames": 1, "every_s": 0, "within_s": 5, "max_megapixels": 9}}'
    done = subprocess.run(
        [sys.executable, "-m", "plumbline_edge.camera.sources.grab"],
        input=asked.encode(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip

    assert done.stdout[:1] == b"N"
    assert b"PROTOCOL" in done.stdout


def playing(script, **limits):
    return Grabber([sys.executable, "-c", f"import sys, os, struct, time\n{script}"], **limits)


async def reason(grabber, **changed):
    with pytest.raises((PhotoUnreachable, PhotoRefused)) as failed:
        await grabber.take(wish("rtsp://me:s3cret@camera/x", **changed), where="camera:554")
    return failed.value


@pytest.mark.parametrize(
    ("script", "code", "kind"),
    [
        ("os.kill(os.getpid(), 11)", "UNREADABLE", Unreachable),
        ("os.write(1, b'J' + struct.pack('>I', 100) + b'cut')", "UNREADABLE", Unreachable),
        ("os.write(1, os.urandom(9)); os.write(1, b'x' * 100)", None, None),
        ("os.write(1, b'J' + struct.pack('>I', 4_000_000_000)); time.sleep(60)", "TOO_LARGE", Refused),
        ("os.write(1, b'N' + struct.pack('>I', 5) + b'nojsn')", "UNREADABLE", Unreachable),
        ("os.write(2, b'method DESCRIBE failed: 401 Unauthorized'); sys.exit()", "HTTP_401", Refused),
        ("os.write(2, b'rtsp://me:s3cret@camera' * 100_000); sys.exit(1)", "UNREADABLE", Unreachable),
        ("os.close(0); time.sleep(60)", "TIMEOUT", Unreachable),
        ("import signal; signal.signal(15, signal.SIG_IGN); time.sleep(60)", "TIMEOUT", Unreachable),
    ],
)  # fmt: skip
async def test_whatever_the_process_does_costs_a_photo_and_bounded_time(script, code, kind):
    began = time.monotonic()
    why = await reason(playing(script, starting_s=1.0), within_s=1.0)

    assert code is None or (why.code, isinstance(why, kind)) == (code, True)
    assert "s3cret" not in f"{why} {why.hint} {why!r}"
    assert why.hint
    assert time.monotonic() - began < 5


async def test_pictures_that_came_before_a_crash_count():
    script = "os.write(1, b'J' + struct.pack('>I', 3) + b'one'); os.kill(os.getpid(), 11)"

    assert await playing(script).take(wish("x", frames=3), where="x") == [b"one"]


async def test_a_process_that_cannot_be_ended_is_not_joined_by_a_second(monkeypatch):
    class Stuck:
        returncode = None

    grabber = playing("")
    grabber._left_behind = Stuck()

    assert (await reason(grabber)).code == "TIMEOUT"


async def test_the_loop_stays_free_while_a_process_hangs():
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    task = asyncio.create_task(beat())
    await reason(playing("time.sleep(60)", starting_s=0.2), within_s=0.3)
    task.cancel()

    assert beats > 15


@pytest.mark.parametrize("device", ["/dev/video99", "/etc/passwd", "/dev"])
async def test_a_usb_camera_that_is_not_there_is_told_with_what_to_do(device):
    with pytest.raises(PhotoUnreachable) as failed:
        await UsbCamera(device).snapshot()

    assert failed.value.code == "CONNECT"
    assert "/dev/v4l/by-id/" in failed.value.hint


async def test_a_device_that_is_no_camera_gives_no_picture():
    """The real way through Video4Linux, as far as it goes without a camera."""
    check_device("/dev/null")
    with pytest.raises(PhotoUnreachable) as failed:
        await UsbCamera("/dev/null").burst(3, 0.1)

    assert failed.value.code == "PROTOCOL"
