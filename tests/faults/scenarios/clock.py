"""F17: the clock says 1970 at boot, and is set two hours forward and back while the gateway works."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from harness.central_file import Kept
from harness.drivers import FAULTS, SITE
from harness.result import Result
from harness.stack import stack

from plumbline.clock import SystemClock, from_us, to_us
from plumbline_central.schema import Database
from plumbline_central.stores.sqlite import SqliteTelemetryStore

_TWO_H: Final = 7_200


def run(count: int, seed: int, folder: Path) -> Result:
    """`count` rounds: forward, right, back, right."""
    return asyncio.run(_run(count, seed, folder))


async def _run(rounds: int, seed: int, folder: Path) -> Result:
    control = folder / "clock"
    start = SystemClock().wall()
    _set(control, -start.timestamp(), "unset")
    steps = 0
    async with stack(folder, seed, gateways=1, every_s=0.2) as site:
        (gateway,) = site.gateways
        gateway.command = (sys.executable, str(FAULTS / "children" / "stepping.py"), "FD", str(control))
        await site.start_gateways()
        await asyncio.sleep(3)
        for _ in range(rounds):
            for wrong_s, trust in ((0, "synced"), (_TWO_H, "unsynced"), (0, "synced"), (-_TWO_H, "unsynced")):
                _set(control, wrong_s, trust)
                steps += 1
                await asyncio.sleep(3)
        _set(control, 0, "synced")
        await asyncio.sleep(3)
        await site.stop_gateways()
        await site.projected(60)
        verdict = await site.finish_stopped()
    end = SystemClock().wall()
    frames = [one for one in site.kept if one.kind == "frame"]
    anchors = sum(one.kind == "anchor" for one in site.kept)
    out_of_place, out_of_order, placed = _series(folder, start, end, {one.device for one in frames})
    return Result(
        name="F17 clock steps, 1970 boot",
        promise="0 lost, 0 duplicated; the order is kept; every reading is placed where it was",
        figures={
            "steps": steps + 1,
            "anchors": anchors,
            "frames": len(frames),
            "dated wrongly at first": sum(not to_us(start) <= one.at_us <= to_us(end) for one in frames),
            "placed": placed,
            "out of place": out_of_place,
            "out of order": out_of_order,
            "lost": verdict.lost,
            "duplicate": verdict.duplicate,
            "changed": verdict.changed + verdict.invented,
        },
        ok=verdict.ok
        and not (out_of_place or out_of_order)
        and placed == len(frames)
        and anchors >= steps
        and _in_order(frames),
    )


def _set(control: Path, wrong_s: float, trust: str) -> None:
    fresh = control.with_suffix(".new")
    fresh.write_text(f"{wrong_s} {trust}")
    fresh.replace(control)


def _in_order(frames: list[Kept]) -> bool:
    """By sequence number the meters' counters only rise."""
    by_device: dict[str, list[int]] = defaultdict(list)
    for one in sorted(frames, key=lambda one: one.seq):
        by_device[one.device].append(one.values[28] or 0)
    return all(values == sorted(values) for values in by_device.values())


def _series(folder: Path, start: datetime, end: datetime, devices: set[str]) -> tuple[int, int, int]:
    """Readings outside the run's true time, values that fall where a counter must rise, and how many there are."""
    db = Database(folder / "central" / "series.db")
    try:
        store = SqliteTelemetryStore(db)
        outside = falls = placed = 0
        for device in devices:
            inside = store.series(SITE, device, "energy_import_total", start, end)
            everywhere = store.series(
                SITE, device, "energy_import_total", from_us(0), end + timedelta(days=1)
            )
            placed += len(everywhere)
            outside += len(everywhere) - len(inside)
            values = [value for _, value in everywhere]
            falls += sum(b < a for a, b in pairwise(values))
    finally:
        db.close()
    return outside, falls, placed
