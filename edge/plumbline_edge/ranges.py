"""Which sequence numbers are settled: everything up to a mark, and islands beyond it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Settled:
    """All of 1..`through`, and the `islands`: disjoint, ascending ranges that lie past `through` + 1."""

    through: int = 0
    islands: tuple[tuple[int, int], ...] = ()

    def __contains__(self, seq: int) -> bool:
        return 1 <= seq <= self.through or any(first <= seq <= last for first, last in self.islands)

    def add(self, first: int, last: int) -> Self:
        """With `first`..`last` settled too; an empty range changes nothing."""
        if last < first or last <= self.through:
            return self
        merged: list[tuple[int, int]] = []
        for start, end in sorted([*self.islands, (max(first, 1), last)]):
            if merged and start <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        through = self.through
        while merged and merged[0][0] <= through + 1:
            through = max(through, merged.pop(0)[1])
        return replace(self, through=through, islands=tuple(merged))
