"""One request and how its answer is known, whatever the protocol and the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Oddity = Literal["garbage", "crc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`frame` is the answer, empty while there is none. `odd` says what came instead; more may follow.

    `hopeless`: the bytes cannot be followed any further, and waiting is in vain. `kind` sorts what is odd.
    """

    frame: bytes = b""
    odd: str = ""
    hopeless: bool = False
    kind: Oddity = "garbage"


class Question(Protocol):
    """One request, and how its answer is known; whatever the protocol."""

    @property
    def whom(self) -> str:
        """Who is asked, for messages: "unit 5"."""
        ...

    @property
    def what(self) -> str:
        """What is asked for, for messages: "registers 0-35"."""
        ...

    @property
    def answer_bytes(self) -> int:
        """How long the answer is on the wire, to know how long it takes there."""
        ...

    def request(self, transaction: int) -> bytes:
        """The bytes to send; `transaction` is 0..65535 and unlike the last ones of this wire."""
        ...

    def judge(self, transaction: int, received: bytes) -> Verdict:
        """Judge all bytes that came since the request."""
        ...

    def payload(self, frame: bytes) -> bytes:
        """What the answer holds. Raises ExceptionAnswer, or BusFailure where a gateway says that nobody is there."""
        ...

    def alike(self, other: Question) -> bool:
        """Whether an answer to `other` could be taken for an answer to this."""
        ...
