"""`plumbline model train` and `plumbline model evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from plumbline.errors import MissingExtra

app = typer.Typer(help="Train and judge the stage model.", no_args_is_help=True)


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder for samples, checkpoints and the model.")],
    minutes: Annotated[float, typer.Option(help="How long to train.")] = 40.0,
    seed: Annotated[int, typer.Option(help="Seed of samples and weights.")] = 1,
    shards: Annotated[int, typer.Option(help="How many shards of 96 samples to render at most.")] = 120,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT.")] = False,
) -> None:
    """Render samples, train, and write OUT/model.onnx.

    Example: plumbline model train --out /tmp/run --minutes 40
    """
    try:
        from plumbline_train import export
        from plumbline_train import train as training
    except ModuleNotFoundError as missing:
        raise MissingExtra("model train", "train", missing.name or "torch") from None
    settings = training.Settings(seed=seed, minutes=minutes, shards=shards, first_shards=min(12, shards))
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

        training.train(out, settings, resume=resume, report=report)
    export.export(out / "weights.pt", out / "model.onnx")
    typer.echo(
        f"{out / 'model.onnx'} written; judge it with: plumbline model evaluate --model {out / 'model.onnx'}"
    )
