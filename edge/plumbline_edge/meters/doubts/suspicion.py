"""What a suspicion about a meter is, and the polls that it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plumbline_edge.meters.modbus.decode import Values
from plumbline_edge.meters.modbus.plan import Span
from plumbline_edge.meters.profiles.profile import Profile

Kind = Literal[
    "word order", "byte order", "off by one", "address", "scale", "CT ratio", "phase swapped", "CT reversed", "3P3W wiring",
    "no load", "unit MWh", "unit Wh", "direction", "stuck",
]  # fmt: skip

Shown = dict[str, float]
"""Values by metric name, in the metric's unit; what a poll lacks is not in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """One likely mistake: `sentence` says what is seen, `hint` what to do at the cabinet; confidence 0 to 1."""

    kind: Kind
    metrics: tuple[str, ...]
    sentence: str
    hint: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """One poll: when, in seconds of a clock that never jumps; decoded values; and the raw answers where kept.

    A block may be wider than the profile needs, for "off by one": one word on either side is enough.
    """

    mono_s: float
    values: Values
    blocks: tuple[tuple[Span, bytes], ...] = ()


def shown(profile: Profile, values: Values) -> Shown:
    """The values that there are, in units."""
    return {
        register.metric.name: register.metric.from_wire(steps)
        for register, steps in zip(profile.registers, values, strict=True)
        if steps is not None
    }
