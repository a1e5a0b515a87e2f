"""Reads a long stretch of time in pieces, so that none of them fills the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")


def walk(
    start: datetime, end: datetime, piece: timedelta, read: Callable[[datetime, datetime], Sequence[T]]
) -> Iterator[Sequence[T]]:
    """What `read` finds in each piece from `start` to before `end`; those with nothing in them are passed over."""
    while start < end:
        until = end if end - start <= piece else start + piece
        if found := read(start, until):
            yield found
        start = until
