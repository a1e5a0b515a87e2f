"""`plumbline model train`, `ablate`, `evaluate` and `page`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from plumbline.errors import ConfigError, MissingExtra, Refused

app = typer.Typer(help="Train and judge the stage model.", no_args_is_help=True)

_SHIPPED = Path(__file__).parents[1] / "stage_seg"
_PIPED_WIDTH = 130
_PAGE = Path(__file__).parents[2] / "docs" / "model.md"


class Blindness(StrEnum):
    """What can be kept from a model."""

    now = "now"
    facade = "facade"


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for samples, checkpoints and the model.")],
    minutes: Annotated[float, typer.Option(help="How long to learn, besides rendering.")] = 60.0,
    steps: Annotated[int | None, typer.Option(help="Learn for so many steps instead.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of samples and weights.")] = 1,
    shards: Annotated[int, typer.Option(help="How many shards of 96 samples to render.")] = 140,
    workers: Annotated[int, typer.Option(help="Processes that render; 0: one per core.")] = 0,
    samples: Annotated[Path | None, typer.Option(help="Folder of samples; default: OUT/samples.")] = None,
    reno_share: Annotated[
        float, typer.Option(help="Share of the renovations shown in a pass; a run that goes on may raise it.")
    ] = 0.4,
) -> None:
    """Render samples, train, and write OUT/model.onnx. Cut off, the same command goes on where it was.

    Example: plumbline model train --out build/train --minutes 60
    """
    _let_others_work()
    try:
        from plumbline_train import export  # noqa: PLC0415 - torch is in no gateway
        from plumbline_train import train as training  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise MissingExtra("model train", "train", missing.name or "torch") from None
    settings = training.Settings(seed=seed, minutes=minutes, steps=steps, shards=shards, reno_kept=reno_share)
    with _told(out) as report:
        training.train(out, settings, report, samples=samples, workers=workers)
    apart = export.export(out / "weights.pt", out / "model.onnx")
    facts = json.loads((out / "trained.json").read_text(encoding="utf-8")) | {"onnx_from_torch": apart}
    (out / "trained.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    typer.echo(
        f"{out / 'model.onnx'} written, {apart:.1g} from torch at most; "
        f"judge it: plumbline model evaluate --model {out / 'model.onnx'}"
    )


@app.command()
def ablate(
    out: Annotated[Path, typer.Option(help="Folder for samples and the variants' models.")],
    minutes: Annotated[float, typer.Option(help="How long each variant learns.")] = 15.0,
    steps: Annotated[
        int | None, typer.Option(help="Learn for so many steps instead: fair on a busy machine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of samples and weights.")] = 1,
    shards: Annotated[int, typer.Option(help="How many shards of 96 samples to render.")] = 60,
    sites: Annotated[int, typer.Option(help="Sites per track and split to judge on.")] = 8,
    shots: Annotated[int, typer.Option(help="Photos per site.")] = 6,
    workers: Annotated[int, typer.Option(help="Processes that render; 0: one per core.")] = 0,
) -> None:
    """Train without each ingredient in turn and print what it is worth on families never seen.

    Example: plumbline model ablate --out build/ablate --steps 2000
    """
    _let_others_work()
    try:
        from plumbline_train import ablate as ablation  # noqa: PLC0415 - torch is in no gateway
        from plumbline_train.train import Settings  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise MissingExtra("model ablate", "train", missing.name or "torch") from None
    settings = Settings(seed=seed, minutes=minutes, steps=steps, shards=shards)
    with _told(out) as report:
        tables = ablation.ablate(out, settings, sites=sites, shots=shots, workers=workers, report=report)
    (out / "ablation.json").write_text(json.dumps(tables, indent=1), encoding="utf-8")
    header, *body = ablation.rows(tables)
    table = Table(*header, title="unseen families")
    for row in body:
        table.add_row(*row)
    Console().print(table)


def _let_others_work() -> None:
    """Idle OpenMP threads sleep: with other work on the machine, spinning halves the speed. Read when torch loads."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


@contextmanager
def _told(out: Path) -> Iterator[Callable[[float, str], None]]:
    """A progress bar, and the same lines in OUT/train.log."""
    out.mkdir(parents=True, exist_ok=True)
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns) as progress, (out / "train.log").open("a", encoding="utf-8") as log:
        bar = progress.add_task("starting", total=1.0)

        def report(share: float, line: str) -> None:
            progress.update(bar, completed=share, description=line)
            log.write(f"{share:.3f} {line}\n")
            log.flush()

        yield report


