"""Follows the ledger: each projection applies its rows in order, and one that fails stops no other."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Protocol

import msgspec

from plumbline.errors import Busy, PlumblineError, Unreachable
from plumbline.messages import Lane, Record

log = logging.getLogger(__name__)

_ROWS_AT_ONCE: Final = 64
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 60.0
_INDIGESTIBLE: Final = (ValueError, OverflowError, TypeError, struct.error, msgspec.MsgspecError)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """One record with where it came from; (gateway, epoch, lane, record.seq) names it for ever."""

    ledger_id: int
    site: str
    gateway: str
    epoch: str
    lane: Lane
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One batch as the ledger keeps it; `records` are those that came with it for the first time.

    `passed_over` counts those that nobody can read back or digest; `applied`, where it is set, those that were
    applied already and are not in `records` any more. `partial`: more of the same row follows, so that it neither moves
    a cursor nor counts yet.
    """

    id: int
    received_us: int
    site: str
    gateway: str
    epoch: str
    lane: Lane
    records: tuple[Record, ...]
    applied: int = 0
    passed_over: int = 0
    partial: bool = False

    def stored(self) -> Iterator[StoredRecord]:
        for record in self.records:
            yield StoredRecord(
                ledger_id=self.id,
                site=self.site,
                gateway=self.gateway,
                epoch=self.epoch,
                lane=self.lane,
                record=record,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a projection did with the records of the ledger's rows 1..`through`: applied + passed over = all of them.

    `applied` None: an older version of this service began to count in the middle; a rebuild counts anew.
    """

    through: int = 0
    applied: int | None = 0
    passed_over: int = 0

    def plus(self, rows: Sequence[LedgerRow]) -> Tally:
        """With `rows` too; those that are counted already change nothing."""
        new = [row for row in rows if row.id > self.through and not row.partial]
        if not new:
            return self
        return Tally(
            through=new[-1].id,
            applied=None
            if self.applied is None
            else self.applied + sum(row.applied + len(row.records) for row in new),
            passed_over=self.passed_over + sum(row.passed_over for row in new),
        )


class Projection(Protocol):
    """Something computed from the ledger alone, with its own durable cursor. Called from worker threads."""

    @property
    def name(self) -> str: ...

    def cursor(self) -> int:
        """The id of the last ledger row applied; 0 before the first."""
        ...

    def apply(self, rows: Sequence[LedgerRow]) -> None:
        """Take `rows`, ascending by id, and move the cursor to the last of them in the same transaction.

        Its `Tally` moves with the cursor, in that transaction too.
        """
        ...

    def reset(self) -> None:
        """Forget every effect and the cursor, so that the ledger can be replayed."""
        ...


class Counted(Protocol):
    """A projection that says what became of every record."""

    @property
    def name(self) -> str: ...

    def tally(self) -> Tally:
        """As far as it has come; what is on disk may be a little older, and is a tally of its own."""
        ...


class Readable(Protocol):
    """The ledger, as its followers see it."""

    def read(self, after_id: int, limit: int) -> Sequence[LedgerRow]:
        """Up to `limit` rows past `after_id`, ascending."""
        ...


class Follower:
    """Runs one projection: catches up at start, then goes on at each `wake`."""

    def __init__(self, ledger: Readable, projection: Projection) -> None:
        self._ledger = ledger
        self._projection = projection
        self._new_rows = asyncio.Event()
        self._failures = 0
        self.position = 0
        """The id of the last ledger row it has seen through; its durable cursor may be older."""

    @property
    def name(self) -> str:
        return self._projection.name

    def wake(self) -> None:
        """The ledger has new rows. Call it in the loop."""
        self._new_rows.set()

    async def run(self) -> None:
        """Follow for ever; a failing projection is retried, ever more slowly, from its own cursor."""
        cursor: int | None = None
        while True:
            self._new_rows.clear()
            try:
                cursor = await asyncio.to_thread(catch_up, self._ledger, self._projection, cursor)
                self.position = cursor
            except Exception as error:  # noqa: BLE001 - the top of the projection's task
                cursor = None
                await self._wait_after(error)
                continue
            if self._failures:
                log.warning("projection %s works again after %d failures", self.name, self._failures)
                self._failures = 0
            await self._new_rows.wait()

    async def _wait_after(self, error: Exception) -> None:
        self._failures += 1
        if isinstance(error, PlumblineError):
            log.log(
                logging.DEBUG if self._failures > 1 else logging.WARNING,
                "projection %s: %s",
                self.name,
                error,
            )
        else:
            log.error("projection %s failed", self.name, exc_info=error)
        pause_s = min(_FIRST_WAIT_S * 2 ** min(self._failures - 1, 10), _LONGEST_WAIT_S)
        await asyncio.sleep(max(pause_s, error.after_s) if isinstance(error, Busy) else pause_s)


def catch_up(
    ledger: Readable,
    projection: Projection,
    cursor: int | None = None,
    on_step: Callable[[int], None] = lambda _: None,
) -> int:
    """Apply all the rows there are; the new cursor. `cursor` None asks the projection where it stands."""
    at = projection.cursor() if cursor is None else cursor
    rows = ledger.read(at, _ROWS_AT_ONCE)
    with ThreadPoolExecutor(1, "ledger") as ahead:
        while rows:
            at = rows[-1].id
            whole = len(rows) == _ROWS_AT_ONCE  # then more follows, and is read while the store is at work
            coming = ahead.submit(ledger.read, at, _ROWS_AT_ONCE) if whole else None
            _apply(projection, rows)
            on_step(at)
            rows = coming.result() if coming is not None else ledger.read(at, _ROWS_AT_ONCE)
    return at


def _apply(projection: Projection, rows: Sequence[LedgerRow]) -> None:
    """Apply `rows`; a record that no code can digest is passed over, or it would hold up every site for ever."""
    try:
        projection.apply(rows)
    except _INDIGESTIBLE as error:
        if len(rows) > 1:
            for row in rows:
                _apply(projection, [row])
            return
        row = rows[0]
        if not row.records:
            raise Unreachable(f"projection {projection.name} cannot move past ledger row {row.id}") from error
        passed_over = 0
        for record in row.records:
            try:  # counted as nothing: that waits until the whole row is through
                projection.apply([replace(row, records=(record,), partial=True)])
            except _INDIGESTIBLE:
                passed_over += 1
        log.error(  # noqa: TRY400 - the error is in the line; one traceback per forged record fills the log
            "projection %s passes over %d of %d records in ledger row %d of %s: %r",
            projection.name,
            passed_over,
            len(row.records),
            row.id,
            row.gateway,
            error,
        )
        applied = len(row.records) - passed_over
        projection.apply(
            [replace(row, records=(), applied=applied, passed_over=row.passed_over + passed_over)]
        )
