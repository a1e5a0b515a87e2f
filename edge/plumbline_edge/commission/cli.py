"""`plumbline edge scan|read|doctor`: bring a gateway into service, and find out what ails it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from plumbline import signing
from plumbline.clock import Clock, clock_from_environment
from plumbline.errors import ConfigError, Unreachable
from plumbline_edge.commission import doctor as examination
from plumbline_edge.commission import handover, paste, ports, report, show, target, trials
from plumbline_edge.commission.look import Looked, look
from plumbline_edge.commission.reading import Reading, read_once
from plumbline_edge.commission.scan import Scan, Step
from plumbline_edge.commission.tap import Tapped
from plumbline_edge.config import load_site
from plumbline_edge.meters.doubts.suspicion import Poll
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import Parity, Profile, SerialDefaults
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wiring import bus_key, bus_of, open_bus, open_meter
from plumbline_edge.settings import BusSettings, MeterSettings

app = typer.Typer()

_UNITS: Final = "1-20"
Device = Annotated[str | None, typer.Option(help="A serial port, like /dev/ttyUSB0.")]
Host = Annotated[
    str | None, typer.Option(metavar="HOST[:PORT]", help="A meter or Modbus gateway on the network.")
]
Rtu = Annotated[
    bool, typer.Option("--rtu", help="With --host: a converter that passes serial frames on as they are.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: one JSON document.")]


@app.command(epilog="Example: plumbline edge scan --device /dev/ttyUSB0 --write /etc/plumbline/site.toml")
def scan(
    site: Annotated[
        Path | None, typer.Argument(metavar="[SITE.toml]", help="With --bus: scan a bus of this file.")
    ] = None,
    *,
    bus: Annotated[str | None, typer.Option(help="The bus of SITE.toml.")] = None,
    device: Device = None,
    host: Host = None,
    rtu: Rtu = False,
    units: Annotated[
        str | None, typer.Option("--units", "--unit", help=f"Unit numbers, {_UNITS} where not given.")
    ] = None,
    bauds: Annotated[str | None, typer.Option(help="Speeds, like 9600,2400.")] = None,
    parity: Annotated[str | None, typer.Option(help="Parities, like N,E,O.")] = None,
    thorough: Annotated[
        bool, typer.Option("--all", help="Every unit, 1 to 247, at every speed. Takes long.")
    ] = False,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", min=0.02, max=30, help="Seconds to wait for an answer.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.toml", help="Try this one too, of your own; say what does not fit."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="SITE.toml", help="Add what was found to this site file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find who is on a wire, and which profile fits. Only reads; without options it takes the only serial port.

    Ctrl-C ends it and shows what was found so far.
    """
    if write is not None:
        paste.may_append(write)
    taken = report.Taken.of(target.raw_site(write)) if write and write.exists() else None
    wire = _wire(site, bus, device, host, rtu=rtu)
    profiles = {name: find_profile(name) for name in shipped()}
    own = None
    if profile is not None:
        own = str(Path(profile).resolve()) if profile.endswith(".toml") else profile
        profiles = {own: find_profile(own)} | {n: p for n, p in profiles.items() if n != own}
    wanted = target.units_of(units) if units else trials.ALL_UNITS if thorough else target.units_of(_UNITS)
    settings = _settings(wire, profiles.values(), site, bauds, parity, thorough=thorough)
    with show.progress() as bar:
        task = bar.add_task("scanning", total=1.0, left="")

        def told(step: Step) -> None:
            left = f"at most {show.duration(step.left_s)} left"
            bar.update(
                task,
                description=step.doing,
                completed=step.spent_s,
                total=step.spent_s + step.left_s,
                left=left,
            )

        found = Scan(wire, profiles, clock_from_environment(), timeout_s=timeout_s, told=told, own=own)
        broken = _run(found, settings, wanted, thorough=thorough)
    found.sightings = list(report.in_order(found.sightings))
    block = report.site_block(wire, found.sightings, taken)
    if as_json:
        print(json.dumps(report.as_json(wire, found.sightings, found.oddities, block)))
    else:
        _show_scan(wire, found, block, broken=broken)
    if write and block:
        _append(write, block, quiet=as_json)
    if broken or not found.sightings:
        raise typer.Exit(1)


