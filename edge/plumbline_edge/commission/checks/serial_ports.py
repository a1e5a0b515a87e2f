"""Whether the serial ports of the site file exist, may be opened, and are free."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning
from plumbline_edge.commission.ports import Adapter, adapters, by_id_of, group_of, holders, how_to_free
from plumbline_edge.settings import SiteSettings


def check(
    settings: SiteSettings,
    *,
    found: Sequence[Adapter] | None = None,
    who_holds: Callable[[str], Sequence[str]] = holders,
) -> list[Finding]:
    """Each serial bus; nothing where there is none."""
    buses = [bus for bus in settings.buses if bus.kind == "rtu"]
    if not buses:
        return []
    there = adapters() if found is None else found
    devices: dict[str, str] = {}
    findings = []
    for bus in buses:
        device = bus.device or ""
        real = os.path.realpath(device)
        if real in devices:
            said = f"{device} is also the port of bus {devices[real]}"
            findings.append(fault(_what(bus.name), said, "Put its meters on one bus: they need one speed."))
        devices.setdefault(real, bus.name)
        findings += _port(bus.name, device, there, who_holds)
    return findings


def _port(
    name: str, device: str, there: Sequence[Adapter], who_holds: Callable[[str], Sequence[str]]
) -> Iterator[Finding]:
    if not Path(device).exists():
        names = ", ".join(map(str, there)) or "no serial port at all"
        yield fault(
            _what(name), f"{device} is not there, but {names}", "Plug the adapter in, or mend `device`."
        )
        return
    if not os.access(device, os.R_OK | os.W_OK):
        hint = f"sudo usermod -aG {group_of(device)} {_user()}, then log in again."
        yield fault(_what(name), f"{device} may not be opened by {_user()}", hint)
        return
    if who := who_holds(device):
        yield warning(_what(name), f"{device} is held by {', '.join(who)}", how_to_free(device, who))
    elif lasting := by_id_of(device, there):
        said = f"{device} is free; it may get another number when it is plugged in anew"
        yield warning(_what(name), said, f'Write device = "{lasting}" instead.')
    else:
        yield ok(_what(name), f"{device} is free")


def _what(bus: str) -> str:
    return f"port of bus {bus}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "this user"
