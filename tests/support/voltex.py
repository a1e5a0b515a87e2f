"""A meter family that nobody makes, and a site file's profile of it with one mistake at a time."""

from __future__ import annotations

VX3 = """\
name = "Voltex VX3"
maker = "Voltex"
covers = ["VX3"]
from = ["label"]
function = 3
words = "lsw"
max_registers = 32
max_gap = 0
probe = "voltage_l1"

[sources]
label = "nobody: made up"

[registers]
voltage_l1 = { address = 0x0100, type = "f32", unit = "V" }
voltage_l2 = { address = 0x0102, type = "f32", unit = "V" }
voltage_l3 = { address = 0x0104, type = "f32", unit = "V" }
current_l1 = { address = 0x0106, type = "f32", unit = "A" }
current_l2 = { address = 0x0108, type = "f32", unit = "A" }
current_l3 = { address = 0x010A, type = "f32", unit = "A" }
power_active_l1 = { address = 0x0120, type = "f32", scale = 1000, unit = "W" }
power_active_l2 = { address = 0x0122, type = "f32", scale = 1000, unit = "W" }
power_active_l3 = { address = 0x0124, type = "f32", scale = 1000, unit = "W" }
power_active_total = { address = 0x0126, type = "f32", scale = 1000, unit = "W" }
energy_import_total = { address = 0x0200, type = "u32", scale = 0.1, unit = "kWh" }
"""


def moved(text: str, by: int, *stems: str) -> str:
    """The same with the addresses of the registers that begin so further on."""
    lines = []
    for line in text.splitlines():
        before, found, rest = line.partition("address = ")
        if found and line.startswith(stems):
            old, _, more = rest.partition(",")
            lines.append(f"{before}address = {int(old, 0) + by},{more}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def without(text: str, *stems: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(stems))
