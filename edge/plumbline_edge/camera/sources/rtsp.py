"""Takes pictures from a camera's RTSP stream, which is open only for as long as that takes."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

from plumbline_edge.camera.sources.address import checked_address
from plumbline_edge.camera.sources.grab import KEEP_OPEN_S, Wish
from plumbline_edge.camera.sources.grabber import Grabber
from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable, password_in, repeated

_PORT: Final = 554


class RtspStream:
    """A camera that streams H.264 or MJPEG over RTSP and TCP. The password is put into the url in memory only."""

    kind = "rtsp"
    taken_at = None

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        username: str | None = None,
        password_file: str | None = None,
        max_megapixels: float = 24.0,
        grabber: Grabber | None = None,
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._username = username
        self._password_file = password_file
        self._max_megapixels = max_megapixels
        self._grabber = grabber or Grabber()

    async def snapshot(self) -> bytes:
        return (await self._take(1, 0.0))[0]

    async def burst(self, frames: int, every_s: float) -> list[bytes]:
        if every_s > KEEP_OPEN_S:
            return await repeated(self.snapshot, frames, every_s)
        return await self._take(frames, every_s)

    async def _take(self, frames: int, every_s: float) -> list[bytes]:
        host, port, rest = _parts(self._url)
        where = f"{host}:{port}"
        try:
            async with asyncio.timeout(self._timeout_s):
                address = await checked_address(host, port)
                await _knock(address, port)
        except TimeoutError:
            raise PhotoUnreachable(
                f"{where}: nothing answers", code="TIMEOUT", hint="Check the camera's power and cable."
            ) from None
        user = ""
        if self._username is not None:
            password = password_in(self._password_file)
            user = f"{quote(self._username, safe='')}:{quote(password, safe='')}@"
        inside = f"[{address}]" if ":" in address else address
        wish = Wish(
            backend="ffmpeg",
            where=f"rtsp://{user}{inside}:{port}{rest}",
            frames=frames,
            every_s=every_s,
            within_s=self._timeout_s,
            max_megapixels=self._max_megapixels,
        )
        return await self._grabber.take(wish, where=where)


def _parts(url: str) -> tuple[str, int, str]:
    """Host, port, and the rest of the address. Raises PhotoRefused (ADDRESS)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORT
    except ValueError:
        host = None
    if not host or parts.scheme != "rtsp" or "@" in parts.netloc:
        raise PhotoRefused(
            "not an address of a stream",
            code="ADDRESS",
            hint="Use an rtsp:// address; user and password belong into username and password_file.",
        )
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    return host, port, rest


async def _knock(address: str, port: int) -> None:
    """Raise PhotoUnreachable where no connection is accepted: FFmpeg would not say so apart from all else."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        raise PhotoUnreachable(
            f"cannot connect: {error.strerror or error}",
            code="CONNECT",
            hint="Check power, cable, address and port; switch RTSP on in the camera.",
        ) from None
    writer.close()
