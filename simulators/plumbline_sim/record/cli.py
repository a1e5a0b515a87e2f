"""`plumbline sim record` and `plumbline sim replay`: a real bus on tape, and a tape as a bus."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from plumbline.errors import ConfigError, Unreachable
from plumbline_sim.record.pcap import Count, conversations, segments
from plumbline_sim.record.player import Player
from plumbline_sim.record.recorder import Recorder, TapeFile
from plumbline_sim.record.replay import ReplayServer, answer_on
from plumbline_sim.record.scribe import lines_of
from plumbline_sim.record.tape import Protocol, load_tape
from plumbline_sim.record.wires import (
    Wire,
    connect,
    host_and_port,
    is_serial,
    listening,
    open_pty,
    open_serial,
)

app = typer.Typer()
console = Console(stderr=True, highlight=False, soft_wrap=True)

_LOOK_S: Final = 0.5
_UNKNOWN_SHOWN: Final = 10
_UNITS_S: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class ProtocolName(StrEnum):
    """How messages are told apart on the wire."""

    TCP = "tcp"
    RTU = "rtu"
    RTU_OVER_TCP = "rtu_over_tcp"


@app.command()
def record(
    *,
    out: Annotated[Path, typer.Option(help="The tape to write, JSON lines; a new file.")],
    listen: Annotated[
        str | None, typer.Option(help="Where the gateway connects: HOST:PORT, or `pty` for a terminal.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="The real bus: HOST:PORT, or /dev/ttyUSB0,9600,8N1.")] = None,
    protocol: Annotated[ProtocolName, typer.Option(help="What is spoken on both sides.")] = ProtocolName.TCP,
    link: Annotated[Path | None, typer.Option(help="With `--listen pty`: a link to the terminal.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="End after 90s, 10m, 2h; else at Ctrl-C.")] = None,
    from_pcap: Annotated[
        Path | None, typer.Option(help="Take the tape from a capture of Modbus TCP instead.")
    ] = None,
    pcap_port: Annotated[int, typer.Option(min=1, max=65_535, help="The meters' port in the capture.")] = 502,
) -> None:
    """Write down what a master and a bus say to each other; every byte is passed on untouched and at once.

    Example: plumbline sim record --listen 127.0.0.1:5020 --to 192.168.1.50:502 --out bus.jsonl --for 10m

    Example: plumbline sim record --listen pty --to /dev/ttyUSB0,9600,8N1 --protocol rtu --out bus.jsonl

    Example: plumbline sim record --from-pcap site.pcap --out bus.jsonl
    """
    spoken: Protocol = protocol.value
    if from_pcap is not None:
        if listen or to:
            raise ConfigError(
                "--from-pcap reads a file; there is nobody to listen to", hint="Leave --listen and --to out."
            )
        _convert(from_pcap, out, pcap_port)
        return
    if listen is None or to is None:
        raise ConfigError("nothing to record", hint="Give --listen and --to, or --from-pcap FILE.pcap.")
    if spoken == "tcp" and (is_serial(to) or listen == "pty"):
        raise ConfigError("Modbus TCP is not spoken on a serial line", hint="Give --protocol rtu.")
    if listen != "pty":
        host_and_port(listen, "--listen")
    if not is_serial(to):
        host_and_port(to, "--to")
    length_s = None if for_ is None else _seconds(for_)
    with TapeFile(out, spoken) as tape:
        asyncio.run(_record(tape, spoken, listen, to, link, length_s))
    console.print(f"{out}: {tape.lines['request']} requests, {tape.lines['answer']} answers")
    if tape.failed:
        raise Unreachable(
            f"{out}: {tape.failed}: the tape is not whole", hint="Record again where there is room."
        )


@app.command()
def replay(
    tape: Annotated[Path, typer.Argument(metavar="FILE", help="What `plumbline sim record` wrote.")],
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Of the first server; 0 picks free ones.")
    ] = 5020,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    pty: Annotated[
        bool, typer.Option("--pty", help="Speak RTU on a terminal instead; its path is printed.")
    ] = False,
    link: Annotated[Path | None, typer.Option(help="With --pty: a link to the terminal.")] = None,
    rtu_over_tcp: Annotated[
        bool, typer.Option("--rtu-over-tcp", help="Speak RTU frames on the TCP port.")
    ] = False,
    server: Annotated[str | None, typer.Option(help="Play this one only, HOST:PORT as in the tape.")] = None,
    speed: Annotated[float, typer.Option(min=0.001, help="Recorded seconds per real second.")] = 1.0,
    loop: Annotated[
        bool, typer.Option("--loop", help="Begin again after the last answer instead of repeating it.")
    ] = False,
) -> None:
    """Answer as the recorded bus did: the same bytes, after the same time, silent where it was silent.

    A request that was never recorded gets exception 11 on TCP and silence on RTU; those are listed at the end.
    A tape with several servers gets a port for each, from --port on.

    Example: plumbline sim replay bus.jsonl --port 5020 --speed 60
    """
    found = load_tape(tape)
    servers = found.servers or ("",)
    if server is not None and server not in servers:
        raise ConfigError(f"--server {server}: not in {tape}", hint=f"There: {', '.join(servers[:20])}.")
    if pty and len(servers) > 1 and server is None:
        raise ConfigError(
            f"{tape} has {len(servers)} servers, a terminal is one", hint=f"Give --server {servers[0]}."
        )
    chosen = servers if server is None else (server,)
    if port + len(chosen) > 1 << 16:
        raise ConfigError(
            f"--port {port}: {len(chosen)} servers need as many ports", hint="Give a lower one, or 0."
        )
    as_rtu = pty or rtu_over_tcp or found.framing == "rtu"
    players = {
        name: Player(found, framing="rtu" if as_rtu else "tcp", server=name, speed=speed, loop=loop)
        for name in chosen
    }
    asyncio.run(_on_terminal(players[chosen[0]], link) if pty else _on_ports(players, host, port))
    for name, player in players.items():
        _say_played(name, player)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if found is None or not float(found[1]):
        raise ConfigError(f"--for {text}: not a time", hint="For example 90s, 10m or 2h.")
    return float(found[1]) * _UNITS_S[found[2]]


def _convert(capture: Path, out: Path, port: int) -> None:
    count = Count()
    try:
        file = capture.open("rb")
    except OSError as error:
        raise ConfigError(f"{capture}: {error.strerror}", hint="Name a capture file.") from None
    with file, TapeFile(out, "tcp") as tape:
        tape.write(lines_of(conversations(segments(file, count), count, port=port)))
    console.print(
        f"{out}: {tape.lines['request']} requests, {tape.lines['answer']} answers on {count.connections} connections; "
        f"{count.packets} packets read, {count.duplicates} repeats dropped, {count.holes} holes"
    )
    if count.cut_short:
        console.print("The capture ends within a packet; what came before it was taken.")
    if tape.failed:
        raise Unreachable(
            f"{out}: {tape.failed}: the tape is not whole", hint="Convert it where there is room."
        )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _record(
    tape: TapeFile, protocol: Protocol, listen: str, to: str, link: Path | None, length_s: float | None
) -> None:
    """Record until a signal comes or the time is over."""
    stop = _stop_on_signals()
    recorder = Recorder(tape, protocol=protocol, open_bus=_opener(to), alone=is_serial(to))
    async with _listening(recorder, listen, link) as where:
        print(f"recording {where} to {to}", flush=True)
        began_s = asyncio.get_running_loop().time()
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20))
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("nothing heard yet", total=length_s)
            while not stop.is_set():
                into_s = asyncio.get_running_loop().time() - began_s
                if length_s is not None and into_s >= length_s:
                    break
                progress.update(
                    task, completed=min(into_s, length_s or 0), description=_standing(recorder, tape)
                )
                wait_s = _LOOK_S if length_s is None else min(_LOOK_S, length_s - into_s)
                await _wait(stop, wait_s)
    recorder.finish()


def _standing(recorder: Recorder, tape: TapeFile) -> str:
    words = f"{tape.lines['request']} requests, {tape.lines['answer']} answers, {recorder.connections} connections"
    if recorder.turned_away:
        why, times = recorder.turned_away.most_common(1)[0]
        words += f"; {times} times: {why}"
    return f"NOT WRITTEN ({tape.failed}): {words}" if tape.failed else words


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _opener(to: str) -> Callable[[], Awaitable[Wire]]:
    if not is_serial(to):
        host, port = host_and_port(to, "--to")
        return lambda: connect(host, port)

    async def serial() -> Wire:
        return open_serial(to)

    return serial


@asynccontextmanager
async def _listening(recorder: Recorder, listen: str, link: Path | None) -> AsyncIterator[str]:
    """Serve masters while the block runs; yields where they connect."""
    if listen == "pty":
        terminal, path = open_pty(link)
        keeping = asyncio.create_task(recorder.keep(terminal))
        try:
            yield path
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            terminal.close()
        return
    host, port = host_and_port(listen, "--listen")
    async with listening(host, port, recorder.serve) as taken:
        yield f"{host}:{taken}"


async def _on_ports(players: dict[str, Player], host: str, port: int) -> None:
    stop = _stop_on_signals()
    async with AsyncExitStack() as running:
        for number, (name, player) in enumerate(players.items()):
            wanted = port + number if port else 0
            server = await running.enter_async_context(ReplayServer(player, host=host, port=wanted))
            print(f"{name or 'the recorded bus'} on {server.host}:{server.port}", flush=True)
        await stop.wait()


async def _on_terminal(player: Player, link: Path | None) -> None:
    stop = _stop_on_signals()
    terminal, path = open_pty(link)
    print(f"the recorded bus on {path}", flush=True)
    answering = asyncio.create_task(answer_on(terminal, player))
    await stop.wait()
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)
    terminal.close()


def _say_played(name: str, player: Player) -> None:
    never = sum(unknown.times for unknown in player.unknown.values())
    console.print(
        f"{name or 'bus'}: {player.answered} requests answered, {player.left_silent} left silent as recorded, "
        f"{never} never recorded"
    )
    for unknown in sorted(player.unknown.values(), key=lambda u: -u.times)[:_UNKNOWN_SHOWN]:
        console.print(f"  {unknown.times} x {unknown.request.raw.hex(' ')}")
