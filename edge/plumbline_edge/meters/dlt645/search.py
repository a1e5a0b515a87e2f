"""Finds the addresses of all DL/T 645 meters on a wire by asking for ever more of their last digits.

Everybody whose last digits fit answers at once, so where several do, their answers destroy each other. The standard
(section 5.2.2, shortened addresses) compares whole bytes: two digits more are given each time, a hundred ways.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Literal

from plumbline_edge.meters.dlt645.frames import ANYBODY, address_text, frames_in

_ADDRESS_ANSWER: Final = 0x93
_PAIRS: Final = tuple(f"{pair:02d}" for pair in range(100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a wire said to one question for addresses: `found` are the ones that came through whole."""

    kind: Literal["nothing", "one", "collision"]
    found: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next question, and where the search stands: `left` questions are certain to follow this one."""

    ask: str
    found: tuple[str, ...]
    asked: int
    left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """`unresolved` are addresses that several meters still answered to; empty: every meter was found."""

    found: tuple[str, ...]
    asked: int
    unresolved: tuple[str, ...] = ()


def heard(received: bytes) -> Heard:
    """What the bytes that came within one timeout after ReadAddress mean; our own question's echo is no answer."""
    frames, noise = frames_in(received)
    answers = [frame for frame in frames if frame[8] == _ADDRESS_ANSWER and len(frame) == 18]
    found = tuple(dict.fromkeys(address_text(frame[1:7]) for frame in answers))
    if len(found) == 1 and not noise:
        return Heard(kind="one", found=found)
    return Heard(kind="collision" if noise or found else "nothing", found=found)


def search_addresses(*, most: int = 3_000) -> Generator[Step, Heard, Searched]:
    """Yields each question to ask, is sent what was heard, and returns the addresses; `most` bounds the questions.

    Several answers at once can look like one of a meter that does not exist, checksum and all: whoever was heard is
    called by its whole address, and counts only if it answers. A meter that drowns out others with the same last
    digits hides them. Noise costs a hundred questions each time it comes.
    """
    found: dict[str, None] = {}
    unresolved: list[str] = []
    queue: list[tuple[str, str]] = [(ANYBODY, "")]  # whom to ask, and whose answer that is to confirm
    asked = 0
    while queue and asked < most:
        ask, heard_at = queue.pop(0)
        asked += 1
        answer = yield Step(ask=ask, found=tuple(found), asked=asked, left=len(queue))
        if ask in answer.found and answer.kind == "one":
            found[ask] = None
        elif answer.kind == "one" and not heard_at:
            queue[:0] = [(address, ask) for address in answer.found if address not in found]
        elif heard_at or answer.kind == "collision":
            doubtful = heard_at or ask
            queue += [(address, "") for address in _longer(doubtful)]
            unresolved += [ask] if "A" not in doubtful else []
    return Searched(found=tuple(found), asked=asked, unresolved=(*unresolved, *(ask for ask, _ in queue)))


def _longer(address: str) -> list[str]:
    """The hundred addresses with two digits more; none where all are known."""
    known = address.lstrip("A")
    return [(pair + known).rjust(12, "A") for pair in _PAIRS] if len(known) < 12 else []
