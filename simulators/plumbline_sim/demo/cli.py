"""`plumbline demo`: the whole product on this machine, for a person or for CI."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from plumbline.errors import ConfigError
from plumbline.stages import Track
from plumbline_sim.camera import prove_drawable
from plumbline_sim.demo import play
from plumbline_sim.demo.broker import free_port
from plumbline_sim.demo.play import Look, Options, Play
from plumbline_sim.demo.report import document, failures
from plumbline_sim.demo.stage import SEEDS, sample_project
from plumbline_sim.demo.store import StoreName
from plumbline_sim.demo.store import check as check_store
from plumbline_sim.meter.ports import who_listens
from plumbline_sim.scene.pack import find_pack
from plumbline_sim.scene.project import Project

app = typer.Typer()
console = Console(stderr=True, highlight=False)

_WATCHED_SPEED: Final = 14_400.0
"""A day in six seconds: a person sees the curve diverge and has time to click."""
_HEADLESS_SPEED: Final = 43_200.0
"""A day in two seconds: 96 poll cycles and two photos each."""


class TrackName(StrEnum):
    """Kinds of works."""

    NEW = "new"
    RENO = "reno"


@app.command(epilog="Example: plumbline demo --days 30 · plumbline demo --headless --days 60 --report r.json")
def demo(
    *,
    headless: Annotated[
        bool, typer.Option("--headless", help="No page to look at; end when the project ends.")
    ] = False,
    days: Annotated[int, typer.Option(help="Length of the simulated project.", min=5, max=1000)] = 60,
    speed: Annotated[float | None, typer.Option(help="Simulated seconds in a real one.", min=1)] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="The same seed is the same project; left out: one whose photos come with the package, so that "
            "no OpenGL is needed.",
            min=0,
        ),
    ] = None,
    track: Annotated[
        TrackName, typer.Option(help="A new building, or the renovation of an old block.")
    ] = TrackName.NEW,
    port: Annotated[
        int, typer.Option(help="Of the page; a free one is taken where it is in use.", min=0)
    ] = 8088,
    data: Annotated[Path | None, typer.Option(help="Keep everything in this folder.")] = None,
    store: Annotated[
        StoreName, typer.Option(help="Time-series store; influx1 starts an influxd of its own.")
    ] = StoreName.SQLITE,
    report: Annotated[Path | None, typer.Option(help="Write what was counted, as JSON.")] = None,
) -> None:
    """Simulated meters and camera, a real gateway, a real broker, a real central service, and the page."""
    check_store(store)
    if report is not None and not report.absolute().parent.is_dir():
        raise ConfigError(
            f"--report {report}: {report.parent} is not there", hint=f"mkdir -p {report.parent}"
        )
    chosen: Track = "new" if track is TrackName.NEW else "reno"
    known_seed = SEEDS[chosen] if seed is None else seed
    _prove_photos(sample_project(known_seed, chosen, days))
    with _folder(data) as folder:
        options = Options(
            days=days,
            speed=speed or (_HEADLESS_SPEED if headless else _WATCHED_SPEED),
            seed=known_seed,
            track=chosen,
            port=_port(port),
            folder=folder,
            supervise=headless,
            store=store,
        )
        found = asyncio.run(_run(options, watched=not headless))
    if found is None:
        console.print("Stopped; nothing is left running.")
        return
    if report is not None:
        report.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    wrong = failures(found)
    _say(found, wrong)
    if headless and wrong:
        raise typer.Exit(1)


async def _run(options: Options, *, watched: bool) -> dict[str, Any] | None:
    """The report, or None where a person stopped the demo before its end."""
    whole = asyncio.current_task()
    assert whole is not None
    stopped = asyncio.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            whole.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    began = asyncio.get_running_loop().time()
    try:
        console.print("Starting broker, simulators, central and gateway …")
        async with Play(options) as running:
            console.print(
                f"Page: [bold]{running.url}[/bold]   ({running.broker}, {options.store}, data in {options.folder})"
            )
            with _progress_bar(options.days) as show:
                await play.perform(running, show)
            found = await play.count(running, asyncio.get_running_loop().time() - began)
            result = document(found, running.stage)
            if watched:
                console.print(f"The simulated project is over. The page stays at {running.url} until Ctrl-C.")
                await running.central.process.wait()
            return result
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        return None


def _prove_photos(project: Project) -> None:
    """Return where this project's photos came with the package or can be drawn here."""
    if find_pack(project.seed, project.track) is None:
        otherwise = "; or leave --seed out, those photos come with the package"
        prove_drawable(project, command=f"demo --seed {project.seed}", otherwise=otherwise)


@contextlib.contextmanager
def _progress_bar(days: int) -> Iterator[Any]:
    columns = (
        TextColumn("day"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("waiting for the first photo", total=days)

        def show(look: Look) -> None:
            actual = "–" if look.percent is None else f"{look.percent:.1f} %"
            words = f"built {actual}, planned {look.planned:.1f} %, alerts {look.open_alerts}"
            bar.update(task, completed=int(look.day), description=words)

        yield show


@contextlib.contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is None:
        folder = Path(tempfile.mkdtemp(prefix="plumbline-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if not data.parent.is_dir():
        raise ConfigError(f"--data {data}: {data.parent} is not there", hint=f"mkdir -p {data.parent}")
    if data.exists() and any(data.iterdir()):
        raise ConfigError(
            f"--data {data}: not empty; a demo starts from nothing",
            hint="Name a new folder, or empty this one.",
        )
    data.mkdir(exist_ok=True)
    yield data.absolute()


def _port(wanted: int) -> int:
    """The wanted port, or a free one where somebody else listens there."""
    holder = who_listens(wanted) if wanted else ""
    if not holder and wanted:
        return wanted
    if wanted:
        console.print(f"Port {wanted} is in use by {holder}; taking a free one.")
    return free_port()


def _say(found: dict[str, Any], wrong: list[str]) -> None:
    records, photos = found["records"], found["photos"]
    console.print(
        f"{found['simulated_days']} days in {found['wall_s']:.0f} s · "
        f"records {records['stored']} of {records['produced']}, lost {records['lost']}, "
        f"duplicated {records['duplicated']} · readings {found['readings']['stored']} · "
        f"photos {photos['accepted']} of {photos['taken']} usable · "
        f"progress off by {found['progress_mae_pp']} points on average · ledger {found['verify']}"
    )
    for alert in found["alerts"]:
        console.print(
            f"  {alert['rule']} {alert['subject']}: raised {alert['raised_at'][:16]}, "
            f"{alert['deviation_pp'] or 0:+.1f} points, {alert['state']}, cleared {(alert['cleared_at'] or '–')[:16]}"
        )
    for words in wrong:
        console.print(f"[red]✗ {words}[/red]")
