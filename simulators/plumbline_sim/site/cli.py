"""`plumbline sim site`: a whole site's simulated meters, on all its buses, as a scenario file has them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from plumbline.clock import ENVIRONMENT, Clock, ScaledClock, SystemClock, clock_from_environment
from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.site.gateway import site_file
from plumbline_sim.site.scenario import Scenario, load_scenario, shipped
from plumbline_sim.site.stage import BusServer, raised

app = typer.Typer()


@app.command()
def site(
    scenario: Annotated[
        str, typer.Argument(help="A scenario file, or the name of one of firmware_configs/scenarios.")
    ],
    *,
    out: Annotated[
        Path | None, typer.Option("--site-file", help="Write a gateway's site file for these meters.")
    ] = None,
    every_s: Annotated[float, typer.Option(min=0.1, help="How often that gateway is to ask them.")] = 10.0,
    speed: Annotated[float, typer.Option(min=0.001, help="Simulated seconds per real second.")] = 1.0,
    oplog: Annotated[
        Path | None, typer.Option(help="Append every answer, one JSON line each: the ground truth.")
    ] = None,
) -> None:
    """Answer as a whole site's meters do, with the faults that the scenario names, until stopped.

    Example: plumbline sim site dirty_bus --site-file site.toml
    """
    path = Path(scenario) if scenario.endswith(".toml") else shipped().get(scenario)
    if path is None:
        raise ConfigError(
            f"no scenario {scenario!r}", hint=f"Known: {', '.join(shipped())}; or a .toml file."
        )
    wanted = load_scenario(path)
    clock: Clock = (
        clock_from_environment()
        if ENVIRONMENT in os.environ
        else ScaledClock.starting(SystemClock().wall(), speed)
    )
    with OpLog(oplog, keep=False) as ground_truth:
        asyncio.run(_serve(wanted, clock, ground_truth, out, every_s))


async def _serve(scenario: Scenario, clock: Clock, oplog: OpLog, out: Path | None, every_s: float) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with raised(scenario, clock, oplog) as buses:
        if out is not None:
            _write(out, site_file(scenario, buses, every_s=every_s))
        _say(scenario, buses)
        await stop.wait()


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{out}: {error.strerror}", hint="Name a file in a folder you may write to."
        ) from None


def _say(scenario: Scenario, buses: Mapping[str, BusServer]) -> None:
    print(scenario.title)
    for bus in scenario.buses:
        pace = f", {bus.baud} baud" if bus.baud else ""
        print(f"{bus.name}: {bus.kind} on {buses[bus.name].address}{pace}")
        for meter in scenario.on(bus.name):
            ails = ", ".join(fault.kind for fault in meter.faults)
            family = find_profile(meter.profile).name
            number = f"address {meter.address}" if meter.address else f"unit {meter.unit}"
            print(f"  {meter.name}: {number}, {family}{f', {ails}' if ails else ''}")
    print("ready", flush=True)
