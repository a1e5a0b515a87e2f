"""The gateway on the dirty bus of firmware_configs/scenarios: what it calls good must be what a meter said."""

import asyncio
import contextlib
from collections import defaultdict

import pytest

from plumbline.clock import ScaledClock, SystemClock
from plumbline.errors import Refused, Unreachable
from plumbline.metrics import BY_CODE
from plumbline_edge.config import load_site
from plumbline_edge.meters.wiring import open_meters
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.site.gateway import site_file
from plumbline_sim.site.scenario import load_scenario, shipped
from plumbline_sim.site.stage import raised

pytestmark = pytest.mark.system

_ROUNDS = 6
_SPEED = 30  # 6 rounds see the first faults that come by the clock


async def test_no_value_is_called_good_that_no_meter_said(tmp_path):
    scenario = load_scenario(shipped()["dirty_bus"])
    swapping = {m.name for m in scenario.meters if any(fault.kind == "swapped_words" for fault in m.faults)}
    clock, log = ScaledClock.starting(SystemClock().wall(), _SPEED), OpLog()
    frames = []

    async def poll(meter):
        with contextlib.suppress(Unreachable, Refused):
            frames.append(await meter.queue(meter.poll))

    async with raised(scenario, clock, log) as buses:
        path = tmp_path / "site.toml"
        path.write_text(site_file(scenario, buses, every_s=10), encoding="utf-8")
        meters = open_meters(load_site(path), clock)
        for _ in range(_ROUNDS):
            await asyncio.gather(*map(poll, meters))
        for meter in meters:
            await meter.close()
        writes = sum(bus.writes for bus in buses.values())

    said = defaultdict(set)
    for operation in log.operations:
        for metric, steps in operation.values:
            said[operation.device, metric].add(steps)
    invented = [
        (frame.device, BY_CODE[metric].name, value)
        for frame in frames
        if frame.device not in swapping
        for i, (metric, value) in enumerate(zip(frame.metrics, frame.values, strict=True))
        if i not in {place for place, _ in frame.flaws}
        and value not in said[frame.device, BY_CODE[metric].name]
    ]
    assert invented == []
    assert writes == 0
    assert sum(frame.device == "steady-tcp" for frame in frames) == _ROUNDS
    assert not any(frame.device == "dead" for frame in frames)
