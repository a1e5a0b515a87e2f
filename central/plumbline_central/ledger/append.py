"""What becomes of a group of arrivals inside one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from plumbline import ranges
from plumbline.errors import Refused
from plumbline.ranges import Ranges
from plumbline.topics import GatewayTopics
from plumbline_central.continuity import conflict
from plumbline_central.ledger import across, coverage, tables
from plumbline_central.ledger.archive import Archive, Away
from plumbline_central.ledger.rows import COUNTERS, Arrival, DeadLetter, LaneKey, Outcome, only, taken_text
from plumbline_central.ledger.tails import Tails, fitting, joined, lengthened
from plumbline_central.project import LedgerRow

_DEAD_LETTER_BYTES: Final = 64 * 1024
_DEAD_LETTERS: Final = 10_000


@dataclass(slots=True, kw_only=True)
class Group:
    """The transaction in progress: what it found and what it will leave.

    A batch that lengthens a known tail costs no query. Rows and longer islands wait for `finish`, or for the first
    batch that must look at the tables.
    """

    db: sqlite3.Connection
    archive: Archive
    known: Mapping[LaneKey, Tails]
    next_id: int
    tails: dict[LaneKey, Tails] = field(default_factory=dict)
    """What `known` becomes once this is committed."""
    rows: list[LedgerRow] = field(default_factory=list)
    _waiting: list[tuple[Any, ...]] = field(default_factory=list)
    _longer: dict[tuple[LaneKey, int], int] = field(default_factory=dict)
    """Islands by lane and first record, with their new last one."""
    _counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    def take(self, arrival: Arrival) -> Outcome:
        batch, lane = arrival.batch, arrival.lane
        first, last = batch.first, batch.last
        self._counts["records_received"] += last - first + 1
        tails = self._tails_of(lane)
        tail = fitting(tails, first, last, batch.prev)
        if tail is None:
            return self._compare_and_take(arrival, lane, first, last)
        self.tails[lane] = lengthened(tails, tail, last, batch.head)
        self._longer[lane, tail.first] = last
        return self._keep(arrival, lane, first, last, ((first, last),))

    def finish(
        self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome], dead: Sequence[DeadLetter]
    ) -> None:
        """Write what waits: rows, islands, dead letters, counters."""
        self._write_what_waits()
        _bury(self.db, [*dead, *_refused(arrivals, outcomes)])
        self._counts["batches_received"] = len(arrivals) + len(dead)
        self._counts["batches_refused"] = len(dead)
        for outcome in outcomes:
            self._counts[f"batches_{_counted_as(outcome)}"] += 1
        self.db.executemany(
            "INSERT INTO counter VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            [(name, count) for name, count in self._counts.items() if count],
        )

    def _tails_of(self, lane: LaneKey) -> Tails:
        tails = self.tails.get(lane)
        return self.known.get(lane, ()) if tails is None else tails

    def _compare_and_take(self, arrival: Arrival, lane: LaneKey, first: int, last: int) -> Outcome:
        self._write_what_waits()
        batch, count = arrival.batch, last - first + 1
        try:
            why = conflict(batch, across.neighbours(self.db, self.archive, lane, first, last))
        except Away as away:
            self._counts["records_refused"] += count
            return Outcome(
                status="deferred", why=f"{away}: records {first}..{last} cannot be compared with it"
            )
        except Refused as unreadable:  # a disk's bad day: refused, the gateway would never send it again
            self._counts["records_refused"] += count
            return Outcome(
                status="deferred", why=f"what is stored beside it cannot be read now: {unreadable}"
            )
        if why is not None:
            self._counts["records_refused"] += count
            return Outcome(status="refused", why=why)
        touched = coverage.touching(self.db, lane, (first, last))
        taken = ranges.missing(touched, (first, last))
        self._counts["records_duplicate"] += count - ranges.size(taken)
        if not taken:
            return Outcome(status="duplicate")
        (island,) = ranges.add(touched, (first, last))
        coverage.join(self.db, lane, touched, island)
        room = coverage.next_after(self.db, lane, island[1])
        self.tails[lane] = joined(self._tails_of(lane), island, last=last, head=batch.head, room=room)
        return self._keep(arrival, lane, first, last, taken)

    def _keep(self, arrival: Arrival, lane: LaneKey, first: int, last: int, taken: Ranges) -> Outcome:
        batch, row_id = arrival.batch, self.next_id
        self.next_id += 1
        whole = taken == ((first, last),)
        self._counts["records_stored"] += last - first + 1 if whole else ranges.size(taken)
        text = None if whole else taken_text(taken)
        self._waiting.append(
            (
                row_id,
                arrival.received_us,
                batch.site,
                *lane,
                first,
                last,
                batch.prev,
                batch.head,
                arrival.payload,
                text,
            )
        )
        gateway, epoch, name = lane
        self.rows.append(
            LedgerRow(
                id=row_id,
                received_us=arrival.received_us,
                site=batch.site,
                gateway=gateway,
                epoch=epoch,
                lane=name,
                records=batch.records if whole else only(batch.records, taken),
            )
        )
        return Outcome(status="stored", row_id=row_id, taken=taken)

    def _write_what_waits(self) -> None:
        if self._waiting:
            self.db.executemany(tables.INSERT, self._waiting)
            self._waiting.clear()
        if self._longer:
            self.db.executemany(
                "UPDATE coverage SET last = ? WHERE gateway = ? AND epoch = ? AND lane = ? AND first = ?",
                [(last, *lane, first) for (lane, first), last in self._longer.items()],
            )
            self._longer.clear()


class Uncached(Group):
    """The same without memory of tails: every batch asks the tables. What `Group` does is tested against it."""

    def _tails_of(self, lane: LaneKey) -> Tails:  # noqa: ARG002 - Group's signature
        return ()


def next_id(db: sqlite3.Connection) -> int:
    """Ids go on after the highest that ever was: rows of the archive have left the table."""
    (last,) = db.execute(
        "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'batch'), 0),"
        " coalesce((SELECT max(id) FROM batch), 0))"
    ).fetchone()
    return int(last) + 1


def _counted_as(outcome: Outcome) -> str:
    return "refused" if outcome.status == "deferred" else outcome.status


def _refused(arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> Iterator[DeadLetter]:
    for arrival, outcome in zip(arrivals, outcomes, strict=True):
        if outcome.status == "refused":
            yield DeadLetter(
                received_us=arrival.received_us,
                topic=GatewayTopics(arrival.batch.site, arrival.batch.gateway).up,
                payload=arrival.payload,
                why=outcome.why,
            )


def _bury(db: sqlite3.Connection, letters: Sequence[DeadLetter]) -> None:
    if not letters:
        return
    db.executemany(
        "INSERT INTO dead_letter (received_us, topic, why, size_bytes, payload) VALUES (?, ?, ?, ?, ?)",
        [(x.received_us, x.topic, x.why, len(x.payload), x.payload[:_DEAD_LETTER_BYTES]) for x in letters],
    )
    db.execute("DELETE FROM dead_letter WHERE id <= (SELECT max(id) FROM dead_letter) - ?", (_DEAD_LETTERS,))
