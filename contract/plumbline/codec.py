"""Records to bytes and back: canonical bytes for the hash, columns for the wire.

A frame's values are laid out per device and metric, each column as differences, then compressed: live batches of
300 readings take 3 to 4 bytes a reading (tests/bench/wire.py). The bytes under the hash are the record's own canonical ones, which the
receiver rebuilds; so the layout on the wire can change without touching what was signed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from itertools import chain as concat
from typing import Final, TypeVar, cast, get_args

import msgspec

from plumbline import chain
from plumbline.clock import Trust
from plumbline.errors import Refused
from plumbline.messages import Ack, Body, Frame, Lane, Record
from plumbline.topics import is_name

VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 1 << 20
MAX_PLAIN_BYTES: Final = 8 << 20  # a bomb of zeros stops here, before it is parsed
MAX_RECORDS: Final = 4096
MAX_SEQ: Final = 1 << 53
_MAX_NAME: Final = 64
_INT64: Final = range(-(1 << 63), 1 << 63)
_TRUSTS: Final = frozenset(get_args(Trust))

_encode = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(Body).decode
_decode_ack = msgspec.msgpack.Decoder(Ack).decode


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What stands outside a batch's packed records: enough to check who signed it before anything is unpacked."""

    v: int
    site: str
    gateway: str
    epoch: str
    lane: Lane
    first: int
    last: int
    prev: bytes
    head: bytes
    algorithm: str
    signature: bytes
    packed: bytes

    @property
    def statement(self) -> bytes:
        """What the gateway signed."""
        return statement(
            self.site, self.gateway, self.epoch, self.lane, self.first, self.last, self.prev, self.head
        )

    @property
    def count(self) -> int:
        return self.last - self.first + 1


class _Group(msgspec.Struct, frozen=True, array_like=True):
    device: str
    metrics: tuple[int, ...]
    steps: list[int | None]
    """Column after column; in a column the first value, then differences to the value before."""
    flaws: list[tuple[int, int, int]]
    """(row, position, flaw)"""


class _Columns(msgspec.Struct, frozen=True, array_like=True):
    at_us: list[int]
    mono_us: list[int]
    boots: list[tuple[str, int]]
    clocks: list[tuple[str, int]]
    order: list[int]
    """For each record the index of its group, or -1: the next of `others`."""
    groups: list[_Group]
    others: list[bytes]


_decode_envelope = msgspec.msgpack.Decoder(Envelope).decode
_decode_columns = msgspec.msgpack.Decoder(_Columns).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A run of consecutive records of one lane, checked against its chain."""

    site: str
    gateway: str
    epoch: str
    lane: Lane
    prev: bytes
    head: bytes
    algorithm: str
    signature: bytes
    records: tuple[Record, ...]

    @property
    def first(self) -> int:
        return self.records[0].seq

    @property
    def last(self) -> int:
        return self.records[-1].seq

    @property
    def statement(self) -> bytes:
        """What the gateway signed."""
        return statement(
            self.site, self.gateway, self.epoch, self.lane, self.first, self.last, self.prev, self.head
        )


def encode_body(body: Body) -> bytes:
    """A body's canonical bytes: a MessagePack map in field order, defaults left out."""
    return _encode(body)


def decode_body(raw: bytes) -> Body:
    """Raises Refused for bytes that are no body we know."""
    body: Body = _decoded(_decode_body, raw, "record")
    return body


def canonical(seq: int, at_us: int, boot: str, mono_us: int, clock: Trust, body: bytes) -> bytes:
    """The bytes of a record under its hash; `body` as `encode_body` gave it."""
    return _encode((seq, at_us, boot, mono_us, clock)) + body


def statement(
    site: str, gateway: str, epoch: str, lane: str, first: int, last: int, prev: bytes, head: bytes
) -> bytes:
    """The bytes a gateway signs for a batch."""
    return _encode(("plumbline/1/batch", site, gateway, epoch, lane, first, last, prev, head))


