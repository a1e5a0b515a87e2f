"""No unmasked picture leaves the memory of a running gateway: not to a file, not onto the wire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiomqtt
import cv2
import leaks
import numpy as np
import onnx_by_hand
import pytest
import rtsp_camera

from plumbline import codec
from plumbline.clock import ScaledClock, SystemClock
from plumbline.messages import Ack, Photo, Progress
from plumbline.stages import AUX_CLASSES
from plumbline.topics import GatewayTopics
from plumbline_sim.camera import CameraServer, Snapshot
from plumbline_sim.demo.broker import free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
LEAKY = Path(__file__).parents[1] / "support" / "leaky_gateway.py"
TOPICS = GatewayTopics("a12", "gw1")
SIZE = (1280, 720)
FACADE = (320, 120, 960, 593)
"""Left, top, right, bottom in pixels of the camera's picture."""
QUAD = [[x / SIZE[0], y / SIZE[1]] for x, y in ((320, 120), (960, 120), (960, 593), (320, 593))]
SEEN, UNSEEN = 0.55, 0.45
"""A marker of hundreds of random cells is like nothing else by more than about 0.35."""
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto"),
]


def cells(seed, wide, tall):
    """A marker nobody can take for anything else: random cells of 8 pixels."""
    shades = np.random.default_rng(seed).choice([40, 215], (tall, wide))
    return np.kron(shades, np.ones((8, 8))).astype(np.uint8)


PERSON, STREET, WALL = cells(1, 24, 17), cells(2, 20, 17), cells(3, 11, 50)
PERSON_AT, STREET_AT, WALL_AT = (544, 286), (20, 300), (330, 140)
"""The person stands before the facade's middle, the street lies left of it; the wall may be seen."""


class Street:
    """A facade with a person before it and a street beside it; each picture differs by its noise and its EXIF."""

    size = SIZE

    def __init__(self):
        self.served = []

    def picture(self, at):
        rng = np.random.default_rng(len(self.served))
        image = self.scene(rng)
        raw = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        watermark = b"Exif\0\0" + rng.bytes(600)
        raw = raw[:2] + b"\xff\xe1" + (len(watermark) + 2).to_bytes(2, "big") + watermark + raw[2:]
        self.served.append(raw)
        return Snapshot(jpeg=raw, truth={})

    def scene(self, rng):
        image = cv2.resize(np.random.default_rng(9).integers(90, 150, (90, 160), np.uint8), SIZE)
        left, top, right, bottom = FACADE
        for x in range(left + 130, right - 40, 90):
            for y in range(top + 20, bottom - 60, 110):
                image[y : y + 60, x : x + 40] = 60
        for marker, (x, y) in ((PERSON, PERSON_AT), (STREET, STREET_AT), (WALL, WALL_AT)):
            image[y : y + marker.shape[0], x : x + marker.shape[1]] = marker
        noisy = image[..., None] + rng.normal(0, 3, (*image.shape, 3))
        return np.clip(noisy, 0, 255).astype(np.uint8)

    def secret(self):
        """The files as served, without the tables every JPEG shares; and the pixels where nobody may look."""
        coded = [raw[: raw.index(b"\xff\xdb")] + raw[raw.index(b"\xff\xda") :] for raw in self.served]
        x, y = PERSON_AT
        pixels = []
        for raw in self.served:
            image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR)
            pixels += [image[y + row, x : x + 192].tobytes() for row in range(0, 136, 5)]
        return leaks.Secret(coded + pixels)


@pytest.fixture
def model(tmp_path):
    """Finds a person before the middle of any facade, and no works."""
    aux = np.zeros((9, 64, 80), np.float32)
    aux[AUX_CLASSES.index("building")] = 1
    where = (slice(19, 48), slice(22, 58))
    aux[(AUX_CLASSES.index("building"), *where)] = 0
    aux[(AUX_CLASSES.index("person"), *where)] = 1
    return onnx_by_hand.stage_model_folder(
        tmp_path / "model", stage=np.full((7, 64, 80), 0.01, np.float32), aux=aux
    )


@dataclass
class Found:
    """Everything a gateway let out of its memory."""

    contents: list[tuple[str, bytes]] = field(default_factory=list)
    bodies: list = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    """Files it had open for writing at any time."""
    watched: bool = False

    def saw_bytes_of(self, secret):
        return {
            name for name, content in self.contents
            if any(secret.is_in(part) for part in leaks.unpacked(content))
        }  # fmt: skip

    def pictures(self):
        for name, content in self.contents:
            for part in leaks.unpacked(content):
                for image in leaks.pictures_in(part):
                    yield name, image

    def likeness(self, marker):
        """Of all pictures anywhere, the one most like the marker."""
        return max((leaks.likeness(image, marker) for _, image in self.pictures()), default=0.0)

    def photos(self):
        return [body for body in self.bodies if isinstance(body, Photo) and body.jpeg]

    def reasons(self):
        return [body.gate for body in self.bodies if isinstance(body, Progress)]


