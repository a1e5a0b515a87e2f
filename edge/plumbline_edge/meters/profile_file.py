"""Reads meter profiles strictly from TOML files: every mistake is reported, with what was expected."""

from __future__ import annotations

import difflib
import importlib.resources
import math
import struct
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast, get_args

from plumbline.errors import ConfigError, Fault, FaultyFile
from plumbline.metrics import BY_NAME, Metric
from plumbline_edge.meters.profile import (
    BCD_BYTES,
    LENGTHS,
    PLAUSIBLE,
    STRUCT_CODES,
    Block,
    ByteOrder,
    Function,
    Identity,
    Parity,
    Profile,
    Protocol,
    Register,
    SerialDefaults,
    SerialNumber,
    Type,
    WordOrder,
)
from plumbline_edge.meters.profile_keys import (
    BLOCK_KEYS,
    BOUNDS,
    IDENTIFY_FUNCTIONS,
    IDENTIFY_KEYS,
    IDENTIFY_TYPES,
    KEYS,
    REGISTER_KEYS,
    SERIAL_KEYS,
    SERIAL_NUMBER_FUNCTIONS,
    SERIAL_NUMBER_KEYS,
    SERIAL_NUMBER_TYPES,
)
from plumbline_edge.meters.profile_sense import (
    Nonsense,
    identity_nonsense,
    register_nonsense,
    serial_nonsense,
    serial_number_nonsense,
)

_MOST_BYTES: Final = 1 << 20
"""A hundred times the longest profile."""


def load_profile(path: Path) -> Profile:
    """The profile in a file. Raises FaultyFile with every mistake, ConfigError where there is no such file."""
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ConfigError(f"{path}: longer than a profile can be", hint="Name a meter profile.")
        raw = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Name a profile that exists; firmware_configs/meters has them."
        ) from None
    except RecursionError:
        raise ConfigError(
            f"{path}: nested too deep", hint="Take out what stands in so many brackets."
        ) from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of more digits than Python reads
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
_DEVICE_IDENTIFICATION: Final = 43


