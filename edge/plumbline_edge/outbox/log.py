"""The outbox as the gateway's tasks use it: durable when a method returns, bounded, one thread of its own.

One row per device poll, one commit per poll cycle. The file is plain SQLite; `sqlite-utils` reads it in the field.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self, TypeVar

from plumbline import ranges
from plumbline.clock import TRUSTED, Clock, SystemClock, boot_id, to_us
from plumbline.errors import PlumblineError
from plumbline.messages import Lane
from plumbline.ranges import Ranges
from plumbline_edge.outbox import retention, salvage
from plumbline_edge.outbox.ballast import Ballast
from plumbline_edge.outbox.mark import Mark, MarkFile, read_mark
from plumbline_edge.outbox.rows import (
    LANES,
    CardFull,
    Damaged,
    Draft,
    LaneState,
    Limits,
    RolledBack,
    Run,
    Stamp,
    Stream,
)
from plumbline_edge.outbox.sqlite import reading
from plumbline_edge.outbox.store import Store
from plumbline_edge.outbox.view import lane_states

log = logging.getLogger(__name__)

_HIGH_WATER: Final = 0.90
"""Share of its bound at which the outbox begins to make room, and the share at which it stops."""
_LOW_WATER: Final = 0.85
_STEPS_AT_ONCE: Final = 8
"""Steps of making room between which others get at the file."""
_CHECK_CALLBACKS: Final = 2_000
_CHECK_STEPS: Final = 100_000
"""How much work the check at the start may take, in SQLite's own steps: some seconds on a Pi."""
_T = TypeVar("_T")


