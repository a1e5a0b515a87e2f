"""What goes when something must: photos, then what central has, then old readings thinned, then the oldest.

Each step is one transaction: the records go, and what says so, a gap record, comes in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from msgspec import structs

from plumbline import codec, ranges
from plumbline.messages import Frame, Gap, GapReason, Health, Lane
from plumbline.ranges import Ranges
from plumbline_edge.outbox.gaps import merged
from plumbline_edge.outbox.rows import Draft, Stamp, Stream
from plumbline_edge.outbox.store import Change, Row, Store
from plumbline_edge.outbox.thin import Seen, bucket, summaries

_PHOTOS_AT_ONCE: Final = 20
_ROWS_AT_ONCE: Final = 2_000
_SCANNED_AT_ONCE: Final = 10_000
_NEWEST_STATUS: Final = 100
TRUSTED: Final = ("synced", "simulated")

Acknowledged = dict[Stream, Ranges]
Step = Callable[[Store, Acknowledged, Stamp], bool]


def make_room(store: Store, acknowledged: Acknowledged, now: Stamp) -> bool:
    """One step of the order above; whether anything could still go."""
    return any(step(store, acknowledged, now) for step in _STEPS)


def prune(store: Store, acknowledged: Acknowledged, before_us: int) -> int:
    """Delete acknowledged records read before `before_us`, and everything of older epochs; how many went."""
    total = 0
    for stream in store.lanes:
        limit_us = before_us if stream[0] == store.epoch else None
        total += _drop_settled(store, stream, acknowledged.get(stream, ()), limit_us)
    return total


def drop_older(store: Store, acknowledged: Acknowledged, now: Stamp, before_us: int) -> bool:
    """Give up what was read before `before_us` by a trusted clock and never acknowledged; one step of it."""
    for stream in [stream for stream in store.lanes if stream[1] != "status"]:
        rows = _oldest(store, stream, acknowledged, _ROWS_AT_ONCE)
        old = [row for row in rows if row[4] in TRUSTED and row[1] < before_us]
        if old and old == rows[: len(old)]:
            _give_up(store, stream, old, GapReason.AGE, now)
            return True
    return False


def forget_epochs(store: Store, acknowledged: Acknowledged) -> None:
    """Remove older epochs of which nothing is left to send."""
    for epoch in {epoch for epoch, _ in store.lanes} - {store.epoch}:
        streams = [stream for stream in store.lanes if stream[0] == epoch]
        if any(store.first_here(stream) for stream in streams):
            continue
        with store.transaction() as change:
            for stream in streams:
                end = change.lanes.pop(stream)
                for table in ("acknowledged", "cut", "parked"):
                    store.db.execute(f"DELETE FROM {table} WHERE lane = ?", (end.id,))  # noqa: S608 - our own names
                store.db.execute("DELETE FROM lane WHERE id = ?", (end.id,))
                change.written.pop(stream, None)
                acknowledged.pop(stream, None)
            store.db.execute("DELETE FROM epoch WHERE name = ?", (epoch,))


def _drop_photos(store: Store, acknowledged: Acknowledged, now: Stamp) -> bool:
    for stream in _streams(store, "photo"):
        if _drop_settled(store, stream, acknowledged.get(stream, ()), None, _PHOTOS_AT_ONCE):
            return True
        rows = _oldest(store, stream, acknowledged, _PHOTOS_AT_ONCE)
        if rows:
            _give_up(store, stream, rows, GapReason.SIZE, now)
            return True
    return False


def _drop_acknowledged(store: Store, acknowledged: Acknowledged, _: Stamp) -> bool:
    return any(_drop_settled(store, stream, acknowledged.get(stream, ()), None) for stream in store.lanes)


def _thin_frames(store: Store, acknowledged: Acknowledged, now: Stamp) -> bool:
    for stream in _streams(store, "data"):
        while (scanned := _thin_some(store, stream, acknowledged, now)) is not None:
            if scanned:
                return True
    return False


def _thin_some(store: Store, stream: Stream, acknowledged: Acknowledged, now: Stamp) -> bool | None:
    """Put summaries in the place of the oldest quarter of an hour of frames; the newest one stays as it is.

    False: there was nothing to win in what was looked at. None: there is nothing left to look at.
    """
    end = store.lanes[stream]
    newest = next(iter(store.rows(stream, end.last, end.last, 1)), None)
    seen: list[tuple[Row, Frame]] = []
    through = end.thinned
    for row in store.rows(stream, end.thinned + 1, end.last, _SCANNED_AT_ONCE):
        body = codec.decode_body(row[5])
        if isinstance(body, Frame) and not _has(acknowledged.get(stream, ()), row[0]):
            if seen and bucket(row[1]) != bucket(seen[0][0][1]):
                break
            if newest is None or bucket(row[1]) == bucket(newest[1]):
                return None
            seen.append((row, body))
        through = row[0]
    if through == end.thinned:
        return None
    few = summaries(Seen(stamp=_stamp(row), frame=frame) for row, frame in seen)
    worth_it = len(few) <= len(seen) // 2
    with store.transaction() as change:
        if worth_it and seen:
            runs = list(_consecutive([row for row, _ in seen]))
            instead = [Draft.at(stamp, "data", summary) for stamp, summary in few]
            _let_go(store, change, stream, runs, GapReason.THINNED, now, instead)
        _note_thinned(store, change, stream, through)
    return bool(worth_it and seen)


def _condense_status(store: Store, acknowledged: Acknowledged, now: Stamp) -> bool:
    """Old health goes, and many gap records become few; events and anchors stay."""
    for stream in _streams(store, "status"):
        before = store.lanes[stream].thinned
        while rows := _old_status(store, stream):
            if _condense_some(store, stream, rows, acknowledged, now):
                return True
        if before:  # from the beginning: what was too little then may be worth it by now
            with store.transaction() as change:
                _note_thinned(store, change, stream, 0)
            if _condense_some(store, stream, _old_status(store, stream), acknowledged, now):
                return True
    return False


def _condense_some(
    store: Store, stream: Stream, rows: list[Row], acknowledged: Acknowledged, now: Stamp
) -> bool:
    said = [(row, codec.decode_body(row[5])) for row in rows]
    going = [
        (row, body)
        for row, body in said
        if isinstance(body, Health | Gap) and not _has(acknowledged.get(stream, ()), row[0])
    ]
    runs = list(_consecutive([row for row, _ in going]))
    few = merged(_absolute(body, stream[0]) for _, body in going if isinstance(body, Gap))
    worth_it = bool(going) and len(runs) + len(few) <= len(going) // 2
    with store.transaction() as change:
        if worth_it:
            _let_go(store, change, stream, runs, GapReason.SIZE, now)
            store.insert(change, [Draft.at(now, "status", gap) for gap in few])
        if rows:
            _note_thinned(store, change, stream, rows[-1][0])
    return worth_it


def _absolute(gap: Gap, epoch: str) -> Gap:
    """A gap record that says of which epoch it speaks: what replaces it may stand in a later one."""
    return structs.replace(gap, epoch=gap.epoch or epoch)


def _old_status(store: Store, stream: Stream) -> list[Row]:
    """What was not looked at yet and is not of the last hour or two."""
    end = store.lanes[stream]
    return list(store.rows(stream, end.thinned + 1, end.last - _NEWEST_STATUS, _ROWS_AT_ONCE))


def _drop_oldest(store: Store, acknowledged: Acknowledged, now: Stamp) -> bool:
    for stream in _streams(store, "data"):
        rows = _oldest(store, stream, acknowledged, _ROWS_AT_ONCE)
        going = [row for row in rows if row[0] != store.lanes[stream].last]  # the chain's tip stays
        if going:
            _give_up(store, stream, going, GapReason.SIZE, now)
            return True
    return False


_STEPS: Final[tuple[Step, ...]] = (
    _drop_photos,
    _drop_acknowledged,
    _thin_frames,
    _condense_status,
    _drop_oldest,
)


def _streams(store: Store, lane: Lane) -> list[Stream]:
    """The lane of every epoch, oldest first."""
    return [stream for stream in reversed(store.lanes) if stream[1] == lane]


def _drop_settled(
    store: Store, stream: Stream, acknowledged: Ranges, before_us: int | None, limit: int = _ROWS_AT_ONCE
) -> int:
    """Delete up to `limit` records that central has, oldest first, read before `before_us` where that is given."""
    for first, last in ranges.subtract(acknowledged, store.lanes[stream].cut):
        rows = list(store.rows(stream, first, last, limit))
        going = [row for row in rows if before_us is None or row[1] < before_us]
        if going and going == rows[: len(going)]:
            with store.transaction() as change:
                store.cut(change, stream, going[0][0], going[-1][0])
            return len(going)
        if rows:
            return 0
    return 0


def _oldest(store: Store, stream: Stream, acknowledged: Acknowledged, limit: int) -> list[Row]:
    """The oldest consecutive records that central has not acknowledged."""
    end = store.lanes[stream]
    settled = ranges.union(acknowledged.get(stream, ()), end.cut)
    for first, last in ranges.missing(settled, (1, end.last)):
        rows = list(store.rows(stream, first, last, limit))
        if rows:
            return next(_consecutive(rows))
    return []


def _give_up(store: Store, stream: Stream, rows: list[Row], why: GapReason, now: Stamp) -> None:
    with store.transaction() as change:
        _let_go(store, change, stream, [rows], why, now)


def _let_go(
    store: Store,
    change: Change,
    stream: Stream,
    runs: list[list[Row]],
    why: GapReason,
    now: Stamp,
    instead: Sequence[Draft] = (),
) -> None:
    """Delete runs of consecutive records, put `instead` at the end of the data lane, and say so.

    Deleting comes first: where the file has reached its bound, what comes in needs the room of what went.
    """
    gaps = [_gap(store, stream, run, why) for run in runs]
    for run in runs:
        store.cut(change, stream, run[0][0], run[-1][0])
    places = store.insert(change, instead)
    span = (places[0][1], places[-1][1]) if places else None
    store.insert(change, [Draft.at(now, "status", structs.replace(gap, instead=span)) for gap in gaps])


def _gap(store: Store, stream: Stream, rows: list[Row], why: GapReason) -> Gap:
    times = [max(row[1], 0) for row in rows]
    return Gap(
        lane=stream[1],
        first=rows[0][0],
        last=rows[-1][0],
        why=why,
        prev=store.head_at(stream, rows[0][0] - 1) or b"",
        head=rows[-1][6],
        from_us=min(times),
        until_us=max(times),
        epoch="" if stream[0] == store.epoch else stream[0],
    )


def _note_thinned(store: Store, change: Change, stream: Stream, through: int) -> None:
    end = change.lanes[stream]
    store.db.execute("UPDATE lane SET thinned = ? WHERE id = ?", (through, end.id))
    change.lanes[stream] = replace(end, thinned=through)


def _consecutive(rows: list[Row]) -> Iterator[list[Row]]:
    for _, run in groupby(enumerate(rows), key=lambda pair: pair[1][0] - pair[0]):
        yield [row for _, row in run]


def _has(within: Ranges, seq: int) -> bool:
    return not ranges.missing(within, (seq, seq))


def _stamp(row: Row) -> Stamp:
    return Stamp(at_us=row[1], boot=row[2], mono_us=row[3], clock=row[4])  # type: ignore[arg-type]
