"""The closed list of what a meter can measure, with units, resolution and the InfluxDB field name.

A value travels as a whole number of its metric's resolution (230.12 V is 23012): exact, small, and the same
bytes on every machine. The numbers in `code` are on the wire and in ledgers: append, never renumber.
Names follow IEC 61557-12 / SunSpec usage. Positive power and `import` mean energy taken from the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

Kind = Literal["gauge", "counter"]


_SCALE: Final = (1, 10, 100, 1_000, 10_000)


@dataclass(frozen=True, slots=True)
class Metric:
    """One measurable quantity: `code` on the wire, `decimals` digits kept behind the point of `unit`."""

    code: int
    name: str
    unit: str
    decimals: int
    kind: Kind = "gauge"

    def to_wire(self, value: float) -> int:
        """`value` in `unit` as a whole number of the metric's resolution, rounded half to even."""
        return round(value * _SCALE[self.decimals])

    def from_wire(self, steps: int) -> float:
        """The value in `unit` of a whole number of resolution steps."""
        return steps / _SCALE[self.decimals]


def _phases(first_code: int, stem: str, unit: str, decimals: int) -> list[Metric]:
    return [Metric(first_code + i, f"{stem}_l{i + 1}", unit, decimals) for i in range(3)]


METRICS: Final[tuple[Metric, ...]] = (
    *_phases(1, "voltage", "V", 2),
    Metric(4, "voltage_l1_l2", "V", 2),
    Metric(5, "voltage_l2_l3", "V", 2),
    Metric(6, "voltage_l3_l1", "V", 2),
    *_phases(7, "current", "A", 3),
    Metric(10, "current_n", "A", 3),
    *_phases(11, "power_active", "W", 1),
    Metric(14, "power_active_total", "W", 1),
    *_phases(15, "power_reactive", "var", 1),
    Metric(18, "power_reactive_total", "var", 1),
    *_phases(19, "power_apparent", "VA", 1),
    Metric(22, "power_apparent_total", "VA", 1),
    *_phases(23, "power_factor", "1", 4),
    Metric(26, "power_factor_total", "1", 4),
    Metric(27, "frequency", "Hz", 3),
    Metric(28, "energy_import_total", "kWh", 4, "counter"),
    Metric(29, "energy_export_total", "kWh", 4, "counter"),
    Metric(30, "energy_import_l1", "kWh", 4, "counter"),
    Metric(31, "energy_import_l2", "kWh", 4, "counter"),
    Metric(32, "energy_import_l3", "kWh", 4, "counter"),
    Metric(33, "energy_export_l1", "kWh", 4, "counter"),
    Metric(34, "energy_export_l2", "kWh", 4, "counter"),
    Metric(35, "energy_export_l3", "kWh", 4, "counter"),
    Metric(36, "energy_reactive_import_total", "kvarh", 4, "counter"),
    Metric(37, "energy_reactive_export_total", "kvarh", 4, "counter"),
    Metric(38, "thd_voltage_l1", "%", 2),
    Metric(39, "thd_current_l1", "%", 2),
    Metric(40, "current_residual", "mA", 1),
)

BY_NAME: Final[dict[str, Metric]] = {metric.name: metric for metric in METRICS}
BY_CODE: Final[dict[int, Metric]] = {metric.code: metric for metric in METRICS}


class Flaw(IntEnum):
    """Why a value is not simply good. Under 100 it is doubtful but kept; from 100 on there is no value."""

    OUT_OF_RANGE = 1
    INCONSISTENT = 2
    ROLLOVER = 3
    WENT_BACK = 4
    THINNED = 5
    """The mean of a stretch of time; the single readings had to make room."""
    STUCK = 6
    """The very same number for long while what must move with it moved."""
    SENTINEL = 100
    NOT_A_NUMBER = 101
    TIMEOUT = 102
    EXCEPTION = 103
    OVERFLOW = 104
    GARBAGE = 105

    @property
    def quality(self) -> Literal["uncertain", "bad"]:
        """`uncertain`: a value stands beside it; `bad`: there is none."""
        return "bad" if self >= Flaw.SENTINEL else "uncertain"
