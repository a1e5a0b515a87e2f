"""`plumbline edge camera`: take one photo by hand and see what the gateway would make of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from plumbline.clock import clock_from_environment
from plumbline.errors import ConfigError
from plumbline_edge.camera.chosen import camera_named
from plumbline_edge.camera.reasons import HINTS, REASONS
from plumbline_edge.camera.sources.place import kind_of, place_of
from plumbline_edge.config import load_site
from plumbline_edge.settings import CameraSettings, SiteSettings

if TYPE_CHECKING:
    from plumbline.messages import Photo, Progress
    from plumbline_edge.camera.sources.port import CameraSource

app = typer.Typer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One burst, and what the gateway's own chain said of it."""

    sizes: tuple[tuple[int, int], ...]
    """Width and height of each picture in pixels; empty where none came."""
    bytes: int
    spent_s: float
    progress: Progress
    photo: Photo
    why: str = ""
    hint: str = ""


@app.command(epilog="Example: plumbline edge camera --site site.toml --camera east --save masked.jpg")
def camera(
    site: Annotated[Path, typer.Option(help="The site file that names the camera.")],
    camera: Annotated[str | None, typer.Option(help="Its name; may be left out where there is one.")] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.jpg", help="Write the masked preview here.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")] = False,
) -> None:
    """Take one photo and say whether the gateway could judge it, and what to do if not.

    Changes nothing the gateway keeps. What is saved is what would leave the gateway: people, vehicles and surroundings
    masked. Exits with 1 where the photo cannot be judged.
    """
    settings = load_site(site)
    chosen = camera_named(settings, camera, site)
    now = clock_from_environment().wall()
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder, _quiet():
        taken = asyncio.run(_take(_apart(settings, chosen, Path(folder)), chosen, now))
    if save is not None and taken.photo.jpeg:
        _write(save, taken.photo.jpeg)
    facts = _facts(chosen, taken, None if save is None or not taken.photo.jpeg else save)
    if as_json:
        print(json.dumps(facts))
    else:
        _say(facts, wanted=save)
    if taken.progress.gate:
        raise typer.Exit(1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No warnings meanwhile: what is printed says it better."""
    log = logging.getLogger("plumbline_edge")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _apart(settings: SiteSettings, chosen: CameraSettings, folder: Path) -> SiteSettings:
    """The settings over a copy of what the gateway remembers of its cameras: masked pictures and numbers only."""
    for kept in ("cameras", "day0"):
        original = Path(settings.state_dir) / kept
        if original.is_dir():
            shutil.copytree(original, folder / kept)
    return replace(settings, state_dir=str(folder), cameras=(chosen,))


class _Given:
    """A source whose pictures are there already, or failed already."""

    def __init__(self, source: CameraSource, answer: list[bytes] | Exception) -> None:
        self.kind = source.kind
        self.taken_at = source.taken_at
        self._answer = answer

    async def snapshot(self) -> bytes:
        return (await self.burst(1, 0))[0]

    async def burst(self, frames: int, every_s: float) -> list[bytes]:  # noqa: ARG002 - the port's
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


async def _take(settings: SiteSettings, chosen: CameraSettings, now: datetime) -> Taken:
    from plumbline_edge.camera.capture import watches  # noqa: PLC0415 - vision costs 100 MB
    from plumbline_edge.camera.sources.kinds import source_of  # noqa: PLC0415
    from plumbline_edge.camera.sources.port import PhotoRefused, PhotoUnreachable  # noqa: PLC0415

    source = source_of(replace(chosen, folder_keep_days=None), ZoneInfo(settings.timezone))
    loop = asyncio.get_running_loop()
    began, why, hint = loop.time(), "", ""
    answer: list[bytes] | Exception
    try:
        answer = await source.burst(chosen.burst_frames, chosen.burst_every_s)
    except (PhotoUnreachable, PhotoRefused, ConfigError) as no:
        answer, why, hint = no, str(no), no.hint
    spent_s = loop.time() - began
    (watch,) = watches(settings, {chosen.name: _Given(source, answer)})
    captured = await watch.capture(now)
    pictures = [] if isinstance(answer, Exception) else answer
    return Taken(
        sizes=tuple(size for size in map(_size, pictures) if size is not None),
        bytes=sum(map(len, pictures)),
        spent_s=spent_s,
        progress=captured.progress,
        photo=captured.photo,
        why=why,
        hint=hint,
    )


def _size(raw: bytes) -> tuple[int, int] | None:
    from plumbline_edge.camera.image import read_header  # noqa: PLC0415
    from plumbline_edge.camera.sources.port import PhotoRefused  # noqa: PLC0415

    try:
        header = read_header(raw)
    except PhotoRefused:
        return None
    return header.width_px, header.height_px


def _write(path: Path, jpeg: bytes) -> None:
    try:
        path.write_bytes(jpeg)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Name a file where there is room.") from None


def _facts(chosen: CameraSettings, taken: Taken, saved: Path | None) -> dict[str, Any]:

    gate, progress = taken.progress.gate, taken.progress
    first = gate[0] if gate else ""
    said = [REASONS.get(code, f"the camera answered {code.replace('_', ' ')}") for code in gate]
    return {
        "camera": chosen.name,
        "source": kind_of(chosen),
        "place": place_of(chosen),
        "frames": [list(size) for size in taken.sizes],
        "bytes": taken.bytes,
        "spent_s": round(taken.spent_s, 2),
        "gate": list(gate),
        "why": taken.why or "; ".join(said),
        "hint": taken.hint or HINTS.get(first, "Look at its picture in a browser." if gate else ""),
        "percent": progress.percent,
        "shift_px": getattr(progress, "shift_px", None),
        "preview": [taken.photo.width_px, taken.photo.height_px] if taken.photo.jpeg else None,
        "saved": None if saved is None else str(saved),
    }


def _say(facts: dict[str, Any], *, wanted: Path | None) -> None:
    print(f"camera {facts['camera']}: {facts['source']} {facts['place']}")
    if facts["frames"]:
        width, height = facts["frames"][0]
        count = len(facts["frames"])
        print(
            f"  pictures  {count} of {width} x {height}, {facts['bytes'] / 1e3:.0f} kB, in {facts['spent_s']:g} s"
        )
    if facts["shift_px"] is not None:
        print(f"  shift     {facts['shift_px']:.1f} px from where the facade was on day 0")
    if facts["percent"] is not None:
        print(f"  percent   {facts['percent']:.1f}")
    if facts["preview"]:
        width, height = facts["preview"]
        print(
            f"  preview   {width} x {height}, masked" + (f", in {facts['saved']}" if facts["saved"] else "")
        )
    elif wanted is not None:
        print("  preview   none: without a mask no picture leaves the gateway, so nothing was saved")
    if facts["gate"]:
        print(f"  verdict   cannot be judged ({', '.join(facts['gate'])}): {facts['why']}")
        print(f"  → {facts['hint']}")
    else:
        print("  verdict   the facade can be judged")
