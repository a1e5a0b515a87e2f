"""Writes down what is heard on a bus: bytes in as they pass, lines of a tape out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from plumbline_sim.record.messages import Cutter, Direction, Framing
from plumbline_sim.record.pcap import Heard
from plumbline_sim.record.tape import Line, line_of

_PAUSE_S: Final[dict[Framing, float]] = {"tcp": 1.0, "rtu": 0.1}
"""Bytes that come later than this after the last belong to another message: far above a serial adapter's and a
network's jitter, far below a master's timeout."""


@dataclass(slots=True)
class _Side:
    cutter: Cutter
    last_s: float = 0.0


@dataclass(slots=True)
class _Talk:
    sides: dict[Direction, _Side] = field(default_factory=dict)


class Scribe:
    """Tells messages apart on every connection of one recording. A line is dated by its message's last byte."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._pause_s = _PAUSE_S[framing]
        self._talks: dict[int, _Talk] = {}

    def heard(
        self, connection: int, direction: Direction, data: bytes, t_s: float, *, server: str = ""
    ) -> list[Line]:
        """The lines that these bytes complete; earlier ones first."""
        talk = self._talks.setdefault(connection, self._new_talk())
        side = talk.sides[direction]
        lines: list[Line] = []
        for way, other in talk.sides.items():
            turn_is_over = self._framing == "rtu" and way != direction
            if turn_is_over or t_s - other.last_s > self._pause_s:
                lines += _rest(other, way, connection, server)
        side.last_s = t_s
        lines += [
            line_of(message, direction, t_s=t_s, connection=connection, server=server)
            for message in side.cutter.feed(data)
        ]
        return lines

    def closed(self, connection: int, *, server: str = "") -> list[Line]:
        """What was left unfinished when a connection ended."""
        talk = self._talks.pop(connection, _Talk())
        return [line for way, side in talk.sides.items() for line in _rest(side, way, connection, server)]

    def closed_all(self) -> list[Line]:
        """What was left unfinished when the recording ended."""
        return [line for connection in tuple(self._talks) for line in self.closed(connection)]

    def forget(self, connection: int, direction: Direction) -> None:
        """Bytes are missing: what had begun in this direction cannot be finished."""
        if connection in self._talks:
            self._talks[connection].sides[direction].cutter.rest()

    def _new_talk(self) -> _Talk:
        return _Talk({way: _Side(Cutter(self._framing, way)) for way in ("request", "answer")})


def _rest(side: _Side, way: Direction, connection: int, server: str) -> list[Line]:
    message = side.cutter.rest()
    if message is None:
        return []
    return [line_of(message, way, t_s=side.last_s, connection=connection, server=server)]


def lines_of(heard: Iterable[Heard]) -> Iterator[Line]:
    """A capture's conversations as the lines of a tape."""
    scribe = Scribe("tcp")
    servers: dict[int, str] = {}
    for said in heard:
        servers[said.connection] = said.server
        if said.after_a_hole:
            scribe.forget(said.connection, said.direction)
        yield from scribe.heard(said.connection, said.direction, said.data, said.t_s, server=said.server)
    for connection, server in servers.items():
        yield from scribe.closed(connection, server=server)
