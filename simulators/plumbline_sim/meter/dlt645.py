"""A simulated DL/T 645-2007 meter: hears bytes, answers bytes; written apart from the gateway's codec on purpose."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from plumbline.clock import Clock
from plumbline_edge.meters.profiles.profile import Profile, Register
from plumbline_sim.meter.encode import Values
from plumbline_sim.meter.server import Source

_REFRESH_S: Final = 0.2  # simulated; one poll's answers agree
_FLAG: Final = 0x68
_STOP: Final = 0x16
_HEAD: Final = 10
_TRAILER: Final = 2
_LARGEST: Final = 200
_ANY: Final = "AA"
_OTHER, _NO_SUCH_DATA, _NOT_AUTHORISED = 1, 2, 4
_READ_DATA, _READ_NEXT, _READ_ADDRESS = 0x11, 0x12, 0x13


@dataclass(slots=True, kw_only=True)
class Dlt645Meter:
    """One meter on a wire, with a profile's identifiers; `address` has 12 digits. It cannot be written to.

    `lacks` are metrics that its type does not have: refused when asked for alone, FF in a block. A value that the
    source does not know now is FF as well. Of `refuses`, identifiers, it knows nothing. `wake_up` is how many FEH go
    before its answers.
    """

    name: str
    address: str
    profile: Profile
    source: Source
    clock: Clock
    lacks: frozenset[str] = frozenset()
    refuses: frozenset[int] = frozenset()
    wake_up: int = 4
    writes_heard: int = 0
    """Questions for it that would have changed something in a real meter."""
    _seen_s: float = field(init=False, default=-math.inf)
    _seen: Values | None = field(init=False, default=None)

    def hear(self, received: bytes) -> tuple[int, bytes | None]:
        """How many of the bytes are done with, and the answer if a whole question for this meter was among them.

        Call again with the rest: it may hold another question. What is left over is the beginning of a question;
        drop it after half a second without a byte, as the standard has it.
        """
        waits_from = len(received)
        at = received.find(_FLAG)
        while at >= 0:
            head = received[at : at + _HEAD]
            total = _HEAD + head[9] + _TRAILER if len(head) == _HEAD else _HEAD
            looks_like_one = head[7:8] in (b"", bytes((_FLAG,))) and total <= _HEAD + _LARGEST + _TRAILER
            frame = received[at : at + total]
            if looks_like_one and (len(frame) < total or len(head) < _HEAD):
                waits_from = min(waits_from, at)
            elif looks_like_one and frame[-1] == _STOP and frame[-2] == sum(frame[:-2]) % 256:
                return at + total, self._answer(frame)
            at = received.find(_FLAG, at + 1)
        return waits_from, None

    def values_at(self, when_s: float) -> Values | None:
        """The source's values, renewed at most every 0.2 simulated seconds."""
        if not self._seen_s <= when_s < self._seen_s + _REFRESH_S:
            self._seen, self._seen_s = self.source.at(when_s), when_s
        return self._seen

    def _answer(self, frame: bytes) -> bytes | None:
        control, data = frame[8], bytes((byte - 0x33) % 256 for byte in frame[10:-2])
        if control >= 0x80 or not self._is_meant(frame[1:7]):
            return None
        if control == _READ_ADDRESS:
            return None if data else self._say(0x93, bytes(self._sent_address()))
        if control == _READ_DATA and len(data) == 4:
            told = self._tell(int.from_bytes(data, "little"))
            return self._say(0x91, data + told) if told else self._say(0xD1, bytes((_NO_SUCH_DATA,)))
        if control == _READ_NEXT:
            return self._say(0xD2, bytes((_NO_SUCH_DATA,)))
        self.writes_heard += control != _READ_DATA
        return self._say(control | 0xC0, bytes((_OTHER if control == _READ_DATA else _NOT_AUTHORISED,)))

    def _is_meant(self, called: bytes) -> bool:
        """Whether each byte of an address is its own or AAH; AAH only from some byte upwards."""
        pairs = [f"{byte:02X}" for byte in reversed(called)]
        while pairs and pairs[0] == _ANY:
            del pairs[0]
        return self.address.endswith("".join(pairs))

    def _sent_address(self) -> Iterator[int]:
        for i in range(10, -1, -2):
            yield int(self.address[i : i + 2], 16)

    def _say(self, control: int, data: bytes) -> bytes:
        frame = bytes((_FLAG, *self._sent_address(), _FLAG, control, len(data)))
        frame += bytes((byte + 0x33) % 256 for byte in data)
        return b"\xfe" * self.wake_up + frame + bytes((sum(frame) % 256, _STOP))

    def _tell(self, identifier: int) -> bytes:
        """The data under an identifier; nothing where it has none."""
        if identifier in self.refuses:
            return b""
        values = self.values_at(self.clock.wall().timestamp())
        for block in self.profile.blocks:
            if block.id == identifier:
                return b"".join(self._hold(self.profile.register(name), values) for name in block.metrics)
        for register in self.profile.registers:
            if register.address == identifier and register.metric.name not in self.lacks:
                return self._hold(register, values)
        return b""

    def _hold(self, register: Register, values: Values | None) -> bytes:
        name = register.metric.name
        value = None if values is None or name in self.lacks else values.get(name)
        if value is None or not math.isfinite(value):
            return b"\xff" * register.count
        return packed(value, register)


def packed(value: float, register: Register) -> bytes:
    """A value in its metric's unit as decimals, low byte first, as a meter holds it.

    A counter starts again at 0, anything else stays at the end of its scale.
    """
    digits = 2 * register.count
    raw = round(value / float(register.scale))
    signed = register.type.startswith("s")
    most = 10**digits - 1 if not signed else 8 * 10 ** (digits - 1) - 1
    raw = (
        raw % (most + 1) if register.metric.kind == "counter" else max(-most if signed else 0, min(most, raw))
    )
    text = str(abs(raw)).zfill(digits)
    held = bytearray(int(text[i : i + 2], 16) for i in range(digits - 2, -1, -2))
    if raw < 0:
        held[-1] |= 0x80
    return bytes(held)
