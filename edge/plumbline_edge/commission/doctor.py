"""Examines a gateway from its site file to its broker, in the order in which one thing needs the other."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plumbline import __version__
from plumbline.clock import Clock
from plumbline.errors import ConfigError
from plumbline.signing import DeviceKey
from plumbline_edge.commission import handover
from plumbline_edge.commission.checks import (
    broker,
    cameras,
    meters,
    outbox,
    serial_ports,
    site_file,
    storage,
    time_of_day,
)
from plumbline_edge.commission.checks.finding import Finding
from plumbline_edge.commission.checks.meters import MeterSeen, SelfCheck, suspected
from plumbline_edge.settings import SiteSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Everything that was found; `settings` is None where the site file has mistakes, and nothing else was looked at."""

    findings: tuple[Finding, ...]
    meters: tuple[MeterSeen, ...] = ()
    settings: SiteSettings | None = None

    @property
    def faulty(self) -> bool:
        return any(one.level == "fault" for one in self.findings)


async def examine(
    path: Path,
    clock: Clock,
    *,
    self_check: SelfCheck = suspected,
    told: Callable[[str], None] = lambda _: None,
) -> Examined:
    """Look at everything; `told` hears before each part what comes now. Changes nothing but the meters' patience."""
    told("site file")
    found, settings = site_file.check(path)
    if settings is None:
        return Examined(findings=tuple(found))
    told("state folder, clock, ports")
    found += storage.check(settings)
    found += time_of_day.check(settings.timezone, clock)
    found += serial_ports.check(settings)
    told("meters")
    judged, seen = await meters.check(settings, clock, self_check=self_check)
    found += judged
    told("broker")
    found += await broker.check(settings, clock)
    told("cameras")
    found += await cameras.check(settings)
    told("outbox")
    found += await asyncio.to_thread(outbox.check, settings, clock)
    return Examined(findings=tuple(found), meters=tuple(seen), settings=settings)


def content_of(examined: Examined, clock: Clock, key: DeviceKey | None = None) -> dict[str, Any]:
    """For programs and for the handover; holds no secret. `key` is the gateway's, where it has one."""
    settings = examined.settings
    return {
        "v": 1,
        "site": settings.site if settings else "",
        "gateway": settings.gateway if settings else "",
        "public_key": "" if key is None else key.public,
        "at": clock.wall().replace(microsecond=0).isoformat(),
        "clock": clock.trust(),
        "version": __version__,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "ok": not examined.faulty,
        "findings": [asdict(one) for one in examined.findings],
        "meters": [one.as_json() for one in examined.meters],
    }


def handover_page(examined: Examined, settings: SiteSettings, clock: Clock) -> str:
    """The signed file. Makes the device key where there is none yet. Raises ConfigError where it cannot be kept."""
    key = DeviceKey.load_or_create(_key_file(settings))
    document = handover.as_document(content_of(examined, clock, key))
    return handover.page(document, key.sign(handover.statement(document)).hex())


def key_of(settings: SiteSettings | None) -> DeviceKey | None:
    """The gateway's key, where it has one that can be read; none is made."""
    if settings is None or not _key_file(settings).exists():
        return None
    try:
        return DeviceKey.load_or_create(_key_file(settings))
    except ConfigError:
        return None  # one of the findings


def _key_file(settings: SiteSettings) -> Path:
    return Path(settings.state_dir) / "device.key"
