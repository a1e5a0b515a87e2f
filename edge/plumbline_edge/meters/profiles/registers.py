"""The registers of a profile's file: each one's entry, and what must hold between them."""

from __future__ import annotations

import difflib
import math
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final, cast, get_args

from plumbline.metrics import BY_NAME, Metric
from plumbline_edge.meters.profiles.fields import MISSING, Fields
from plumbline_edge.meters.profiles.keys import REGISTER_KEYS
from plumbline_edge.meters.profiles.profile import (
    BCD_BYTES,
    LENGTHS,
    PLAUSIBLE,
    STRUCT_CODES,
    Block,
    ByteOrder,
    Protocol,
    Register,
    Type,
    WordOrder,
)


class RegisterFields(Fields):
    """Reads registers; what stands for all of a file's registers must be set before."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.sources: dict[str, str] = {}
        self.from_default: tuple[str, ...] = ()
        self.words: str | None = None
        self.bytes: str | None = None
        self.absent: dict[str, tuple[float, ...]] = {}

    def registers(self, value: object, protocol: Protocol) -> Iterator[Register]:
        if not isinstance(value, dict) or not value:
            self.fault("registers", None if value is MISSING else value, "a table of metric = register")
            return
        for name, entry in value.items():
            key = f"registers.{name}"
            metric = BY_NAME.get(name)
            if metric is None:
                near = difflib.get_close_matches(name, BY_NAME, n=1)
                self.fault(key, name, "a metric" + (f"; did you mean {near[0]!r}?" if near else ""))
            elif not isinstance(entry, dict):
                self.fault(key, entry, "{ address = ..., type = ..., unit = ... }")
            else:
                register = self.register(key, metric, entry, protocol)
                if register is not None:
                    yield register

    def register(
        self, key: str, metric: Metric, entry: Mapping[str, Any], protocol: Protocol
    ) -> Register | None:
        before = len(self.faults)
        self.no_others(f"{key}.", entry, tuple(REGISTER_KEYS))
        kinds = tuple(BCD_BYTES if protocol == "dlt645" else STRUCT_CODES)
        kind = cast("Type", self.choice(f"{key}.type", entry.get("type", MISSING), kinds) or kinds[0])
        last = 0xFFFF_FFFF if protocol == "dlt645" else 65_536 - LENGTHS[kind]
        address = self.whole(f"{key}.address", entry.get("address", MISSING), 0, last)
        scale = entry.get("scale", 1)
        if not _is_number(scale) or scale == 0:
            self.fault(f"{key}.scale", scale, "a number other than 0")
            scale = 1
        if (unit := entry.get("unit")) != metric.unit:
            expected = f"{metric.unit!r}, the metric's unit after scaling"
            if (factor := _factor(unit, metric.unit)) is not None:
                expected += f" (from {unit}: scale = {float(Fraction(str(scale)) * factor):g})"
            self.fault(f"{key}.unit", unit, expected)
        scale_at = entry.get("scale_at")
        if scale_at is not None:
            scale_at = self.whole(f"{key}.scale_at", scale_at, 0, 65_535)
        words = self.choice(f"{key}.words", entry.get("words", self.words or "msw"), get_args(WordOrder))
        order = self.choice(f"{key}.bytes", entry.get("bytes", self.bytes or "big"), get_args(ByteOrder))
        own = entry.get("absent")
        sentinels = self.absent.get(kind, ()) if own is None else self.sentinels(f"{key}.absent", own, kind)
        low, high = self.range(f"{key}.range", entry.get("range", PLAUSIBLE[metric.unit]))
        modulus = entry.get("modulus")
        if modulus is not None and (metric.kind != "counter" or not _is_number(modulus) or modulus <= 0):
            self.fault(f"{key}.modulus", modulus, "where a counter starts again, more than 0")
            modulus = None
        sources = self.source_ids(f"{key}.from", entry["from"]) if "from" in entry else self.from_default
        if len(self.faults) > before:
            return None
        exact = Fraction(str(scale))
        return Register(
            metric=metric, address=cast("int", address), type=kind, scale=exact,
            words=cast("WordOrder", words), bytes=cast("ByteOrder", order), absent=sentinels, low=low, high=high,
            modulus=modulus if modulus is not None or scale_at is not None else _modulus(metric, kind, exact),
            scale_at=scale_at, sources=sources,
        )  # fmt: skip

    def source_ids(self, key: str, value: object) -> tuple[str, ...]:
        if (
            isinstance(value, list)
            and value
            and all(isinstance(one, str) and one in self.sources for one in value)
            and len(set(value)) == len(value)
        ):
            return tuple(value)
        known = ", ".join(self.sources) or "there are none"
        self.fault(
            key, None if value is MISSING else value, f"a list of ids of [sources] ({known}), each once"
        )
        return ()

    def absent_by_type(self, value: object) -> dict[str, tuple[float, ...]]:
        if not isinstance(value, dict):
            self.fault("absent", value, "a table of type = raw number")
            return {}
        found = {}
        for kind, raws in value.items():
            if kind not in LENGTHS:
                self.fault(f"absent.{kind}", raws, f"one of {', '.join(LENGTHS)}")
            else:
                found[kind] = self.sentinels(f"absent.{kind}", raws, cast("Type", kind))
        return found

    def sentinels(self, key: str, value: object, kind: Type) -> tuple[float, ...]:
        """Raw numbers that mean "no value"; a float's are given as its bits, and its NaN always does."""
        found: list[float] = []
        for item in value if isinstance(value, list) else [value]:
            number = _whole_number(item)
            low, high = _limits(kind)
            if number is None or not low <= number <= high:
                what = (
                    f"a raw {kind} number" if kind[0] != "f" else f"the bits of a {kind} as one whole number"
                )
                self.fault(key, item, what)
            elif kind[0] != "f":
                found.append(number)
            elif math.isnan(told := _float_of(number, kind)):
                self.fault(key, item, "nothing: NaN is always absent")
            else:
                found.append(told)
        return tuple(found)

    def range(self, key: str, value: object) -> tuple[float, float]:
        if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value)):
            low, high = map(float, value)
            if low < high:
                return low, high
        self.fault(key, value, "[lowest, highest] in the metric's unit")
        return -math.inf, math.inf

    def lengths(self, registers: tuple[Register, ...], max_registers: int | None) -> None:
        for r in registers:
            if max_registers is not None and r.count > max_registers:
                self.fault(
                    f"registers.{r.metric.name}.type", r.type, f"a type of at most {max_registers} words"
                )

    def overlaps(self, registers: tuple[Register, ...]) -> None:
        ordered = sorted(registers, key=lambda r: r.address)
        for left, right in pairwise(ordered):
            if right.address < left.end:
                self.fault(
                    f"registers.{right.metric.name}.address",
                    _Address(right.address),
                    f"at least {_Address(left.end)!r}, past {left.metric.name}",
                )
        for r in registers:
            if any(other.address <= at < other.end for other in registers if (at := r.scale_at) is not None):
                self.fault(f"registers.{r.metric.name}.scale_at", r.scale_at, "a word of no register's own")

    def repeats(self, registers: tuple[Register, ...], blocks: tuple[Block, ...]) -> None:
        """In DL/T 645 an identifier stands for one thing, and a metric has one place in the blocks."""
        seen: set[int | str] = set()
        for register in registers:
            key = f"registers.{register.metric.name}.address"
            self.once(key, register.address, seen, "an identifier that no other metric has")
        for i, block in enumerate(blocks):
            self.once(f"blocks.{i + 1}.id", block.id, seen, "an identifier that nothing else has")
            for metric in block.metrics:
                self.once(f"blocks.{i + 1}.metrics", metric, seen, "each metric in one place only")


