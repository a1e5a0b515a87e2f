"""Lets time pass for the alerts: silence is noticed although no message says so."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from plumbline.clock import Clock
from plumbline.errors import PlumblineError
from plumbline_central.alerts.evaluate import Evaluator

log = logging.getLogger(__name__)

_LEAST_REAL_S: Final = 0.25  # a clock at thousands of times real time shall not keep a core busy


class EvaluationTimer:
    """Evaluates every `every_s` of the clock's time, and soon after each `wake`."""

    def __init__(
        self, evaluator: Evaluator, clock: Clock, every_s: float, *, least_real_s: float = _LEAST_REAL_S
    ) -> None:
        self._evaluator = evaluator
        self._clock = clock
        self._every_s = every_s
        self._least_real_s = least_real_s
        self._failures = 0
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Something changed: do not wait for the next time. Call it in the loop."""
        self._wanted.set()

    async def run(self) -> None:
        """Evaluate for ever; a failure is said and the next time tried again."""
        while True:
            await asyncio.gather(self._next(), asyncio.sleep(self._least_real_s))
            self._wanted.clear()
            try:
                await asyncio.to_thread(self._evaluator.tick, self._clock.wall())
            except PlumblineError as error:
                log.log(logging.DEBUG if self._failures else logging.WARNING, "evaluation: %s", error)
                self._failures += 1
            except Exception:
                log.exception("evaluation failed")
                self._failures += 1
            else:
                if self._failures:
                    log.warning("evaluation works again after %d failures", self._failures)
                self._failures = 0

    async def _next(self) -> None:
        """Return when it is time, or somebody wants it."""
        waits = [
            asyncio.ensure_future(one) for one in (self._clock.sleep(self._every_s), self._wanted.wait())
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
