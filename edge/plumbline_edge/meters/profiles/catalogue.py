"""Profiles to the page that lists them, docs/meters.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from plumbline.metrics import Metric
from plumbline_edge.meters.modbus.plan import plan_reads, worth_bridging
from plumbline_edge.meters.profiles.catalogue_intro import INTRO
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import (
    LENGTHS,
    Identity,
    Parity,
    Profile,
    Register,
    SerialDefaults,
    SerialNumber,
    places,
)

RTU_GAP: Final = 7
_BYTE_S: Final = 10 / 9_600
TCP_GAP: Final = 31
"""Most registers without a value that one read may run across: past that, another request costs fewer bytes."""

_PARITIES: Final[dict[Parity, str]] = {"N": "none (N)", "E": "even (E)", "O": "odd (O)"}


def catalogue(profiles: Mapping[str, Profile]) -> str:
    """The whole page, by file name."""
    parts = [INTRO, "".join(f"{line}\n" for line in _table(profiles)), "\n"]
    parts += ["".join(f"{line}\n" for line in _meter(stem, profile)) for stem, profile in profiles.items()]
    return "".join(parts).rstrip("\n") + "\n"


def reads(profile: Profile, wire_gap: int, byte_s: float = 0.0) -> int:
    """Requests that one poll needs on a wire where another request costs `wire_gap` registers; see worth_bridging."""
    gap = worth_bridging(wire_gap, quiet_s=profile.min_gap_ms / 1e3, byte_s=byte_s)
    return len(
        plan_reads(
            places(profile),
            max_words=profile.max_registers,
            max_gap=min(profile.max_gap, gap),
            barriers=profile.barriers,
            request_words=gap,
        )
    )


def _table(profiles: Mapping[str, Profile]) -> Iterator[str]:
    yield "| file | for | values | sure | reads: serial, TCP (one by one) |"
    yield "|---|---|---|---|---|"
    for stem, profile in profiles.items():
        asked = "–" if profile.protocol == "dlt645" else "{}, {} ({})".format(*_counts(profile))
        sure = sum(r.sure for r in profile.registers)
        yield (
            f"| [{stem}](#{stem}) | {_cell(', '.join(profile.covers) or profile.name)} "
            f"| {len(profile.registers)} | {sure} | {asked} |"
        )


def _counts(profile: Profile) -> tuple[int, int, int]:
    return reads(profile, RTU_GAP, _BYTE_S), reads(profile, TCP_GAP), len(places(profile))


def _meter(stem: str, profile: Profile) -> Iterator[str]:
    yield f"## {stem}"
    yield f"**{profile.name}** by {profile.maker}. File: `firmware_configs/meters/{stem}.toml`"
    yield ""
    yield f"- For: {', '.join(profile.covers) or 'see the name'}"
    yield f"- Gives: {'; '.join(_given(profile.metrics))}"
    yield f"- How sure: {_sure(profile)}"
    yield f"- Spoken to with: {_spoken(profile)}"
    yield f"- As delivered: {_delivered(profile)}"
    if profile.serial is not None:
        yield f"- Can be set to: {_settable(profile.serial, profile)}"
    if profile.protocol != "dlt645":
        serial, tcp, one_by_one = _counts(profile)
        yield f"- One poll: {serial} requests on a serial line, {tcp} over TCP, instead of {one_by_one}{_first(profile)}"
    for line in _recognised(profile):
        yield f"- Recognised by: {line}"
    for note in profile.notes:
        yield f"- Mind: {note}"
    yield "- Sources:"
    for name, text in profile.sources.items():
        yield f"    - *{name}*: {_linked(text)}"
    yield ""
    yield from _registers(profile)
    yield ""


def _given(metrics: Sequence[Metric]) -> Iterator[str]:
    """Metric names, those of one quantity together: "voltage L1, L2, L3, L1-L2"."""
    groups: dict[str, list[str]] = {}
    for metric in metrics:
        match = re.fullmatch(r"(.+?)_(l[123](?:_l[123])?|n|total)", metric.name)
        stem, part = match.groups() if match else (metric.name, "")
        shown = part if part == "total" else part.upper().replace("_", "-")
        groups.setdefault(stem, []).append(shown)
    for stem, parts in groups.items():
        yield f"{stem.replace('_', ' ').replace('thd', 'THD')} {', '.join(parts)}".strip()


def _sure(profile: Profile) -> str:
    alone = [r.metric.name for r in profile.registers if not r.sure]
    total = len(profile.registers)
    if not alone:
        return f"all {total} values rest on two sources or more"
    if len(alone) == total:
        return f"all {total} values rest on one source: compare them with the display"
    return f"{total - len(alone)} of {total} values rest on two sources or more; on one: {', '.join(alone)}"


def _spoken(profile: Profile) -> str:
    if profile.protocol == "dlt645":
        return "DL/T 645-2007 on RS-485, by data identifiers"
    table = {3: "holding registers", 4: "input registers"}[profile.function]
    most = f"function {profile.function} ({table}), at most {profile.max_registers} registers in one request"
    if profile.min_gap_ms:
        most += f", {profile.min_gap_ms} ms of silence between requests"
    if profile.protocol == "sunspec":
        return f"SunSpec over Modbus, {most}; models {', '.join(map(str, profile.models))}, wherever the device has them"
    return f"Modbus, {most}"


def _delivered(profile: Profile) -> str:
    serial = profile.serial
    if serial is None and profile.protocol == "sunspec":
        return "the device's maker decides; over TCP there is nothing to set but its address"
    if serial is None:
        return "no source says; the meter's display does"
    port = f"{serial.baud} baud, 8{serial.parity}{serial.stop_bits}"
    if profile.protocol == "dlt645":
        return f"{port}; its `address` is the twelve digits on the label, it has no unit"
    whose = f" ({', '.join(serial.covers)}; the others: see below)" if serial.covers else ""
    return f"{port}, unit {serial.unit}{whose}"


def _settable(serial: SerialDefaults, profile: Profile) -> str:
    bauds = ", ".join(map(str, sorted(serial.bauds)))
    names = [_PARITIES[parity] for parity in serial.parities]
    if not names:
        parity = "no source says whether it can have another parity: look into its menu"
    elif len(names) == 1:
        parity = f"parity always {names[0]}"
    else:
        parity = f"parity {', '.join(names[:-1])} or {names[-1]}"
    how = " with its maker's tool" if profile.protocol == "dlt645" else ""
    return f"{bauds} baud{how}; {parity}"


def _first(profile: Profile) -> str:
    return "" if profile.serial_number is None else "; the first and one a day ask for the serial number too"


def _recognised(profile: Profile) -> Iterator[str]:
    yield from map(_identity, profile.identify)
    if profile.serial_number is not None:
        yield f"its serial number in {_where(profile.serial_number)}"
    if profile.protocol == "sunspec":
        yield "the mark 'SunS' and its list of models; maker, device and serial number from the common model"


def _identity(identity: Identity) -> str:
    wanted = " or ".join(str(one) if isinstance(one, int) else f"'{one}...'" for one in identity.equals)
    if identity.function == 43:
        return f"device identification (function 43), object {identity.address}: {wanted}"
    return f"{_where(identity)}: {wanted}"


def _where(place: Identity | SerialNumber) -> str:
    last = place.address + place.count - 1
    which = f"register {place.address}" if place.count == 1 else f"registers {place.address} to {last}"
    return f"{which} (function {place.function}, {place.type})"


def _registers(profile: Profile) -> Iterator[str]:
    dlt645 = profile.protocol == "dlt645"
    what = {"dlt645": "data identifier", "sunspec": "words after the model's id"}.get(
        profile.protocol, "register"
    )
    yield "<details><summary>Every value</summary>"
    yield ""
    yield f"| value | {what} | type | x | unit | sources |"
    yield "|---|---|---|---|---|---|"
    for r in profile.registers:
        where = f"{r.address:08X}" if dlt645 else str(r.address)
        yield f"| {r.metric.name} | {where} | {_type(r)} | {_scale(r)} | {_unit(r.metric)} | {', '.join(r.sources)} |"
    yield ""
    for block in profile.blocks:
        yield f"{block.id:08X} answers {', '.join(block.metrics)} at once."
        yield ""
    yield "</details>"


def _type(register: Register) -> str:
    if LENGTHS[register.type] == 1:
        return register.type if register.bytes == "big" else f"{register.type}, {register.bytes}"
    order = "".join(
        f", {name}" for name, usual in ((register.words, "msw"), (register.bytes, "big")) if name != usual
    )
    return f"{register.type}{order}"


def _unit(metric: Metric) -> str:
    return "" if metric.unit == "1" else metric.unit


def _scale(register: Register) -> str:
    power = "" if register.scale_at is None else f" and 10 to the power in {register.scale_at}"
    return f"{float(register.scale):g}{power}"


def _linked(text: str) -> str:
    """A source that begins with owner/repository is a public one on GitHub, and is linked."""
    match = re.match(r"(OpenEMS/openems|[A-Za-z0-9][\w-]*/[A-Za-z][\w.-]*)(?= )", text)
    return text if match is None else f"[{match[1]}](https://github.com/{match[1]}){text[match.end() :]}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Print the page of the shipped profiles."""
    sys.stdout.write(catalogue({stem: find_profile(stem) for stem in shipped()}))


if __name__ == "__main__":
    main()
