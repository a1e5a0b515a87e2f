"""Judges photos of one camera one after the other as its gateway would, or each on its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plumbline.errors import Refused
from plumbline.messages import Photo, Progress
from plumbline.terminal import on_one_line
from plumbline_edge.camera.capture import read_calibration
from plumbline_edge.camera.judge import judge
from plumbline_edge.camera.memory import Memory
from plumbline_edge.camera.reasons import REASONS
from plumbline_edge.camera.records import unusable
from plumbline_edge.camera.sources.port import PhotoRefused
from plumbline_edge.vision import photo_file
from plumbline_edge.vision.album import UNDATED, Picture
from plumbline_edge.vision.witness import Look, Witness

if TYPE_CHECKING:
    from plumbline_edge.settings import CameraSettings

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""As `day0_until`: no photo is taken for the one from before the works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One photo's verdict. `why` is a sentence where there is no percent; `looks` is empty where there is no picture."""

    picture: Picture
    progress: Progress
    photo: Photo
    looks: tuple[Look, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is known before the first photo. Photos before `day0_until` show what was there; None: the first usable
    ones may, where they look like a beginning.
    """

    memory: Memory
    day0_until: datetime | None


def start_from(path: Path, camera: CameraSettings, witness: Witness) -> Start:
    """As a gateway that saw this one photo before the works. Raises Refused where it cannot be judged."""
    try:
        raw = photo_file.read(path)
    except PhotoRefused as why:
        raise Refused(f"{path}: {why}", hint=why.hint) from None
    judged = judge(raw, UNDATED, camera, witness, Memory(), day0_until=UNDATED + timedelta(days=1))
    witness.looks()
    if not judged.new_day0:
        raise Refused(
            f"{path}: cannot be the photo from before the works: {spoken(judged.captured.progress.gate)}",
            hint="Name a clear photo by daylight of the whole facade from before the works.",
        )
    return Start(memory=judged.memory.of_day0_only(), day0_until=NEVER)


def in_order(
    pictures: Iterable[Picture], camera: CameraSettings, witness: Witness, start: Start, *, each: bool = False
) -> Iterator[Seen]:
    """A verdict per photo, in the order given. `each`: none of them remembers another."""
    memory, calibration = start.memory, read_calibration(camera)
    for picture in pictures:
        at = picture.at or UNDATED
        try:
            raw = photo_file.read(picture.path)
        except PhotoRefused as why:
            lost = unusable(camera, at, (why.code,))
            yield Seen(picture=picture, progress=lost.progress, photo=lost.photo, looks=(), why=told(why))
            continue
        judged = judge(raw, at, camera, witness, memory, day0_until=start.day0_until, calibration=calibration)
        looks = witness.looks()
        captured = judged.captured
        yield Seen(
            picture=picture,
            progress=captured.progress,
            photo=captured.photo,
            looks=looks if captured.photo.jpeg else (),  # no mask, no picture
            why=spoken(captured.progress.gate),
        )
        if not each:
            memory = judged.memory


def as_line(seen: Seen) -> dict[str, Any]:
    """What `--json` prints of a photo."""
    progress, at = seen.progress, seen.picture.at
    return {
        "file": str(seen.picture.path),
        "at": None if at is None else at.isoformat(),
        "percent": _short(progress.percent),
        "low": _short(progress.low),
        "high": _short(progress.high),
        "gate": list(progress.gate),
        "shift_px": _short(progress.shift_px),
        "zones": [
            {
                "id": zone.id, "percent": _short(zone.percent), "low": _short(zone.low), "high": _short(zone.high),
                "visible": _short(zone.visible), "stage": zone.stage, "raw": _short(zone.raw), "regress": zone.regress,
            }
            for zone in progress.zones
        ],
    }  # fmt: skip


def as_sentence(seen: Seen) -> str:
    """The same for a person: `east.jpg  12 May 2026 10:00   63.1 %  (58.0 to 68.2)`."""
    progress, at, name = seen.progress, seen.picture.at, on_one_line(str(seen.picture.path))
    when = "no date" if at is None else f"{at:%Y-%m-%d %H:%M}"
    if progress.percent is None or progress.low is None or progress.high is None:
        return f"{name}  {when}   no percent: {', '.join(progress.gate)}: {seen.why}"
    fallen = ", ".join(zone.id for zone in progress.zones if zone.regress)
    return f"{name}  {when}   {progress.percent:.1f} %  ({progress.low:.1f} to {progress.high:.1f})" + (
        f"   fell back: {fallen}" if fallen else ""
    )


def spoken(gate: Iterable[str]) -> str:
    """Gate codes as a sentence."""
    return "; ".join(REASONS.get(code, code) for code in gate)


def told(why: PhotoRefused) -> str:
    return f"{why}. {why.hint}" if why.hint else str(why)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
