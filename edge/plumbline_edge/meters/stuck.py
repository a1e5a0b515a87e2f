"""Values that stay the very same number while what must move with them moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from plumbline.metrics import BY_NAME, Flaw
from plumbline_edge.meters.decode import Values
from plumbline_edge.meters.profile import Register

_POLLS: Final = 10
_MOVED_SHARE: Final = 0.5
_MOVED: Final = {"A": 1.0, "W": 500.0}
_LEAST_STEPS: Final = 50
"""A number of fewer raw steps than this can honestly repeat: its meter sees no finer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One value's run: the number it repeats, for how many polls, and how low and high its partner was meanwhile."""

    value: int | None = None
    polls: int = 0
    low: int = 0
    high: int = 0


Run = tuple[Still, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    value: int
    partner: int
    least: int
    """Below this the value is too few steps to tell."""
    moved: int


class Stillness:
    """The pairs of power and current of a phase among a meter's registers; holds no state of its own."""

    __slots__ = ("_pairs",)

    def __init__(self, registers: Sequence[Register]) -> None:
        places = {register.metric.name: i for i, register in enumerate(registers)}
        pairs = []
        for phase in ("l1", "l2", "l3"):
            power = f"power_active_{phase}"
            if power not in places and "current_l2" not in places:
                power = "power_active_total"
            current = f"current_{phase}"
            if power in places and current in places:
                pairs += [(power, current), (current, power)]
        self._pairs = tuple(
            _Pair(
                value=places[value],
                partner=places[partner],
                least=round(_LEAST_STEPS * max(_steps(registers[places[value]]), 1.0)),
                moved=BY_NAME[partner].to_wire(_MOVED[BY_NAME[partner].unit]),
            )
            for value, partner in pairs
        )

    def begin(self) -> Run:
        return (Still(),) * len(self._pairs)

    def judge(self, run: Run, values: Values) -> tuple[Run, tuple[tuple[int, Flaw], ...]]:
        """The run with one more poll, and (position, STUCK) for each value that no longer follows its partner."""
        after, flaws = [], []
        for still, pair in zip(run, self._pairs, strict=True):
            value, partner = values[pair.value], values[pair.partner]
            if value is None or partner is None:
                after.append(still)
                continue
            partner = abs(partner)
            if value != still.value:
                after.append(Still(value=value, polls=1, low=partner, high=partner))
                continue
            now = Still(
                value=value,
                polls=min(still.polls + 1, _POLLS),
                low=min(still.low, partner),
                high=max(still.high, partner),
            )
            after.append(now)
            ranged = now.high - now.low
            if (
                now.polls >= _POLLS
                and abs(value) >= pair.least
                and ranged >= pair.moved
                and ranged >= _MOVED_SHARE * now.high
            ):
                flaws.append((pair.value, Flaw.STUCK))
        return tuple(after), tuple(flaws)


def _steps(register: Register) -> float:
    """How many steps of its metric's resolution one raw step is; a float may be as fine as the resolution."""
    return 0.0 if register.type[0] == "f" else abs(float(register.scale)) * register.metric.to_wire(1)
