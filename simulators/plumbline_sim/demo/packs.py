"""`python -m plumbline_sim.demo.packs`: render anew the photo packs that the demo shows where there is no OpenGL."""

from __future__ import annotations

from typing import Final

from rich.progress import track as progressing

from plumbline.stages import TRACKS, Track
from plumbline_sim.demo.stage import sample_project
from plumbline_sim.scene.conditions import Conditions
from plumbline_sim.scene.pack import FOLDER, write_pack
from plumbline_sim.scene.render import render

SEED: Final = 9
SIZE: Final = (640, 360)
_DAYS: Final = 60
_HOURS: Final = (10, 14)
_QUALITY: Final = 74


def main() -> None:
    for track in TRACKS:
        _render(track)


def _render(track: Track) -> None:
    import cv2  # noqa: PLC0415 - only where pictures are made

    project = sample_project(SEED, track, _DAYS)
    days = [day + hour / 24 for day in range(_DAYS) for hour in _HOURS]
    shares = [0.0, *(day / _DAYS for day in days), 1.0]

    def jpeg_at(share: float) -> bytes:
        day = share * _DAYS
        conditions = Conditions.workday(SEED, int(day), hour=24 * (day % 1) or _HOURS[0])
        shot = render(project, day, conditions, SIZE)
        return bytes(cv2.imencode(".jpg", shot.bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes())

    steps = progressing(shares, description=f"{track}-{SEED}")
    write_pack(
        FOLDER / f"{track}-{SEED}.zip", seed=SEED, track=track, size=SIZE, shares=steps, jpeg_at=jpeg_at
    )


if __name__ == "__main__":
    main()
