"""What physics says about one poll's values: phases add up to their total, counters do not run backwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.decode import Decoder, Values

_SUM_SHARE: Final = 0.02
_SUM_AT_LEAST_W: Final = 20.0
_NEARLY_FULL: Final = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sum:
    total: int
    phases: tuple[int, int, int]
    least_steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    position: int
    modulus_steps: int | None


class Physics:
    """The checks that apply to a decoder's values, found once.

    Phases are compared with their total only where one answer holds all four: a crane's power changes between
    two requests.
    """

    __slots__ = ("_counters", "_sums")

    def __init__(self, decoder: Decoder) -> None:
        places = {register.metric.name: i for i, register in enumerate(decoder.order)}
        self._sums = tuple(_sums(places, decoder))
        self._counters = tuple(
            _Counter(
                position=i,
                modulus_steps=None if r.modulus is None else r.metric.to_wire(r.modulus),
            )
            for i, r in enumerate(decoder.order)
            if r.metric.kind == "counter"
        )

    def doubts(self, values: Values, before: Values | None) -> Iterator[tuple[int, Flaw]]:
        """(position, flaw) for each value that cannot be right; `before` is the last value known of each."""
        for check in self._sums:
            total = values[check.total]
            a, b, c = (values[i] for i in check.phases)
            if total is None or a is None or b is None or c is None:
                continue
            if abs(a + b + c - total) > max(_SUM_SHARE * abs(total), check.least_steps):
                yield check.total, Flaw.INCONSISTENT
        if before is None:
            return
        for counter in self._counters:
            now, then = values[counter.position], before[counter.position]
            if now is None or then is None or now >= then:
                continue
            full = counter.modulus_steps
            rolled = full is not None and then > _NEARLY_FULL * full and now < (1 - _NEARLY_FULL) * full
            yield counter.position, Flaw.ROLLOVER if rolled else Flaw.WENT_BACK


def latest(values: Values, before: Values | None) -> Values:
    """The last known value of each position: this poll's, or the one before where this poll has none."""
    if before is None or None not in values:
        return values
    return tuple(old if new is None else new for new, old in zip(values, before, strict=True))


def _sums(places: dict[str, int], decoder: Decoder) -> Iterator[_Sum]:
    for stem in ("power_active", "power_reactive"):
        names: Sequence[str] = (f"{stem}_total", f"{stem}_l1", f"{stem}_l2", f"{stem}_l3")
        if not all(name in places for name in names):
            continue
        total, *phases = (places[name] for name in names)
        if len({decoder.span_of[i] for i in (total, *phases)}) == 1:
            l1, l2, l3 = phases
            least = BY_NAME[names[0]].to_wire(_SUM_AT_LEAST_W)
            yield _Sum(total=total, phases=(l1, l2, l3), least_steps=least)
