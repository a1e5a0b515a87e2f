"""`plumbline central`: set the service up and run it; `plumbline_central.ledger.cli` asks and checks what it keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from plumbline.clock import clock_from_environment
from plumbline.errors import ConfigError
from plumbline_central.config import load_central
from plumbline_central.registry import Registry
from plumbline_central.settings import CentralSettings

app = typer.Typer()

_FILE = Path("central.toml")
File = Annotated[Path, typer.Argument(metavar="CENTRAL.toml", help="The settings of the service.")]
FileOption = Annotated[
    Path, typer.Option("--config", "-c", metavar="CENTRAL.toml", help="The settings of the service.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]

_EXAMPLE = """\
# Settings of the central service. Relative paths are taken from this file's folder.
data_dir = "{data_dir}"
language = "zh"            # "en" for those whose browser names neither

[broker]
host = "127.0.0.1"         # another machine needs ca_file: nothing travels in the clear
port = 1883
version = "5"              # "3.1.1" for brokers that do not speak MQTT 5
# username = "central"
# password_file = "broker.password"
# ca_file = "ca.pem"

[http]
host = "127.0.0.1"         # to be reached from other machines: tls_cert_file and tls_key_file
port = 8080
# names = ["plumbline.example.org"]

[alerts]
evaluate_every_s = 60      # the plan moves while no photo comes
raise_over_pp = 5.0        # percentage points from the plan, strictly more, in hold_observations photos
clear_below_pp = 4.0
hold_observations = 2
fresh_for_s = 129600       # how long the last usable photo speaks for its site

[ledger]
archive_after_s = 15552000 # 180 days; older batches move to archive files, 0 keeps all in one
# archive_dir = "/mnt/archive/plumbline"

# [store]                  # readings as time series for your own tools: docs/influxdb.md; then run init again
# kind = "influx1"         # "influx2" for 2.x, with org, bucket and token_file
# url = "http://127.0.0.1:8086"
# database = "plumbline"
# retention_days = 3650    # 0: for ever
# downsample = [{{ after_days = 90, step_s = 900 }}]

# [[webhooks]]
# name = "site-office"
# url = "https://example.org/plumbline"
# secret_file = "webhook.secret"
"""


@app.command(epilog="Example: plumbline central init central.toml")
def init(file: File = _FILE) -> None:
    """Write a settings file to start from, and make its data folder; where the file names an InfluxDB, set that up.

    As often as you like: it says what was there, what it made and what must be done by hand.
    """
    if file.exists():
        settings = load_central(file)
        if settings.store.kind == "sqlite":
            raise ConfigError(
                f"{file} is already there, and SQLite needs no setting up",
                hint="Edit it, or name another file.",
            )
        _prepare(settings)
        return
    data_dir = file.parent / "plumbline-data"
    try:
        data_dir.mkdir(exist_ok=True, mode=0o750)
        file.write_text(_EXAMPLE.format(data_dir=data_dir.name), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}", hint="Name a file in a folder you may write to."
        ) from None
    load_central(file)
    print(f"{file} written, data goes to {data_dir}")
    print(f"next: plumbline central site ID --zh NAME --config {file}; then plumbline central run {file}")


def _prepare(settings: CentralSettings) -> None:
    """Set up the server of the settings, saying what was done."""
    from plumbline_central.stores.faults import StandingFaults  # noqa: PLC0415
    from plumbline_central.stores.influx.builder import Influx  # noqa: PLC0415

    folder = Path(settings.data_dir)
    folder.mkdir(exist_ok=True, mode=0o750)
    influx = Influx.open(settings.store, folder / "series.db", StandingFaults(), clock_from_environment())
    try:
        for done in influx.prepare():
            print(done)
    finally:
        influx.close()


@app.command(epilog="Example: plumbline central run central.toml")
def run(file: File = _FILE) -> None:
    """Receive, keep, judge and show. Ends cleanly on SIGTERM; a broker that is away is waited for."""
    settings = load_central(file)
    from plumbline_central import app as service  # noqa: PLC0415 - the web server costs half a second

    asyncio.run(service.run(settings, clock_from_environment()))


@app.command(epilog="Example: plumbline central site a12 --zh 甲十二号楼 --en 'Building A12'")
def site(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="A lower-case name, as the gateways' files have it.")
    ],
    *,
    zh: Annotated[str, typer.Option(help="What people call it in Chinese.")] = "",
    en: Annotated[str, typer.Option(help="What people call it in English.")] = "",
    file: FileOption = _FILE,
) -> None:
    """Add a site, or rename one."""
    with _registry(file) as registry:
        added = registry.add_site(id_, name_zh=zh, name_en=en)
    print(f"site {added.id}: {added.name_zh} / {added.name_en}")


@app.command(epilog="Example: plumbline central enroll gw-1 --site a12 --key 64-HEX-DIGITS")
def enroll(
    gateway: Annotated[str, typer.Argument(help="The gateway's name, as its own file has it.")],
    *,
    at: Annotated[str, typer.Option("--site", help="The site it may speak for.")],
    key: Annotated[str, typer.Option(help="Its public key, as `plumbline edge check` prints it.")],
    file: FileOption = _FILE,
) -> None:
    """Let a gateway speak for a site. A running service takes it from its next message."""
    with _registry(file) as registry:
        enrolled = registry.enroll(gateway, at, key)
    print(f"gateway {enrolled.id} speaks for site {enrolled.site}")


def _data_dir(file: Path) -> Path:
    return Path(load_central(file).data_dir)


@contextmanager
def _registry(file: Path) -> Iterator[Registry]:
    folder = _data_dir(file)
    try:
        folder.mkdir(exist_ok=True, mode=0o750)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", hint="Check data_dir.") from None
    registry = Registry.open(folder / "control.db")
    try:
        yield registry
    finally:
        registry.close()
