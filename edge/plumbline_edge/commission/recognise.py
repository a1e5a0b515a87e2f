"""Which profile fits a meter: by what it says it is first, by whether its values can be true second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from plumbline.metrics import Flaw
from plumbline_edge.meters.modbus.decode import Decoder
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import Identity, Profile, Register
from plumbline_edge.meters.profiles.profile import places as register_places

DEVICE_IDENTIFICATION: Final = 43
ENOUGH: Final = 0.5
"""From this on a profile fits; an identification whose values fit less is doubted."""
_ABOUT: Final = 0.05
"""Fits that differ by less say the same."""
_VOLTS: Final = (80.0, 300.0)
_VOLTS_BETWEEN: Final = (80.0, 520.0)
_HERTZ: Final = (45.0, 65.0)
_NARROW: Final = frozenset(("V", "Hz"))
"""Units in which a grid leaves little choice."""
_VAGUE: Final = 0.6
_SURE: Final = 0.7
_NO_VALUE: Final = frozenset((Flaw.SENTINEL, Flaw.NOT_A_NUMBER))

Fit = Callable[[Profile, Mapping[Span, bytes]], float]
"""How well a meter's answers fit a profile, 0..1; only what was answered is among the blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One read that identifies; several profiles may ask for the same. With function 43 `address` is the object."""

    function: int
    address: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A profile against one meter. `says`: what the meter called itself where that names the profile, else empty."""

    name: str
    says: str
    fit: float
    values: int
    """Values that speak for it: zeros and missing ones speak for nothing."""
    registers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`profile` is None where none fits. `others` fit just as well. `how` says it to a person."""

    profile: str | None
    how: str
    sure: bool = False
    said: bool = False
    """Whether its own words named the profile, and its values bear them out."""
    others: tuple[str, ...] = ()


def places(profiles: Iterable[Profile]) -> tuple[Place, ...]:
    """Every identifying read of all profiles, each once."""
    return tuple(dict.fromkeys(map(place_of, (i for profile in profiles for i in profile.identify))))


def place_of(identity: Identity) -> Place:
    return Place(function=identity.function, address=identity.address, count=identity.count)


def reading_of(identity: Identity, answer: bytes) -> int | str:
    """What an answer says in the identity's type."""
    if identity.type == "text":
        return shown_text(answer)
    return int.from_bytes(answer)


def shown_text(answer: bytes) -> str:
    """Text of a meter without padding, and without what could play tricks on a terminal."""
    text = answer.decode("ascii", "replace").replace("\ufffd", "").strip("\0 \t\r\n")
    return "".join(letter for letter in text if letter.isprintable())


def identified(profile: Profile, answers: Mapping[Place, bytes | None]) -> str:
    """What the meter said that names this profile; empty where it said nothing like that."""
    for identity in profile.identify:
        answer = answers.get(place_of(identity))
        if not answer:
            continue
        said = reading_of(identity, answer)
        if isinstance(said, str):
            if any(isinstance(one, str) and one and said.startswith(one) for one in identity.equals):
                return said
        elif said in identity.equals:
            return f"code {said}"
    return ""


def fit_by_values(profile: Profile, blocks: Mapping[Span, bytes]) -> float:
    """The share of registers that answered, times the share of their values that a grid can have.

    0 where no voltage or frequency is one. A family that measures neither is believed only so far: powers and
    energies may be anything.
    """
    told = _told(profile, blocks)
    verdicts = [(register, _plausible(register, value, flaw)) for register, value, flaw in told]
    judged = [verdict for _, verdict in verdicts if verdict is not None]
    narrow = {register.metric.unit for register in profile.registers} & _NARROW
    if not any(verdict and (not narrow or register.metric.unit in narrow) for register, verdict in verdicts):
        return 0.0
    return (1.0 if narrow else _VAGUE) * len(told) / len(profile.registers) * sum(judged) / len(judged)


