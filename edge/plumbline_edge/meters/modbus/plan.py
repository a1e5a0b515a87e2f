"""Registers to few reads."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Placed(Protocol):
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


def worth_bridging(wire_gap: int, *, quiet_s: float = 0.0, byte_s: float = 0.0) -> int:
    """How many unused registers are cheaper to read along than to ask once more.

    `wire_gap`: those that cost as many bytes as another request and its answer. Where the meter wants `quiet_s` of
    silence before each request, it counts as the bytes that would have fitted in, `byte_s` each.
    """
    return wire_gap + (int(quiet_s / byte_s / 2) if byte_s else 0)


def plan_reads(
    registers: Iterable[Placed],
    *,
    max_words: int,
    max_gap: int,
    barriers: Iterable[int] = (),
    request_words: int = 0,
) -> tuple[Span, ...]:
    """The cheapest reads, by address, in which every register lies whole.

    No read is longer than `max_words`, none runs across more than `max_gap` unused words in a row, none holds both
    `b - 1` and `b` for a barrier `b`, but for one that cuts a register: that is read alone. Among those, the plan sends the fewest bytes, counting one more request and its
    answer as `request_words` words (at least `max_gap`) and a half.
    Registers do not overlap. Raises ValueError where one register alone is longer than `max_words`.
    """
    placed = sorted(registers, key=lambda r: r.address)
    if any(r.end - r.address > max_words for r in placed):
        raise ValueError(f"a register is longer than {max_words} words")
    request = max(max_gap, request_words) + 0.5
    walls = sorted(barriers)
    # best[i]: the cheapest way to read the first i registers, and where its last read begins
    best: list[tuple[float, int]] = [(0.0, 0)]
    for i in range(1, len(placed) + 1):
        options = []
        reach = placed[i - 1].end
        for j in range(i - 1, -1, -1):
            if j + 1 < i and placed[j + 1].address - placed[j].end > max_gap:
                break
            too_long = reach - placed[j].address > max_words
            if j + 1 < i and (too_long or _between(walls, placed[j].address, reach)):
                break
            options.append((best[j][0] + request + reach - placed[j].address, j))
        best.append(min(options))
    spans: list[Span] = []
    i = len(placed)
    while i:
        j = best[i][1]
        spans.append(Span(placed[j].address, placed[i - 1].end))
        i = j
    return tuple(reversed(spans))


def _between(walls: list[int], start: int, end: int) -> bool:
    """Whether one of the walls stands inside `start`..`end`."""
    return bisect_right(walls, start) < bisect_left(walls, end)
