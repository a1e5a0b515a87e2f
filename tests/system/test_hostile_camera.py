"""A camera does its worst while a meter is read: the readings keep their rhythm, and no percent is made up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sqlite3
import struct
import sys
import zlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import numpy as np
import onnx_by_hand
import pytest

from plumbline import codec
from plumbline.clock import ScaledClock, SystemClock
from plumbline.messages import Frame, Progress
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.demo.broker import free_port
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.server import MeterServer, SimulatedMeter

pytestmark = pytest.mark.system

FASTER = 60
"""A minute passes in a second: a photo each second, as `at` names minutes."""
EVERY_S = 12.0
"""Of the gateway's clock: 0.2 s of ours."""
ATTACKS = 8


def chunk(kind, content=b""):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, *, extra=b"", depth=8, colour=2):
    row = b"\0" + bytes(width * depth // 8 * {2: 3, 6: 4}[colour])
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", rows) + chunk(b"IEND")


def answers():
    """What the camera sends, request by request; None: it sends megabytes for as long as it is heard."""
    swelling = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(7_900_000), 9))
    bodies = [
        png(64, 48, extra=swelling * 200),
        png(4000, 3000, depth=16, colour=6),
        np.random.default_rng(1).bytes(7_000_000),
        b"\xff\xd8" + b"\xff\xe1\xff\xff" * 300_000,
        png(1, 10_000),
    ]
    whole = [b"HTTP/1.1 200 x\r\nContent-Length: %d\r\n\r\n" % len(body) + body for body in bodies]
    return [*whole, None, b"HTTP/1.1 200 x\r\nContent-Length: 9000000\r\n\r\n" + bytes(10), b"\0" * 200_000]


@asynccontextmanager
async def hostile_camera():
    """Yields its address, and how many requests it had."""
    turn, asked = itertools.cycle(answers()), []

    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            asked.append(answer := next(turn))
            demand = (
                b'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="x"\r\nTransfer-Encoding: chunked\r\n\r\n'
            )
            writer.write(demand if answer is None else answer)
            while answer is None:
                writer.write(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
                await writer.drain()
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/photo", asked


def site_file(folder, meter_port, camera_url):
    aux = np.zeros((9, 64, 80), np.float32)
    aux[0] = 1
    onnx_by_hand.stage_model_folder(folder / "model", stage=np.full((7, 64, 80), 0.5, np.float32), aux=aux)
    (folder / "password").write_text("geheim")
    times = ", ".join(f'"{minute // 60:02d}:{minute % 60:02d}"' for minute in range(1440))
    (folder / "site.toml").write_text(
        f'site = "a12"\ngateway = "gw1"\nstate_dir = "state"\n[broker]\nhost = "127.0.0.1"\nport = {free_port()}\n'
        f'[model]\nfolder = "model"\n[[meters]]\nname = "good"\nprofile = "eastron_sdm630"\nhost = "127.0.0.1"\n'
        f"port = {meter_port}\nevery_s = {EVERY_S}\n"
        f'[[cameras]]\nname = "east"\nurl = "{camera_url}"\ntrack = "new"\nfloors = 2\nbays = 3\n'
        "quad = [[0.25, 0.2], [0.75, 0.2], [0.75, 0.8], [0.25, 0.8]]\n"
        f'username = "u"\npassword_file = "password"\nat = [{times}]\ntimeout_s = 1\nburst_frames = 1\n'
    )
    return folder / "site.toml"


def bodies(folder):
    path = folder / "state" / "outbox.db"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT mono_us, body FROM record ORDER BY mono_us").fetchall()
    return [(mono_us, codec.decode_body(raw)) for mono_us, raw in rows]


@pytest.mark.timed
async def test_readings_keep_their_rhythm_whatever_the_camera_does(tmp_path):
    source = SiteLoad("crane", seed=1, since=datetime.now(UTC).date())
    meter = SimulatedMeter(name="good", unit=1, profile=find_profile("eastron_sdm630"), source=source)
    clock = ScaledClock.starting(datetime(2026, 5, 4, 7, 59, tzinfo=UTC), float(FASTER))
    async with MeterServer([meter], clock=SystemClock()) as server, hostile_camera() as (url, asked):
        site = site_file(tmp_path, server.port, url)
        with (tmp_path / "edge.log").open("w") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "plumbline", "edge", "run", str(site), stdout=log, stderr=log,
                env=os.environ | clock.to_environment(),
            )  # fmt: skip
            try:
                async with asyncio.timeout(90):
                    while len(asked) < 2 * ATTACKS and process.returncode is None:  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                alive = process.returncode is None
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()
    kept = bodies(tmp_path)
    at = [mono_us for mono_us, body in kept if isinstance(body, Frame)]
    late = np.diff(at) / 1e6 - EVERY_S
    photos = [body for _, body in kept if isinstance(body, Progress)]

    assert alive, (tmp_path / "edge.log").read_text()
    assert len(at) > 40
    assert np.quantile(late, 0.9) < EVERY_S
    assert late.max() < 10 * EVERY_S  # 2 s of ours
    assert len(photos) >= ATTACKS
    assert {photo.percent for photo in photos} == {None}
    assert all(photo.gate for photo in photos)
    assert "FAULT" not in {code for photo in photos for code in photo.gate}
    assert "Traceback" not in (tmp_path / "edge.log").read_text()
