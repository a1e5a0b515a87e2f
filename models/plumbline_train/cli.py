"""`plumbline model train`, `plumbline model ablate` and `plumbline model evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from plumbline.errors import ConfigError, MissingExtra

app = typer.Typer(help="Train and judge the stage model.", no_args_is_help=True)

_SHIPPED = Path(__file__).parents[1] / "stage_seg"


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for samples, checkpoints and the model.")],
    minutes: Annotated[float, typer.Option(help="How long to learn, besides rendering.")] = 60.0,
    steps: Annotated[int | None, typer.Option(help="Learn for so many steps instead.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of samples and weights.")] = 1,
    shards: Annotated[int, typer.Option(help="How many shards of 96 samples to render.")] = 140,
    workers: Annotated[int, typer.Option(help="Processes that render; 0: one per core.")] = 0,
    samples: Annotated[Path | None, typer.Option(help="Folder of samples; default: OUT/samples.")] = None,
) -> None:
    """Render samples, train, and write OUT/model.onnx. Cut off, the same command goes on where it was.

    Example: plumbline model train --out build/train --minutes 60
    """
    try:
        from plumbline_train import export  # noqa: PLC0415 - torch is in no gateway
        from plumbline_train import train as training  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise MissingExtra("model train", "train", missing.name or "torch") from None
    settings = training.Settings(seed=seed, minutes=minutes, steps=steps, shards=shards)
    with _told(out) as report:
        training.train(out, settings, report, samples=samples, workers=workers)
    apart = export.export(out / "weights.pt", out / "model.onnx")
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
    model: Annotated[Path, typer.Option(help="The model file.")] = _SHIPPED / "model.onnx",
    sites: Annotated[int, typer.Option(help="Sites per track and split.")] = 12,
    shots: Annotated[int, typer.Option(help="Photos per site.")] = 10,
    card: Annotated[
        Path | None, typer.Option(help="Write the card here, and golden pictures into golden/ beside it.")
    ] = None,
    trained: Annotated[
        Path | None, typer.Option(help="The run's trained.json, for the card; default: beside the model.")
    ] = None,
    version: Annotated[str, typer.Option(help="The model's version, for the card.")] = "0.1.0",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Render sites the model never saw and print how far off it is.

    Example: plumbline model evaluate --sites 4
    """
    try:
        from plumbline_train import evaluate as evaluation  # noqa: PLC0415 - cv2, only for who judges
        from plumbline_train.card import card_text  # noqa: PLC0415
        from plumbline_train.golden import write_golden  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        raise MissingExtra("model evaluate", "edge,sim", missing.name or "cv2") from None
    if not model.is_file():
        raise ConfigError(f"{model}: no such model", hint="Train one: plumbline model train --out DIR")
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("judging", total=4 * sites)
        tables = evaluation.evaluate(model, sites=sites, shots=shots, report=lambda: progress.advance(bar))
    if card:
        told = trained or model.with_name("trained.json")
        facts = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {}
        card.write_text(card_text(model, tables, facts, version), encoding="utf-8")
        write_golden(model, card.with_name("golden"))
    if as_json:
        typer.echo(json.dumps(tables))
        return
    for name, figures in tables.items():
        table = Table("figure", "value", title=name)
        for figure, value in figures.items():
            table.add_row(figure, f"{value:.3f}")
        Console().print(table)
