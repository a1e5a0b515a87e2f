"""Counters that go back: whether one rolled over, misread, was set to zero, or belongs to another meter now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.check import backwards, picker
from plumbline_edge.meters.modbus.decode import Values
from plumbline_edge.meters.profiles.profile import Register

_CONFIRMED_BY: Final = 3
_LEAST_DROP: Final = 1.0
"""In the counter's unit. A gateway that serves an older answer goes back by less, and nobody swapped a meter."""


class Level(NamedTuple):
    """Where one counter stands, in steps. `was`: where it stood before it went back, until that is explained.

    `earlier` is the value before `now`: one misread upwards is told from a set-back by it.
    """

    now: int | None = None
    earlier: int | None = None
    was: int | None = None
    seen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenure:
    """What is remembered of the meter that sits here: its counters' levels, and its own number once read."""

    levels: tuple[Level, ...]
    serial: str | None = None
    quiet: tuple[int | None, ...] | None = None
    """The last values, where none of them waits to be explained: the very same again say nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`flaws`: (position, flaw) of doubted counters. `replaced`: a sentence, once for each meter put in or set back."""

    tenure: Tenure
    flaws: tuple[tuple[int, Flaw], ...] = ()
    replaced: str | None = None


class Counters:
    """The counters among a meter's registers; holds no state of its own."""

    __slots__ = ("_moduli", "_pick", "_places", "_registers")

    def __init__(self, registers: Sequence[Register]) -> None:
        self._places = tuple(i for i, r in enumerate(registers) if r.metric.kind == "counter")
        self._registers = tuple(registers[i] for i in self._places)
        self._moduli = tuple(
            None if r.modulus is None else r.metric.to_wire(r.modulus) for r in self._registers
        )
        self._pick = picker(self._places)

    def begin(self) -> Tenure:
        return Tenure(levels=(Level(),) * len(self._places))

    def judge(self, tenure: Tenure, values: Values) -> Verdict:
        """What one poll's values add. A value that has no number, or is garbage by its own flaw, is given as None."""
        now: tuple[Any, ...] = self._pick(values)
        if now == tenure.quiet:
            return Verdict(tenure=tenure)
        levels, flaws, confirmed = [], [], []
        for i, (level, value) in enumerate(zip(tenure.levels, now, strict=True)):
            if value is None or (value == level.now and level.was is None):
                levels.append(level)
                continue
            after, flaw, told = _after(level, value, self._moduli[i], self._registers[i])
            levels.append(after)
            if flaw is not None:
                flaws.append((self._places[i], flaw))
            if told:
                confirmed.append((self._registers[i], level.was, value))
        return Verdict(
            tenure=Tenure(
                levels=tuple(levels),
                serial=tenure.serial,
                quiet=None if flaws or any(level.was is not None for level in levels) else now,
            ),
            flaws=tuple(flaws),
            replaced=_set_back(confirmed, tenure.serial) if confirmed else None,
        )

    def serial_read(self, tenure: Tenure, serial: str) -> Verdict:
        """What the meter's own number says: another one is another meter, whose counters begin anew."""
        serial = serial.strip(" \0")
        if not serial or serial == tenure.serial:
            return Verdict(tenure=tenure)
        if tenure.serial is None:
            return Verdict(tenure=replace(tenure, serial=serial))
        return Verdict(
            tenure=replace(self.begin(), serial=serial),
            replaced=f"another meter: its serial number is {serial}, it was {tenure.serial}",
        )


def _after(  # noqa: PLR0911 - a state machine: one line for each way out
    level: Level, value: int, modulus: int | None, register: Register
) -> tuple[Level, Flaw | None, bool]:
    """The level after a value, its flaw, and whether it is now sure that the counter was set back."""
    if level.now is None:
        return Level(now=value), None, False
    if level.was is None:
        if value >= level.now:
            return Level(now=value, earlier=level.now), None, False
        flaw = backwards(value, level.now, modulus)
        if flaw is Flaw.ROLLOVER:
            return Level(now=value), flaw, False
        if level.earlier is not None and level.earlier <= value:
            return Level(now=value, earlier=level.earlier), flaw, False  # the value between was the wrong one
        return Level(now=value, was=level.now, seen=1), flaw, False
    if value >= level.was:
        return Level(now=value), None, False  # the lower ones were wrong
    if value < level.now:
        return Level(now=value, was=level.was, seen=1), Flaw.WENT_BACK, False
    if level.seen + 1 < _CONFIRMED_BY:
        return level._replace(now=value, seen=level.seen + 1), Flaw.WENT_BACK, False
    big = level.was - value >= register.metric.to_wire(_LEAST_DROP)
    return Level(now=value), None, big


def _set_back(confirmed: list[tuple[Register, int | None, int]], serial: str | None) -> str:
    said = ", ".join(
        f"{r.metric.name} from {r.metric.from_wire(was or 0):g} to {r.metric.from_wire(now):g} {r.metric.unit}"
        for r, was, now in confirmed[:3]
    )
    more = f" and {len(confirmed) - 3} more" if len(confirmed) > 3 else ""
    which = "another meter, or this one was set back" if serial is None else f"meter {serial} was set back"
    return f"{which}: {said}{more}"
