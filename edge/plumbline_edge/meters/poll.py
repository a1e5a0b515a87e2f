"""One meter: asks for its registers, decodes and checks them, and keeps count of how it does."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from plumbline.clock import Clock
from plumbline.errors import Unreachable
from plumbline.metrics import Flaw
from plumbline_edge.meters.bus import Bus, BusFailure, ExceptionAnswer
from plumbline_edge.meters.check import Physics, latest
from plumbline_edge.meters.decode import Decoder, Flaws, Values
from plumbline_edge.meters.plan import Span, plan_reads
from plumbline_edge.meters.profile import Profile

log = logging.getLogger(__name__)

Status = Literal["ok", "degraded", "silent", "unknown"]

_FAILURES_UNTIL_SILENT: Final = 3
_LONGEST_REST_S: Final = 300.0
_FLAW_OF: Final[dict[str, Flaw]] = {"garbage": Flaw.GARBAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What one poll of one meter gave: ready to become a Frame.

    `values[i]` counts steps of `Meter.metrics[i]`'s resolution, None where there is none; `flaws` holds
    (position, Flaw) for each value that is not simply good. `at` and `mono_s` are when the asking began.
    """

    at: datetime
    mono_s: float
    values: Values
    flaws: Flaws
    requests: int
    latency_s: float


class Resting(Unreachable):
    """The meter was silent for some polls and is not asked again yet; nothing was sent."""


class Meter:
    """One meter on a bus, under its site's name.

    `errors` counts what went wrong since the start, by kind: a BusFailure's kind, or `exception_N`.
    """

    def __init__(
        self,
        *,
        name: str,
        profile: Profile,
        unit: int,
        bus: Bus,
        clock: Clock,
        timeout_s: float = 1.0,
        every_s: float = 10.0,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.profile = profile
        self.unit = unit
        self.metrics: tuple[int, ...] = tuple(metric.code for metric in profile.metrics)
        self.errors: Counter[str] = Counter()
        self.answers = 0
        """Polls that brought at least one answer."""
        self.status: Status = "unknown"
        self.latency_s: float | None = None
        """Of the last poll that was answered."""
        self._bus = bus
        self._clock = clock
        self._timeout_s = timeout_s
        self._every_s = every_s
        self._rng = rng or random.Random()
        self._spans = _probe_first(
            plan_reads(
                profile.registers,
                max_words=profile.max_registers,
                max_gap=min(profile.max_gap, bus.max_gap),
            ),
            profile,
        )
        self._decoder = Decoder(profile, self._spans)
        self._physics = Physics(self._decoder)
        self._before: Values | None = None
        self._failures = 0
        self._rest_s = 0.0
        self._resting_until_s = 0.0

    @property
    def spans(self) -> tuple[Span, ...]:
        """The reads of one poll, the probe's first."""
        return self._spans

    @property
    def failures(self) -> int:
        """Polls without any answer since the last one that had one."""
        return self._failures

    async def poll(self) -> Poll:
        """Ask once for everything; takes at most one timeout for each read, and stops at the first silence.

        A read answered with an exception costs its own metrics only. Raises Unreachable where nothing was
        answered at all: there is no frame then. Raises Resting, without asking, while a silent meter is left
        alone: after three failed polls it is asked once in a while, from twice its interval to 300 s.
        """
        mono_s = self._clock.mono()
        if mono_s < self._resting_until_s:
            raise Resting(f"{self.name}: silent, asked again in {self._resting_until_s - mono_s:.0f} s")
        at = self._clock.wall()
        began_s = asyncio.get_running_loop().time()
        try:
            answers, requests = await self._ask()
        except Unreachable as why:
            self._lost(why)
            raise
        self.latency_s = asyncio.get_running_loop().time() - began_s
        values, flaws = self._decoder.decode(answers)
        flaws += self._doubts(values, flaws)
        self._before = latest(values, self._before)
        self._answered(degraded=any(isinstance(answer, Flaw) for answer in answers))
        return Poll(
            at=at, mono_s=mono_s, values=values, flaws=flaws, requests=requests, latency_s=self.latency_s
        )

    async def _ask(self) -> tuple[list[bytes | Flaw], int]:
        """One answer, or the flaw that stands for it, per span. Raises Unreachable where the first is silence."""
        answers: list[bytes | Flaw] = []
        for span in self._spans:
            try:
                answers.append(
                    await self._bus.read(self.unit, self.profile.table, span, timeout_s=self._timeout_s)
                )
            except ExceptionAnswer as no:
                self.errors[f"exception_{no.code}"] += 1
                log.debug("%s: %s", self.name, no)
                answers.append(Flaw.EXCEPTION)
            except BusFailure as away:
                self.errors[away.kind] += 1
                if not answers:
                    raise
                log.debug("%s: %s", self.name, away)
                flaw = _FLAW_OF.get(away.kind, Flaw.TIMEOUT)
                requests = len(answers) + 1
                answers += [flaw] * (len(self._spans) - len(answers))
                return answers, requests
        return answers, len(answers)

    def _doubts(self, values: Values, flaws: Flaws) -> Flaws:
        """What physics adds; a value that already has a flaw keeps its own."""
        flawed = {position for position, _ in flaws}
        return tuple(
            (position, int(flaw))
            for position, flaw in self._physics.doubts(values, self._before)
            if position not in flawed
        )

    def _lost(self, why: Unreachable) -> None:
        self._failures += 1
        if self._failures < _FAILURES_UNTIL_SILENT:
            self.status = "degraded" if self.status != "unknown" else "unknown"
            log.debug("%s: %s", self.name, why)
            return
        if self.status != "silent":
            self.status = "silent"
            log.warning("meter %s lost: %s", self.name, why)
        self._rest_s = min(_LONGEST_REST_S, 2 * (self._rest_s or self._every_s))
        self._resting_until_s = self._clock.mono() + self._rest_s * self._rng.uniform(0.8, 1.0)

    def _answered(self, *, degraded: bool) -> None:
        if self.status == "silent":
            log.warning("meter %s back after %d failed polls", self.name, self._failures)
        self.answers += 1
        self.status = "degraded" if degraded else "ok"
        self._failures = 0
        self._rest_s = self._resting_until_s = 0.0


def _probe_first(spans: tuple[Span, ...], profile: Profile) -> tuple[Span, ...]:
    """The span that holds the probe leads: where the meter is gone, one timeout tells."""
    probe = profile.register(profile.probe).address
    return tuple(sorted(spans, key=lambda span: not span.start <= probe < span.end))
