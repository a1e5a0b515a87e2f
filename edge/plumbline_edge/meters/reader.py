"""What a meter's protocol must give to be polled: questions, and what their answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.check import Decoded
from plumbline_edge.meters.doubts.selfcheck import Blocks
from plumbline_edge.meters.modbus.decode import Flaws, Values
from plumbline_edge.meters.profiles.profile import Profile
from plumbline_edge.meters.remembered import Known
from plumbline_edge.meters.wire.question import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A question without an answer: the flaw that stands for its values, and the error code, where there was one."""

    flaw: Flaw
    code: int | None = None


Answer = bytes | Miss


class Reader(Protocol):
    """One meter's polls in its own protocol; no I/O. It learns what the meter refuses and asks for that no more."""

    @property
    def questions(self) -> Sequence[Question]:
        """Those of the next poll, first the one that shows whether the meter is there. They change with `learn`."""
        ...

    @property
    def profile(self) -> Profile:
        """The profile with this meter's own addresses."""
        ...

    @property
    def decoded(self) -> Decoded:
        """Which value comes in which answer."""
        ...

    @property
    def has_learned(self) -> bool:
        """Whether anything of the profile is left out."""
        ...

    def decode(self, answers: Sequence[Answer]) -> tuple[Values, Flaws]:
        """Values in the profile's order, and (position, flaw) for each that is not simply good; one answer a question.

        Before `learn` has seen the same answers: it may change what the next ones are to.
        """
        ...

    def blocks(self, answers: Sequence[Answer]) -> Blocks:
        """The registers' own bytes, where the protocol has registers."""
        ...

    def learn(self, answers: Sequence[Answer]) -> bool:
        """Take a poll's outcome to heart. True where the questions changed."""
        ...

    def was_away(self) -> None:
        """The meter fell silent: whatever it is when it is back may differ."""
        ...

    def forget(self) -> None:
        """Believe the profile again."""
        ...

    def known(self, known: Known) -> Known:
        """The same with what is worth keeping over a restart."""
        ...
