"""Bytes of a meter's answers to whole numbers of each metric's resolution."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from operator import eq, itemgetter, le, mul
from typing import Any, Final

from plumbline.metrics import Flaw
from plumbline_edge.meters.plan import Span
from plumbline_edge.meters.profile import STRUCT_CODES, Profile, Register

_BEYOND: Final = 1 << 53
"""A value of more steps than this has lost its own last digit and is no measurement."""

Values = tuple[int | None, ...]
Flaws = tuple[tuple[int, int], ...]


class Decoder:
    """Decodes the answers to `spans`, prepared once for a profile.

    `order[i]` is the register behind value i: the profile's own order. `span_of[i]` is the span it lies in.
    """

    __slots__ = (
        "_blocks",
        "_factors",
        "_highs",
        "_lows",
        "_sentinels",
        "_single",
        "_to_profile_order",
        "order",
        "span_of",
    )

    def __init__(self, profile: Profile, spans: Sequence[Span]) -> None:
        """Raises ValueError where a register lies in no span."""
        self.order: tuple[Register, ...] = profile.registers
        self._blocks = [_Block(span, _inside(profile, span)) for span in spans]
        on_wire = [register for block in self._blocks for register in block.registers]
        if sorted(r.address for r in on_wire) != sorted(r.address for r in self.order):
            raise ValueError("each register must lie in exactly one span")
        places = {register.address: i for i, register in enumerate(on_wire)}
        owners = [n for n, block in enumerate(self._blocks) for _ in block.registers]
        self.span_of = tuple(owners[places[r.address]] for r in self.order)
        self._to_profile_order = _picker([places[r.address] for r in self.order])
        self._factors = [_factor(r) for r in self.order]
        bounds = [_bounds(r) for r in self.order]
        self._lows, self._highs = [low for low, _ in bounds], [high for _, high in bounds]
        self._single = [r.absent[0] if len(r.absent) == 1 else None for r in self.order]
        self._sentinels = any(r.absent for r in self.order)

    def decode(self, answers: Sequence[bytes | Flaw]) -> tuple[Values, Flaws]:
        """The values in the profile's order, and (position, flaw) for each that is not simply good.

        One answer per span: its registers' bytes as they came over the wire, or the flaw that stands for
        the lack of an answer. Raises ValueError where an answer has another length than its span.
        """
        raw: list[Any] = []
        whole = True
        for block, answer in zip(self._blocks, answers, strict=True):
            if isinstance(answer, Flaw):
                raw += block.missing(answer)
                whole = False
            else:
                raw += block.unpack(answer)
        numbers = self._to_profile_order(raw)
        if not whole:  # a Flaw is a whole number too, and would pass for a value
            return self._judge_each(numbers)
        try:
            steps = list(map(round, map(mul, numbers, self._factors)))
            good = (
                not (self._sentinels and self._any_absent(numbers))
                and all(map(le, self._lows, steps))
                and all(map(le, steps, self._highs))
            )
        except (ValueError, OverflowError):  # NaN, infinity
            good = False
        return (tuple(steps), ()) if good else self._judge_each(numbers)

    def _any_absent(self, numbers: Sequence[Any]) -> bool:
        return any(map(eq, numbers, self._single)) or any(
            number in r.absent for number, r in zip(numbers, self.order, strict=True) if len(r.absent) > 1
        )

    def _judge_each(self, numbers: Sequence[Any]) -> tuple[Values, Flaws]:
        values: list[int | None] = []
        flaws: list[tuple[int, int]] = []
        for i, (number, register) in enumerate(zip(numbers, self.order, strict=True)):
            value, flaw = self._judge(number, register, i)
            values.append(value)
            if flaw is not None:
                flaws.append((i, int(flaw)))
        return tuple(values), tuple(flaws)

    def _judge(self, number: Any, register: Register, i: int) -> tuple[int | None, Flaw | None]:
        if isinstance(number, Flaw):
            return None, number
        if number != number:  # noqa: PLR0124  NaN, and quicker than asking for the type first
            return None, Flaw.NOT_A_NUMBER
        if number in register.absent:
            return None, Flaw.SENTINEL
        if abs(number) > _BEYOND / abs(self._factors[i]):
            return None, Flaw.OVERFLOW
        steps = round(number * self._factors[i])
        if not self._lows[i] <= steps <= self._highs[i]:
            return steps, Flaw.OUT_OF_RANGE
        return steps, None


class _Block:
    """One span's registers and the struct that reads them all."""

    __slots__ = ("_reorder", "_struct", "registers")

    def __init__(self, span: Span, registers: list[Register]) -> None:
        self.registers = registers
        layout, at = ">", span.start
        for register in registers:
            layout += "xx" * (register.address - at) + STRUCT_CODES[register.type]
            at = register.end
        self._struct = struct.Struct(layout + "xx" * (span.end - at))
        places = [place for r in registers for place in _byte_places(r, span.start)]
        straight = all(r.words == "msw" and r.bytes == "big" for r in registers)
        self._reorder = None if straight else _spread(places, registers, span)

    def unpack(self, answer: bytes) -> tuple[Any, ...]:
        if len(answer) != self._struct.size:
            raise ValueError(f"{len(answer)} bytes where {self._struct.size} were asked for")
        return self._struct.unpack(answer if self._reorder is None else bytes(self._reorder(answer)))

    def missing(self, flaw: Flaw) -> tuple[Flaw, ...]:
        return (flaw,) * len(self.registers)


def _inside(profile: Profile, span: Span) -> list[Register]:
    held = (r for r in profile.registers if span.start <= r.address and r.end <= span.end)
    return sorted(held, key=lambda r: r.address)


def _byte_places(register: Register, start: int) -> Iterator[int]:
    """Where in the block each byte of a register stands, most significant first."""
    words = range(register.address - start, register.end - start)
    for word in words if register.words == "msw" else reversed(words):
        yield from (2 * word, 2 * word + 1) if register.bytes == "big" else (2 * word + 1, 2 * word)


def _spread(places: list[int], registers: list[Register], span: Span) -> Callable[[bytes], tuple[int, ...]]:
    """A picker that puts the bytes of each register in big-endian order and leaves holes where they are."""
    order = list(range(2 * span.count))
    taken = iter(places)
    for register in registers:
        for place in range(2 * (register.address - span.start), 2 * (register.end - span.start)):
            order[place] = next(taken)
    return itemgetter(*order)


def _picker(places: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(places) == 1:
        return lambda numbers: (numbers[places[0]],)
    return itemgetter(*places)


def _factor(register: Register) -> int | float:
    """Raw number x factor = steps of the metric's resolution; whole where it can be, to stay exact."""
    exact = register.scale * register.metric.to_wire(1)
    return exact.numerator if exact.denominator == 1 else float(exact)


def _bounds(register: Register) -> tuple[int, int]:
    resolution = register.metric.to_wire(1)
    low = (
        max(Fraction(register.low) * resolution, Fraction(-_BEYOND))
        if math.isfinite(register.low)
        else -_BEYOND
    )
    high = (
        min(Fraction(register.high) * resolution, Fraction(_BEYOND))
        if math.isfinite(register.high)
        else _BEYOND
    )
    return math.ceil(low), math.floor(high)
