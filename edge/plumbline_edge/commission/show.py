"""What the commissioning commands show on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich import markup
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from plumbline.metrics import BY_NAME
from plumbline.terminal import printable
from plumbline_edge.commission.checks.finding import Finding
from plumbline_edge.commission.reading import Reading
from plumbline_edge.commission.report import FIRST_VALUES, Sighting

_MARKS: Final = {"ok": "[green]✓ ok[/]", "warning": "[yellow]! warning[/]", "fault": "[red]✗ fault[/]"}
_QUALITY: Final = {"good": "", "uncertain": "[yellow]uncertain[/] ", "bad": "[red]bad[/] "}


def escape(text: str) -> str:
    """What a meter, a camera or a broker said, with no power over the terminal."""
    return markup.escape(printable(text))


def progress() -> Progress:
    """A bar on stderr, and only where somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def duration(seconds: float) -> str:
    """Minutes and seconds: "1:05"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def sightings(found: Sequence[Sighting]) -> None:
    """The table of who answered."""
    table = Table("who", "port", "profile", "how we know", "first values")
    for one in found:
        profile = one.verdict.profile or "?"
        table.add_row(
            one.whom,
            str(one.setting or ""),
            escape(
                profile if one.verdict.sure else f"{profile} (not sure)" if one.verdict.profile else "unknown"
            ),
            escape(one.verdict.how),
            _first(one.values),
        )
    Console().print(table)


def _first(values: Mapping[str, float | None]) -> str:
    """Voltage, power and energy; of the two powers the first that there is."""
    said: dict[str, str] = {}
    for name in FIRST_VALUES:
        value = values.get(name)
        if value is not None:
            said.setdefault(BY_NAME[name].unit, f"{value:,.1f} {BY_NAME[name].unit}")
    return "  ".join(said.values())


def reading(one: Reading, raw: Sequence[str] = ()) -> None:
    """One poll."""
    console = Console(highlight=False)
    for line in raw:
        console.print(escape(line), soft_wrap=True)
    if one.rows:
        table = Table("metric", "value", "unit", "quality", title=escape(one.meter))
        table.columns[1].justify = "right"
        for row in one.rows:
            metric = BY_NAME[row.metric]
            shown = "–" if row.value is None else f"{row.value:,.{metric.decimals}f}"
            unit = "" if row.unit == "1" else row.unit
            table.add_row(row.metric, shown, unit, f"{_QUALITY[row.quality]}{row.reason}" or "good")
        console.print(table)
    if one.why:
        console.print(f"[red]{escape(one.why)}[/]", soft_wrap=True)
        if one.hint:
            console.print(f"→ {escape(one.hint)}", soft_wrap=True)
    for doubt in one.doubts:
        console.print(f"[yellow]![/] {escape(doubt.sentence)}", soft_wrap=True)
        console.print(f"  → {escape(doubt.hint)}", soft_wrap=True)
    console.print(f"{escape(one.meter)}: {one.requests} requests, {one.took_ms:.0f} ms")


def findings(found: Iterable[Finding]) -> None:
    """What the doctor found, one line each, what to do below it."""
    console = Console(highlight=False)
    for one in found:
        console.print(f"{_MARKS[one.level]}  {escape(one.what)}: {escape(one.said)}", soft_wrap=True)
        if one.hint:
            console.print(f"    → {escape(one.hint)}", soft_wrap=True)
