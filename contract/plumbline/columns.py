"""Frames laid out in columns: each metric of a device by itself, as differences, so that little is left to compress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from itertools import chain as concat
from operator import sub
from typing import Final, cast

import msgspec

from plumbline.messages import Body, Frame, Record

MISFITS: Final = (ArithmeticError, LookupError, StopIteration, TypeError, ValueError)
"""What undoing raises for columns that nobody laid out."""

_encode = msgspec.msgpack.Encoder().encode

Values = Sequence[int | None]


class Group(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The frames of one device that name the same metrics."""

    device: str
    metrics: tuple[int, ...]
    steps: list[int | None]
    """Column after column; in a column the first value, then differences to the value before."""
    flaws: list[tuple[int, int, int]]
    """(row, position, flaw)"""


class Columns(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The records of a batch without their sequence numbers."""

    at_us: list[int]
    mono_us: list[int]
    boots: list[tuple[str, int]]
    clocks: list[tuple[str, int]]
    order: list[int]
    """For each record the index of its group, or -1: the next of `others`."""
    groups: list[Group]
    others: list[bytes]


def lay_out(records: Sequence[Record], bodies: Sequence[bytes], *, apart: bool = False) -> Columns:
    """`records` in columns; `bodies` are their canonical bytes, of which all but frames' travel as they are.

    `apart`: each frame in a group of its own, where its values stand as they are, for want of differences that fit.
    """
    index: dict[tuple[str, tuple[int, ...]], int] = {}
    groups: list[list[Frame]] = []
    order: list[int] = []
    others: list[bytes] = []
    for record, raw in zip(records, bodies, strict=True):
        body = record.body
        if isinstance(body, Frame):
            at = index.setdefault((body.device, body.metrics), len(groups))
            if apart:
                at = len(groups)
            if at == len(groups):
                groups.append([])
            groups[at].append(body)
            order.append(at)
        else:
            order.append(-1)
            others.append(raw)
    return Columns(
        at_us=cast("list[int]", _differences([record.at_us for record in records])),
        mono_us=cast("list[int]", _differences([record.mono_us for record in records])),
        boots=[(boot, sum(1 for _ in run)) for boot, run in groupby(r.boot for r in records)],
        clocks=[(clock, sum(1 for _ in run)) for clock, run in groupby(r.clock for r in records)],
        order=order,
        groups=[_to_group(frames) for frames in groups],
        others=others,
    )


def bodies(columns: Columns, decode: Callable[[bytes], Body]) -> tuple[list[Body], list[bytes]]:
    """The records' bodies and their canonical bytes, in the order of the batch; `decode` opens what is no frame.

    Raises one of MISFITS, also for a value that has no canonical bytes. Whether the others can be stored is a
    question of sense.
    """
    counts = Counter(columns.order)
    if counts[-1] != len(columns.others) or min(counts) < -1 or max(counts) >= len(columns.groups):
        raise ValueError
    if not all(_begins_with_kind(raw) for raw in columns.others):
        raise ValueError  # other bytes could mean the same: what was hashed must be what is read
    others = [decode(raw) for raw in columns.others]
    if any(
        isinstance(body, Frame) for body in others
    ):  # frames travel in columns, where their shape is checked
        raise ValueError
    frames = [_frames(group, counts[at]) for at, group in enumerate(columns.groups)]
    each: list[Iterator[Body]] = [*map(iter, frames), iter(others)]  # -1 points at the last
    raws = [*(map(_encode, group) for group in frames), iter(columns.others)]
    return [next(each[at]) for at in columns.order], [next(raws[at]) for at in columns.order]


def _begins_with_kind(raw: bytes) -> bool:
    """Whether it is a short MessagePack map whose first key is `kind`, as every body's canonical bytes are."""
    return raw[:1] >= b"\x80" and raw[:1] < b"\x90" and raw[1:6] == b"\xa4kind"


def times(steps: list[int]) -> Sequence[int]:
    """A column of times as they were."""
    return cast("Sequence[int]", _absolute(steps))


def runs(lengths: list[tuple[str, int]], total: int) -> list[str]:
    """Each text as often as it says. Raises one of MISFITS where that does not make `total`."""
    if any(not 1 <= count <= total for _, count in lengths) or sum(count for _, count in lengths) != total:
        raise ValueError
    return [text for text, count in lengths for _ in range(count)]


def _to_group(frames: list[Frame]) -> Group:
    first = frames[0]
    if len(frames) == 1:
        steps = list(first.values)
    else:
        columns = zip(*(frame.values for frame in frames), strict=True)
        steps = list(concat.from_iterable(map(_differences, columns)))
    flaws = [(row, at, flaw) for row, frame in enumerate(frames) for at, flaw in frame.flaws]
    return Group(first.device, first.metrics, steps, flaws)


def _frames(group: Group, count: int) -> list[Frame]:
    width = len(group.metrics)
    if len(group.steps) != width * count or not count:
        raise ValueError
    rows: Iterable[tuple[int | None, ...]]
    if count == 1:  # one poll of a device, the usual live batch: there are no differences to undo
        rows = (tuple(group.steps),)
    elif width:
        rows = zip(
            *(_absolute(group.steps[i : i + count]) for i in range(0, width * count, count)), strict=True
        )
    else:
        rows = [()] * count
    if not group.flaws:
        return [Frame(device=group.device, metrics=group.metrics, values=row) for row in rows]
    flaws: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for row, at, flaw in group.flaws:
        if not (0 <= row < count and 0 <= at < width):
            raise ValueError
        flaws[row].append((at, flaw))
    return [
        Frame(device=group.device, metrics=group.metrics, values=values, flaws=tuple(bad))
        for values, bad in zip(rows, flaws, strict=True)
    ]


def _differences(column: Values) -> list[int | None]:
    """The first value, then each one's distance from the value before it; a hole stays a hole."""
    try:
        return [column[0], *map(sub, column[1:], column)]
    except TypeError:  # cheaper than looking for holes, which few columns have
        return list(_differences_with_holes(column))


def _differences_with_holes(column: Values) -> Iterable[int | None]:
    before = 0
    for value in column:
        if value is None:
            yield None
        else:
            yield value - before
            before = value


def _absolute(column: Values) -> Values:
    """The inverse of `_differences`."""
    try:
        return list(accumulate(cast("Sequence[int]", column)))
    except TypeError:
        return list(_absolute_with_holes(column))


def _absolute_with_holes(column: Values) -> Iterable[int | None]:
    before = 0
    for step in column:
        if step is None:
            yield None
        else:
            before += step
            yield before
