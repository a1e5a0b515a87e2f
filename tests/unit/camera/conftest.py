"""A model that behaves: it reads the answer off the picture's colours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from plumbline.clock import ManualClock
from plumbline.stages import AUX_CLASSES
from plumbline_edge.settings import CameraSettings
from plumbline_edge.vision.model import Card, Outputs
from plumbline_sim.camera import CameraServer, Snapshot

SIZE = (640, 360)
QUAD = ((0.25, 0.2), (0.75, 0.2), (0.75, 0.8), (0.25, 0.8))
MAGENTA, BLUE = (240, 90, 240), (215, 110, 95)  # BGR: a person, a net
GRAIN = 40


class ColourModel:
    """Grey of level 60 is 0 %, of level 210 is 100 %; magenta is a person, blue a net. Quality is what it is told."""

    def __init__(self, size_hw=(48, 80)):
        self.card = Card(
            name="colour",
            version="1.0.0",
            sha256="0" * 64,
            interval_pp={"new": 4.0, "reno": 4.0},
            zone_interval_pp={"new": 8.0, "reno": 8.0},
        )
        self.size_hw = size_hw
        self.quality = [0.0] * 6
        self.seen = []

    def run(self, x, track):
        self.seen.append(x)
        height, width = self.size_hw
        red, green, blue = x[0, :3].reshape(3, height // 4, 4, width // 4, 4).mean(axis=(2, 4))
        aux = np.zeros((9, height // 4, width // 4), np.float32)
        person = (red - green > 0.3) & (blue - green > 0.3)
        net = (blue - red > 0.3) & ~person
        for name, where in (("person", person), ("scaffold_net", net), ("building", ~person & ~net)):
            aux[AUX_CLASSES.index(name)] = where
        return Outputs(
            stage=np.broadcast_to(np.clip((255 * green - 60) / 150, 0, 1), (7, *green.shape)).astype(
                np.float32
            ),
            aux=aux,
            quality=np.array(self.quality, np.float32),
        )


def facade(level=128, seed=0, size=SIZE, where=(0.2, 0.14, 0.8, 0.86)):
    """A wall of one mean level in a scene that stays as it is; `where` in shares: left, top, right, bottom.

    Grain keeps it in focus, and the scene gives the gate something to see and alignment something to hold on to.
    """
    width, height = size
    image = _scene(size)
    left, top, right, bottom = (round(share * side) for share, side in zip(where, (width, height) * 2, strict=True))
    wide, tall = right - left, bottom - top
    grain = np.random.default_rng(seed).integers(-GRAIN, GRAIN + 1, (-(-tall // 2), -(-wide // 2), 1))
    wall = np.repeat(np.clip(level + grain, 0, 255).astype(np.uint8), 3, axis=2)
    image[top:bottom, left:right] = wall.repeat(2, axis=0).repeat(2, axis=1)[:tall, :wide]
    return image


def _scene(size):
    """Sheds and sheds of random sizes and shades, under a bright sky."""
    rng = np.random.default_rng(99)
    image = np.full((size[1], size[0], 3), 215, np.uint8)
    for _ in range(500):
        x, y = rng.integers(0, size[0]), rng.integers(0.06 * size[1], size[1])
        wide, tall = rng.integers(4, 30, 2)
        image[y : y + tall, x : x + wide] = rng.integers(10, 220) + rng.integers(-8, 9, 3).clip(-10, 10)
    return image


def jpeg(image, quality=92):
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


class Wall:
    """A source whose facade brightens a little every day, with a person before it."""

    size = SIZE

    def picture(self, at):
        day = (at - BEGIN) / timedelta(days=1)
        image = facade(min(int(10 * day) + 64, 210), seed=int(day * 24))
        cv2.rectangle(image, (300, 190), (308, 210), MAGENTA, -1)
        return Snapshot(jpeg=jpeg(image), truth={"percent": 100 * (int(10 * day) + 4) / 150})


BEGIN = datetime(2026, 5, 1, 16, tzinfo=UTC)


def camera_settings(**changed):
    usual = {
        "name": "east", "url": "http://127.0.0.1:1/snapshot.jpg", "track": "new", "quad": QUAD,
        "floors": 2, "bays": 3, "timeout_s": 2.0, "burst_frames": 1,
    }  # fmt: skip
    return CameraSettings(**usual | changed)


@pytest.fixture
def model():
    return ColourModel()


@pytest.fixture
def clock():
    return ManualClock(BEGIN + timedelta(hours=10))


@pytest.fixture
async def server(clock):
    async with CameraServer(Wall(), clock=clock) as running:
        yield running


@pytest.fixture
def paint():
    """The painting tools, as attributes."""

    class Paint:
        pass

    def net(image, rows=slice(None), columns=slice(None)):
        """A net before that part: blue, the wall's grain showing through."""
        part = image[rows, columns].astype(float)
        image[rows, columns] = np.clip(np.array(BLUE) + 0.6 * (part - part.mean(axis=(0, 1))), 0, 255).astype(np.uint8)

    tools = Paint()
    tools.net = net
    tools.facade, tools.jpeg, tools.settings = facade, jpeg, camera_settings
    tools.magenta, tools.blue, tools.quad, tools.size, tools.begin = MAGENTA, BLUE, QUAD, SIZE, BEGIN
    return tools
