"""`plumbline sim meter`: one simulated meter on a Modbus TCP port, a serial line, or behind an RTU converter."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, cast, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from plumbline.clock import ENVIRONMENT, Clock, ScaledClock, SystemClock, clock_from_environment
from plumbline.errors import ConfigError
from plumbline_edge.meters.profiles.file import find_profile
from plumbline_edge.meters.profiles.profile import Parity, Profile
from plumbline_sim.meter.dlt645 import Dlt645Meter
from plumbline_sim.meter.faults import WireKind
from plumbline_sim.meter.load import ROLES, Role
from plumbline_sim.meter.oplog import OpLog
from plumbline_sim.meter.server import SimulatedMeter, Source
from plumbline_sim.meter.sources import load_of, recording_for
from plumbline_sim.meter.trace import Trace, TracePlayer, utc_begin
from plumbline_sim.site.scenario import BusScenario
from plumbline_sim.site.stage import BusServer, bus_server

_LOOK_S: Final = 0.2

app = typer.Typer()


@app.command()
def meter(
    *,
    profile: Annotated[str, typer.Option(help="A meter family of firmware_configs/meters, or a .toml file.")],
    trace: Annotated[Path | None, typer.Option(help="A recorded CSV to play.")] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="What the CSV's columns mean; see firmware_configs/traces.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help=f"Play a building site's load instead: {', '.join(ROLES)}.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Makes the same site again.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 picks a free one.")] = 5020,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    rtu: Annotated[
        bool, typer.Option("--rtu", help="Serve a serial line: a pseudo-terminal, whose name is printed.")
    ] = False,
    link: Annotated[
        Path | None, typer.Option(help="A name for that line, a symbolic link; with --rtu.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Play the meter on a real adapter, /dev/ttyUSB0; with --rtu.")
    ] = None,
    rtu_over_tcp: Annotated[
        bool,
        typer.Option("--rtu-over-tcp", help="Serve RTU frames on the TCP port, as a plain converter does."),
    ] = False,
    baud: Annotated[
        int | None,
        typer.Option(min=300, max=1_000_000, help="Let bytes take the time they need at that speed."),
    ] = None,
    parity: Annotated[str, typer.Option(help="N, E or O.")] = "N",
    unit: Annotated[int, typer.Option(min=0, max=247, help="The meter's Modbus unit number.")] = 1,
    address: Annotated[str, typer.Option(help="The twelve digits of a DL/T 645 meter.")] = "000012345678",
    speed: Annotated[float, typer.Option(min=0.001, help="Simulated seconds per real second.")] = 1.0,
    oplog: Annotated[
        Path | None, typer.Option(help="Append every answer, one JSON line each: the ground truth.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End where the recording ends.")] = False,
) -> None:
    """Answer Modbus like a real meter, from a recorded CSV or from a building site's load model.

    Missing cells are answered as a meter would (exception 4 or its sentinel), never as 0.

    Example: plumbline sim meter --profile eastron_sdm630 --trace steel.csv --map
    firmware_configs/traces/steel.toml --port 5020 --speed 900

    Example: plumbline sim meter --profile abb_b23 --role crane --seed 7

    Example: plumbline sim meter --profile dlt645_2007 --role main --rtu --address 000012345678

    Example: plumbline sim meter --profile eastron_sdm630 --role main --rtu --link /tmp/ttyMETER --baud 9600
    """
    bus = _bus(
        rtu=rtu or link is not None or device is not None, rtu_over_tcp=rtu_over_tcp, host=host, port=port, link=link,
        device=device, baud=baud, parity=parity,
    )  # fmt: skip
    family = find_profile(profile)
    recording = _recording(trace, map_file, role, family)
    clock = _clock(recording, speed)
    source = _source(recording, role, seed, clock, once=once)
    simulated: SimulatedMeter | Dlt645Meter
    if family.protocol == "dlt645":
        if bus.kind == "tcp":
            raise ConfigError("DL/T 645 is not Modbus TCP", hint="Give --rtu, or --rtu-over-tcp.")
        simulated = Dlt645Meter(name=profile, address=address, profile=family, source=source, clock=clock)
        called = f"address {address}"
    else:
        simulated = SimulatedMeter(name=profile, unit=unit, profile=family, source=source)
        called = f"unit {unit}"
    with OpLog(oplog, keep=False) as ground_truth:
        server = bus_server(bus, [simulated], clock, ground_truth)
        asyncio.run(_serve(server, (family.name, called), clock, recording, source, once=once))


def _bus(
    *, rtu: bool, rtu_over_tcp: bool, host: str, port: int, link: Path | None, device: str | None, baud: int | None,
    parity: str,
) -> BusScenario:  # fmt: skip
    """The wire that was asked for. Raises ConfigError where the options do not fit."""
    if rtu and rtu_over_tcp:
        raise ConfigError("--rtu and --rtu-over-tcp exclude each other", hint="Keep one of them.")
    if link is not None and device is not None:
        raise ConfigError("--link and --device exclude each other", hint="An adapter has its own name.")
    if parity not in get_args(Parity):
        raise ConfigError(f"no parity {parity!r}", hint=f"Known: {', '.join(get_args(Parity))}.")
    if baud is not None and not (rtu or rtu_over_tcp):
        raise ConfigError("--baud is for --rtu and --rtu-over-tcp", hint="Leave it out for Modbus TCP.")
    kind: WireKind = "rtu" if rtu else "rtu_over_tcp" if rtu_over_tcp else "tcp"
    return BusScenario(
        name="meter", kind=kind, host=host, port=port, link=link, device=device, baud=baud,
        parity=cast("Parity", parity),
    )  # fmt: skip


def _recording(trace: Path | None, map_file: Path | None, role: str | None, profile: Profile) -> Trace | None:
    """The CSV to play; None where a role was asked for. Raises ConfigError where the options do not fit."""
    if role is not None and (trace or map_file):
        raise ConfigError("--role and --trace exclude each other", hint="Keep one of them.")
    if role is not None:
        if role not in ROLES:
            raise ConfigError(f"no role {role!r}", hint=f"Known: {', '.join(ROLES)}.")
        return None
    if trace is None or map_file is None:
        raise ConfigError("nothing to play", hint="Give --trace FILE.csv with --map MAP.toml, or --role.")
    return recording_for(profile, trace, map_file)


def _clock(recording: Trace | None, speed: float) -> Clock:
    if ENVIRONMENT in os.environ:
        return clock_from_environment()
    start = utc_begin(recording) if recording is not None else SystemClock().wall()
    return ScaledClock.starting(start, speed)


def _source(recording: Trace | None, role: str | None, seed: int, clock: Clock, *, once: bool) -> Source:
    now = clock.wall()
    if recording is not None:
        return TracePlayer(recording, begin_s=now.timestamp(), repeat=not once)
    return load_of(cast("Role", role), seed, now)


async def _serve(
    server: BusServer,
    what: tuple[str, str],
    clock: Clock,
    recording: Trace | None,
    source: Source,
    *,
    once: bool,
) -> None:
    """Answer until a signal comes or, with `once`, the recording ends."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        name, called = what
        print(f"{name} on {server.address}, {called}", flush=True)
        if recording is None or not isinstance(source, TracePlayer):
            await stop.wait()
            return
        print(recording.report, flush=True)
        length_s = recording.end_s - recording.begin_s
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("playing", total=length_s)
            while not stop.is_set():
                into_s = clock.wall().timestamp() - source.begin_s
                if once and into_s > length_s:
                    return
                at = datetime.fromtimestamp(
                    recording.begin_s + into_s % length_s, recording.report.begins.tzinfo
                )
                progress.update(task, completed=into_s % length_s, description=f"{at:%Y-%m-%d %H:%M}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _LOOK_S)
