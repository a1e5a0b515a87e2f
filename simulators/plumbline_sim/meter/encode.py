"""Values in units to the registers of a meter family, as that meter would hold them."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from plumbline_edge.meters.profiles.profile import STRUCT_CODES, Profile, Register, ScaleWord, places

Values = Mapping[str, float | None]
"""By metric name, in the metric's unit; None, or no entry: the meter does not know it now."""

_LARGEST_POWER: Final = 10
_NAN: Final = {"f32": b"\x7f\xc0\x00\x00", "f64": b"\x7f\xf8" + bytes(6)}


class CannotAnswer(Exception):
    """The meter has no way to say that it lacks this value; a real one fails the whole read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The bytes for one read, and per register in it what they say, in steps of its metric's resolution."""

    block: bytes
    values: tuple[tuple[str, int | None], ...]


class Encoder:
    """Holds what a profile's meter would hold in its registers; stateless, one per profile."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        placed = places(profile)
        self._ordered = sorted(profile.registers, key=lambda r: r.address)
        self._regions = tuple(_regions(sorted(placed, key=lambda place: place.address), profile.max_gap))
        self._reads: dict[tuple[int, int], tuple[Register, ...]] = {}
        self._scalings: dict[tuple[str, int], tuple[float, float]] = {}
        self._scaled_by = {
            place.address: tuple(r for r in self._ordered if r.scale_at == place.address)
            for place in placed
            if isinstance(place, ScaleWord)
        }
        held = {r.metric.name for r in self._ordered}
        self._one_phase = "current_l1" in held and "current_l2" not in held

    def registers_in(self, start: int, count: int) -> tuple[Register, ...] | None:
        """What a read of `count` words from `start` covers; None where the meter would answer exception 2.

        It does for an address outside its map, and for a read that cuts a value in two.
        """
        key = (start, count)
        if key not in self._reads:
            end = start + count
            if not any(low <= start and end <= high for low, high in self._regions):
                return None
            touched = [r for r in self._ordered if r.address < end and r.end > start]
            if any(r.address < start or r.end > end for r in touched):
                return None
            self._reads[key] = tuple(touched)
        return self._reads[key]

    def block(self, start: int, count: int, registers: tuple[Register, ...], values: Values) -> Answered:
        """What a read answers. Raises CannotAnswer where a value is missing that the family has no sign for."""
        block = bytearray(2 * count)
        said: list[tuple[str, int | None]] = []
        powers = {word: _power(scaled, values) for word, scaled in self._scaled_by.items()}
        for word, power in powers.items():
            if start <= word < start + count:
                block[2 * (word - start) : 2 * (word - start) + 2] = struct.pack(">h", power)
        for register in registers:
            name = register.metric.name
            power = 0 if register.scale_at is None else powers[register.scale_at]
            words, steps = self._encode(register, self._value(name, values), power)
            place = 2 * (register.address - start)
            block[place : place + len(words)] = words
            said.append((name, steps))
        return Answered(block=bytes(block), values=tuple(said))

    def _value(self, name: str, values: Values) -> float | None:
        """A single-phase meter among three phases sees the first, and shows it as its total."""
        if self._one_phase and name.endswith("_total"):
            return values.get(f"{name.removesuffix('_total')}_l1", values.get(name))
        return values.get(name)

    def _encode(self, register: Register, value: float | None, power: int) -> tuple[bytes, int | None]:
        """The register's words in its own order, and the steps that a reader must find in them."""
        code = STRUCT_CODES[register.type]
        if value is None or not math.isfinite(value):
            return _in_order(_absent(register), register), None
        scale, factor = self._scaling(register, power)
        raw: float = value / scale
        if code not in "fd":
            raw = _fitting(round(raw), register)
        straight = struct.pack(">" + code, raw)
        if raw in register.absent:  # SunSpec: a counter at 0 has not counted
            return _in_order(straight, register), None
        (held,) = struct.unpack(">" + code, straight)
        return _in_order(straight, register), round(held * factor)

    def _scaling(self, register: Register, power: int) -> tuple[float, float]:
        """What a raw number is worth, in the metric's unit and in steps of its resolution."""
        key = (register.metric.name, power)
        if key not in self._scalings:
            scale = register.scale * Fraction(10) ** power
            steps = scale * register.metric.to_wire(1)
            self._scalings[key] = float(scale), steps.numerator if steps.denominator == 1 else float(steps)
        return self._scalings[key]


def _power(registers: tuple[Register, ...], values: Values) -> int:
    """The least power of ten with which all these values fit their registers; none finer than their metrics are."""
    finest = min(math.ceil(-math.log10(r.metric.to_wire(1) * r.scale) - 1e-9) for r in registers)
    power = max(-_LARGEST_POWER, finest)
    for register in registers:
        value = values.get(register.metric.name)
        if value is not None and math.isfinite(value):
            while power < _LARGEST_POWER and abs(value) >= float(register.scale) * 10.0**power * _limit(
                register
            ):
                power += 1
    return power


def _limit(register: Register) -> int:
    """The largest raw number of the register's type."""
    bits = 16 * register.count
    return (1 << bits - 1) - 1 if register.type[0] == "s" else (1 << bits) - 1


def says_absence(register: Register) -> bool:
    """Whether the family can answer "no value" in this register."""
    return register.type in _NAN or bool(register.absent)


def _absent(register: Register) -> bytes:
    if register.absent:
        return struct.pack(">" + STRUCT_CODES[register.type], register.absent[0])
    if register.type in _NAN:
        return _NAN[register.type]
    raise CannotAnswer(register.metric.name)


def _fitting(raw: int, register: Register) -> int:
    """As a meter does it: a counter starts again at 0, anything else stays at the end of its scale."""
    high = _limit(register)
    if register.metric.kind == "counter":
        return raw % (high + 1)
    low = -high - 1 if register.type[0] == "s" else 0
    while high in register.absent:
        high -= 1
    while low in register.absent:
        low += 1
    return max(low, min(high, raw))


def _in_order(straight: bytes, register: Register) -> bytes:
    words = [straight[i : i + 2] for i in range(0, len(straight), 2)]
    if register.words == "lsw":
        words.reverse()
    if register.bytes == "little":
        words = [word[::-1] for word in words]
    return b"".join(words)


def _regions(ordered: list[Register | ScaleWord], max_gap: int) -> Iterator[tuple[int, int]]:
    """Address ranges that one read may lie in: registers with holes of at most `max_gap` words between them."""
    start, end = ordered[0].address, ordered[0].end
    for place in itertools.islice(ordered, 1, None):
        if place.address - end > max_gap:
            yield start, end
            start = place.address
        end = place.end
    yield start, end