class Outbox:
    """Opens in `async with`. Raises Damaged, from any method, where the file is not what was written."""

    def __init__(
        self, path: Path, *, gateway: str, limits: Limits | None = None, clock: Clock | None = None
    ) -> None:
        self._path = path
        self._gateway = gateway
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._boot = boot_id()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        self._ballast = Ballast(path.with_name("outbox.ballast"), self._limits.ballast_bytes)
        self._mark = MarkFile(path.with_name("outbox.mark"))
        self._heard: dict[Stream, Ranges] = {}
        self._ahead: dict[Lane, int] = {}
        self._crowded = asyncio.Event()
        self._making_room = False
        self.counters = {"outbox_squeezed": 0, "outbox_salvaged": 0}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._store = await self._run(self._open)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run(self._close)
        self._thread.shutdown()

    @property
    def epoch(self) -> str:
        """The one that is written to."""
        return self._store.epoch

    @property
    def limits(self) -> Limits:
        return self._limits

    def streams(self) -> tuple[Stream, ...]:
        """The lanes of this epoch, most urgent first, then those of older epochs that still have something to send."""
        newest: list[Stream] = [(self.epoch, lane) for lane in LANES]
        older = [
            stream
            for stream, end in self._store.lanes.items()
            if stream[0] != self.epoch
            and ranges.missing(self.settled(stream), (1, end.last or 1))
            and end.last
        ]
        return (*newest, *older)

    def last(self, stream: Stream) -> int:
        """The newest committed sequence number; 0 for a lane that there is none of."""
        end = self._store.lanes.get(stream)
        return end.last if end else 0

    def settled(self, stream: Stream) -> Ranges:
        """What never needs sending again: acknowledged, refused, or gone with a gap record that says so."""
        end = self._store.lanes.get(stream)
        if end is None:
            return ()
        acknowledged = self._heard.get(stream, ())
        if not end.cut and not end.parked:
            return acknowledged
        return ranges.union(acknowledged, end.cut, end.parked)

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Commit `drafts` in their order, in one transaction. Raises Unreachable where the card does not take it."""
        await self._run(lambda: self._append(drafts))

    async def run_in(
        self, stream: Stream, first: int, last: int, *, max_records: int, max_bytes: int
    ) -> Run | None:
        """Consecutive records, at least one, from the first that is here in `first`..`last`; None if none is."""
        return await self._run(lambda: self._run_in(stream, first, last, max_records, max_bytes))

    def acknowledge(self, stream: Stream, acknowledged: Ranges) -> None:
        """Central durably has these; they are only kept for a while from now on.

        It is written with the next commit: forgotten in a power cut, it costs central one duplicate.
        """
        end = self._store.lanes.get(stream)
        if end is not None and (not acknowledged or acknowledged[-1][1] <= end.last):
            took = ranges.subtract(acknowledged, end.parked) if end.parked else acknowledged
            self._heard[stream] = ranges.union(self._heard.get(stream, ()), took)

    def contradicted(self, stream: Stream, seq: int) -> None:
        """Central has record `seq` of this epoch, past the newest here: commits were lost that nobody noticed.

        Raises RolledBack; the next start begins a new epoch and declares what is missing up to `seq`.
        """
        self._ahead[stream[1]] = seq
        self._note_mark(self._store)
        raise RolledBack(f"central has {stream[1]} record {seq}, the outbox ends at {self.last(stream)}")

    async def park(self, stream: Stream, first: int, last: int, why: str) -> None:
        """Central will never take `first`..`last`: keep them here with the reason, stop sending them."""
        await self._run(lambda: self._park(stream, first, last, why))

    async def trim(self) -> int:
        """Let go what is old, and make room where the bound is near; how many records left the card."""
        before = await self._run(self._kept)
        while await self._run(self._drop_some_old):
            pass
        while await self._run(self._make_some_room):
            pass
        return max(before - await self._run(self._kept), 0)

    async def crowded(self) -> None:
        """Return when the bound is near and `trim` should not wait."""
        await self._crowded.wait()
        self._crowded.clear()

    async def states(self) -> tuple[LaneState, ...]:
        """How each lane stands, acknowledgements not yet written included."""
        return await self._run(self._states)

    async def used_bytes(self) -> int:
        """What records take in the file; it reuses what was freed and does not shrink."""
        return await self._run(lambda: self._store.used_bytes)

    @property
    def room_bytes(self) -> int:
        """What records may take in the file before something must go."""
        return round(self._limits.file_bytes * _HIGH_WATER)

    @property
    def bytes_added(self) -> int:
        """What was added since it was opened."""
        return self._store.bytes_added

    def size_bytes(self) -> int:
        """What file, write-ahead log and ballast take on the card."""
        names = (self._path.name, self._path.name + "-wal", "outbox.ballast")
        files = [self._path.with_name(name) for name in names]
        return sum(file.stat().st_size for file in files if file.exists())

    async def _run(self, work: Callable[[], _T]) -> _T:
        def sorted_out() -> _T:
            with reading():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._thread, sorted_out)

    def _now(self) -> Stamp:
        return Stamp(
            at_us=to_us(self._clock.wall()),
            boot=self._boot,
            mono_us=round(self._clock.mono() * 1e6),
            clock=self._clock.trust(),
        )

    def _open(self) -> Store:
        mark = read_mark(self._path.with_name("outbox.mark"))
        if mark is not None and mark.gateway != self._gateway:
            mark = None
        short = self._ballast.card_is_full and self._ballast.drop()
        if short:  # even to open a file SQLite needs some room beside it
            log.error("the card is full: the outbox gives up its ballast to open")
        try:
            store = self._open_sound(mark)
        except Damaged as why:
            log.error("outbox: %s; reading back what can be read", why)  # noqa: TRY400 - a person reads this
            salvage.order(self._path)
            salvage.carry_out(self._path, self._gateway, self._limits, mark, self._now())
            self.counters["outbox_salvaged"] += 1
            store = self._open_sound(None)
        else:
            if mark is not None and _is_behind(store, mark):
                salvage.declare_rollback(store, mark, self._now())
                self.counters["outbox_salvaged"] += 1
        if short:
            store.squeeze()
            self.counters["outbox_squeezed"] += 1
        self._heard = dict(store.written)
        self._note_mark(store)
        self._ballast.load()
        return store

    def _open_sound(self, mark: Mark | None) -> Store:
        """Raises Damaged where a salvage was ordered, SQLite's own check finds something within its time, or the file
        is not the one that was written last.
        """
        if salvage.is_ordered(self._path):
            raise Damaged("its salvage was ordered")
        store = Store.open(self._path, self._gateway, self._limits)
        try:
            _check(store.db)
            _check_identity(store, mark)
        except BaseException:
            store.close()
            raise
        return store

    def _close(self) -> None:
        try:
            with self._store.transaction() as change:
                self._store.write_acknowledged(change, self._heard)
        except PlumblineError as why:
            log.warning("the last acknowledgements were not written: %s", why)
        self._store.close()
        self._mark.close()

    def _append(self, drafts: Sequence[Draft]) -> None:
        store = self._store
        while True:
            try:
                self._commit(drafts)
            except CardFull:
                if not self._free_anything():
                    raise
            else:
                break
        self._note_mark(store)
        if store.used_bytes > _HIGH_WATER * store.room_bytes:
            self._loop.call_soon_threadsafe(self._crowded.set)

    def _commit(self, drafts: Sequence[Draft]) -> None:
        store = self._store
        with store.transaction() as change:
            store.insert(change, drafts)
            store.write_acknowledged(change, self._heard)

    def _free_anything(self) -> bool:
        """The bound, or the card's own end, is reached in the middle of a commit; whether any room could be made."""
        store = self._store
        squeezed = False
        if self._ballast.card_is_full:
            squeezed = self._ballast.drop()
            store.squeeze()
        if squeezed:
            self.counters["outbox_squeezed"] += 1
            log.error("the card is full: the outbox gives up its ballast and stays as large as it is")
        freed = squeezed
        with store.widened():
            for _ in range(_STEPS_AT_ONCE):
                if not retention.make_room(store, self._heard, self._now()):
                    break
                freed = True
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return freed

    def _make_some_room(self) -> bool:
        """A few steps; whether to go on."""
        store = self._store
        if not self._ballast.there and self._ballast.reload():
            store.unsqueeze()
        if store.used_bytes <= _HIGH_WATER * store.room_bytes and not self._making_room:
            return False
        self._making_room = True
        enough = _LOW_WATER * store.room_bytes
        with store.widened():
            for _ in range(_STEPS_AT_ONCE):
                if store.used_bytes <= enough or not retention.make_room(store, self._heard, self._now()):
                    self._making_room = False
                    break
        self._note_mark(store)
        return self._making_room

    def _drop_some_old(self) -> bool:
        """A step of what age alone lets go; whether to go on."""
        store, now, went = self._store, self._now(), False
        if now.clock in TRUSTED:
            keep_us, most_us = (
                round(seconds * 1e6) for seconds in (self._limits.keep_acknowledged_s, self._limits.max_age_s)
            )
            went = retention.prune(store, self._heard, now.at_us - keep_us) > 0
            went = retention.drop_older(store, self._heard, now, now.at_us - most_us) or went
        retention.forget_epochs(store, self._heard)
        self._note_mark(store)
        return went

    def _kept(self) -> int:
        return sum(end.last - ranges.size(end.cut) for end in self._store.lanes.values())

    def _run_in(self, stream: Stream, first: int, last: int, max_records: int, max_bytes: int) -> Run | None:
        return self._store.run_in(stream, first, last, max_records, max_bytes)

    def _park(self, stream: Stream, first: int, last: int, why: str) -> None:
        with self._store.transaction() as change:
            self._store.park(change, stream, first, last, why)

    def _states(self) -> tuple[LaneState, ...]:
        with self._store.transaction() as change:
            self._store.write_acknowledged(change, self._heard)
        return tuple(lane_states(self._store.db))

    def _note_mark(self, store: Store) -> None:
        lanes: dict[Lane, tuple[int, int, bytes]] = {
            lane: (end.id, end.next_seq, end.head)
            if self._ahead.get(lane, 0) < end.next_seq
            else (end.id, self._ahead[lane] + 1, b"")
            for (epoch, lane), end in store.lanes.items()
            if epoch == store.epoch
        }
        self._mark.note(Mark(gateway=self._gateway, epoch=store.epoch, lanes=lanes))


def _is_behind(store: Store, mark: Mark) -> bool:
    return mark.epoch == store.epoch and any(
        next_seq > store.lanes[store.epoch, lane].next_seq for lane, (_, next_seq, _) in mark.lanes.items()
    )


def _check_identity(store: Store, mark: Mark | None) -> None:
    """Raises Damaged where the file knows nothing of the epoch that was written last."""
    if mark is not None and (mark.epoch, "status") not in store.lanes:
        raise Damaged(f"{store.path} is not the file that was written last")


def _check(db: sqlite3.Connection) -> None:
    """Raises Damaged for what SQLite's quick_check finds in the time it has; a large file is checked as it is read."""
    calls = 0

    def out_of_time() -> int:
        nonlocal calls
        calls += 1
        return int(calls > _CHECK_CALLBACKS)

    db.set_progress_handler(out_of_time, _CHECK_STEPS)
    try:
        (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise Damaged(f"its check failed: {error}") from None
        return
    except sqlite3.DatabaseError as error:
        raise Damaged(f"its check failed: {error}") from None
    finally:
        db.set_progress_handler(None, 0)
    if said != "ok":
        raise Damaged(f"its check says: {said}")
