"""`plumbline model run|card|check`: judge photos by hand, read the model's card, check the model on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from plumbline.errors import ConfigError, Refused

app = typer.Typer()

_DATED: Final = re.compile(r"(20\d\d)-?(\d\d)-?(\d\d)(?:[T_ -]?(\d\d)[:h-]?(\d\d)(?:[:m-]?(\d\d))?)?")
_NOON: Final = 12
_GOLDEN_PP: Final = 0.3

Folder = Annotated[
    Path | None,
    typer.Option("--model", help="Folder of model.onnx and card.toml; the shipped one if left out."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON.")]


@app.command(
    epilog="Example: plumbline model run --site site.toml --camera east photos/*.jpg --overlay /tmp/seen"
)
def run(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="JPEG or PNG files, oldest first.")
    ],
    site: Annotated[Path, typer.Option(help="The site file that describes the camera's facade.")],
    camera: Annotated[str, typer.Option(help="The camera's name in the site file.")],
    model: Folder = None,
    overlay: Annotated[
        Path | None, typer.Option(help="Write each masked preview with its zones here.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge photos of one camera in their order, as the gateway would from its first photo on.

    A date in a file's name (2026-05-12, 20260512_1400) is when it was taken, in the site's time zone; else the
    file's own time counts. Nothing is kept: the gateway's memory of this camera is neither read nor changed.
    """
    from plumbline_edge.camera.capture import LazyModel, judge  # noqa: PLC0415 - vision costs 100 MB
    from plumbline_edge.camera.memory import Memory  # noqa: PLC0415
    from plumbline_edge.config import load_site  # noqa: PLC0415
    from plumbline_edge.vision import overlay as drawing  # noqa: PLC0415
    from plumbline_edge.vision.model import shipped_folder  # noqa: PLC0415

    settings = load_site(site)
    chosen = next((c for c in settings.cameras if c.name == camera), None)
    if chosen is None:
        known = ", ".join(c.name for c in settings.cameras) or "none"
        raise ConfigError(f"{site}: no camera {camera!r}", hint=f"Cameras in this file: {known}.")
    named = settings.model.folder
    load_model = LazyModel(model or (Path(named) if named else shipped_folder()))
    load_model()  # a missing model ends the command here, instead of marking every photo
    if overlay is not None:
        overlay.mkdir(parents=True, exist_ok=True)
    memory, zone = Memory(), ZoneInfo(settings.timezone)
    for path in photos:
        at = taken_at(path, zone)
        judged = judge(_read(path), at, chosen, load_model, memory)
        memory = judged.memory
        progress = judged.captured.progress
        if overlay is not None and judged.captured.photo.jpeg:
            drawn = drawing.draw(judged.captured.photo, progress)
            (overlay / f"{path.stem}.jpg").write_bytes(drawn)
        line = {
            "file": str(path),
            "at": at.isoformat(),
            "percent": progress.percent,
            "low": progress.low,
            "high": progress.high,
            "gate": list(progress.gate),
            "zones": [
                {
                    "id": z.id, "percent": z.percent, "low": z.low, "high": z.high,
                    "visible": z.visible, "stage": z.stage,
                }
                for z in progress.zones
            ],
        }  # fmt: skip
        print(json.dumps(_rounded(line)) if as_json else _sentence(line))


@app.command(epilog="Example: plumbline model card")
def card(model: Folder = None, as_json: AsJson = False) -> None:
    """What the model is, what it was trained on, and how far it can be trusted."""
    from plumbline_edge.vision.model import read_card, shipped_folder  # noqa: PLC0415

    raw = read_card(model or shipped_folder())
    if as_json:
        print(json.dumps(raw, default=str))
        return
    for line in _outline(raw):
        print(line)


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


def taken_at(path: Path, zone: ZoneInfo) -> datetime:
    """The date in a photo's name at its time of day, noon where it has none; else the file's own time."""
    if found := _DATED.search(path.stem):
        year, month, day, hour, minute, second = (int(text) if text else None for text in found.groups())
        try:
            return datetime(
                year or 0, month or 0, day or 0,
                _NOON if hour is None else hour, minute or 0, second or 0, tzinfo=zone,
            )  # fmt: skip
        except ValueError:
            pass  # digits that are no date
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Name photo files.") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Name photo files.") from None


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


def _sentence(line: dict[str, Any]) -> str:
    if line["percent"] is None:
        return f"{line['file']}: no percent: {', '.join(line['gate'])}"
    return f"{line['file']}: {line['percent']:.1f} % ({line['low']:.1f} to {line['high']:.1f})"


def _outline(value: dict[str, Any], depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield f"{indent}{key}"
            yield from _outline(inner, depth + 1)
        else:
            yield f"{indent}{key}: {inner}"
