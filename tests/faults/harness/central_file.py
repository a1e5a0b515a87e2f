"""Central's ledger file to records, read as docs/wire.md says; imports nothing of the product."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from harness.msgpack import unpack

Key = tuple[str, str, str]
"""(gateway, epoch, lane)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One record as central has it."""

    key: Key
    seq: int
    at_us: int
    received_us: int
    kind: str
    device: str = ""
    values: dict[int, int | None] = field(default_factory=dict)
    """Steps by metric code, frames only."""
    body: dict[str, Any] = field(default_factory=dict)
    """All other kinds."""


def read_ledger(path: Path) -> list[Kept]:
    """Every record in the ledger at `path`, those that came again left out as the ledger itself says."""
    return [kept for row in _rows(path) for kept in _records(*row)]


def count_covered(path: Path) -> dict[Key, int]:
    """How many records of each lane there are, from the rows' own ranges; quick, decodes nothing."""
    counts: dict[Key, int] = defaultdict(int)
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'batch'").fetchone():
            return {}  # it has only just been made
        for gateway, epoch, lane, first, last, taken in db.execute(
            "SELECT gateway, epoch, lane, first, last, taken FROM batch"
        ):
            counts[gateway, epoch, lane] += sum(b - a + 1 for a, b in _taken(taken, first, last))
    finally:
        db.close()
    return dict(counts)


def seqs(kept: Iterable[Kept]) -> dict[Key, Counter[int]]:
    """How often each sequence number of each lane is there."""
    found: dict[Key, Counter[int]] = defaultdict(Counter)
    for one in kept:
        found[one.key][one.seq] += 1
    return found


def declared(kept: Iterable[Kept]) -> dict[Key, list[tuple[int, int | None]]]:
    """What gateways said is gone, by lane: (first, last), last None for all that is not there from first on."""
    found: dict[Key, list[tuple[int, int | None]]] = defaultdict(list)
    for one in kept:
        if one.kind == "gap":
            gateway, epoch, _ = one.key
            body = one.body
            key = (gateway, body.get("epoch") or epoch, body["lane"])
            found[key].append((body["first"], body["last"] or None))
    return found


def _rows(path: Path) -> Iterator[tuple[int, bytes, str | None]]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield from db.execute("SELECT received_us, payload, taken FROM batch ORDER BY id").fetchall()
    finally:
        db.close()


def _records(received_us: int, payload: bytes, taken: str | None) -> Iterator[Kept]:
    _, _, gateway, epoch, lane, first, last, _, _, _, _, packed = unpack(payload)
    at_us, mono_us, _, _, order, groups, others = unpack(zlib.decompress(packed))
    if not len(order) == len(at_us) == len(mono_us) == last - first + 1:
        raise ValueError(f"batch {first}..{last} of {gateway} does not hold what it announces")
    counts = Counter(order)
    frames = [_frames(group, counts[i]) for i, group in enumerate(groups)]
    rest = iter(others)
    mine = _taken(taken, first, last)
    for seq, at, place in zip(range(first, last + 1), accumulate(at_us), order, strict=True):
        if place >= 0:
            device, values = next(frames[place])
            said: dict[str, Any] = {"kind": "frame", "device": device, "values": values}
        else:
            body = unpack(next(rest))
            said = {"kind": body["kind"], "body": body}
        if any(a <= seq <= b for a, b in mine):
            yield Kept(key=(gateway, epoch, lane), seq=seq, at_us=at, received_us=received_us, **said)


def _taken(text: str | None, first: int, last: int) -> list[tuple[int, int]]:
    return [(first, last)] if text is None else [(a, b) for a, b in json.loads(text)]


def _frames(group: list[Any], count: int) -> Iterator[tuple[str, dict[int, int | None]]]:
    device, metrics, steps, _ = group
    columns = [_column(steps[i * count : (i + 1) * count]) for i in range(len(metrics))]
    for row in range(count):
        yield device, {code: column[row] for code, column in zip(metrics, columns, strict=True)}


def _column(differences: list[int | None]) -> list[int | None]:
    before, values = 0, []
    for step in differences:
        if step is None:
            values.append(None)
        else:
            before += step
            values.append(before)
    return values
