"""F25: a gateway is upgraded in the middle of its backlog; the power goes, or it is killed, while its file is migrated."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import drivers, outbox_file, paper
from harness.central_file import read_ledger
from harness.checker import check
from harness.disk import LoopDisk, loop_disk
from harness.drivers import FAULTS, Program
from harness.loopback import Centre
from harness.outbox_file import Committed, committed
from harness.result import CannotRun, Result

from plumbline import chain, codec
from plumbline.clock import SystemClock, to_us
from plumbline.messages import Event, Record
from plumbline_edge.outbox import Outbox, Run

_SCHEMA_1: Final = """
CREATE TABLE identity (gateway TEXT NOT NULL, epoch TEXT NOT NULL);
CREATE TABLE lane (
    lane TEXT PRIMARY KEY, next_seq INTEGER NOT NULL, head BLOB NOT NULL, acknowledged INTEGER NOT NULL,
    pruned INTEGER NOT NULL, pruned_head BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE record (
    lane TEXT NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL, boot TEXT NOT NULL,
    mono_us INTEGER NOT NULL, clock TEXT NOT NULL, body BLOB NOT NULL, head BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
CREATE TABLE parked (lane TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (lane, first, last)) WITHOUT ROWID;
"""
"""As version 1 of the outbox made it."""
_EPOCH: Final = "0123456789abcdef"
_RECORDS: Final = 12_000
_PRUNED: Final = 500


@dataclass(slots=True)
class _Found:
    committed: int = 0
    lost: int = 0
    duplicate: int = 0
    changed: int = 0
    broken: int = 0
    unsound: int = 0
    in_the_middle: int = 0
    """Strikes that found the migration begun and not ended."""


def run(count: int, seed: int, folder: Path) -> Result:
    found, how = _Found(), "power cuts"
    try:
        with loop_disk(folder, 64) as disk:
            asyncio.run(_run(count, seed, folder, disk.at, disk, found))
    except CannotRun:
        how = "kills"
        (folder / "card").mkdir()
        asyncio.run(_run(count, seed, folder, folder / "card", None, found))
    return Result(
        name="F25 upgrade in mid-backlog",
        promise="0 lost; old batches into new central; strikes during the migration cost nothing",
        figures={
            how: count,
            "of them in mid-migration": found.in_the_middle,
            "committed": found.committed,
            "lost": found.lost,
            "duplicate": found.duplicate,
            "changed": found.changed,
            "chain breaks": found.broken,
            "unsound": found.unsound,
        },
        ok=found.committed > 0
        and not (found.lost or found.duplicate or found.changed or found.broken or found.unsound),
    )


async def _run(count: int, seed: int, folder: Path, card: Path, disk: LoopDisk | None, found: _Found) -> None:
    rng = random.Random(seed)
    old = folder / "version-1.db"
    _write_version_1(old, rng)
    for n in range(count):
        for file in card.glob("outbox*"):
            file.unlink()
        shutil.copyfile(old, card / "outbox.db")
        os.sync()
        truth = committed(card / "outbox.db")
        opener = Program(
            argv=(sys.executable, str(FAULTS / "children" / "opener.py"), str(card / "outbox.db")),
            log=folder / "opener.log",
        )
        async with drivers.ended(opener):
            process = await opener.start(talk=True)
            assert process.stdout is not None
            await asyncio.wait_for(process.stdout.readline(), 30)  # it is about to open
            await asyncio.sleep(rng.uniform(0.0, 0.35))
            if disk is not None:
                disk.cut_power()
            await opener.kill()
        if disk is not None:
            disk.restore_power()
        found.in_the_middle += _is_between(card / "outbox.db")
        await _send_all(card / "outbox.db", old, folder / f"ledger-{n}.db", truth, rng, found)


async def _send_all(
    path: Path, old: Path, ledger: Path, truth: Committed, rng: random.Random, found: _Found
) -> None:
    """A part reaches central as version 1 sent it, the rest after the upgrade; some of it both times."""
    with Centre(ledger) as centre:
        for run in _old_batches(old, upto=rng.randrange(_PRUNED, _RECORDS)):
            centre.take(run)
        async with Outbox(path, gateway="gw-0") as outbox:
            await centre.take_all(outbox)
            found.unsound += outbox_file.is_sound(path) != "ok"
            found.broken += outbox_file.chain_breaks(path)
    verdict = check(read_ledger(ledger), truth)
    found.committed += verdict.committed
    found.lost += verdict.lost + len(centre.refused)
    found.duplicate += verdict.duplicate
    found.changed += verdict.changed


def _write_version_1(path: Path, rng: random.Random) -> None:
    """Twelve thousand records, events in the data lane, the oldest pruned, some acknowledged, none of it sent as new."""
    since_us = to_us(SystemClock().wall()) - 86_400_000_000
    head = chain.start("gw-0", _EPOCH, "data")
    pruned_head = head
    rows = []
    drafts = itertools.chain.from_iterable(paper.frames(rng.getrandbits(32), since_us=since_us))
    for seq, draft in zip(range(1, _RECORDS + 1), drafts, strict=False):
        said = (
            draft.body if seq % 100 else Event(code="meter_lost", subject="paper-m1", text="as in version 1")
        )
        body = codec.encode_body(said)
        head = chain.link(
            head, seq, codec.canonical(seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, body)
        )
        rows.append(("data", seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, body, head))
        if seq == _PRUNED:
            pruned_head = head
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_SCHEMA_1)
        db.execute("INSERT INTO identity VALUES ('gw-0', ?)", (_EPOCH,))
        db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows[_PRUNED:])
        db.execute(
            "INSERT INTO lane VALUES ('data', ?, ?, ?, ?, ?)",
            (_RECORDS + 1, head, _PRUNED, _PRUNED, pruned_head),
        )
        photo = chain.start("gw-0", _EPOCH, "photo")
        db.execute("INSERT INTO lane VALUES ('photo', 1, ?, 0, 0, ?)", (photo, photo))
        db.execute("PRAGMA user_version = 1")
        db.commit()


def _old_batches(path: Path, upto: int) -> Iterator[Run]:
    """What version 1 had sent up to `upto`: everything in the data lane, five hundred records a batch."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (head,) = db.execute("SELECT pruned_head FROM lane WHERE lane = 'data'").fetchone()
        for first in range(_PRUNED + 1, upto + 1, 500):
            rows = db.execute(
                "SELECT seq, at_us, boot, mono_us, clock, body, head FROM record WHERE lane = 'data'"
                " AND seq BETWEEN ? AND ? ORDER BY seq",
                (first, min(first + 499, upto)),
            ).fetchall()
            records = tuple(
                Record(
                    seq=seq,
                    at_us=at_us,
                    boot=boot,
                    mono_us=mono_us,
                    clock=clock,
                    body=codec.decode_body(body),
                )
                for seq, at_us, boot, mono_us, clock, body, _ in rows
            )
            yield Run(
                epoch=_EPOCH,
                lane="data",
                prev=head,
                head=rows[-1][6],
                records=records,
                bodies=tuple(row[5] for row in rows),
            )
            head = rows[-1][6]


def _is_between(path: Path) -> bool:
    with outbox_file.copied(path) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema").fetchall()}
    return {"record", "record_1"} <= tables
