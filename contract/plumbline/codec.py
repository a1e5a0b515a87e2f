"""Records to bytes and back: canonical bytes for the hash, columns for the wire.

A frame's values are laid out per device and metric, each column as differences, then compressed: live batches of
300 readings take 3 to 4 bytes a reading (tests/bench/wire.py). The bytes under the hash are the record's own canonical ones, which the
receiver rebuilds; so the layout on the wire can change without touching what was signed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, cast, get_args

import msgspec

from plumbline import chain, columns
from plumbline.clock import Trust
from plumbline.columns import Columns
from plumbline.errors import Refused
from plumbline.messages import Ack, Body, Lane, Record
from plumbline.topics import is_name

VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 1 << 20
MAX_PLAIN_BYTES: Final = 8 << 20  # a bomb of zeros stops here, before it is parsed
MAX_RECORDS: Final = 4096
MAX_METRICS: Final = 1024
MAX_VALUES: Final = 1 << 18  # zeros pack well: without this 15 kB could cost seconds of unrolling
MAX_ACK_BYTES: Final = 128 * 1024
MAX_SEQ: Final = 1 << 53
_MAX_NAME: Final = 64
_TRUSTS: Final = frozenset(get_args(Trust))

_encode = msgspec.msgpack.Encoder().encode
_decode_body = msgspec.msgpack.Decoder(Body).decode
_decode_ack = msgspec.msgpack.Decoder(Ack).decode


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
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


_decode_envelope = msgspec.msgpack.Decoder(Envelope).decode
_decode_columns = msgspec.msgpack.Decoder(Columns).decode


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
    try:
        plain = _encode(columns.lay_out(records, bodies))
    except (
        OverflowError
    ):  # a meter's register ran from one end of 64 bits to the other: no difference holds that
        plain = _encode(columns.lay_out(records, bodies, apart=True))
    packed = zlib.compress(plain, 6)  # level 1 saves a tenth of the time and costs 0.5 to 1.5 % (tests/bench)
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
    laid = _open_columns(header)
    count = header.count
    try:
        boots, clocks = columns.runs(laid.boots, count), columns.runs(laid.clocks, count)
        at_us, mono_us = columns.times(laid.at_us), columns.times(laid.mono_us)
        bodies, raws = columns.bodies(laid, decode_body)
        seqs = range(header.first, header.last + 1)
        stamps = zip(seqs, at_us, boots, mono_us, clocks, strict=True)
        lines = [_encode(stamp) + raw for stamp, raw in zip(stamps, raws, strict=True)]
    except columns.MISFITS:
        raise Refused("its columns do not fit together") from None
    if not _TRUSTS.issuperset(clocks):
        raise Refused("unknown clock state")
    trusts = cast("list[Trust]", clocks)
    head = chain.follow(header.prev, header.first, lines)
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
        records=tuple(
            [
                Record(seq=seq, at_us=at, boot=boot, mono_us=mono, clock=trust, body=body)
                for seq, at, boot, mono, trust, body in zip(
                    seqs, at_us, boots, mono_us, trusts, bodies, strict=True
                )
            ]
        ),
    )


def encode_ack(ack: Ack) -> bytes:
    return _encode(ack)


def decode_ack(payload: bytes) -> Ack:
    """Raises Refused for bytes that are no acknowledgement, or more than one needs."""
    if len(payload) > MAX_ACK_BYTES:
        raise Refused(f"{len(payload)} bytes; an acknowledgement has at most {MAX_ACK_BYTES}")
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


def _open_columns(header: Envelope) -> Columns:
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(header.packed, MAX_PLAIN_BYTES)
    except zlib.error as error:
        raise Refused(f"damaged: {error}") from None
    if not inflate.eof or inflate.unused_data:
        raise Refused("cut off, or larger than a batch may be when unpacked")
    laid = _decoded(_decode_columns, plain, "list of records")
    if not len(laid.order) == len(laid.at_us) == len(laid.mono_us) == header.count:
        raise Refused(f"{len(laid.order)} records where {header.first}..{header.last} was announced")
    if any(len(group.metrics) > MAX_METRICS for group in laid.groups):
        raise Refused(f"a device with more than {MAX_METRICS} metrics")
    if sum(len(group.steps) for group in laid.groups) > MAX_VALUES:
        raise Refused(f"more than {MAX_VALUES} values")
    names = [group.device for group in laid.groups] + [boot for boot, _ in laid.boots]
    if any(len(name) > _MAX_NAME for name in names):
        raise Refused(f"a name of more than {_MAX_NAME} characters")
    return laid