def pack_batch(
    records: Sequence[Record],
    bodies: Sequence[bytes],
    *,
    site: str,
    gateway: str,
    epoch: str,
    lane: Lane,
    prev: bytes,
    head: bytes,
    algorithm: str,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """One MQTT payload of `records`, consecutive by seq; `prev` and `head` are the chain before and after them.

    `bodies` are the records' canonical bytes as they were hashed: encoding a body anew may differ (a whole number
    in a field of floats comes back as a float).
    """
    first, last = records[0].seq, records[-1].seq
    signature = sign(statement(site, gateway, epoch, lane, first, last, prev, head))
    packed = zlib.compress(_encode(_to_columns(records, bodies)), 6)
    return _encode(
        Envelope(VERSION, site, gateway, epoch, lane, first, last, prev, head, algorithm, signature, packed)
    )


def open_batch(payload: bytes, check: Callable[[Envelope], None] | None = None) -> Batch:
    """The batch in `payload`, every record proven to be under `head`.

    The signature is the caller's to check; `check` is asked before anything is unpacked, so that a stranger's
    payload costs next to nothing. Raises Refused, with the reason, for anything else: too long, cut off, altered, of
    another version; and what `check` raises.
    """
    header = _open_envelope(payload)
    if check is not None:
        check(header)
    columns = _open_columns(header)
    boots, clocks = (_runs(runs, len(columns.order)) for runs in (columns.boots, columns.clocks))
    try:
        bodies = list(_bodies(columns))
        at_us, mono_us = (_int_absolute(column) for column in (columns.at_us, columns.mono_us))
    except (IndexError, ValueError, StopIteration, TypeError):
        raise Refused("its columns do not fit together") from None
    if not _TRUSTS.issuperset(clocks):
        raise Refused("unknown clock state")
    records = []
    head = header.prev
    rows = zip(range(header.first, header.last + 1), at_us, boots, mono_us, clocks, bodies, strict=True)
    for seq, at, boot, mono, clock, (body, raw) in rows:
        trust = cast("Trust", clock)
        head = chain.link(head, seq, canonical(seq, at, boot, mono, trust, raw))
        records.append(Record(seq=seq, at_us=at, boot=boot, mono_us=mono, clock=trust, body=body))
    if head != header.head:
        raise Refused(f"records {header.first}..{header.last} do not lead to the head that was signed")
    return Batch(
        site=header.site,
        gateway=header.gateway,
        epoch=header.epoch,
        lane=header.lane,
        prev=header.prev,
        head=head,
        algorithm=header.algorithm,
        signature=header.signature,
        records=tuple(records),
    )


def encode_ack(ack: Ack) -> bytes:
    return _encode(ack)


def decode_ack(payload: bytes) -> Ack:
    """Raises Refused for bytes that are no acknowledgement."""
    return _decoded(_decode_ack, payload, "acknowledgement")


_T = TypeVar("_T")


def _decoded(decode: Callable[[bytes], _T], raw: bytes, what: str) -> _T:
    try:
        return decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"no {what}: {error}") from None


def _open_envelope(payload: bytes) -> Envelope:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise Refused(f"{len(payload)} bytes; a batch has at most {MAX_PAYLOAD_BYTES}")
    header = _decoded(_decode_envelope, payload, "batch")
    if header.v != VERSION:
        raise Refused(f"wire version {header.v}; this side speaks {VERSION}")
    if not (is_name(header.site) and is_name(header.gateway) and is_name(header.epoch)):
        raise Refused("site, gateway or epoch is no name")
    if not 1 <= header.first <= header.last < MAX_SEQ or header.count > MAX_RECORDS:
        raise Refused(f"impossible range {header.first}..{header.last}")
    if len(header.prev) != chain.SIZE or len(header.head) != chain.SIZE:
        raise Refused("chain heads of the wrong size")
    return header


def _open_columns(header: Envelope) -> _Columns:
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(header.packed, MAX_PLAIN_BYTES)
    except zlib.error as error:
        raise Refused(f"damaged: {error}") from None
    if not inflate.eof or inflate.unused_data:
        raise Refused("cut off, or larger than a batch may be when unpacked")
    columns = _decoded(_decode_columns, plain, "list of records")
    if not len(columns.order) == len(columns.at_us) == len(columns.mono_us) == header.count:
        raise Refused(f"{len(columns.order)} records where {header.first}..{header.last} was announced")
    names = [group.device for group in columns.groups] + [boot for boot, _ in columns.boots]
    if any(len(name) > _MAX_NAME for name in names):
        raise Refused(f"a name of more than {_MAX_NAME} characters")
    return columns


