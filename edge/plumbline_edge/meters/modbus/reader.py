"""What is asked of a Modbus meter in one poll, and what the answers mean; learns what the meter refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from plumbline.metrics import Flaw
from plumbline_edge.meters.doubts.selfcheck import Blocks
from plumbline_edge.meters.modbus.decode import Decoder, Flaws, Values
from plumbline_edge.meters.modbus.frames import TcpOrRtu
from plumbline_edge.meters.modbus.learn import Learned, cut
from plumbline_edge.meters.modbus.plan import Span, plan_reads
from plumbline_edge.meters.modbus.questions import read_registers
from plumbline_edge.meters.profiles.profile import Profile, places
from plumbline_edge.meters.reader import Answer
from plumbline_edge.meters.remembered import Known
from plumbline_edge.meters.wire.question import Question

NOT_THERE: Final = frozenset((1, 2, 3))
"""Exceptions that speak of the request itself; any other may be gone at the next poll."""
_ADDRESS_REFUSALS: Final = NOT_THERE - {1}
"""Of those, the ones that another cut of the same registers may not meet."""
_REFUSED_TIMES: Final = 2
_SILENT_TIMES: Final = 5
"""So many polls in a row a read must fail before it counts as one that this meter never answers."""
_CHANGED_TIMES: Final = 100
"""So many where it has answered that very read before: a meter that boots, or a bad line, is no other meter."""


class ModbusReader:
    """See Reader. Plans one Modbus meter's reads.

    Silence counts like a refusal where other reads of the same poll were answered: an SDM72 says nothing to a read
    that is too long for it.
    """

    def __init__(
        self, profile: Profile, unit: int, framing: TcpOrRtu, *, max_gap: int, learned: Learned | None = None
    ) -> None:
        self.profile = profile
        self.learned = learned or Learned()
        self._probe = profile.register(profile.probe).address
        self._unit = unit
        self._framing = framing
        self._max_gap = max_gap
        self._strikes: Counter[Span] = Counter()
        self._answered: set[Span] = set()
        self._refuses_all = False
        self._plan()

    def _plan(self) -> None:
        profile = self.profile
        gap = min(profile.max_gap, self._max_gap)
        left_out = self.learned.refused - {self._probe}  # whatever a damaged file says, it is asked for that
        refused = [p for p in places(profile) if p.address in left_out]
        asked = [p for p in places(profile) if p.address not in left_out]
        spans = plan_reads(
            asked,
            max_words=profile.max_registers,
            max_gap=gap,
            barriers={*profile.barriers, *self.learned.barriers, *left_out},
            request_words=self._max_gap,
        )
        # where the meter is gone, one timeout tells
        self.spans = tuple(sorted(spans, key=lambda span: not span.start <= self._probe < span.end))
        self._unasked = [Span(p.address, p.end) for p in refused]
        self.decoded = Decoder(profile, [*self.spans, *self._unasked])
        self.questions: tuple[Question, ...] = tuple(
            read_registers(self._unit, profile.function, span, self._framing) for span in self.spans
        )

    def decode(self, answers: Sequence[Answer]) -> tuple[Values, Flaws]:
        """See Reader.decode."""
        told = [answer if isinstance(answer, bytes) else answer.flaw for answer in answers]
        return self.decoded.decode([*told, *(Flaw.EXCEPTION for _ in self._unasked)])

    def blocks(self, answers: Sequence[Answer]) -> Blocks:
        """See Reader.blocks."""
        return tuple(
            (span, answer)
            for span, answer in zip(self.spans, answers, strict=True)
            if isinstance(answer, bytes)
        )

    def learn(self, answers: Sequence[Answer]) -> bool:
        """See Reader.learn."""
        answered = any(isinstance(answer, bytes) for answer in answers)
        if answered and self._refuses_all:  # it was not ready, and nothing that was learned then is true
            self.forget()
            return True
        learned = self.learned
        silence_seen = False
        for span, answer in zip(self.spans, answers, strict=True):
            if isinstance(answer, bytes):
                self._strikes.pop(span, None)
                self._answered.add(span)
            elif answer.code in _ADDRESS_REFUSALS:
                learned = self._strike(learned, span, _REFUSED_TIMES)
            elif answer.flaw is Flaw.TIMEOUT and answered and not silence_seen:
                silence_seen = True  # those after it were not asked any more
                learned = self._strike(learned, span, _SILENT_TIMES)
        self._refuses_all = not answered and len(self._unasked) == len(places(self.profile)) - 1
        if learned == self.learned:
            return False
        self.learned = learned
        self._plan()
        return True

    def _strike(self, learned: Learned, span: Span, times: int) -> Learned:
        self._strikes[span] += 1
        if self._strikes[span] < (_CHANGED_TIMES if span in self._answered else times):
            return learned
        del self._strikes[span]
        return cut(learned, places(self.profile), span, keep=self._probe)

    def was_away(self) -> None:
        """See Reader.was_away; registers do not come and go with the power."""

    def forget(self) -> None:
        """See Reader.forget."""
        self._refuses_all = False
        self._answered.clear()
        if self.learned:
            self.learned = Learned()
            self._plan()

    @property
    def has_learned(self) -> bool:
        """See Reader.has_learned."""
        return bool(self.learned)

    def known(self, known: Known) -> Known:
        """See Reader.known."""
        return replace(
            known, barriers=tuple(sorted(self.learned.barriers)), refused=tuple(sorted(self.learned.refused))
        )
