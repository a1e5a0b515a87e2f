"""DL/T 645-2007 frames: questions that only read, and the answer to each found in whatever bytes came back.

A frame is 68H, six bytes of address, 68H, a control code, the data's length, the data with 33H added to each byte,
the sum of all that, 16H. Up to four FEH before it wake the receiver. Every number goes low byte first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from plumbline.errors import ConfigError, Refused
from plumbline_edge.meters.wire.failure import ExceptionAnswer
from plumbline_edge.meters.wire.question import Question, Verdict

ANYBODY: Final = "A" * 12
"""The address that every meter on the wire answers to."""

_START, _END, _SHIFT = 0x68, 0x16, 0x33
_MOST_DATA: Final = 200
_WAKE_UP: Final = b"\xfe" * 4
_AROUND: Final = 12  # bytes of a frame that are not data
_READ, _READ_MORE, _READ_ADDRESS = 0x11, 0x12, 0x13
READS: Final = frozenset((_READ, _READ_MORE, _READ_ADDRESS))
_ANSWER, _ERROR, _MORE = 0x80, 0xC0, 0x20
_BROADCAST: Final = "9" * 12
_ADDRESS: Final = re.compile(r"(?:AA)*[0-9]*")
_LONGEST_NOISE: Final = 1_024  # the longest answer has 216 bytes; after this many it will not come any more

ERRORS: Final[tuple[tuple[str, str], ...]] = (
    ("other error", "Ask the meter for something else; if it refuses everything, it is locked or broken."),
    ("no such data", "This meter does not have that value; a single-phase meter has no L2 and L3."),
    (
        "not authorised",
        "The meter wants a password; reading needs none by the standard: see its maker's manual.",
    ),
    ("speed cannot be changed", "Nothing to do: Plumbline never asks for that."),
    ("too many year zones", "Nothing to do: Plumbline never asks for that."),
    ("too many day slots", "Nothing to do: Plumbline never asks for that."),
    ("too many tariffs", "Nothing to do: Plumbline never asks for that."),
)
"""What the bits of an error word mean, lowest first, and what to do."""


def as_address(label: str) -> str:
    """The 12 digits of an address as written on a meter; one that is shorter gets its zeros in front.

    Raises ConfigError.
    """
    digits = re.sub(r"[\s-]", "", label)
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 12 or digits == _BROADCAST:
        raise ConfigError(
            f"{label!r} is no DL/T 645 address",
            hint="Copy the up to 12 digits from the meter's label or its display; twelve nines call everybody.",
        )
    return digits.zfill(12)


def address_text(sent: bytes) -> str:
    """Six bytes of address as the 12 digits on the label, A where any digit would do."""
    return sent[::-1].hex().upper()


def request_frame(control: int, address: str, data: bytes = b"") -> bytes:
    """A whole question, wake-up bytes included. Raises Refused for a control code that does more than read.

    `address` has 12 digits. Two by two, the first ones may be A: any meter whose last digits fit is asked then.
    """
    if control not in READS:
        raise Refused(f"control code {control:02X}H writes; Plumbline only reads meters")
    if len(address) != 12 or not _ADDRESS.fullmatch(address) or address == _BROADCAST:
        raise ConfigError(f"{address!r} is no DL/T 645 address", hint="It has 12 digits, the first may be A.")
    body = bytes((_START, *bytes.fromhex(address)[::-1], _START, control, len(data))) + _shifted(data, _SHIFT)
    return _WAKE_UP + body + bytes((sum(body) & 0xFF, _END))


def only_asks(sent: bytes) -> bool:
    """Whether bytes on their way to a wire are one whole question that changes nothing in a meter."""
    frame = sent.lstrip(b"\xfe")
    return len(sent) - len(frame) <= len(_WAKE_UP) and _whole(frame, 0) == frame and frame[8] in READS


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the answer to a question looks like: who may give it, to which control code, about what.

    `about` are the data's first bytes (the data identifier, low byte first), `sequence` is its last byte; without
    `about` the answer is an address.
    """

    address: str
    control: int
    about: bytes = b""
    sequence: bytes = b""


