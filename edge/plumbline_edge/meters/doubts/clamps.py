"""Voltages, currents and powers against each other: clamps, ratios and scales that cannot be right."""

from __future__ import annotations

import cmath
import itertools
import math
from collections.abc import Iterator, Sequence
from statistics import fmean, median, quantiles
from typing import Final

from plumbline_edge.meters.doubts.balance import name_ratio
from plumbline_edge.meters.doubts.check import step
from plumbline_edge.meters.doubts.suspicion import Shown, Suspicion
from plumbline_edge.meters.profiles.profile import Profile

_PHASES: Final = ("l1", "l2", "l3")
_LEAST_VA: Final = 50.0
_NO_LOAD_W: Final = 20.0
_NO_LOAD_A: Final = 0.08
_CONSTANT: Final = 1.12
_HIGH: Final = 1.25
_LOW: Final = 0.5
"""A meter with the fundamental's cosine as its factor has P down to half of V x I x factor; more it never has."""
_TEN: Final = 0.03
_THOUSAND: Final = 0.1
"""How far from a whole number the logarithm of a ratio may be; no CT ratio comes near a thousand."""
_SWAPS: Final = tuple(p for p in itertools.permutations(range(3)) if p != (0, 1, 2))
_GRID_V: Final = (80.0, 300.0)
_SIBLING: Final = 0.5
_SAME: Final = 0.005
_TURN: Final = cmath.exp(2j * math.pi / 3)
_TOGETHER: Final = 0.93
_APART: Final = 0.6
_HINT_CLAMPS: Final = "Compare clamps and voltage taps phase by phase; exchange the clamps named."
_HINT_SCALE: Final = (
    "Compare with the meter's display; set the `scale` of these registers, or the meter's unit."
)
_HINT_KILO: Final = (
    "Compare with the meter's display: the powers are probably in kW; set `scale = 1000` of their registers."
)
_HINT_RATIO: Final = "Compare the meter's CT ratio with the label on the current transformers."


