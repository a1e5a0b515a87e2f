"""Asks a serial wire for the addresses of its DL/T 645 meters; the search itself is `dlt645_search`'s."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from plumbline_edge.meters.dlt645.frames import ReadAddress
from plumbline_edge.meters.dlt645.search import Heard, Searched, heard, search_addresses
from plumbline_edge.meters.wire.bus import Bus
from plumbline_edge.meters.wire.failure import BusFailure
from plumbline_edge.meters.wire.pace import Pace
from plumbline_edge.meters.wire.question import Question, Verdict

TIMEOUT_S: Final = 0.6
"""DL/T 645-2007, 5.4: a meter answers within half a second."""
_MOST: Final = 300
"""Questions; a collision costs a hundred."""
_WAKE_UP: Final = b"\xfe\xfe"
_MARK: Final = 0x68


async def search(
    bus: Bus, told: Callable[[int], None] = lambda _: None, *, timeout_s: float = TIMEOUT_S
) -> Searched:
    """Every address on the wire, as far as collisions allow. Raises BusFailure where the wire is gone.

    `told` hears before each question how many are certain to follow it.
    """
    steps = search_addresses(most=_MOST)
    try:
        step = next(steps)
        while True:
            told(step.left)
            step = steps.send(await _listen(bus, step.ask, timeout_s))
    except StopIteration as end:
        found: Searched = end.value
        return found


async def _listen(bus: Bus, address: str, timeout_s: float) -> Heard:
    """Whatever comes within the time an answer may take: several meters may speak at once."""
    question = _Everybody(address)
    try:
        await bus.once(question, Pace(timeout_s))
    except BusFailure as silence:
        if silence.kind in ("connection", "reset"):
            raise
    came = heard(question.received)
    if came.kind == "collision" and not came.found and not _like_dlt645(question.received):
        return Heard(
            kind="nothing"
        )  # noise, or a late answer of another protocol: not worth a hundred questions
    return came


def _like_dlt645(received: bytes) -> bool:
    """Whether any of it looks like a piece of an answer: wake-up bytes, or the two marks at their distance."""
    marks = (at for at, byte in enumerate(received) if byte == _MARK)
    return _WAKE_UP in received or any(received[at + 7 : at + 8] == bytes((_MARK,)) for at in marks)


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
