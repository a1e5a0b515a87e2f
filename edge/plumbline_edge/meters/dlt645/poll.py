"""One poll of a DL/T 645 meter: which questions to ask, and the values in their answers.

A block brings several values for one question, but many meters have only some blocks. What a meter refuses is
remembered: a block's values are then asked one by one, and a value it refuses as well is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from plumbline.metrics import Flaw
from plumbline_edge.meters.dlt645.frames import ReadData, decimal
from plumbline_edge.meters.modbus.decode import Flaws, Values
from plumbline_edge.meters.profiles.profile import Profile, Register

_BEYOND: Final = 1 << 53  # as in decode: a value of more steps than this is no measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What a meter does not answer, by data identifier. Forget it (`Learned()`) when the meter was away.

    An error answer does not say which question it answers: a late one may hit the wrong one. So a single value is
    `refused` only after the second time in a row; a block at once, since its values are still asked for singly.
    """

    doubted: frozenset[int] = frozenset()
    refused: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A poll's values in the profile's order, (position, flaw) for each that is not simply good, and what was learned."""

    values: Values
    flaws: Flaws
    learned: Learned


def plan(profile: Profile, address: str, learned: Learned) -> tuple[ReadData, ...]:
    """The questions of one poll, never none: what proves that the meter is there, then blocks, then single values."""
    held = {di: members for di, members in _blocks(profile) if di not in learned.refused}
    in_blocks = {r.metric.name for members in held.values() for r in members}
    singly = {
        r.address: (r,)
        for r in profile.registers
        if r.metric.name not in in_blocks and r.address not in learned.refused
    }
    probe = profile.register(profile.probe)
    if not held and not singly:
        singly = {probe.address: (probe,)}
    ordered = sorted((held | singly).items(), key=lambda item: probe not in item[1])
    return tuple(
        ReadData(address=address, di=di, size=sum(r.count for r in members)) for di, members in ordered
    )


def decode(
    profile: Profile, questions: Sequence[ReadData], answers: Sequence[bytes | Flaw], learned: Learned
) -> Polled:
    """What the answers to plan's questions say: a payload each, or the flaw that stands for its lack.

    Flaw.EXCEPTION is an error answer; a block of another length than the profile's counts as refused. Where blocks
    were refused for the first time, planning again at once brings their values in the same poll.
    """
    blocks = dict(_blocks(profile))
    read: dict[str, tuple[int | None, Flaw | None]] = {}
    refused_now: set[int] = set()
    answered: set[int] = set()
    for question, answer in zip(questions, answers, strict=True):
        members = blocks.get(question.di) or tuple(r for r in profile.registers if r.address == question.di)
        if isinstance(answer, Flaw):
            read |= dict.fromkeys((r.metric.name for r in members), (None, answer))
            if answer is Flaw.EXCEPTION:
                refused_now.add(question.di)
        elif len(answer) != question.size:
            read |= dict.fromkeys((r.metric.name for r in members), (None, Flaw.GARBAGE))
            if question.di in blocks:
                refused_now.add(question.di)
        else:
            answered.add(question.di)
            read |= {r.metric.name: _judge(part, r) for r, part in _parts(members, answer)}
    results = [read.get(r.metric.name, (None, Flaw.EXCEPTION)) for r in profile.registers]
    return Polled(
        values=tuple(value for value, _ in results),
        flaws=tuple((i, int(flaw)) for i, (_, flaw) in enumerate(results) if flaw is not None),
        learned=Learned(
            doubted=(learned.doubted - answered | refused_now) - learned.refused - set(blocks),
            refused=(learned.refused | refused_now & (learned.doubted | set(blocks))) - answered,
        ),
    )


def _blocks(profile: Profile) -> Iterator[tuple[int, tuple[Register, ...]]]:
    for block in profile.blocks:
        yield block.id, tuple(map(profile.register, block.metrics))


def _parts(members: Sequence[Register], answer: bytes) -> Iterator[tuple[Register, bytes]]:
    at = 0
    for register in members:
        yield register, answer[at : at + register.count]
        at += register.count


def _judge(data: bytes, register: Register) -> tuple[int | None, Flaw | None]:
    """A value in steps of its metric's resolution, and why it is not simply good."""
    try:
        number = decimal(data, signed=register.type[0] == "s")
    except ValueError:
        return None, Flaw.GARBAGE
    if number is None or number in register.absent:
        return None, Flaw.SENTINEL
    resolution = register.metric.to_wire(1)
    exact = number * register.scale * resolution
    if abs(exact) > _BEYOND:
        return None, Flaw.OVERFLOW
    steps = round(exact)
    low, high = (_steps(bound, resolution) for bound in (register.low, register.high))
    return steps, None if low <= steps <= high else Flaw.OUT_OF_RANGE


def _steps(bound: float, resolution: int) -> Fraction | float:
    return Fraction(bound) * resolution if math.isfinite(bound) else bound
