"""How one device does: whether it answers, what went wrong by kind, and when it is worth asking."""

from __future__ import annotations

import random
from collections import Counter
from typing import Final, Literal

Status = Literal["ok", "degraded", "silent", "unknown"]

_FAILURES_UNTIL_SILENT: Final = 3
_LONGEST_REST_S: Final = 300.0
_LONGEST_REST_WITHOUT_WIRE_S: Final = 30.0
"""As long as a bus waits at most between two tries to connect: where there is no wire, nobody is held up on it."""


class Standing:
    """After three polls in silence a device is asked rarely: after twice its interval, then twice that, up to 300 s.

    Where it was the wire that failed, up to 30 s: all devices on it are to be read soon after it is back.

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

    def fell_silent(self, mono_s: float, *, no_wire: bool = False) -> None:
        """One more poll without any answer; `no_wire`: nothing could be asked at all."""
        self._failures += 1
        if self._failures < _FAILURES_UNTIL_SILENT:
            self.status = "degraded"
            return
        self.status = "silent"
        self._rest(mono_s, _LONGEST_REST_WITHOUT_WIRE_S if no_wire else _LONGEST_REST_S)

    def is_no_such_meter(self, mono_s: float) -> None:
        """It answers, but has nothing that its profile asks for: a person must act, asking soon again will not help."""
        self.status = "degraded"
        self._rest(mono_s, _LONGEST_REST_S)

    def _rest(self, mono_s: float, longest_s: float) -> None:
        self._rest_s = min(longest_s, 2 * (self._rest_s or self._every_s))
        self._resting_until_s = mono_s + self._rest_s * self._rng.uniform(0.8, 1.0)

    def spoke(self, status: Literal["ok", "degraded"]) -> None:
        self.status = status
        self._failures = 0
        self.wake()

    def wake(self) -> None:
        """Ask it at the next tick again."""
        self._rest_s = self._resting_until_s = 0.0
