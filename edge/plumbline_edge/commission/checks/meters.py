"""Polls each meter once: whether it answers, how fast, and whether what it says can be true."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from plumbline.clock import Clock
from plumbline.errors import ConfigError
from plumbline.messages import Frame
from plumbline_edge.commission.checks.finding import Finding, fault, ok, warning
from plumbline_edge.commission.reading import Reading, read_once
from plumbline_edge.meters.doubts.suspect import Poll, suspicions
from plumbline_edge.meters.poll import Meter
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wiring import bus_key, bus_of, open_bus, open_meter
from plumbline_edge.settings import BusSettings, MeterSettings, SiteSettings

SelfCheck = Callable[[Profile, Frame], Iterable[tuple[str, str]]]
"""The likely mistakes behind one poll's values: what is seen, and what to do at the cabinet."""

_SLOW_MS = 1_000.0


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


def suspected(profile: Profile, frame: Frame) -> Iterable[tuple[str, str]]:
    """What physics says of one poll; that nothing is switched on is no mistake."""
    for one in suspicions(profile, [Poll(mono_s=0.0, values=frame.values)]):
        if one.kind != "no load":
            yield one.sentence, one.hint


async def check(
    settings: SiteSettings, clock: Clock, *, self_check: SelfCheck = suspected
) -> tuple[list[Finding], list[MeterSeen]]:
    """One poll each, in the file's order."""
    findings: list[Finding] = []
    seen: list[MeterSeen] = []
    named = {bus.name: bus for bus in settings.buses}
    opened: dict[object, Bus] = {}
    async with AsyncExitStack() as stack:
        for meter in settings.meters:
            wire = bus_of(meter, named)
            key = bus_key(meter)
            if key not in opened:
                opened[key] = await stack.enter_async_context(open_bus(wire))
            try:
                known = open_meter(meter, opened[key], clock)
            except ConfigError as wrong:
                findings.append(fault(f"meter {meter.name}", str(wrong), wrong.hint))
                continue
            reading, frame = await read_once(known, opened[key])
            seen.append(_seen(meter, wire, known, reading))
            findings += judge(meter.name, known.profile, reading, frame, self_check)
    return findings, seen


def judge(
    name: str, profile: Profile, reading: Reading, frame: Frame | None, self_check: SelfCheck = suspected
) -> list[Finding]:
    """What one poll says of a meter."""
    what = f"meter {name}"
    if frame is None:
        return [fault(what, reading.why, reading.hint or "Find out who is there: plumbline edge scan")]
    said = f"{profile.name} answers, {reading.requests} requests in {reading.took_ms:.0f} ms"
    doubtful = [row for row in reading.rows if row.quality != "good"]
    missing = [row.metric for row in doubtful if row.value is None]
    odd = [
        f"{row.metric} = {row.value:g} {row.unit} ({row.reason})" for row in doubtful if row.value is not None
    ]
    findings = [warning(what, seen, hint) for seen, hint in self_check(profile, frame)]
    if odd:
        hint = "Compare with the meter's display; the profile may be another meter's."
        findings.append(warning(what, f"cannot be right: {', '.join(odd)}", hint))
    if missing and len(missing) == len(reading.rows):
        findings.append(fault(what, f"{said}, but no value", "Check the profile against the meter's label."))
    elif missing:
        hint = "That is right for a meter that lacks them; else check the profile."
        findings.append(warning(what, f"{said}; {len(missing)} values missing: {', '.join(missing)}", hint))
    elif reading.took_ms > _SLOW_MS:
        findings.append(
            warning(what, f"{said}: slow", "Raise its baud, or every_s of the meters on this bus.")
        )
    else:
        findings.append(ok(what, said))
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
