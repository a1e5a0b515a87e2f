"""What a table of the export looks like, whatever file it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

T = TypeVar("T")
Cell = str | float | int | datetime | None
"""None: there is none."""
Row = tuple[Cell, ...]
Kind = Literal["text", "number", "whole", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Named columns, and what stands in each."""

    name: str
    columns: tuple[tuple[str, Kind], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]


def portions(pieces: Iterable[Sequence[T]], most: int) -> Iterator[Sequence[T]]:
    """The same items in order, as pieces of `most`; the last one may be smaller."""
    held: list[T] = []
    for piece in pieces:
        held += piece
        while len(held) >= most:
            yield held[:most]
            del held[:most]
    if held:
        yield held
