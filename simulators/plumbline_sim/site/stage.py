"""A scenario come to life: its buses open, its meters on them, all in one simulated time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from plumbline.clock import Clock
from plumbline_edge.meters.profile_file import find_profile
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
    }
    async with AsyncExitStack() as running:
        buses: dict[str, BusServer] = {}
        for bus in scenario.buses:
            server = bus_server(bus, meters[bus.name], clock, oplog)
            buses[bus.name] = await running.enter_async_context(server)
        yield buses


def simulated(meter: MeterScenario, clock: Clock) -> SimulatedMeter:
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
    return SimulatedMeter(
        name=meter.name, unit=meter.unit, profile=profile, source=source, faults=meter.faults,
        turnaround_s=meter.turnaround_s, serial_number=meter.serial_number,
    )  # fmt: skip


def bus_server(
    bus: BusScenario, meters: list[SimulatedMeter], clock: Clock, oplog: OpLog | None = None
) -> BusServer:
    """What serves one bus; not yet open."""
    if bus.kind == "tcp":
        return MeterServer(
            meters, clock=clock, oplog=oplog, host=bus.host, port=bus.port, seed=bus.seed, faults=bus.faults
        )
    if bus.kind == "rtu":
        return RtuServer(
            meters, clock=clock, oplog=oplog, link=bus.link, device=bus.device, baud=bus.baud, parity=bus.parity,
            stop_bits=bus.stop_bits, seed=bus.seed, faults=bus.faults,
        )  # fmt: skip
    return RtuTcpServer(
        meters, clock=clock, oplog=oplog, host=bus.host, port=bus.port, baud=bus.baud, parity=bus.parity,
        stop_bits=bus.stop_bits, seed=bus.seed, faults=bus.faults,
    )  # fmt: skip
