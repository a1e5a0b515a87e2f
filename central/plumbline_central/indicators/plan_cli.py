"""`plumbline central plan`: plans and milestones in, drawn, compared."""

from __future__ import annotations

import getpass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from plumbline.clock import clock_from_environment
from plumbline.errors import ConfigError, Refused
from plumbline_central.indicators.book import Imported
from plumbline_central.indicators.milestones import read_milestones
from plumbline_central.indicators.templates import PROGRESS
from plumbline_central.indicators.terminal import (
    FILE,
    By,
    DryRun,
    Settings,
    Site,
    TableFile,
    content_of,
    date_in,
    day,
    open_book,
    or_dash,
    show,
)
from plumbline_central.plan import SHANGHAI, PlanCurve, diff
from plumbline_central.scurve import Stretch, linear, logistic, through


class _PlanGroup(TyperGroup):
    """`plan SITE FILE` is `plan import SITE FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["import", *args])


app = typer.Typer()
plan = typer.Typer(cls=_PlanGroup, no_args_is_help=True, help="Plans and milestones: import, compare, draw.")
app.add_typer(plan, name="plan")

Which = Annotated[str, typer.Option("--indicator", "-i", help="Which indicator.")]


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
    config: Settings = FILE,
) -> None:
    """Import a plan as the new baseline. A running service compares with it from then on."""
    with open_book(config, site) as book:
        done = book.import_plan_file(
            book.indicators.get(site, which),
            content_of(file),
            file.name,
            by or getpass.getuser(),
            clock_from_environment().wall(),
            scope=scope.value if scope else None,
            dry_run=dry_run,
        )
    _say_imported(site, which, done)


@plan.command(epilog="Example: plumbline central plan versions a12 --indicator funds_paid")
def versions(site: Site, *, which: Which = PROGRESS, config: Settings = FILE) -> None:
    """Every baseline of an indicator; the last one of each scope is current."""
    with open_book(config, site) as book:
        book.indicators.get(site, which)
        found = book.plans.versions(site, which)
    show(
        ("version", "scope", "points", "from", "to", "last", "imported", "by", "source"),
        [
            (
                one.version,
                one.scope,
                len(one.curve.points),
                day(one.curve.start),
                day(one.curve.end),
                f"{one.curve.points[-1][1]:g}",
                day(one.imported_at),
                one.imported_by,
                one.source,
            )
            for one in found
        ],
    )


@plan.command("diff", epilog="Example: plumbline central plan diff a12 1 2")
def diff_(site: Site, before: int, after: int, *, which: Which = PROGRESS, config: Settings = FILE) -> None:
    """What one version of a plan changed against another."""
    with open_book(config, site) as book:
        pair = [book.plans.version(site, which, number) for number in (before, after)]
    first, second = pair
    if first is None or second is None:
        raise Refused(
            f"{which} of {site} has no such version", hint=f"plumbline central plan versions {site}"
        )
    found = diff(first.curve, second.curve)
    days = timedelta(days=1)
    print(f"begins {found.start_moved / days:+g} days, ends {found.end_moved / days:+g} days")
    print(f"furthest apart: {found.furthest:+g} on {day(found.furthest_at)}")
    show(
        ("date", f"version {before}", f"version {after}"),
        [(day(one.at), or_dash(one.before), or_dash(one.after)) for one in found.changes],
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
    curve = _drawn(shape, date_in(start), end, total, every, steepness, milestones)
    rows = "".join(f"{at.astimezone(SHANGHAI):%Y-%m-%d},{value:.3f}\n" for at, value in curve.points)
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(f"date,percent\n{rows}")
    except OSError as error:
        raise ConfigError(
            f"{out}: {error.strerror}", hint="Name a new file in a folder you may write to."
        ) from None
    print(f"{out}: {len(curve.points)} points, {day(curve.start)} to {day(curve.end)}")


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
    config: Settings = FILE,
) -> None:
    """Import the milestones of a site, say that one is done, or show them."""
    now, who = clock_from_environment().wall(), by or getpass.getuser()
    with open_book(config, site) as book:
        if file is not None:
            book.milestones.put(site, read_milestones(content_of(file), file.name), file.name, who, now)
        if done:
            book.milestones.mark(site, done, date_in(on) if on else now, who, now)
        current = book.milestones.current(site)
    if current is None:
        print(f"{site} has no milestones yet")
        return
    print(f"milestones of {site}: version {current.version}")
    show(
        ("id", "name", "due", "done", "owner", ""),
        [
            (
                one.id,
                one.name_zh,
                day(one.due - timedelta(microseconds=1)),
                day(one.done) if one.done else "",
                one.owner,
                "overdue" if one.is_overdue(now) else "",
            )
            for one in current.milestones
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
        due = [(one.due, one.weight) for one in read_milestones(content_of(table), table.name)]
        return through(start, due, total=total)
    if not end:
        raise ConfigError("no end", hint="Name the last date: --end 2026-09-01")
    stretch = Stretch(
        start=start,
        end=date_in(end),
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
