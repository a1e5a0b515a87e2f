"""Finds the addresses of all DL/T 645 meters on a wire by asking for ever more of their last digits.

Everybody whose last digits fit answers at once, so where several do, their answers destroy each other. The standard
(section 5.2.2, shortened addresses) compares whole bytes: two digits more are given each time, a hundred ways.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, Literal

from plumbline_edge.meters.dlt645 import ANYBODY, address_text, frames_in

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

    A meter that drowns out another one with the same last digits hides it: only a collision that shows as one is
    followed up. Noise on the wire costs a hundred questions, once for each time it comes.
    """
    found: dict[str, None] = {}
    open_ends = [ANYBODY]
    unresolved: list[str] = []
    asked = 0
    while open_ends:
        if asked >= most:
            return Searched(found=tuple(found), asked=asked, unresolved=(*unresolved, *open_ends))
        ask = open_ends.pop(0)
        asked += 1
        answer = yield Step(ask=ask, found=tuple(found), asked=asked, left=len(open_ends))
        found.update(dict.fromkeys(answer.found))
        if answer.kind != "collision":
            continue
        known = ask.lstrip("A")
        if len(known) == 12:
            unresolved.append(ask)
        open_ends += [(pair + known).rjust(12, "A") for pair in _PAIRS if len(known) < 12]
    return Searched(found=tuple(found), asked=asked, unresolved=tuple(unresolved))
