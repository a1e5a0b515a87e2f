"""A meter family as data: which register holds which metric, and how its meters are told apart and asked."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal, Self

from plumbline.metrics import Metric

Protocol = Literal["modbus", "sunspec", "dlt645"]
Function = Literal[3, 4]
Type = Literal[
    "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "bcd2", "bcd3", "bcd4", "sbcd2", "sbcd3", "sbcd4"
]
"""Modbus: 1 to 4 registers. DL/T 645: that many bytes of packed decimals, `s`: the top bit is the sign."""
WordOrder = Literal["msw", "lsw"]
ByteOrder = Literal["big", "little"]
Parity = Literal["N", "E", "O"]

STRUCT_CODES: Final[dict[str, str]] = {
    "u16": "H", "s16": "h", "u32": "I", "s32": "i", "u64": "Q", "s64": "q", "f32": "f", "f64": "d",
}  # fmt: skip
BCD_BYTES: Final[dict[str, int]] = {
    "bcd2": 2, "bcd3": 3, "bcd4": 4, "sbcd2": 2, "sbcd3": 3, "sbcd4": 4,
}  # fmt: skip
LENGTHS: Final[dict[str, int]] = {
    kind: struct.calcsize(">" + code) // 2 for kind, code in STRUCT_CODES.items()
} | BCD_BYTES

PLAUSIBLE: Final[dict[str, tuple[float, float]]] = {
    "V": (0, 1_500),
    "A": (-20_000, 20_000),
    "W": (-20e6, 20e6),
    "var": (-20e6, 20e6),
    "VA": (-20e6, 20e6),
    "1": (-1, 1),
    "Hz": (45, 65),
    "kWh": (0, 1e9),
    "kvarh": (0, 1e9),
    "%": (0, 1_000),
    "mA": (0, 1e6),
}
"""What a low-voltage meter can honestly say, by unit; a register's own `range` narrows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One metric in one meter: raw number x `scale` is the value in the metric's unit.

    `low`..`high` is the plausible range in that unit, ends included. `absent` are the raw numbers that mean
    "no value here"; a float's are floats. `modulus` is where a counter starts again at 0, in the metric's unit; None: unknown.
    `scale_at`: the address of a s16 that holds a further power of ten (SunSpec's sunssf); None: there is none.
    `sources` are ids of the profile's sources that agree about this register.
    In DL/T 645 `address` is the data identifier.
    """

    metric: Metric
    address: int
    type: Type
    scale: Fraction
    words: WordOrder
    bytes: ByteOrder
    absent: tuple[float, ...]
    low: float
    high: float
    modulus: float | None
    scale_at: int | None = None
    sources: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many 16-bit registers it fills; in DL/T 645, how many bytes."""
        return LENGTHS[self.type]

    @property
    def end(self) -> int:
        """The address after its last word."""
        return self.address + self.count

    @property
    def sure(self) -> bool:
        """Whether two sources that are independent of each other agree."""
        return len(self.sources) >= 2


@dataclass(frozen=True, slots=True)
class ScaleWord:
    """The word at a `scale_at`: a power of ten that several registers may share (SunSpec's sunssf)."""

    address: int
    type: Type = "s16"
    words: WordOrder = "msw"
    bytes: ByteOrder = "big"

    @property
    def end(self) -> int:
        """The address after it."""
        return self.address + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialDefaults:
    """How the maker ships the serial port; `bauds` and `parities` are what it can be set to.

    Without `parities` no source says which. `covers` are the models this is true of, where not of all.
    """

    baud: int
    parity: Parity
    stop_bits: int
    unit: int
    bauds: tuple[int, ...]
    parities: tuple[Parity, ...] = ()
    covers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A read that tells the family: it does where the answer is one of `equals`, or a text that begins with one.

    `type` is u16, u32 or text (`count` registers, padding stripped). With `function` 43 (read device identification)
    `address` is the object: 0 vendor, 1 product code, 4 product name, 5 model name.
    """

    function: int
    address: int
    type: Literal["u16", "u32", "text"]
    count: int
    equals: tuple[int | str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialNumber:
    """Where the meter's own number stands: one that differs from yesterday's is another meter."""

    function: Function
    address: int
    type: Literal["u16", "u32", "u64", "text"]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """DL/T 645: one data identifier whose answer holds several metrics, in this order."""

    id: int
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One meter family. `registers` stand in the file's order, which is the order of a frame's values.

    With protocol "sunspec" addresses count from the id word of the first of `models` that the meter has; `at` gives
    the profile of one meter.
    """

    name: str
    maker: str
    covers: tuple[str, ...]
    """Model names on the meters' own labels."""
    protocol: Protocol
    sources: dict[str, str]
    notes: tuple[str, ...]
    function: Function
    max_registers: int
    max_gap: int
    """How many registers without a metric a read may run across; 0: the meter refuses such reads."""
    barriers: tuple[int, ...]
    """Addresses that no read may run across: it may end before one or begin with one."""
    min_gap_ms: int
    """Silence the meter wants between requests on a serial line; a TCP gateway keeps it itself."""
    probe: str
    serial: SerialDefaults | None
    identify: tuple[Identity, ...]
    serial_number: SerialNumber | None
    models: tuple[int, ...]
    blocks: tuple[Block, ...]
    registers: tuple[Register, ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(register.metric for register in self.registers)

    def register(self, metric: str) -> Register:
        """The register of a metric. Raises KeyError."""
        for register in self.registers:
            if register.metric.name == metric:
                return register
        raise KeyError(metric)

    def at(self, base: int) -> Self:
        """The same with every register `base` further on: the plain Modbus map of a SunSpec model found there."""
        return replace(
            self,
            protocol="modbus",
            models=(),
            barriers=tuple(base + barrier for barrier in self.barriers),
            registers=tuple(
                replace(
                    r, address=base + r.address, scale_at=None if r.scale_at is None else base + r.scale_at
                )
                for r in self.registers
            ),
        )


def places(profile: Profile) -> tuple[Register | ScaleWord, ...]:
    """All that one poll must read: the registers, then each word that holds a power of ten for some of them."""
    words = sorted({r.scale_at for r in profile.registers if r.scale_at is not None})
    return (*profile.registers, *map(ScaleWord, words))
