"""`python -m plumbline_sim.demo.packs`: render anew the photo packs that the demo shows where there is no OpenGL."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import track as progressing

from plumbline.stages import TRACKS, Track
from plumbline_sim.demo.stage import PHOTO_HOURS, SEEDS, sample_project
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.pack import FOLDER, write_pack
from plumbline_sim.scene.project import Project
from plumbline_sim.scene.render import render

SIZE: Final = (640, 360)
_DAYS: Final = 60
_QUALITY: Final = 62  # both packs within 7.5 MB; the pictures have been JPEGs in the camera before


def shares() -> list[float]:
    """When the photos are taken, as shares of the project's time: what its camera takes, its first moment and its last.

    Rounded down as they are kept, so that a request at the very second finds its photo.
    """
    taken = [(day + hour / 24) / _DAYS for day in range(_DAYS) for hour in PHOTO_HOURS]
    return [0.0, *(math.floor(share * 1e5) / 1e5 for share in taken), 1.0]


def photo(project: Project, share: float) -> bytes:
    """The JPEG of one moment. The same machine gives the same bytes."""
    import cv2  # noqa: PLC0415 - only where pictures are made

    day = share * project.days
    hour = 24 * (day % 1) or PHOTO_HOURS[0]
    shot = render(project, day, Conditions.workday(project.seed, int(day), hour=hour), SIZE)
    return bytes(cv2.imencode(".jpg", shot.bgr, _jpeg_options())[1].tobytes())


def render_pack(track: Track, folder: Path) -> Path:
    """Render the demo's project of this track; a few minutes."""
    project = sample_project(SEEDS[track], track, _DAYS)
    path = folder / f"{track}-{project.seed}.zip"
    steps = progressing(shares(), description=path.stem)
    write_pack(
        path, seed=project.seed, track=track, size=SIZE, shares=steps, jpeg_at=lambda at: photo(project, at)
    )
    return path


def _jpeg_options() -> list[int]:
    import cv2  # noqa: PLC0415 - only where pictures are made

    quality, small, coarse_first = (
        cv2.IMWRITE_JPEG_QUALITY,
        cv2.IMWRITE_JPEG_OPTIMIZE,
        cv2.IMWRITE_JPEG_PROGRESSIVE,
    )
    return [quality, _QUALITY, small, 1, coarse_first, 1]


def main(folder: Annotated[Path, typer.Argument(help="Where the packs go.")] = FOLDER) -> None:
    """Render both packs anew."""
    for track in TRACKS:
        path = render_pack(track, folder)
        typer.echo(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    typer.run(main)
