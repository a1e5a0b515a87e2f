"""What a meter will not answer although its profile says so, found out step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from plumbline_edge.meters.modbus.plan import Placed, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Addresses that no read may run across, and registers (by address) that the meter refuses alone."""

    barriers: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.barriers or self.refused)


def cut(learned: Learned, places: Iterable[Placed], span: Span, *, keep: int) -> Learned:
    """One step after `span` was refused: it is cut in two at its widest hole, or in the middle where it has none.

    What is one register already is refused alone, unless it is the one at address `keep`, which shows that the meter
    lives. Comes to rest after at most as many steps as there are registers.
    """
    inside = sorted(
        (r for r in places if span.start <= r.address < span.end and r.address not in learned.refused),
        key=lambda r: r.address,
    )
    if len(inside) > 1:
        return replace(learned, barriers=learned.barriers | {_where(inside)})
    return replace(learned, refused=learned.refused | {r.address for r in inside if r.address != keep})


def _where(inside: Sequence[Placed]) -> int:
    """The address at which the second half begins."""
    middle = (inside[0].address + inside[-1].end) / 2
    holes = [
        (right.address - left.end, -abs(right.address - middle), right.address)
        for left, right in pairwise(inside)
    ]
    return max(holes)[2]
