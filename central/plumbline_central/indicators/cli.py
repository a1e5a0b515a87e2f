"""`plumbline central indicator`: what sites are measured by, values in, scores out."""

from __future__ import annotations

import getpass
from dataclasses import replace
from typing import Annotated

import typer

from plumbline.clock import clock_from_environment
from plumbline.errors import Refused
from plumbline_central.indicators.explain import explain
from plumbline_central.indicators.indicator import from_template
from plumbline_central.indicators.score import ranking
from plumbline_central.indicators.templates import templates
from plumbline_central.indicators.terminal import (
    FILE,
    By,
    DryRun,
    Settings,
    Site,
    TableFile,
    content_of,
    date_in,
    open_book,
    open_registry,
    or_dash,
    show,
)
from plumbline_central.indicators.values import Pushed

app = typer.Typer()
indicator = typer.Typer(no_args_is_help=True, help="What sites are measured by: library, values, scores.")
app.add_typer(indicator, name="indicator")


@indicator.command("templates", epilog="Example: plumbline central indicator templates")
def templates_() -> None:
    """The library: what an indicator can start from."""
    show(
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
    config: Settings = FILE,
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
    with open_book(config, site) as book:
        book.indicators.put(made, by or getpass.getuser(), clock_from_environment().wall())
    print(f"{made.id} of {site}: {made.name_zh} / {made.name_en}, weight {made.weight:g}, {made.source.kind}")


@indicator.command("list", epilog="Example: plumbline central indicator list a12")
def list_(site: Site, *, config: Settings = FILE) -> None:
    """What a site is measured by."""
    with open_book(config, site) as book:
        found = book.indicators.of(site)
    show(
        ("id", "", "", "unit", "weight", "source", "owner"),
        [
            (one.id, one.name_zh, one.name_en, one.unit, f"{one.weight:g}", one.source.kind, one.owner)
            for one in found
        ],
    )


@indicator.command(epilog="Example: plumbline central indicator retire a12 funds_paid")
def retire(
    site: Site, id_: Annotated[str, typer.Argument(metavar="ID")], *, by: By = "", config: Settings = FILE
) -> None:
    """Neither judge nor score it any more; values and plans are kept."""
    with open_book(config, site) as book:
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
    config: Settings = FILE,
) -> None:
    """Hand in one value. The same time again is a correction; both are kept."""
    now = clock_from_environment().wall()
    one = Pushed(indicator=id_, at=date_in(at) if at else now, value=value, note=note)
    with open_book(config, site) as book:
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
    config: Settings = FILE,
) -> None:
    """Hand in all values of a file, or none."""
    with open_book(config, site) as book:
        kept = book.import_values_file(
            site,
            content_of(file),
            file.name,
            by or getpass.getuser(),
            clock_from_environment().wall(),
            indicator=which,
            dry_run=dry_run,
        )
    print(f"{kept} values {'would be kept' if dry_run else 'kept'}")


@indicator.command(epilog="Example: plumbline central indicator score a12")
def score(site: Site, *, config: Settings = FILE) -> None:
    """How a site keeps its plans, as a sum that can be done by hand."""
    with open_book(config, site) as book:
        print("\n".join(explain(book.score(site, clock_from_environment().wall()))))


@indicator.command("ranking", epilog="Example: plumbline central indicator ranking")
def ranking_(*, config: Settings = FILE) -> None:
    """All sites, the best first."""
    with open_book(config) as book, open_registry(config) as registry:
        scores = book.scores([one.id for one in registry.sites()], clock_from_environment().wall())
    show(
        ("place", "site", "score", "rests on"),
        [
            (
                one.place or "",
                one.score.site,
                or_dash(one.score.score, ".2f"),
                f"{one.score.rests_on:.0%} of the weights",
            )
            for one in ranking(scores)
        ],
    )
