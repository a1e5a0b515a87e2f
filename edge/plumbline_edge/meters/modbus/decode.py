"""Bytes of a meter's answers to whole numbers of each metric's resolution."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from operator import eq, itemgetter, le, mul
from typing import Any, Final

from plumbline.metrics import Flaw
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import STRUCT_CODES, Profile, Register, ScaleWord, places

_BEYOND: Final = 1 << 53
"""A value of more steps than this has lost its own last digit and is no measurement."""
_NO_POWER: Final = -0x8000
_POWERS: Final = range(-10, 11)
"""SunSpec's scale factors; 0x8000 says that the meter has none, and so no values that need it."""

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
        "_powers",
        "_sentinels",
        "_single",
        "_to_profile_order",
        "order",
        "span_of",
    )

    def __init__(self, profile: Profile, spans: Sequence[Span]) -> None:
        """Raises ValueError where a register lies in no span."""
        self.order: tuple[Register, ...] = profile.registers
        placed = places(profile)
        self._blocks = [_Block(span, _inside(placed, span)) for span in spans]
        on_wire = [place.address for block in self._blocks for place in block.places]
        if sorted(on_wire) != sorted(place.address for place in placed):
            raise ValueError("each register must lie in exactly one span")
        where = {address: i for i, address in enumerate(on_wire)}
        owners = [n for n, block in enumerate(self._blocks) for _ in block.places]
        self.span_of = tuple(owners[where[r.address]] for r in self.order)
        self._to_profile_order = _picker([where[r.address] for r in self.order])
        self._powers = _Powers(self.order, where) if len(placed) > len(self.order) else None
        self._factors: list[float] = [_factor(r) for r in self.order]
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
        numbers: Sequence[Any] = self._to_profile_order(raw)
        factors = self._factors
        if self._powers is not None:
            factors, unscaled = self._powers.of(raw)
            if unscaled:
                numbers = _marked(numbers, unscaled)
                whole = False
        if not whole:  # a Flaw is a whole number too, and would pass for a value
            return self._judge_each(numbers, factors)
        try:
            steps = list(map(round, map(mul, numbers, factors)))
            good = (
                not (self._sentinels and self._any_absent(numbers))
                and all(map(le, self._lows, steps))
                and all(map(le, steps, self._highs))
            )
        except (ValueError, OverflowError):  # NaN, infinity
            good = False
        return (tuple(steps), ()) if good else self._judge_each(numbers, factors)

    def _any_absent(self, numbers: Sequence[Any]) -> bool:
        return any(map(eq, numbers, self._single)) or any(
            number in r.absent for number, r in zip(numbers, self.order, strict=True) if len(r.absent) > 1
        )

    def _judge_each(self, numbers: Sequence[Any], factors: Sequence[float]) -> tuple[Values, Flaws]:
        values: list[int | None] = []
        flaws: list[tuple[int, int]] = []
        for i, (number, register) in enumerate(zip(numbers, self.order, strict=True)):
            value, flaw = self._judge(number, register, i, factors[i])
            values.append(value)
            if flaw is not None:
                flaws.append((i, int(flaw)))
        return tuple(values), tuple(flaws)

    def _judge(
        self, number: Any, register: Register, i: int, factor: float
    ) -> tuple[int | None, Flaw | None]:
        if isinstance(number, Flaw):
            return None, number
        if number != number:  # noqa: PLR0124  NaN, and quicker than asking for the type first
            return None, Flaw.NOT_A_NUMBER
        if number in register.absent:
            return None, Flaw.SENTINEL
        if abs(number) > _BEYOND / abs(factor):
            return None, Flaw.OVERFLOW
        steps = round(number * factor)
        if not self._lows[i] <= steps <= self._highs[i]:
            return steps, Flaw.OUT_OF_RANGE
        return steps, None


