"""Whether this machine knows what time it is, and would after a power cut."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from plumbline.clock import Clock
from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning

_RTC: Final = Path("/sys/class/rtc")


def check(timezone: str, clock: Clock, rtc: Path = _RTC) -> list[Finding]:
    """Trust, battery clock, time zone."""
    now = clock.wall()
    match clock.trust():
        case "unset":
            said = f"it says {now:%Y-%m-%d}, which cannot be"
            trust = fault(
                "clock", said, "Connect a network, or set it by hand: sudo date -s '2026-03-02 10:00'"
            )
        case "unsynced":
            said = f"it says {now:%Y-%m-%d %H:%M} UTC, and nobody confirms it"
            hint = "Let UDP port 123 out, and see: timedatectl timesync-status. Times are corrected once it is set."
            trust = warning("clock", said, hint)
        case word:
            trust = ok("clock", f"{word}, {now:%Y-%m-%d %H:%M} UTC")
    if rtc.is_dir() and any(rtc.iterdir()):
        battery = ok("battery clock", "there is one: the time survives a power cut")
    else:
        said = "none: after a power cut the time is unknown until the network is back"
        battery = warning(
            "battery clock", said, "Fit one if the site is often offline; readings are re-timed anyway."
        )
    local = now.astimezone(ZoneInfo(timezone))
    return [trust, battery, ok("time zone", f"{timezone}: it is {local:%H:%M} on site")]
