"""Modbus TCP conversations in a packet capture (libpcap format, Ethernet, IPv4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final, Literal

from plumbline.errors import ConfigError
from plumbline_sim.record.messages import Direction

_MAGIC: Final[dict[bytes, tuple[Literal["<", ">"], float]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6), b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9), b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}  # fmt: skip
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_ETHERNET: Final = 1
_MOST_PACKET_BYTES: Final = 262_144  # what tcpdump takes at most
_MOST_CONNECTIONS: Final = 100_000
_MOST_HELD: Final = 64  # segments that wait for one before them
_VLAN: Final = (0x8100, 0x88A8)
_IPV4: Final = 0x0800
_TCP: Final = 6
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16

End = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One TCP segment. `at_s` is the capture's own time."""

    at_s: float
    source: End
    target: End
    sequence: int
    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Bytes that one side of a connection said. `after_a_hole`: bytes before them are missing from the capture."""

    t_s: float
    connection: int
    server: str
    direction: Direction
    data: bytes
    after_a_hole: bool = False


@dataclass(slots=True, kw_only=True)
class Count:
    """What a capture held, for the person who converts it."""

    packets: int = 0
    segments: int = 0
    """TCP segments to or from the Modbus port that carry data."""
    duplicates: int = 0
    holes: int = 0
    connections: int = 0
    cut_short: bool = False
    """The file ends within a packet."""


def segments(file: IO[bytes], count: Count) -> Iterator[Segment]:
    """Every TCP segment over IPv4. Raises ConfigError where the file is no such capture."""
    name = getattr(file, "name", "capture")
    head = file.read(24)
    if head[:4] == _PCAPNG:
        raise ConfigError(f"{name}: pcapng", hint=f"Convert it: editcap -F pcap {name} out.pcap")
    if len(head) < 24 or head[:4] not in _MAGIC:
        raise ConfigError(
            f"{name}: not a packet capture", hint="Save it as pcap, for example with tcpdump -w."
        )
    order, tick_s = _MAGIC[head[:4]]
    (link,) = struct.unpack(order + "I", head[20:24])
    if link & 0xFFFF != _ETHERNET:
        raise ConfigError(
            f"{name}: link type {link}, only Ethernet (1) is read", hint="Capture on one interface."
        )
    record = struct.Struct(order + "IIII")
    while len(header := file.read(record.size)) == record.size:
        seconds, ticks, kept, _ = record.unpack(header)
        if kept > _MOST_PACKET_BYTES:
            raise ConfigError(
                f"{name}: packet {count.packets + 1} says it has {kept} bytes", hint="The file is damaged."
            )
        packet = file.read(kept)
        if len(packet) < kept:
            count.cut_short = True
            return
        count.packets += 1
        segment = _segment(seconds + ticks * tick_s, packet)
        if segment is not None:
            yield segment
    count.cut_short = bool(header)


def _segment(at_s: float, packet: bytes) -> Segment | None:
    at = 12
    while len(packet) >= at + 2 and int.from_bytes(packet[at : at + 2]) in _VLAN:
        at += 4
    if int.from_bytes(packet[at : at + 2]) != _IPV4:
        return None
    ip = packet[at + 2 :]
    if (
        len(ip) < 20 or ip[0] >> 4 != 4 or ip[9] != _TCP or int.from_bytes(ip[6:8]) & 0x3FFF
    ):  # a fragment is no segment
        return None
    head = (ip[0] & 15) * 4
    total = int.from_bytes(ip[2:4]) or len(ip)  # 0: the network card was to fill it in
    tcp = ip[head:total]  # short packets are padded, the padding is not data
    if head < 20 or len(tcp) < 20 or (offset := (tcp[12] >> 4) * 4) < 20:
        return None
    source, target = (".".join(map(str, ip[i : i + 4])) for i in (12, 16))
    return Segment(
        at_s=at_s,
        source=(source, int.from_bytes(tcp[:2])),
        target=(target, int.from_bytes(tcp[2:4])),
        sequence=int.from_bytes(tcp[4:8]),
        flags=tcp[13],
        payload=tcp[offset:],
    )


def conversations(found: Iterator[Segment], count: Count, *, port: int = 502) -> Iterator[Heard]:
    """What masters and meters said to each other on a port, each side in the order it was sent, without repeats."""
    talks: dict[tuple[End, End], _Talk] = {}
    begin_s: float | None = None
    for segment in found:
        if port not in (segment.source[1], segment.target[1]):
            continue
        begin_s = segment.at_s if begin_s is None else begin_s
        asks = segment.target[1] == port
        ends = (segment.source, segment.target) if asks else (segment.target, segment.source)
        talk = talks.get(ends)
        if talk is None or (segment.flags & (_SYN | _ACK) == _SYN and talk.is_another(segment.sequence)):
            if talk is not None:
                yield from talk.end(count)
            if count.connections >= _MOST_CONNECTIONS:
                raise ConfigError(
                    f"more than {_MOST_CONNECTIONS} connections", hint="Cut the capture: editcap -c."
                )
            count.connections += 1
            server = f"{ends[1][0]}:{ends[1][1]}"
            talk = talks[ends] = _Talk(connection=count.connections, server=server, begin_s=begin_s)
        yield from talk.take("request" if asks else "answer", segment, count)
    for talk in talks.values():
        yield from talk.end(count)


@dataclass(slots=True, kw_only=True)
class _Side:
    """One direction: the next byte's sequence number, and segments that came before their turn."""

    next: int | None = None
    held: dict[int, Segment] = field(default_factory=dict)


