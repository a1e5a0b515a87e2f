"""`plumbline model calibrate`: a site's own scale and intervals from photos that a person corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from plumbline.errors import ConfigError
from plumbline.stages import DEFAULT_VALUES
from plumbline_edge import bounded
from plumbline_edge.camera.chosen import camera_named, model_folder, works_begin

if TYPE_CHECKING:
    from plumbline_edge.settings import CameraSettings
    from plumbline_edge.vision.calibration import Observation
    from plumbline_edge.vision.zones import ZoneReading

app = typer.Typer()


class ZoneCorrection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of one zone: the stage it has reached, 0..7, or its percent."""

    id: str
    stage: Annotated[int, msgspec.Meta(ge=0, le=7)] | None = None
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None


class PhotoCorrection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of one photo, which is named as its file is, with or without folder and ending."""

    photo: str
    zones: tuple[ZoneCorrection, ...]


@app.command(
    epilog="Example: plumbline model calibrate --site site.toml --camera east corrections.json photos/*.jpg"
)
def calibrate(
    corrections: Annotated[
        Path,
        typer.Argument(
            metavar="CORRECTIONS",
            help='JSON: [{"photo": "2026-05-12.jpg", "zones": [{"id": "f1b1", "stage": 4}, {"id": "f1b2", "percent": 35}]}].',
        ),
    ],
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO...", help="The camera's photos, oldest first, or their folder."),
    ],
    site: Annotated[Path, typer.Option(help="The site file that describes the camera.")],
    camera: Annotated[str, typer.Option(help="The camera's name in the site file.")],
    model: Annotated[Path | None, typer.Option("--model", help="Folder of another model.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; left out: site_calibration.CAMERA.json beside the site file."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON.")] = False,
) -> None:
    """Fit the model's scale to this site: a temperature and a shift a stage, damped so that few photos change little.

    From 8 corrected photos on their errors also make the site's intervals. Name the file as `calibration` in the
    camera's table of the site file; the gateway reads it anew with each photo.
    """
    from plumbline_edge.camera.capture import LazyModel  # noqa: PLC0415 - vision costs 100 MB
    from plumbline_edge.camera.memory import config_name  # noqa: PLC0415
    from plumbline_edge.config import load_cameras  # noqa: PLC0415
    from plumbline_edge.vision import calibration, interval  # noqa: PLC0415

    settings = load_cameras(site)
    chosen = camera_named(settings, camera, site)
    said = read_corrections(corrections)
    load_model = LazyModel(model_folder(settings, model))
    card = load_model().card
    readings = _readings(photos, chosen, load_model, settings.timezone)
    seen = list(observed(said, readings, chosen))
    if not seen:
        raise ConfigError(
            f"{corrections}: none of its zones could be seen in these photos",
            hint="Name the photos' files, and zones that the model does not call hidden.",
        )
    widths = interval.of_card(
        card.interval,
        chosen.track,
        site_pp=card.interval_pp[chosen.track],
        zone_pp=card.zone_interval_pp[chosen.track],
    )
    fit = calibration.fit(seen, widths)
    path = out or site.with_name(f"site_calibration.{camera}.json")
    made = calibration.Calibration(
        camera=camera,
        counter=_counter_before(path) + 1,
        model=card.id,
        config=config_name(chosen),
        temperature=fit.temperature,
        shifts=fit.shifts,
        site_scores=fit.site_scores,
        zone_scores=fit.zone_scores,
    )
    _write(path, msgspec.json.format(msgspec.json.encode(calibration.sealed(made)), indent=2) + b"\n")
    if as_json:
        facts = {
            "file": str(path), "counter": made.counter, "photos": fit.photos, "zones": len(seen),
            "before_pp": round(fit.before_pp, 2), "after_pp": round(fit.after_pp, 2),
        }  # fmt: skip
        typer.echo(json.dumps(facts))
        return
    typer.echo(
        f"{path}: number {made.counter} from {len(seen)} zones of {fit.photos} photos; "
        f"their error went from {fit.before_pp:.1f} to {fit.after_pp:.1f} points (root mean square)"
    )
    if fit.photos < interval.ENOUGH_PHOTOS:
        typer.echo(
            f"intervals stay the model's: they need {interval.ENOUGH_PHOTOS} corrected photos, these are {fit.photos}"
        )


def read_corrections(path: Path) -> tuple[PhotoCorrection, ...]:
    """What a person corrected. Raises ConfigError where the file is missing or makes no sense."""
    example = 'It reads like [{"photo": "2026-05-12.jpg", "zones": [{"id": "f1b1", "stage": 4}]}].'
    try:
        said = msgspec.json.decode(bounded.read(path), type=tuple[PhotoCorrection, ...])
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint=example) from None
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise ConfigError(f"{path}: not corrections: {error}", hint=example) from None
    for photo in said:
        for zone in photo.zones:
            if (zone.stage is None) == (zone.percent is None):
                raise ConfigError(
                    f"{path}: {photo.photo}: zone {zone.id} needs a stage or a percent, one of them",
                    hint=example,
                )
    return said


def observed(
    said: Sequence[PhotoCorrection],
    readings: Mapping[str, Sequence[ZoneReading]],
    camera: CameraSettings,
) -> Iterator[Observation]:
    """Each correction with what the model saw of that zone; zones that it could not see are passed over.

    `readings` by the photo's file name. Raises ConfigError for a photo or zone that there is none of.
    """
    from plumbline_edge.vision.calibration import Observation  # noqa: PLC0415
    from plumbline_edge.vision.progress import all_weights  # noqa: PLC0415
    from plumbline_edge.vision.zones import zone_ids  # noqa: PLC0415

    facades = camera.all_facades()
    ids = [zone for f in facades for zone in zone_ids(f.floors, f.bays, f.prefix)]
    values = {
        zone: f.values or DEFAULT_VALUES[camera.track]
        for f in facades
        for zone in zone_ids(f.floors, f.bays, f.prefix)
    }
    corrected: set[tuple[str, str]] = set()
    weights = dict(zip(ids, all_weights(facades), strict=True))
    for photo in said:
        name = next((one for one in readings if photo.photo in (one, Path(one).name, Path(one).stem)), None)
        if name is None:
            raise ConfigError(
                f"corrections of {photo.photo}: no such photo was given",
                hint="Name its file after the corrections.",
            )
        seen = {reading.id: reading for reading in readings[name]}
        for zone in photo.zones:
            if (name, zone.id) in corrected:
                raise ConfigError(
                    f"{photo.photo}: zone {zone.id!r} is corrected twice",
                    hint="Keep the correction that is right.",
                )
            corrected.add((name, zone.id))
            if zone.id not in values:
                raise ConfigError(
                    f"{photo.photo}: no zone {zone.id!r}", hint=f"Zones are named like {', '.join(ids[:3])}."
                )
            if (reading := seen.get(zone.id)) is None or reading.percent is None:
                continue
            reached = 100 * values[zone.id][zone.stage] if zone.stage is not None else zone.percent
            yield Observation(
                photo=name,
                reached=reading.reached,
                visible=reading.visible,
                weight=weights[zone.id],
                percent=reached or 0.0,
                values=values[zone.id],
            )


def _readings(
    photos: Sequence[Path], camera: CameraSettings, load_model: Any, timezone: str
) -> dict[str, tuple[ZoneReading, ...]]:
    """What the model sees of each photo's zones, in the photos' order, as the gateway would from its first one on."""
    from plumbline_edge.camera.judge import judge  # noqa: PLC0415
    from plumbline_edge.camera.memory import Memory  # noqa: PLC0415
    from plumbline_edge.camera.sources.port import PhotoRefused  # noqa: PLC0415
    from plumbline_edge.vision import album, photo_file  # noqa: PLC0415

    memory, seen = Memory(), {}
    for picture in album.gathered(photos, ZoneInfo(timezone)):
        path, at = picture.path, picture.at
        try:
            raw = photo_file.read(path)
        except PhotoRefused as why:
            raise ConfigError(f"{path}: {why}", hint="Name photo files.") from None
        judged = judge(
            raw, at or album.UNDATED, camera, load_model, memory, day0_until=works_begin(camera, timezone)
        )
        memory = judged.memory
        if not judged.readings:
            codes = ", ".join(judged.captured.progress.gate)
            typer.echo(f"{path}: cannot be judged and teaches nothing: {codes}", err=True)
        seen[str(path)] = judged.readings
    return seen


def _write(path: Path, content: bytes) -> None:
    """Complete or not at all: the gateway may read it at any moment."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="Name a file you may write.") from None


def _counter_before(path: Path) -> int:
    """The number of the calibration that is replaced; 0 where there is none that can be read."""
    from plumbline_edge.vision.calibration import decoded  # noqa: PLC0415

    try:
        return decoded(bounded.read(path), str(path)).counter
    except (OSError, ConfigError):
        return 0
