"""Which camera a command is about, which model judges it, and when the works before it began."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from plumbline.errors import ConfigError
from plumbline_edge.settings import CameraSettings, SiteSettings


def camera_named(settings: SiteSettings, name: str | None, site: Path) -> CameraSettings:
    """The camera of that name, or the only one where none is named. Raises ConfigError with those there are."""
    if name is None and len(settings.cameras) == 1:
        return settings.cameras[0]
    found = next((one for one in settings.cameras if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in settings.cameras) or "none"
        what = "which camera?" if name is None else f"no camera {name!r}"
        raise ConfigError(f"{site}: {what}", hint=f"Name it with --camera; cameras in this file: {known}.")
    return found


def model_folder(settings: SiteSettings, named: Path | None = None) -> Path:
    """Where the model lies: as `named`, as the site file says, or as it came with the package."""
    from plumbline_edge.vision.model import shipped_folder  # noqa: PLC0415 - numpy costs 30 MB

    return named or (Path(settings.model.folder) if settings.model.folder else shipped_folder())


def works_begin(camera: CameraSettings, timezone: str) -> datetime | None:
    """The local midnight at which the works begin: photos before it show what was there. None where nobody said."""
    day = camera.works_begin
    return None if day is None else datetime.combine(day, time(), ZoneInfo(timezone))