class _Address(int):
    """An address as people meet it: some makers' tables are decimal, others hexadecimal."""

    def __repr__(self) -> str:
        return f"{int(self)} (0x{self:04X})"


_PREFIXES: Final = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000), "M": Fraction(1_000_000)}


def _factor(given: object, wanted: str) -> Fraction | None:
    """What turns a number in one unit into one in the other, where they differ in their prefix only."""
    base = wanted.removeprefix("k")
    factors = {prefix + base: factor for prefix, factor in _PREFIXES.items()}
    return factors[given] / factors[wanted] if isinstance(given, str) and given in factors else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole_number(value: object) -> int | None:
    """A whole number, also as text like "0xFFFF": TOML promises 63 bits only."""
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _float_of(bits: int, kind: Type) -> float:
    """The number that a float with these bits is."""
    (number,) = struct.unpack(">" + STRUCT_CODES[kind], bits.to_bytes(2 * LENGTHS[kind]))
    return float(number)


def _limits(kind: Type) -> tuple[int, int]:
    if kind in BCD_BYTES:
        full = 10 ** (2 * BCD_BYTES[kind])
        return (1 - full * 8 // 10, full * 8 // 10 - 1) if kind[0] == "s" else (0, full - 1)
    bits = 16 * LENGTHS[kind]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)


def _modulus(metric: Metric, kind: Type, scale: Fraction) -> float | None:
    """A counter in a 16- or 32-bit integer starts again when the integer is full, one in decimals after its last nine;
    a float says nothing.
    """
    if metric.kind == "counter" and kind in BCD_BYTES:
        return float(100 ** BCD_BYTES[kind] * scale)
    if metric.kind != "counter" or kind not in ("u16", "u32", "s16", "s32"):
        return None
    return float((_limits(kind)[1] + 1) * scale)
