"""The simulated meters' names in one place: what tests and the demo build a site of."""

from __future__ import annotations

from plumbline_sim.meter.faults import Fault, FaultKind
from plumbline_sim.meter.panel import Panel, SimulatedMeter, Source
from plumbline_sim.meter.rtu import RtuServer, RtuTcpServer
from plumbline_sim.meter.tcp import MeterServer
from plumbline_sim.meter.wire import Slave

__all__ = [
    "Fault",
    "FaultKind",
    "MeterServer",
    "Panel",
    "RtuServer",
    "RtuTcpServer",
    "SimulatedMeter",
    "Slave",
    "Source",
]
