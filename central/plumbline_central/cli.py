"""`plumbline central`: set the service up, run it, ask and check what it keeps."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from plumbline.clock import clock_from_environment
from plumbline.errors import ConfigError
from plumbline_central.config import load_central
from plumbline_central.ledger import Ledger
from plumbline_central.registry import Registry

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

# [[webhooks]]
# name = "site-office"
# url = "https://example.org/plumbline"
# secret_file = "webhook.secret"
"""


@app.command(epilog="Example: plumbline central init central.toml")
def init(file: File = _FILE) -> None:
    """Write a settings file to start from, and make its data folder."""
    if file.exists():
        raise ConfigError(f"{file} is already there", hint="Edit it, or name another file.")
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


@app.command(epilog="Example: plumbline central plan a12 plan.csv --by 'Li Wei'")
def plan(
    id_: Annotated[str, typer.Argument(metavar="SITE", help="The site that the plan is for.")],
    csv: Annotated[Path, typer.Argument(metavar="PLAN.csv", help="Rows `date,percent`, cumulative.")],
    *,
    by: Annotated[str, typer.Option(help="Who imports it; the name is kept with the plan.")] = "",
    file: FileOption = _FILE,
) -> None:
    """Import a plan as the site's new baseline. A running service compares with it from then on."""
    from plumbline_central.alerts.tables import open_control  # noqa: PLC0415
    from plumbline_central.plan import parse_plan_csv, remarks  # noqa: PLC0415
    from plumbline_central.plan_store import PROGRESS, PlanStore  # noqa: PLC0415

    with _registry(file) as registry:
        if registry.site(id_) is None:
            raise ConfigError(
                f"there is no site {id_!r}", hint=f"plumbline central site {id_} --config {file}"
            )
    try:
        text = csv.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{csv}: {error}", hint="Name a CSV file in UTF-8.") from None
    curve = parse_plan_csv(text, file=str(csv))
    control = open_control(_data_dir(file) / "control.db")
    try:
        version = PlanStore(control).import_plan(
            id_, PROGRESS, curve, csv.name, by or getpass.getuser(), clock_from_environment().wall()
        )
    finally:
        control.close()
    print(
        f"plan of {id_}: version {version}, {len(curve.points)} points, {curve.start:%Y-%m-%d} to {curve.end:%Y-%m-%d}"
    )
    for remark in remarks(curve):
        print(f"  note: {remark}")


@app.command(epilog="Example: plumbline central gaps central.toml --json")
def gaps(file: File = _FILE, *, as_json: AsJson = False) -> None:
    """Records that never came although later ones did; each is still with its gateway, or lost there."""
    with _ledger(_data_dir(file)) as ledger:
        found = ledger.gaps()
    if as_json:
        print(json.dumps([asdict(gap) for gap in found]))
        return
    if not found:
        print("no gaps")
        return
    table = Table("site", "gateway", "epoch", "lane", "first", "last")
    for gap in found:
        table.add_row(gap.site, gap.gateway, gap.epoch, gap.lane, str(gap.first), str(gap.last))
    Console().print(table)


@app.command(epilog="Example: plumbline central verify --data plumbline-data --json")
def verify(
    file: File = _FILE,
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A data folder, instead of a settings file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check signature, chain and completeness of everything kept. Exit code 1 where something was changed."""
    from plumbline_central.verify import verify as walk  # noqa: PLC0415

    folder = data or _data_dir(file)
    registry = Registry.open(_existing(folder / "control.db"))
    try:
        with _ledger(folder) as ledger:
            report = walk(ledger, registry.gateway)
    finally:
        registry.close()
    if as_json:
        print(json.dumps({"verify": "ok" if report.ok else "faulty", **asdict(report)}))
    else:
        print(
            f"{report.lanes} lanes, {report.batches} batches, {report.records} records, {report.missing} missing"
        )
        for fault in report.faults:
            print(f"  {fault}")
        print("ok" if report.ok else "FAULTY")
    if not report.ok:
        raise typer.Exit(1)


@app.command(epilog="Example: plumbline central rebuild central.toml")
def rebuild(file: File = _FILE, *, as_json: AsJson = False) -> None:
    """Throw away everything computed from the ledger and compute it anew. Stop the service first."""
    from plumbline_central import app as service  # noqa: PLC0415
    from plumbline_central.project import catch_up  # noqa: PLC0415

    folder = _data_dir(file)
    with service.sole_user(folder):
        parts = service.Parts.open(folder, band=load_central(file).alerts.band)
        try:
            last = parts.ledger.last_id()
            console = Console(stderr=True)
            with Progress(console=console, disable=as_json or not console.is_terminal) as bar:
                for projection in parts.projections:
                    task = bar.add_task(projection.name, total=last)
                    projection.reset()
                    catch_up(parts.ledger, projection, 0, _shown(bar, task))
            result: dict[str, Any] = {
                "rows": last,
                "readings": parts.telemetry.count(),
                "photos": parts.photos.count(),
            }
        finally:
            parts.close()
    print(json.dumps(result) if as_json else f"rebuilt from {last} batches: {result['readings']} readings")


def _shown(bar: Progress, task: Any) -> Callable[[int], None]:
    return lambda ledger_id: bar.update(task, completed=ledger_id)


def _data_dir(file: Path) -> Path:
    return Path(load_central(file).data_dir)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"{path} is not there", hint="Run the service once, or name its data folder.")
    return path


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


@contextmanager
def _ledger(folder: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(_existing(folder / "ledger.db"))
    try:
        yield ledger
    finally:
        ledger.close()
