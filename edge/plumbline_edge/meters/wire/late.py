"""Questions that were given up and may still be answered: whose answers those are, and what they must not be taken for."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from plumbline_edge.meters.wire.pace import Pace
from plumbline_edge.meters.wire.question import Question

_TIMES: Final = 3.0
_AT_LEAST_S: Final = 1.0
"""How long an answer that was given up is reckoned with: that many timeouts, and at least so long."""
_REMEMBERED: Final = 8


@dataclass(slots=True)
class Asked:
    """A question on its way, or one that was given up and may still be answered."""

    question: Question
    transaction: int
    request: bytes
    pace: Pace
    wire_s: float
    asked_s: float
    expires_s: float = 0.0
    answer: asyncio.Future[bytes] | None = None
    odd: str = ""
    kind: str = "garbage"


class GivenUp:
    """The last questions of one wire that nobody waits for any more. `bare`: its answers do not say what they answer."""

    def __init__(self, *, bare: bool) -> None:
        self._bare = bare
        self._asked: deque[Asked] = deque(maxlen=_REMEMBERED)

    def __bool__(self) -> bool:
        return bool(self._asked)

    def add(self, asked: Asked, now_s: float, timeout_s: float) -> None:
        """One more, after `timeout_s` in vain."""
        asked.expires_s = now_s + max(_AT_LEAST_S, _TIMES * timeout_s)
        self._asked.append(asked)

    def clear(self) -> None:
        """No answer to them can come any more."""
        self._asked.clear()

    def could_answer(self, question: Question, now_s: float) -> bool:
        """Whether an answer that may still come could be taken for one to `question`."""
        while self._asked and self._asked[0].expires_s <= now_s:
            self._asked.popleft()
        return any(earlier.expires_s > now_s and question.alike(earlier.question) for earlier in self._asked)

    def take(self, received: bytearray, now_s: float) -> bool:
        """Whether what was received is, or begins with, an answer to one of them: it is taken out, and teaches the pace."""
        for earlier in self._asked:
            frame = earlier.question.judge(earlier.transaction, bytes(received)).frame
            length = earlier.question.answer_bytes
            if (
                not frame and self._bare and len(received) > length
            ):  # another answer follows in the same bytes
                frame = earlier.question.judge(earlier.transaction, bytes(received[:length])).frame
            if frame:
                place = received.find(frame)
                del received[place : place + len(frame)]
                self._asked.remove(earlier)
                earlier.pace.came_late(max(0.0, now_s - earlier.asked_s - earlier.wire_s))
                return True
        return False
