"""`plumbline central`: ask, check, rebuild and archive what the service keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from plumbline.clock import clock_from_environment, from_us, to_us
from plumbline.errors import ConfigError, Refused
from plumbline_central.account import Standing
from plumbline_central.config import load_central
from plumbline_central.gaps import Gap
from plumbline_central.ledger.log import Ledger
from plumbline_central.parts import Parts
from plumbline_central.registry import Registry
from plumbline_central.settings import CentralSettings
from plumbline_central.sole_user import sole_user
from plumbline_central.stores import owner
from plumbline_central.stores.choice import store_of

app = typer.Typer()

_FILE = Path("central.toml")
File = Annotated[Path, typer.Argument(metavar="CENTRAL.toml", help="The settings of the service.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]


@app.command(epilog="Example: plumbline central status central.toml --json")
def status(file: File = _FILE, *, as_json: AsJson = False) -> None:
    """What came, what is kept, what was made of it, and whether it adds up. Exit code 1 where it does not."""
    with _parts(load_central(file)) as parts:
        standing = parts.books.standing()
    if as_json:
        print(json.dumps({"balanced": standing.balanced, **asdict(standing)}))
    else:
        _print_status(standing)
    if not standing.balanced:
        raise typer.Exit(1)


@app.command(epilog="Example: plumbline central gaps central.toml --json")
def gaps(file: File = _FILE, *, as_json: AsJson = False) -> None:
    """Records that central lacks: declared as gone by their gateway, or unexplained and maybe on their way."""
    with _parts(load_central(file)) as parts:
        found = parts.books.gaps(read_on=True)
    if as_json:
        print(json.dumps([{**asdict(gap), "count": gap.count} for gap in found]))
        return
    if not found:
        print("no gaps")
        return
    table = Table("site", "gateway", "epoch", "lane", "first", "last", "why", "from", "until")
    for gap in found:
        last = "?" if gap.last is None else str(gap.last)
        table.add_row(
            gap.site, gap.gateway, gap.epoch, gap.lane, str(gap.first), last, _reason(gap), *_times(gap)
        )
    Console().print(table)
    declared = sum(gap.count for gap in found if gap.declared)
    print(f"{declared} records declared gone, {sum(gap.count for gap in found) - declared} unexplained")


@app.command(epilog="Example: plumbline central verify --data plumbline-data --json")
def verify(
    file: File = _FILE,
    *,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A data folder, instead of a settings file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check signature, chain and completeness of everything kept, and that it still holds what the newest tree head
    says. Exit code 1 where something was changed.
    """
    from plumbline_central.verify import verify as walk  # noqa: PLC0415

    settings = CentralSettings(data_dir=str(data)) if data else load_central(file)
    folder = Path(settings.data_dir)
    registry = Registry.open(_existing(folder / "control.db"))
    try:
        with _ledger(settings) as ledger, _bar(silent=as_json) as bar:
            task = bar.add_task("batches", total=ledger.last_id())
            report = walk(ledger, registry.gateway, _shown(bar, task))
    finally:
        registry.close()
    tree = _against_the_head(settings)
    ok = report.ok and not tree.findings
    if as_json:
        print(json.dumps({"verify": "ok" if ok else "faulty", **asdict(report), "tree": asdict(tree)}))
    else:
        print(
            f"{report.lanes} lanes, {report.batches} batches, {report.records} records, {report.missing} missing,"
            f" {report.declared_missing} declared gone, {report.segments} archive files"
        )
        for fault in (*report.altered_segments, *report.faults, *tree.findings):
            print(f"  {fault}")
        if tree.size is not None:
            print(f"compared with the tree head of {tree.size} batches")
        print("ok" if ok else "FAULTY")
    if not ok:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tree:
    """What the newest tree head says against the ledger; `size` None: no head was made yet."""

    size: int | None = None
    findings: tuple[str, ...] = ()


def _against_the_head(settings: CentralSettings) -> _Tree:
    from plumbline_central.proof import heads  # noqa: PLC0415 - receiving and archiving do without
    from plumbline_central.proof.folder import open_proofs  # noqa: PLC0415

    with open_proofs(Path(settings.data_dir), settings.archive_dir) as proofs:
        newest = proofs.book.newest()
        if newest is None:
            return _Tree()
        try:
            found = heads.check(
                proofs.ledger, proofs.tree, proofs.book, proofs.registry.gateways(), proofs.key.public
            )
        except Refused as why:
            return _Tree(size=newest.size, findings=(str(why),))
    return _Tree(size=newest.size, findings=tuple(map(str, found)))