def site_file(folder, place, broker_port, model):
    times = ", ".join(f'"{hour:02d}:00"' for hour in range(24))
    path = folder / "site.toml"
    path.write_text(
        f'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\n[broker]\nhost = "127.0.0.1"\nport = {broker_port}\n'
        f'[model]\nfolder = "{model}"\n'
        f'[[cameras]]\nname = "east"\n{place}\ntrack = "new"\nfloors = 2\nbays = 3\nquad = {QUAD}\n'
        f"at = [{times}]\nhfov_deg = 60\ndistance_m = 40\nburst_frames = 3\nburst_every_s = 0.1\n",
        encoding="utf-8",
    )
    return path


async def run(tmp_path, place, model, enough, *, hole=None):
    """A gateway under a clock of an hour a second, until `enough(found)`; then all it left."""
    found, since, port = Found(), time.time() - 2, free_port()
    (tmp_path / "tmp").mkdir()
    clock = ScaledClock.starting(datetime(2026, 5, 4, 7, 59, tzinfo=UTC), 3600.0)
    site = site_file(tmp_path, place, port, model)
    command = ["-m", "plumbline", "edge", "run"] if hole is None else [str(LEAKY), hole]
    async with broker(tmp_path, port), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(listen(port, found))
        log = (tmp_path / "edge.log").open("w")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, str(site), stdout=log, stderr=log,
            env=os.environ | clock.to_environment() | {"TMPDIR": str(tmp_path / "tmp")},
        )  # fmt: skip
        watching = tasks.create_task(watch(process.pid, found))
        try:
            async with asyncio.timeout(60):
                while not enough(found):
                    assert process.returncode is None, (tmp_path / "edge.log").read_text()
                    await asyncio.sleep(0.1)
            found.contents += list(mapped(process.pid))
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), 40)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            log.close()
            watching.cancel()
            listening.cancel()
    found.contents += leaks.contents_under(tmp_path)
    found.contents += [one for one in new_in_tmp(since, tmp_path)]
    return found


def new_in_tmp(since, tmp_path):
    """What anybody wrote directly into the system's own temporary folders meanwhile."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        for path in Path(folder).glob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and since < path.stat().st_mtime and path.stat().st_size < 50_000_000:
                    yield str(path), path.read_bytes()


@asynccontextmanager
async def broker(folder, port):
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = await asyncio.create_subprocess_exec(
        MOSQUITTO, "-c", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def listen(port, found):
    """Everything on the wire; batches are acknowledged, so that the next come."""
    while True:
        with contextlib.suppress(aiomqtt.MqttError):  # the broker is still coming up
            async with aiomqtt.Client("127.0.0.1", port) as client:
                await client.subscribe("#", qos=1)
                await take_in(client, found)
        await asyncio.sleep(0.1)


async def take_in(client, found):
    stored = defaultdict(set)
    async for message in client.messages:
        found.contents.append((f"mqtt {message.topic}", message.payload))
        if str(message.topic) != TOPICS.up:
            continue
        batch = codec.open_batch(message.payload)
        for record in batch.records:
            found.bodies.append(record.body)
            found.contents.append((f"mqtt {batch.lane} {record.seq}", codec.encode_body(record.body)))
        lane = stored[batch.lane]
        lane |= {record.seq for record in batch.records}
        through = next(n for n in range(1, max(lane) + 2) if n not in lane) - 1
        ack = Ack(epoch=batch.epoch, lane=batch.lane, through=through)
        await client.publish(TOPICS.ack, codec.encode_ack(ack), qos=1)


async def watch(pid, found):
    """Its open files, twenty times a second; what has no name any more is read on the spot."""
    while True:
        for link in opened(pid):
            with contextlib.suppress(OSError):
                target = os.readlink(link)
                found.watched = True
                if not target.startswith("/"):
                    continue
                flags = int(link.parent.parent.joinpath("fdinfo", link.name).read_text().split()[3], 8)
                if flags & (os.O_WRONLY | os.O_RDWR):
                    found.written.add(target)
                if "(deleted)" in target and link.stat().st_size < 50_000_000:
                    found.contents.append((f"open: {target}", link.read_bytes()))
        await asyncio.sleep(0.05)


def opened(pid):
    with contextlib.suppress(OSError):  # as another user than root one may not look: that is the point
        return list(Path(f"/proc/{pid}/fd").iterdir())
    return []


def mapped(pid):
    """Files mapped into it that are not programs."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = parts = line.split(maxsplit=5)
            if len(parts) == 6 and parts[5].startswith("/") and "w" in rights and ".so" not in parts[5]:
                with contextlib.suppress(OSError):
                    yield f"mapped: {parts[5]}", Path(f"/proc/{pid}/map_files/{span}").read_bytes()


