"""Whether a batch tells the same story as its neighbours in the lane."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from plumbline import chain, codec
from plumbline.errors import Refused


@dataclass(frozen=True, slots=True)
class Link:
    """A batch as a piece of its lane's chain: the head before `first` and the head after `last`."""

    first: int
    last: int
    prev: bytes
    head: bytes


Heads = Mapping[int, bytes]
"""The chain's head after each record that is known, by sequence number."""
Neighbour = tuple[Link, Callable[[], Heads]]
"""A stored batch; its inner heads are only asked for where its ends do not tell enough: they cost its whole payload."""

_MOST_OPENED: Final = 4
"""Of the stored batches that go on beyond a new one; the first tells, unless its records cannot be encoded again."""


def heads(batch: codec.Batch) -> dict[int, bytes]:
    """The chain's head after each of the batch's records, and before its first; by sequence number.

    Only the two ends where the records cannot be encoded to the bytes that were signed (a gateway may have written
    a whole number into a field of floats).
    """
    found = {batch.first - 1: batch.prev}
    head = batch.prev
    for r in batch.records:
        raw = codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, codec.encode_body(r.body))
        head = found[r.seq] = chain.link(head, r.seq, raw)
    return found if head == batch.head else {batch.first - 1: batch.prev, batch.last: batch.head}


def conflict(batch: codec.Batch, neighbours: Iterable[Neighbour]) -> str | None:
    """What is wrong where `batch` meets, overlaps or repeats `neighbours`; None where both say the same.

    One comparison for each last record that both know: equal heads there mean equal records all the way from the
    lane's start. The neighbours agree with each other, so one of those that go on beyond `batch` speaks for all.
    Raises Refused where a neighbour must be opened and cannot be.
    """
    if batch.first == 1 and batch.prev != chain.start(batch.gateway, batch.epoch, batch.lane):
        return "record 1 does not start its lane's chain"
    ours = Link(batch.first, batch.last, batch.prev, batch.head)
    inner: Heads | None = None
    beyond: list[Neighbour] = []
    told = False
    for link, opened in neighbours:
        seq = min(ours.last, link.last)
        other = _at_an_end(link, seq)
        if other is None:
            beyond.append((link, opened))
            continue
        one = _at_an_end(ours, seq)
        if one is None:
            inner = heads(batch) if inner is None else inner
            one = inner.get(seq)
        if one is not None and one != other:
            return _another_chain(seq)
        told = told or seq == ours.last
    beyond.sort(key=lambda neighbour: -neighbour[0].last)  # who walks a lane meets the same one again
    for _, opened in () if told else beyond[:_MOST_OPENED]:
        other = opened().get(ours.last)
        if other is not None:
            return None if other == ours.head else _another_chain(ours.last)
    return None


def heads_at(seqs: Sequence[int], neighbours: Iterable[Neighbour]) -> dict[int, bytes]:
    """The heads after records `seqs`, ascending, as far as `neighbours` tell them; each is opened at most once."""
    stored = list(neighbours)
    ends = {
        end: head for link, _ in stored for end, head in ((link.first - 1, link.prev), (link.last, link.head))
    }
    found = {seq: ends[seq] for seq in seqs if seq in ends}
    left = [seq for seq in seqs if seq not in found]
    for link, opened in sorted(stored, key=lambda neighbour: neighbour[0].first - neighbour[0].last):
        inside = left[bisect_left(left, link.first) : bisect_left(left, link.last)]
        if inside:
            with suppress(Refused):  # a damaged row tells nothing; `verify` names it
                inner = opened()
                found |= {seq: inner[seq] for seq in inside if seq in inner}
                left = [seq for seq in left if seq not in found]
    return found


def _at_an_end(link: Link, seq: int) -> bytes | None:
    if seq == link.last:
        return link.head
    return link.prev if seq == link.first - 1 else None


def _another_chain(seq: int) -> str:
    return f"the chain after record {seq} is not the one already stored"
