"""Listens in on a line: every request and answer, byte by byte, with the time between them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Literal

from plumbline_edge.meters.wire.line import Ears, Line, Opener

_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Bytes that were sent (`request`) or came (`answer`), and when, in seconds of the loop."""

    way: Literal["request", "answer"]
    data: bytes
    at_s: float


@dataclass(slots=True)
class Tapped:
    """What went over the lines that `tap` opened, oldest first; bytes that came in pieces stand together."""

    heard: list[Heard] = field(default_factory=list)

    def tap(self, opener: Opener) -> Opener:
        """See line.Tap."""

        async def open_(ears: Ears) -> Line:
            return _Line(await opener(_Ears(ears, self)), self)

        return open_

    def note(self, way: Literal["request", "answer"], data: bytes) -> None:
        now_s = asyncio.get_running_loop().time()
        if way == "answer" and self.heard and self.heard[-1].way == way:
            before = self.heard.pop()
            data, now_s = (before.data + data)[:_LONGEST], before.at_s
        self.heard.append(Heard(way=way, data=data, at_s=now_s))

    def lines(self) -> list[str]:
        """In hex, each answer with the milliseconds it took."""
        said, asked_s = [], 0.0
        for one in self.heard:
            if one.way == "request":
                asked_s = one.at_s
                said.append(f"> {one.data.hex(' ')}")
            else:
                said.append(f"< {one.data.hex(' ')}  ({1e3 * (one.at_s - asked_s):.0f} ms)")
        return said


class _Ears:
    def __init__(self, ears: Ears, tapped: Tapped) -> None:
        self._ears, self._tapped = ears, tapped

    def heard(self, data: bytes) -> None:
        self._tapped.note("answer", data)
        self._ears.heard(data)

    def lost(self, why: str) -> None:
        self._ears.lost(why)


class _Line:
    def __init__(self, line: Line, tapped: Tapped) -> None:
        self._line, self._tapped = line, tapped

    def send(self, data: bytes) -> None:
        self._tapped.note("request", data)
        self._line.send(data)

    def close(self) -> None:
        self._line.close()
