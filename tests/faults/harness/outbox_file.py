"""What a gateway's outbox file says is committed, read from a copy; imports nothing of the product."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.central_file import Key
from harness.msgpack import pack, unpack

Committed = dict[tuple[Key, int], bytes]
"""Body bytes by (gateway, epoch, lane) and sequence number."""


@contextlib.contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a copy of the file with its log, so that looking changes nothing of what is looked at."""
    with tempfile.TemporaryDirectory(prefix="plf-") as folder:
        copy = Path(folder) / path.name
        for ending in ("", "-wal"):
            file = path.with_name(path.name + ending)
            if file.exists():
                shutil.copyfile(file, copy.with_name(copy.name + ending))
        db = sqlite3.connect(copy)
        try:
            yield db
        finally:
            db.close()


def committed(path: Path, after: dict[Key, int] | None = None) -> Committed:
    """Every record in the outbox at `path`; only those past `after` for the lanes in it."""
    after = after or {}
    with copied(path) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'record'").fetchone():
            return {}
        (gateway,) = db.execute("SELECT gateway FROM identity").fetchone()
        return {
            ((gateway, epoch, lane), seq): body
            for id_, epoch, lane in _lanes(db)
            for seq, body in db.execute(
                "SELECT seq, body FROM record WHERE lane = ? AND seq > ?",
                (id_, after.get((gateway, epoch, lane), 0)),
            )
        }


def newest(path: Path) -> dict[Key, int]:
    """The last sequence number that was ever given in each lane."""
    with copied(path) as db:
        (gateway,) = db.execute("SELECT gateway FROM identity").fetchone()
        if _has_epochs(db):
            rows = db.execute(
                "SELECT e.name, l.name, l.next_seq FROM lane l JOIN epoch e ON e.id = l.epoch"
            ).fetchall()
        else:
            (epoch,) = db.execute("SELECT epoch FROM identity").fetchone()
            rows = [
                (epoch, lane, seq) for lane, seq in db.execute("SELECT lane, next_seq FROM lane").fetchall()
            ]
        return {(gateway, epoch, lane): seq - 1 for epoch, lane, seq in rows}


def is_sound(path: Path) -> str:
    """SQLite's own verdict on the file: "ok", or what is wrong."""
    with copied(path) as db:
        return str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])


def chain_breaks(path: Path) -> int:
    """Records whose hash does not lead from the record before them to their own head (docs/wire.md, "A batch")."""
    with copied(path) as db:
        broken = 0
        for lane, _, _ in _lanes(db):
            before_seq, before = 0, b""
            for seq, at_us, boot, mono_us, clock, body, head in db.execute(
                "SELECT seq, at_us, boot, mono_us, clock, body, head FROM record WHERE lane = ? ORDER BY seq",
                (lane,),
            ):
                record = pack([seq, at_us, boot, mono_us, clock]) + body
                digest = hashlib.sha256(record).digest()
                if before_seq and seq == before_seq + 1:
                    broken += hashlib.sha256(before + seq.to_bytes(8, "big") + digest).digest() != head
                before_seq, before = seq, head
        return broken


def epochs(path: Path) -> int:
    with copied(path) as db:
        return len({epoch for _, epoch, _ in _lanes(db)})


def counter_of(body: bytes, metric: int) -> tuple[str, int] | None:
    """(device, steps) of one metric of a frame; None for another kind, or where it has no value."""
    said = unpack(body)
    if said["kind"] != "frame" or metric not in said["metrics"]:
        return None
    steps = said["values"][said["metrics"].index(metric)]
    return None if steps is None else (said["device"], steps)


def _lanes(db: sqlite3.Connection) -> list[tuple[int | str, str, str]]:
    if _has_epochs(db):
        query = "SELECT l.id, e.name, l.name FROM lane l JOIN epoch e ON e.id = l.epoch"
        return db.execute(query).fetchall()
    (epoch,) = db.execute("SELECT epoch FROM identity").fetchone()
    return [(lane, epoch, lane) for (lane,) in db.execute("SELECT lane FROM lane").fetchall()]


def _has_epochs(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'epoch'").fetchone() is not None
