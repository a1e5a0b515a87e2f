"""F7: the outbox's file is damaged in every way a card knows; the gateway starts, saves what it can, declares the rest."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness import outbox_file, paper
from harness.central_file import declared, read_ledger
from harness.checker import check
from harness.loopback import Centre
from harness.outbox_file import Committed, committed, newest
from harness.result import Result

from plumbline.clock import SystemClock, to_us
from plumbline.errors import PlumblineError
from plumbline.messages import Event
from plumbline.signing import DeviceKey
from plumbline_edge.outbox import Damaged, Draft, Outbox, salvage

_START_S: Final = 30.0
_PAGE: Final = 4096
_CYCLES: Final = 400
_PER_FILE: Final = 25
"""Damages to copies of the same file."""
_NOTHING_BAD: Final = ("log cut", "log gone", "file gone", "flipped bytes in the log")
"""Here the database is as it once was: there is no bad file to keep aside."""


def _flip_pages(folder: Path, rng: random.Random) -> None:
    """One to five pages of the database are noise."""
    with (folder / "outbox.db").open("r+b") as file:
        pages = max(os.fstat(file.fileno()).st_size // _PAGE, 1)
        for _ in range(rng.randint(1, 5)):
            file.seek(rng.randrange(pages) * _PAGE)
            file.write(rng.randbytes(_PAGE))


def _flip_bytes(folder: Path, rng: random.Random) -> None:
    _flip(folder / "outbox.db", rng)


def _flip_log_bytes(folder: Path, rng: random.Random) -> None:
    _flip(folder / "outbox.db-wal", rng)


def _flip(path: Path, rng: random.Random) -> None:
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(rng.randint(1, 40) if size else 0):
            file.seek(rng.randrange(size))
            file.write(rng.randbytes(1))


def _cut_log(folder: Path, rng: random.Random) -> None:
    wal = folder / "outbox.db-wal"
    os.truncate(wal, rng.randrange(wal.stat().st_size))


def _lose_log(folder: Path, rng: random.Random) -> None:
    (folder / "outbox.db-wal").unlink()


def _empty(folder: Path, rng: random.Random) -> None:
    os.truncate(folder / "outbox.db", 0)


def _zeros(folder: Path, rng: random.Random) -> None:
    path = folder / "outbox.db"
    size = path.stat().st_size
    begin = rng.choice((0, rng.randrange(size)))
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(size - begin))


def _cut_file(folder: Path, rng: random.Random) -> None:
    path = folder / "outbox.db"
    os.truncate(path, rng.randrange(path.stat().st_size))


def _wrong_version(folder: Path, rng: random.Random) -> None:
    with closing(sqlite3.connect(folder / "outbox.db")) as db:
        db.execute(f"PRAGMA user_version = {rng.choice((0, 1, 1_000, 2_000_000_000))}")
        db.commit()


def _garbage(folder: Path, rng: random.Random) -> None:
    (folder / "outbox.db").write_bytes(rng.randbytes(rng.randrange(1, 200_000)))


def _lose_file(folder: Path, rng: random.Random) -> None:
    (folder / "outbox.db").unlink()


DAMAGES: Final[dict[str, Callable[[Path, random.Random], None]]] = {
    "pages of noise": _flip_pages,
    "flipped bytes": _flip_bytes,
    "flipped bytes in the log": _flip_log_bytes,
    "log cut": _cut_log,
    "log gone": _lose_log,
    "empty file": _empty,
    "zeros": _zeros,
    "file cut": _cut_file,
    "wrong schema version": _wrong_version,
    "garbage": _garbage,
    "file gone": _lose_file,
}


@dataclass(slots=True)
class _Found:
    starts: int = 0
    committed: int = 0
    stored: int = 0
    declared: int = 0
    lost: int = 0
    duplicate: int = 0
    changed: int = 0
    refused: int = 0
    without_aside: int = 0
    never_were: int = 0
    """Records called gone that were never written."""
    slowest_s: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> int:
        return self.lost + self.duplicate + self.changed + self.without_aside


def run(count: int, seed: int, folder: Path) -> Result:
    found = asyncio.run(_run(count, seed, folder))
    return Result(
        name="F7 damaged outbox file",
        promise="starts within 30 s; stored + declared = committed; bad file kept aside; new epoch",
        figures={
            "damages": count,
            "starts": found.starts,
            "slowest start, s": found.slowest_s,
            "committed": found.committed,
            "at central": found.stored,
            "declared": found.declared,
            "lost": found.lost,
            "duplicate": found.duplicate,
            "changed": found.changed,
            "refused by central": found.refused,
            "not kept aside": found.without_aside,
            "declared that never were": found.never_were,
            **{f"trouble: {what}": n for what, n in found.failed.items()},
        },
        ok=found.starts == count and found.slowest_s <= _START_S and not found.failed and not found.faults,
    )


async def _run(count: int, seed: int, folder: Path) -> _Found:
    rng, found = random.Random(seed), _Found()
    kinds = list(DAMAGES)
    for n in range(count):
        if n % _PER_FILE == 0:
            sound = folder / f"sound-{n}"
            truth = await _sound_file(sound, rng)
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(sound, work)
        kind = kinds[n % len(kinds)]
        damage_seed = rng.getrandbits(32)
        before = found.faults
        await _damaged(work, kind, damage_seed, truth, found)
        if found.faults != before:
            found.failed[f"{kind} #{n} ({damage_seed})"] += 1
    return found


async def _sound_file(folder: Path, rng: random.Random) -> Committed:
    """An outbox as kill -9 leaves it, part of it at central, and what is committed in it."""
    live = folder.with_name(folder.name + "-live")
    live.mkdir()
    folder.mkdir()
    since_us = to_us(SystemClock().wall()) - 86_400_000_000
    source = paper.frames(rng.getrandbits(32), since_us=since_us)
    with Centre(folder / "ledger.db") as centre:
        async with Outbox(live / "outbox.db", gateway="gw-0") as outbox:
            cycles = rng.randrange(_CYCLES // 2, _CYCLES)
            sent_at = rng.randrange(cycles)
            for cycle in range(cycles):
                drafts = next(source)
                if cycle % 50 == 0:
                    drafts.append(_event(drafts[0]))
                await outbox.append(drafts)
                if cycle == sent_at:
                    await centre.take_all(outbox, share=rng.random(), heard=0.7, rng=rng)
            for name in ("outbox.db", "outbox.db-wal", "outbox.mark"):
                shutil.copyfile(live / name, folder / name)
    (folder / "device.key").write_bytes(centre.key._private.private_bytes_raw())
    shutil.rmtree(live)
    return committed(folder / "outbox.db")


def _event(like: Draft) -> Draft:
    return Draft(
        lane="status", at_us=like.at_us, boot=like.boot, mono_us=like.mono_us, clock=like.clock,
        body=Event(code="meter_lost", subject="paper-m0", text="said by the harness"),
    )  # fmt: skip


async def _damaged(folder: Path, kind: str, seed: int, truth: Committed, found: _Found) -> None:
    ends = newest(folder / "outbox.db")
    DAMAGES[kind](folder, random.Random(seed))
    path = folder / "outbox.db"
    began = time.monotonic()
    key = DeviceKey.load_or_create(folder / "device.key")
    try:
        with Centre(folder / "ledger.db", key=key) as centre:
            for _ in range(
                3
            ):  # a page that rotted may only be found when it is read: then the gateway starts anew
                try:
                    await _live_on(path, centre, found, began)
                    break
                except Damaged:
                    salvage.order(path)  # as the gateway does before it begins anew
            else:
                found.failed[f"{kind}: damaged for ever"] += 1
    except PlumblineError as why:
        found.failed[f"{kind}: {type(why).__name__} {why}"[:120]] += 1
        return
    kept = read_ledger(folder / "ledger.db")
    verdict = check(kept, truth)
    found.committed += verdict.committed
    found.lost += verdict.lost
    found.duplicate += verdict.duplicate
    found.changed += verdict.changed
    found.refused += len(centre.refused)
    there = {(one.key, one.seq) for one in kept}
    found.stored += sum(name in there for name in truth)
    found.declared += sum(name not in there for name in truth) - verdict.lost
    found.never_were += sum(
        max(last - ends.get(lane, 0), 0)
        for lane, gaps in declared(kept).items()
        for _, last in gaps
        if last is not None
    )
    salvaged = any(gap for gap in declared(kept).values())
    anew = outbox_file.epochs(path) > 1 or {key for key, _ in truth} - set(newest(path))
    if salvaged and kind not in _NOTHING_BAD:
        found.without_aside += not list(folder.glob("outbox.bad-*"))
    if salvaged and not anew:
        found.failed[f"{kind}: a loss without a new epoch"] += 1


async def _live_on(path: Path, centre: Centre, found: _Found, began: float) -> None:
    """Open, write two more cycles, send everything."""
    async with Outbox(path, gateway="gw-0") as outbox:
        found.slowest_s = max(found.slowest_s, time.monotonic() - began)
        source = paper.frames(1, since_us=to_us(SystemClock().wall()), first=1_000_000)
        await outbox.append(next(source))
        await outbox.append(next(source))
        await centre.take_all(outbox)
        found.starts += 1
