"""What a source of pictures promises, and how it says that there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_edge import bounded

MAX_BYTES: Final = 8_000_000


class PhotoUnreachable(Unreachable):
    """No picture this time; `code` names the reason in gate codes."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class PhotoRefused(Refused):
    """What came is not usable, or the camera will not give it; `code` names the reason in gate codes."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class CameraSource(Protocol):
    """Where pictures come from. Every call ends within bounds of time and memory, and leaves nothing on disk."""

    kind: str
    """http, rtsp, usb or folder."""

    @property
    def taken_at(self) -> datetime | None:
        """When the last picture was taken, where the source knows better than the one who asked."""
        ...

    async def snapshot(self) -> bytes:
        """The picture taken now, encoded. Raises PhotoUnreachable or PhotoRefused."""
        ...

    async def burst(self, frames: int, every_s: float) -> list[bytes]:
        """Up to `frames` pictures, `every_s` apart, at least one. Raises as `snapshot` where there is none at all."""
        ...


async def repeated(snapshot: Callable[[], Awaitable[bytes]], frames: int, every_s: float) -> list[bytes]:
    """A burst of single pictures; once one has come, a failure ends the burst instead of spoiling it."""
    taken = [await snapshot()]
    for _ in range(frames - 1):
        await asyncio.sleep(every_s)
        try:
            taken.append(await snapshot())
        except (PhotoUnreachable, PhotoRefused):
            break
    return taken


def password_in(file: str | None) -> str:
    """The password in a file of its own; empty where none is named. Raises ConfigError where it cannot be read."""
    if file is None:
        return ""
    try:
        return bounded.read(file).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(
            f"{file}: {why}", hint="Write the camera's password there, readable by the gateway only."
        ) from None
