"""Reads a scenario file: the buses of a simulated site, the meters on them, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from annotated_types import Ge, Le, MinLen

from plumbline.errors import ConfigError
from plumbline.strictfile import Found, Raw, StrictFile, missing_files, name_faults, near, prefixed, tables
from plumbline_edge.meters.profiles import file as profile_file
from plumbline_edge.meters.profiles.profile import Parity
from plumbline_sim.meter.faults import KINDS, OF_THE_BUS, WIRES, Fault, WireKind
from plumbline_sim.meter.load import Role

_STRICT: Final[dict[str, Any]] = {"extra": "forbid"}
_DIGITS: Final = 12
_LATE: Final = ("slow", "late", "reboot")
_ONLY_ON: Final[dict[str, tuple[str, ...]]] = {
    "host": ("tcp", "rtu_over_tcp"), "port": ("tcp", "rtu_over_tcp"), "link": ("rtu",), "device": ("rtu",),
    "baud": ("rtu", "rtu_over_tcp"), "parity": ("rtu", "rtu_over_tcp"), "stop_bits": ("rtu", "rtu_over_tcp"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BusScenario:
    """One wire. With a `baud` its bytes take their time; port 0 is a free one; `device` is a real adapter."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    kind: WireKind
    host: str = "127.0.0.1"
    port: Annotated[int, Ge(0), Le(65_535)] = 0
    link: Path | None = None
    device: str | None = None
    baud: Annotated[int, Ge(300), Le(1_000_000)] | None = None
    parity: Parity = "N"
    stop_bits: Annotated[int, Ge(1), Le(2)] = 1
    seed: int = 1
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterScenario:
    """One meter: what it is, where it sits on a site or which recording it plays, and what ails it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    bus: str
    profile: str
    unit: Annotated[int, Ge(1), Le(247)] = 1
    address: str = ""
    """Twelve digits, of a DL/T 645 meter; these have no `unit`, and no faults of their own."""
    role: Role | None = None
    trace_file: Path | None = None
    map_file: Path | None = None
    seed: int = 1
    turnaround_s: Annotated[float, Ge(0), Le(60)] = 0.0
    serial_number: str = ""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A whole scenario file."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    title: str
    buses: Annotated[tuple[BusScenario, ...], MinLen(1)]
    meters: Annotated[tuple[MeterScenario, ...], MinLen(1)]

    def on(self, bus: str) -> tuple[MeterScenario, ...]:
        """The meters of one bus."""
        return tuple(meter for meter in self.meters if meter.bus == bus)


def load_scenario(path: Path) -> Scenario:
    """The scenario in a file. Raises FaultyFile with every mistake, ConfigError where there is no file."""
    return _SCENARIO_FILE.load(path)


def shipped() -> dict[str, Path]:
    """The scenarios that came with Plumbline, by name."""
    folder = next(iter(profile_file.shipped().values())).parents[1] / "scenarios"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def _sense(folder: Path, raw: Raw) -> Iterator[Found]:
    buses, meters = (tables(raw.get(key)) for key in ("buses", "meters"))
    yield from name_faults("buses", buses)
    yield from name_faults("meters", meters)
    for where, bus in buses:
        yield from prefixed(f"buses.{where}", _bus_faults(bus))
    yield from _twins("buses", buses, ("link", "device"))
    yield from _shared_ports(buses)
    kinds = {bus["name"]: bus.get("kind") for _, bus in buses if isinstance(bus.get("name"), str)}
    for where, meter in meters:
        yield from prefixed(f"meters.{where}", _meter_faults(folder, meter, kinds))
    yield from _shared_units(meters)
    yield from missing_files(folder, raw)


def _names_a_file(key: str, value: str) -> bool:
    return key.endswith("_file") or key == "link" or (key == "profile" and value.endswith(".toml"))


_SCENARIO_FILE: Final = StrictFile(
    settings=Scenario,
    if_missing="Name a scenario file; firmware_configs/scenarios has examples.",
    sense=_sense,
    names_a_file=_names_a_file,
)


def _bus_faults(bus: Raw) -> Iterator[Found]:
    kind = bus.get("kind")
    for key, kinds in _ONLY_ON.items():
        if key in bus and isinstance(kind, str) and kind not in kinds:
            yield key, bus[key], f"nothing: a {kind} bus has none"
    if "link" in bus and "device" in bus:
        yield "link", bus["link"], "no link beside a `device`: the adapter has its own name"
    for at, fault in _faults_of(bus):
        wrong = fault.get("kind")
        if wrong in KINDS and wrong not in OF_THE_BUS:
            yield f"{at}.kind", wrong, f"what can ail a whole bus: {', '.join(sorted(OF_THE_BUS))}"
        else:
            yield from prefixed(at, _fault_faults(fault, kind))


def _meter_faults(folder: Path, meter: Raw, kinds: Raw) -> Iterator[Found]:
    bus = meter.get("bus")
    if isinstance(bus, str) and bus not in kinds:
        yield "bus", bus, f"the name of one of [[buses]]; {near(bus, kinds)}" if kinds else "a bus"
    recorded = [key for key in ("trace_file", "map_file") if key in meter]
    if "role" in meter and recorded:
        yield "role", meter["role"], f"no role beside {' and '.join(recorded)}: the one or the other"
    elif "role" not in meter and len(recorded) < 2:
        yield "role", None, "a role, or trace_file and map_file"
    kind = kinds.get(bus) if isinstance(bus, str) else None
    if isinstance(wanted := meter.get("profile"), str):
        yield from _profile_faults(folder, wanted, meter, kind)
    for at, fault in _faults_of(meter):
        yield from prefixed(at, _fault_faults(fault, kind))


def _profile_faults(folder: Path, wanted: str, meter: Raw, bus_kind: object) -> Iterator[Found]:
    known = profile_file.shipped()
    if not wanted.endswith(".toml") and wanted not in known:
        yield (
            "profile",
            wanted,
            f"a shipped profile or a .toml file of your own; {near(wanted, sorted(known))}",
        )
        return
    try:
        profile = profile_file.load_profile(known[wanted] if wanted in known else folder / wanted)
    except ConfigError as error:
        yield "profile", wanted, f"a profile that can be read ({error})"
        return
    address = meter.get("address", "")
    if profile.protocol != "dlt645":
        if address:
            yield "address", address, "nothing: a Modbus meter has a `unit`"
        return
    if not (isinstance(address, str) and len(address) == _DIGITS and address.isdecimal()):
        yield "address", address, "twelve digits, as a text: the meter speaks DL/T 645"
    if bus_kind == "tcp":
        yield "bus", meter.get("bus"), "a bus of kind rtu or rtu_over_tcp: DL/T 645 is not Modbus TCP"
    if meter.get("faults"):
        yield (
            "faults",
            len(tables(meter["faults"])),
            "none: faults are for Modbus meters, or for the whole bus",
        )


def _fault_faults(fault: Raw, bus_kind: object) -> Iterator[Found]:
    kind = fault.get("kind")
    if kind not in KINDS:  # said with the types
        return
    wires = WIRES[kind]
    if isinstance(bus_kind, str) and bus_kind in ("tcp", "rtu", "rtu_over_tcp") and bus_kind not in wires:
        yield (
            "kind",
            kind,
            f"a fault that a {bus_kind} bus can have ({kind} is for {', '.join(sorted(wires))})",
        )
    if kind in _LATE and not fault.get("seconds"):
        yield "seconds", fault.get("seconds"), "how long, more than 0"
    lasts, every = fault.get("for_s"), fault.get("every_s")
    if isinstance(every, (int, float)) and not isinstance(lasts, (int, float)):
        yield "for_s", lasts, "how long it lasts each time, since it comes every so often"
    elif isinstance(every, (int, float)) and isinstance(lasts, (int, float)) and lasts >= every:
        yield "for_s", lasts, f"less than every_s, {every}"


def _faults_of(table: Raw) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((f"faults.{at}", fault) for at, fault in tables(table.get("faults")))


def _twins(kind: str, named: list[tuple[str, dict[str, Any]]], keys: tuple[str, ...]) -> Iterator[Found]:
    for key in keys:
        seen: dict[str, str] = {}
        for where, table in named:
            value = table.get(key)
            if isinstance(value, str) and value in seen:
                yield f"{kind}.{where}.{key}", value, f"another {key} than that of {seen[value]}"
            elif isinstance(value, str):
                seen[value] = where


def _shared_ports(buses: list[tuple[str, dict[str, Any]]]) -> Iterator[Found]:
    seen: dict[tuple[object, int], str] = {}
    for where, bus in buses:
        port = bus.get("port")
        if not isinstance(port, int) or not port:
            continue
        place = (bus.get("host", "127.0.0.1"), port)
        if place in seen:
            yield f"buses.{where}.port", port, f"another port than that of {seen[place]}"
        seen.setdefault(place, where)


def _shared_units(meters: list[tuple[str, dict[str, Any]]]) -> Iterator[Found]:
    seen: dict[tuple[object, object], str] = {}
    for where, meter in meters:
        place = (str(meter.get("bus")), str(meter.get("address") or meter.get("unit", 1)))
        if place in seen:
            yield f"meters.{where}.unit", meter.get("unit", 1), f"another unit than that of {seen[place]}"
        seen.setdefault(place, where)