@app.command()
def evaluate(
    *,
    model: Annotated[Path, typer.Option(help="The model file.")] = _SHIPPED / "model.onnx",
    quick: Annotated[
        bool, typer.Option("--quick", help="A look after a change: few sites, no card.")
    ] = False,
    blind: Annotated[
        Blindness | None,
        typer.Option(help="Only this: keep today's photo (now) or all but the sky (facade) from the model."),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; 0: one per core. No figure depends on it.")] = 0,
    photos: Annotated[
        Path | None, typer.Option(help="Folder of real photos; default: photos/ in PLUMBLINE_DATA.")
    ] = None,
    frames: Annotated[
        Path | None,
        typer.Option(help="Keep the rendered photos in this folder (4 GB): drawn once for many models."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option(help="Write the card here, and golden pictures into golden/ beside it.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="A card whose every figure must come out again; else this fails.")
    ] = None,
    trained: Annotated[
        Path | None, typer.Option(help="The run's trained.json, for the card; default: beside the model.")
    ] = None,
    version: Annotated[str, typer.Option(help="The model's version, for the card.")] = "0.1.0",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Render sites the model never saw, judge them as the gateway would, and print how far off it is.

    Example: plumbline model evaluate --against models/stage_seg/card.toml
    """
    try:
        from plumbline_train import card as cards  # noqa: PLC0415 - cv2, only for who judges
        from plumbline_train.evaluate import run, tables  # noqa: PLC0415
        from plumbline_train.golden import write_golden  # noqa: PLC0415
        from plumbline_train.photos import photo_folder  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise MissingExtra("model evaluate", "edge,sim", missing.name or "cv2") from None
    if not model.is_file():
        raise ConfigError(f"{model}: no such model", hint="Train one: plumbline model train --out DIR")
    if quick and (card or against):
        raise ConfigError("--quick makes figures for no card", hint="Leave --quick out: some ten minutes.")
    size = run.QUICK if quick else run.FULL
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("judging", total=1)

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        processes = workers or len(os.sched_getaffinity(0))
        if blind is not None:
            seen = {f"blind.{blind.value}": run.blinded(model, size, blind.value, processes, report)}
        else:
            found = run.evaluate(
                model,
                size,
                processes=processes,
                report=report,
                photos=photos or photo_folder(),
                frames=frames,
            )
            seen = found.tables
    if card and blind is None:
        told = trained or model.with_name("trained.json")
        facts = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
        card.write_text(cards.card_text(model, found, facts, version), encoding="utf-8")
        write_golden(model, card.with_name("golden"))
    if as_json:
        typer.echo(json.dumps(seen))
    else:
        for title, rows in tables.rows_of(seen):
            _print(title, rows())
    if against and blind is None and (apart := cards.differences(_written(cards, against, seen), seen)):
        raise Refused(
            f"{against}: {len(apart)} figures came out otherwise\n  " + "\n  ".join(apart),
            hint="Another model, renderer or graphics driver made that card; make a new one with --card.",
        )


@app.command()
def page(
    card: Annotated[Path, typer.Option(help="The card to tell of.")] = _SHIPPED / "card.toml",
    page: Annotated[Path, typer.Option(help="The page whose tables are made anew.")] = _PAGE,
) -> None:
    """Write the card's tables into the page for people.

    Example: plumbline model page --page docs/model.md
    """
    from plumbline_train import card as cards  # noqa: PLC0415
    from plumbline_train import page as pages  # noqa: PLC0415

    try:
        before = page.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{page}: {error.strerror}", hint="Name docs/model.md.") from None
    page.write_text(pages.renewed(before, cards.read(card)), encoding="utf-8")
    typer.echo(f"{page}: its tables are those of {card}")


def _written(cards: Any, path: Path, seen: Any) -> Any:
    """A card's figures; those of real photos only where these photos are here too."""
    return {
        name: table
        for name, table in cards.tables_of(cards.read(path)).items()
        if name in seen or not name.startswith("real.")
    }


def _print(title: str, rows: Iterator[tuple[str, ...]]) -> None:
    head, *body = rows
    if not body:
        return
    table = Table(*head, title=title)
    for row in body:
        table.add_row(*row)
    console = Console()
    # eight columns do not fit the 80 characters that a pipe is taken for
    (console if console.is_terminal else Console(width=_PIPED_WIDTH)).print(table)
