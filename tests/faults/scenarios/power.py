"""F2: the power goes while the outbox writes; F3: the control with synchronous=NORMAL, which must lose records."""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import drivers, outbox_file
from harness.disk import LoopDisk, loop_disk
from harness.drivers import FAULTS, Program
from harness.result import Result

_DISK_MB = 64
_CUTS_PER_DISK = 20


@dataclass(slots=True)
class _Found:
    reported: int = 0
    """Records that were said to be committed."""
    lost: int = 0
    unsound: int = 0
    broken: int = 0
    false_alarms: int = 0
    """Cuts after which the outbox took its sound file for a damaged one."""


def run(count: int, seed: int, folder: Path) -> Result:
    found = asyncio.run(_cuts(count, seed, folder, "full"))
    return Result(
        name="F2 power cut",
        promise="0 committed rows lost, the file sound each time",
        figures={
            "cuts": count,
            "committed": found.reported,
            "lost": found.lost,
            "integrity ok": f"{count - found.unsound}/{count}",
            "chain breaks": found.broken,
            "false alarms": found.false_alarms,
        },
        ok=found.reported > count and not (found.lost or found.unsound or found.broken or found.false_alarms),
    )


def control(count: int, seed: int, folder: Path) -> Result:
    """Fails where nothing is lost: then this harness could not see a loss."""
    found = asyncio.run(_cuts(count, seed, folder, "normal"))
    return Result(
        name="F3 power cut, control with synchronous=NORMAL",
        promise="must lose records: the harness can see loss",
        figures={"cuts": count, "committed": found.reported, "lost": found.lost},
        ok=found.lost > 0,
    )


async def _cuts(count: int, seed: int, folder: Path, mode: str) -> _Found:
    rng, found = random.Random(f"{seed}/{mode}"), _Found()
    for begin in range(0, count, _CUTS_PER_DISK):
        with loop_disk(folder, _DISK_MB) as disk:
            for _ in range(min(_CUTS_PER_DISK, count - begin)):
                await _cut(disk, rng, mode, found)
    return found


async def _cut(disk: LoopDisk, rng: random.Random, mode: str, found: _Found) -> None:
    outbox = disk.at / "outbox.db"
    writer = Program(
        argv=(
            sys.executable,
            str(FAULTS / "children" / "writer.py"),
            str(outbox),
            str(rng.getrandbits(32)),
            mode,
        ),
        log=disk.image.with_name("writer.log"),
    )
    async with drivers.ended(writer):
        process = await writer.start(talk=True)
        assert process.stdout is not None
        said = b""
        if rng.random() < 0.15:  # while it opens its file
            await asyncio.sleep(rng.uniform(0.1, 0.35))
        else:
            said = await asyncio.wait_for(process.stdout.readline(), 30)
            if not said:
                raise RuntimeError(f"the writer did not start, see {writer.log}")
            await asyncio.sleep(rng.uniform(0.0, 0.4))
        disk.cut_power()
        await writer.kill()
        said += await process.stdout.read()
    disk.restore_power()
    await asyncio.to_thread(_look, outbox, said.decode(), found)


def _look(outbox: Path, said: str, found: _Found) -> None:
    """What is on the card after the boot, against what was said to be."""
    lines = said[: said.rfind("\n") + 1].splitlines()
    if not lines:
        return
    epoch, seq = lines[-1].split()
    first = int(lines[0].split()[1]) - 4
    found.reported += int(seq) - first
    if not outbox.exists():
        found.lost += int(seq) - first
        return
    found.unsound += outbox_file.is_sound(outbox) != "ok"
    there = {at for (key, at) in outbox_file.committed(outbox) if key == ("gw-0", epoch, "data")}
    found.lost += sum(at not in there for at in range(1, int(seq) + 1))
    found.broken += outbox_file.chain_breaks(outbox)
    found.false_alarms += outbox_file.epochs(outbox) > 1
