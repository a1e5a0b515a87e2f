"""What a simulated meter, its adapter or its bus does wrong, and when."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from annotated_types import Ge, Gt, Le

from plumbline_edge.meters.profiles.profile import Profile, Register
from plumbline_sim.meter.encode import Values

WireKind = Literal["tcp", "rtu", "rtu_over_tcp"]
FaultKind = Literal[
    "silent", "slow", "late", "busy", "exception", "half", "wrong_length", "wrong_unit", "wrong_transaction", "truncated",
    "crc", "garbage", "noise", "echo", "another_master", "reset", "reboot", "swapped_words", "stuck", "nan", "rollover",
]  # fmt: skip
"""silent: no answer · slow: `seconds` late; on a serial line forgotten where the meter is asked again before ·
late: `seconds` late, but always answered · busy: exception 6 · exception: exception `code` ·
half: a sound answer with half the registers · wrong_length: one with a register too few · wrong_unit: under another
meter's number · wrong_transaction: under another request's · truncated: the first half of the bytes · crc: a wrong
check sum · garbage: any bytes · noise: stray 00 and FF before the answer · echo: the adapter hears its own request ·
another_master: somebody else's requests and their answers, before our answer and `seconds` after it ·
reset: the connection is cut · reboot: half an answer, then silence for `seconds`, once a turn; counters keep their
energy · swapped_words: longer values in the other word order · stuck: values stand still · nan: "no value" in all ·
rollover: counters with a known end have `left` to go to it when they are first asked."""
KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)

_SERIAL: Final = frozenset[WireKind](("rtu", "rtu_over_tcp"))
_ANY: Final = frozenset[WireKind](get_args(WireKind))
WIRES: Final[Mapping[FaultKind, frozenset[WireKind]]] = {
    **dict.fromkeys(KINDS, _ANY),
    **dict.fromkeys(("crc", "noise", "echo", "another_master"), _SERIAL),
    "wrong_transaction": frozenset[WireKind](("tcp",)),
    "reset": frozenset[WireKind](("tcp", "rtu_over_tcp")),
}
"""The wires on which a fault can happen."""
OF_THE_BUS: Final = frozenset[FaultKind](
    ("silent", "crc", "truncated", "garbage", "noise", "echo", "another_master")
)
"""What can be wrong with a whole bus rather than with one meter."""

_SPOIL: Final = frozenset[FaultKind]((
    "silent", "half", "wrong_length", "wrong_unit", "wrong_transaction", "truncated", "crc", "garbage", "reset", "reboot",
    "swapped_words",
))  # fmt: skip
_BUSY: Final = 6
_MOST_GARBAGE: Final = 300
_MOST_NOISE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong. `seconds` are real ones, as waiting on a wire is; what follows is simulated time.

    It begins `from_s` after the start and lasts `for_s` (None: for ever), and again every `every_s`. While it is on,
    it meets a `share` of the requests, drawn by the bus's seed.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid"
    }  # scenario files hold them as they are
    kind: FaultKind
    seconds: Annotated[float, Ge(0), Le(3600)] = 0.0
    code: Annotated[int, Ge(1), Le(255)] = 4
    left: Annotated[float, Gt(0)] = 1.0
    """Of a counter, in its unit, before it rolls over."""
    from_s: Annotated[float, Ge(0)] = 0.0
    for_s: Annotated[float, Gt(0)] | None = None
    every_s: Annotated[float, Gt(0)] | None = None
    share: Annotated[float, Gt(0), Le(1)] = 1.0

    def turn(self, since_s: float) -> int | None:
        """Which time it is on, counted from 0, `since_s` after the start; None: it is not."""
        into_s = since_s - self.from_s
        if into_s < 0:
            return None
        if self.every_s is None:
            return 0 if self.for_s is None or into_s < self.for_s else None
        turn = math.floor(into_s / self.every_s)
        return turn if self.for_s is None or into_s - turn * self.every_s < self.for_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The faults that one request meets."""

    faults: tuple[tuple[Fault, int], ...] = ()
    """Each with its turn."""

    def get(self, kind: FaultKind) -> Fault | None:
        return next((fault for fault, _ in self.faults if fault.kind == kind), None)

    def __contains__(self, kind: FaultKind) -> bool:
        return self.get(kind) is not None

    @property
    def delay_s(self) -> float:
        return sum(fault.seconds for fault, _ in self.faults if fault.kind in ("slow", "late"))

    @property
    def outcome(self) -> str:
        """What the ground truth says instead of "values"; empty where the answer is a right one."""
        for fault, _ in self.faults:
            if fault.kind in _SPOIL:
                return fault.kind
        code = self.exception
        return "" if code is None else f"exception {code}"

    @property
    def exception(self) -> int | None:
        for fault, _ in self.faults:
            if fault.kind in ("busy", "exception"):
                return _BUSY if fault.kind == "busy" else fault.code
        return None

    def without(self, kind: FaultKind) -> Active:
        return Active(faults=tuple(pair for pair in self.faults if pair[0].kind != kind))