def find_answer(expected: Expected, received: bytes) -> Verdict:
    """Judge all bytes that came since the question. A frame is taken only if nothing about it is wrong.

    Noise may stand before it, between it and other frames, and behind it.
    """
    odd = ""
    for _, piece in _pieces(received[:_LONGEST_NOISE]):
        if isinstance(piece, bytes):
            odd = _fault(expected, piece)
            if not odd:
                return Verdict(frame=piece)
        else:
            odd = piece
    if len(received) > _LONGEST_NOISE:
        return Verdict(odd=odd or "garbage instead of a frame", hopeless=True)
    return Verdict(odd=odd or ("garbage instead of a frame" if received.strip(b"\xfe") else ""))


def frames_in(received: bytes) -> tuple[list[bytes], bool]:
    """The whole frames among bytes off a wire, and whether anything but wake-up bytes stood around them."""
    frames = [(at, piece) for at, piece in _pieces(received[:_LONGEST_NOISE]) if isinstance(piece, bytes)]
    around, end = b"", 0
    for at, frame in frames:
        around += received[end:at]
        end = at + len(frame)
    return [frame for _, frame in frames], bool((around + received[end:]).strip(b"\xfe"))


def more_follows(frame: bytes) -> bool:
    """Whether an answer is only the first part of what was asked for; ReadMore brings the next."""
    return bool(frame[8] & _MORE)


