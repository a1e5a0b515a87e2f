"""How well raw answers fit a profile, by physics; and under which other layout they would fit."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Final, NamedTuple

from plumbline_edge.meters.doubts.suspicion import Kind, Shown, Suspicion
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import STRUCT_CODES, Profile, Register

Words = Mapping[int, int]
"""16-bit words by address."""

_UNKNOWN: Final = 4.0
"""As much weight as this is held against every profile: one that explains more values wins over its own excerpt."""
_GOOD: Final = 0.8
_BETTER_BY: Final = 0.2
_NEAR: Final = 0.1
_TINY: Final = 1e-6
_HUGE: Final = 1e9


class Layout(NamedTuple):
    """How registers are read otherwise than the profile says."""

    swap_words: bool = False
    swap_bytes: bool = False
    shift: int = 0


_OTHERS: Final[dict[Layout, tuple[Kind, str, str]]] = {
    Layout(swap_words=True): (
        "word order",
        "the values make sense only with the two halves of each number exchanged",
        "Set the meter's register order to the factory setting, or `words` in the profile to the other order.",
    ),
    Layout(swap_bytes=True): (
        "byte order",
        "the values make sense only with the two bytes of each register exchanged",
        "Set the meter's byte order to big-endian, or `bytes` in the profile to the other order.",
    ),
    Layout(swap_words=True, swap_bytes=True): (
        "byte order",
        "the values make sense only with all bytes of each number in reverse",
        "Set the meter to big-endian, or `bytes` and `words` in the profile to the other order.",
    ),
    Layout(shift=1): (
        "off by one",
        "the values make sense only one register further up",
        "Add 1 to the profile's addresses: the manual's numbers were taken one too low.",
    ),
    Layout(shift=-1): (
        "off by one",
        "the values make sense only one register further down",
        "Take 1 from the profile's addresses: the manual counts from 1.",
    ),
}


SHIFTS: Final = tuple(layout for layout in _OTHERS if layout.shift)
"""Where the rest of a profile is read rightly, a part of it is more likely off by one than in another word order."""


def words_of(blocks: Iterable[tuple[Span, bytes]]) -> dict[int, int]:
    """The words of raw answers by address."""
    words: dict[int, int] = {}
    for span, answer in blocks:
        words.update(
            zip(range(span.start, span.end), struct.unpack(f">{len(answer) // 2}H", answer), strict=True)
        )
    return words


def fit(profile: Profile, blocks: Iterable[tuple[Span, bytes]]) -> float:
    """How well answers fit a profile, 0 to 1: what was not answered counts against it, as does what cannot be."""
    if profile.protocol == "dlt645":
        return 0.0
    words = words_of(blocks)
    right, weight = _weigh(profile, words, Layout(), missing=True)
    return right / (weight + _UNKNOWN)


def fit_values(values: Shown) -> float:
    """The same for values decoded elsewhere (DL/T 645)."""
    marks = list(_marks({**values}))
    return sum(w * good for w, good in marks) / (sum(w for w, _ in marks) + _UNKNOWN)


def other_layout(
    profile: Profile,
    polls: Sequence[Iterable[tuple[Span, bytes]]],
    layouts: Iterable[Layout] = tuple(_OTHERS),
) -> Suspicion | None:
    """The one of `layouts` under which raw answers make much more sense than under the profile's; None: its own does."""
    read = [words_of(blocks) for blocks in polls]
    if not read or profile.protocol == "dlt645":
        return None
    own = fmean(_share(profile, words, Layout()) for words in read)
    if own >= 1 - _BETTER_BY:
        return None
    shares = {layout: fmean(_share(profile, words, layout) for words in read) for layout in layouts}
    other = max(shares.values())
    if other < max(_GOOD, own + _BETTER_BY):
        return None
    # a float keeps its size with a wrong lower half: what adds up exactly tells the right halves
    near = [layout for layout, share in shares.items() if share >= other - _NEAR]
    best = min(near, key=lambda layout: fmean(_rest(_values(profile, words, layout)) for words in read))
    kind, sentence, hint = _OTHERS[best]
    return Suspicion(
        kind=kind, metrics=tuple(m.name for m in profile.metrics), sentence=sentence, hint=hint,
        confidence=round(min(0.99, other - own / 2), 2),
    )  # fmt: skip


def _share(profile: Profile, words: Words, layout: Layout) -> float:
    right, weight = _weigh(profile, words, layout, missing=False)
    return right / weight if weight >= _UNKNOWN else 0.0


def _weigh(profile: Profile, words: Words, layout: Layout, *, missing: bool) -> tuple[float, float]:
    """(weight of what is right, weight of all that could be judged)."""
    values = _values(profile, words, layout)
    right = 0.0
    unanswered = sum(_number(r, words, layout) is None for r in profile.registers) if missing else 0
    weight = float(unanswered)
    for mark, good in _marks(values):
        weight += mark
        right += mark * good
    return right, weight


def _values(profile: Profile, words: Words, layout: Layout) -> Shown:
    """What was answered and is no "no value"."""
    numbers = {r.metric.name: _number(r, words, layout) for r in profile.registers}
    return {name: n for name, n in numbers.items() if n is not None and not math.isnan(n)}


