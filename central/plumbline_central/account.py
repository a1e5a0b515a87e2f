"""Whether central's books balance: what came, what is kept, what was made of it, and what lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from plumbline.ranges import Ranges
from plumbline_central import ledger as ledgers
from plumbline_central.gaps import Declared, Gap, LaneKey, declared_in, gaps, lacking
from plumbline_central.ledger import Ledger
from plumbline_central.project import Counted, Tally
from plumbline_central.stores.gaps import GapStore

_ROWS_AT_ONCE: Final = 64
_NOTHING: Final[Sequence[Declared]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected:
    """What one projection made of the stored records: stored = applied + passed over + behind."""

    through: int
    """The last ledger row it has seen."""
    applied: int | None
    """None: it began before anybody counted; a rebuild counts anew."""
    passed_over: int
    behind: int
    balanced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it, for people and programs."""

    counters: Mapping[str, int]
    rows: int
    projections: Mapping[str, Projected]
    equations: Mapping[str, bool]
    """What must be equal, and whether it is."""
    missing: int
    """Records that lack and that no gateway has declared as gone."""
    declared_missing: int
    ledger_bytes: int
    archive_bytes: int
    segments: int

    @property
    def balanced(self) -> bool:
        return all(self.equations.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What lacks of one lane, and of what that was counted."""

    gateway: str
    have: Ranges
    words: Sequence[Declared]
    missing: int
    declared: int


class Books:
    """The ledger's account, together with those of the projections that follow it."""

    def __init__(self, ledger: Ledger, projections: Sequence[Counted], gap_store: GapStore) -> None:
        self._ledger = ledger
        self._projections = projections
        self._gap_store = gap_store
        self._counts: dict[LaneKey, _Counted] = {}

    def gaps(self, *, read_on: bool = False) -> list[Gap]:
        """Everything that central lacks, by gateway, epoch and lane, with the reason where one was given.

        With `read_on` also reasons that the projection of gaps has yet to reach; that may take as long as it will.
        """
        through = self._gap_store.tally().through
        declared = self._gap_store.declared()  # before the ledger: what comes meanwhile does not lack
        if read_on:
            declared += _declared_after(self._ledger, through)
        return list(gaps(self._ledger.covered(), declared))

    def each_gap(self) -> Iterator[Gap]:
        """What `gaps` tells, one after the other."""
        declared = self._gap_store.by_lane()
        words = (one for lane in sorted(declared) for one in declared[lane])
        return gaps(self._ledger.covered(), words)

    def lacking(self) -> dict[str, tuple[int, int]]:
        """By gateway: how many records lack without a word, and how many it declared as gone."""
        found: dict[str, tuple[int, int]] = {}
        for lane in self._counted():
            missing, gone = found.get(lane.gateway, (0, 0))
            found[lane.gateway] = (missing + lane.missing, gone + lane.declared)
        return found

    def _counted(self) -> list[_Counted]:
        """Of each lane; only those are counted again of which something came or was declared."""
        said = self._gap_store.by_lane()  # before the ledger: what comes meanwhile does not lack
        covered = self._ledger.covered()
        counts: dict[LaneKey, _Counted] = {}
        for lane in covered.keys() | said.keys():
            have, words = covered.get(lane, ("", ()))[1], said.get(lane, _NOTHING)
            known = self._counts.get(lane)
            if known is None or known.words is not words or known.have != have:
                known = _count(lane[0], have, words)
            counts[lane] = known
        self._counts = counts
        return list(counts.values())

    def standing(self) -> Standing:
        """How all of it stands now. A service may go on working meanwhile."""
        tallies = {
            one.name: one.tally() for one in self._projections
        }  # first: the ledger is never behind them
        account = self._ledger.account(tally.through for tally in tallies.values())
        projections = {name: projected(tally, account) for name, tally in tallies.items()}
        counted = self.lacking().values()
        segments = self._ledger.segments()
        return Standing(
            counters=account.counters,
            rows=account.last_id,
            projections=projections,
            equations=equations(account, projections),
            missing=sum(missing for missing, _ in counted),
            declared_missing=sum(declared for _, declared in counted),
            ledger_bytes=self._ledger.size_bytes(),
            archive_bytes=sum(segment.bytes for segment in segments),
            segments=len(segments),
        )


def _count(gateway: str, have: Ranges, words: Sequence[Declared]) -> _Counted:
    missing = declared = 0
    for first, last, word in lacking(have, words):
        records = 0 if last is None else last - first + 1
        if word is None:
            missing += records
        else:
            declared += records
    return _Counted(gateway=gateway, have=have, words=words, missing=missing, declared=declared)


def _declared_after(ledger: Ledger, row_id: int) -> Iterator[Declared]:
    while rows := ledger.read(row_id, _ROWS_AT_ONCE):
        for row in rows:
            for record in row.records:
                declared = declared_in(row.site, row.gateway, row.epoch, record)
                if declared is not None:
                    yield declared
        row_id = rows[-1].id


def projected(tally: Tally, account: ledgers.Account) -> Projected:
    behind = account.after[tally.through]
    return Projected(
        through=tally.through,
        applied=tally.applied,
        passed_over=tally.passed_over,
        behind=behind,
        balanced=tally.applied is None or account.stored == tally.applied + tally.passed_over + behind,
    )


def equations(account: ledgers.Account, projections: Mapping[str, Projected]) -> dict[str, bool]:
    """What must be equal, in words, and whether it is."""
    counters = account.counters
    found = {
        f"{what} received = stored + duplicate + refused": counters[f"{what}_received"]
        == counters[f"{what}_stored"] + counters[f"{what}_duplicate"] + counters[f"{what}_refused"]
        for what in ("batches", "records")
    }
    found["batches stored = rows"] = counters["batches_stored"] == account.last_id
    found["records stored = covered"] = account.stored == account.covered
    for name, one in projections.items():
        found[f"stored = {name} applied + passed over + behind"] = one.balanced
    return found
