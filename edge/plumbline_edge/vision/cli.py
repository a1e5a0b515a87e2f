"""`plumbline model run|zones|card|check`: judge photos by hand, draw their zones, look the model over."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from plumbline.errors import ConfigError, Refused
from plumbline.terminal import on_one_line, printable
from plumbline_edge.camera.chosen import camera_named, model_folder, works_begin

if TYPE_CHECKING:
    from plumbline_edge.camera.capture import LazyModel
    from plumbline_edge.settings import SiteSettings
    from plumbline_edge.vision.sequence import Seen

app = typer.Typer()

_GOLDEN_PP: Final = 0.3
_MANY: Final = 5

Folder = Annotated[
    Path | None,
    typer.Option("--model", help="Folder of model.onnx and card.toml; the shipped one if left out."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON.")]


@app.command(epilog="Example: plumbline model run --site site.toml --camera east photos/ --overlay seen")
def run(
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO...", help="JPEG, PNG or WebP files, oldest first; a folder: its photos by time."
        ),
    ],
    site: Annotated[
        Path, typer.Option(help="The site file; docs/photos.md shows the few lines it needs for this.")
    ],
    camera: Annotated[
        str | None, typer.Option(help="The camera's name in the site file; left out: its only one.")
    ] = None,
    model: Folder = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Write here, for each judged photo, a picture that shows why.")
    ] = None,
    day0: Annotated[
        Path | None, typer.Option(help="The photo from before the works; left out: as the gateway finds it.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Judge each photo on its own: none remembers those before it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge photos of one camera in their order, as the gateway would from its first photo on.

    A photo's time is the date in its name (2026-05-12, 20260512_1400), else what its EXIF block says, else the
    file's own time. Photos of several places, held by hand, need --each: the gateway's camera stands still. Nothing is kept: the gateway's memory of this camera is neither read nor changed.

    A photo that cannot be judged is a line with its reasons. Exit code: 0 where at least one photo got a percent, 1
    where none did, 2 where a file or option must be edited.
    """
    from plumbline_edge.camera.memory import Memory  # noqa: PLC0415 - vision costs 100 MB
    from plumbline_edge.config import load_cameras  # noqa: PLC0415
    from plumbline_edge.vision import album, sequence  # noqa: PLC0415
    from plumbline_edge.vision.photo_file import MAX_MEGAPIXELS  # noqa: PLC0415
    from plumbline_edge.vision.sheet import Sheets, check_apart  # noqa: PLC0415
    from plumbline_edge.vision.witness import Witness  # noqa: PLC0415

    settings = load_cameras(site, day0_named=day0 is not None)
    chosen = replace(
        camera_named(settings, camera, site), max_megapixels=MAX_MEGAPIXELS
    )  # a gateway's bound is its memory
    witness = Witness(_loader(settings, model))
    pictures = album.gathered(photos, ZoneInfo(settings.timezone))
    for late in album.backwards(pictures):
        _note(
            f"{on_one_line(str(late.path))} is dated before the photo in front of it; the order given is kept"
            + ("" if each else ", so it is refused with CLOCK as the gateway would")
        )
    start = (
        sequence.start_from(day0, chosen, witness)
        if day0 is not None
        else sequence.Start(memory=Memory(), day0_until=works_begin(chosen, settings.timezone))
    )
    if overlay is not None:
        check_apart(overlay, pictures)
    sheets = Sheets(overlay, chosen, each=each) if overlay is not None else None
    judged = 0
    verdicts = sequence.in_order(pictures, chosen, witness, start, each=each)
    if not (as_json and sys.stdout.isatty()):  # a bar on the same screen would break long lines
        verdicts = _watched(verdicts, len(pictures))
    for seen in verdicts:
        judged += seen.progress.percent is not None
        print(json.dumps(sequence.as_line(seen)) if as_json else printable(sequence.as_sentence(seen)))
        if as_json and seen.why:
            _note(f"{on_one_line(str(seen.picture.path))}: {seen.why}")
        if sheets is not None:
            sheets.write(seen)
    if not judged:
        _note(f"none of {len(pictures)} photos could be judged")
        raise typer.Exit(1)


@app.command(epilog="Example: plumbline model zones day0.jpg --out zones.html")
def zones(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="A photo of the camera, best from day 0.")],
    out: Annotated[Path, typer.Option(help="The page to write; it is replaced.")] = Path("zones.html"),
) -> None:
    """Write a page on which the facade's corners are clicked; it gives the block for the site file.

    One file with the photo in it, for any browser, phones too. It asks no server for anything and sends nothing. The
    photo is at full size with everybody in it: keep the page as you keep the photo.
    """
    from plumbline_edge.vision.zonepage.build import page  # noqa: PLC0415

    if out.exists() and out.samefile(photo):
        raise ConfigError(f"{out}: this is the photo itself", hint="Name another file for the page.")
    content = page(photo)
    try:
        out.write_text(content, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}", hint="Name a file you may write.") from None
    print(
        printable(f"{out}: open it in a browser, click the four corners, copy the block into the site file")
    )


@app.command(epilog="Example: plumbline model card")
def card(model: Folder = None, as_json: AsJson = False) -> None:
    """What the model is, what it was trained on, and how far it can be trusted."""
    from plumbline_edge.vision.model import read_card, shipped_folder  # noqa: PLC0415

    raw = read_card(model or shipped_folder())
    if as_json:
        print(json.dumps(raw, default=str))
        return
    for line in _outline(raw):
        print(on_one_line(line))


@app.command(epilog="Example: plumbline model check")
def check(model: Folder = None, as_json: AsJson = False) -> None:
    """Load the model as the gateway would: hash, size, inputs, outputs; then judge its golden pictures."""
    from plumbline_edge.vision import golden  # noqa: PLC0415
    from plumbline_edge.vision.model import load, shipped_folder  # noqa: PLC0415

    folder = model or shipped_folder()
    loaded = load(folder)
    found = golden.compare(loaded, folder / "golden")
    if found.worst_pp > _GOLDEN_PP:
        raise Refused(
            f"{folder}: a golden picture came out {found.worst_pp:.2f} points off, more than {_GOLDEN_PP}",
            hint="This machine's onnxruntime computes differently; do not use this model here.",
        )
    if as_json:
        facts = {
            "model": loaded.card.id,
            "size_hw": list(loaded.size_hw),
            "golden": found.pictures,
            "golden_worst_pp": round(found.worst_pp, 4),
        }
        print(json.dumps(facts))
        return
    print(
        f"{loaded.card.id}: hash, shapes and size as its card says; "
        f"{found.pictures} golden pictures within {found.worst_pp:.2f} points"
    )


def _loader(settings: SiteSettings, folder: Path | None) -> LazyModel:
    """Loads it at once: a missing model ends the command, instead of marking every photo."""
    from plumbline_edge.camera.capture import LazyModel  # noqa: PLC0415

    loader = LazyModel(model_folder(settings, folder), threads=settings.model.threads)
    loader()
    return loader


def _watched(verdicts: Iterable[Seen], total: int) -> Iterator[Seen]:
    """The same; with a bar on the error stream where a person watches and it takes a while."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True)
    if total < _MANY or not console.is_terminal:
        yield from verdicts
        return
    with Bar(console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        yield from bar.track(verdicts, total=total, description="judging photos")


def _note(text: str) -> None:
    typer.echo(printable(text), err=True)


def _outline(value: dict[str, Any], depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield f"{indent}{key}"
            yield from _outline(inner, depth + 1)
        else:
            yield f"{indent}{key}: {inner}"