@asynccontextmanager
async def street():
    source = Street()
    async with CameraServer(source, clock=SystemClock()) as server:
        yield source, f'url = "{server.url}"'


def three_photos(found):
    return len(found.photos()) >= 3


async def test_nothing_unmasked_is_on_the_card_or_on_the_wire(tmp_path, model):
    async with street() as (source, place):
        found = await run(tmp_path, place, model, three_photos)

    assert len(secret := source.secret()) > 1000
    assert found.saw_bytes_of(secret) == set()
    assert found.likeness(PERSON) < UNSEEN
    assert found.likeness(STREET) < UNSEEN
    # the very same search finds what may be seen, so it would have found the others
    assert found.likeness(WALL) > SEEN
    assert (tmp_path / "state" / "day0" / "east.png").exists()
    assert found.watched or os.geteuid() != 0
    ours = str(tmp_path)
    assert {name for name in found.written if not name.startswith((ours, "/dev/", "/memfd:"))} == set()


@pytest.mark.parametrize("hole", ["file", "pixels", "deleted_file"])
async def test_the_search_finds_bytes_that_leak(tmp_path, model, hole):
    if hole == "deleted_file" and os.geteuid() != 0:
        pytest.skip("only root may look into the open files of a secluded process")
    async with street() as (source, place):
        found = await run(tmp_path, place, model, three_photos, hole=hole)

    assert found.saw_bytes_of(source.secret())


@pytest.mark.parametrize(("hole", "shown"), [("preview", (PERSON, STREET)), ("day0", (PERSON,))])
async def test_the_search_finds_pictures_that_leak(tmp_path, model, hole, shown):
    async with street() as (_, place):
        found = await run(tmp_path, place, model, three_photos, hole=hole)

    assert [found.likeness(marker) > SEEN for marker in shown] == [True] * len(shown)


@pytest.mark.parametrize("broken", ["missing", "wrong hash", "not a number"])
async def test_without_a_sound_model_nothing_but_the_reason_leaves(tmp_path, model, broken):
    match broken:
        case "missing":
            model = tmp_path / "no_such_model"
            model.mkdir()
        case "wrong hash":
            with (model / "model.onnx").open("ab") as file:
                file.write(b"\0")
        case "not a number":
            model = onnx_by_hand.stage_model_folder(
                tmp_path / "nan",
                stage=np.full((7, 64, 80), np.nan, np.float32),
                aux=np.full((9, 64, 80), np.nan, np.float32),
            )
    async with street() as (source, place):
        found = await run(tmp_path, place, model, lambda found: len(found.reasons()) >= 3)

    assert set(found.reasons()) == {("MODEL",)}
    assert found.saw_bytes_of(source.secret()) == set()
    assert list(found.pictures()) == []


@pytest.mark.skipif(not rtsp_camera.installed(), reason=rtsp_camera.MISSING)
async def test_nothing_unmasked_comes_from_a_stream_either(tmp_path, model, tmp_path_factory):
    picture = tmp_path_factory.mktemp("street") / "street.jpg"
    cv2.imwrite(str(picture), Street().scene(np.random.default_rng(1)))
    async with rtsp_camera.rtsp_camera(picture) as url:
        found = await run(tmp_path, f'url = "{url}"', model, lambda found: found.photos())

    assert found.likeness(PERSON) < UNSEEN
    assert found.likeness(STREET) < UNSEEN
    assert found.likeness(WALL) > SEEN


async def test_no_core_is_ever_dumped_of_a_gateway_with_a_camera(tmp_path, model):
    limits = []

    def look(found):
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if b"plumbline_edge.app" in path.read_bytes() and _cwd_is(path.parent, tmp_path):
                    limits.append(path.with_name("limits").read_text())
        return found.photos()

    async with street() as (_, place):
        await run(tmp_path, place, model, look)

    assert limits
    core = next(line for line in limits[-1].splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def _cwd_is(process, tmp_path):
    return str(tmp_path).encode() in process.joinpath("environ").read_bytes()
