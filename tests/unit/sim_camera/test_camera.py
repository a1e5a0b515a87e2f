from __future__ import annotations

import asyncio
import hashlib
import signal
import struct
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import get_args

import cv2
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from plumbline.clock import ManualClock, to_us
from plumbline.errors import ConfigError
from plumbline_sim import drawing
from plumbline_sim.camera import CameraFault, CameraServer, SceneSource, ShotLog, Snapshot, app, pixel_bomb
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.project import Project

BEGIN = datetime(2026, 5, 1, 16, tzinfo=UTC)
NOON = BEGIN + timedelta(hours=11)


class Cards:
    """A source whose picture tells the hour."""

    size = (64, 48)

    def picture(self, at):
        level = int((at - BEGIN) / timedelta(hours=1))
        image = np.full((48, 64, 3), level, np.uint8)
        return Snapshot(jpeg=cv2.imencode(".jpg", image)[1].tobytes(), truth={"percent": float(level)})


@pytest.fixture
def clock():
    return ManualClock(NOON)


@pytest.fixture
async def server(clock):
    async with CameraServer(Cards(), clock=clock) as running:
        yield running


@pytest.fixture
async def client():
    async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
        yield client


async def test_it_shows_the_simulated_time_and_logs_the_truth(server, client, clock):
    first = (await client.get(server.url)).content
    clock.advance(3600)
    second = (await client.get(server.url)).content
    shots = server.oplog.shots

    assert [shot.at_us for shot in shots] == [to_us(NOON), to_us(NOON + timedelta(hours=1))]
    assert [shot.sha256 for shot in shots] == [hashlib.sha256(body).hexdigest() for body in (first, second)]
    assert [shot.truth for shot in shots] == [{"percent": 11.0}, {"percent": 12.0}]


async def test_the_log_file_holds_one_line_a_shot(clock, client, tmp_path):
    path = tmp_path / "shots.jsonl"
    async with CameraServer(Cards(), clock=clock, oplog=ShotLog(path)) as server:
        await client.get(server.url)
        await client.get(server.url)

    assert len(path.read_text().splitlines()) == 2


async def test_only_the_snapshot_is_there(server, client):
    other = await client.get(server.url.replace("snapshot", "other"))
    post = await client.post(server.url)

    assert (other.status_code, post.status_code) == (404, 404)
    assert server.oplog.shots == []


async def test_a_frozen_camera_repeats_its_last_picture(server, client, clock):
    first = (await client.get(server.url)).content
    server.fault = "frozen"
    clock.advance(7200)

    assert (await client.get(server.url)).content == first


