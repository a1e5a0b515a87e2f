"""Values that stay the very same number while what must move with them moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import eq
from types import MappingProxyType
from typing import Final, NamedTuple

from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.doubts.check import picker
from plumbline_edge.meters.modbus.decode import Values
from plumbline_edge.meters.profiles.profile import Register

_POLLS: Final = 10
_MOVED_SHARE: Final = 0.5
_MOVED: Final = {"A": 1.0, "W": 500.0}
_LEAST_STEPS: Final = 50
"""A number of fewer raw steps than this can honestly repeat: its meter sees no finer."""


class Still(NamedTuple):
    """One value's run: for how many polls it is the same, and how low and high its partner was meanwhile."""

    polls: int
    low: int
    high: int


class Run(NamedTuple):
    """The watched values of the last poll, and the runs of those that repeat themselves, by pair."""

    values: tuple[int | None, ...] = ()
    still: Mapping[int, Still] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    position: int
    value: int
    """Place of it, and of its partner, among the watched values."""
    partner: int
    least: int
    """Below this the value is too few steps to tell."""
    moved: int


class Stillness:
    """The pairs of power and current of a phase among a meter's registers; holds no state of its own."""

    __slots__ = ("_pairs", "_pick")

    def __init__(self, registers: Sequence[Register]) -> None:
        places = {register.metric.name: i for i, register in enumerate(registers)}
        pairs: list[tuple[str, str]] = []
        for phase in ("l1", "l2", "l3"):
            power = f"power_active_{phase}"
            if power not in places and "current_l2" not in places:
                power = "power_active_total"
            current = f"current_{phase}"
            if power in places and current in places:
                pairs += [(power, current), (current, power)]
        watched = [value for value, _ in pairs]
        self._pairs = tuple(
            _Pair(
                position=places[value],
                value=watched.index(value),
                partner=watched.index(partner),
                least=round(_LEAST_STEPS * max(_steps(registers[places[value]]), 1.0)),
                moved=BY_NAME[partner].to_wire(_MOVED[BY_NAME[partner].unit]),
            )
            for value, partner in pairs
        )
        self._pick = picker(tuple(places[value] for value in watched))

    def begin(self) -> Run:
        return Run()

    def judge(self, run: Run, values: Values) -> tuple[Run, tuple[tuple[int, Flaw], ...]]:
        """The run with one more poll, and (position, STUCK) for each value that no longer follows its partner."""
        now = self._pick(values)
        if not any(map(eq, now, run.values)):  # nearly every poll under load
            return Run(now), ()
        still = {}
        flaws = []
        for i, pair in enumerate(self._pairs):
            value, partner, before = now[pair.value], now[pair.partner], run.values[pair.partner]
            if value is None or partner is None or before is None or value != run.values[pair.value]:
                continue
            old = run.still.get(i) or Still(1, abs(before), abs(before))
            one = Still(min(old.polls + 1, _POLLS), min(old.low, abs(partner)), max(old.high, abs(partner)))
            still[i] = one
            moved = one.high - one.low
            if (
                one.polls >= _POLLS
                and abs(value) >= pair.least
                and moved >= max(pair.moved, _MOVED_SHARE * one.high)
            ):
                flaws.append((pair.position, Flaw.STUCK))
        return Run(now, still), tuple(flaws)


def _steps(register: Register) -> float:
    """How many steps of its metric's resolution one raw step is; a float may be as fine as the resolution."""
    return 0.0 if register.type[0] == "f" else abs(float(register.scale)) * register.metric.to_wire(1)
