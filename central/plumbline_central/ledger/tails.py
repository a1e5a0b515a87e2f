"""The ends of a lane's islands that are known without asking the disk: where the next batch most likely goes on.

Two or three a lane are enough: one that live readings lengthen, one that a backlog does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from plumbline.ranges import Range

_KEPT: Final = 3


class Tail(NamedTuple):
    """An island `first`..`last` with the chain's head after it; the next one begins at `room` (None: no next)."""

    first: int
    last: int
    head: bytes
    room: int | None


Tails = tuple[Tail, ...]
"""The tails of one lane, the last used first."""


def fitting(tails: Tails, first: int, last: int, prev: bytes) -> Tail | None:
    """The tail that `first`..`last`, after `prev`, lengthens without meeting anything else."""
    for tail in tails:
        if tail.last + 1 == first and tail.head == prev and (tail.room is None or last + 1 < tail.room):
            return tail
    return None


def lengthened(tails: Tails, tail: Tail, last: int, head: bytes) -> Tails:
    """`tails` after `tail` was lengthened to `last`."""
    longer = Tail(tail.first, last, head, tail.room)
    return (longer, *(other for other in tails if other is not tail)) if len(tails) > 1 else (longer,)


def joined(tails: Tails, island: Range, *, last: int, head: bytes, room: int | None) -> Tails:
    """`tails` after a batch that ends at `last` with `head` became part of `island`; `room` as in `Tail`."""
    kept: list[Tail] = []
    if last == island[1]:
        kept.append(Tail(island[0], last, head, room))
    for tail in tails:
        if tail.last == island[1]:
            if not kept:  # the batch filled the hole before this island: its end is as it was
                kept.append(tail._replace(first=island[0], room=room))
        elif tail.last < island[0] - 1:
            kept.append(
                tail if tail.room is not None and tail.room < island[0] else tail._replace(room=island[0])
            )
        elif tail.first > island[1]:
            kept.append(tail)
    return tuple(kept[:_KEPT])
