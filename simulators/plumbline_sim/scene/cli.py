"""`plumbline sim scene`: one rendered photo with its truth, or a contact sheet to judge the renderer by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.progress import track as progressing

from plumbline.errors import ConfigError
from plumbline.stages import TRACKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

app = typer.Typer()

_SHEET_DAYS: Final = (0, 14, 30, 45, 60, 75, 90, 100)
_TILE: Final = (480, 270)
_SIZE: Final = (1280, 720)


@app.command(epilog="Example: plumbline sim scene --seed 7 --track reno --day 55 site.png --truth")
def scene(
    out: Annotated[Path, typer.Argument(help="Picture to write: .jpg or .png.")],
    seed: Annotated[int, typer.Option(help="Which building; same seed, same building.")] = 1,
    track: Annotated[str, typer.Option(help="new (new building) or reno (renovation).")] = "new",
    day: Annotated[float, typer.Option(help="Day of a project of 100 days.", min=0, max=100)] = 50.0,
    hour: Annotated[float, typer.Option(help="Local time of day.", min=0, max=24)] = 11.0,
    weather: Annotated[str, typer.Option(help="clear, cloudy, overcast, rain, fog or snow.")] = "clear",
    truth: Annotated[
        bool, typer.Option("--truth", help="Write stage, class and zone of each pixel beside it.")
    ] = False,
    sheet: Annotated[bool, typer.Option("--sheet", help="A contact sheet of both tracks instead.")] = False,
) -> None:
    """Render what a site camera sees; needs OpenGL, in software is enough."""
    import cv2  # noqa: PLC0415 - only where pictures are made

    if out.suffix.lower() not in {".jpg", ".jpeg", ".png"}:
        raise ConfigError(f"{out}: neither .jpg nor .png", hint="Name the picture so.")
    if sheet:
        cv2.imwrite(str(out), contact_sheet(seed))
        return
    from plumbline_sim.scene.conditions import WEATHERS, Conditions  # noqa: PLC0415
    from plumbline_sim.scene.project import Project  # noqa: PLC0415
    from plumbline_sim.scene.render import render  # noqa: PLC0415

    known = next((t for t in TRACKS if t == track), None)
    sky = next((w for w in WEATHERS if w == weather), None)
    if known is None or sky is None:
        raise ConfigError(
            f"no such scene: {track}, {weather}", hint="plumbline sim scene --help lists the words."
        )
    project = Project.sample(seed, track=known, days=100)
    conditions = Conditions(hour=hour, weather=sky, seed=seed)
    shot = render(project, day, conditions, _SIZE)
    cv2.imwrite(str(out), shot.bgr)
    facts = {
        "percent": round(project.percent(day), 2), "planned": round(project.planned_percent(day), 2),
        "floors": project.floors, "bays": project.bays,
        "quad": [[round(x / _SIZE[0], 4), round(y / _SIZE[1], 4)] for x, y in project.facade_quad(_SIZE)],
    }  # fmt: skip
    if truth:
        for name, sheet_ in (
            ("stage", shot.stage),
            ("aux", shot.aux),
            ("zone", (shot.zone + 1).clip(0, 255)),
        ):
            cv2.imwrite(str(out.with_suffix(f".{name}.png")), sheet_.astype("uint8"))
        out.with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    typer.echo(json.dumps(facts))


def contact_sheet(seed: int) -> NDArray[np.uint8]:
    """Two projects of each track over their days, one row a project, in the weather of ordinary days."""
    import numpy as np  # noqa: PLC0415

    return np.asarray(
        np.vstack([np.hstack(row) for row in progressing(list(_rows(seed)), description="rendering")]),
        np.uint8,
    )


def _rows(seed: int) -> Iterator[list[Any]]:
    from plumbline_sim.scene.conditions import Conditions  # noqa: PLC0415
    from plumbline_sim.scene.project import Project  # noqa: PLC0415
    from plumbline_sim.scene.render import render  # noqa: PLC0415

    for number in range(2):
        for kind in TRACKS:
            project = Project.sample(seed + number, track=kind, days=100)
            yield [
                render(project, day, Conditions.workday(seed + number, day, season="summer"), _TILE).bgr
                for day in _SHEET_DAYS
            ]
