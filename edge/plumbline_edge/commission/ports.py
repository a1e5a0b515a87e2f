"""Which serial ports this machine has, who may open them, and who holds one."""

from __future__ import annotations

import contextlib
import grp
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError

_BY_ID: Final = Path("/dev/serial/by-id")
_PROC: Final = Path("/proc")
_GATEWAY: Final = "plumbline edge"
_BOARD_PORT: Final = re.compile(r"/dev/ttyS\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One serial port. `by_id` names it wherever it is plugged in; None where the system has no such name."""

    device: str
    name: str
    by_id: str | None = None

    def __str__(self) -> str:
        return f"{self.device} ({self.name})"


def adapters() -> tuple[Adapter, ...]:
    """All serial ports. A board's own ones count only where there is no adapter: most lead nowhere."""
    from serial.tools.list_ports import comports  # noqa: PLC0415 - only who looks for ports needs it

    links = _links(_BY_ID)
    found = [
        Adapter(
            device=port.device,
            name=next((t for t in (port.product, port.description) if t and t != "n/a"), "built in"),
            by_id=links.get(os.path.realpath(port.device)),
        )
        for port in sorted(comports(), key=lambda port: str(port.device))
    ]
    plugged = [one for one in found if not _BOARD_PORT.match(one.device)]
    return tuple(plugged or found)


def the_only_one(found: Sequence[Adapter]) -> Adapter:
    """The serial port to take where none was named. Raises ConfigError, which says how to choose."""
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(
            "no serial port found",
            hint="Plug the RS-485 adapter in, or name a network meter: plumbline edge scan --host 192.168.1.50",
        )
    raise ConfigError(
        f"{len(found)} serial ports: {', '.join(map(str, found))}",
        hint=f"Choose one: plumbline edge scan --device {found[0].device}",
    )


def by_id_of(device: str, found: Iterable[Adapter]) -> str | None:
    """The lasting name of a port; None where it has none, or `device` is it already."""
    real = os.path.realpath(device)
    name = next((one.by_id for one in found if os.path.realpath(one.device) == real), None)
    return None if name == device else name


def group_of(device: str) -> str:
    """The group that may open a port. Raises OSError."""
    number = Path(device).stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def holders(device: str, proc: Path = _PROC) -> tuple[str, ...]:
    """`name (pid N)` of each other program that has the port open, as far as this user may see."""
    real = os.path.realpath(device)
    found = []
    for process in sorted(proc.glob("[0-9]*"), key=lambda path: int(path.name)):
        if process.name == str(os.getpid()):
            continue
        with contextlib.suppress(OSError):  # another user's process, or one that has just ended
            if any(_target(fd) == real for fd in (process / "fd").iterdir()):
                found.append(f"{_name(process)} (pid {process.name})")
    return tuple(found)


def how_to_free(device: str, who: Sequence[str] = ()) -> str:
    """What to do about a port that somebody else holds; `who` as `holders` says it, nothing where nobody may see it."""
    if any(one.startswith(_GATEWAY) for one in who):
        return "That is the gateway: stop it while the meters are asked (sudo systemctl stop plumbline-edge, or Ctrl-C)."
    if who:
        return f"Stop {', '.join(who)}, then look again."
    return f"If the gateway runs, stop it: sudo systemctl stop plumbline-edge. Else see who: sudo fuser -v {device}"


def _name(process: Path) -> str:
    """What a process is called; the gateway by its command, whatever started it."""
    words: list[str] = []
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    if "edge" in words and any("plumbline" in word for word in words):
        return _GATEWAY
    return (process / "comm").read_text(encoding="utf-8").strip()


def _links(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {os.path.realpath(link): str(link) for link in sorted(folder.iterdir())}


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # closed since it was listed
        return ""