class _Reader:
    """Goes through one file and collects what is wrong with it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.sources: dict[str, str] = {}
        self.from_default: tuple[str, ...] = ()
        self.words: str | None = None
        self.bytes: str | None = None
        self.absent: dict[str, tuple[float, ...]] = {}

    def fault(self, key: str, value: object, expected: str) -> None:
        self.faults.append(Fault(file=self.file, key=key, value=value, expected=expected))

    def note(self, prefix: str, nonsense: Iterable[Nonsense]) -> None:
        for key, value, expected in nonsense:
            self.fault(prefix + key, value, expected)

    def profile(self, raw: Mapping[str, Any]) -> Profile | None:
        """The profile, or None after noting at least one fault."""
        self.no_others("", raw, tuple(KEYS))
        name, maker = (self.text(raw, key) for key in ("name", "maker"))
        covers, notes = (self.texts(key, raw.get(key, [])) for key in ("covers", "notes"))
        protocol = cast(
            "Protocol", self.choice("protocol", raw.get("protocol", "modbus"), get_args(Protocol))
        )
        self.sources, self.from_default = self.provenance(raw)
        modbus = protocol != "dlt645"
        function = self.whole("function", raw.get("function", _MISSING if modbus else 3), *BOUNDS["function"])
        self.words = self.choice("words", raw.get("words", "msw"), get_args(WordOrder))
        self.bytes = self.choice("bytes", raw.get("bytes", "big"), get_args(ByteOrder))
        max_registers = self.whole(
            "max_registers", raw.get("max_registers", _MISSING if modbus else max(BCD_BYTES.values())), 1, 125
        )
        max_gap = self.whole("max_gap", raw.get("max_gap", 0), *BOUNDS["max_gap"])
        barriers = self.wholes("barriers", raw.get("barriers", []), *BOUNDS["barriers"])
        min_gap_ms = self.whole("min_gap_ms", raw.get("min_gap_ms", 0), *BOUNDS["min_gap_ms"])
        self.absent = self.absent_by_type(raw.get("absent", {}))
        serial = self.serial(raw.get("serial"))
        identify = tuple(self.identities(raw.get("identify", [])))
        serial_number = self.serial_number(raw.get("serial_number"))
        models = self.wholes("models", raw.get("models", []), *BOUNDS["models"])
        if (protocol == "sunspec") != bool(models):
            self.fault("models", list(models), 'SunSpec model ids, with protocol "sunspec" only')
        registers = tuple(self.registers(raw.get("registers", _MISSING), protocol))
        table = raw.get("registers")
        names = {name for name in table if name in BY_NAME} if isinstance(table, dict) else set()
        blocks = tuple(self.blocks(raw.get("blocks", []), names, modbus=modbus))
        if modbus:
            self.overlaps(registers)
            self.lengths(registers, max_registers)
        else:
            self.repeats(registers, blocks)
        probe = raw.get("probe", _MISSING)
        if not isinstance(probe, str) or probe not in names:
            self.fault("probe", None if probe is _MISSING else probe, "the name of one of its registers")
        self.note("", register_nonsense(protocol, barriers, registers))
        if self.faults:
            return None
        return Profile(
            name=name, maker=maker, covers=covers, protocol=protocol, sources=self.sources, notes=notes,
            function=cast("Function", function), max_registers=cast("int", max_registers), max_gap=cast("int", max_gap),
            barriers=barriers, min_gap_ms=cast("int", min_gap_ms), probe=str(probe), serial=serial, identify=identify,
            serial_number=serial_number, models=models, blocks=blocks, registers=registers,
        )  # fmt: skip

    def lengths(self, registers: tuple[Register, ...], max_registers: int | None) -> None:
        for r in registers:
            if max_registers is not None and r.count > max_registers:
                self.fault(
                    f"registers.{r.metric.name}.type", r.type, f"a type of at most {max_registers} words"
                )

    def provenance(self, raw: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
        """Sources by id, and the ids that stand behind a register which names none itself.

        One `source` stands for the two tables where all numbers come from one place.
        """
        if "source" in raw:
            text = self.text(raw, "source")
            for key in ("sources", "from"):
                if key in raw:
                    self.fault(key, raw[key], "nothing beside `source`: either the one or the other")
            return {"source": text}, ("source",)
        self.sources = self.source_texts(raw.get("sources", _MISSING))
        return self.sources, self.source_ids("from", raw.get("from", _MISSING))

    def source_texts(self, value: object) -> dict[str, str]:
        if (
            isinstance(value, dict)
            and value
            and all(isinstance(text, str) and text for text in value.values())
        ):
            return value
        self.fault(
            "sources",
            None if value is _MISSING else value,
            "`source`, a text, or a table of id = where the numbers can be checked",
        )
        return {}

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
            key, None if value is _MISSING else value, f"a list of ids of [sources] ({known}), each once"
        )
        return ()

    def serial(self, value: object) -> SerialDefaults | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault("serial", value, "a table: baud, parity, stop_bits, unit, bauds")
            return None
        self.no_others("serial.", value, SERIAL_KEYS)
        baud = self.whole("serial.baud", value.get("baud", _MISSING), *BOUNDS["baud"])
        parity = self.choice("serial.parity", value.get("parity", _MISSING), get_args(Parity))
        stop_bits = self.whole("serial.stop_bits", value.get("stop_bits", 1), *BOUNDS["stop_bits"])
        unit = self.whole("serial.unit", value.get("unit", 1), *BOUNDS["unit"])
        bauds = self.wholes("serial.bauds", value.get("bauds", [baud or 9600]), *BOUNDS["baud"])
        if baud is None or parity is None or stop_bits is None or unit is None:
            return None
        if baud not in bauds:
            self.fault("serial.bauds", list(bauds), f"a list with {baud} in it, the factory setting")
        serial = SerialDefaults(
            baud=baud, parity=cast("Parity", parity), stop_bits=stop_bits, unit=unit, bauds=bauds
        )
        self.note("serial.", serial_nonsense(serial))
        return serial

    def identities(self, value: object) -> Iterator[Identity]:
        if not isinstance(value, list):
            self.fault("identify", value, "[[identify]] blocks")
            return
        for i, entry in enumerate(value):
            key = f"identify.{i + 1}"
            if not isinstance(entry, dict):
                self.fault(key, entry, "a table: function, address, type, equals")
                continue
            self.no_others(f"{key}.", entry, IDENTIFY_KEYS)
            before = len(self.faults)
            place = self.place(key, entry, IDENTIFY_FUNCTIONS, IDENTIFY_TYPES)
            equals = entry.get("equals")
            wanted = str if place[2] == "text" else int
            if not isinstance(equals, list) or not equals or not all(type(one) is wanted for one in equals):
                self.fault(f"{key}.equals", equals, f"a list of {'texts' if wanted is str else 'numbers'}")
            if len(self.faults) == before:
                function, address, kind, count = place
                identity = Identity(
                    function=function, address=address, type=cast("Any", kind), count=count,
                    equals=tuple(cast("list[int | str]", equals)),
                )  # fmt: skip
                self.note(f"{key}.", identity_nonsense(identity))
                yield identity

    def serial_number(self, value: object) -> SerialNumber | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault("serial_number", value, "a table: function, address, type")
            return None
        self.no_others("serial_number.", value, SERIAL_NUMBER_KEYS)
        before = len(self.faults)
        function, address, kind, count = self.place(
            "serial_number", value, SERIAL_NUMBER_FUNCTIONS, SERIAL_NUMBER_TYPES
        )
        if len(self.faults) > before:
            return None
        number = SerialNumber(
            function=cast("Function", function), address=address, type=cast("Any", kind), count=count
        )
        self.note("serial_number.", serial_number_nonsense(number))
        return number

    def place(
        self, key: str, entry: Mapping[str, Any], functions: tuple[int, ...], kinds: tuple[str, ...]
    ) -> tuple[int, int, str, int]:
        """Function, address, type and number of registers of something outside the registers' table."""
        function = entry.get("function", _MISSING)
        if function not in functions or isinstance(function, bool):
            self.fault(
                f"{key}.function",
                None if function is _MISSING else function,
                " or ".join(map(str, functions)),
            )
            function = functions[0]
        address = self.whole(f"{key}.address", entry.get("address", _MISSING), *BOUNDS["address"])
        kind = self.choice(f"{key}.type", entry.get("type", _MISSING), kinds) or kinds[0]
        count = LENGTHS.get(kind)
        if count is None and function == _DEVICE_IDENTIFICATION:
            count = 0
        elif count is None:
            count = self.whole(f"{key}.count", entry.get("count", _MISSING), *BOUNDS["count"])
        return function, address or 0, kind, count or 0

    def blocks(self, value: object, names: set[str], *, modbus: bool) -> Iterator[Block]:
        if not isinstance(value, list) or (value and modbus):
            self.fault("blocks", value, '[[blocks]], with protocol "dlt645" only')
            return
        for i, entry in enumerate(value):
            key = f"blocks.{i + 1}"
            if not isinstance(entry, dict):
                self.fault(key, entry, "a table: id, metrics")
                continue
            self.no_others(f"{key}.", entry, BLOCK_KEYS)
            number = self.whole(f"{key}.id", entry.get("id", _MISSING), *BOUNDS["id"])
            metrics = self.texts(f"{key}.metrics", entry.get("metrics", []))
            for metric in metrics:
                if metric not in names:
                    self.fault(f"{key}.metrics", metric, "names of its registers")
            if number is not None and metrics:
                yield Block(id=number, metrics=metrics)

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

    def once(self, key: str, value: int | str, seen: set[int | str], expected: str) -> None:
        if value in seen:
            self.fault(key, value, expected)
        seen.add(value)

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

    def texts(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
            self.fault(key, value, "a list of texts")
            return ()
        return tuple(value)

    def wholes(self, key: str, value: object, low: int, high: int) -> tuple[int, ...]:
        if not isinstance(value, list):
            self.fault(key, value, "a list of whole numbers")
            return ()
        numbers = [self.whole(key, one, low, high) for one in value]
        return tuple(number for number in numbers if number is not None)

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

    def registers(self, value: object, protocol: Protocol) -> Iterator[Register]:
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
                register = self.register(key, metric, entry, protocol)
                if register is not None:
                    yield register

    def register(
        self, key: str, metric: Metric, entry: Mapping[str, Any], protocol: Protocol
    ) -> Register | None:
        before = len(self.faults)
        self.no_others(f"{key}.", entry, tuple(REGISTER_KEYS))
        kinds = tuple(BCD_BYTES if protocol == "dlt645" else STRUCT_CODES)
        kind = cast("Type", self.choice(f"{key}.type", entry.get("type", _MISSING), kinds) or kinds[0])
        last = 0xFFFF_FFFF if protocol == "dlt645" else 65_536 - LENGTHS[kind]
        address = self.whole(f"{key}.address", entry.get("address", _MISSING), 0, last)
        if entry.get("unit") != metric.unit:
            self.fault(f"{key}.unit", entry.get("unit"), f"{metric.unit!r}, the metric's unit after scaling")
        scale = entry.get("scale", 1)
        if not _is_number(scale) or scale == 0:
            self.fault(f"{key}.scale", scale, "a number other than 0")
            scale = 1
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
        for r in registers:
            if any(other.address <= at < other.end for other in registers if (at := r.scale_at) is not None):
                self.fault(f"registers.{r.metric.name}.scale_at", r.scale_at, "a word of no register's own")


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
