"""Where a record lies in time when its gateway's clock could not be trusted.

An anchor that a trusted clock wrote says how wall time and time since boot stood to each other; with it every record
of the same boot has a time. The ledger keeps what was signed; only what is made from it uses the placed time.
Placing depends on the record and on the anchors known, never on the order in which they came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest
from typing import Final, Protocol

from plumbline.clock import TRUSTED, Trust
from plumbline.messages import Anchor, Record
from plumbline.sense import LATEST_US
from plumbline_central.project import LedgerRow

TOLERATED_US: Final = 500_000
"""A time that is no further off than this stays as it was signed."""
MOST_FIXES: Final = 256
"""Of one boot; a gateway may write as many anchors as it likes, and each would cost every record to be placed."""
_FURTHEST: Final = 1 << 63


class Dated(Protocol):
    """What placing asks of a record."""

    @property
    def at_us(self) -> int: ...
    @property
    def mono_us(self) -> int: ...
    @property
    def clock(self) -> Trust: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The times of a record, where its body is kept elsewhere."""

    at_us: int
    mono_us: int
    clock: Trust


Boot = tuple[str, str]
"""A gateway and one of its boots."""


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """At `mono_us` after boot, wall time was `mono_us + offset_us`: a trusted clock said so."""

    mono_us: int
    offset_us: int


Fixes = tuple[Fix, ...]
"""The fixes of one boot, ascending, no two at the same time since boot, `MOST_FIXES` at most."""


def fix_of(record: Record) -> Fix | None:
    """What other records can be placed by, if `record` is that: an anchor of a synchronised clock, true to itself."""
    body = record.body
    if not isinstance(body, Anchor) or record.clock != "synced":
        return None
    if abs(record.mono_us + body.offset_us - record.at_us) > TOLERATED_US:
        return None
    return Fix(record.mono_us, body.offset_us)


def with_fixes(known: Fixes, new: Iterable[Fix]) -> Fixes:
    """All of them; of two that contradict each other at the same time since boot, the lower offset.

    Beyond `MOST_FIXES` the earliest, the latest, and of the others those whose time since boot has the lowest hash:
    spread evenly, and the same whatever the order in which they came, for what falls out once can never come back in.
    """
    by_mono = {fix.mono_us: fix for fix in sorted({*known, *new}, reverse=True)}
    kept = sorted(by_mono.values())
    if len(kept) > MOST_FIXES:
        kept = [kept[0], *sorted(nsmallest(MOST_FIXES - 2, kept[1:-1], key=_lot)), kept[-1]]
    return tuple(kept)


def place(record: Dated, fixes: Fixes) -> int | None:
    """Microseconds since 1970 at which `record` belongs; None: nobody can say yet.

    A trusted clock's own word stands. Otherwise the nearest fix decides, of two equally near the later one. Without
    any, a clock that was never set says nothing, and one that may be right is taken at its word.
    """
    if record.clock in TRUSTED:
        return record.at_us
    own = None if record.clock == "unset" else record.at_us
    if not fixes:
        return own
    placed = record.mono_us + _nearest(record.mono_us, fixes).offset_us
    if not 0 <= placed < LATEST_US:
        return own
    return own if own is not None and abs(placed - own) <= TOLERATED_US else placed


def learnt(row: LedgerRow) -> dict[Boot, list[Fix]]:
    """What one ledger row says of its gateway's clock, by boot."""
    found: dict[Boot, list[Fix]] = {}
    for record in row.records:
        if isinstance(record.body, Anchor) and (fix := fix_of(record)) is not None:
            found.setdefault((row.gateway, record.boot), []).append(fix)
    return found


def touched(before: Fixes, after: Fixes) -> tuple[int, int]:
    """From when until when since boot (both included) records may lie elsewhere with the fixes that came or went."""
    low, high = _FURTHEST, -_FURTHEST
    for known, others in ((before, {*after} - {*before}), (after, {*before} - {*after})):
        for fix in others:
            i = bisect_left(known, Fix(fix.mono_us, -_FURTHEST))
            n = i + (i < len(known) and known[i].mono_us == fix.mono_us)
            if known and all(near.offset_us == fix.offset_us for near in known[max(0, i - 1) : n + 1]):
                continue  # it says what those around it say
            low = min(low, (known[i - 1].mono_us + fix.mono_us) // 2 if i else -_FURTHEST)
            high = max(high, _FURTHEST if n == len(known) else (fix.mono_us + known[n].mono_us) // 2 + 1)
    return low, high


def in_64_bits(span: tuple[int, int]) -> tuple[int, int]:
    """`touched`, as SQLite can take it."""
    low, high = span
    return min(max(low, -_FURTHEST), _FURTHEST - 1), max(min(high, _FURTHEST - 1), -_FURTHEST)


def _lot(fix: Fix) -> bytes:
    return blake2b(fix.mono_us.to_bytes(16, signed=True), digest_size=8).digest()


def _nearest(mono_us: int, fixes: Fixes) -> Fix:
    i = bisect_left(fixes, Fix(mono_us, -_FURTHEST))
    if i == len(fixes):
        return fixes[-1]
    if i == 0:
        return fixes[0]
    return fixes[i - 1] if mono_us - fixes[i - 1].mono_us < fixes[i].mono_us - mono_us else fixes[i]
