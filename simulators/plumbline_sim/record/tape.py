"""A recorded bus as a file: one JSON object a line, and which answer belongs to which request."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from plumbline.errors import ConfigError
from plumbline_sim.record.messages import Direction, Framing, Message, meaning, read_message

Protocol = Literal["tcp", "rtu", "rtu_over_tcp"]

_VERSION: Final = 1
MOST_FILE_BYTES: Final = 1 << 29
"""Longer tapes are neither written nor played."""
_MOST_LINE_BYTES: Final = 4096
_MOST_ANSWER_BYTES: Final = 4096
_MOST_LINES: Final = 4_000_000
_HINT: Final = "`plumbline sim record` writes such files; mend the line, or record again."


class Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tape's first line."""

    tape: int = _VERSION
    protocol: Protocol


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message on the bus. `t_s`: when its last byte passed, seconds since the recording began.

    `hex` is what counts; the fields from `unit` on repeat it for people and are never read back.
    """

    t_s: float
    dir: Direction
    hex: str
    connection: int = 0
    server: str = ""
    """Who was asked, HOST:PORT, where the recording has more than one."""
    unit: int | None = None
    function: int | None = None
    start: int | None = None
    count: int | None = None
    exception: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came back `delay_s` after it; None: nothing did."""

    server: str
    request: Message
    answer: Message | None
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """A whole recording, its requests in order. `unasked` answers belong to no request of it and are not played."""

    protocol: Protocol
    exchanges: tuple[Exchange, ...]
    unasked: int = 0

    @property
    def framing(self) -> Framing:
        return framing_of(self.protocol)

    @property
    def servers(self) -> tuple[str, ...]:
        """Everyone who was asked, in order of the first request."""
        return tuple(dict.fromkeys(exchange.server for exchange in self.exchanges))


_T = TypeVar("_T", Head, Line)


def framing_of(protocol: Protocol) -> Framing:
    """How messages are told apart on the wire."""
    return "tcp" if protocol == "tcp" else "rtu"


def line_of(message: Message, direction: Direction, *, t_s: float, connection: int, server: str = "") -> Line:
    """The line that keeps a message."""
    says = meaning(message, direction)
    return Line(
        t_s=round(t_s, 6), dir=direction, hex=message.raw.hex(), connection=connection, server=server,
        unit=says.unit, function=says.function, start=says.start, count=says.count, exception=says.exception,
    )  # fmt: skip


def to_text(value: Head | Line) -> bytes:
    """A line of the file, its end included."""
    if isinstance(value, Head):
        return b'{"tape":%d,"protocol":"%s"}\n' % (value.tape, value.protocol.encode())
    return msgspec.json.encode(value) + b"\n"


def load_tape(path: Path) -> Tape:
    """The recording in a file. Raises ConfigError that names the line; an unfinished last line is left out."""
    try:
        size = path.stat().st_size
        if size > MOST_FILE_BYTES:
            raise ConfigError(
                f"{path}: {size >> 20} MiB are too much to play", hint="Record for a shorter time."
            )
        with path.open("rb") as file:
            return _tape(str(path), iter(lambda: file.readline(_MOST_LINE_BYTES + 1), b""))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="Name a file that `plumbline sim record` wrote."
        ) from None


def _tape(name: str, texts: Iterator[bytes]) -> Tape:
    head = _read(f"{name}:1", next(texts, b"\n"), Head)
    if head.tape != _VERSION:
        raise ConfigError(f"{name}:1: tape is {head.tape}, this version reads {_VERSION}", hint=_HINT)
    return pair(head.protocol, _lines(name, texts))


def _lines(name: str, texts: Iterator[bytes]) -> Iterator[Line]:
    for number, text in enumerate(texts, start=2):
        where = f"{name}:{number}"
        if number > _MOST_LINES:
            raise ConfigError(f"{where}: more lines than can be played", hint="Record for a shorter time.")
        if not text.endswith(b"\n"):
            if len(text) > _MOST_LINE_BYTES:
                raise ConfigError(f"{where}: longer than {_MOST_LINE_BYTES} bytes", hint=_HINT)
            return  # the recorder was killed while it wrote this one
        line = _read(where, text, Line)
        if not math.isfinite(line.t_s) or line.t_s < 0:
            raise ConfigError(
                f"{where}: t_s: expected seconds since the beginning, got {line.t_s}", hint=_HINT
            )
        try:
            raw = bytes.fromhex(line.hex)
        except ValueError:
            raw = b""
        if not raw:
            raise ConfigError(
                f"{where}: hex: expected bytes in hexadecimal, got {line.hex[:40]!r}", hint=_HINT
            )
        yield line


def _read(where: str, text: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: {error}", hint=_HINT) from None


def pair(protocol: Protocol, lines: Iterable[Line]) -> Tape:
    """The exchanges in lines that came in the order of their bytes' end.

    On TCP an answer belongs to its connection's newest request with its transaction. An answer with a transaction that
    nobody waits for belongs to the request just before it, if that got no other. On a serial bus an answer belongs to
    the request before it. What is no whole frame, or follows such a request, is more of the answer before it.
    """
    return _Pairing(protocol).of(lines)


@dataclass(slots=True)
class _Talk:
    """One connection: its newest request, and its newest open one by transaction; positions in the tape."""

    last: int | None = None
    open: dict[int | None, int] = field(default_factory=dict)


class _Pairing:
    def __init__(self, protocol: Protocol) -> None:
        self._protocol: Protocol = protocol
        self._framing = framing_of(protocol)
        self._exchanges: list[Exchange] = []
        self._asked_s: list[float] = []
        self._strangers: list[tuple[int, Message, float]] = []
        self._unasked = 0

    def of(self, lines: Iterable[Line]) -> Tape:
        talks: dict[int, _Talk] = defaultdict(_Talk)
        for line in lines:
            message = read_message(self._framing, bytes.fromhex(line.hex))
            if line.dir == "request":
                self._ask(talks[line.connection], message, line)
            else:
                self._answer(talks[line.connection], message, line.t_s)
        for at, message, t_s in self._strangers:
            if self._exchanges[at].answer is None:
                self._join(at, message, t_s)
            else:
                self._unasked += 1
        return Tape(protocol=self._protocol, exchanges=tuple(self._exchanges), unasked=self._unasked)

    def _ask(self, talk: _Talk, request: Message, line: Line) -> None:
        talk.last = talk.open[request.transaction] = len(self._exchanges)
        self._exchanges.append(Exchange(server=line.server, request=request, answer=None, delay_s=0.0))
        self._asked_s.append(line.t_s)

    def _answer(self, talk: _Talk, answer: Message, t_s: float) -> None:
        if talk.last is None:
            self._unasked += 1
        elif answer.transaction is None or not self._exchanges[talk.last].request.pdu:
            self._join(talk.last, answer, t_s)
        elif (at := talk.open.pop(answer.transaction, None)) is not None:
            self._join(at, answer, t_s)
        else:  # decided when it is known whether the request before it got its own
            self._strangers.append((talk.last, answer, t_s))

    def _join(self, at: int, answer: Message, t_s: float) -> None:
        exchange = self._exchanges[at]
        if exchange.answer is not None:
            if len(exchange.answer.raw) > _MOST_ANSWER_BYTES:
                self._unasked += 1
                return
            answer = read_message(self._framing, exchange.answer.raw + answer.raw)
        delay_s = max(0.0, t_s - self._asked_s[at])
        self._exchanges[at] = replace(exchange, answer=answer, delay_s=delay_s)
