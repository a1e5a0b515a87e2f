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
MAGENTA, BLUE = (255, 0, 255), (255, 0, 0)  # BGR: a person, a net


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


def facade(level=128, seed=0, size=SIZE):
    """A grey facade of one level, with enough noise to be in focus."""
    rng = np.random.default_rng(seed)
    grain = rng.integers(-12, 13, (size[1] // 4, size[0] // 4, 1))
    image = np.full((size[1] // 4, size[0] // 4, 3), level) + grain
    return cv2.resize(np.clip(image, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)


def jpeg(image, quality=92):
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


class Wall:
    """A source whose facade brightens a little every day, with a person before it."""

    size = SIZE

    def picture(self, at):
        day = (at - BEGIN) / timedelta(days=1)
        image = facade(int(10 * day) + 64, seed=int(day * 24))
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

    tools = Paint()
    tools.facade, tools.jpeg, tools.settings = facade, jpeg, camera_settings
    tools.magenta, tools.blue, tools.quad, tools.size, tools.begin = MAGENTA, BLUE, QUAD, SIZE, BEGIN
    return tools
