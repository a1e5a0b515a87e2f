"""The gateway on a wire with DL/T 645 meters and a Modbus meter among them."""

import pytest

from plumbline.clock import ManualClock, SystemClock
from plumbline.metrics import BY_CODE
from plumbline_edge.config import load_site
from plumbline_edge.meters.wiring import open_meters
from plumbline_sim.site.gateway import site_file
from plumbline_sim.site.scenario import load_scenario, shipped
from plumbline_sim.site.stage import raised, simulated

pytestmark = pytest.mark.system


async def test_meters_of_two_protocols_share_a_wire_and_are_read_right(tmp_path):
    scenario = load_scenario(shipped()["chinese_riser"])
    clock = ManualClock(SystemClock().wall())
    frames = {}
    async with raised(scenario, clock) as buses:
        path = tmp_path / "site.toml"
        path.write_text(site_file(scenario, buses, every_s=10), encoding="utf-8")
        meters = open_meters(load_site(path), clock)
        for meter in meters:
            frames[meter.name] = await meter.queue(meter.poll)
        await meters[0].close()
        writes = sum(bus.writes for bus in buses.values())

    for meter in scenario.meters:
        truth = simulated(meter, clock).values_at(clock.wall().timestamp())
        frame = frames[meter.name]
        read = {
            BY_CODE[code].name: BY_CODE[code].from_wire(steps)
            for code, steps in zip(frame.metrics, frame.values, strict=True)
        }
        for name in ("voltage_l1", "power_active_total", "energy_import_total", "frequency"):
            assert read[name] == pytest.approx(truth[name], abs=0.11)
    assert writes == 0
