"""Answers requests as a recorded bus did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from plumbline_sim.meter.rtuframe import rtu_frame
from plumbline_sim.record.messages import Framing, Message, read_message, tcp_frame
from plumbline_sim.record.tape import Exchange, Tape

_GATEWAY_TARGET_SILENT: Final = 11

Key = tuple[int, bytes] | bytes
"""A request without its transaction: unit and PDU, or all of its bytes where it is no whole frame."""


@dataclass(slots=True, kw_only=True)
class Unknown:
    """A request that the recording does not have: how often it came, and when first."""

    request: Message
    times: int
    first_s: float


@dataclass(slots=True)
class _Track:
    """What came back on one request, over and over."""

    exchanges: list[Exchange]
    at: int = 0


class Player:
    """A recording as the far end of a bus.

    Each distinct request has its own answers, given in recorded order. After the last it is repeated, or with `loop`
    the first comes again. `framing` is the wire's; the recording's own where None. `server` plays one of several.
    """

    def __init__(
        self, tape: Tape, *, framing: Framing | None = None, server: str | None = None, speed: float = 1.0, loop: bool = False,
    ) -> None:  # fmt: skip
        self.framing: Framing = framing or tape.framing
        self.answered = 0
        self.left_silent = 0
        """Requests that the recorded bus did not answer either."""
        self.unknown: dict[Key, Unknown] = {}
        self._recorded_as = tape.framing
        self._speed = speed
        self._loop = loop
        self._tracks: dict[Key, _Track] = {}
        self._whole: set[bytes] = set()
        for exchange in tape.exchanges:
            if server is None or exchange.server == server:
                self._tracks.setdefault(_key(exchange.request), _Track([])).exchanges.append(exchange)
                self._whole.add(self._as_asked(exchange.request))

    def is_whole(self, received: bytes) -> bool:
        """Whether the bytes are a request of the recording, on a wire that does not say where one ends."""
        return received in self._whole

    def answer(self, request: bytes, now_s: float) -> tuple[float, bytes | None]:
        """In how many seconds to send which bytes; None is silence. `now_s` dates what was never recorded."""
        asked = read_message(self.framing, request)
        key = _key(asked)
        track = self._tracks.get(key)
        if track is None:
            self.unknown.setdefault(key, Unknown(request=asked, times=0, first_s=now_s)).times += 1
            return 0.0, self._nobody(asked)
        exchange = track.exchanges[track.at]
        if track.at + 1 < len(track.exchanges):
            track.at += 1
        elif self._loop:
            track.at = 0
        if exchange.answer is None:
            self.left_silent += 1
            return 0.0, None
        self.answered += 1
        return exchange.delay_s / self._speed, self._as_answered(asked, exchange.request, exchange.answer)

    def _nobody(self, asked: Message) -> bytes | None:
        if asked.transaction is None:
            return None
        return tcp_frame(asked.transaction, asked.unit, bytes((asked.pdu[0] | 0x80, _GATEWAY_TARGET_SILENT)))

    def _as_asked(self, recorded: Message) -> bytes:
        """A recorded request as a serial master sends it."""
        if recorded.pdu and self._recorded_as == "tcp":
            return rtu_frame(recorded.unit, recorded.pdu)
        return recorded.raw

    def _as_answered(self, asked: Message, recorded: Message, answer: Message) -> bytes:
        """The recorded answer on this wire. A transaction that did not fit the recorded request does not fit now."""
        if not answer.pdu:
            return answer.raw
        if self.framing == "rtu":
            return answer.raw if self._recorded_as == "rtu" else rtu_frame(answer.unit, answer.pdu)
        if asked.transaction is None:
            return answer.raw
        off = (answer.transaction or 0) - (recorded.transaction or 0)
        return tcp_frame((asked.transaction + off) & 0xFFFF, answer.unit, answer.pdu)


def _key(request: Message) -> Key:
    return (request.unit, request.pdu) if request.pdu else request.raw
