"""Profiles to the page that lists them, docs/meters.md."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from plumbline.metrics import Metric
from plumbline_edge.meters.modbus.plan import plan_reads, worth_bridging
from plumbline_edge.meters.profiles.file import find_profile, shipped
from plumbline_edge.meters.profiles.profile import Identity, Profile, Register, SerialNumber, places

RTU_GAP: Final = 7
_BYTE_S: Final = 10 / 9_600
TCP_GAP: Final = 31
"""Most registers without a value that one read may run across: past that, another request costs fewer bytes."""

_INTRO: Final = """\
# Meters
Written by `make meters` from the files in `firmware_configs/meters`; a test fails when it is not what they say.

## Which file is mine?
1. Read the model on the meter's own label and look for it in the table under *for*. A letter more or less in the model can
   be another register map; if yours is not there, see the next section.
2. On a wire with meters on it, `plumbline edge scan --device /dev/ttyUSB0` finds who answers, at which speed, and which file
   fits, and prints the block for the site file. By hand: give the meter a block with that file's name as `profile`, and the
   unit number (also called address or slave id) that the meter's display shows:

   ```toml
   [[meters]]
   name = "crane"
   profile = "eastron_sdm630"
   host = "192.168.1.50"   # the meter, or the Modbus TCP gateway in front of it
   unit = 3
   ```

   Several meters on one wire name it instead of a host:

   ```toml
   [[buses]]
   name = "riser"
   kind = "rtu"            # a serial port here; rtu_over_tcp: a plain converter, tcp: a Modbus gateway
   device = "/dev/ttyUSB0"
   baud = 9600
   parity = "N"

   [[meters]]
   name = "crane"
   profile = "dlt645_2007"
   bus = "riser"
   address = "000012345678" # twelve digits, on a DL/T 645 meter's label; Modbus meters have a unit
   ```
3. On RS-485 every meter on the line needs the same speed and parity and a unit number of its own. The settings as delivered
   stand below. Two wires, A to A and B to B, in one line from meter to meter, 120 ohm at both ends.
4. `plumbline edge check site.toml` says what is wrong with the file, all at once; `plumbline edge read site.toml` shows what
   the meter answers now, and `plumbline edge doctor site.toml --report handover.html` looks at everything else too. Compare voltage, power and the energy counter with the meter's display. Power is plus when energy comes
   from the grid: switch on a heater, it must rise.

What you may meet: all voltages plausible and one power negative means that a current transformer sits the wrong way round; a
power that is five or forty times too small, that the transformer ratio is not set in the meter; voltages like 0.0 or
10<sup>30</sup>, that it is the wrong file. No answer at all: A and B swapped, another speed or parity, another unit number.

## My meter is not in the list: ten minutes
You need the maker's table of Modbus registers (search the web for the model and "Modbus register").

1. Copy the file of the meter that looks most like yours from `firmware_configs/meters` to `mine.toml`, next to your site file.
2. Change the numbers. For each value: `address`, `type` (the table says float, or whole numbers of 16, 32 or 64 bits, with
   or without a sign) and `scale` (0.1 where it says "unit 0.1 V", 1000 where it says kW and the line wants W). Delete the
   lines that your meter does not have. Addresses count from 0: where the table's first register is 1, 30001 or 40001,
   subtract that. `function` is 3 for holding registers (4xxxx), 4 for input registers (3xxxx).
3. Set `max_registers` to what the table allows in one request; where it says nothing, take 16. Set `max_gap = 0`: no
   read then touches a register that your file does not name.
4. Put one line `source = "..."` near the top in place of `[sources]`, `from` and every line's own `from`: where the numbers
   come from. The next one will ask. Delete `[serial]`, `[[identify]]`, `[serial_number]` and `[absent]` unless you know them.
5. `profile = "mine.toml"` in the site file, then `plumbline edge check site.toml`: each mistake is named with its key, what
   was found and what was expected.
6. `plumbline edge read site.toml`, and compare with the meter's display, value by value. Under load it names what is likely
   wrong: word order, an address off by one, kW taken for W. `words = "lsw"` turns the word order.
7. Send us the file: with a second source, or your comparison, it goes into the list.

## What the columns mean
*Values*: how many the meter gives. *Sure*: for how many of them two sources that are independent of each other agree; the
others rest on one, and deserve a look at the display. *Reads*: requests that one poll needs on a serial line and over TCP;
the number after them is what one request per value would need.

"""


def catalogue(profiles: Mapping[str, Profile]) -> str:
    """The whole page, by file name."""
    parts = [_INTRO, "".join(f"{line}\n" for line in _table(profiles)), "\n"]
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
    if profile.protocol != "dlt645":
        serial, tcp, one_by_one = _counts(profile)
        yield f"- One poll: {serial} requests on a serial line, {tcp} over TCP, instead of {one_by_one}"
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
    others = ", ".join(str(baud) for baud in serial.bauds if baud != serial.baud)
    can = f"; can be set to {others} baud" if others else ""
    return f"{serial.baud} baud, 8{serial.parity}{serial.stop_bits}, unit {serial.unit}{can}"


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
        yield f"| {r.metric.name} | {where} | {_type(r)} | {_scale(r)} | {r.metric.unit} | {', '.join(r.sources)} |"
    yield ""
    for block in profile.blocks:
        yield f"{block.id:08X} answers {', '.join(block.metrics)} at once."
        yield ""
    yield "</details>"


def _type(register: Register) -> str:
    order = "".join(
        f", {name}" for name, usual in ((register.words, "msw"), (register.bytes, "big")) if name != usual
    )
    return f"{register.type}{order}"


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
