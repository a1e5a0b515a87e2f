"""Whether a batch tells the same story as its neighbours in the lane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plumbline import chain, codec


@dataclass(frozen=True, slots=True)
class Link:
    """A batch as a piece of its lane's chain: the head before `first` and the head after `last`."""

    first: int
    last: int
    prev: bytes
    head: bytes


def heads(batch: codec.Batch) -> dict[int, bytes]:
    """The chain's head after each of the batch's records, and before its first; by sequence number."""
    found = {batch.first - 1: batch.prev}
    head = batch.prev
    for r in batch.records:
        raw = codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, codec.encode_body(r.body))
        head = found[r.seq] = chain.link(head, r.seq, raw)
    return found


def conflict(batch: codec.Batch, neighbours: Iterable[Link]) -> str | None:
    """What is wrong where `batch` meets, overlaps or repeats `neighbours`; None where both say the same.

    Heads are compared at every end of a neighbour inside the batch, and at the batch's own ends: equal heads
    mean equal records all the way from the lane's start.
    """
    if batch.first == 1 and batch.prev != chain.start(batch.gateway, batch.epoch, batch.lane):
        return "record 1 does not start its lane's chain"
    inner: Mapping[int, bytes] = {batch.first - 1: batch.prev, batch.last: batch.head}
    for link in neighbours:
        ends = ((link.first - 1, link.prev), (link.last, link.head))
        if any(batch.first <= seq < batch.last for seq, _ in ends) and len(inner) == 2:
            inner = heads(batch)
        for seq, head in ends:
            if inner.get(seq, head) != head:
                return f"the chain after record {seq} is not the one already stored"
    return None
