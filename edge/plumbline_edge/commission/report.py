"""What a scan found, as rows for a person, as JSON, and as the block that goes into the site file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from plumbline_edge.commission.check import Doubt
from plumbline_edge.commission.recognise import Verdict
from plumbline_edge.commission.trials import Setting
from plumbline_edge.settings import BusSettings

FIRST_VALUES: Final = ("voltage_l1", "power_active_total", "power_active_l1", "energy_import_total")
_EVERY_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Somebody who answered: under a Modbus `unit`, or under a DL/T 645 `address`.

    `values` are the first ones, by metric; None where there was none.
    """

    unit: int | None = None
    address: str | None = None
    setting: Setting | None = None
    verdict: Verdict
    values: Mapping[str, float | None] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    """What the commissioning check finds wrong, where values alone told the profile."""

    @property
    def whom(self) -> str:
        return f"unit {self.unit}" if self.address is None else f"meter {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a site file has already: names of buses by their wire, names of meters, and who is asked where."""

    buses: Mapping[tuple[object, ...], str] = field(default_factory=dict)
    names: Collection[str] = ()
    meters: Collection[tuple[str, object]] = ()
    """(bus name, unit or address)."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Taken:
        """From a site file's tables as they came; what makes no sense there counts for nothing."""
        buses = [one for one in raw.get("buses", ()) if isinstance(one, dict)]
        meters = [one for one in raw.get("meters", ()) if isinstance(one, dict)]
        return cls(
            buses={
                (one.get("kind"), one.get("device"), one.get("host"), one.get("port", 502)): str(
                    one.get("name")
                )
                for one in buses
            },
            names=frozenset(str(one.get("name")) for one in (*buses, *meters)),
            meters=frozenset(
                (str(one.get("bus")), one.get("address", one.get("unit", 1)))
                for one in meters
                if "bus" in one
            ),
        )


def in_order(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """By unit, then by address; a slow meter is found last, and stands in its place all the same."""
    return tuple(sorted(sightings, key=lambda one: (one.address or "", one.unit or 0)))


def wire_of(bus: BusSettings) -> tuple[object, ...]:
    """What makes two buses the same wire."""
    return (bus.kind, bus.device, bus.host, bus.port)


def usual_setting(sightings: Sequence[Sighting]) -> Setting | None:
    """The setting of most of them: all meters of one wire need the same."""
    counted = Counter(one.setting for one in sightings)
    return counted.most_common(1)[0][0] if counted else None


def site_block(bus: BusSettings, sightings: Sequence[Sighting], taken: Taken | None = None) -> str:
    """TOML to append to a site file: the bus, unless the file has it, and the meters that it does not have.

    Who cannot be read yet stands in a comment with the reason. Empty where there is nothing to add.
    """
    taken = taken or Taken()
    setting = usual_setting([one for one in sightings if one.verdict.profile] or sightings)
    name = taken.buses.get(wire_of(bus))
    fresh = name is None
    name = name or _free(bus.name, taken.names)
    used = {*taken.names, name}
    meters: list[str] = []
    for one in sightings:
        if (name, one.unit if one.address is None else one.address) in taken.meters:
            continue
        meters.append("\n".join(_meter_lines(one, name, setting, used)))
    if not meters:
        return ""
    head = ["\n".join(_bus_lines(bus, name, setting))] if fresh else []
    return "\n\n".join([*head, *meters]) + "\n"


def _bus_lines(bus: BusSettings, name: str, setting: Setting | None) -> Iterator[str]:
    yield "[[buses]]"
    yield f'name = "{name}"'
    yield f'kind = "{bus.kind}"'
    if bus.kind != "rtu":
        yield f"host = {_quoted(bus.host)}"
        yield f"port = {bus.port}"
        return
    yield f"device = {_quoted(bus.device)}"
    if setting is not None:
        yield f"baud = {setting.baud}"
        yield f'parity = "{setting.parity}"'
        yield f"stop_bits = {setting.stop_bits}"


def _meter_lines(one: Sighting, bus: str, setting: Setting | None, used: set[str]) -> Iterator[str]:
    if one.verdict.profile is None:
        yield f"# {one.whom}: {one.verdict.how}"
        return
    hidden = "" if one.setting == setting else "# "
    if hidden:
        yield f"# {one.whom} speaks {one.setting}, the others {setting}: set it to that at its own buttons, then"
    if not one.verdict.sure:
        yield f"# {one.whom}: {one.verdict.how}"
    stem = f"m{one.unit}" if one.address is None else f"m{one.address[-4:]}"
    name = _free(stem, used)
    used.add(name)
    yield f"{hidden}[[meters]]"
    yield f'{hidden}name = "{name}"'
    yield f"{hidden}profile = {_quoted(one.verdict.profile)}"
    yield f'{hidden}bus = "{bus}"'
    yield f"{hidden}unit = {one.unit}" if one.address is None else f'{hidden}address = "{one.address}"'
    yield f"{hidden}every_s = {_EVERY_S}"


def _free(name: str, used: Collection[str]) -> str:
    """The name, or the first of name-2, name-3, ... that nobody has."""
    number, free = 1, name
    while free in used:
        number += 1
        free = f"{name}-{number}"
    return free


def _quoted(text: str | None) -> str:
    """As a TOML string; JSON's strings are such."""
    return json.dumps(text or "", ensure_ascii=False)


def as_json(
    bus: BusSettings, sightings: Sequence[Sighting], oddities: Sequence[str], block: str
) -> dict[str, Any]:
    """For programs."""
    return {
        "wire": bus.device or f"{bus.host}:{bus.port}",
        "kind": bus.kind,
        "meters": [
            {
                "unit": one.unit,
                "address": one.address,
                "serial": None if one.setting is None else str(one.setting),
                "profile": one.verdict.profile,
                "sure": one.verdict.sure,
                "how": one.verdict.how,
                "others": list(one.verdict.others),
                "values": dict(one.values),
                "suspected": [doubt.as_json() for doubt in one.doubts],
            }
            for one in sightings
        ],
        "oddities": list(oddities),
        "toml": block,
    }
