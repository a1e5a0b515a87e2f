"""Takes pictures from a USB camera through Video4Linux."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from plumbline_edge.camera.sources.grab import KEEP_OPEN_S, Wish
from plumbline_edge.camera.sources.grabber import Grabber
from plumbline_edge.camera.sources.port import PhotoUnreachable, repeated


class UsbCamera:
    """A camera behind a device file."""

    kind = "usb"
    taken_at = None

    def __init__(
        self,
        device: str,
        *,
        timeout_s: float = 10.0,
        max_megapixels: float = 24.0,
        grabber: Grabber | None = None,
    ) -> None:
        self._device = device
        self._timeout_s = timeout_s
        self._max_megapixels = max_megapixels
        self._grabber = grabber or Grabber()

    async def snapshot(self) -> bytes:
        return (await self._take(1, 0.0))[0]

    async def burst(self, frames: int, every_s: float) -> list[bytes]:
        if every_s > KEEP_OPEN_S:
            return await repeated(self.snapshot, frames, every_s)
        return await self._take(frames, every_s)

    async def _take(self, frames: int, every_s: float) -> list[bytes]:
        check_device(self._device)
        wish = Wish(
            backend="v4l2",
            where=self._device,
            frames=frames,
            every_s=every_s,
            within_s=self._timeout_s,
            max_megapixels=self._max_megapixels,
        )
        return await self._grabber.take(wish, where=self._device)


def check_device(device: str) -> None:
    """Raise PhotoUnreachable (CONNECT) where there is no camera behind this name that this user may open."""
    try:
        if not stat.S_ISCHR(Path(device).stat().st_mode):
            raise PhotoUnreachable(
                f"{device} is no camera", code="CONNECT", hint="`ls /dev/v4l/by-id/` lists the cameras."
            )
    except OSError as error:
        raise PhotoUnreachable(
            f"{device}: {error.strerror}",
            code="CONNECT",
            hint="Plug the camera in; `ls /dev/v4l/by-id/` lists the cameras that are there.",
        ) from None
    if not os.access(device, os.R_OK | os.W_OK):
        raise PhotoUnreachable(
            f"{device} may not be opened", code="CONNECT", hint="Add the gateway's user to the group `video`."
        )