def _run(
    scan: Scan, settings: Sequence[trials.Setting | None], units: Sequence[int], *, thorough: bool
) -> bool:
    """Whether it was broken off. Raises Unreachable where nothing was found because the wire is not there."""
    try:
        asyncio.run(scan.run(settings, units, thorough=thorough))
    except KeyboardInterrupt:
        return True
    except Unreachable as lost:
        if not scan.sightings:
            raise
        scan.oddities.append(f"broken off: {lost}")
        return True
    return False


def _wire(
    site: Path | None, bus: str | None, device: str | None, host: str | None, *, rtu: bool
) -> BusSettings:
    if site is not None:
        if device or host:
            raise ConfigError(
                "a site file and --device or --host exclude each other", hint="Keep one of them."
            )
        return target.wire_from_site(site, bus)
    if device is None and host is None:
        only = ports.the_only_one(ports.adapters())
        print(f"Scanning {only}, the only serial port.", file=sys.stderr)
        device = only.device
    return target.wire_from_options(device, host, rtu=rtu)


def _settings(
    wire: BusSettings,
    profiles: Collection[Profile],
    site: Path | None,
    bauds: str | None,
    parity: str | None,
    *,
    thorough: bool,
) -> Sequence[trials.Setting | None]:
    """What to set the port to; a site file's own setting unless others were named."""
    speeds, parities = target.bauds_of(bauds), target.parities_of(parity)
    if wire.kind != "rtu":
        if speeds or parities:
            raise ConfigError("--bauds and --parity are for serial ports", hint="Set those at the converter.")
        return (None,)
    if site is not None and not (speeds or parities or thorough):
        return (trials.Setting(baud=wire.baud, parity=wire.parity, stop_bits=wire.stop_bits, factory=True),)
    return trials.settings_to_try(profiles, bauds=speeds, parities=parities, thorough=thorough)


def _show_scan(wire: BusSettings, scan: Scan, block: str, *, broken: bool) -> None:
    where = wire.device or f"{wire.host}:{wire.port}"
    if scan.sightings:
        show.sightings(scan.sightings)
    else:
        print(f"{where}: nobody answered")
    for one in scan.sightings:
        for doubt in one.doubts:
            print(f"! {one.whom}: {doubt.sentence}\n  → {doubt.hint}")
    for oddity in scan.oddities:
        print(f"! {oddity}")
    if any(one.verdict.profile is None for one in scan.sightings):
        print(
            '→ No profile fits somebody who answers: docs/meters.md, "My meter is not in the list"; then try yours:'
            " plumbline edge scan --profile mine.toml"
        )
    if not scan.sightings and not broken and wire.kind == "tcp":
        print(
            "→ Check that Modbus TCP is switched on in the device and not reserved for another client, and its port; a"
            " converter that passes serial frames on needs --rtu."
        )
    elif not scan.sightings and not broken:
        print(
            "→ Check that the meters have power, that A goes to A and B to B, and that one end has 120 ohm; then try"
            " --all, which takes long, or --bauds with what the meter's display says."
        )
    if broken:
        print("Broken off: there may be more.")
    if block:
        print(f"\nFor the site file:\n\n{block}")


def _append(path: Path, block: str, *, quiet: bool) -> None:
    if not quiet and sys.stdin.isatty() and not typer.confirm(f"Add this to {path}?"):
        return
    paste.append(path, block)
    if not quiet:
        print(f"{path}: added. Next: plumbline edge read {path}")
        print(
            "→ Before the first run, rename the meters in it (m1 …) to what they measure, and check site and gateway:"
            " central keeps what it got under these names."
        )


