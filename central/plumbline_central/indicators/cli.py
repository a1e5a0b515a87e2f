"""`plumbline central plan|indicator`: plans and milestones in, values in, scores out."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from plumbline.clock import clock_from_environment
from plumbline.errors import ConfigError, Refused
from plumbline_central.alerts.tables import open_control
from plumbline_central.config import load_central
from plumbline_central.indicators.book import Imported, IndicatorBook
from plumbline_central.indicators.cells import DATE_EXPECTED, date_of
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.milestones import read_milestones
from plumbline_central.indicators.score import explain, ranking
from plumbline_central.indicators.templates import PROGRESS, templates
from plumbline_central.indicators.values import Pushed
from plumbline_central.plan import SHANGHAI, PlanCurve, diff
from plumbline_central.registry import Registry
from plumbline_central.scurve import Stretch, linear, logistic, through


class _PlanGroup(TyperGroup):
    """`plan SITE FILE` is `plan import SITE FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["import", *args])


app = typer.Typer()
plan = typer.Typer(cls=_PlanGroup, no_args_is_help=True, help="Plans and milestones: import, compare, draw.")
indicator = typer.Typer(no_args_is_help=True, help="What sites are measured by: library, values, scores.")
app.add_typer(plan, name="plan")
app.add_typer(indicator, name="indicator")

_FILE: Final = Path("central.toml")
Site = Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")]
TableFile = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV (UTF-8 or GBK) or XLSX file.")]
By = Annotated[str, typer.Option(help="Who does it; the name is kept.")]
Which = Annotated[str, typer.Option("--indicator", "-i", help="Which indicator.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be kept.")]
Settings = Annotated[
    Path, typer.Option("--config", "-c", metavar="CENTRAL.toml", help="The settings of the service.")
]


class Scope(StrEnum):
    """What cameras see of the works, or all of them."""

    visible = "visible"
    total = "total"


class Shape(StrEnum):
    """How a plan is drawn."""

    linear = "linear"
    logistic = "logistic"
    milestones = "milestones"


@plan.command("import", epilog="Example: plumbline central plan a12 plan.xlsx --by 'Li Wei'")
def import_(
    site: Site,
    file: TableFile,
    *,
    which: Which = PROGRESS,
    scope: Annotated[Scope | None, typer.Option(help="By default as the indicator is compared.")] = None,
    by: By = "",
    dry_run: DryRun = False,
    config: Settings = _FILE,
) -> None:
    """Import a plan as the new baseline. A running service compares with it from then on."""
    with _book(config, site) as book:
        done = book.import_plan_file(
            book.indicators.get(site, which),
            _content(file),
            file.name,
            by or getpass.getuser(),
            clock_from_environment().wall(),
            scope=scope.value if scope else None,
            dry_run=dry_run,
        )
    _say_imported(site, which, done)


@plan.command(epilog="Example: plumbline central plan versions a12 --indicator funds_paid")
def versions(site: Site, *, which: Which = PROGRESS, config: Settings = _FILE) -> None:
    """Every baseline of an indicator; the last one of each scope is current."""
    with _book(config, site) as book:
        book.indicators.get(site, which)
        found = book.plans.versions(site, which)
    _show(
        ("version", "scope", "points", "from", "to", "last", "imported", "by", "source"),
        [
            (
                one.version,
                one.scope,
                len(one.curve.points),
                _day(one.curve.start),
                _day(one.curve.end),
                f"{one.curve.points[-1][1]:g}",
                _day(one.imported_at),
                one.imported_by,
                one.source,
            )
            for one in found
        ],
    )


@plan.command("diff", epilog="Example: plumbline central plan diff a12 1 2")
def diff_(site: Site, before: int, after: int, *, which: Which = PROGRESS, config: Settings = _FILE) -> None:
    """What one version of a plan changed against another."""
    with _book(config, site) as book:
        pair = [book.plans.version(site, which, number) for number in (before, after)]
    first, second = pair
    if first is None or second is None:
        raise Refused(
            f"{which} of {site} has no such version", hint=f"plumbline central plan versions {site}"
        )
    found = diff(first.curve, second.curve)
    days = timedelta(days=1)
    print(f"begins {found.start_moved / days:+g} days, ends {found.end_moved / days:+g} days")
    print(f"furthest apart: {found.furthest:+g} on {_day(found.furthest_at)}")
    _show(
        ("date", f"version {before}", f"version {after}"),
        [(_day(one.at), _or_dash(one.before), _or_dash(one.after)) for one in found.changes],
    )


@plan.command(epilog="Example: plumbline central plan generate plan.csv --start 2026-03-01 --end 2026-09-01")
def generate(
    out: Annotated[
        Path, typer.Argument(metavar="OUT.csv", help="Where to write it; a file that is there stays.")
    ],
    *,
    start: Annotated[str, typer.Option(help="The first date, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option(help="The last date; milestones bring their own.")] = "",
    shape: Annotated[Shape, typer.Option(help="Straight, S-shaped, or through milestones.")] = Shape.logistic,
    total: Annotated[float, typer.Option(help="What is due in the end.")] = 100.0,
    every: Annotated[int, typer.Option(min=1, metavar="DAYS", help="Days between points.")] = 7,
    steepness: Annotated[float, typer.Option(help="Of the S: 4 is flat, 12 is steep.")] = 8.0,
    milestones: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Their table, with weights.")
    ] = None,
) -> None:
    """Draw a plan to start from, as a CSV to look through, change, and import."""
    curve = _drawn(shape, _date(start), end, total, every, steepness, milestones)
    rows = "".join(f"{at.astimezone(SHANGHAI):%Y-%m-%d},{value:.3f}\n" for at, value in curve.points)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(f"date,percent\n{rows}")
    except OSError as error:
        raise ConfigError(
            f"{out}: {error.strerror}", hint="Name a new file in a folder you may write to."
        ) from None
    print(f"{out}: {len(curve.points)} points, {_day(curve.start)} to {_day(curve.end)}")


@plan.command(epilog="Example: plumbline central plan milestones a12 milestones.csv")
def milestones(
    site: Site,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A CSV or XLSX file; without it they are shown.")
    ] = None,
    *,
    done: Annotated[str, typer.Option(metavar="ID", help="Say that this one is done.")] = "",
    on: Annotated[str, typer.Option(metavar="DATE", help="When it was done; by default now.")] = "",
    by: By = "",
    config: Settings = _FILE,
) -> None:
    """Import the milestones of a site, say that one is done, or show them."""
    now, who = clock_from_environment().wall(), by or getpass.getuser()
    with _book(config, site) as book:
        if file is not None:
            book.milestones.put(site, read_milestones(_content(file), file.name), file.name, who, now)
        if done:
            book.milestones.mark(site, done, _date(on) if on else now, who, now)
        current = book.milestones.current(site)
    if current is None:
        print(f"{site} has no milestones yet")
        return
    print(f"milestones of {site}: version {current.version}")
    _show(
        ("id", "name", "due", "done", "owner", ""),
        [
            (
                one.id,
                one.name_zh,
                _day(one.due - timedelta(microseconds=1)),
                _day(one.done) if one.done else "",
                one.owner,
                "overdue" if one.is_overdue(now) else "",
            )
            for one in current.milestones
        ],
    )


@indicator.command("templates", epilog="Example: plumbline central indicator templates")
def templates_() -> None:
    """The library: what an indicator can start from."""
    _show(
        ("template", "", "", "unit", "weight", "source", "better"),
        [
            (one.id, one.name_zh, one.name_en, one.unit, f"{one.weight:g}", one.source.kind, one.direction)
            for one in templates().values()
        ],
    )


@indicator.command("add", epilog="Example: plumbline central indicator add a12 funds_paid --owner 'Li Wei'")
def add(
    site: Site,
    template: Annotated[str, typer.Argument(help="One of the library.")],
    *,
    id_: Annotated[str, typer.Option("--id", help="Its name at this site; by default the template's.")] = "",
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    weight: Annotated[float | None, typer.Option(help="Its weight in the score.")] = None,
    unit: Annotated[str, typer.Option(help="Another unit than the template's.")] = "",
    device: Annotated[list[str] | None, typer.Option(help="A meter; again for each. By default all.")] = None,
    budget: Annotated[float | None, typer.Option(help="What 100 % of it cost.")] = None,
    by: By = "",
    config: Settings = _FILE,
) -> None:
    """Measure a site by one more indicator, or change it."""
    if template not in templates():
        raise Refused(f"there is no template {template!r}", hint=f"Known: {', '.join(templates())}.")
    made = from_template(templates()[template], site, id_=id_, owner=owner)
    made = replace(
        made,
        weight=made.weight if weight is None else weight,
        unit=unit or made.unit,
        budget=budget,
        source=replace(made.source, devices=tuple(device or ())),
    )
    with _book(config, site) as book:
        book.indicators.put(made, by or getpass.getuser(), clock_from_environment().wall())
    print(f"{made.id} of {site}: {made.name_zh} / {made.name_en}, weight {made.weight:g}, {made.source.kind}")


@indicator.command("list", epilog="Example: plumbline central indicator list a12")
def list_(site: Site, *, config: Settings = _FILE) -> None:
    """What a site is measured by."""
    with _book(config, site) as book:
        found = book.indicators.of(site)
    _show(
        ("id", "", "", "unit", "weight", "source", "owner"),
        [
            (one.id, one.name_zh, one.name_en, one.unit, f"{one.weight:g}", one.source.kind, one.owner)
            for one in found
        ],
    )


@indicator.command(epilog="Example: plumbline central indicator retire a12 funds_paid")
def retire(
    site: Site, id_: Annotated[str, typer.Argument(metavar="ID")], *, by: By = "", config: Settings = _FILE
) -> None:
    """Neither judge nor score it any more; values and plans are kept."""
    with _book(config, site) as book:
        book.indicators.retire(site, id_, by or getpass.getuser(), clock_from_environment().wall())
    print(f"{id_} of {site} is retired")


@indicator.command(epilog="Example: plumbline central indicator push a12 funds_paid 30 --at 2026-03-31")
def push(
    site: Site,
    id_: Annotated[str, typer.Argument(metavar="ID")],
    value: float,
    *,
    at: Annotated[str, typer.Option(metavar="DATE", help="Of when it is; by default now.")] = "",
    note: Annotated[str, typer.Option(help="A remark.")] = "",
    by: By = "",
    config: Settings = _FILE,
) -> None:
    """Hand in one value. The same time again is a correction; both are kept."""
    now = clock_from_environment().wall()
    one = Pushed(indicator=id_, at=_date(at) if at else now, value=value, note=note)
    with _book(config, site) as book:
        new = book.values.push(site, [one], by or getpass.getuser(), now)
    print("kept" if new else "known already")


@indicator.command("import", epilog="Example: plumbline central indicator import a12 values.csv")
def import_values(
    site: Site,
    file: TableFile,
    *,
    which: Annotated[
        str, typer.Option("--indicator", "-i", help="Of all rows, where no column says it.")
    ] = "",
    by: By = "",
    dry_run: DryRun = False,
    config: Settings = _FILE,
) -> None:
    """Hand in all values of a file, or none."""
    with _book(config, site) as book:
        kept = book.import_values_file(
            site,
            _content(file),
            file.name,
            by or getpass.getuser(),
            clock_from_environment().wall(),
            indicator=which,
            dry_run=dry_run,
        )
    print(f"{kept} values {'would be kept' if dry_run else 'kept'}")


@indicator.command(epilog="Example: plumbline central indicator score a12")
def score(site: Site, *, config: Settings = _FILE) -> None:
    """How a site keeps its plans, as a sum that can be done by hand."""
    with _book(config, site) as book:
        print("\n".join(explain(book.score(site, clock_from_environment().wall()))))


@indicator.command("ranking", epilog="Example: plumbline central indicator ranking")
def ranking_(*, config: Settings = _FILE) -> None:
    """All sites, the best first."""
    with _book(config) as book, _registry(config) as registry:
        scores = book.scores([one.id for one in registry.sites()], clock_from_environment().wall())
    _show(
        ("place", "site", "score", "rests on"),
        [
            (
                one.place or "",
                one.score.site,
                _or_dash(one.score.score, ".2f"),
                f"{one.score.rests_on:.0%} of the weights",
            )
            for one in ranking(scores)
        ],
    )


def _drawn(
    shape: Shape,
    start: datetime,
    end: str,
    total: float,
    every: int,
    steepness: float,
    table: Path | None,
) -> PlanCurve:
    if shape is Shape.milestones:
        if table is None:
            raise ConfigError("no milestones", hint="Name their table: --milestones milestones.csv")
        due = [(one.due, one.weight) for one in read_milestones(_content(table), table.name)]
        return through(start, due, total=total)
    if not end:
        raise ConfigError("no end", hint="Name the last date: --end 2026-09-01")
    stretch = Stretch(
        start=start,
        end=_date(end),
        total=total,
        step=timedelta(days=every),
        kind="percent" if total <= 100 else "quantity",
    )
    return linear(stretch) if shape is Shape.linear else logistic(stretch, steepness=steepness)


def _say_imported(site: str, which: str, done: Imported) -> None:
    curve = done.draft.curve
    version = "nothing kept, this was a try" if done.version is None else f"version {done.version}"
    of = site if which == PROGRESS else f"{which} of {site}"
    print(
        f"plan of {of}: {version}, {len(curve.points)} points, {curve.start.astimezone(SHANGHAI):%Y-%m-%d} to"
        f" {curve.end.astimezone(SHANGHAI):%Y-%m-%d}"
    )
    for remark in done.draft.remarks:
        print(f"  note: {remark}")


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name a CSV or XLSX file.") from None


def _date(text: str) -> datetime:
    at = date_of(text, SHANGHAI)
    if at is None:
        raise ConfigError(f"{text!r} is no date", hint=f"Expected {DATE_EXPECTED}.")
    return at


def _day(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d}"


def _or_dash(value: float | None, spec: str = "g") -> str:
    return "–" if value is None else format(value, spec)


def _show(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(str, row))
    Console(highlight=False, markup=False).print(table)


@contextmanager
def _book(config: Path, site: str = "") -> Iterator[IndicatorBook]:
    """The book of the service's data folder, for a site that is there."""
    with _registry(config) as registry:
        if site and registry.site(site) is None:
            raise ConfigError(
                f"there is no site {site!r}", hint=f"plumbline central site {site} --config {config}"
            )
        control = open_control(Path(load_central(config).data_dir) / "control.db")
        try:
            yield IndicatorBook.on(control)
        finally:
            control.close()


@contextmanager
def _registry(config: Path) -> Iterator[Registry]:
    folder = Path(load_central(config).data_dir)
    try:
        folder.mkdir(exist_ok=True, mode=0o750)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}", hint="Check data_dir.") from None
    registry = Registry.open(folder / "control.db")
    try:
        yield registry
    finally:
        registry.close()
