"""The Merkle tree of RFC 9162, section 2.1: roots, proofs, and their verification.

A tree is named by its leaf hashes in order. Proofs are made from the roots of stretches of leaves, which the caller
supplies, so that a long log need not be read for a short proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

SIZE: Final = 32
EMPTY: Final = hashlib.sha256(b"").digest()
"""The root of no leaves."""

Stretch = Callable[[int, int], bytes]
"""The root of leaves start..stop−1, of which there is at least one."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, or over the roots of equally large, full subtrees (the last may be smaller)."""
    level = list(hashes)
    if not level:
        return EMPTY
    while len(level) > 1:
        above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


class Frontier:
    """The roots of the full subtrees that a growing log consists of: all that appending and its root need."""

    def __init__(self) -> None:
        self._roots: list[bytes] = []  # of the set bits of `size`, largest subtree first
        self.size = 0

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._roots.append(leaf)
        self.size += 1
        full = self.size
        while full % 2 == 0:
            right = self._roots.pop()
            self._roots.append(node_hash(self._roots.pop(), right))
            full //= 2

    def extend(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        if not self._roots:
            return EMPTY
        *left, found = self._roots
        for subtree in reversed(left):
            found = node_hash(subtree, found)
        return found


def inclusion(index: int, size: int, stretch: Stretch) -> list[bytes]:
    """The path from leaf `index` to the root of the first `size` leaves (RFC 9162, 2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(stretch(middle, stop))
            stop = middle
        else:
            path.append(stretch(start, middle))
            start = middle
    path.reverse()
    return path


def consistency(old: int, new: int, stretch: Stretch) -> list[bytes]:
    """That the first `old` of `new` leaves are the same as ever (RFC 9162, 2.1.4.1). Empty for 0 and for all."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not go on from one of {old}")
    path: list[bytes] = []
    start, stop, known = 0, new, True
    while 0 < old < stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(stretch(middle, stop))
            stop = middle
        else:
            path.append(stretch(start, middle))
            start, known = middle, False
    if path and not known:
        path.append(stretch(start, stop))
    path.reverse()
    return path


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether `path` leads from the leaf hash at `index` to the root of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at % 2 or at == last:
            found = node_hash(sibling, found)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == expected


def continues(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree of `new` leaves goes on from the one of `old` (RFC 9162, 2.1.4.2)."""
    if old in (0, new):
        return not path and old_root == (EMPTY if old == 0 else new_root)
    if not 0 < old < new or not path:
        return False
    nodes = list(path) if old & (old - 1) else [old_root, *path]
    at, last = old - 1, new - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    was = now = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            now = node_hash(now, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and was == old_root and now == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1
