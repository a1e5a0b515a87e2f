"""Fetches one picture of each camera and says what the quality gate makes of it; no picture is stored."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_edge.camera.reasons import HINTS, REASONS
from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning
from plumbline_edge.settings import CameraSettings, SiteSettings

_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""The gate is asked about the picture, not about the clock."""


async def check(settings: SiteSettings) -> list[Finding]:
    """Each camera."""
    return [await _camera(camera, ZoneInfo(settings.timezone)) for camera in settings.cameras]


async def _camera(camera: CameraSettings, zone: ZoneInfo) -> Finding:
    from plumbline_edge.camera.sources.kinds import source_of  # noqa: PLC0415 - only where there is a camera
    from plumbline_edge.camera.sources.place import kind_of  # noqa: PLC0415 - only where there is a camera

    what = f"camera {camera.name}"
    began = asyncio.get_running_loop().time()
    try:
        raw = await source_of(camera, zone).snapshot()
        spent_s = asyncio.get_running_loop().time() - began
        width, height, reasons = await asyncio.to_thread(_look, raw, camera)
    except (ConfigError, Refused, Unreachable) as no:
        return fault(what, str(no), no.hint)
    said = f"{kind_of(camera)}, {width} x {height} pixels, {len(raw) / 1e3:.0f} kB in {spent_s:.1f} s"
    if not reasons:
        return ok(what, f"{said}; the facade can be judged")
    why = ", ".join(REASONS[reason] for reason in reasons)
    return warning(what, f"{said}: {why}", HINTS.get(reasons[0], "Look at its picture in a browser."))


def _look(raw: bytes, camera: CameraSettings) -> tuple[int, int, tuple[str, ...]]:
    """Size as sent, and why the facades in it could not be judged. Raises PhotoRefused."""
    from plumbline_edge.camera import gate, image  # noqa: PLC0415
    from plumbline_edge.camera.baseline import Baseline  # noqa: PLC0415
    from plumbline_edge.camera.shot import facade_mask  # noqa: PLC0415

    header = image.read_header(raw)
    picture = image.decode(raw, max_megapixels=camera.max_megapixels)
    measures = gate.measure(picture, facade_mask(camera.all_facades(), picture.shape))
    reasons = gate.judge(measures, Baseline(), None, _ANY_TIME, None)
    return header.width_px, header.height_px, reasons
