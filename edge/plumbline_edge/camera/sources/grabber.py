"""Starts one grabbing process for each burst and ends it, whatever hangs in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from plumbline_edge.camera.sources.grab import PIECE, Reason, Wish
from plumbline_edge.camera.sources.port import MAX_BYTES, PhotoRefused, PhotoUnreachable

log = logging.getLogger(__name__)

_COMMAND: Final = (sys.executable, "-m", "plumbline_edge.camera.sources.grab")
_STARTING_S: Final = 5.0
"""Python and OpenCV load in 0.3 s here, in some seconds on a small board with a cold card."""
_DYING_S: Final = 2.0
_MAX_SAID: Final = 20_000
_STATUS: Final = re.compile(rb"failed: (\d{3})\b|Server returned (\d{3})\b")
_DECODING: Final = re.compile(rb"[Ii]nvalid data|[Ee]rror while decoding|could not find codec", re.ASCII)


class Grabber:
    """Takes pictures of one camera in a process of its own, one at a time."""

    def __init__(self, command: Sequence[str] = _COMMAND, *, starting_s: float = _STARTING_S) -> None:
        self._command = tuple(command)
        self._starting_s = starting_s
        self._left_behind: asyncio.subprocess.Process | None = None

    async def take(self, wish: Wish, *, where: str) -> list[bytes]:
        """JPEGs, at least one, within the time the wish allows. `where` names the camera in errors, without secrets.

        Raises PhotoUnreachable or PhotoRefused.
        """
        if self._left_behind is not None and self._left_behind.returncode is None:
            raise PhotoUnreachable(
                f"{where}: the system still hangs in the last try",
                code="TIMEOUT",
                hint="Unplug the camera and plug it in again; if that does not help, restart the gateway.",
            )
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 16,
        )
        limit_s = wish["within_s"] + (wish["frames"] - 1) * wish["every_s"] + self._starting_s
        taken: list[bytes] = []
        said = bytearray()
        listening = asyncio.ensure_future(_listen(process.stderr, said))
        reason: Reason | None = None
        try:
            async with asyncio.timeout(limit_s):
                reason = await _collect(process, wish, taken)
        except TimeoutError:
            reason = Reason(code="TIMEOUT", text=f"no whole picture within {wish['within_s']:g} s")
        finally:
            await asyncio.shield(self._end(process))
            await asyncio.wait([listening], timeout=_DYING_S)  # it ends with the process
            listening.cancel()
        if taken:
            return taken
        raise _failure(reason, bytes(said), where)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        try:
            async with asyncio.timeout(_DYING_S):
                await _emptied(process.stdout)  # asyncio reaps no process whose output waits to be read
                await process.wait()
        except TimeoutError:  # within a driver's call not even SIGKILL ends it
            if process.returncode is not None:
                return
            log.warning("process %d that grabs pictures cannot be ended; it is left behind", process.pid)
            self._left_behind = process


async def _collect(process: asyncio.subprocess.Process, wish: Wish, taken: list[bytes]) -> Reason | None:
    """Fill `taken`; the process's last word, or None where it went without one."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):
        process.stdin.write(json.dumps(wish).encode())
        await process.stdin.drain()
        process.stdin.close()
    try:
        while True:
            letter, length = PIECE.unpack(await process.stdout.readexactly(PIECE.size))
            if letter not in {b"J", b"N"}:
                return None
            if length > MAX_BYTES or (letter == b"J" and len(taken) >= wish["frames"]):
                return Reason(code="TOO_LARGE", text=f"more than {MAX_BYTES} bytes")
            content = await process.stdout.readexactly(length)
            if letter == b"N":
                return msgspec.json.decode(content, type=Reason)
            taken.append(content)
    except (asyncio.IncompleteReadError, RecursionError, ValueError):  # msgspec's errors are ValueErrors
        return None


async def _emptied(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(1 << 16):
        pass


async def _listen(stream: asyncio.StreamReader | None, said: bytearray) -> None:
    """What FFmpeg complains of; it may name the url with its password, so it is searched and never shown."""
    assert stream is not None
    while part := await stream.read(4096):
        if len(said) < _MAX_SAID:
            said += part


def _failure(reason: Reason | None, said: bytes, where: str) -> PhotoUnreachable | PhotoRefused:
    if found := _STATUS.search(said):
        return _refused(int(found[1] or found[2]), where)
    if reason is None:
        return PhotoUnreachable(
            f"{where}: reading its pictures crashed",
            code="UNREADABLE",
            hint="Choose H.264 without 'smart' extensions in the camera's stream settings.",
        )
    code, text = reason["code"], f"{where}: {reason['text']}"
    if code == "TIMEOUT":
        return PhotoUnreachable(
            text, code=code, hint="Check the camera's power and cable; raise timeout_s if it is only slow."
        )
    if code == "TOO_LARGE":
        return PhotoRefused(
            text, code=code, hint="Set a smaller picture in the camera, or use its second stream."
        )
    if _DECODING.search(said):
        return PhotoRefused(
            f"{where}: its stream cannot be decoded",
            code="UNREADABLE",
            hint="Choose H.264 without 'smart' extensions in the camera's stream settings.",
        )
    return PhotoUnreachable(
        text,
        code="PROTOCOL",
        hint="Try the address in a media player; check the path, then restart the camera.",
    )


def _refused(status: int, where: str) -> PhotoUnreachable | PhotoRefused:
    """As for HTTP, whose numbers RTSP uses."""
    code, text = f"HTTP_{status}", f"{where}: the camera answered RTSP {status}"
    if status >= 500 or status == 453:  # 453: not enough bandwidth, another viewer has the stream
        return PhotoUnreachable(text, code=code, hint="Close other viewers of this camera, or restart it.")
    if status in {401, 403}:
        return PhotoRefused(text, code=code, hint="Check username and password_file of this camera.")
    return PhotoRefused(text, code=code, hint="Check the path in the camera's url.")
