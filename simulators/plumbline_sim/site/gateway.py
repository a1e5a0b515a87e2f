"""The site file with which a gateway reads a simulated site's meters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from plumbline_sim.meter.server import RtuServer
from plumbline_sim.site.scenario import BusScenario, MeterScenario, Scenario
from plumbline_sim.site.stage import BusServer
from plumbline_sim.tomltext import toml_text

_USUAL_BAUD: Final = 9_600

Table = tuple[str, dict[str, Any]]


def site_file(scenario: Scenario, buses: Mapping[str, BusServer], *, every_s: float) -> str:
    """The text of it; `buses` are open, so that their addresses are known."""
    tables: list[Table] = [
        ("", {"site": "sim", "gateway": "sim-gw1", "state_dir": "edge-state", "timezone": "Asia/Shanghai"}),
        ("[broker]", {"host": "127.0.0.1", "port": 1883}),
    ]
    shared = [bus for bus in scenario.buses if not _stands_alone(scenario, bus)]
    tables += [("[[buses]]", _bus(bus, buses[bus.name])) for bus in shared]
    for bus in scenario.buses:
        tables += _meters(bus, scenario.on(bus.name), buses[bus.name], every_s, scenario)
    return toml_text(tables)


def _stands_alone(scenario: Scenario, bus: BusScenario) -> bool:
    """Whether it is one meter with a network port of its own."""
    return bus.kind == "tcp" and len(scenario.on(bus.name)) == 1


def _bus(bus: BusScenario, server: BusServer) -> dict[str, Any]:
    if isinstance(server, RtuServer):
        return {
            "name": bus.name, "kind": bus.kind, "device": server.path, "baud": bus.baud or _USUAL_BAUD,
            "parity": bus.parity, "stop_bits": bus.stop_bits,
        }  # fmt: skip
    return {"name": bus.name, "kind": bus.kind, "host": server.host, "port": server.port}


def _meters(
    bus: BusScenario, meters: tuple[MeterScenario, ...], server: BusServer, every_s: float, scenario: Scenario
) -> Iterator[Table]:
    for meter in meters:
        place: dict[str, Any] = {"bus": bus.name}
        if _stands_alone(scenario, bus) and not isinstance(server, RtuServer):
            place = {"host": server.host, "port": server.port}
        named = {"name": meter.name, "profile": meter.profile}
        number = {"address": meter.address} if meter.address else {"unit": meter.unit}
        yield "[[meters]]", {**named, **place, **number, "every_s": every_s}