@app.command(epilog="Example: plumbline edge read /etc/plumbline/site.toml --meter main --raw")
def read(
    site: Annotated[
        Path | None, typer.Argument(metavar="[SITE.toml]", help="Read the meters of this file.")
    ] = None,
    *,
    meter: Annotated[str | None, typer.Option(help="Only this meter of SITE.toml.")] = None,
    profile: Annotated[
        str | None, typer.Option(help="Without SITE.toml: a shipped profile, or a .toml file.")
    ] = None,
    device: Device = None,
    host: Host = None,
    rtu: Rtu = False,
    unit: Annotated[
        int, typer.Option("--unit", "--units", min=0, max=247, help="Its Modbus unit number.")
    ] = 1,
    address: Annotated[str | None, typer.Option(help="Twelve digits, of a DL/T 645 meter.")] = None,
    baud: Annotated[
        int | None, typer.Option(min=300, max=1_000_000, help="As shipped where not given.")
    ] = None,
    parity: Annotated[str | None, typer.Option(help="N, E or O; as shipped where not given.")] = None,
    stop_bits: Annotated[int | None, typer.Option(min=1, max=2)] = None,
    watch_s: Annotated[
        float | None, typer.Option("--watch", min=0.1, help="Again every so many seconds, until Ctrl-C.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Show each request and answer in hex.")] = False,
    as_json: AsJson = False,
) -> None:
    """Poll meters once and show every value with its quality, the requests it took, and how long.

    Then the commissioning check: some more polls within three seconds, and the mistakes that they make likely. Whether
    an energy counter fits the power shows with --watch 5 once it has moved three times.
    """
    if (site is None) == (profile is None):
        raise ConfigError(
            "name a site file or a --profile",
            hint="plumbline edge read SITE.toml, or --profile eastron_sdm630 --device /dev/ttyUSB0 --unit 1",
        )
    if site is not None:
        named, meters = _meters_of(site, meter)
    else:
        shipped_as = find_profile(profile or "").serial or SerialDefaults(
            baud=9600, parity="N", stop_bits=1, unit=1, bauds=()
        )
        wire = replace(
            target.wire_from_options(device, host, rtu=rtu),
            baud=baud or shipped_as.baud,
            parity=_only(target.parities_of(parity) or (shipped_as.parity,)),
            stop_bits=stop_bits or shipped_as.stop_bits,
            name=device or host or "",
        )
        named = {wire.name: wire}
        if find_profile(profile or "").protocol == "dlt645" and address is None:
            raise ConfigError(
                "a DL/T 645 meter is asked by its address, not by a unit",
                hint="Give --address and the twelve digits on its label; plumbline edge scan finds them too.",
            )
        who = address or f"unit {unit}"
        meters = [MeterSettings(name=who, profile=profile or "", bus=wire.name, unit=unit, address=address)]
    clock = clock_from_environment()
    try:
        well = asyncio.run(_read(named, meters, clock, watch_s=watch_s, raw=raw, as_json=as_json))
    except KeyboardInterrupt:
        well = watch_s is not None
    if not well:
        raise typer.Exit(1)


def _only(parities: Sequence[Parity]) -> Parity:
    if len(parities) != 1:
        raise ConfigError("one --parity only", hint="N, E or O; plumbline edge scan tries several.")
    return parities[0]


def _meters_of(site: Path, only: str | None) -> tuple[dict[str, BusSettings], list[MeterSettings]]:
    settings = load_site(site)
    meters = [one for one in settings.meters if only in (None, one.name)]
    if not meters:
        names = ", ".join(one.name for one in settings.meters) or "none"
        raise ConfigError(
            f"{site}: no meter {only!r}" if only else f"{site}: no meters", hint=f"Its meters: {names}."
        )
    return {bus.name: bus for bus in settings.buses}, meters