@app.command(epilog="Example: plumbline central rebuild central.toml")
def rebuild(file: File = _FILE, *, as_json: AsJson = False) -> None:
    """Throw away everything computed from the ledger and compute it anew. Stop the service first."""
    from plumbline_central.project import catch_up  # noqa: PLC0415

    settings = load_central(file)
    folder = Path(settings.data_dir)
    with sole_user(folder):
        parts = Parts.open(
            folder,
            band=settings.alerts.band,
            archive_dir=settings.archive_dir,
            store=store_of(settings.store, clock_from_environment()),
        )
        try:
            parts.ledger.need_archive()
            last = parts.ledger.last_id()
            owner.claim(parts.series_db, settings.store.name)
            with _bar(silent=as_json) as bar:
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


@app.command(epilog="Example: plumbline central archive central.toml --older-than 90")
def archive(
    file: File = _FILE,
    *,
    older_than: Annotated[
        float | None, typer.Option(min=0, metavar="DAYS", help="Instead of archive_after_s of the settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move whole blocks of 4,096 old batches out of ledger.db; the service may be running."""
    settings = load_central(file)
    age = (
        timedelta(seconds=settings.ledger.archive_after_s)
        if older_than is None
        else timedelta(days=older_than)
    )
    if not age and older_than is None:
        raise ConfigError(f"{file}: archive_after_s is 0, which means never", hint="Say --older-than DAYS.")
    before_us = to_us(clock_from_environment().wall() - age)
    moved = []
    with _ledger(settings) as ledger, _bar(silent=as_json) as bar:
        task = bar.add_task("blocks", total=ledger.archivable(before_us))
        while (segment := ledger.archive_next(before_us)) is not None:
            moved.append(segment)
            bar.advance(task)
    if as_json:
        print(json.dumps([asdict(segment) for segment in moved]))
    else:
        print(f"{len(moved)} blocks, {sum(segment.rows for segment in moved)} batches moved to the archive")


def _print_status(standing: Standing) -> None:
    counters = standing.counters
    table = Table("", "received", "stored", "duplicate", "refused")
    for what in ("batches", "records"):
        fates = ("received", "stored", "duplicate", "refused")
        table.add_row(what, *(str(counters[f"{what}_{fate}"]) for fate in fates))
    projections = Table("records, by projection", "applied", "passed over", "behind")
    for name, one in standing.projections.items():
        applied = "not counted; rebuild" if one.applied is None else str(one.applied)
        projections.add_row(name, applied, str(one.passed_over), str(one.behind))
    console = Console()
    console.print(table)
    console.print(projections)
    for equation, holds in standing.equations.items():
        print(f"{'ok ' if holds else 'NOT'} {equation}")
    print(f"missing: {standing.declared_missing} declared gone, {standing.missing} unexplained")
    print(
        f"on disk: ledger {standing.ledger_bytes:,} bytes, {standing.segments} archive files"
        f" {standing.archive_bytes:,} bytes"
    )


def _reason(gap: Gap) -> str:
    if not gap.declared:
        return "unexplained, maybe on its way"
    return f"{gap.why}, summaries stand for them" if gap.summarised else gap.why


def _times(gap: Gap) -> Iterator[str]:
    for at_us in (gap.from_us, gap.until_us):
        yield f"{from_us(at_us):%Y-%m-%d %H:%M:%S}Z" if at_us else ""


@contextmanager
def _bar(*, silent: bool) -> Iterator[Progress]:
    console = Console(stderr=True)
    with Progress(console=console, disable=silent or not console.is_terminal) as bar:
        yield bar


def _shown(bar: Progress, task: Any) -> Callable[[int], None]:
    return lambda done: bar.update(task, completed=done)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ConfigError(f"{path} is not there", hint="Run the service once, or name its data folder.")
    return path


@contextmanager
def _ledger(settings: CentralSettings) -> Iterator[Ledger]:
    ledger = Ledger.open(_existing(Path(settings.data_dir) / "ledger.db"), settings.archive_dir)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def _parts(settings: CentralSettings) -> Iterator[Parts]:
    _existing(Path(settings.data_dir) / "ledger.db")
    parts = Parts.open(
        Path(settings.data_dir),
        archive_dir=settings.archive_dir,
        store=store_of(settings.store, clock_from_environment()),
    )
    try:
        yield parts
    finally:
        parts.close()
