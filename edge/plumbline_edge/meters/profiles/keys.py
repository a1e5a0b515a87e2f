"""The words of a profile file: which keys there are, and between which ends their numbers lie."""

from __future__ import annotations

from typing import Final

KEYS: Final[dict[str, str]] = {
    "name": "The family's name, for people.",
    "maker": "Who makes it.",
    "covers": "Model names on the meters' own labels.",
    "protocol": 'How it is asked: "modbus" (the default), "sunspec" or "dlt645".',
    "source": "Where every number can be checked, if it is one place; else [sources] and from.",
    "sources": "Where the numbers can be checked: id = title, chapter, repository and file.",
    "from": "Ids of [sources] that agree about each register; a register's own `from` comes first.",
    "notes": "What the person at the cabinet must know, in plain sentences.",
    "function": "3 reads holding registers, 4 input registers.",
    "words": 'Order of 16-bit words in longer values: "msw" (high word first, the default) or "lsw".',
    "bytes": 'Order of bytes in a word: "big" (the standard, the default) or "little".',
    "max_registers": "Most registers that one request may ask for.",
    "max_gap": "Most registers without a metric that a read may run across; 0 (the default): the meter refuses.",
    "barriers": "Addresses that no read may run across: it ends before one or begins with one.",
    "min_gap_ms": "Silence in milliseconds that the meter wants between requests on a serial line.",
    "probe": "The metric that proves the meter answers; read first.",
    "absent": 'Per type the raw number, or list of them, that means "no value". A float\'s NaN always does.',
    "serial": "How the maker ships the serial port, and the speeds it can be set to.",
    "identify": "A read whose answer tells the family.",
    "serial_number": "Where the meter's own number stands.",
    "models": "SunSpec model ids; addresses count from the id word of the first that the meter has.",
    "blocks": "DL/T 645: data identifiers whose answer holds several metrics.",
    "registers": "One line per metric.",
}  # fmt: skip
REGISTER_KEYS: Final[dict[str, str]] = {
    "address": "Counted from 0, decimal or hexadecimal (0x0100); in DL/T 645 the data identifier.",
    "type": "How the number is held.",
    "unit": "The metric's own unit, as a check on scale.",
    "scale": "Raw number x scale is in the unit; 1 where it is not given.",
    "scale_at": "SunSpec: the address of the s16 that holds a further power of ten.",
    "words": "Where it differs from the file's.",
    "bytes": "Where it differs from the file's.",
    "absent": "Where it differs from [absent].",
    "range": "[lowest, highest] in the unit; outside it a value is kept and marked doubtful.",
    "modulus": "Counters: where it starts again at 0, in the unit.",
    "from": "Ids of [sources] that agree about this register.",
}
SERIAL_KEYS: Final = ("baud", "parity", "stop_bits", "unit", "bauds", "parities", "covers")
IDENTIFY_KEYS: Final = ("function", "address", "type", "count", "equals")
SERIAL_NUMBER_KEYS: Final = ("function", "address", "type", "count")
BLOCK_KEYS: Final = ("id", "metrics")

IDENTIFY_FUNCTIONS: Final = (3, 4, 43)
IDENTIFY_TYPES: Final = ("u16", "u32", "text")
SERIAL_NUMBER_FUNCTIONS: Final = (3, 4)
SERIAL_NUMBER_TYPES: Final = ("u16", "u32", "u64", "text")

BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "function": (3, 4),
    "max_registers": (1, 125),
    "max_gap": (0, 124),
    "barriers": (0, 65_535),
    "min_gap_ms": (0, 10_000),
    "models": (1, 65_534),
    "baud": (300, 1_000_000),
    "stop_bits": (1, 2),
    "unit": (1, 247),
    "address": (0, 65_535),
    "count": (1, 125),
    "id": (0, 0xFFFF_FFFF),
}
"""Both ends included."""
USUAL_BAUDS: Final = (
    300, 600, 1_200, 2_400, 4_800, 9_600, 14_400, 19_200, 28_800, 38_400, 56_000, 57_600, 76_800, 115_200, 128_000, 187_500,
    230_400, 256_000, 460_800, 500_000, 921_600, 1_000_000,
)  # fmt: skip