def _to_columns(records: Sequence[Record], bodies: Sequence[bytes]) -> _Columns:
    index: dict[tuple[str, tuple[int, ...]], int] = {}
    rows: list[list[Frame]] = []
    order: list[int] = []
    others: list[bytes] = []
    for record, raw in zip(records, bodies, strict=True):
        body = record.body
        if isinstance(body, Frame):
            at = index.setdefault((body.device, body.metrics), len(rows))
            if at == len(rows):
                rows.append([])
            rows[at].append(body)
            order.append(at)
        else:
            order.append(-1)
            others.append(raw)
    return _Columns(
        at_us=_int_differences([record.at_us for record in records]),
        mono_us=_int_differences([record.mono_us for record in records]),
        boots=[(boot, sum(1 for _ in run)) for boot, run in groupby(r.boot for r in records)],
        clocks=[(clock, sum(1 for _ in run)) for clock, run in groupby(r.clock for r in records)],
        order=order,
        groups=[_to_group(frames) for frames in rows],
        others=others,
    )


def _to_group(frames: list[Frame]) -> _Group:
    first = frames[0]
    if len(frames) == 1:
        steps: list[int | None] = list(first.values)
    else:
        columns = zip(*(frame.values for frame in frames), strict=True)
        steps = list(concat.from_iterable(_differences(column) for column in columns))
    flaws = [(row, at, flaw) for row, frame in enumerate(frames) for at, flaw in frame.flaws]
    return _Group(first.device, first.metrics, steps, flaws)


def _bodies(columns: _Columns) -> Iterable[tuple[Body, bytes]]:
    """Each record's body with its canonical bytes, in the order of the batch."""
    counts = Counter(columns.order)
    groups = [iter(_frames(group, counts[i])) for i, group in enumerate(columns.groups)]
    others = iter(columns.others)
    for at in columns.order:
        if at < -1:
            raise IndexError
        if at == -1:
            raw = next(others, None)
            if raw is None:
                raise ValueError
            body = decode_body(raw)
            if isinstance(body, Frame):  # frames travel in columns, where their shape is checked
                raise ValueError
            yield body, raw
        else:
            frame = next(groups[at])
            yield frame, _encode(frame)
    if next(others, None) is not None:
        raise ValueError


def _frames(group: _Group, count: int) -> list[Frame]:
    width = len(group.metrics)
    if len(group.steps) != width * count or not count:
        raise ValueError
    if count == 1:  # one poll of a device, the usual live batch: there are no differences to undo
        rows: Iterable[tuple[int | None, ...]] = (tuple(_in_64_bits(group.steps)),)
    else:
        columns = [_absolute(group.steps[i * count : (i + 1) * count]) for i in range(width)]
        rows = zip(*columns, strict=True) if columns else [()] * count
    flaws: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for row, at, flaw in group.flaws:
        if not (0 <= row < count and 0 <= at < width):
            raise ValueError
        flaws[row].append((at, flaw))
    return [
        Frame(device=group.device, metrics=group.metrics, values=row, flaws=tuple(bad))
        for row, bad in zip(rows, flaws, strict=True)
    ]


def _runs(runs: list[tuple[str, int]], total: int) -> list[str]:
    if any(not 1 <= count <= total for _, count in runs) or sum(count for _, count in runs) != total:
        raise Refused("its columns do not fit together")
    return [text for text, count in runs for _ in range(count)]


def _differences(column: Sequence[int | None]) -> list[int | None]:
    """The first value, then each one's distance from the value before it; a hole stays a hole."""
    if None not in column:
        return list(_int_differences(cast("Sequence[int]", column)))
    return list(_differences_with_holes(column))


def _int_differences(column: Sequence[int]) -> list[int]:
    return [column[0], *(b - a for a, b in pairwise(column))]


def _differences_with_holes(column: Sequence[int | None]) -> Iterable[int | None]:
    before = 0
    for value in column:
        if value is None:
            yield None
        else:
            yield value - before
            before = value


def _absolute(column: Sequence[int | None]) -> Sequence[int | None]:
    """The inverse of `_differences`. Raises ValueError where a value leaves 64 bits."""
    if None not in column:
        return _int_absolute(cast("Sequence[int]", column))
    return _in_64_bits(list(_absolute_with_holes(column)))


def _int_absolute(column: Sequence[int]) -> Sequence[int]:
    values = list(accumulate(column))
    _in_64_bits(values)
    return values


def _in_64_bits(values: Sequence[int | None]) -> Sequence[int | None]:
    """`values` as they are. Raises ValueError where one could not be stored."""
    present = [value for value in values if value is not None] if None in values else values
    if present and not (min(present) in _INT64 and max(present) in _INT64):  # type: ignore[type-var, operator]
        raise ValueError
    return values


def _absolute_with_holes(column: Sequence[int | None]) -> Iterable[int | None]:
    before = 0
    for step in column:
        if step is None:
            yield None
        else:
            before += step
            yield before
