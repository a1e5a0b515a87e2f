"""The gateway's own state as a record: memory, disk, backlog, and how each device does."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from plumbline import __version__
from plumbline.clock import Clock
from plumbline.messages import DeviceHealth, Health
from plumbline_edge.forecast import foresee
from plumbline_edge.outbox import Outbox

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class HealthProbe:
    """Asks every part for its counters when a health record is due."""

    def __init__(
        self,
        outbox: Outbox,
        state_dir: Path,
        counters: Iterable[Mapping[str, int]],
        gauges: Iterable[Callable[[], Mapping[str, float]]],
        devices: Callable[[], tuple[DeviceHealth, ...]],
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._state_dir = state_dir
        self._counters = tuple(counters)
        self._gauges = tuple(gauges)
        self._devices = devices
        self._clock = clock
        self._since_s = clock.mono()

    async def look(self) -> Health:
        """How it is now. Gauges: megabytes (1e6 bytes), seconds, records."""
        states = await self._outbox.states()
        disk = os.statvfs(self._state_dir)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        gauges = {
            "rss_mb": rss_mb(),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
            "disk_free_mb": round(disk.f_bavail * disk.f_frsize / 1e6, 1),
            "outbox_mb": round(self._outbox.size_bytes() / 1e6, 3),
            "outbox_max_mb": round(self._outbox.limits.max_bytes / 1e6, 1),
        }
        for state in states:
            for name, value in (("waiting", state.waiting), ("parked", state.parked), ("gone", state.gone)):
                gauges[f"{name}_{state.lane}"] = gauges.get(f"{name}_{state.lane}", 0) + value
        forecast = foresee(
            used_bytes=await self._outbox.used_bytes(),
            room_bytes=min(
                self._outbox.room_bytes, disk.f_bavail * disk.f_frsize + self._outbox.size_bytes()
            ),
            kept=sum(state.kept for state in states),
            waiting=sum(state.waiting for state in states),
            added_bytes=self._outbox.bytes_added,
            over_s=self._clock.mono() - self._since_s,
        )
        if forecast is not None:
            gauges["outbox_holds_days"] = round(forecast.holds_days, 1)
            gauges["outbox_full_in_days"] = round(forecast.full_in_days, 1)
        for part_gauges in self._gauges:
            gauges.update(part_gauges())
        counters: dict[str, int] = {}
        for part in self._counters:
            for name, value in part.items():
                counters[name] = counters.get(name, 0) + value
        return Health(version=__version__, counters=counters, gauges=gauges, devices=self._devices())


def rss_mb() -> float:
    """This process's resident memory in megabytes (1e6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * _PAGE_BYTES / 1e6, 1)
