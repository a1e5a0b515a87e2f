"""Asks a serial wire for the addresses of its DL/T 645 meters; the search itself is `dlt645_search`'s."""

from __future__ import annotations

from typing import Final

from plumbline_edge.meters.bus import Bus
from plumbline_edge.meters.dlt645 import ReadAddress
from plumbline_edge.meters.dlt645_search import Heard, Searched, heard, search_addresses
from plumbline_edge.meters.failure import BusFailure
from plumbline_edge.meters.frames import Verdict
from plumbline_edge.meters.pace import Pace
from plumbline_edge.meters.question import Question

TIMEOUT_S: Final = 0.6
"""DL/T 645-2007, 5.4: a meter answers within half a second."""
_MOST: Final = 600
"""Questions; six times that a collision, or noise, is followed up."""


async def search(bus: Bus) -> Searched:
    """Every address on the wire, as far as collisions allow. Raises BusFailure where the wire is gone."""
    steps = search_addresses(most=_MOST)
    try:
        step = next(steps)
        while True:
            step = steps.send(await _listen(bus, step.ask))
    except StopIteration as end:
        found: Searched = end.value
        return found


async def _listen(bus: Bus, address: str) -> Heard:
    """Whatever comes within the time an answer may take: several meters may speak at once."""
    question = _Everybody(address)
    try:
        await bus.once(question, Pace(TIMEOUT_S))
    except BusFailure as silence:
        if silence.kind in ("connection", "reset"):
            raise
    return heard(question.received)


class _Everybody:
    """A question that no single answer ends."""

    __slots__ = ("_inner", "received")

    def __init__(self, address: str) -> None:
        self._inner = ReadAddress(address=address)
        self.received = b""

    @property
    def whom(self) -> str:
        return self._inner.whom

    @property
    def what(self) -> str:
        return self._inner.what

    @property
    def answer_bytes(self) -> int:
        return self._inner.answer_bytes

    def request(self, transaction: int) -> bytes:
        return self._inner.request(transaction)

    def judge(self, transaction: int, received: bytes) -> Verdict:  # noqa: ARG002 - the protocol has no such number
        if len(received) > len(self.received):  # asked again later about other bytes, it keeps its own
            self.received = received
        return Verdict()

    def payload(self, frame: bytes) -> bytes:
        return frame

    def alike(self, other: Question) -> bool:  # noqa: ARG002 - what comes late is told from the address
        return False
