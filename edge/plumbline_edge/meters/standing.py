"""How one device does: whether it answers, what went wrong by kind, and when it is worth asking."""

from __future__ import annotations

import random
from collections import Counter
from typing import Final, Literal

Status = Literal["ok", "degraded", "silent", "unknown"]

_FAILURES_UNTIL_SILENT: Final = 3
_LONGEST_REST_S: Final = 300.0


class Standing:
    """After three polls in silence a device is asked rarely: after twice its interval, then twice that, up to 300 s.

    `errors` counts what went wrong since the start, by kind: a BusFailure's kind, or `exception_N`.
    """

    def __init__(self, every_s: float, rng: random.Random) -> None:
        self.errors: Counter[str] = Counter()
        self.answers = 0
        """Polls that brought at least one answer."""
        self.status: Status = "unknown"
        self._every_s = every_s
        self._rng = rng
        self._failures = 0
        self._rest_s = 0.0
        self._resting_until_s = 0.0

    def due(self, mono_s: float) -> bool:
        """Whether to ask now."""
        return mono_s >= self._resting_until_s

    def fell_silent(self, mono_s: float) -> None:
        """One more poll without any answer."""
        self._failures += 1
        if self._failures < _FAILURES_UNTIL_SILENT:
            self.status = "degraded"
            return
        self.status = "silent"
        self._rest_s = min(_LONGEST_REST_S, 2 * (self._rest_s or self._every_s))
        self._resting_until_s = mono_s + self._rest_s * self._rng.uniform(0.8, 1.0)

    def spoke(self, status: Literal["ok", "degraded"]) -> None:
        self.status = status
        self._failures = 0
        self.wake()

    def wake(self) -> None:
        """Ask it at the next tick again."""
        self._rest_s = self._resting_until_s = 0.0