async def _read(
    named: dict[str, BusSettings],
    meters: Sequence[MeterSettings],
    clock: Clock,
    *,
    watch_s: float | None,
    raw: bool,
    as_json: bool,
) -> bool:
    """Whether every meter gave values in the last round."""
    async with AsyncExitStack() as stack:
        opened: dict[object, tuple[Bus, Tapped]] = {}
        known: list[tuple[Meter, Bus, Tapped]] = []
        for settings in meters:
            key = bus_key(settings)
            if key not in opened:
                tapped = Tapped()
                bus = await stack.enter_async_context(open_bus(bus_of(settings, named), tap=tapped.tap))
                opened[key] = bus, tapped
            known.append((open_meter(settings, opened[key][0], clock), *opened[key]))
        seen: dict[str, Looked] = {}
        while True:
            well = await _round(known, seen, raw=raw, as_json=as_json)
            if watch_s is None:
                return well
            await asyncio.sleep(watch_s)


async def _round(
    known: Sequence[tuple[Meter, Bus, Tapped]], seen: dict[str, Looked], *, raw: bool, as_json: bool
) -> bool:
    """Each meter once, then the commissioning check of all at a time. `seen` is what was read before, and grows."""
    said: list[tuple[Reading, list[str]]] = []
    new: dict[str, Awaitable[Looked]] = {}
    for meter, bus, tapped in known:
        tapped.heard.clear()
        reading, frame = await read_once(meter, bus)
        said.append((reading, tapped.lines() if raw else []))
        if meter.name in seen and frame is not None:
            seen[meter.name].add(Poll(mono_s=asyncio.get_running_loop().time(), values=frame.values))
        elif meter.name not in seen and (frame is not None or reading.refused):
            new[meter.name] = look(meter, bus)
    seen |= dict(zip(new, await asyncio.gather(*new.values()), strict=True))
    said = [
        (replace(reading, doubts=seen[meter.name].doubts if meter.name in seen else ()), lines)
        for (reading, lines), (meter, _, _) in zip(said, known, strict=True)
    ]
    if as_json:
        told = [one.as_json() | ({"raw": lines} if raw else {}) for one, lines in said]
        print(json.dumps({"meters": told}), flush=True)
    else:
        for one in said:
            show.reading(*one)
    return not any(reading.why for reading, _ in said)


@app.command(epilog="Example: plumbline edge doctor /etc/plumbline/site.toml --report handover.html")
def doctor(
    site: Annotated[
        Path | None, typer.Argument(metavar="[SITE.toml]", help="The site file of this gateway.")
    ] = None,
    *,
    report_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the signed handover page.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a handover page instead.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="With --verify: the gateway's public key, as central has it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything from the site file to the broker, and say what to do next. Asks each meter once.

    Exits with 1 where something is faulty.
    """
    if verify is not None:
        _verify(verify, key, as_json=as_json)
        return
    if site is None:
        raise ConfigError("name a site file", hint="plumbline edge doctor /etc/plumbline/site.toml")
    logging.getLogger("plumbline_edge").setLevel(logging.ERROR)  # the findings say it better
    clock = clock_from_environment()
    console = Console(stderr=True)
    with console.status("site file") as status:
        told = status.update if console.is_terminal else lambda _: None
        examined = asyncio.run(examination.examine(site, clock, told=told))
    if not as_json:
        show.findings(examined.findings)
    if report_file is not None and examined.settings is not None:
        _hand_over(report_file, examination.handover_page(examined, examined.settings, clock), quiet=as_json)
    if as_json:
        key_now = examination.key_of(examined.settings)
        print(json.dumps(examination.content_of(examined, clock, key_now)))
    if examined.faulty:
        raise typer.Exit(1)


def _hand_over(file: Path, page: str, *, quiet: bool) -> None:
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}", hint="Name a file where there is room.") from None
    if not quiet:
        print(f"{file}: written and signed. Print it from a browser.")


def _verify(file: Path, key: str | None, *, as_json: bool) -> None:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: cannot be read: {error}", hint="Name a file that doctor --report wrote."
        ) from None
    content = handover.checked(text, signing.verify, key)
    if as_json:
        print(json.dumps(content))
        return
    print(
        f"{file}: unchanged since {content['at']}, signed by gateway {content['gateway']} ({content['public_key']})"
    )
    if key is None:
        print("→ Compare that key with the one at central, or name it with --key.")