class _Talk:
    """One TCP connection."""

    def __init__(self, *, connection: int, server: str, begin_s: float) -> None:
        self._connection = connection
        self._server = server
        self._begin_s = begin_s
        self._sides: dict[Direction, _Side] = {"request": _Side(), "answer": _Side()}
        self._opened_at: int | None = None

    def is_another(self, sequence: int) -> bool:
        """Whether an opening with this sequence number opens a new connection between the same ends."""
        return self._opened_at != sequence

    def take(self, direction: Direction, segment: Segment, count: Count) -> Iterator[Heard]:
        side = self._sides[direction]
        if segment.flags & _SYN:
            if direction == "request":
                self._opened_at = segment.sequence
            side.next = segment.sequence + 1 & 0xFFFFFFFF
            return
        if not segment.payload:
            return
        count.segments += 1
        if side.next is None:
            side.next = segment.sequence
        if _ahead(segment.sequence, side.next) > 0:
            count.duplicates += segment.sequence in side.held
            side.held.setdefault(segment.sequence, segment)
            if len(side.held) > _MOST_HELD:
                yield from self._over_the_hole(direction, count)
            return
        yield from self._say(direction, segment, count)
        yield from self._held(direction, count)

    def end(self, count: Count) -> Iterator[Heard]:
        """What waited for bytes that never came."""
        for direction, side in self._sides.items():
            while side.held:
                yield from self._over_the_hole(direction, count)

    def _held(self, direction: Direction, count: Count) -> Iterator[Heard]:
        """Segments whose turn has come."""
        side = self._sides[direction]
        while ready := [number for number in side.held if _ahead(number, side.next or 0) <= 0]:
            for number in sorted(ready, key=lambda n: _ahead(n, side.next or 0)):
                yield from self._say(direction, side.held.pop(number), count)

    def _over_the_hole(self, direction: Direction, count: Count) -> Iterator[Heard]:
        side = self._sides[direction]
        count.holes += 1
        number = min(side.held, key=lambda n: _ahead(n, side.next or 0))
        side.next = number
        yield from self._say(direction, side.held.pop(number), count, after_a_hole=True)
        yield from self._held(direction, count)

    def _say(
        self, direction: Direction, segment: Segment, count: Count, *, after_a_hole: bool = False
    ) -> Iterator[Heard]:
        side = self._sides[direction]
        assert side.next is not None
        known = -_ahead(segment.sequence, side.next)
        data = segment.payload[known:]
        if not data:
            count.duplicates += 1
            return
        side.next = side.next + len(data) & 0xFFFFFFFF
        yield Heard(
            t_s=max(0.0, segment.at_s - self._begin_s), connection=self._connection, server=self._server,
            direction=direction, data=data, after_a_hole=after_a_hole,
        )  # fmt: skip


def _ahead(sequence: int, expected: int) -> int:
    """How many bytes a segment lies beyond the next one expected; negative: before it."""
    return (sequence - expected + 0x80000000 & 0xFFFFFFFF) - 0x80000000