def may_be(profile: Profile, probe: Span, answer: bytes) -> bool:
    """Whether the probe alone leaves it possible that this is the profile's meter. A power may be 0, a voltage not."""
    register = profile.register(profile.probe)
    told = _told(replace(profile, registers=(register,)), {probe: answer})
    verdicts = [_plausible(*one) for one in told]
    return verdicts == [True] or (verdicts == [None] and register.metric.unit not in _NARROW)


def speaking_values(profile: Profile, blocks: Mapping[Span, bytes]) -> int:
    """How many of the values say something and can be true."""
    return sum(_plausible(*one) is True for one in _told(profile, blocks))


def decide(scored: Sequence[Scored]) -> Verdict:
    """The profile that a meter's own words name and its values bear out; else the one that its values fit best."""
    best = sorted(scored, key=_rank, reverse=True)
    if not best:
        return Verdict(profile=None, how="answers, but to nothing that a profile asks for")
    first = best[0]
    if first.says and first.fit < ENOUGH:
        how = f"says {first.says!r}, but its values do not fit that profile: check it on the display"
        return Verdict(profile=first.name, how=how)
    if first.says:
        return Verdict(profile=first.name, how=f"says {first.says!r}", sure=True, said=True)
    if first.fit < ENOUGH:
        return Verdict(profile=None, how=f"no profile fits; nearest {first.name} ({100 * first.fit:.0f} %)")
    others = tuple(
        one.name for one in best[1:] if first.fit - one.fit < _ABOUT and one.values >= first.values
    )  # who explains less is a smaller family with the same map
    how = f"values fit ({100 * first.fit:.0f} %)"
    if others:
        how += f"; so do {', '.join(others)}: look at the label"
    return Verdict(profile=first.name, how=how, sure=not others and first.fit >= _SURE, others=others)


def _rank(one: Scored) -> tuple[bool, bool, float, int, int, str]:
    """Ties go to who explains more values, then to who leaves fewer registers unexplained."""
    borne_out = one.fit >= ENOUGH
    named = bool(one.says)
    return named and borne_out, borne_out or named, round(one.fit, 2), one.values, -one.registers, one.name


def _told(profile: Profile, blocks: Mapping[Span, bytes]) -> list[tuple[Register, float | None, Flaw | None]]:
    """What the answered registers say, each with its value in the metric's unit and its flaw."""
    whole = {span: told for span, told in blocks.items() if len(told) == 2 * span.count}
    held = tuple(
        register
        for register in profile.registers
        if _lies_in(whole, register.address, register.end)
        and (register.scale_at is None or _lies_in(whole, register.scale_at, register.scale_at + 1))
    )
    if not held:
        return []
    answered = replace(profile, registers=held)
    spans = [
        span
        for span in whole
        if any(span.start <= place.address and place.end <= span.end for place in register_places(answered))
    ]
    decoder = Decoder(answered, spans)
    values, flaws = decoder.decode([whole[span] for span in spans])
    flaw_of = {position: Flaw(code) for position, code in flaws}
    return [
        (register, None if value is None else register.metric.from_wire(value), flaw_of.get(i))
        for i, (register, value) in enumerate(zip(decoder.order, values, strict=True))
    ]


def _lies_in(blocks: Iterable[Span], start: int, end: int) -> bool:
    return any(span.start <= start and end <= span.end for span in blocks)


def _plausible(register: Register, value: float | None, flaw: Flaw | None) -> bool | None:
    """Whether a grid can have this value; None: it says nothing either way."""
    if flaw in _NO_VALUE or (value == 0 and register.metric.unit != "Hz"):
        return None
    if flaw is not None or value is None:
        return False
    match register.metric.unit:
        case "V":
            low, high = _VOLTS_BETWEEN if register.metric.name.count("_l") == 2 else _VOLTS
        case "Hz":
            low, high = _HERTZ
        case _:
            return True
    return low <= value <= high
