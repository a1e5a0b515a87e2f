"""How long an answer is waited for, and how large a batch may be on this link.

Patience is RFC 6298's: smoothed time to an answer plus four times its deviation, doubled by each silence; a batch that
was sent twice measures nothing (Karn), and only one that was sent once ends the doubling. The size of a batch grows
while answers come without much waiting in the link, and is halved by a timeout or a slow answer (AIMD): what is on its
way then holds a live reading up for a few seconds at most, however thin the link.
"""

from __future__ import annotations

import random
from typing import Final

from plumbline_edge.uplink.window import HURRIES, Flight

FIRST_PATIENCE_S: Final = 10.0
LONGEST_PATIENCE_S: Final = 300.0
FIRST_BYTES: Final = 32 * 1024
LEAST_BYTES: Final = 2 * 1024
MOST_BYTES: Final = 512 * 1024
_STEP_BYTES: Final = 8 * 1024
_QUICK_S: Final = 2.0
_SLOW_S: Final = 8.0
"""Both count from the quickest answer on this connection: a satellite's two seconds are no queue."""


class Pace:
    """What the answers so far say about one link; all sizes are of payloads."""

    def __init__(self, *, first_s: float = FIRST_PATIENCE_S, longest_s: float = LONGEST_PATIENCE_S) -> None:
        self.batch_bytes = FIRST_BYTES
        self.smoothed_s: float | None = None
        self._deviation_s = 0.0
        self._first_s = first_s
        self._longest_s = longest_s
        self._quickest_s: float | None = None
        self._silences = 0
        self._silent_since = float("-inf")
        self._halved_at = float("-inf")
        self._doubling = True

    @property
    def backlog_bytes(self) -> int:
        """How much may be on its way before backlog or photos add to it."""
        return 2 * self.batch_bytes

    def is_large(self, size: int) -> bool:
        """A single record, a photo, may be larger than any batch should be."""
        return size > 2 * self.batch_bytes

    @property
    def out_of_order_s(self) -> float:
        """How much later than a batch that was sent after it an answer may still come (a quarter, as in RFC 8985)."""
        return (self._quickest_s or 0.0) / 4

    def patience_s(self, attempt: int, behind: int = 0) -> float:
        """How long to wait for the answer to a batch; `behind` so many bytes where some of them are a large batch's."""
        patience = self._first_s
        if self.smoothed_s is not None:
            patience = max(self._first_s, 2 * self.smoothed_s, self.smoothed_s + 4 * self._deviation_s)
        patience += _SLOW_S * behind / self.backlog_bytes
        return min(self._longest_s, patience * 2.0 ** min(max(self._silences, attempt - 1 - HURRIES), 16))

    def reconnected(self) -> None:
        """Another connection, perhaps another path; what the link carries is likely what it carried."""
        self._quickest_s = None
        self._silences = 0

    def answered(self, now: float, flight: Flight) -> None:
        """Central's answer to this batch; to be told only of the newest of several that came with one answer."""
        took_s = now - flight.sent_at
        if flight.attempt > 1:
            if self._quickest_s is not None and self.smoothed_s is not None and took_s < self._quickest_s:
                # too quick: it answers an earlier attempt, so patience may be too short; which one, nobody knows
                self._smooth(min(now - flight.first_sent_at, 2 * self.smoothed_s))
            return
        self._silences = 0
        if flight.crowded:
            return
        self._smooth(took_s)
        self._quickest_s = took_s if self._quickest_s is None else min(took_s, self._quickest_s)
        if took_s > max(_SLOW_S, self._quickest_s + _SLOW_S - _QUICK_S):
            self._halve(now, flight)
        elif took_s < self._quickest_s + _QUICK_S and 2 * flight.size >= self.batch_bytes:
            more = self.batch_bytes if self._doubling else _STEP_BYTES
            self.batch_bytes = min(MOST_BYTES, self.batch_bytes + more)

    def timed_out(self, now: float, flight: Flight, *, heard: bool) -> None:
        """No answer in time; `heard`: others were answered since it was sent.

        Batches that were on their way together are one silence.
        """
        if not heard and flight.sent_at >= self._silent_since:
            self._silences += 1
            self._silent_since = now
        self._halve(now, flight)

    def _smooth(self, took_s: float) -> None:
        if self.smoothed_s is None:
            self.smoothed_s, self._deviation_s = took_s, took_s / 2
        else:
            self._deviation_s += (abs(self.smoothed_s - took_s) - self._deviation_s) / 4
            self.smoothed_s += (took_s - self.smoothed_s) / 8

    def _halve(self, now: float, flight: Flight) -> None:
        """Once for all that was sent before it could show."""
        if flight.sent_at >= self._halved_at:
            self.batch_bytes = max(LEAST_BYTES, self.batch_bytes // 2)
            self._halved_at = now
            self._doubling = False


def reconnect_wait_s(failures: int, chance: random.Random) -> float:
    """Full jitter: somewhere between half a second and a bound that doubles from 4 s to 60 s.

    500 gateways whose broker came back are spread over seconds, over a minute where it cannot take them all.
    """
    return chance.uniform(0.5, min(60.0, max(4.0, 2.0 ** min(failures, 10))))
