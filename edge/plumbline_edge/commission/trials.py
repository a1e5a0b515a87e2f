"""What to ask on a wire that nobody knows yet, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import Function, Parity, Profile

USUAL_BAUDS: Final = (9600, 19200, 2400, 4800, 38400, 115200, 57600, 1200)
ALL_UNITS: Final = tuple(range(1, 248))
_USUAL_UNITS: Final = (1, 2, 3)
_FEW: Final = 2
"""Questions that a unit gets which is not one of the commonest, or on an unlikely setting: one of each function."""
_REQUEST_BYTES: Final = 8
_SUNSPEC_MARK: Final = Span(40_000, 40_002)
_NO_PROFILES: Final = ((4, Span(0, 2)), (3, Span(0, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a serial port is set. `factory`: meters of a shipped profile leave their maker like this."""

    baud: int
    parity: Parity = "N"
    stop_bits: int = 1
    factory: bool = False

    def __str__(self) -> str:
        return f"{self.baud} 8{self.parity}{self.stop_bits}"

    @property
    def byte_s(self) -> float:
        """Seconds that one byte takes."""
        return (9 + (self.parity != "N") + self.stop_bits) / self.baud


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A read that some meters answer with values; any answer shows that somebody is there."""

    function: Function
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """These units, asked each of these questions, on a port set like this (None: it is no serial port)."""

    setting: Setting | None
    asks: tuple[Ask, ...]
    units: tuple[int, ...]
    left_s: float = 0.0
    """What would follow it at most, if nobody answers anywhere."""

    def longest_s(self, timeout_s: float) -> float:
        """How long it takes where nobody answers."""
        wire_s = _REQUEST_BYTES * self.setting.byte_s if self.setting else 0.0
        return len(self.asks) * len(self.units) * (timeout_s + wire_s)


def settings_to_try(
    profiles: Iterable[Profile],
    *,
    bauds: Sequence[int] | None = None,
    parities: Sequence[Parity] | None = None,
    thorough: bool = False,
) -> tuple[Setting, ...]:
    """Each setting once: those that meters are shipped with first, the commonest of them first.

    Where speeds or parities are named, these and no others. Odd parity is tried only where asked for.
    """
    shipped = [profile.serial for profile in profiles if profile.serial is not None]
    counted = Counter((one.baud, one.parity, one.stop_bits) for one in shipped)
    factory = [
        Setting(baud=baud, parity=parity, stop_bits=stop_bits, factory=True)
        for (baud, parity, stop_bits), _ in counted.most_common()
        if (bauds is None or baud in bauds) and (parities is None or parity in parities)
    ]
    known = sorted({baud for one in shipped for baud in one.bauds} - set(USUAL_BAUDS))
    some_parities: Sequence[Parity] = parities or (("N", "E", "O") if thorough else ("N", "E"))
    rest = [
        Setting(baud=baud, parity=parity)
        for baud in dict.fromkeys(bauds or (*USUAL_BAUDS, *(known if thorough else ())))
        for parity in dict.fromkeys(some_parities)
        if not any(one.baud == baud and one.parity == parity for one in factory)
    ]
    return (*factory, *rest)


def presence_asks(profiles: Iterable[Profile]) -> tuple[Ask, ...]:
    """Reads by which meters show that they are there: every profile's own probe once, those of most profiles first.

    The first two differ in their function: there are meters that say nothing at all to the wrong one.
    """
    counted: Counter[Ask] = Counter()
    for profile in profiles:
        if profile.protocol == "modbus":
            probe = profile.register(profile.probe)
            counted[Ask(function=profile.function, span=Span(probe.address, probe.end))] += 1
        elif profile.protocol == "sunspec":
            counted[Ask(function=3, span=_SUNSPEC_MARK)] += 1
    asks = [ask for ask, _ in counted.most_common()]
    for function, span in _NO_PROFILES:
        if not any(ask.function == function for ask in asks):
            asks.append(Ask(function=3 if function == 3 else 4, span=span))
    other = next(ask for ask in asks if ask.function != asks[0].function)
    return (asks[0], other, *(ask for ask in asks[1:] if ask != other))


def common_units(profiles: Iterable[Profile], units: Sequence[int]) -> tuple[int, ...]:
    """Those of `units` that meters are shipped with, and the first few numbers; never none of some."""
    counted = Counter(profile.serial.unit for profile in profiles if profile.serial is not None)
    wanted = dict.fromkeys((*(unit for unit, _ in counted.most_common()), *_USUAL_UNITS))
    return tuple(unit for unit in wanted if unit in units) or tuple(units[: len(_USUAL_UNITS)])


def course(
    settings: Sequence[Setting | None],
    units: Sequence[int],
    common: Collection[int],
    asks: Sequence[Ask],
    *,
    timeout_s: float,
    thorough: bool = False,
) -> Generator[Trial, bool, None]:
    """Yields what to try next and is sent whether anybody answered there.

    The commonest units on every setting come first; the other units where somebody answered, and everywhere only
    where nobody did at all. `thorough`: every unit on every setting. Once somebody was found, only the settings that
    meters are shipped with are still tried.
    """
    first = tuple(unit for unit in units if unit in common)
    rest = tuple(unit for unit in units if unit not in common)
    few = tuple(asks if thorough else asks[:_FEW])
    near = [
        Trial(setting=setting, asks=tuple(asks) if setting is None or setting.factory else few, units=first)
        for setting in settings
    ]
    far = [Trial(setting=setting, asks=few, units=rest) for setting in settings] if rest else []
    left_s = sum(trial.longest_s(timeout_s) for trial in (*near, *far))
    found = False
    later: list[Trial] = []
    for n, trial in enumerate(near):
        setting = trial.setting
        others = far[n : n + 1]
        left_s -= trial.longest_s(timeout_s)
        if found and not thorough and setting is not None and not setting.factory:
            left_s -= sum(one.longest_s(timeout_s) for one in others)
            continue
        here = yield _with_left(trial, left_s)
        found = found or here
        if not (here or thorough):
            later += others
            continue
        for other in others:
            left_s -= other.longest_s(timeout_s)
            yield _with_left(other, left_s)
    if found:
        return
    for trial in later:
        left_s -= trial.longest_s(timeout_s)
        if (yield _with_left(trial, left_s)):
            return


def _with_left(trial: Trial, left_s: float) -> Trial:
    return Trial(setting=trial.setting, asks=trial.asks, units=trial.units, left_s=max(0.0, left_s))