def decimal(data: bytes, *, signed: bool = False) -> int | None:
    """The number in packed decimals, low byte first; all ones are no number: None.

    `signed`: the top bit is the sign. Raises ValueError where a digit is none.
    """
    if not data.strip(b"\xff"):
        return None
    negative = signed and data[-1] >= 0x80
    digits = (bytes((*data[:-1], data[-1] & 0x7F)) if negative else data)[::-1].hex()
    if not digits.isdecimal():
        raise ValueError(f"{digits.upper()} is no decimal number")
    return -int(digits) if negative else int(digits)


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfOneMeter:
    """What questions for data under an identifier have in common."""

    address: str
    di: int
    size: int

    @property
    def whom(self) -> str:
        return f"meter {self.address}"

    def alike(self, other: Question) -> bool:
        """See Question.alike: an error answer does not say to which of a meter's questions it is one."""
        return isinstance(other, _OfOneMeter) and other.address == self.address

    @property
    def _about(self) -> bytes:
        return self.di.to_bytes(4, "little")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadData(_OfOneMeter):
    """Asks one meter for the data under one identifier; `size` is how many bytes of it are expected.

    The size is for timing only: what a meter answers under the right identifier is its answer, whatever its length.
    """

    @property
    def what(self) -> str:
        return f"data {self.di:08X}"

    @property
    def answer_bytes(self) -> int:
        return len(_WAKE_UP) + _AROUND + 4 + self.size

    def request(self, transaction: int = 0) -> bytes:  # noqa: ARG002  the protocol has no such number
        return request_frame(_READ, self.address, self._about)

    def judge(self, transaction: int, received: bytes) -> Verdict:  # noqa: ARG002
        expected = Expected(address=self.address, control=_READ, about=self._about)
        return find_answer(expected, received)

    def payload(self, frame: bytes) -> bytes:
        """The data behind its identifier. Raises ExceptionAnswer."""
        return _data(frame, self.what)[4:]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMore(_OfOneMeter):
    """Asks for part `sequence` (1, 2, ...) of an answer that did not fit into one frame."""

    sequence: int

    @property
    def what(self) -> str:
        return f"data {self.di:08X} part {self.sequence}"

    @property
    def answer_bytes(self) -> int:
        return len(_WAKE_UP) + _AROUND + 5 + self.size

    def request(self, transaction: int = 0) -> bytes:  # noqa: ARG002
        return request_frame(_READ_MORE, self.address, self._about + bytes((self.sequence,)))

    def judge(self, transaction: int, received: bytes) -> Verdict:  # noqa: ARG002
        expected = Expected(
            address=self.address, control=_READ_MORE, about=self._about, sequence=bytes((self.sequence,))
        )
        return find_answer(expected, received)

    def payload(self, frame: bytes) -> bytes:
        """The data between its identifier and the part's number. Raises ExceptionAnswer."""
        return _data(frame, self.what)[4:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAddress:
    """Asks whoever fits `address` for its own; its payload is for address_text."""

    address: str = ANYBODY

    @property
    def whom(self) -> str:
        return "any meter" if self.address == ANYBODY else f"any meter with {self.address}"

    @property
    def what(self) -> str:
        return "address"

    @property
    def answer_bytes(self) -> int:
        return len(_WAKE_UP) + _AROUND + 6

    def request(self, transaction: int = 0) -> bytes:  # noqa: ARG002
        return request_frame(_READ_ADDRESS, self.address)

    def judge(self, transaction: int, received: bytes) -> Verdict:  # noqa: ARG002
        return find_answer(Expected(address=self.address, control=_READ_ADDRESS), received)

    def payload(self, frame: bytes) -> bytes:
        """Six bytes of address."""
        return _data(frame, self.what)

    def alike(self, other: Question) -> bool:
        """See Question.alike."""
        return isinstance(other, ReadAddress)


def _pieces(received: bytes) -> Iterator[tuple[int, bytes | str]]:
    """Whole frames that check, and where they begin; a text where something looked like one and was none."""
    at = received.find(_START)
    while at >= 0:
        piece = _whole(received, at)
        if piece:
            yield at, piece
        at = received.find(_START, at + (len(piece) if isinstance(piece, bytes) else 1))


def _whole(received: bytes, at: int) -> bytes | str:
    """The frame that begins there, or what is wrong with it; an empty text: it does not even look like one."""
    head = received[at : at + 10]
    if head[:1] != b"\x68" or head[7:8] not in (b"\x68", b""):
        return ""
    if len(head) < 10:
        return "half an answer"
    if head[9] > _MOST_DATA:
        return ""
    frame = received[at : at + _AROUND + head[9]]
    if len(frame) < _AROUND + head[9]:
        return "half an answer"
    if frame[-1] != _END or sum(frame[:-2]) & 0xFF != frame[-2]:
        return "an answer with a wrong checksum"
    return frame


def _fault(expected: Expected, frame: bytes) -> str:
    """What is wrong with a whole frame; empty: it is the answer."""
    control, data = frame[8], _shifted(frame[10:-2], -_SHIFT)
    if not control & _ANSWER:
        return "a question, ours come back or another master's"
    if not _fits(expected.address, frame[1:7]):
        return f"an answer of meter {address_text(frame[1:7])}"
    if control == expected.control | _ERROR and expected.about and len(data) == 1:
        return ""
    if control & ~_MORE != expected.control | _ANSWER:
        return f"an answer with control code {control:02X}H"
    if not expected.about:
        return "" if data == frame[1:7] else "an address that is not its sender's"
    return _stray(expected, data)


def _stray(expected: Expected, data: bytes) -> str:
    """What an answer's data are about, where that is not what was asked."""
    if not data.startswith(expected.about) or len(data) < 4 + len(expected.sequence):
        return f"an answer about {data[3::-1].hex().upper() or 'nothing'}"
    return "" if data.endswith(expected.sequence) else f"an answer with part {data[-1]}"


def _fits(address: str, sent: bytes) -> bool:
    """Whether the sender of an answer is one of those who were asked, and its address one that a meter can have."""
    own = address_text(sent)
    return own.isdecimal() and own.endswith(address.lstrip("A"))


def _data(frame: bytes, what: str) -> bytes:
    """An answer's data. Raises ExceptionAnswer."""
    data = _shifted(frame[10:-2], -_SHIFT)
    if frame[8] & _ERROR != _ERROR:
        return data
    reasons = [ERRORS[bit] for bit in range(len(ERRORS)) if data[0] >> bit & 1] or [("reason unknown", "")]
    raise ExceptionAnswer(
        f"meter {address_text(frame[1:7])}: {what}: error {data[0]:02X}H ({', '.join(name for name, _ in reasons)})",
        code=data[0],
        hint=reasons[0][1],
    )


def _shifted(data: bytes, by: int) -> bytes:
    return bytes(byte + by & 0xFF for byte in data)
