"""Walks the whole ledger and says whether it is what the gateways signed, complete and unchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final

from plumbline import chain, codec, ranges
from plumbline.errors import Refused
from plumbline.messages import Lane
from plumbline.ranges import Range, Ranges
from plumbline_central.continuity import Link, Neighbour, conflict, heads
from plumbline_central.gaps import Declared, declared_in, lacking
from plumbline_central.ingest import check_signature
from plumbline_central.ledger import LaneKey, Ledger, Row
from plumbline_central.registry import Gateway

_HEADS_REMEMBERED: Final = 4
"""Of how many stored batches: the rows inside a long one are all compared with it, and it is opened once for them."""


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
    """Records that lack without a word: they may still be on their way."""
    declared_missing: int = 0
    """Records that lack because their gateway says, under its signature, that they are gone."""
    segments: int = 0
    altered_segments: list[str] = field(default_factory=list)
    faults: list[LaneFault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults and not self.altered_segments


@dataclass(frozen=True, slots=True)
class _Word:
    """A declared gap, and where it was said."""

    declared: Declared
    lane: LaneKey
    seq: int
    row: int


def verify(
    ledger: Ledger,
    enrolled: Callable[[str], Gateway | None],
    on_step: Callable[[int], None] = lambda _: None,
) -> Report:
    """Check every lane: archive files, signatures, chain inside and between batches and across declared gaps, each
    record stored once.

    Holes that no gap record explains are counted in `missing` and are no fault: their records may still be on their
    way. `on_step` is given the number of batches walked so far. Raises ConfigError where an archive file is away.
    """
    report = Report()
    words: list[_Word] = []
    covered: dict[LaneKey, Ranges] = {}
    with ledger.snapshot():  # a service may be writing
        for segment in ledger.segments():
            report.segments += 1
            altered = ledger.why_altered(segment)
            if altered is not None:
                report.altered_segments.append(altered)
        for lane in ledger.lanes():
            report.lanes += 1
            covered[lane] = ledger.coverage(*lane)
            try:
                fault = _walk(ledger, lane, enrolled(lane[0]), report, words, on_step)
            except Refused as damaged:
                fault = _fault(lane, 1, None, str(damaged))
            if fault is not None:
                report.faults.append(fault)
        _bridge(ledger, covered, words, report)
    return report


def _bridge(ledger: Ledger, covered: dict[LaneKey, Ranges], words: list[_Word], report: Report) -> None:
    """Count what lacks, and compare what the declared gaps say of the chain with what is stored and with each other."""
    by_lane: dict[LaneKey, list[_Word]] = {}
    for word in words:
        by_lane.setdefault(word.declared.key, []).append(word)
    faulty = {(fault.gateway, fault.epoch, fault.lane) for fault in report.faults}
    for lane in sorted(covered.keys() | by_lane.keys()):
        said = by_lane.get(lane, [])
        for first, last, by in lacking(covered.get(lane, ()), [word.declared for word in said]):
            if last is None:
                continue  # nobody knows how many
            if by is not None:
                report.declared_missing += last - first + 1
            else:
                report.missing += last - first + 1
        fault = None if lane in faulty else _contradiction(ledger, lane, said)
        if fault is not None:
            report.faults.append(fault)


def _contradiction(ledger: Ledger, lane: LaneKey, said: list[_Word]) -> LaneFault | None:
    """The first place in `lane` where a declared gap and the chain, or two declared gaps, tell different stories.

    Where the heads at both ends agree, whatever follows the gap stands on what came before it.
    """
    ends = [
        (word, seq, head)
        for word in sorted(said, key=lambda word: word.declared.first)
        for seq, head in (
            (word.declared.first - 1, word.declared.prev),
            (word.declared.last, word.declared.head),
        )
        if seq is not None and head
    ]
    known = ledger.heads_after(lane, (seq for _, seq, _ in ends)) | {0: chain.start(*lane)}
    for word, seq, head in ends:
        if known.setdefault(seq, head) != head:
            gateway, epoch, name = word.lane
            where = f"the gap record {gateway}/{epoch}/{name}/{word.seq} (row {word.row})"
            return _fault(
                lane, max(seq, 1), word.row, f"{where} tells another chain after record {seq} than is known"
            )
    return None


def _walk(
    ledger: Ledger,
    lane: LaneKey,
    gateway: Gateway | None,
    report: Report,
    words: list[_Word],
    on_step: Callable[[int], None],
) -> LaneFault | None:
    covered = ledger.coverage(*lane)
    settled: list[Range] = []
    taken: Ranges = ()
    near: list[Neighbour] = []
    told = lru_cache(_HEADS_REMEMBERED)(lambda payload: heads(codec.open_batch(payload)))
    for row in ledger.rows(*lane):
        while (
            taken and taken[0][1] < row.link.first - 1
        ):  # no later row can touch it: a holed lane stays cheap
            settled.append(taken[0])
            taken = taken[1:]
        near = [neighbour for neighbour in near if neighbour[0].last >= row.link.first - 1]
        checked = _checked(row, lane, gateway, near)
        why = checked if isinstance(checked, str) else _twice(row, taken)
        if why is not None or isinstance(checked, str):
            return _fault(lane, row.link.first, row.id, why or "")
        near.append((row.link, partial(told, row.payload)))
        for part in row.taken:
            taken = ranges.add(taken, part)
            report.records += ranges.size((part,))
        words += [
            _Word(declared, lane, record.seq, row.id)
            for record in checked.records
            if (declared := declared_in(checked.site, lane[0], lane[1], record)) is not None
        ]
        report.batches += 1
        on_step(report.batches)
    taken = (*settled, *taken)
    if taken != covered:
        return _fault(
            lane, _first_difference(taken, covered), None, "the ledger's coverage and its rows differ"
        )
    return None


def _checked(row: Row, lane: LaneKey, gateway: Gateway | None, near: list[Neighbour]) -> codec.Batch | str:
    """The row's batch, or why it cannot be trusted."""
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
    return conflict(batch, near) or batch


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
    split = one[0][0] if one else 1  # the same numbers, cut otherwise
    return min((first for found in lacking for first, _ in found), default=split)


def _fault(lane: LaneKey, seq: int, row: int | None, why: str) -> LaneFault:
    return LaneFault(gateway=lane[0], epoch=lane[1], lane=lane[2], seq=seq, row=row, why=why)
