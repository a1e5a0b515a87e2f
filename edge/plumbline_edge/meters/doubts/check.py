"""What physics says about one poll's values: what must add up, what bounds what, what never runs backwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter, le
from typing import Any, Final, NamedTuple, Protocol

from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.modbus.decode import Values
from plumbline_edge.meters.profiles.profile import Register

_SUM_SHARE: Final = 0.02
_AT_LEAST_W: Final = 20.0
_FACTOR_SHARE: Final = 0.1
_DISTORTED: Final = 0.5
"""A meter that shows the cosine of the fundamental as its factor has P down to this share of V x I x factor."""
_NEUTRAL_SHIFT: Final = 1.15
_AT_LEAST_V: Final = 20.0
_AT_LEAST_V_SQUARED: Final = 3 * BY_NAME["voltage_l1"].to_wire(_AT_LEAST_V) ** 2
_NOTHING: Final = 0.01
_NEARLY_FULL: Final = 0.9

_VA_STEPS: Final = BY_NAME["power_active_l1"].to_wire(1) / (
    BY_NAME["voltage_l1"].to_wire(1) * BY_NAME["current_l1"].to_wire(1)
)
"""(steps of voltage) x (steps of current) x this = steps of power."""
_FACTOR_ONE: Final = 1 / BY_NAME["power_factor_l1"].to_wire(1)

Doubts = tuple[tuple[int, Flaw], ...]


class Decoded(Protocol):
    """What decoded the values: the register behind each, and the answer that it came in."""

    @property
    def order(self) -> tuple[Register, ...]: ...
    @property
    def span_of(self) -> tuple[int, ...]: ...


class _Sum(NamedTuple):
    total: int
    l1: int
    l2: int
    l3: int
    least: float


class _Phase(NamedTuple):
    """Active power of a phase, and what bounds it; `factor` is -1 where the meter shows none."""

    power: int
    voltage: int
    current: int
    factor: int
    least: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counter:
    position: int
    modulus_steps: int | None


class Physics:
    """The checks that apply to a decoder's values, found once.

    Power is compared with power, voltage and current only where one answer holds them: a crane's power changes
    between two requests. What is only unlikely is no doubt. Range checks (|factor| <= 1, 45 to 65 Hz) are the
    decoder's.
    """

    __slots__ = (
        "_apparent",
        "_counted",
        "_counters",
        "_phases",
        "_pick_voltages",
        "_sums",
        "_voltages",
    )

    def __init__(self, decoder: Decoded) -> None:
        places = {register.metric.name: i for i, register in enumerate(decoder.order)}
        self._sums = tuple(_sums(places, decoder, ("power_active", "power_reactive")))
        self._apparent = tuple(
            (s, places.get("power_active_total")) for s in _sums(places, decoder, ("power_apparent",))
        )
        self._phases = tuple(_phases(places, decoder))
        self._voltages = _voltages(places)
        self._pick_voltages = picker(self._voltages)
        self._counters = tuple(
            _Counter(
                position=i,
                modulus_steps=None if r.modulus is None else r.metric.to_wire(r.modulus),
            )
            for i, r in enumerate(decoder.order)
            if r.metric.kind == "counter"
        )
        self._counted = picker(tuple(counter.position for counter in self._counters))

    def doubts(self, values: Values, before: Values | None = None) -> Doubts:
        """(position, flaw) for each value that cannot be right.

        `before` is the last value known of each; without it counters are not looked at.
        """
        try:
            if self._good(values) and (
                before is None or all(map(le, self._counted(before), self._counted(values)))
            ):
                return ()
        except TypeError:  # a None among them
            pass
        return (
            *self._sum_doubts(values),
            *self._phase_doubts(values),
            *(self._voltage_doubts(values) if self._voltages else ()),
            *(self._counter_doubts(values, before) if before is not None else ()),
        )

    def _good(self, values: Sequence[Any]) -> bool:
        """Whether there is surely nothing to doubt but counters: the way of nearly every poll, hence unrolled.

        Raises TypeError where a value is missing.
        """
        for i, l1, l2, l3, least in self._sums:
            off = values[l1] + values[l2] + values[l3] - values[i]
            if not -least <= off <= least and abs(off) > _SUM_SHARE * abs(values[i]):
                return False
        for (i, l1, l2, l3, least), active in self._apparent:
            high = values[l1] + values[l2] + values[l3] + least
            if not (active is None or abs(values[active]) <= values[i] + least) or values[i] > high:
                return False
        for p, v, i, f, least in self._phases:
            apparent = values[v] * values[i] * _VA_STEPS
            if f < 0:
                if abs(values[p]) > apparent + least:
                    return False
            elif not -least <= abs(values[p]) - abs(apparent * values[f]) * _FACTOR_ONE <= least:
                return False
        if self._voltages:
            v1, v2, v3, u12, u23, u31 = self._pick_voltages(values)
            return bool(
                u12 * u12 + u23 * u23 + u31 * u31 <= 3 * _NEUTRAL_SHIFT * (v1 * v1 + v2 * v2 + v3 * v3)
            )
        return True

    def _sum_doubts(self, values: Sequence[Any]) -> Iterator[tuple[int, Flaw]]:
        for i, l1, l2, l3, least in self._sums:
            if _known(values, (i, l1, l2, l3)):
                total = values[i]
                off = values[l1] + values[l2] + values[l3] - total
                if not -least <= off <= least and abs(off) > _SUM_SHARE * abs(total):
                    yield i, Flaw.INCONSISTENT
        for (i, l1, l2, l3, least), active in self._apparent:
            if _known(values, (i, l1, l2, l3)):
                total = values[i]
                a, b, c = values[l1], values[l2], values[l3]
                off = a + b + c - total
                if not -least <= off <= least and abs(off) > _SUM_SHARE * abs(total):
                    power = (values[active] or 0) if active is not None else 0
                    if not _some_sum(abs(total), a, b, c, abs(power), least):
                        yield i, Flaw.INCONSISTENT

    def _phase_doubts(self, values: Sequence[Any]) -> Iterator[tuple[int, Flaw]]:
        for p, v, i, f, least in self._phases:
            if _known(values, (p, v, i) if f < 0 else (p, v, i, f)):
                apparent = abs(values[v] * values[i]) * _VA_STEPS
                power = abs(values[p])
                factor = 1.0 if f < 0 else abs(values[f]) * _FACTOR_ONE
                high = (factor + _FACTOR_SHARE) * apparent + least
                low = 0.0 if f < 0 else (_DISTORTED * factor - _FACTOR_SHARE) * apparent - least
                if not low <= power <= high:
                    yield p, Flaw.INCONSISTENT

    def _voltage_doubts(self, values: Sequence[Any]) -> Iterator[tuple[int, Flaw]]:
        """The squares of the three line voltages never add up to more than three times those of the phases.

        Less they may be: the neutral shifts, or all three inputs hang on one phase.
        """
        v1, v2, v3, u12, u23, u31 = self._voltages
        if not _known(values, self._voltages):
            return
        phases = values[v1] ** 2 + values[v2] ** 2 + values[v3] ** 2
        lines = values[u12] ** 2 + values[u23] ** 2 + values[u31] ** 2
        if lines > 3 * _NEUTRAL_SHIFT * phases + _AT_LEAST_V_SQUARED:
            # three wires without a neutral: the phases read 0, and that 0 is no measurement
            doubted = self._voltages[:3] if phases < _NOTHING * lines else self._voltages[3:]
            yield from ((i, Flaw.INCONSISTENT) for i in doubted)

    def _counter_doubts(self, values: Values, before: Values) -> Iterator[tuple[int, Flaw]]:
        try:
            if all(map(le, self._counted(before), self._counted(values))):
                return
        except TypeError:  # a None among them
            pass
        for counter in self._counters:
            now, then = values[counter.position], before[counter.position]
            if now is not None and then is not None and now < then:
                yield counter.position, backwards(now, then, counter.modulus_steps)


def backwards(now: int, then: int, modulus_steps: int | None) -> Flaw:
    """What it means that a counter shows less than before: ROLLOVER from its end to its beginning, else WENT_BACK."""
    full = modulus_steps
    rolled = full is not None and then > _NEARLY_FULL * full and now < (1 - _NEARLY_FULL) * full
    return Flaw.ROLLOVER if rolled else Flaw.WENT_BACK


def latest(values: Values, before: Values | None) -> Values:
    """The last known value of each position: this poll's, or the one before where this poll has none."""
    if before is None or None not in values:
        return values
    return tuple(old if new is None else new for new, old in zip(values, before, strict=True))


