"""A real RTSP camera for tests: GStreamer's server as a process, where Debian's packages are installed."""

from __future__ import annotations

import asyncio
import subprocess
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from plumbline_sim.demo.broker import free_port

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")
MISSING = "no GStreamer RTSP server: apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"


@cache
def installed() -> bool:
    try:
        tried = subprocess.run([PYTHON, SERVER, "--help"], capture_output=True, timeout=60, check=False)
    except OSError:
        return False
    return tried.returncode == 0


@asynccontextmanager
async def rtsp_camera(picture: Path, *options: str):
    """Shows `picture` (a JPEG file); yields its url without user and password."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        PYTHON, str(SERVER), str(picture), str(port), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"ready\n"
        yield f"rtsp://127.0.0.1:{port}/stream1"
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