async def test_half_black_and_foreign_answers_are_what_they_say(server, client):
    whole = (await client.get(server.url)).content
    bodies = {}
    for fault in ("half_jpeg", "black", "wrong_content", "pixel_bomb"):
        server.fault = fault
        bodies[fault] = (await client.get(server.url)).content
    black = cv2.imdecode(np.frombuffer(bodies["black"], np.uint8), cv2.IMREAD_COLOR)

    assert bodies["half_jpeg"] == whole[: len(whole) // 2]
    assert (black.max(), black.shape) == (0, (48, 64, 3))
    assert bodies["wrong_content"].startswith(b"<!doctype html>")
    assert bodies["pixel_bomb"] == pixel_bomb(whole)
    assert struct.pack(">HH", 10_000, 10_000) in bodies["pixel_bomb"]


@pytest.mark.parametrize(("fault", "status"), [("not_found", 404), ("broken", 503), ("redirect", 302)])
async def test_error_answers_have_their_status(server, client, fault, status):
    server.fault = fault

    assert (await client.get(server.url)).status_code == status


@pytest.mark.parametrize("fault", ["hang", "slow", "endless"])
async def test_it_ends_cleanly_while_a_client_still_waits(clock, fault):
    async with CameraServer(Cards(), clock=clock) as server:
        server.fault = fault
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /snapshot.jpg HTTP/1.1\r\n\r\n")
        await writer.drain()
        if fault != "hang":
            await reader.readexactly(10)
    writer.close()

    assert not server._busy


async def test_garbage_from_a_client_does_no_harm(server, client):
    for head in (b"\r\n\r\n", b"nonsense\r\n\r\n", b"x" * 20_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head)
        await reader.read()
        writer.close()

    assert (await client.get(server.url)).status_code == 200


async def test_a_taken_port_is_said_in_a_sentence(server, clock):
    with pytest.raises(ConfigError, match="cannot listen") as taken:
        await CameraServer(Cards(), clock=clock, port=server.port).__aenter__()

    assert "--port" in taken.value.hint


def test_every_fault_is_one_the_command_explains():
    assert set(get_args(CameraFault)) >= {
        "hang",
        "half_jpeg",
        "pixel_bomb",
        "wrong_content",
        "not_found",
        "slow",
    }


def test_a_scene_grows_with_the_days_and_is_the_same_for_the_same_seed():
    project = Project.sample(5, track="new", days=20)
    source = SceneSource(project, begin=BEGIN, size=(320, 180))
    early, late = source.picture(NOON), source.picture(NOON + timedelta(days=18))
    again = SceneSource(Project.sample(5, track="new", days=20), begin=BEGIN, size=(320, 180)).picture(NOON)

    assert early == again
    assert early.truth["percent"] == pytest.approx(project.percent(11 / 24), abs=1e-3)
    assert early.truth["percent"] + 70 < late.truth["percent"]
    assert cv2.imdecode(np.frombuffer(late.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (180, 320, 3)


@pytest.mark.parametrize("days", [-3, 400])
def test_before_and_after_the_works_nothing_moves(days):
    project = Project.sample(5, track="reno", days=20)
    picture = SceneSource(project, begin=BEGIN, size=(320, 180)).picture(NOON + timedelta(days=days))

    assert picture.truth["percent"] == pytest.approx(0 if days < 0 else project.percent(20), abs=1e-3)


def test_a_scene_is_rendered_once_a_minute_and_no_two_shots_are_the_same_bytes(monkeypatch):
    rendered = []

    def jpeg_of(project, day, conditions, size):
        rendered.append(day)
        return cv2.imencode(".jpg", np.full((size[1], size[0], 3), 128, np.uint8))[1].tobytes()

    monkeypatch.setattr(drawing, "jpeg_of", jpeg_of)
    source = SceneSource(Project.sample(5, track="new", days=20), begin=BEGIN, size=(64, 36))
    shots = [source.picture(NOON + timedelta(seconds=s)) for s in (0, 20, 59, 60)]

    assert rendered == pytest.approx([660 / 1440, 661 / 1440])
    assert len({shot.jpeg for shot in shots}) == 4
    assert [shot.truth["day"] for shot in shots] == [0.4583, 0.4583, 0.4583, 0.459]


async def test_while_a_scene_is_drawn_everything_else_goes_on(client, clock):
    source = SceneSource(Project.sample(5, track="new", days=20), begin=BEGIN, size=(320, 180))
    async with CameraServer(source, clock=clock) as server:
        asked = asyncio.create_task(client.get(server.url, timeout=60))
        turns = 0
        while not asked.done():
            await asyncio.sleep(0.005)
            turns += 1

    assert asked.result().content.startswith(b"\xff\xd8")
    assert turns > 20


def test_pictures_are_drawn_from_any_thread():
    project = Project.sample(5, track="new", days=20)
    here = drawing.jpeg_of(project, 5, Conditions(), (64, 36))
    with ThreadPoolExecutor(2) as threads:
        there = list(threads.map(lambda _: drawing.jpeg_of(project, 5, Conditions(), (64, 36)), range(4)))

    assert there == [here] * 4


async def test_the_command_serves_until_ctrl_c_and_prints_what_a_site_file_needs(client):
    command = [sys.executable, "-c", "from plumbline.cli import main; main()", "sim", "camera", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().split()[0]
    quad = (await process.stdout.readline()).decode()
    answer = await client.get(address, timeout=20)
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()

    assert answer.content.startswith(b"\xff\xd8")
    assert len(tomllib.loads(quad)["quad"]) == 4
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize("option", [("--track", "bridge"), ("--fault", "sulks")])
def test_the_command_refuses_what_it_does_not_know(option):
    with pytest.raises(ConfigError, match=option[1]):
        CliRunner().invoke(app, ["--port", "0", *option], catch_exceptions=False)
