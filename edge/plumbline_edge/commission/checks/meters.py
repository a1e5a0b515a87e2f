"""Polls each meter: whether it answers, how fast, and whether what it says can be true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Final

from plumbline.clock import Clock
from plumbline.errors import ConfigError
from plumbline_edge.commission.check import Doubt
from plumbline_edge.commission.checks.finding import Finding, counted, fault, ok, warning
from plumbline_edge.commission.look import look
from plumbline_edge.commission.ports import holders, how_to_free
from plumbline_edge.commission.reading import IN_USE, Reading, read_once
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wiring import bus_key, bus_of, open_bus, open_meter
from plumbline_edge.settings import BusSettings, MeterSettings, SiteSettings

SelfCheck = Callable[[Meter, Bus], Awaitable[Sequence[Doubt]]]
"""The likely mistakes behind a meter's values, from a look at it."""

_FULL: Final = 0.8
"""A wire whose polls take more of the time than this has no room for a second try."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSeen:
    """One meter as the doctor met it."""

    name: str
    bus: str
    whom: str
    profile: str
    reading: Reading
    errors: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "bus": self.bus,
            "whom": self.whom,
            "profile": self.profile,
            "errors": self.errors,
            **{key: value for key, value in self.reading.as_json().items() if key != "meter"},
        }


async def suspected(meter: Meter, bus: Bus) -> Sequence[Doubt]:
    """The commissioning check's; that nothing is switched on is no mistake."""
    return [one for one in (await look(meter, bus)).doubts if one.kind != "no load"]


async def check(
    settings: SiteSettings, clock: Clock, *, self_check: SelfCheck = suspected
) -> tuple[list[Finding], list[MeterSeen]]:
    """One poll each, in the file's order, then some more of all that answered."""
    findings: list[Finding] = []
    seen: list[MeterSeen] = []
    named = {bus.name: bus for bus in settings.buses}
    opened: dict[object, Bus] = {}
    met: list[tuple[MeterSettings, Meter, Bus, Reading]] = []
    async with AsyncExitStack() as stack:
        for meter in settings.meters:
            key = bus_key(meter)
            if key not in opened:
                opened[key] = await stack.enter_async_context(open_bus(bus_of(meter, named)))
            try:
                known = open_meter(meter, opened[key], clock)
            except ConfigError as wrong:
                findings.append(fault(f"meter {meter.name}", str(wrong), wrong.hint))
                continue
            reading, _ = await read_once(known, opened[key])
            met.append((meter, known, opened[key], reading))
        answered = [one for one in met if one[3].rows or one[3].refused]
        doubts = await asyncio.gather(*(self_check(known, bus) for _, known, bus, _ in answered))
    doubts_of = {one[0].name: tuple(found) for one, found in zip(answered, doubts, strict=True)}
    for meter, known, _, bare in met:
        reading = replace(bare, doubts=doubts_of.get(meter.name, ()))
        seen.append(_seen(meter, bus_of(meter, named), known, reading))
        if IN_USE not in reading.why:
            findings += judge(meter.name, known.profile.name, reading)
    findings += in_use(
        (bus_of(meter, named), meter.name) for meter, *_, reading in met if IN_USE in reading.why
    )
    findings += fullness(
        (bus_key(meter), meter, reading.took_ms) for meter, _, _, reading in met if reading.rows
    )
    return findings, seen


def in_use(
    unasked: Iterable[tuple[BusSettings, str]], who_holds: Callable[[str], Sequence[str]] = holders
) -> list[Finding]:
    """One finding for each port that somebody else holds, whatever hangs on it."""
    names: dict[tuple[str, str], list[str]] = {}
    for bus, meter in unasked:
        names.setdefault((bus.name, bus.device or ""), []).append(meter)
    findings = []
    for (wire, device), meters in names.items():
        who = who_holds(device)
        if not who:  # else the check of the ports has said it
            said = f"{device} is in use by another program, so {', '.join(meters)} could not be asked"
            findings.append(fault(f"port of bus {wire}", said, how_to_free(device)))
    return findings


def judge(name: str, profile: str, reading: Reading) -> list[Finding]:
    """What was read says of a meter."""
    what = f"meter {name}"
    suspected = [warning(what, doubt.sentence, doubt.hint) for doubt in reading.doubts]
    if not reading.rows:
        hint = reading.hint or "Find out who is there: plumbline edge scan"
        return [*suspected, fault(what, reading.why, hint)]
    said = f"{profile} answers, {reading.requests} requests in {reading.took_ms:.0f} ms"
    doubtful = [row for row in reading.rows if row.quality != "good"]
    refused = [row.metric for row in doubtful if row.value is None and row.refused]
    missing = [row.metric for row in doubtful if row.value is None and not row.refused]
    odd = [
        f"{row.metric} = {row.value:g} {row.unit} ({row.reason})" for row in doubtful if row.value is not None
    ]
    findings = suspected
    if odd:
        hint = "Compare with the meter's display; the profile may be another meter's."
        findings.append(warning(what, f"cannot be right: {', '.join(odd)}", hint))
    if len(missing) + len(refused) == len(reading.rows):
        findings.append(fault(what, f"{said}, but no value", "Check the profile against the meter's label."))
        return findings
    named = any(doubt.kind in ("refused", "off by one") for doubt in reading.doubts)
    if refused and not named:
        hint = "Does your table count from 1? Try address - 1. Else this model lacks them: leave them out."
        findings.append(
            warning(what, f"{said}; {counted(len(refused), 'value')} refused: {', '.join(refused)}", hint)
        )
    if missing:
        hint = "That is right for a meter that lacks them; else check the profile."
        findings.append(
            warning(what, f"{said}; {counted(len(missing), 'value')} missing: {', '.join(missing)}", hint)
        )
    if not refused and not missing:
        findings.append(ok(what, said))
    return findings


def fullness(polled: Iterable[tuple[object, MeterSettings, float]]) -> list[Finding]:
    """The wires on which the polls of all meters do not fit into their periods."""
    shares: dict[object, list[tuple[str, float]]] = {}
    for key, meter, took_ms in polled:
        shares.setdefault(key, []).append((meter.name, took_ms / 1e3 / meter.every_s))
    findings = []
    for key, parts in shares.items():
        share = sum(part for _, part in parts)
        if share > _FULL:
            names = ", ".join(name for name, _ in parts)
            bus = key if isinstance(key, str) else f"{key}"
            said = f"polling {names} takes {100 * share:.0f} % of the time on this wire"
            findings.append(
                warning(f"bus {bus}", said, f"Raise every_s of {names}, or the baud of all of them.")
            )
    return findings


def _seen(settings: MeterSettings, wire: BusSettings, meter: Meter, reading: Reading) -> MeterSeen:
    where = wire.device or f"{wire.host}:{wire.port}"
    speed = f" {wire.baud} 8{wire.parity}{wire.stop_bits}" if wire.kind == "rtu" else ""
    return MeterSeen(
        name=settings.name,
        bus=f"{wire.name} ({where}{speed})",
        whom=settings.address or f"unit {settings.unit}",
        profile=settings.profile,
        reading=reading,
        errors=dict(meter.errors),
    )
