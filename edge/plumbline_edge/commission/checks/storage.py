"""Whether the state folder can be written, has room, and on a card that lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from plumbline.errors import ConfigError
from plumbline.signing import DeviceKey
from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning
from plumbline_edge.forecast import expected_bytes_per_day
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.settings import SiteSettings

_SYS: Final = Path("/sys/dev/block")
_FEW_DAYS: Final = 30
_GB_FROM_MB: Final = 10_000
_NEAR_ITS_END: Final = 0x09  # JEDEC eMMC 5.1, 7.4.46: 0x09 is 80 to 90 % of the life used
_PRE_END: Final = {1: "", 2: "80 % of its reserve is used", 3: "90 % of its reserve is used"}


def check(settings: SiteSettings, sys: Path = _SYS) -> list[Finding]:
    """The folder, the room for the outbox, the card's wear."""
    folder = Path(settings.state_dir)
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        hint = f"sudo mkdir -p {folder} and sudo chown $USER {folder}, or name another state_dir."
        return [fault("state folder", f"{folder} cannot be written by this user", hint)]
    said = f"{folder} can be written" if there == folder else f"{folder} is made at the first start"
    return [ok("state folder", said), _key(folder / "device.key"), _room(settings, there), *wear(there, sys)]


def _key(path: Path) -> Finding:
    if not path.exists():
        return ok("device key", "made at the first start")
    try:
        return ok("device key", f"public half {DeviceKey.load_or_create(path).public}")
    except ConfigError as wrong:
        return fault("device key", str(wrong), wrong.hint)


def days_offline(settings: SiteSettings) -> float:
    """How long the outbox lasts without a network, as `plumbline edge check` says it."""
    meters = [(meter.every_s, len(find_profile(meter.profile).registers)) for meter in settings.meters]
    photos = sum(len(camera.at) for camera in settings.cameras)
    per_day = expected_bytes_per_day(meters=meters, health_every_s=settings.health_every_s, photos=photos)
    return settings.outbox.max_mb * 1e6 / per_day


def _room(settings: SiteSettings, folder: Path) -> Finding:
    disk = os.statvfs(folder)
    free_mb = disk.f_bavail * disk.f_frsize / 1e6
    held_mb = sum(file.stat().st_size for file in Path(settings.state_dir).glob("outbox.*")) / 1e6
    needs_mb = settings.outbox.max_mb - held_mb
    days = days_offline(settings)
    lasts = f"the outbox of {settings.outbox.max_mb:g} MB lasts about {days:.0f} days without a network"
    said = f"{_size(free_mb)} free; {lasts}"
    if free_mb < needs_mb:
        hint = f"Free {needs_mb - free_mb:.0f} MB, or lower max_mb under [outbox]."
        return (fault if free_mb < needs_mb / 10 else warning)("disk", said, hint)
    if days < _FEW_DAYS:
        return warning("disk", said, "Raise max_mb under [outbox], or every_s of the meters.")
    return ok("disk", said)


def _size(megabytes: float) -> str:
    return f"{megabytes:.0f} MB" if megabytes < _GB_FROM_MB else f"{megabytes / 1000:.0f} GB"


def wear(folder: Path, sys: Path = _SYS) -> Iterator[Finding]:
    """What an eMMC says of its own life; an SD card says nothing, and nor does this."""
    number = folder.stat().st_dev
    try:
        device = (sys / f"{os.major(number)}:{os.minor(number)}").resolve(strict=True)
        disk = device if (device / "device").is_dir() else device.parent
        lives = (disk / "device" / "life_time").read_text(encoding="ascii").split()
        used = max(int(life, 16) for life in lives)
    except (OSError, ValueError):
        return
    if not 1 <= used <= 0x0B:
        return
    end = _PRE_END.get(_number(disk / "device" / "pre_eol_info"), "")
    said = f"{min(10 * used, 100)} % of the card's life is used" + (f", {end}" if end else "")
    if used >= _NEAR_ITS_END or end:
        yield warning("card", said, "Replace the card soon; the outbox is on it.")
    else:
        yield ok("card", said)


def _number(file: Path) -> int:
    try:
        return int(file.read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return 0
