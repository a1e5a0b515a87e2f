"""Polls of a DL/T 645 meter as a meter's protocol must give them."""

from __future__ import annotations

from collections.abc import Sequence

from plumbline_edge.meters.dlt645 import poll as dlt645_poll
from plumbline_edge.meters.dlt645.poll import Learned
from plumbline_edge.meters.doubts.check import Decoded
from plumbline_edge.meters.doubts.selfcheck import Blocks
from plumbline_edge.meters.modbus.decode import Flaws, Values
from plumbline_edge.meters.profiles.profile import Profile, Register
from plumbline_edge.meters.reader import Answer
from plumbline_edge.meters.remembered import Known


class Dlt645Reader:
    """See Reader. A block that the meter lacks is asked value by value; that is found out anew after each silence."""

    def __init__(self, profile: Profile, address: str) -> None:
        self.profile = profile
        self._address = address
        self._learned = Learned()
        self._outcome = Learned()
        self.order: tuple[Register, ...] = profile.registers
        self._plan()

    def _plan(self) -> None:
        self.questions = dlt645_poll.plan(self.profile, self._address, self._learned)
        places = {di: n for n, question in enumerate(self.questions) for di in self._metrics(question.di)}
        self.span_of = tuple(places.get(r.metric.name, -1 - i) for i, r in enumerate(self.order))

    def _metrics(self, di: int) -> tuple[str, ...]:
        for block in self.profile.blocks:
            if block.id == di:
                return block.metrics
        return tuple(r.metric.name for r in self.order if r.address == di)

    @property
    def decoded(self) -> Decoded:
        """See Reader.decoded."""
        return self

    def blocks(self, answers: Sequence[Answer]) -> Blocks:  # noqa: ARG002 - it has no registers
        """See Reader.blocks."""
        return ()

    @property
    def has_learned(self) -> bool:
        """See Reader.has_learned."""
        return bool(self._learned.refused)

    def decode(self, answers: Sequence[Answer]) -> tuple[Values, Flaws]:
        """See Reader.decode."""
        told = [answer if isinstance(answer, bytes) else answer.flaw for answer in answers]
        polled = dlt645_poll.decode(self.profile, self.questions, told, self._learned)
        self._outcome = polled.learned
        return polled.values, polled.flaws

    def learn(self, answers: Sequence[Answer]) -> bool:  # noqa: ARG002 - decode has seen them
        """See Reader.learn."""
        changed = self._outcome.refused != self._learned.refused
        self._learned = self._outcome
        if changed:
            self._plan()
        return changed

    def was_away(self) -> None:
        """See Reader.was_away."""
        self.forget()

    def forget(self) -> None:
        """See Reader.forget."""
        self._learned = self._outcome = Learned()
        self._plan()

    def known(self, known: Known) -> Known:
        """See Reader.known; nothing is."""
        return known
