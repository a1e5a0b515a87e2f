"""The gateway's own state as a record: memory, disk, backlog, and how each device does."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from plumbline import __version__
from plumbline.messages import DeviceHealth, Health
from plumbline_edge.outbox import Outbox

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class HealthProbe:
    """Asks every part for its counters when a health record is due."""

    def __init__(
        self,
        outbox: Outbox,
        state_dir: Path,
        counters: Iterable[Mapping[str, int]],
        devices: Callable[[], tuple[DeviceHealth, ...]],
    ) -> None:
        self._outbox = outbox
        self._state_dir = state_dir
        self._counters = tuple(counters)
        self._devices = devices

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
        }
        for state in states:
            gauges[f"waiting_{state.lane}"] = state.waiting
            gauges[f"parked_{state.lane}"] = state.parked
        counters: dict[str, int] = {}
        for part in self._counters:
            for name, value in part.items():
                counters[name] = counters.get(name, 0) + value
        return Health(version=__version__, counters=counters, gauges=gauges, devices=self._devices())


def rss_mb() -> float:
    """This process's resident memory in megabytes (1e6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * _PAGE_BYTES / 1e6, 1)
