"""How long one device is waited for: four times its smoothed latency, within bounds."""

from __future__ import annotations

from typing import Final

_SHARE: Final = 1 / 8
_TIMES: Final = 4.0
_SHORTEST_S: Final = 0.2


class Pace:
    """Learns from a device's answers. Seconds are real ones, without the time that bytes need on the wire.

    `longest_s` is what a site file allows; until the first answer it is also what a device gets.
    """

    __slots__ = ("_factor", "_late_s", "_longest_s", "late", "smoothed_s")

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._factor = 1.0
        self.smoothed_s: float | None = None
        self.late = 0
        """Answers that came when nobody waited any more."""
        self._late_s = 0.0

    @property
    def timeout_s(self) -> float:
        """How long to wait now."""
        if self.smoothed_s is None:
            return self._longest_s
        shortest_s = min(_SHORTEST_S, self._longest_s)
        return min(self._longest_s, self._factor * max(shortest_s, _TIMES * self.smoothed_s))

    @property
    def within_reach(self) -> bool:
        """Whether the last late answer would have been in time for the longest wait that is allowed."""
        return self._late_s < self._longest_s

    def answered(self, took_s: float) -> None:
        """One answer in time."""
        self._factor = 1.0
        old_s = self.smoothed_s
        self.smoothed_s = took_s if old_s is None else old_s + _SHARE * (took_s - old_s)

    def came_late(self, took_s: float) -> None:
        """An answer that nobody waited for: the device is slower than was thought, not gone."""
        self.late += 1
        self._late_s = took_s
        self.smoothed_s = max(took_s, self.smoothed_s or 0.0)

    def silent(self) -> None:
        """No answer within the timeout: wait twice as long next time."""
        self._factor = min(2 * self._factor, 64.0)
