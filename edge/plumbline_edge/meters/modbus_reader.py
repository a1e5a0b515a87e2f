"""What is asked of a Modbus meter in one poll, and what the answers mean; learns what the meter refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace as replaced
from typing import Final

from msgspec.structs import replace

from plumbline.metrics import Flaw
from plumbline_edge.meters.decode import Decoder, Flaws, Values
from plumbline_edge.meters.frames import TcpOrRtu
from plumbline_edge.meters.learn import Learned, cut
from plumbline_edge.meters.modbus import read_registers
from plumbline_edge.meters.plan import Span, plan_reads
from plumbline_edge.meters.profile import Profile, places
from plumbline_edge.meters.question import Question
from plumbline_edge.meters.reader import Answer
from plumbline_edge.meters.remembered import Known
from plumbline_edge.meters.selfcheck import Blocks

_ADDRESS_REFUSALS: Final = frozenset((2, 3))
"""Exceptions that speak of the request itself; any other may be gone at the next poll."""
_REFUSED_TIMES: Final = 2
_SILENT_TIMES: Final = 3
"""So many polls in a row a read must fail before it counts as one that this meter never answers."""


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
        self._unit = unit
        self._framing = framing
        self._max_gap = max_gap
        self._strikes: Counter[Span] = Counter()
        self._blind: frozenset[int] = frozenset()
        """Registers refused while the meter answered nothing at all: it may only have been starting up."""
        self._plan()

    def _plan(self) -> None:
        profile = self.profile
        gap = min(profile.max_gap, self._max_gap)
        refused = [p for p in places(profile) if p.address in self.learned.refused]
        asked = [p for p in places(profile) if p.address not in self.learned.refused]
        spans = plan_reads(
            asked,
            max_words=profile.max_registers,
            max_gap=gap,
            barriers={*profile.barriers, *self.learned.barriers},
            request_words=self._max_gap,
        )
        self.spans = _probe_first(spans, profile)
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
        learned = self.learned
        if answered and self._blind:
            learned = replaced(learned, refused=learned.refused - self._blind)
            self._blind = frozenset()
        silence_seen = False
        for span, answer in zip(self.spans, answers, strict=True):
            if isinstance(answer, bytes):
                self._strikes.pop(span, None)
            elif answer.code in _ADDRESS_REFUSALS:
                learned = self._strike(learned, span, _REFUSED_TIMES)
            elif answer.flaw is Flaw.TIMEOUT and answered and not silence_seen:
                silence_seen = True  # those after it were not asked any more
                learned = self._strike(learned, span, _SILENT_TIMES)
        if learned == self.learned:
            return False
        if not answered:
            self._blind |= learned.refused - self.learned.refused
        self.learned = learned
        self._plan()
        return True

    def _strike(self, learned: Learned, span: Span, times: int) -> Learned:
        self._strikes[span] += 1
        if self._strikes[span] < times:
            return learned
        del self._strikes[span]
        probe = self.profile.register(self.profile.probe).address
        return cut(learned, places(self.profile), span, keep=probe)

    def was_away(self) -> None:
        """See Reader.was_away; registers do not come and go with the power."""

    def forget(self) -> None:
        """See Reader.forget."""
        if self.learned:
            self.learned = Learned()
            self._blind = frozenset()
            self._plan()

    @property
    def has_learned(self) -> bool:
        """See Reader.has_learned."""
        return bool(self.learned)

    def known(self, known: Known) -> Known:
        """See Reader.known."""
        refused = tuple(sorted(self.learned.refused - self._blind))
        return replace(known, barriers=tuple(sorted(self.learned.barriers)), refused=refused)


def _probe_first(spans: Iterable[Span], profile: Profile) -> tuple[Span, ...]:
    """The span that holds the probe leads: where the meter is gone, one timeout tells."""
    probe = profile.register(profile.probe).address
    return tuple(sorted(spans, key=lambda span: not span.start <= probe < span.end))
