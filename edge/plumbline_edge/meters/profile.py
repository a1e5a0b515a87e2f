"""A meter family as data: which register holds which metric, read strictly from a TOML file."""

from __future__ import annotations

import difflib
import importlib.resources
import math
import struct
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, cast

from plumbline.errors import ConfigError, Fault, FaultyFile
from plumbline.metrics import BY_NAME, Metric

Type = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"]
Table = Literal["input", "holding"]
WordOrder = Literal["msw", "lsw"]
ByteOrder = Literal["big", "little"]

STRUCT_CODES: Final[dict[Type, str]] = {
    "u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f", "f64": "d",
}  # fmt: skip
_WORDS: Final[dict[Type, int]] = {
    kind: struct.calcsize(">" + code) // 2 for kind, code in STRUCT_CODES.items()
}

PLAUSIBLE: Final[dict[str, tuple[float, float]]] = {
    "V": (0, 1_500),
    "A": (-20_000, 20_000),
    "W": (-20e6, 20e6),
    "var": (-20e6, 20e6),
    "VA": (-20e6, 20e6),
    "1": (-1, 1),
    "Hz": (45, 65),
    "kWh": (0, 1e9),
    "kvarh": (0, 1e9),
    "%": (0, 1_000),
    "mA": (0, 1e6),
}
"""What a low-voltage meter can honestly say, by unit; a register's own `range` narrows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One metric in one meter: raw number x `scale` is the value in the metric's unit.

    `low`..`high` is the plausible range in that unit, ends included. `absent` are the raw numbers that mean
    "no value here". `modulus` is where a counter starts again at 0, in the metric's unit; None: unknown.
    """

    metric: Metric
    address: int
    type: Type
    scale: Fraction
    words: WordOrder
    bytes: ByteOrder
    absent: tuple[int, ...]
    low: float
    high: float
    modulus: float | None

    @property
    def count(self) -> int:
        """How many 16-bit registers it fills."""
        return _WORDS[self.type]

    @property
    def end(self) -> int:
        """The address after its last word."""
        return self.address + self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One meter family. `registers` stand in the file's order, which is the order of a frame's values."""

    name: str
    maker: str
    source: str
    notes: tuple[str, ...]
    table: Table
    max_registers: int
    max_gap: int
    """How many registers without a metric a read may run across; 0: the meter refuses such reads."""
    min_gap_ms: int
    """Silence the meter wants between requests on a serial line; a TCP gateway keeps it itself."""
    probe: str
    registers: tuple[Register, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(register.metric for register in self.registers)

    def register(self, metric: str) -> Register:
        """The register of a metric. Raises KeyError."""
        for register in self.registers:
            if register.metric.name == metric:
                return register
        raise KeyError(metric)


def load_profile(path: Path) -> Profile:
    """The profile in a file. Raises FaultyFile with every mistake, ConfigError where there is no such file."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Name a profile that exists; firmware_configs/meters has them."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint="Mend the line it names.") from None
    reader = _Reader(str(path))
    profile = reader.profile(raw)
    if reader.faults:
        raise FaultyFile(reader.faults)
    assert profile is not None
    return profile


def shipped() -> dict[str, Path]:
    """The profiles that came with Plumbline: file stem to path, from a source tree or an installed package."""
    here = Path(__file__).resolve().parents[3] / "firmware_configs" / "meters"
    folder = here if here.is_dir() else _packaged()
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def _packaged() -> Path:
    return Path(str(importlib.resources.files("plumbline") / "share" / "firmware_configs" / "meters"))


@cache
def find_profile(name: str) -> Profile:
    """A shipped profile by its file stem, or the profile in the file that `name` is a path of (`*.toml`).

    Raises ConfigError, which names the near ones.
    """
    if name.endswith(".toml"):
        return load_profile(Path(name))
    known = shipped()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise ConfigError(
            f"no meter profile {name!r}",
            hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}.",
        )
    return load_profile(known[name])


_MISSING: Final = object()


