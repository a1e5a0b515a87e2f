"""What machine a figure comes from, and how a figure is printed; run alone it names the machine."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path


def name() -> str:
    """Processor, cores, memory, system: for the line under every figure."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def say(figure: str, value: float, unit: str, **how: object) -> None:
    """One JSON line."""
    print(
        json.dumps({"figure": figure, "value": round(value, 3), "unit": unit, **how, "machine": name()}),
        flush=True,
    )


if __name__ == "__main__":
    print(json.dumps({"machine": name()}))
