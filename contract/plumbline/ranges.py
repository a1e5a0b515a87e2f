"""Which sequence numbers a lane has: disjoint, ascending ranges with both ends included."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import islice
from operator import itemgetter

Range = tuple[int, int]
Ranges = tuple[Range, ...]
_first = itemgetter(0)
_last = itemgetter(1)


def add(ranges: Ranges, new: Range) -> Ranges:
    """`ranges` with `new` too; what touches becomes one."""
    first, last = new
    if not ranges or ranges[-1][1] < first - 1:
        return (*ranges, new)
    begin = bisect_left(ranges, first - 1, key=_last)
    end = bisect_right(ranges, last + 1, lo=begin, key=_first)
    if begin < end:
        first, last = min(first, ranges[begin][0]), max(last, ranges[end - 1][1])
    return (*ranges[:begin], (first, last), *ranges[end:])


def missing(ranges: Ranges, within: Range) -> Ranges:
    """The parts of `within` that `ranges` lacks."""
    at, last = within
    found: list[Range] = []
    for start, end in islice(ranges, bisect_left(ranges, at, key=_last), None):
        if start > last:
            break
        if start > at:
            found.append((at, start - 1))
        at = end + 1
    if at <= last:
        found.append((at, last))
    return tuple(found)


def through(ranges: Ranges) -> int:
    """The last number up to which none is missing, counted from 1; 0 where 1 itself is."""
    return ranges[0][1] if ranges and ranges[0][0] <= 1 else 0


def size(ranges: Iterable[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def union(*several: Ranges) -> Ranges:
    """Everything that any of `several` has."""
    merged: list[Range] = []
    for start, end in sorted(part for ranges in several for part in ranges):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def subtract(ranges: Ranges, less: Ranges) -> Ranges:
    """What `ranges` has and `less` lacks."""
    return tuple(part for within in ranges for part in missing(less, within))
