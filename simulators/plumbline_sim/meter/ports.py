"""Takes a TCP port, or says who holds it, as far as Linux tells."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError

_PROC: Final = Path("/proc")
_LISTEN: Final = "0A"


async def listening(build: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    """A server on that port. Raises ConfigError where it is taken, and says by whom."""
    try:
        return await asyncio.get_running_loop().create_server(build, host, port)
    except OSError as error:
        holder = who_listens(port)
        raise ConfigError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}"
            + (f" by {holder}" if holder else ""),
            hint="End that program, or choose another --port (0 picks a free one).",
        ) from None


def who_listens(port: int) -> str:
    """`name (pid N)` of a program that listens on a TCP port; empty where the system does not say."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return ""
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's process, or one that has just ended
            if any(_target(fd) in wanted for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "another user's program"


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed since it was listed
        return ""


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]
