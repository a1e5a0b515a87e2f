"""Which wire and which meters a command line means."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, cast

from plumbline.errors import ConfigError, FaultyFile
from plumbline_edge.commission.trials import ALL_UNITS
from plumbline_edge.config import load_site
from plumbline_edge.meters.profiles.profile import Parity
from plumbline_edge.settings import BusSettings

_PORT: Final = 502
_RANGE: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")


def wire_from_options(device: str | None, host: str | None, *, rtu: bool = False) -> BusSettings:
    """A wire that was named on the command line. Raises ConfigError."""
    if (device is None) == (host is None):
        raise ConfigError(
            "name a serial port or a host, not both", hint="--device /dev/ttyUSB0 or --host 192.168.1.50"
        )
    if device is not None:
        return BusSettings(name="rs485", kind="rtu", device=device)
    name, port = _host_and_port(host or "")
    kind: Literal["tcp", "rtu_over_tcp"] = "rtu_over_tcp" if rtu else "tcp"
    return BusSettings(name="converter" if rtu else "network", kind=kind, host=name, port=port)


def wire_from_site(path: Path, name: str | None) -> BusSettings:
    """A bus of a site file, which may lack its meters still. Raises ConfigError."""
    buses = _buses(path)
    names = ", ".join(bus.name for bus in buses) or "none"
    if name is None and len(buses) == 1:
        return buses[0]
    if name is None:
        raise ConfigError(
            f"{path}: its buses: {names}", hint="Choose one with --bus NAME, or name a --device."
        )
    for bus in buses:
        if bus.name == name:
            return bus
    raise ConfigError(f"{path}: no bus {name!r}", hint=f"Its buses: {names}.")


def _buses(path: Path) -> tuple[BusSettings, ...]:
    try:
        return load_site(path).buses
    except FaultyFile as wrong:
        if {one.key for one in wrong.faults} != {"meters"}:
            raise
    raw = raw_site(path)  # nothing is wrong with it but that it names no meter yet
    return tuple(BusSettings(**one) for one in raw.get("buses", ()))


def raw_site(path: Path) -> dict[str, Any]:
    """A site file's tables as they came. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Copy firmware_configs/sites/minimal.toml there first."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint="Mend the line it names.") from None


def units_of(text: str) -> tuple[int, ...]:
    """Unit numbers like "1-20" or "1,2,7-9", each once. Raises ConfigError."""
    units: dict[int, None] = {}
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= ALL_UNITS[-1]:
            raise ConfigError(
                f"{part!r} are no unit numbers", hint="Write --units 1-20 or 1,2,7-9; they go from 1 to 247."
            )
        units |= dict.fromkeys(range(first, last + 1))
    return tuple(units)


def bauds_of(text: str | None) -> tuple[int, ...] | None:
    """Speeds like "9600,2400". Raises ConfigError."""
    if text is None:
        return None
    parts = text.replace(" ", "").split(",")
    if not all(part.isdecimal() and 300 <= int(part) <= 1_000_000 for part in parts):
        raise ConfigError(f"{text!r} are no speeds", hint="Write --bauds 9600,2400")
    return tuple(dict.fromkeys(map(int, parts)))


def parities_of(text: str | None) -> tuple[Parity, ...] | None:
    """Parities like "N,E". Raises ConfigError."""
    if text is None:
        return None
    parts: Sequence[str] = text.upper().replace(" ", "").split(",")
    if not all(part in ("N", "E", "O") for part in parts):
        raise ConfigError(f"{text!r} are no parities", hint="Write --parity N,E (none, even; O is odd).")
    return cast("tuple[Parity, ...]", tuple(dict.fromkeys(parts)))


def _host_and_port(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT, [IPv6] or [IPv6]:PORT."""
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\s]+)(?::(\d{1,5}))?", text)
    port = int(match[2] or _PORT) if match else 0
    if match is None or not 1 <= port <= 65_535:
        raise ConfigError(f"{text!r} is no host", hint="Write --host 192.168.1.50 or --host 192.168.1.50:502")
    return match[1].strip("[]"), port
