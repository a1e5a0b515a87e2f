"""Builds buses and meters from a site's settings: meters that share a wire share its bus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from plumbline.clock import Clock
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.remembered import Remembered
from plumbline_edge.meters.wire.bus import Bus, serial_bus, tcp_bus
from plumbline_edge.meters.wire.line import SerialPort, Tap
from plumbline_edge.settings import BusSettings, MeterSettings, SiteSettings

_PROBE_SHARE: Final = 0.1
_PROBE_AT_LEAST_S: Final = 0.05
"""A silent meter may hold up its wire for that share of its neighbours' shortest period."""


def open_bus(settings: BusSettings, *, tap: Tap | None = None) -> Bus:
    """A site's bus; nothing is opened before the first question."""
    match settings.kind:
        case "rtu":
            port = SerialPort(
                device=settings.device or "",
                baud=settings.baud,
                parity=settings.parity,
                stop_bits=settings.stop_bits,
            )
            return serial_bus(port, name=settings.name, tap=tap)
        case "rtu_over_tcp":
            return tcp_bus(settings.host or "", settings.port, framing="rtu", name=settings.name, tap=tap)
        case _:
            return tcp_bus(settings.host or "", settings.port, name=settings.name, tap=tap)


def bus_key(meter: MeterSettings) -> tuple[str, int] | str:
    """What meters on one wire have in common: the bus's name, or host and port."""
    return meter.bus if meter.bus is not None else (meter.host or "", meter.port)


def bus_of(meter: MeterSettings, named: Mapping[str, BusSettings]) -> BusSettings:
    """The wire a meter is on; one that is alone behind a TCP port has that."""
    if meter.bus is not None:
        return named[meter.bus]
    return BusSettings(name=f"{meter.host}:{meter.port}", kind="tcp", host=meter.host, port=meter.port)


def open_meters(site: SiteSettings, clock: Clock) -> list[Meter]:
    """Every meter of a site, on its bus."""
    remembered = Remembered(Path(site.state_dir) / "meters.json")
    named = {bus.name: bus for bus in site.buses}
    buses: dict[tuple[str, int] | str, Bus] = {}
    meters = []
    for settings in site.meters:
        key = bus_key(settings)
        if key not in buses:
            buses[key] = open_bus(bus_of(settings, named))
        probe_s = _probe_s(key, site.meters)
        meters.append(open_meter(settings, buses[key], clock, probe_s=probe_s, remembered=remembered))
    return meters


def open_meter(
    settings: MeterSettings,
    bus: Bus,
    clock: Clock,
    *,
    probe_s: float | None = None,
    remembered: Remembered | None = None,
) -> Meter:
    """One meter on a bus. Raises ConfigError where there is no such profile."""
    return Meter(
        name=settings.name,
        profile=find_profile(settings.profile),
        unit=settings.unit,
        address=settings.address or "",
        bus=bus,
        every_s=settings.every_s,
        clock=clock,
        timeout_s=settings.timeout_s,
        probe_s=probe_s,
        remembered=remembered,
    )


def _probe_s(key: tuple[str, int] | str, meters: Iterable[MeterSettings]) -> float | None:
    """How long a silent meter may hold up its neighbours; None where it has none."""
    periods = [meter.every_s for meter in meters if bus_key(meter) == key]
    return max(_PROBE_AT_LEAST_S, _PROBE_SHARE * min(periods)) if len(periods) > 1 else None
