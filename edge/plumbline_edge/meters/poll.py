"""One meter: asks for its registers, decodes and checks them, and keeps count of how it does."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from typing import Final, Literal

from plumbline.clock import Clock
from plumbline.errors import Refused, Unreachable
from plumbline.messages import DeviceHealth, Frame
from plumbline.metrics import Flaw
from plumbline_edge.meters.bus import Bus, BusFailure, ExceptionAnswer
from plumbline_edge.meters.check import Physics, latest
from plumbline_edge.meters.decode import Decoder, Flaws, Values
from plumbline_edge.meters.plan import Span, plan_reads
from plumbline_edge.meters.profile import Profile, places

log = logging.getLogger(__name__)

Status = Literal["ok", "degraded", "silent", "unknown"]

_FAILURES_UNTIL_SILENT: Final = 3
_LONGEST_REST_S: Final = 300.0


class Meter:
    """One meter on a bus, under its site's name.

    `errors` counts what went wrong since the start, by kind: a BusFailure's kind, or `exception_N`.
    `clock` times only how long a silent meter is left alone.
    """

    def __init__(
        self,
        *,
        name: str,
        profile: Profile,
        unit: int,
        bus: Bus,
        every_s: float,
        clock: Clock,
        rng: random.Random | None = None,
    ) -> None:
        self.name = name
        self.every_s = every_s
        self.profile = profile
        self.unit = unit
        self.metrics: tuple[int, ...] = tuple(metric.code for metric in profile.metrics)
        """Codes of a frame's values, in the profile's order."""
        self.errors: Counter[str] = Counter()
        self.answers = 0
        """Polls that brought at least one answer."""
        self.status: Status = "unknown"
        self.latency_s: float | None = None
        """Real seconds that the last answered poll took."""
        self._bus = bus
        self._clock = clock
        self._rng = rng or random.Random()
        max_gap = min(profile.max_gap, bus.max_gap)
        plan = plan_reads(places(profile), max_words=profile.max_registers, max_gap=max_gap)
        self._spans = _probe_first(plan, profile)
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

    def due(self, mono_s: float) -> bool:
        """Whether to ask now. After three polls in silence a meter is asked rarely: after twice its interval, then
        twice that, up to 300 s.
        """
        return mono_s >= self._resting_until_s

    def health(self) -> DeviceHealth:
        return DeviceHealth(
            name=self.name,
            status=self.status,
            answers=self.answers,
            errors=dict(self.errors),
            latency_ms=None if self.latency_s is None else round(self.latency_s * 1e3, 1),
        )

    async def close(self) -> None:
        """Let go of the wire."""
        self._bus.close()

    async def poll(self) -> Frame:
        """Ask once for everything; takes at most one timeout for each read, and stops at the first silence.

        A read without an answer costs its own metrics only: None, with the reason. Raises Unreachable where
        nothing was answered, Refused where every read was answered with an exception: there is no frame then.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            answers = await self._ask()
        except Unreachable:
            self._fell_silent()
            raise
        except Refused:
            self._spoke("degraded")
            raise
        self.answers += 1
        self.latency_s = asyncio.get_running_loop().time() - began_s
        values, flaws = self._decoder.decode(answers)
        flaws += self._doubts(values, flaws)
        self._before = latest(values, self._before)
        self._spoke("degraded" if any(isinstance(answer, Flaw) for answer in answers) else "ok")
        return Frame(device=self.name, metrics=self.metrics, values=values, flaws=flaws)

    async def _ask(self) -> list[bytes | Flaw]:
        """One answer, or the flaw that stands for it, per span."""
        answers: list[bytes | Flaw] = []
        refusal: ExceptionAnswer | None = None
        for span in self._spans:
            try:
                answers.append(await self._bus.read(self.unit, self.profile.function, span))
            except ExceptionAnswer as no:
                self.errors[f"exception_{no.code}"] += 1
                log.debug("%s: %s", self.name, no)
                answers.append(Flaw.EXCEPTION)
                refusal = no
            except BusFailure as away:
                self.errors[away.kind] += 1
                log.debug("%s: %s", self.name, away)
                if not any(isinstance(answer, bytes) for answer in answers):
                    raise
                flaw = Flaw.GARBAGE if away.kind == "garbage" else Flaw.TIMEOUT
                return answers + [flaw] * (len(self._spans) - len(answers))
        if refusal is not None and all(answer is Flaw.EXCEPTION for answer in answers):
            raise refusal
        return answers

    def _doubts(self, values: Values, flaws: Flaws) -> Flaws:
        """What physics adds; a value that already has a flaw keeps its own."""
        flawed = {position for position, _ in flaws}
        return tuple(
            (position, int(flaw))
            for position, flaw in self._physics.doubts(values, self._before)
            if position not in flawed
        )

    def _fell_silent(self) -> None:
        self._failures += 1
        if self._failures < _FAILURES_UNTIL_SILENT:
            self.status = "degraded"
            return
        self.status = "silent"
        self._rest_s = min(_LONGEST_REST_S, 2 * (self._rest_s or self.every_s))
        self._resting_until_s = self._clock.mono() + self._rest_s * self._rng.uniform(0.8, 1.0)

    def _spoke(self, status: Status) -> None:
        self.status = status
        self._failures = 0
        self._rest_s = self._resting_until_s = 0.0


def _probe_first(spans: tuple[Span, ...], profile: Profile) -> tuple[Span, ...]:
    """The span that holds the probe leads: where the meter is gone, one timeout tells."""
    probe = profile.register(profile.probe).address
    return tuple(sorted(spans, key=lambda span: not span.start <= probe < span.end))
