"""`plumbline edge`: check a site file, run the gateway, look at what it keeps."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from plumbline import codec
from plumbline.clock import from_us
from plumbline.errors import ConfigError
from plumbline.messages import Body, Frame
from plumbline.metrics import BY_CODE, Flaw
from plumbline.signing import DeviceKey
from plumbline_edge.config import load_site
from plumbline_edge.outbox import lane_states
from plumbline_edge.settings import SiteSettings

app = typer.Typer()

Site = Annotated[Path, typer.Argument(metavar="SITE.toml", help="The site file of this gateway.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]


@app.command(epilog="Example: plumbline edge check firmware_configs/sites/example.toml")
def check(site: Site, *, as_json: AsJson = False) -> None:
    """Read a site file and say everything that is wrong with it, or what it will do."""
    settings = load_site(site)
    key = _key(settings)
    if as_json:
        print(json.dumps({"site": settings.site, "gateway": settings.gateway, "public_key": key.public}))
        return
    print(f"{site}: gateway {settings.gateway} of site {settings.site}, no mistakes found")
    for meter in settings.meters:
        print(
            f"  meter  {meter.name}: {meter.profile} at {meter.host}:{meter.port} every {meter.every_s:g} s"
        )
    for camera in settings.cameras:
        times = ", ".join(camera.at)
        print(f"  camera {camera.name}: {camera.floors} floors x {camera.bays} bays, photos at {times}")
    print(
        f"  enrol it once: plumbline central enroll {settings.gateway} --site {settings.site} --key {key.public}"
    )


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


@app.command(epilog="Example: plumbline edge status /etc/plumbline/site.toml --json")
def status(site: Site, *, as_json: AsJson = False) -> None:
    """How much is kept here, and how much of it central has not acknowledged yet."""
    with _outbox(load_site(site)) as db:
        gateway, epoch = db.execute("SELECT gateway, epoch FROM identity").fetchone()
        lanes = [msgspec.to_builtins(state) | {"waiting": state.waiting} for state in lane_states(db)]
    if as_json:
        print(json.dumps({"gateway": gateway, "epoch": epoch, "lanes": lanes}))
        return
    table = Table(
        "lane", "written", "acknowledged", "waiting", "parked", "kept", title=f"{gateway} · epoch {epoch}"
    )
    for lane in lanes:
        table.add_row(
            *(str(lane[key]) for key in ("lane", "last", "acknowledged", "waiting", "parked", "kept"))
        )
    Console().print(table)
    print("Acknowledgements are written with the next reading; `waiting` may lag by one.")


@app.command(epilog="Example: plumbline edge tail /etc/plumbline/site.toml -n 5")
def tail(
    site: Site,
    *,
    count: Annotated[int, typer.Option("-n", help="How many records.", min=1)] = 10,
    as_json: AsJson = False,
) -> None:
    """The newest records of this gateway, oldest first."""
    settings = load_site(site)
    with _outbox(settings) as db:
        rows = db.execute(
            "SELECT lane, seq, at_us, body FROM record ORDER BY at_us DESC LIMIT ?", (count,)
        ).fetchall()
    for lane, seq, at_us, raw in reversed(rows):
        said = _readable(codec.decode_body(raw))
        at = from_us(at_us)
        if as_json:
            print(json.dumps({"lane": lane, "seq": seq, "at": at.isoformat(), **said}))
        else:
            print(_line(lane, seq, at, said))


def _key(settings: SiteSettings) -> DeviceKey:
    return DeviceKey.load_or_create(Path(settings.state_dir) / "device.key")


def _outbox(settings: SiteSettings) -> sqlite3.Connection:
    path = Path(settings.state_dir) / "outbox.db"
    if not path.exists():
        raise ConfigError(f"{path} is not there yet", hint="Start the gateway once: plumbline edge run")
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _readable(body: Body) -> dict[str, Any]:
    if not isinstance(body, Frame):
        said: dict[str, Any] = msgspec.to_builtins(body, builtin_types=(bytes,))
        return {
            key: f"{len(value)} bytes" if isinstance(value, bytes) else value for key, value in said.items()
        }
    flaws = {at: Flaw(code).name.lower() for at, code in body.flaws}
    values = {
        BY_CODE[code].name: flaws.get(i) if value is None else BY_CODE[code].from_wire(value)
        for i, (code, value) in enumerate(zip(body.metrics, body.values, strict=True))
    }
    return {"kind": "frame", "device": body.device, "values": values}


def _line(lane: str, seq: int, at: datetime, said: dict[str, Any]) -> str:
    shown = " ".join(
        f"{key}={value}" for key, value in said.items() if key not in ("kind", "values", "zones")
    )
    values = " ".join(f"{name}={value}" for name, value in said.get("values", {}).items())
    return f"{at:%Y-%m-%d %H:%M:%S} {lane}/{seq} {said['kind']} {shown} {values}".rstrip()
