"""What the parts of a profile must make of each other, beyond what single keys can show."""

from __future__ import annotations

from collections.abc import Iterator

from plumbline_edge.meters.profiles.keys import BOUNDS, USUAL_BAUDS
from plumbline_edge.meters.profiles.profile import Identity, Protocol, Register, SerialDefaults, SerialNumber

Nonsense = tuple[str, object, str]
"""One mistake: (key, value, expectation)."""

_DEVICE_IDENTIFICATION = 43
_OBJECTS = 256


def register_nonsense(
    protocol: Protocol, barriers: tuple[int, ...], registers: tuple[Register, ...]
) -> Iterator[Nonsense]:
    """Barriers that cut a value in two, and powers of ten where there can be none."""
    for barrier in barriers:
        for r in registers:
            if r.address < barrier < r.end:
                ends = f"{r.address} or {r.end}"
                yield (
                    "barriers",
                    barrier,
                    f"an address where a value begins or ends: {r.metric.name} has {ends}",
                )
    for r in registers:
        key = f"registers.{r.metric.name}.scale_at"
        if r.scale_at is not None and protocol != "sunspec":
            yield key, r.scale_at, 'nothing: only with protocol "sunspec"'
        elif r.scale_at is not None and r.type in ("f32", "f64"):
            yield key, r.scale_at, f"nothing: a {r.type} has its power of ten inside"


def identity_nonsense(identity: Identity) -> Iterator[Nonsense]:
    """Answers that the read can never give; keys are the block's own."""
    if identity.function == _DEVICE_IDENTIFICATION:
        if identity.type != "text":
            yield "type", identity.type, "'text', which is all that function 43 answers with"
        if identity.address >= _OBJECTS:
            yield "address", identity.address, f"an object's number, 0-{_OBJECTS - 1}"
    else:
        yield from _beyond_the_end(identity.address, identity.count)
    for one in identity.equals:
        if isinstance(one, int):
            most = (1 << 16 * identity.count) - 1
            if not 0 <= one <= most:
                yield "equals", one, f"what fits into a {identity.type}, 0-{most}"
        elif not one or not one.isascii() or one != one.strip():
            yield "equals", one, "letters and digits without spaces around them"
        elif identity.count and len(one) > 2 * identity.count:
            yield "equals", one, f"at most {2 * identity.count} letters, two for each of {identity.count}"


def serial_number_nonsense(number: SerialNumber) -> Iterator[Nonsense]:
    """A serial number that would stand past the last register."""
    yield from _beyond_the_end(number.address, number.count)


def serial_nonsense(serial: SerialDefaults) -> Iterator[Nonsense]:
    """Speeds that no serial port knows, a factory setting that cannot be set."""
    if serial.parities and serial.parity not in serial.parities:
        yield "parities", list(serial.parities), f"a list with {serial.parity!r} in it, the factory setting"
    for baud in serial.bauds:
        if baud not in USUAL_BAUDS:
            nearest = min(USUAL_BAUDS, key=lambda usual: abs(usual - baud))
            yield "bauds", baud, f"a speed that serial ports have; did you mean {nearest}?"


def _beyond_the_end(address: int, count: int) -> Iterator[Nonsense]:
    last = BOUNDS["address"][1]
    if address + count - 1 > last:
        yield "address", address, f"at most {last + 1 - count}, so that all of it lies in 0-{last}"
