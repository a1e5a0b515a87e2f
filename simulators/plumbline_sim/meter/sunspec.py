"""The registers of a simulated SunSpec device: mark, common model, meter model, end."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from plumbline_edge.meters.profiles.profile import Profile, Register
from plumbline_sim.meter.encode import Answered, Encoder, Values

_MARK: Final = b"SunS"
_LENGTHS: Final = dict.fromkeys((201, 202, 203, 204), 105) | dict.fromkeys((211, 212, 213, 214), 124)
_END: Final = b"\xff\xff\0\0"
_NOT_IMPLEMENTED: Final = {"s16": b"\x80\x00\x80\x00", "f32": b"\x7f\xc0\x00\x00"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SunSpecLayout:
    """Where the device's map begins, which meter model it has and what its common model says.

    `between` are (id, length) of models that stand before the meter's, as an inverter's would.
    """

    base: int = 40_000
    model: int = 203
    maker: str = "Plumbline"
    device: str = "simulated meter"
    version: str = "1"
    serial: str = "0"
    between: tuple[tuple[int, int], ...] = field(default=())


class SunSpecEncoder(Encoder):
    """Holds a device's whole map; any run of its registers may be read, as SunSpec wants it."""

    def __init__(self, profile: Profile, layout: SunSpecLayout) -> None:
        self._before = _before(layout)
        self._base = layout.base
        self._meter_at = layout.base + len(self._before) // 2
        super().__init__(profile.at(self._meter_at))
        filler = _NOT_IMPLEMENTED[profile.registers[0].type]
        length = _LENGTHS[layout.model]
        body = (filler * length)[: 2 * length]
        self._meter = struct.pack(">HH", layout.model, length) + body
        self._end = self._meter_at + len(self._meter + _END) // 2
        self._first = min(r.address for r in self.profile.registers)
        self._past = max(r.end for r in self.profile.registers)
        self._past = (
            max(self._past, *(word + 1 for word in self._scaled_by)) if self._scaled_by else self._past
        )

    def registers_in(self, start: int, count: int) -> tuple[Register, ...] | None:
        """The registers that lie whole in a read; None where it leaves the map."""
        if start < self._base or start + count > self._end:
            return None
        return tuple(r for r in self._ordered if start <= r.address and r.end <= start + count)

    def block(self, start: int, count: int, registers: tuple[Register, ...], values: Values) -> Answered:
        """What a read answers; of the values it covers, those that it covers whole are told."""
        answered = super().block(self._first, self._past - self._first, tuple(self._ordered), values)
        meter = bytearray(self._meter)
        at = 2 * (self._first - self._meter_at)
        for begin, end in self._used():
            meter[at + begin : at + end] = answered.block[begin:end]
        whole = self._before + bytes(meter) + _END
        told = {r.metric.name for r in registers}
        return Answered(
            block=whole[2 * (start - self._base) : 2 * (start - self._base + count)],
            values=tuple(said for said in answered.values if said[0] in told),
        )

    def _used(self) -> list[tuple[int, int]]:
        """Which bytes of the meter's block mean something: all others stay "not implemented"."""
        used = [(r.address, r.end) for r in self._ordered] + [(word, word + 1) for word in self._scaled_by]
        return [(2 * (low - self._first), 2 * (high - self._first)) for low, high in used]


def usual_layout(profile: Profile) -> SunSpecLayout | None:
    """What a device of a SunSpec family usually has: its three-phase star model at 40000. None for other families."""
    if profile.protocol != "sunspec":
        return None
    star = [model for model in profile.models if model in (203, 213)]
    return SunSpecLayout(model=(star or list(profile.models))[0])


def _before(layout: SunSpecLayout) -> bytes:
    texts = ((layout.maker, 16), (layout.device, 16), ("", 8), (layout.version, 8), (layout.serial, 16))
    common = b"".join(text.encode().ljust(2 * words, b"\0")[: 2 * words] for text, words in texts)
    models = struct.pack(">HH", 1, 66) + common + b"\0\x01\x80\x00"
    for model, length in layout.between:
        models += struct.pack(">HH", model, length) + b"\x80\x00" * length
    return _MARK + models