class _Reader:
    """Goes through one file and collects what is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def fault(self, key: str, value: object, expected: str) -> None:
        self.faults.append(Fault(file=self.file, key=key, value=value, expected=expected))

    def profile(self, raw: Mapping[str, Any]) -> Profile | None:
        """The profile, or None after noting at least one fault."""
        known = (
            "name", "maker", "source", "notes", "table", "bytes", "words",
            "max_registers", "max_gap", "min_gap_ms", "probe", "absent", "registers",
        )  # fmt: skip
        self.no_others("", raw, known)
        name, maker, source = (self.text(raw, key) for key in ("name", "maker", "source"))
        notes = self.notes(raw.get("notes", []))
        table = self.choice("table", raw.get("table", _MISSING), ("input", "holding"))
        words = self.choice("words", raw.get("words", "msw"), ("msw", "lsw"))
        order = self.choice("bytes", raw.get("bytes", "big"), ("big", "little"))
        max_registers = self.whole("max_registers", raw.get("max_registers", _MISSING), 1, 125)
        max_gap = self.whole("max_gap", raw.get("max_gap", 0), 0, 124)
        min_gap_ms = self.whole("min_gap_ms", raw.get("min_gap_ms", 0), 0, 10_000)
        absent = self.absent_by_type(raw.get("absent", {}))
        registers = tuple(self.registers(raw.get("registers", _MISSING), words, order, absent))
        self.overlaps(registers)
        if max_registers is not None:
            for r in registers:
                if r.count > max_registers:
                    self.fault(
                        f"registers.{r.metric.name}.type", r.type, f"a type of at most {max_registers} words"
                    )
        probe = raw.get("probe", _MISSING)
        if not isinstance(probe, str) or probe not in {r.metric.name for r in registers}:
            self.fault("probe", None if probe is _MISSING else probe, "the name of one of its registers")
        if self.faults:
            return None
        return Profile(
            name=name, maker=maker, source=source, notes=notes, table=cast("Table", table),
            max_registers=cast("int", max_registers), max_gap=cast("int", max_gap),
            min_gap_ms=cast("int", min_gap_ms), probe=str(probe), registers=registers,
        )  # fmt: skip

    def no_others(self, prefix: str, raw: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in raw:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                self.fault(
                    prefix + key,
                    raw[key],
                    f"no such key; did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}",
                )

    def text(self, raw: Mapping[str, Any], key: str) -> str:
        value = raw.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(key, value, "a text")
            return ""
        return value

    def notes(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
            self.fault("notes", value, "a list of texts")
            return ()
        return tuple(value)

    def choice(self, key: str, value: object, allowed: tuple[str, ...]) -> str | None:
        if isinstance(value, str) and value in allowed:
            return value
        self.fault(key, None if value is _MISSING else value, " or ".join(map(repr, allowed)))
        return None

    def whole(self, key: str, value: object, low: int, high: int) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        self.fault(key, None if value is _MISSING else value, f"a whole number {low}-{high}")
        return None

    def absent_by_type(self, value: object) -> dict[str, tuple[int, ...]]:
        if not isinstance(value, dict):
            self.fault("absent", value, "a table of type = raw number")
            return {}
        found = {}
        for kind, raws in value.items():
            if kind not in STRUCT_CODES:
                self.fault(f"absent.{kind}", raws, f"one of {', '.join(STRUCT_CODES)}")
            else:
                found[kind] = self.absent(f"absent.{kind}", raws, cast("Type", kind))
        return found

    def absent(self, key: str, value: object, kind: Type) -> tuple[int, ...]:
        """Raw numbers that mean "no value"; a float's NaN always does and is not listed."""
        numbers: list[int] = []
        for item in value if isinstance(value, list) else [value]:
            number = _whole_number(item)
            low, high = _limits(kind)
            if number is None or kind[0] == "f" or not low <= number <= high:
                self.fault(
                    key, item, f"a raw {kind} number" if kind[0] != "f" else "nothing: NaN is always absent"
                )
            else:
                numbers.append(number)
        return tuple(numbers)

    def registers(
        self, value: object, words: str | None, order: str | None, absent: Mapping[str, tuple[int, ...]]
    ) -> Iterator[Register]:
        if not isinstance(value, dict) or not value:
            self.fault("registers", None if value is _MISSING else value, "a table of metric = register")
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
                register = self.register(key, metric, entry, words, order, absent)
                if register is not None:
                    yield register

    def register(
        self,
        key: str,
        metric: Metric,
        entry: Mapping[str, Any],
        words: str | None,
        order: str | None,
        absent: Mapping[str, tuple[int, ...]],
    ) -> Register | None:
        before = len(self.faults)
        known = ("address", "type", "unit", "scale", "words", "bytes", "absent", "range", "modulus")
        self.no_others(f"{key}.", entry, known)
        kind = cast(
            "Type", self.choice(f"{key}.type", entry.get("type", _MISSING), tuple(STRUCT_CODES)) or "u16"
        )
        address = self.whole(f"{key}.address", entry.get("address", _MISSING), 0, 65_536 - _WORDS[kind])
        if entry.get("unit") != metric.unit:
            self.fault(f"{key}.unit", entry.get("unit"), f"{metric.unit!r}, the metric's unit after scaling")
        scale = entry.get("scale", 1)
        if not _is_number(scale) or scale == 0:
            self.fault(f"{key}.scale", scale, "a number other than 0")
            scale = 1
        words = self.choice(f"{key}.words", entry.get("words", words or "msw"), ("msw", "lsw"))
        order = self.choice(f"{key}.bytes", entry.get("bytes", order or "big"), ("big", "little"))
        own = entry.get("absent")
        sentinels = absent.get(kind, ()) if own is None else self.absent(f"{key}.absent", own, kind)
        low, high = self.range(f"{key}.range", entry.get("range", PLAUSIBLE[metric.unit]))
        modulus = entry.get("modulus")
        if modulus is not None and (metric.kind != "counter" or not _is_number(modulus) or modulus <= 0):
            self.fault(f"{key}.modulus", modulus, "where a counter starts again, more than 0")
            modulus = None
        if len(self.faults) > before:
            return None
        exact = Fraction(str(scale))
        return Register(
            metric=metric, address=cast("int", address), type=kind, scale=exact,
            words=cast("WordOrder", words), bytes=cast("ByteOrder", order), absent=sentinels, low=low, high=high,
            modulus=modulus if modulus is not None else _modulus(metric, kind, exact),
        )  # fmt: skip

    def range(self, key: str, value: object) -> tuple[float, float]:
        if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_number, value)):
            low, high = map(float, value)
            if low < high:
                return low, high
        self.fault(key, value, "[lowest, highest] in the metric's unit")
        return -math.inf, math.inf

    def overlaps(self, registers: tuple[Register, ...]) -> None:
        ordered = sorted(registers, key=lambda r: r.address)
        for left, right in pairwise(ordered):
            if right.address < left.end:
                self.fault(
                    f"registers.{right.metric.name}.address",
                    right.address,
                    f"at least {left.end}, past {left.metric.name}",
                )


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


def _limits(kind: Type) -> tuple[int, int]:
    bits = 16 * _WORDS[kind]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "s" else (0, (1 << bits) - 1)


def _modulus(metric: Metric, kind: Type, scale: Fraction) -> float | None:
    """A counter in a 16- or 32-bit integer starts again when the integer is full; a float says nothing."""
    if metric.kind != "counter" or kind not in ("u16", "u32", "s16", "s32"):
        return None
    return float((_limits(kind)[1] + 1) * scale)
