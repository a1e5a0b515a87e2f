"""Whether the site file can be read."""

from __future__ import annotations

from pathlib import Path

from plumbline.errors import ConfigError, FaultyFile
from plumbline_edge.commission.checks.finding import Finding, counted, fault, ok
from plumbline_edge.config import load_site
from plumbline_edge.meters.wiring import bus_key
from plumbline_edge.settings import SiteSettings

_WHAT = "site file"


def check(path: Path) -> tuple[list[Finding], SiteSettings | None]:
    """Every mistake in the file; the settings where there is none."""
    try:
        settings = load_site(path)
    except FaultyFile as wrong:
        return [fault(_WHAT, str(one), wrong.hint) for one in wrong.faults], None
    except ConfigError as wrong:
        return [fault(_WHAT, str(wrong), wrong.hint)], None
    wires = len({bus_key(meter) for meter in settings.meters})
    counts = (
        f"{counted(len(settings.meters), 'meter')} on {counted(wires, 'wire')},"
        f" {counted(len(settings.cameras), 'camera')}"
    )
    return [ok(_WHAT, f"{path}: gateway {settings.gateway} of site {settings.site}, {counts}")], settings