class _Powers:
    """The powers of ten that the answers bring, and the factors they make: worked out anew only when one changes."""

    __slots__ = ("_factors", "_of", "_order", "_pick", "_said", "_unscaled")

    def __init__(self, order: tuple[Register, ...], where: dict[int, int]) -> None:
        words = sorted({r.scale_at for r in order if r.scale_at is not None})
        self._order = order
        self._pick = _picker([where[word] for word in words])
        self._of = [None if r.scale_at is None else words.index(r.scale_at) for r in order]
        self._said: tuple[Any, ...] = ()
        self._factors: list[float] = []
        self._unscaled: tuple[tuple[int, Flaw], ...] = ()

    def of(self, raw: Sequence[Any]) -> tuple[list[float], tuple[tuple[int, Flaw], ...]]:
        """The factor of each register, and (position, flaw) of each that has none."""
        said = self._pick(raw)
        # compared with its types: a Flaw equals the number it is
        if said != self._said or any(isinstance(power, Flaw) for power in said):
            flaws = [_power_flaw(power) for power in said]
            self._factors = [
                _factor(r, 0 if word is None or flaws[word] is not None else said[word])
                for r, word in zip(self._order, self._of, strict=True)
            ]
            found = ((i, flaws[word]) for i, word in enumerate(self._of) if word is not None)
            self._unscaled = tuple((i, flaw) for i, flaw in found if flaw is not None)
            self._said = () if any(isinstance(power, Flaw) for power in said) else said
        return self._factors, self._unscaled


def _power_flaw(power: Any) -> Flaw | None:
    if isinstance(power, Flaw):
        return power
    if power in _POWERS:
        return None
    return Flaw.SENTINEL if power == _NO_POWER else Flaw.GARBAGE


def _marked(numbers: Sequence[Any], flaws: tuple[tuple[int, Flaw], ...]) -> list[Any]:
    """The numbers, with a flaw where one stands for them; a value that is missing itself keeps its own."""
    marked = list(numbers)
    for i, flaw in flaws:
        if not isinstance(marked[i], Flaw):
            marked[i] = flaw
    return marked


class _Block:
    """One span's registers and scale words, and the struct that reads them all."""

    __slots__ = ("_reorder", "_struct", "places")

    def __init__(self, span: Span, places: list[Register | ScaleWord]) -> None:
        self.places = places
        layout, at = ">", span.start
        for place in places:
            layout += "xx" * (place.address - at) + STRUCT_CODES[place.type]
            at = place.end
        self._struct = struct.Struct(layout + "xx" * (span.end - at))
        bytes_of = [byte for place in places for byte in _bytes_of(place, span.start)]
        straight = all(place.words == "msw" and place.bytes == "big" for place in places)
        self._reorder = None if straight else _spread(bytes_of, places, span)

    def unpack(self, answer: bytes) -> tuple[Any, ...]:
        if len(answer) != self._struct.size:
            raise ValueError(f"{len(answer)} bytes where {self._struct.size} were asked for")
        return self._struct.unpack(answer if self._reorder is None else bytes(self._reorder(answer)))

    def missing(self, flaw: Flaw) -> tuple[Flaw, ...]:
        return (flaw,) * len(self.places)


def _inside(placed: Sequence[Register | ScaleWord], span: Span) -> list[Register | ScaleWord]:
    held = (place for place in placed if span.start <= place.address and place.end <= span.end)
    return sorted(held, key=lambda place: place.address)


def _bytes_of(place: Register | ScaleWord, start: int) -> Iterator[int]:
    """Where in the block each byte of a register stands, most significant first."""
    words = range(place.address - start, place.end - start)
    for word in words if place.words == "msw" else reversed(words):
        yield from (2 * word, 2 * word + 1) if place.bytes == "big" else (2 * word + 1, 2 * word)


def _spread(
    bytes_of: list[int], places: list[Register | ScaleWord], span: Span
) -> Callable[[bytes], tuple[int, ...]]:
    """A picker that puts the bytes of each register in big-endian order and leaves holes where they are."""
    order = list(range(2 * span.count))
    taken = iter(bytes_of)
    for place in places:
        for at in range(2 * (place.address - span.start), 2 * (place.end - span.start)):
            order[at] = next(taken)
    return itemgetter(*order)


def _picker(places: list[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(places) == 1:
        return lambda numbers: (numbers[places[0]],)
    return itemgetter(*places)


def _factor(register: Register, power: int = 0) -> int | float:
    """Raw number x factor = steps of the metric's resolution; whole where it can be, to stay exact."""
    exact = register.scale * register.metric.to_wire(1) * Fraction(10) ** power
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
