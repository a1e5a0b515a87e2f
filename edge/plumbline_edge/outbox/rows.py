"""The values that go into the outbox and come out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

from plumbline import ranges
from plumbline.clock import Trust
from plumbline.errors import PlumblineError, Unreachable
from plumbline.messages import Body, Lane, Record
from plumbline.ranges import Ranges

LANES: Final[tuple[Lane, ...]] = get_args(Lane)
Stream = tuple[str, Lane]
"""(epoch, lane). After a damaged file, lanes of an older epoch may still have records to send."""


class Damaged(PlumblineError):
    """The outbox's file is not what was written; opening it again salvages what can be read."""


class RolledBack(Damaged):
    """The file is sound and yet older than what was sent from it; opening it again begins a new epoch."""


class CardFull(Unreachable):
    """There is no room, in the file's bound or on the card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A moment by both clocks, in microseconds, and how far the wall clock was to be trusted then."""

    at_us: int
    boot: str
    mono_us: int
    clock: Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A record before it has its place in a lane."""

    lane: Lane
    at_us: int
    boot: str
    mono_us: int
    clock: Trust
    body: Body

    @classmethod
    def at(cls, stamp: Stamp, lane: Lane, body: Body) -> Draft:
        return cls(
            lane=lane,
            at_us=stamp.at_us,
            boot=stamp.boot,
            mono_us=stamp.mono_us,
            clock=stamp.clock,
            body=body,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Consecutive records of one lane with the chain's heads before and after them."""

    epoch: str
    lane: Lane
    prev: bytes
    head: bytes
    records: tuple[Record, ...]
    bodies: tuple[bytes, ...]
    """The records' canonical body bytes, as they were hashed."""

    @property
    def first(self) -> int:
        return self.records[0].seq

    @property
    def last(self) -> int:
        return self.records[-1].seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the outbox may take on the card.

    `max_bytes` bounds file, write-ahead log and ballast together. `keep_acknowledged_s`: how long what central has
    stays here, for a centre that lost its own. `max_age_s`: after that even what central never got goes, declared.
    """

    max_bytes: int = 512 << 20
    keep_acknowledged_s: float = 7 * 86_400.0
    max_age_s: float = 400 * 86_400.0

    @property
    def ballast_bytes(self) -> int:
        """Kept free by a file, since on a full card SQLite cannot even delete."""
        return min(4 << 20, self.max_bytes // 8)

    @property
    def wal_bytes(self) -> int:
        """What the write-ahead log may grow to."""
        return min(4 << 20, self.max_bytes // 4)

    @property
    def file_bytes(self) -> int:
        return self.max_bytes - self.ballast_bytes - self.wal_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneState:
    """How far a lane was written and acknowledged, and what is on the card for it."""

    epoch: str
    lane: Lane
    last: int
    acknowledged: Ranges
    parked_ranges: Ranges
    cut: Ranges
    """Records that are no longer here: acknowledged and pruned, or gone with a gap record that says so."""
    oldest_unacknowledged_us: int | None

    @property
    def settled(self) -> Ranges:
        """What needs no sending again."""
        return ranges.union(self.acknowledged, self.parked_ranges, self.cut)

    @property
    def through(self) -> int:
        """All up to here is settled."""
        return ranges.through(self.settled)

    @property
    def waiting(self) -> int:
        """Records that central has not acknowledged yet."""
        return self.last - ranges.size(self.settled)

    @property
    def kept(self) -> int:
        """Records that are still here."""
        return self.last - ranges.size(self.cut)

    @property
    def parked(self) -> int:
        """Records that central refused."""
        return ranges.size(self.parked_ranges)

    @property
    def gone(self) -> int:
        """Records that left before central had acknowledged them."""
        return ranges.size(ranges.subtract(self.cut, self.acknowledged))
