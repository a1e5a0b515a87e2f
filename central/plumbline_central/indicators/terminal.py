"""What the commands about plans and indicators share: options, files, dates, tables, the book of a data folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from plumbline.errors import ConfigError
from plumbline_central.alerts.tables import open_control
from plumbline_central.config import load_central
from plumbline_central.indicators.book import IndicatorBook
from plumbline_central.indicators.cells import DATE_EXPECTED, date_of
from plumbline_central.plan import SHANGHAI
from plumbline_central.registry import Registry

FILE: Final = Path("central.toml")
Site = Annotated[str, typer.Argument(metavar="SITE", help="The site's id.")]
TableFile = Annotated[Path, typer.Argument(metavar="FILE", help="A CSV (UTF-8 or GBK) or XLSX file.")]
By = Annotated[str, typer.Option(help="Who does it; the name is kept.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be kept.")]
Settings = Annotated[
    Path, typer.Option("--config", "-c", metavar="CENTRAL.toml", help="The settings of the service.")
]


def content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name a CSV or XLSX file.") from None


def date_in(text: str) -> datetime:
    at = date_of(text, SHANGHAI)
    if at is None:
        raise ConfigError(f"{text!r} is no date", hint=f"Expected {DATE_EXPECTED}.")
    return at


def day(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d}"


def or_dash(value: float | None, spec: str = "g") -> str:
    return "–" if value is None else format(value, spec)


def show(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(str, row))
    Console(highlight=False, markup=False).print(table)


@contextmanager
def open_book(config: Path, site: str = "") -> Iterator[IndicatorBook]:
    """The book of the service's data folder, for a site that is there."""
    with open_registry(config) as registry:
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
def open_registry(config: Path) -> Iterator[Registry]:
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
