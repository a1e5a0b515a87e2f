"""Walks the whole ledger and says whether it is what the gateways signed, complete and unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from plumbline import codec, ranges
from plumbline.errors import Refused
from plumbline.messages import Lane
from plumbline.ranges import Ranges
from plumbline_central.continuity import Link, Neighbour, conflict
from plumbline_central.ingest import check_signature
from plumbline_central.ledger import LaneKey, Ledger, Row
from plumbline_central.registry import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFault:
    """Where a lane first fails: at record `seq`, in ledger row `row` (None: not in one row)."""

    gateway: str
    epoch: str
    lane: Lane
    seq: int
    row: int | None
    why: str

    def __str__(self) -> str:
        return f"{self.gateway}/{self.epoch}/{self.lane}: record {self.seq}: {self.why}"


@dataclass(slots=True, kw_only=True)
class Report:
    """What was walked, and each lane's first fault."""

    lanes: int = 0
    batches: int = 0
    records: int = 0
    missing: int = 0
    faults: list[LaneFault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults


def verify(ledger: Ledger, enrolled: Callable[[str], Gateway | None]) -> Report:
    """Check every lane: signatures, chain inside and between batches, each record stored once.

    Holes are counted in `missing` and are no fault: their records may still be on their way.
    """
    report = Report()
    with ledger.snapshot():  # a service may be writing
        for lane in ledger.lanes():
            report.lanes += 1
            fault = _walk(ledger, lane, enrolled(lane[0]), report)
            if fault is not None:
                report.faults.append(fault)
    return report


def _walk(ledger: Ledger, lane: LaneKey, gateway: Gateway | None, report: Report) -> LaneFault | None:
    covered = ledger.coverage(*lane)
    if covered:
        report.missing += ranges.size(ranges.missing(covered, (1, covered[-1][1])))
    taken: Ranges = ()
    near: list[Neighbour] = []
    for row in ledger.rows(*lane):
        near = [neighbour for neighbour in near if neighbour[0].last >= row.link.first - 1]
        why = _fault_of(row, lane, gateway, near) or _twice(row, taken)
        if why is not None:
            return _fault(lane, row.link.first, row.id, why)
        near.append((row.link, partial(codec.open_batch, row.payload)))
        for part in row.taken:
            taken = ranges.add(taken, part)
            report.records += ranges.size((part,))
        report.batches += 1
    if taken != covered:
        return _fault(
            lane, _first_difference(taken, covered), None, "the ledger's coverage and its rows differ"
        )
    return None


def _fault_of(row: Row, lane: LaneKey, gateway: Gateway | None, near: list[Neighbour]) -> str | None:
    if gateway is None:
        return f"gateway {lane[0]!r} is not enrolled"
    try:
        batch = codec.open_batch(row.payload)
        check_signature(batch, gateway)
    except Refused as why:
        return str(why)
    if (batch.gateway, batch.epoch, batch.lane) != lane or batch.site != gateway.site:
        return "the row is filed under another lane than was signed"
    if row.link != Link(batch.first, batch.last, batch.prev, batch.head):
        return "the row's range or heads are not those that were signed"
    return conflict(batch, near)


def _twice(row: Row, taken: Ranges) -> str | None:
    for first, last in row.taken:
        if not row.link.first <= first <= last <= row.link.last:
            return "the row counts records that its batch does not hold"
        if ranges.missing(taken, (first, last)) != ((first, last),):
            return "the row counts a record that another row has"
    return None


def _first_difference(one: Ranges, other: Ranges) -> int:
    """The lowest number that is in one of the two only."""
    lacking = [ranges.missing(b, part) for a, b in ((one, other), (other, one)) for part in a]
    return min(first for found in lacking for first, _ in found)


def _fault(lane: LaneKey, seq: int, row: int | None, why: str) -> LaneFault:
    return LaneFault(gateway=lane[0], epoch=lane[1], lane=lane[2], seq=seq, row=row, why=why)
