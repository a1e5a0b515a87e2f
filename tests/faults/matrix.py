"""Every fault that is played, with how often: in `make test` and in `make faults`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.result import Scenario
from scenarios import (
    clock,
    damage,
    deliveries,
    full,
    herd,
    kills,
    links,
    outages,
    power,
    soak,
    store,
    told,
    upgrade,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row of the matrix. `often` and `short` are counts in the scenario's own unit; `short` None: full run only."""

    name: str
    run: Scenario
    often: int
    short: int | None
    alone: bool = False
    """It measures speed: nothing else runs beside it but the soak."""
    beside: bool = False
    """It is long and light, and runs beside all the others."""


FAULTS: Final = (
    Fault(name="F1", run=kills.gateway, often=1_000, short=12),
    Fault(name="F2", run=power.run, often=200, short=10),
    Fault(name="F3", run=power.control, often=20, short=4),
    Fault(name="F5-bound", run=full.bounded, often=72, short=20),
    Fault(name="F5-card", run=full.card, often=72, short=20),
    Fault(name="F6", run=full.read_only, often=5, short=1),
    Fault(name="F7", run=damage.run, often=500, short=22),
    Fault(name="F8", run=kills.broker, often=100, short=4),
    Fault(name="F9", run=outages.away, often=72, short=1),
    Fault(name="F10", run=kills.central, often=500, short=8),
    Fault(name="F11", run=store.run, often=30, short=3),
    Fault(name="F12-hour", run=outages.partition, often=1, short=None, alone=True),
    Fault(name="F12-day", run=outages.partition, often=24, short=24, alone=True),
    Fault(name="F12-month", run=outages.partition, often=720, short=None, alone=True),
    Fault(name="F13", run=links.half_open, often=30, short=5),
    Fault(name="F14", run=links.thin, often=180, short=None, alone=True),
    Fault(name="F15", run=links.flapping, often=60, short=4),
    Fault(name="F16", run=herd.run, often=500, short=50, alone=True),
    Fault(name="F17", run=clock.run, often=5, short=1),
    Fault(name="F24", run=deliveries.run, often=2_000, short=100),
    Fault(name="F25", run=upgrade.run, often=40, short=3),
    Fault(name="F29", run=told.run, often=100, short=4),
    Fault(name="F28", run=soak.run, often=1_800, short=None, beside=True),
)


def fault(name: str) -> Fault:
    return next(one for one in FAULTS if one.name == name)