def on_now(faults: Iterable[Fault], since_s: float, wire: WireKind, rng: random.Random) -> Active:
    """Those that a request meets `since_s` simulated seconds after the start."""
    found = []
    for fault in faults:
        turn = fault.turn(since_s)
        if turn is None or wire not in WIRES[fault.kind]:
            continue
        if fault.share >= 1 or rng.random() < fault.share:
            found.append((fault, turn))
    return Active(faults=tuple(found))


@dataclass(slots=True)
class Memory:
    """What a meter's faults remember from one request to the next."""

    frozen: Values | None = None
    shifts: dict[str, float] = field(default_factory=dict)
    reboots: set[tuple[Fault, int]] = field(default_factory=set)
    silent_until_s: float = -math.inf

    def values(self, values: Values | None, active: Active, profile: Profile) -> Values | None:
        """What the meter shows while it truly measures `values`."""
        if "stuck" not in active:
            self.frozen = None
        elif self.frozen is None:
            self.frozen = values
        else:
            values = self.frozen
        if values is None:
            return None
        if "nan" in active:
            return {}
        rollover = active.get("rollover")
        if rollover is None:
            return values
        return {**values, **self._shifted(values, rollover.left, profile)}

    def _shifted(self, values: Values, left: float, profile: Profile) -> dict[str, float]:
        """Counters as if they had had `left` to their end when they were first asked."""
        shifted: dict[str, float] = {}
        for register in profile.registers:
            name, end = register.metric.name, register.modulus
            value = values.get(name)
            if register.metric.kind != "counter" or end is None or value is None:
                continue
            shift = self.shifts.setdefault(name, end - left - value)
            shifted[name] = (value + shift) % end
        return shifted

    def begins_reboot(self, active: Active, now_s: float) -> bool:
        """Whether it goes down in the middle of this answer."""
        for fault, turn in active.faults:
            if fault.kind == "reboot" and (fault, turn) not in self.reboots:
                self.reboots.add((fault, turn))
                self.silent_until_s = now_s + fault.seconds
                return True
        return False


def swapped(block: bytes, start: int, registers: Iterable[Register]) -> bytes:
    """A read's bytes with every value of several words in the other word order."""
    out = bytearray(block)
    for register in registers:
        at = 2 * (register.address - start)
        words = [block[at + i : at + i + 2] for i in range(0, 2 * register.count, 2)]
        out[at : at + 2 * register.count] = b"".join(reversed(words))
    return bytes(out)


def spoiled_pdu(pdu: bytes, active: Active) -> bytes:
    """An answer that says something else than it should, before it is framed."""
    if (code := active.exception) is not None:
        return bytes((pdu[0] | 0x80, code))
    if pdu[0] not in (3, 4):
        return pdu
    if "half" in active:
        count = pdu[1] // 4
        return bytes((pdu[0], 2 * count)) + pdu[2 : 2 + 2 * count]
    if "wrong_length" in active:
        return bytes((pdu[0], (pdu[1] - 2) & 0xFF)) + pdu[2:-2]
    return pdu


def spoiled_unit(unit: int, active: Active) -> int:
    return unit ^ 1 if "wrong_unit" in active else unit


def spoiled_frame(frame: bytes, active: Active, rng: random.Random) -> bytes:
    """A framed answer as the wire makes something else of it."""
    if "garbage" in active:
        return rng.randbytes(rng.randint(1, _MOST_GARBAGE))
    if "truncated" in active or "reboot" in active:
        frame = frame[: max(1, len(frame) // 2)]
    if "noise" in active:
        frame = stray(rng) + frame
    return frame


def stray(rng: random.Random) -> bytes:
    """What a line picks up while nobody drives it."""
    return bytes(rng.choice((0x00, 0xFF)) for _ in range(rng.randint(1, _MOST_NOISE)))


def foreign_request(profile: Profile, rng: random.Random) -> bytes:
    """What another master might ask such a meter: one value."""
    register = rng.choice(profile.registers)
    return struct.pack(">BHH", profile.function, register.address, register.count)