def step(register: Register) -> float:
    """The smallest change that a register can show, in the metric's unit; 0 for a float, which shows any."""
    return 0.0 if register.type[0] == "f" else abs(float(register.scale))


def _some_sum(total: float, a: float, b: float, c: float, power: float, least: float) -> bool:
    """Whether `total` is a sum of phases under any of the definitions meters use for apparent power.

    Vector (the smallest, never under the active power), arithmetic, or effective with the neutral (IEEE 1459).
    """
    effective = math.sqrt(3 * max(0.0, 2 * (a * a + b * b + c * c) - (a * b + b * c + c * a)))
    high = max(a + b + c, effective)
    return (1 - _SUM_SHARE) * power - least <= total <= (1 + _SUM_SHARE) * high + least


def _known(values: Sequence[Any], places: Sequence[int]) -> bool:
    return all(values[i] is not None for i in places)


def picker(places: tuple[int, ...]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """The values at `places`, always as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[i] for i in places)


def _sums(places: dict[str, int], decoder: Decoded, stems: Sequence[str]) -> Iterator[_Sum]:
    for stem in stems:
        names = [f"{stem}_{which}" for which in ("total", "l1", "l2", "l3")]
        if _in_one_answer(names, places, decoder):
            total, l1, l2, l3 = (places[name] for name in names)
            rough = sum(step(decoder.order[i]) for i in (total, l1, l2, l3))
            yield _Sum(total, l1, l2, l3, BY_NAME[names[0]].to_wire(_AT_LEAST_W + rough / 2))


def _phases(places: dict[str, int], decoder: Decoded) -> Iterator[_Phase]:
    one_phase = "current_l2" not in places
    for phase in ("l1", "l2", "l3"):
        # a single-phase meter's total is its phase
        ends = (phase, "total") if one_phase else (phase,)
        power = next((n for e in ends if (n := f"power_active_{e}") in places), "")
        factor = next((n for e in ends if (n := f"power_factor_{e}") in places), "")
        names = [power, f"voltage_{phase}", f"current_{phase}"]
        if not _in_one_answer(names, places, decoder):
            continue
        p, v, i = (places[name] for name in names)
        shown = factor != "" and _in_one_answer([*names, factor], places, decoder)
        rough_w = 300 * step(decoder.order[i]) + step(decoder.order[p])
        least = BY_NAME[power].to_wire(_AT_LEAST_W + rough_w)
        yield _Phase(p, v, i, places[factor] if shown else -1, least)


def _voltages(places: dict[str, int]) -> tuple[int, ...]:
    names = ("voltage_l1", "voltage_l2", "voltage_l3", "voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1")
    return tuple(places[name] for name in names) if all(name in places for name in names) else ()


def _in_one_answer(names: Sequence[str], places: dict[str, int], decoder: Decoded) -> bool:
    return (
        all(name in places for name in names) and len({decoder.span_of[places[name]] for name in names}) == 1
    )
