"""`plumbline edge`: check a site file, run the gateway."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from plumbline.signing import DeviceKey, OutOfReach
from plumbline_edge.camera.sources.place import kind_of, place_of
from plumbline_edge.commission.checks.storage import days_offline
from plumbline_edge.config import load_site
from plumbline_edge.settings import BusSettings, SiteSettings

app = typer.Typer()

Site = Annotated[Path, typer.Argument(metavar="SITE.toml", help="The site file of this gateway.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]


@app.command(epilog="Example: plumbline edge check firmware_configs/sites/example.toml")
def check(site: Site, *, as_json: AsJson = False) -> None:
    """Read a site file and say everything that is wrong with it, or what it will do.

    Makes the device key where there is none yet; where it may not (on another machine, in CI) it says so and goes on.
    """
    settings = load_site(site)
    try:
        key, keyless = _key(settings).public, ""
    except OutOfReach as why:
        key, keyless = None, str(why)
    if as_json:
        print(json.dumps({"site": settings.site, "gateway": settings.gateway, "public_key": key}))
        return
    print(f"{site}: gateway {settings.gateway} of site {settings.site}, no mistakes found")
    for bus in settings.buses:
        print(f"  bus    {bus.name}: {_wire(bus)}")
    for meter in settings.meters:
        where = f"on {meter.bus}" if meter.bus else f"at {meter.host}:{meter.port}"
        number = f"address {meter.address}" if meter.address else f"unit {meter.unit}"
        print(f"  meter  {meter.name}: {meter.profile} {where}, {number}, every {meter.every_s:g} s")
    for camera in settings.cameras:
        times = ", ".join(camera.at)
        facades = "; ".join(
            f"{f.name}{' ' if f.name else ''}{f.floors} floors x {f.bays} bays" for f in camera.all_facades()
        )
        print(
            f"  camera {camera.name}: {kind_of(camera)} {place_of(camera)}, {facades}, photos at {times}"
        )
    print(
        f"  outbox {settings.outbox.max_mb:g} MB: about {days_offline(settings):.0f} days without a network"
        " before readings are thinned"
    )
    enrol = f"plumbline central enroll {settings.gateway} --site {settings.site} --key"
    if key is None:
        print(f"  no key {keyless}")
        print(
            f"  enrol it once: {enrol} and what this command prints on the gateway, as the user who runs it"
        )
    else:
        print(f"  enrol it once: {enrol} {key}")


@app.command(epilog="Example: plumbline edge run /etc/plumbline/site.toml")
def run(site: Site) -> None:
    """Read meters and cameras, keep every record, send it to central. Ends cleanly on SIGTERM.

    The file is checked here; then a lean process takes this one's place, which never loads the checker.
    """
    settings = load_site(site)
    _key(settings)
    descriptor = os.memfd_create("plumbline-settings", 0)
    os.write(descriptor, msgspec.json.encode(settings))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    os.execv(sys.executable, [sys.executable, "-m", "plumbline_edge.app", str(descriptor)])  # noqa: S606


def _wire(bus: BusSettings) -> str:
    if bus.kind == "rtu":
        return f"{bus.device}, {bus.baud} baud 8{bus.parity}{bus.stop_bits}"
    return f"{bus.host}:{bus.port}" + (", RTU frames" if bus.kind == "rtu_over_tcp" else "")


def _key(settings: SiteSettings) -> DeviceKey:
    return DeviceKey.load_or_create(Path(settings.state_dir) / "device.key")
