"""Reads meter profiles strictly from TOML files: every mistake is reported, with what was expected."""

from __future__ import annotations

import difflib
import importlib.resources
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, cast, get_args

from plumbline.errors import ConfigError, FaultyFile
from plumbline.metrics import BY_NAME
from plumbline_edge.meters.profiles.fields import MISSING
from plumbline_edge.meters.profiles.keys import (
    BLOCK_KEYS,
    BOUNDS,
    IDENTIFY_FUNCTIONS,
    IDENTIFY_KEYS,
    IDENTIFY_TYPES,
    KEYS,
    SERIAL_KEYS,
    SERIAL_NUMBER_FUNCTIONS,
    SERIAL_NUMBER_KEYS,
    SERIAL_NUMBER_TYPES,
)
from plumbline_edge.meters.profiles.profile import (
    BCD_BYTES,
    LENGTHS,
    Block,
    ByteOrder,
    Function,
    Identity,
    Parity,
    Profile,
    Protocol,
    SerialDefaults,
    SerialNumber,
    WordOrder,
)
from plumbline_edge.meters.profiles.registers import RegisterFields
from plumbline_edge.meters.profiles.sense import (
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
    here = Path(__file__).resolve().parents[4] / "firmware_configs" / "meters"
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


_DEVICE_IDENTIFICATION: Final = 43


class _Reader(RegisterFields):
    """Reads one whole file."""

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
        function = self.whole("function", raw.get("function", MISSING if modbus else 3), *BOUNDS["function"])
        self.words = self.choice("words", raw.get("words", "msw"), get_args(WordOrder))
        self.bytes = self.choice("bytes", raw.get("bytes", "big"), get_args(ByteOrder))
        max_registers = self.whole(
            "max_registers", raw.get("max_registers", MISSING if modbus else max(BCD_BYTES.values())), 1, 125
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
        registers = tuple(self.registers(raw.get("registers", MISSING), protocol))
        table = raw.get("registers")
        names = {name for name in table if name in BY_NAME} if isinstance(table, dict) else set()
        blocks = tuple(self.blocks(raw.get("blocks", []), names, modbus=modbus))
        if modbus:
            self.overlaps(registers)
            self.lengths(registers, max_registers)
        else:
            self.repeats(registers, blocks)
        probe = raw.get("probe", MISSING)
        if not isinstance(probe, str) or probe not in names:
            self.fault("probe", None if probe is MISSING else probe, "the name of one of its registers")
        self.note("", register_nonsense(protocol, barriers, registers))
        if self.faults:
            return None
        return Profile(
            name=name, maker=maker, covers=covers, protocol=protocol, sources=self.sources, notes=notes,
            function=cast("Function", function), max_registers=cast("int", max_registers), max_gap=cast("int", max_gap),
            barriers=barriers, min_gap_ms=cast("int", min_gap_ms), probe=str(probe), serial=serial, identify=identify,
            serial_number=serial_number, models=models, blocks=blocks, registers=registers,
        )  # fmt: skip

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
        self.sources = self.source_texts(raw.get("sources", MISSING))
        return self.sources, self.source_ids("from", raw.get("from", MISSING))

    def source_texts(self, value: object) -> dict[str, str]:
        if (
            isinstance(value, dict)
            and value
            and all(isinstance(text, str) and text for text in value.values())
        ):
            return value
        self.fault(
            "sources",
            None if value is MISSING else value,
            "`source`, a text, or a table of id = where the numbers can be checked",
        )
        return {}

    def serial(self, value: object) -> SerialDefaults | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault("serial", value, f"a table: {', '.join(SERIAL_KEYS)}")
            return None
        self.no_others("serial.", value, SERIAL_KEYS)
        baud = self.whole("serial.baud", value.get("baud", MISSING), *BOUNDS["baud"])
        parity = self.choice("serial.parity", value.get("parity", MISSING), get_args(Parity))
        stop_bits = self.whole("serial.stop_bits", value.get("stop_bits", 1), *BOUNDS["stop_bits"])
        unit = self.whole("serial.unit", value.get("unit", 1), *BOUNDS["unit"])
        bauds = self.wholes("serial.bauds", value.get("bauds", [baud or 9600]), *BOUNDS["baud"])
        parities = self.texts("serial.parities", value.get("parities", []))
        for one in parities:
            self.choice("serial.parities", one, get_args(Parity))
        covers = self.texts("serial.covers", value.get("covers", []))
        if baud is None or parity is None or stop_bits is None or unit is None:
            return None
        if baud not in bauds:
            self.fault("serial.bauds", list(bauds), f"a list with {baud} in it, the factory setting")
        serial = SerialDefaults(
            baud=baud, parity=cast("Parity", parity), stop_bits=stop_bits, unit=unit, bauds=bauds,
            parities=cast("tuple[Parity, ...]", parities), covers=covers,
        )  # fmt: skip
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
        function = entry.get("function", MISSING)
        if function not in functions or isinstance(function, bool):
            self.fault(
                f"{key}.function",
                None if function is MISSING else function,
                " or ".join(map(str, functions)),
            )
            function = functions[0]
        address = self.whole(f"{key}.address", entry.get("address", MISSING), *BOUNDS["address"])
        kind = self.choice(f"{key}.type", entry.get("type", MISSING), kinds) or kinds[0]
        count = LENGTHS.get(kind)
        if count is None and function == _DEVICE_IDENTIFICATION:
            count = 0
        elif count is None:
            count = self.whole(f"{key}.count", entry.get("count", MISSING), *BOUNDS["count"])
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
            number = self.whole(f"{key}.id", entry.get("id", MISSING), *BOUNDS["id"])
            metrics = self.texts(f"{key}.metrics", entry.get("metrics", []))
            for metric in metrics:
                if metric not in names:
                    self.fault(f"{key}.metrics", metric, "names of its registers")
            if number is not None and metrics:
                yield Block(id=number, metrics=metrics)
