"""Simulated meters whose every answer carries a counter that no other answer of theirs has."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

from plumbline.metrics import METRICS
from plumbline_edge.meters.profiles.file import load_profile
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_sim.meter.encode import Values
from plumbline_sim.meter.server import SimulatedMeter

PROFILE: Final = Path(__file__).parents[1] / "meter.toml"
CODES: Final = {metric.name: metric.code for metric in METRICS}
_TYPICAL: Final = {
    "V": 230.0,
    "A": 20.0,
    "W": 4000.0,
    "var": 900.0,
    "VA": 4100.0,
    "1": 0.97,
    "Hz": 50.0,
    "%": 2.0,
}


class Counting:
    """Loads that walk at random; the energy counter goes up by one kWh with each answer."""

    def __init__(self, profile: Profile, seed: int) -> None:
        self._rng = random.Random(seed)
        self._count = 0
        self._values = {
            register.metric.name: _TYPICAL.get(register.metric.unit, 0.0) for register in profile.registers
        }

    def at(self, when_s: float) -> Values:
        self._count += 1
        values = dict(self._values)
        for name, value in values.items():
            values[name] = value * self._rng.uniform(0.98, 1.02)
        values["power_active_total"] = sum(values[f"power_active_l{n}"] for n in (1, 2, 3))
        values["power_reactive_total"] = sum(values[f"power_reactive_l{n}"] for n in (1, 2, 3))
        for name in values:
            if name.startswith("energy_"):
                values[name] = float(self._count)
        return values


class CountingMeter(SimulatedMeter):
    """Asks its source anew for each answer: two polls never hear the same counter."""

    def values_at(self, when_s: float) -> Values | None:
        return self.source.at(when_s)


def meter(name: str, seed: int) -> CountingMeter:
    profile = load_profile(PROFILE)
    return CountingMeter(name=name, unit=1, profile=profile, source=Counting(profile, seed))
