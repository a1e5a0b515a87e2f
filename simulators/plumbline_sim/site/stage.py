"""A scenario come to life: its buses open, its meters on them, all in one simulated time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from plumbline.clock import Clock
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.dlt645 import Dlt645Meter
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import MeterServer, RtuServer, RtuTcpServer, SimulatedMeter, Source
from plumbline_sim.meter.sources import load_of, recording_for
from plumbline_sim.meter.trace import TracePlayer
from plumbline_sim.site.scenario import BusScenario, MeterScenario, Scenario

BusServer = MeterServer | RtuServer | RtuTcpServer


@asynccontextmanager
async def raised(
    scenario: Scenario, clock: Clock, oplog: OpLog | None = None
) -> AsyncIterator[Mapping[str, BusServer]]:
    """The buses by name, answering while the block runs. Raises ConfigError where one cannot be opened."""
    meters = {
        bus.name: [simulated(meter, clock) for meter in scenario.on(bus.name)] for bus in scenario.buses
    }  # whatever cannot be played is said before a bus opens
    async with AsyncExitStack() as running:
        buses: dict[str, BusServer] = {}
        for bus in scenario.buses:
            server = bus_server(bus, meters[bus.name], clock, oplog)
            buses[bus.name] = await running.enter_async_context(server)
        yield buses


def simulated(meter: MeterScenario, clock: Clock) -> SimulatedMeter | Dlt645Meter:
    """One meter of a scenario. Raises ConfigError where its recording cannot be played."""
    profile = find_profile(meter.profile)
    now = clock.wall()
    source: Source
    if meter.role is not None:
        source = load_of(meter.role, meter.seed, now)
    else:
        assert meter.trace_file is not None
        assert meter.map_file is not None
        recording = recording_for(profile, meter.trace_file, meter.map_file)
        source = TracePlayer(recording, begin_s=now.timestamp(), repeat=True)
    if profile.protocol == "dlt645":
        return Dlt645Meter(
            name=meter.name, address=meter.address, profile=profile, source=source, clock=clock
        )
    return SimulatedMeter(
        name=meter.name, unit=meter.unit, profile=profile, source=source, faults=meter.faults,
        turnaround_s=meter.turnaround_s, serial_number=meter.serial_number,
    )  # fmt: skip


def bus_server(
    bus: BusScenario, meters: Sequence[SimulatedMeter | Dlt645Meter], clock: Clock, oplog: OpLog | None = None
) -> BusServer:
    """What serves one bus; not yet open. DL/T 645 meters need a serial wire."""
    slaves = [meter for meter in meters if isinstance(meter, Dlt645Meter)]
    modbus = [meter for meter in meters if isinstance(meter, SimulatedMeter)]
    if bus.kind == "tcp":
        return MeterServer(
            modbus, clock=clock, oplog=oplog, host=bus.host, port=bus.port, seed=bus.seed, faults=bus.faults
        )
    if bus.kind == "rtu":
        return RtuServer(
            modbus, clock=clock, oplog=oplog, link=bus.link, device=bus.device, baud=bus.baud, parity=bus.parity,
            stop_bits=bus.stop_bits, seed=bus.seed, faults=bus.faults, slaves=slaves,
        )  # fmt: skip
    return RtuTcpServer(
        modbus, clock=clock, oplog=oplog, host=bus.host, port=bus.port, baud=bus.baud, parity=bus.parity,
        stop_bits=bus.stop_bits, seed=bus.seed, faults=bus.faults, slaves=slaves,
    )  # fmt: skip
