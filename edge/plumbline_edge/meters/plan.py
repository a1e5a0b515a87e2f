"""Registers to few reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class _Placed(Protocol):
    """Anything that fills the addresses from `address` up to, not including, `end`."""

    @property
    def address(self) -> int: ...

    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One read: the registers from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def count(self) -> int:
        return self.end - self.start


def plan_reads(registers: Iterable[_Placed], *, max_words: int, max_gap: int) -> tuple[Span, ...]:
    """The cheapest reads, by address, in which every register lies whole.

    No read is longer than `max_words`, none runs across more than `max_gap` unused words in a row. Among
    those, the plan sends the fewest bytes, counting one more request as `max_gap` words and a half.
    Registers do not overlap. Raises ValueError where one register alone is longer than `max_words`.
    """
    placed = sorted(registers, key=lambda r: r.address)
    if any(r.end - r.address > max_words for r in placed):
        raise ValueError(f"a register is longer than {max_words} words")
    request = max_gap + 0.5
    # best[i]: the cheapest way to read the first i registers, and where its last read begins
    best: list[tuple[float, int]] = [(0.0, 0)]
    for i in range(1, len(placed) + 1):
        options = []
        reach = placed[i - 1].end
        for j in range(i - 1, -1, -1):
            if j + 1 < i and placed[j + 1].address - placed[j].end > max_gap:
                break
            if reach - placed[j].address > max_words:
                break
            options.append((best[j][0] + request + reach - placed[j].address, j))
        best.append(min(options))
    spans = []
    i = len(placed)
    while i:
        j = best[i][1]
        spans.append(Span(placed[j].address, placed[i - 1].end))
        i = j
    return tuple(reversed(spans))
