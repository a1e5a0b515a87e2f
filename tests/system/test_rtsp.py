"""Pictures out of a real RTSP stream, and every way a stream can fail."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rtsp_camera

from plumbline.errors import Refused, Unreachable
from plumbline_edge.camera.image import decode
from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable
from plumbline_edge.camera.sources.rtsp import RtspStream

PASSWORD = "s3 c:r@t/ä"
needs_a_server = pytest.mark.skipif(not rtsp_camera.installed(), reason=rtsp_camera.MISSING)
pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A picture no two corners of which are alike, as file and as pixels."""
    image = np.zeros((360, 640, 3), np.uint8)
    image[:180, :320], image[:180, 320:] = (200, 120, 60), (30, 200, 240)
    image[180:, :320], image[180:, 320:] = (60, 60, 200), (150, 150, 150)
    path = tmp_path_factory.mktemp("shown") / "picture.jpg"
    cv2.imwrite(str(path), image)
    return path, image


@pytest.fixture
def password_file(tmp_path):
    path = tmp_path / "east.password"
    path.write_text(PASSWORD + "\n", encoding="utf-8")
    return str(path)


def difference(jpeg, image):
    return np.abs(decode(jpeg, max_megapixels=1).astype(int) - image).mean()


async def reason(source, frames=1, every_s=0.0):
    with pytest.raises((PhotoUnreachable, PhotoRefused)) as failed:
        await source.burst(frames, every_s)
    return failed.value


def grabbing():
    """This process's children that grab, by their command lines."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"sources.grab" in path.joinpath("cmdline").read_bytes():
                found.append(path.name)
        except OSError:
            continue
    return found


@needs_a_server
@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
async def test_a_burst_is_what_the_camera_shows(shown, codec):
    path, image = shown
    async with rtsp_camera.rtsp_camera(path, "--codec", codec) as url:
        taken = await RtspStream(url).burst(3, 0.5)

    assert [difference(jpeg, image) < 12 for jpeg in taken] == [True] * 3
    assert grabbing() == []


@needs_a_server
async def test_a_burst_with_long_pauses_opens_the_stream_each_time(shown):
    path, image = shown
    async with rtsp_camera.rtsp_camera(path) as url:
        began = time.monotonic()
        taken = await RtspStream(url).burst(2, 5.5)

    assert [difference(jpeg, image) < 12 for jpeg in taken] == [True] * 2
    assert time.monotonic() - began > 5.5


@needs_a_server
async def test_user_and_password_with_awkward_characters_open_the_stream(shown, password_file):
    path, image = shown
    async with rtsp_camera.rtsp_camera(path, "--user", "me", "--password", PASSWORD) as url:
        jpeg = await RtspStream(url, username="me", password_file=password_file).snapshot()

    assert difference(jpeg, image) < 12


@needs_a_server
async def test_without_or_with_a_wrong_password_it_is_refused_with_where_to_look(shown, tmp_path):
    path, _ = shown
    wrong = tmp_path / "wrong"
    wrong.write_text("0therw1se")
    async with rtsp_camera.rtsp_camera(path, "--user", "me", "--password", PASSWORD) as url:
        none = await reason(RtspStream(url))
        other = await reason(RtspStream(url, username="me", password_file=str(wrong)))

    assert (none.code, other.code) == ("HTTP_401", "HTTP_401")
    assert isinstance(other, Refused)
    assert "password_file" in other.hint
    assert "0therw1se" not in f"{other} {other.hint}"


@needs_a_server
async def test_no_argument_and_no_environment_shows_the_password(shown, password_file):
    path, _ = shown
    async with rtsp_camera.rtsp_camera(path, "--user", "me", "--password", PASSWORD) as url:
        taking = asyncio.ensure_future(
            RtspStream(url, username="me", password_file=password_file).burst(2, 1.0)
        )
        while not (children := grabbing()):  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.01)
        told = shown_to_others(children[0])
        await taking

    assert b"sources.grab" in told
    assert PASSWORD.encode() not in told
    assert b"s3%20c" not in told


def shown_to_others(pid):
    """Command line, and environment where this user may read it."""
    told = Path(f"/proc/{pid}/cmdline").read_bytes()
    return told + (Path(f"/proc/{pid}/environ").read_bytes() if os.geteuid() == 0 else b"")


@needs_a_server
async def test_a_wrong_path_is_refused(shown):
    path, _ = shown
    async with rtsp_camera.rtsp_camera(path) as url:
        why = await reason(RtspStream(url + "9"))

    assert (why.code, "path" in why.hint) == ("HTTP_404", True)


@needs_a_server
async def test_a_camera_that_dies_in_the_middle_gives_what_it_showed_before(shown):
    path, image = shown
    async with rtsp_camera.rtsp_camera(path, "--die-after", "4") as url:
        began = time.monotonic()
        taken = await RtspStream(url, timeout_s=3).burst(9, 2.0)

    assert 1 <= len(taken) < 9
    assert difference(taken[0], image) < 12
    assert time.monotonic() - began < 15
    assert grabbing() == []


async def test_a_camera_that_accepts_and_never_answers_costs_its_time_and_no_more():
    async def mute(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        began = time.monotonic()
        why = await reason(RtspStream(f"rtsp://127.0.0.1:{port}/live", timeout_s=1))

    assert (why.code, isinstance(why, Unreachable)) == ("TIMEOUT", True)
    assert time.monotonic() - began < 7
    assert grabbing() == []


async def test_something_that_does_not_speak_rtsp_is_named_so():
    async def other(reader, writer):
        await reader.read(100)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        why = await reason(RtspStream(f"rtsp://127.0.0.1:{port}/live", timeout_s=3))

    assert why.code == "PROTOCOL"
    assert why.hint


async def test_a_closed_port_is_told_apart_from_a_mute_camera():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    why = await reason(RtspStream(f"rtsp://127.0.0.1:{port}/live"))

    assert (why.code, isinstance(why, Unreachable)) == ("CONNECT", True)


@pytest.mark.parametrize("url", ["rtsp://169.254.169.254/x", "rtsp://[::]/x"])
async def test_link_local_and_metadata_addresses_are_never_asked(url):
    assert (await reason(RtspStream(url, timeout_s=2))).code == "ADDRESS"


@pytest.mark.parametrize("url", ["http://camera/x", "rtsp://me:pw@camera/x", "rtsp://", "rtsp://[x/y"])
async def test_addresses_that_are_not_plain_rtsp_are_refused(url):
    assert (await reason(RtspStream(url))).code == "ADDRESS"


@needs_a_server
async def test_a_cancelled_burst_leaves_no_process(shown):
    path, _ = shown
    async with rtsp_camera.rtsp_camera(path) as url:
        taking = asyncio.ensure_future(RtspStream(url).burst(9, 1.0))
        while not grabbing():  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.01)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking

    assert grabbing() == []