def doubts(profile: Profile, polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """What one or several polls say. Nothing where there is nothing to say; "no load" where nothing can be said."""
    if not polls:
        return
    yield from _three_wires(polls)
    odd = list(_odd_voltage(polls))
    yield from odd
    if odd:  # what such a voltage makes with amperes says nothing
        polls = [{n: v for n, v in one.items() if n not in odd[0].metrics} for one in polls]
    if _idle(polls):
        yield Suspicion(
            kind="no load", metrics=(), confidence=0.3,
            sentence="nothing draws current: powers, clamps and ratios cannot be judged",
            hint="Switch something on, on every phase, and look again.",
        )  # fmt: skip
        yield from _frequency_scale(polls)
        return
    swapped = list(_swapped_registers(profile, polls))
    yield from swapped or _ratios(polls)
    yield from _total_by_volts(polls)
    yield from _total_off(polls)
    yield from _turned_clamps(polls)
    yield from _frequency_scale(polls)


def _idle(polls: Sequence[Shown]) -> bool:
    drawn = [
        abs(value) < (_NO_LOAD_A if name.startswith("current_l") else _NO_LOAD_W)
        for values in polls
        for name, value in values.items()
        if name.startswith(("current_l", "power_active"))
    ]
    return bool(drawn) and all(drawn)


def _three_wires(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    names = [f"voltage_{phase}" for phase in _PHASES]
    lines = ("voltage_l1_l2", "voltage_l2_l3", "voltage_l3_l1")
    if all(
        all(abs(values.get(name, 99.0)) < 10 for name in names)
        and any(80 <= values.get(line, 0.0) <= 1200 for line in lines)
        for values in polls
    ):
        yield Suspicion(
            kind="3P3W wiring", metrics=tuple(names), confidence=0.95,
            sentence="phase voltages read 0 while there is voltage between the lines: three wires, no neutral",
            hint="Connect the neutral, set the meter to 3P4W, or leave the phase voltages out of the profile.",
        )  # fmt: skip


def _odd_voltage(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """Phase voltages far from the other phases': another value's registers, or a phase that is off."""
    names = [f"voltage_{phase}" for phase in _PHASES]
    seen = {n: median(found) for n in names if (found := [one[n] for one in polls if n in one])}
    sound = [n for n, volts in seen.items() if _GRID_V[0] <= volts <= _GRID_V[1]]
    odd = [n for n in seen if n not in sound]
    if len(seen) < len(names) or not odd or not sound:
        return
    middle = fmean(seen[n] for n in sound)
    if any(_SIBLING * middle <= seen[n] <= middle / _SIBLING for n in odd):
        return
    said = " and ".join(f"{n} reads {seen[n]:.4g} V" for n in odd)
    others = " and ".join(sound)
    twins = sorted(
        name for name, value in polls[-1].items()
        if value and name not in names and any(abs(value - polls[-1].get(n, 0.0)) <= _SAME * value for n in odd)
    )  # fmt: skip
    if twins:
        said += f", the number that {twins[0]} reads,"
    yield Suspicion(
        kind="address", metrics=tuple(odd), confidence=0.9 if twins else 0.45,
        sentence=f"{said} while {others} {'reads' if len(sound) == 1 else 'read'} {middle:.4g} V",
        hint="Compare the addresses of the voltages with the manual: they may be one value (two registers for a"
        " 32-bit one) off. Else the phase is off or its fuse blown: measure it at the terminals.",
    )  # fmt: skip


def _frequency_scale(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    seen = [values["frequency"] for values in polls if values.get("frequency")]
    middle = median(seen) if seen else 50.0
    for power in (-3, -2, -1, 1, 2, 3):
        if 45 <= middle / 10**power <= 65:
            yield _scaled(("frequency",), f"the frequency reads {middle:g} Hz", 10.0**power)


def _scaled(metrics: tuple[str, ...], seen: str, factor: float) -> Suspicion:
    kilo = factor == 1e-3 and all(name.startswith(("power", "current")) for name in metrics)
    return Suspicion(
        kind="scale", metrics=metrics, sentence=f"{seen}: a factor of {name_ratio(factor)}",
        hint=_HINT_KILO if kilo else _HINT_SCALE,
        confidence=0.9,
    )  # fmt: skip


def _power_and_apparent(values: Shown, phase: str) -> tuple[float, float, bool] | None:
    """|P|, V x I x |factor| and whether the factor is known, of one phase."""
    single = "current_l2" not in values
    ends = (phase, "total") if single else (phase,)
    power = next((p for e in ends if (p := values.get(f"power_active_{e}")) is not None), None)
    factor = next((f for e in ends if (f := values.get(f"power_factor_{e}")) is not None), None)
    volts, amps = values.get(f"voltage_{phase}"), values.get(f"current_{phase}")
    if power is None or volts is None or amps is None:
        return None
    return abs(power), abs(volts * amps) * (1.0 if factor is None else abs(factor)), factor is not None


def _swapped_registers(profile: Profile, polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """Powers that belong to other phases' volts and amperes."""
    rows, certain = _phase_rows(polls)
    if not rows:
        return
    size = sum(one[1] for row in rows for one in row)

    def cost(order: tuple[int, ...]) -> float:
        return sum(abs(row[i][0] - row[order[i]][1]) for row in rows for i in range(3)) / size

    rough_a = max((step(r) for r in profile.registers if r.metric.name == "current_l1"), default=0.0)
    rough = len(rows) * 3 * 0.5 * rough_a * 300 / size
    own = cost((0, 1, 2))
    if own <= (0.02 if certain else 0.3) + 2 * rough:
        return
    best, second = sorted(_SWAPS, key=cost)[:2]
    if cost(best) > min((0.05 if certain else 0.25) + rough, 0.35 * own) or cost(second) < 1.3 * cost(best):
        return
    yield _exchange(best, "powers", min(0.95, 1 - cost(best) / own))


def _phase_rows(polls: Sequence[Shown]) -> tuple[list[list[tuple[float, float]]], bool]:
    """Per poll |P| and V x I x factor of the three phases; where no factor is known, one stands for all three."""
    rows = []
    certain = True
    for values in polls:
        row = [one for phase in _PHASES if (one := _power_and_apparent(values, phase)) is not None]
        if len(row) < 3 or max(apparent for _, apparent, _ in row) <= _LEAST_VA:
            continue
        known = all(shown for _, _, shown in row)
        certain = certain and known
        if not known and not all(power for power, _, _ in row):
            continue
        common = 1.0 if known else sum(p for p, _, _ in row) / sum(s for _, s, _ in row)
        rows.append([(power, apparent * common) for power, apparent, _ in row])
    return rows, certain


def _exchange(order: tuple[int, ...], what: str, confidence: float) -> Suspicion:
    moved = [i for i in range(3) if order[i] != i]
    names = [f"L{i + 1}" for i in moved]
    if len(moved) == 2:
        said = f"current clamps of {names[0]} and {names[1]} are exchanged"
    else:
        said = "current clamps are moved round: " + ", ".join(f"L{order[i] + 1} on L{i + 1}" for i in moved)
    return Suspicion(
        kind="phase swapped", metrics=tuple(f"power_active_l{i + 1}" for i in moved), hint=_HINT_CLAMPS,
        sentence=f"{said}, or their registers: the {what} fit the voltages that way only",
        confidence=round(confidence, 2),
    )  # fmt: skip


def _ratios(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """Power against volts x amperes (x factor) by a constant that is not 1."""
    off: dict[str, float] = {}
    judged = 0
    known = True
    volts = [v for values in polls if (v := values.get("voltage_l1"))]
    volt = median(volts) if volts else 230.0
    for phase in _PHASES:
        found = [one for values in polls if (one := _power_and_apparent(values, phase)) is not None]
        # a wrong scale makes one side of it small, whichever it is
        found = [one for one in found if max(one[0], one[1]) > _LEAST_VA and min(one[0], one[1]) > 0]
        if not found:
            continue
        judged += 1
        known = found[0][2]
        ratios = [power / apparent for power, apparent, _ in found]
        middle = median(ratios)
        if known and not _LOW <= middle <= _HIGH and _constant(ratios):
            off[phase] = middle
        elif not known and (guess := _without_factor(middle, volt)) is not None:
            off[phase] = guess
    if not known and len(off) < judged:
        return
    if not off:
        return
    ratio = median(off.values())
    names = tuple(f"{stem}_{phase}" for stem in ("power_active", "current") for phase in off)
    which = "" if len(off) == judged else " on " + " and ".join(phase.upper() for phase in off)
    seen = f"power is {ratio:.3g} times what volts, amperes and power factor make{which}"
    tenth = math.log10(ratio)
    if not 50 <= volt <= 350 and 50 <= volt * ratio <= 350:
        yield _scaled(
            tuple(f"voltage_{phase}" for phase in off), f"the voltage reads {volt:.4g} V", 1 / ratio
        )
    elif _is_power_of_ten(tenth):
        yield _scaled(names, seen, 10.0 ** round(tenth))
    else:
        yield Suspicion(
            kind="CT ratio", metrics=names, sentence=f"{seen}, always: {name_ratio(ratio)}", hint=_HINT_RATIO,
            confidence=0.85,
        )  # fmt: skip


def _without_factor(ratio: float, volt: float) -> float | None:
    """The constant in P / (V x I), whose unknown power factor is between about 0.2 and 1; None: it may well be 1."""
    tenth = 0.1 if volt > 350 else 10.0
    if not 50 <= volt <= 350 and 50 <= volt * tenth <= 350 and ratio / tenth <= _HIGH and ratio / tenth > 0.1:
        return tenth
    if ratio > _HIGH:
        return ratio
    return 1000.0 ** round(math.log(ratio * 1.5, 1000)) if ratio < 0.01 else None


def _is_power_of_ten(tenth: float) -> bool:
    near = _THOUSAND if abs(tenth) > 2.5 else _TEN
    return round(tenth) != 0 and abs(tenth - round(tenth)) < near


def _constant(ratios: Sequence[float]) -> bool:
    if len(ratios) < 4:
        return max(ratios) <= _CONSTANT * min(ratios)
    tenths = quantiles(ratios, n=10)
    return tenths[-1] <= _CONSTANT * tenths[0]


def _total_off(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """A total that is its phases' sum times a constant."""
    ratios = []
    for values in polls:
        phases = [values.get(f"power_active_{phase}") for phase in _PHASES]
        total = values.get("power_active_total")
        parts = sum(p for p in phases if p is not None)
        if total is None or None in phases or min(abs(total), abs(parts)) == 0:
            continue
        if max(abs(total), abs(parts)) > 2 * _LEAST_VA:
            ratios.append(abs(total / parts))
    if not ratios or 0.8 <= (ratio := median(ratios)) <= _HIGH or not _constant(ratios):
        return
    tenth = math.log10(ratio)
    said = f"the total power is {ratio:.3g} times the sum of its phases"
    if _is_power_of_ten(tenth):
        yield _scaled(("power_active_total",), said, 10.0 ** round(tenth))
    else:
        yield Suspicion(
            kind="CT ratio", metrics=("power_active_total",), sentence=f"{said}, always: {name_ratio(ratio)}",
            hint=_HINT_RATIO, confidence=0.8,
        )  # fmt: skip


def _total_by_volts(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """A total without phase powers, a thousandth of what volts and amperes make: kW taken for W."""
    ratios = []
    for values in polls:
        pairs = [(values.get(f"voltage_{p}"), values.get(f"current_{p}")) for p in _PHASES]
        total = values.get("power_active_total")
        if not total or "power_active_l1" in values or any(v is None or a is None for v, a in pairs):
            continue
        apparent = sum(abs(v * a) for v, a in pairs if v is not None and a is not None)
        if apparent > _LEAST_VA:
            ratios.append(abs(total) / apparent)
    if not ratios or (guess := _thousandfold(median(ratios))) is None:
        return
    seen = f"the total power is {median(ratios):.3g} times what volts and amperes make"
    yield _scaled(("power_active_total",), seen, guess)


def _thousandfold(ratio: float) -> float | None:
    """The power of 1000 in P / (V x I), whose unknown power factor is between about 0.2 and 1; None: there is none."""
    guess = 1000.0 ** round(math.log(ratio * 1.5, 1000)) if ratio > 0 else 1.0
    return guess if guess != 1 else None


def _turned_clamps(polls: Sequence[Shown]) -> Iterator[Suspicion]:
    """Phases whose power points elsewhere than the others': a clamp turned round, or on another phase's wire."""
    powers: list[complex] = []
    for phase in _PHASES:
        pairs = [
            (values[f"power_active_{phase}"], values.get(f"power_reactive_{phase}"))
            for values in polls
            if f"power_active_{phase}" in values
        ]
        if not pairs:
            return
        powers.append(complex(fmean(p for p, _ in pairs), fmean(q or 0.0 for _, q in pairs)))
    largest = max(map(abs, powers))
    if min(p.real for p in powers) >= -max(_NO_LOAD_W, 0.02 * largest):
        return
    if any(p.imag for p in powers) and (order := _other_clamps(powers)) is not None:
        yield _exchange(order, "angles", 0.7)
        return
    turned = [i for i in range(3) if powers[i].real < -max(_NO_LOAD_W, 0.02 * largest)]
    if len(turned) == 3:
        return  # a site may give: nothing tells that from three clamps turned round
    names = " and ".join(f"L{i + 1}" for i in turned)
    verb, clamps = ("is", "clamp") if len(turned) == 1 else ("are", "clamps")
    yield Suspicion(
        kind="CT reversed", metrics=tuple(f"power_active_l{i + 1}" for i in turned), confidence=0.75,
        sentence=f"the {clamps} on {names} {verb} turned round, or the phase exports while the others draw",
        hint="Turn the clamp (or exchange its two wires S1 and S2), unless something there feeds in.",
    )  # fmt: skip


def _other_clamps(powers: Sequence[complex]) -> tuple[int, ...] | None:
    """The exchange of clamps under which all three powers point the same way, if turning clamps does not do it."""
    if min(map(abs, powers)) < _NO_LOAD_W:
        return None
    units = [p / abs(p) for p in powers]
    as_turned = [u if u.real > 0 else -u for u in units]
    if abs(sum(as_turned)) / 3 > _TOGETHER:
        return None
    best, found = _TOGETHER, None
    for order in _SWAPS:
        for turn in (_TURN, _TURN.conjugate()):
            # the current of phase j measured against the voltage of phase i is off by their distance
            moved = [unit * turn ** ((order[i] - i) % 3) for i, unit in enumerate(units)]
            middle = sum(moved) / 3
            if abs(middle) > best and middle.real > _APART * abs(middle):
                best, found = abs(middle), order
    return found
