"""Whether a batch tells the same story as its neighbours in the lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from plumbline import chain, codec


@dataclass(frozen=True, slots=True)
class Link:
    """A batch as a piece of its lane's chain: the head before `first` and the head after `last`."""

    first: int
    last: int
    prev: bytes
    head: bytes


Neighbour = tuple[Link, Callable[[], codec.Batch]]
"""A stored batch; opening it is only asked for where its ends do not tell enough."""


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

    One comparison each, at the last record both know: equal heads there mean equal records all the way from the
    lane's start. Raises Refused where a neighbour must be opened and cannot be.
    """
    if batch.first == 1 and batch.prev != chain.start(batch.gateway, batch.epoch, batch.lane):
        return "record 1 does not start its lane's chain"
    ours = Link(batch.first, batch.last, batch.prev, batch.head)
    for link, stored in neighbours:
        seq = min(ours.last, link.last)
        one, other = head_at(ours, seq, lambda: batch), head_at(link, seq, stored)
        if one is not None and other is not None and one != other:
            return f"the chain after record {seq} is not the one already stored"
    return None


def head_at(link: Link, seq: int, opened: Callable[[], codec.Batch]) -> bytes | None:
    """The chain's head after record `seq` as the batch at `link` tells it; None where it does not know."""
    if seq == link.last:
        return link.head
    if seq == link.first - 1:
        return link.prev
    return heads(opened()).get(seq)