def _rest(values: Shown) -> float:
    """The mean share by which powers miss their sum, and volts x amperes x factor; 1 where nothing tells."""
    rests = []
    parts = [values.get(f"power_active_{which}", math.nan) for which in ("l1", "l2", "l3", "total")]
    if all(map(math.isfinite, parts)) and parts[3]:
        rests.append(abs(sum(parts[:3]) - parts[3]) / max(map(abs, parts)))
    for phase in ("l1", "l2", "l3"):
        v, i = (values.get(f"{stem}_{phase}", math.nan) for stem in ("voltage", "current"))
        end = phase if "current_l2" in values else "total"
        f, p = (values.get(f"{stem}_{end}", math.nan) for stem in ("power_factor", "power_active"))
        if all(map(math.isfinite, (v, i, f, p))) and p:
            rests.append(abs(abs(p) - abs(v * i * f)) / max(abs(p), abs(v * i)))
    return fmean(rests) if rests else 1.0


def _number(register: Register, words: Words, layout: Layout) -> float | None:
    """A register in its metric's unit; None: not answered, NaN: "no value", infinity: no number a meter would say."""
    places = range(register.address + layout.shift, register.end + layout.shift)
    if any(place not in words for place in places):
        return None
    held = [words[place] for place in places]
    if (register.words == "lsw") != layout.swap_words:
        held.reverse()
    order = "<" if (register.bytes == "little") != layout.swap_bytes else ">"
    raw = b"".join(struct.pack(order + "H", word) for word in held)
    (number,) = struct.unpack(">" + STRUCT_CODES[register.type], raw)
    if number in register.absent or number != number:  # noqa: PLR0124 - NaN
        return math.nan
    if register.type[0] == "f" and number and not _TINY < abs(number) < _HUGE:
        return math.inf
    power = 0
    if register.scale_at is not None:
        at = words.get(register.scale_at + layout.shift)
        if at is None:
            return None
        (power,) = struct.unpack(">h", struct.pack(order + "H", at))
        if not -10 <= power <= 10:
            return math.inf
    return float(number) * float(register.scale) * 10.0**power


def _marks(values: Shown) -> Iterator[tuple[float, float]]:
    """(weight, 0 to 1) for each thing that physics can say."""
    for name, value in values.items():
        yield from _alone(name, abs(value) if "energy" not in name else value)
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    for stem in ("power_active", "power_reactive"):
        names = [f"{stem}_{which}" for which in ("l1", "l2", "l3", "total")]
        if all(name in finite for name in names):
            a, b, c, total = (finite[name] for name in names)
            size = max(abs(a), abs(b), abs(c), abs(total))
            if size > 0:
                yield 3, abs(a + b + c - total) <= 0.03 * size + min(20, size / 2)
    for phase in ("l1", "l2", "l3"):
        yield from _phase(finite, phase)
    yield from _together(finite)


def _alone(name: str, value: float) -> Iterator[tuple[float, float]]:
    stem = name.split("_", maxsplit=1)[0]
    if name in {"voltage_l1", "voltage_l2", "voltage_l3"}:
        yield 2, 1.0 if 80 <= value <= 300 else 0.2 * (value == 0)
    elif stem == "voltage":
        yield 1, 1.0 if 80 <= value <= 520 else 0.2 * (value == 0)
    elif name == "frequency":
        yield 3, 45 <= value <= 65
    elif stem == "current":
        yield 1, value <= 6000
    elif name.startswith("power_factor"):
        yield 1, value <= 1.001
    elif stem == "power":
        yield 1, value <= 5e6
    elif stem == "energy":
        yield 1, 0 <= value <= 1e8
    elif stem == "thd":
        yield 0.5, value <= 400


def _phase(finite: Shown, phase: str) -> Iterator[tuple[float, float]]:
    volts, amps = finite.get(f"voltage_{phase}"), finite.get(f"current_{phase}")
    single = "current_l2" not in finite
    power = finite.get(f"power_active_{phase}", finite.get("power_active_total") if single else None)
    factor = finite.get(f"power_factor_{phase}", finite.get("power_factor_total") if single else None)
    if volts is None or amps is None or power is None:
        return
    apparent = abs(volts * amps)
    if max(apparent, abs(power)) < 20:
        return
    if factor is None:
        yield 1, 0.05 * apparent - 10 <= abs(power) <= 1.1 * apparent + 10
    else:
        yield 3, abs(abs(power) - apparent * abs(factor)) <= 0.1 * apparent + 10


def _together(finite: Shown) -> Iterator[tuple[float, float]]:
    phases = [finite[n] for p in "123" if (n := f"voltage_l{p}") in finite]
    lines = [finite[n] for p in ("l1_l2", "l2_l3", "l3_l1") if (n := f"voltage_{p}") in finite]
    if len(phases) == len(lines) == 3 and any(phases):
        ratio = math.sqrt(sum(u * u for u in lines) / sum(v * v for v in phases))
        yield 1, abs(ratio - math.sqrt(3)) <= 0.1
    parts = [finite[n] for p in "123" if (n := f"energy_import_l{p}") in finite]
    total = finite.get("energy_import_total")
    if len(parts) == 3 and total is not None and total > 0:
        yield 1, abs(sum(parts) - total) <= 0.02 * total + 1
    p, q, s = (finite.get(f"power_{stem}_total") for stem in ("active", "reactive", "apparent"))
    if p is not None and q is not None and s is not None and max(abs(p), abs(s)) > 20:
        yield 1, 0.97 * math.hypot(p, q) - 20 <= abs(s)
