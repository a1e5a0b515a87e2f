"""The newest readings of a site, laid out device by device as an electrician reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final, Literal

from plumbline.metrics import BY_NAME, Flaw
from plumbline_central.stores.gateways import GatewayStatus
from plumbline_central.stores.port import Reading
from plumbline_central.web import numerals
from plumbline_central.web.texts import Texts

Quality = Literal["good", "uncertain", "bad", "absent"]

_KILO: Final = {"W": "kW", "var": "kvar", "VA": "kVA"}
_DECIMALS: Final = {
    "V": 1, "A": 2, "kW": 2, "kvar": 2, "kVA": 2, "kWh": 1, "kvarh": 1, "Hz": 2, "1": 2, "%": 1, "mA": 1,
}  # fmt: skip

POWER: Final = "power_active_total"
ENERGY: Final = "energy_import_total"
PHASE_ROWS: Final = (
    ("voltage", ("voltage_l1", "voltage_l2", "voltage_l3", None)),
    ("current", ("current_l1", "current_l2", "current_l3", None)),
    ("power", ("power_active_l1", "power_active_l2", "power_active_l3", "power_active_total")),
    ("power_factor", ("power_factor_l1", "power_factor_l2", "power_factor_l3", "power_factor_total")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value as shown: `text` has no unit. `factor` and `decimals` let the browser write the next one the same way."""

    metric: str
    text: str
    unit: str
    factor: float
    decimals: int
    quality: Quality
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A day of power in a box of 100 x 100, y downwards, from zero."""

    line: str
    most_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One device. `status` is the gateway's word for it, None where the gateway has not said."""

    gateway: str
    device: str
    at: datetime
    status: str | None
    power: Cell
    energy: Cell
    frequency: Cell
    phases: tuple[str, ...]
    """L1, L2, L3 as far as the device measures them."""
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    cells: tuple[Cell, ...]


def meters(texts: Texts, readings: Sequence[Reading], gateways: Sequence[GatewayStatus]) -> list[Meter]:
    """By device name; `readings` are grouped by device, as TelemetryStore.latest gives them."""
    status = {(one.gateway, device.name): device.status for one in gateways for device in one.devices}
    ordered = sorted(readings, key=lambda reading: (reading.device, reading.gateway))
    return [
        _meter(texts, gateway, device, list(group), status.get((gateway, device)))
        for (device, gateway), group in groupby(
            ordered, key=lambda reading: (reading.device, reading.gateway)
        )
    ]


def spark(points: Sequence[tuple[datetime, float]], start: datetime, end: datetime) -> Spark | None:
    """The power curve of `points` in W; None where two points are not there."""
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    most, least = max(*values, 0.0), min(*values, 0.0)
    height = (most - least) or 1.0
    line = " ".join(
        f"{(at - start) / (end - start) * 100:.1f},{100 - (value - least) / height * 100:.1f}"
        for at, value in points
    )
    return Spark(line=line, most_kw=most / 1000)


def flaw_words(texts: Texts, flaw: int | None) -> str:
    """Why a value is doubtful or missing."""
    if flaw is None:
        return ""
    try:
        return texts(f"flaw.{Flaw(flaw).name}")
    except ValueError:
        return texts("flaw.unknown", code=flaw)


def _meter(texts: Texts, gateway: str, device: str, readings: Sequence[Reading], status: str | None) -> Meter:
    cells = {reading.metric: _cell(texts, reading) for reading in readings}
    phases = tuple(f"L{i + 1}" for i in range(3) if any(metrics[i] in cells for _, metrics in PHASE_ROWS))
    rows = tuple(
        (texts(f"meter.{name}"), tuple(_known(texts, cells, metrics[i]) for i in (*range(len(phases)), 3)))
        for name, metrics in PHASE_ROWS
        if any(metric in cells for metric in metrics if metric is not None)
    )
    return Meter(
        gateway=gateway,
        device=device,
        at=max(reading.at for reading in readings),
        status=status,
        power=_known(texts, cells, POWER),
        energy=_known(texts, cells, ENERGY),
        frequency=_known(texts, cells, "frequency"),
        phases=phases,
        rows=rows,
        cells=tuple(cells.values()),
    )


def _known(texts: Texts, cells: Mapping[str, Cell], metric: str | None) -> Cell:
    """The cell of a metric, or one that says the device does not measure it."""
    if metric is not None and metric in cells:
        return cells[metric]
    unit, factor = _shown_unit(BY_NAME[metric].unit) if metric is not None else ("", 1.0)
    return Cell(
        metric=metric or "",
        text="" if metric is None else texts("page.none"),
        unit=unit,
        factor=factor,
        decimals=_DECIMALS.get(unit, 2),
        quality="absent",
        why="" if metric is None else texts("flaw.absent"),
    )


def _cell(texts: Texts, reading: Reading) -> Cell:
    unit, factor = _shown_unit(reading.unit)
    decimals = _DECIMALS.get(unit, 2)
    quality: Quality = "good" if reading.flaw is None else "uncertain"
    text = texts("page.none")
    if reading.value is None:
        quality = "bad"
    else:
        text = numerals.fixed(reading.value * factor, decimals)
    return Cell(
        metric=reading.metric,
        text=text,
        unit="" if unit == "1" else unit,
        factor=factor,
        decimals=decimals,
        quality=quality,
        why=flaw_words(texts, reading.flaw),
    )


def _shown_unit(unit: str) -> tuple[str, float]:
    kilo = _KILO.get(unit)
    return (kilo, 0.001) if kilo else (unit, 1.0)
