"""Batches: whole or refused, never wrong."""

from __future__ import annotations

import contextlib
import hashlib
import random
import typing
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import chain, codec, signing
from plumbline.errors import Refused
from plumbline.messages import (
    Ack,
    Anchor,
    Basis,
    Body,
    DeviceHealth,
    Event,
    Facade,
    Frame,
    Gap,
    Health,
    Photo,
    Progress,
    Record,
    Refusal,
    Summary,
    ZoneProgress,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "wire"
KEY = signing.DeviceKey(signing.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
IDENTITY = {"site": "a12", "gateway": "gw1", "epoch": "0123456789abcdef", "lane": "data"}


def pack(records: list[Record]) -> bytes:
    prev = head = chain.start(IDENTITY["gateway"], IDENTITY["epoch"], IDENTITY["lane"])
    bodies = [codec.encode_body(r.body) for r in records]
    for r, body in zip(records, bodies, strict=True):
        raw = codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, body)
        head = chain.link(head, r.seq, raw)
    return codec.pack_batch(
        records, bodies, **IDENTITY, prev=prev, head=head, algorithm=signing.ALGORITHM, sign=KEY.sign
    )


def open_signed(payload: bytes) -> codec.Batch:
    """What a receiver does: structure and chain, then signature."""
    batch = codec.open_batch(payload)
    if batch.algorithm != signing.ALGORITHM:
        raise Refused("unknown algorithm")
    signing.verify(KEY.public, batch.statement, batch.signature)
    return batch


INT64 = st.integers(-(2**62), 2**62)
VALUES = st.none() | st.integers(-(10**9), 10**9) | st.integers(-(2**61), 2**61)


@st.composite
def frames(draw):
    width = draw(st.integers(0, 6))
    return Frame(
        device=draw(st.sampled_from(["crane", "cabins"])),
        metrics=tuple(range(1, width + 1)),
        values=tuple(draw(st.lists(VALUES, min_size=width, max_size=width))),
        flaws=tuple(draw(st.lists(st.tuples(st.integers(0, width - 1), st.integers(1, 105)), max_size=2)))
        if width
        else (),
    )


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
BODIES = (
    frames()
    | st.builds(
        Event, code=st.sampled_from(["started", "meter_lost"]), subject=st.text(max_size=8), text=st.text()
    )
    | st.builds(Photo, camera=st.text(max_size=5), photo=st.text(max_size=9), jpeg=st.binary(max_size=40))
    | st.builds(
        Progress,
        camera=st.text(max_size=5),
        photo=st.text(max_size=5),
        percent=st.none() | FLOATS,
        low=st.none() | FLOATS,
        high=st.none() | FLOATS,
        gate=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    )
    | st.builds(
        Gap,
        lane=st.sampled_from(["status", "data", "photo"]),
        first=st.integers(1, 9),
        last=st.integers(0, 99),
        why=st.text(max_size=5),
        prev=st.binary(min_size=32, max_size=32),
        instead=st.none() | st.tuples(st.integers(1, 9), st.integers(9, 99)),
    )
    | st.builds(Anchor, offset_us=INT64, before_us=st.none() | INT64, before=st.sampled_from(["", "unset"]))
    | st.builds(
        Summary,
        device=st.text(max_size=5),
        metrics=st.just((1, 28)),
        frames=st.integers(1, 90),
        span_us=st.integers(0, 900_000_000),
        good=st.just((4, 0)),
        **dict.fromkeys(("low", "mean", "high", "newest"), st.tuples(VALUES, VALUES)),
    )
    | st.builds(
        Health, version=st.text(max_size=5), counters=st.dictionaries(st.text(max_size=5), INT64, max_size=2)
    )
)


@st.composite
def runs(draw):
    first = draw(st.integers(1, 2**40))
    bodies = draw(st.lists(BODIES, min_size=1, max_size=8))
    return [
        Record(
            seq=first + i,
            at_us=draw(INT64),
            boot=draw(st.sampled_from(["b1", "b2"])),
            mono_us=draw(INT64),
            clock=draw(st.sampled_from(["synced", "unsynced", "unset", "simulated"])),
            body=body,
        )
        for i, body in enumerate(bodies)
    ]


@given(runs())
def test_what_was_packed_is_what_is_opened(records):
    batch = open_signed(pack(records))

    assert list(batch.records) == records
    assert (batch.first, batch.last) == (records[0].seq, records[-1].seq)


@given(st.lists(st.none() | st.sampled_from([2**63 - 1, -(2**63), 0, 5, -(2**62)]), min_size=1, max_size=6))
def test_values_from_one_end_of_64_bits_to_the_other_travel_too(values):
    records = [
        Record(
            seq=seq,
            at_us=seq,
            boot="b",
            mono_us=seq,
            clock="synced",
            body=Frame(device="m", metrics=(1, 2), values=(value, 7)),
        )
        for seq, value in enumerate(values, 1)
    ]

    assert list(open_signed(pack(records)).records) == records


def test_a_whole_number_where_a_float_belongs_keeps_its_own_bytes():
    health = Health(version="1", gauges={"waiting": 3})
    stored = codec.decode_body(codec.encode_body(health))
    record = Record(seq=1, at_us=0, boot="b", mono_us=0, clock="synced", body=health)

    assert codec.encode_body(stored) != codec.encode_body(health)
    assert open_signed(pack([record])).records[0].body == stored


@given(runs(), st.data())
@settings(max_examples=300)
def test_a_flipped_bit_is_refused_or_changes_nothing(records, data):
    payload = bytearray(pack(records))
    at = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[at // 8] ^= 1 << at % 8

    try:
        batch = open_signed(bytes(payload))
    except Refused:
        return
    assert list(batch.records) == records


@given(runs(), st.data())
def test_a_truncated_batch_is_refused(records, data):
    payload = pack(records)

    with pytest.raises(Refused):
        open_signed(payload[: data.draw(st.integers(0, len(payload) - 1))])


@given(st.binary(max_size=400))
def test_garbage_is_refused(payload):
    with pytest.raises(Refused):
        codec.open_batch(payload)


def test_every_single_bit_of_a_real_batch_matters():
    payload = (GOLDEN / "batch.v1.msgpack").read_bytes()
    whole = open_signed(payload)
    for at in random.Random(7).sample(range(len(payload) * 8), 600):
        flipped = bytearray(payload)
        flipped[at // 8] ^= 1 << at % 8
        try:
            batch = open_signed(bytes(flipped))
        except Refused:
            continue
        assert batch.records == whole.records


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked():
    head = chain.start("gw1", "e", "data")
    bomb = zlib.compress(bytes(64 << 20), 9)
    payload = msgspec.msgpack.encode([1, "a", "b", "e", "data", 1, 1, head, head, "ed25519", b"", bomb])

    with pytest.raises(Refused, match="larger than a batch may be"):
        codec.open_batch(payload)


RECORDS = [
    Record(
        seq=41, at_us=1_772_355_600_000_000, boot="b" * 32, mono_us=1_000_000, clock="synced",
        body=Frame(device="crane", metrics=(1, 7, 28), values=(23012, 4187, 12_345_678)),
    ),
    Record(
        seq=42, at_us=1_772_355_610_000_000, boot="b" * 32, mono_us=11_000_000, clock="synced",
        body=Frame(device="crane", metrics=(1, 7, 28), values=(23009, None, 12_345_801), flaws=((1, 100),)),
    ),
    Record(
        seq=43, at_us=1_772_355_611_000_000, boot="b" * 32, mono_us=12_000_000, clock="unsynced",
        body=Progress(
            camera="east", photo="east-20260301", percent=41.5, low=39.0, high=44.0, model="stage_seg 1",
            zones=(ZoneProgress(id="f1b1", percent=60.0, low=55.0, high=65.0, visible=0.9, stage=4),),
            quad=((0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8)), grid=(1, 1),
        ),
    ),
    Record(
        seq=44, at_us=1_772_355_612_000_000, boot="b" * 32, mono_us=13_000_000, clock="synced",
        body=Event(code="meter_lost", subject="cabins", text="did not answer"),
    ),
    Record(
        seq=45, at_us=1_772_355_613_000_000, boot="c" * 32, mono_us=14_000, clock="synced",
        body=Health(version="0.1.0", counters={"cycles": 3}, gauges={"rss_mb": 38.5}),
    ),
    Record(
        seq=46, at_us=1_772_355_614_000_000, boot="c" * 32, mono_us=15_000, clock="synced",
        body=Photo(camera="east", photo="east-20260301", jpeg=b"\xff\xd8\xff\xd9", width_px=960, height_px=540),
    ),
]  # fmt: skip
STATUS = [
    Record(
        seq=7, at_us=1_772_355_600_000_000, boot="b" * 32, mono_us=2_000_000, clock="synced",
        body=Anchor(offset_us=1_772_355_598_000_000, before_us=3_600_000_000, before="unset"),
    ),
    Record(
        seq=8, at_us=1_772_355_601_000_000, boot="b" * 32, mono_us=3_000_000, clock="synced",
        body=Gap(
            lane="data", first=11, last=370, why="thinned", prev=b"\x01" * 32, head=b"\x02" * 32,
            from_us=1_772_000_000_000_000, until_us=1_772_003_600_000_000, instead=(9001, 9004),
        ),
    ),
    Record(
        seq=9, at_us=1_772_355_602_000_000, boot="b" * 32, mono_us=4_000_000, clock="unsynced",
        body=Gap(lane="photo", first=5, last=0, why="damaged", epoch="fedcba9876543210"),
    ),
    Record(
        seq=10, at_us=1_772_000_899_000_000, boot="b" * 32, mono_us=5_000_000, clock="synced",
        body=Summary(
            device="crane", metrics=(1, 28), frames=90, span_us=890_000_000, good=(90, 0),
            low=(22_900, None), mean=(23_011, None), high=(23_120, None), newest=(23_010, None),
        ),
    ),
]  # fmt: skip
ACK = Ack(
    epoch="0123456789abcdef", lane="data", through=40, also=((43, 44),), refused=(Refusal(45, 45, "why"),)
)


def test_v1_bytes_still_mean_the_same():
    assert list(open_signed((GOLDEN / "batch.v1.msgpack").read_bytes()).records) == RECORDS
    assert list(open_signed((GOLDEN / "status.v1.msgpack").read_bytes()).records) == STATUS
    assert codec.decode_ack((GOLDEN / "ack.v1.msgpack").read_bytes()) == ACK


def test_v1_records_still_hash_the_same():
    lines = [
        line
        for name in ("canonical.v1.hex", "canonical_status.v1.hex")
        for line in (GOLDEN / name).read_text(encoding="ascii").split()
    ]

    assert lines == [
        codec.canonical(r.seq, r.at_us, r.boot, r.mono_us, r.clock, codec.encode_body(r.body)).hex()
        for r in [*RECORDS, *STATUS]
    ]


FULL_PROGRESS = Record(
    seq=3,
    at_us=1_780_000_000_000_000,
    boot="b1",
    mono_us=9_000_000,
    clock="synced",
    body=Progress(
        camera="yard",
        photo="yard-20260528T202640Z",
        percent=41.5,
        low=38.0,
        high=45.25,
        zones=(
            ZoneProgress(id="east.f1b1", percent=58.0, low=50.0, high=66.0, visible=0.9, stage=4, raw=57.25),
            ZoneProgress(
                id="north.f1b1",
                percent=25.0,
                low=15.0,
                high=35.0,
                visible=1.0,
                stage=2,
                raw=24.5,
                regress=True,
            ),
        ),
        model="stage_seg-0.2.0-01234567",
        facades=(
            Facade(name="east", quad=((0.1, 0.2), (0.4, 0.2), (0.4, 0.8), (0.1, 0.8)), grid=(1, 1)),
            Facade(name="north", quad=((0.5, 0.2), (0.9, 0.25), (0.9, 0.75), (0.5, 0.8)), grid=(1, 1)),
        ),
        shift_px=3.5,
        basis=Basis(config="0123456789abcdef", calibration=2, frames=5),
    ),
)


def test_a_progress_with_all_its_fields_still_hashes_the_same():
    raw = codec.canonical(
        FULL_PROGRESS.seq,
        FULL_PROGRESS.at_us,
        FULL_PROGRESS.boot,
        FULL_PROGRESS.mono_us,
        FULL_PROGRESS.clock,
        codec.encode_body(FULL_PROGRESS.body),
    )

    assert raw.hex() == (GOLDEN / "progress.v1.hex").read_text(encoding="ascii").strip()
    assert codec.decode_body(codec.encode_body(FULL_PROGRESS.body)) == FULL_PROGRESS.body


@pytest.mark.parametrize("kind", [*typing.get_args(Body), ZoneProgress, Facade, Basis, DeviceHealth])
def test_no_struct_outgrows_the_header_that_its_first_records_had(kind):
    """From 16 entries on msgspec writes a longer header, and every record's hash would change."""
    config = kind.__struct_config__

    assert len(kind.__struct_fields__) + (config.tag is not None) <= 15


@given(st.integers(1, 2**40), st.lists(st.binary(max_size=80), max_size=5))
def test_following_the_chain_is_linking_record_by_record(first, records):
    prev = head = chain.start("gw1", "e", "data")
    for seq, raw in enumerate(records, first):
        head = hashlib.sha256(head + seq.to_bytes(8, "big") + hashlib.sha256(raw).digest()).digest()

    assert chain.follow(prev, first, records) == head


def test_v1_columns_are_still_laid_out_the_same():
    packed = codec.pack_batch(
        RECORDS,
        [codec.encode_body(r.body) for r in RECORDS],
        **IDENTITY,
        prev=bytes(32),
        head=bytes(32),
        algorithm=signing.ALGORITHM,
        sign=KEY.sign,
    )
    golden = (GOLDEN / "batch.v1.msgpack").read_bytes()

    assert columns_of(packed) == columns_of(golden)


def columns_of(payload: bytes) -> object:
    return msgspec.msgpack.decode(zlib.decompress(msgspec.msgpack.decode(payload)[-1]))


@given(st.binary(max_size=200))
def test_garbage_is_no_acknowledgement(payload):
    with contextlib.suppress(Refused):
        assert isinstance(codec.decode_ack(payload), Ack)


DEEP = b"\x91" * 5000 + b"\xc0"


@pytest.mark.parametrize(
    "payload",
    [
        bytes([0x9D]) + msgspec.msgpack.encode([1, "a", "b", "e", "data", 1, 1, b"0" * 32, b"1" * 32, "x", b"", b""])[1:] + DEEP,
        DEEP,
    ],
)  # fmt: skip
def test_nesting_without_end_is_refused(payload):
    with pytest.raises(Refused):
        codec.open_batch(payload)
    with pytest.raises(Refused):
        codec.decode_ack(b"\x81\xa2zz" + DEEP)
    with pytest.raises(Refused):
        codec.decode_body(b"\x81\xa2zz" + DEEP)


def forged(columns: list, *, first: int = 1, last: int = 1) -> bytes:
    packed = zlib.compress(msgspec.msgpack.encode(columns))
    head = chain.start("gw1", "e", "data")
    return msgspec.msgpack.encode([1, "a", "b", "e", "data", first, last, head, head, "ed25519", b"", packed])


@pytest.mark.parametrize(
    ("columns", "last"),
    [
        ([[0], [0], [["b", 1]], [["synced", 1]], list(range(40_000)), [["", [], [], []]] * 40_000, []], 1),
        ([[0] * 3, [0] * 3, [["b", 3]], [["synced", 3]], [0] * 3, [["d" * (1 << 20), [], [], []]], []], 3),
        ([[0], [0], [["b" * (1 << 20), 1]], [["synced", 1]], [0], [["d", [], [], []]], []], 1),
        ([[0], [0], [["b", 1]], [["synced", 1 << 60]], [0], [["d", [], [], []]], []], 1),
        ([[0], [0], [["b", 1]], [["synced", 1]], [-1], [], [codec.encode_body(Frame(device="d", metrics=(1,), values=()))]], 1),
        ([[0], [0], [["b", 1]], [["synced", 1]], [-2], [["d", [], [], []]], []], 1),
        ([[0], [0], [["b", 1]], [["synced", 1]], [1], [["d", [], [], []]], [codec.encode_body(Event(code="x"))]], 1),
        ([[0], [0], [["b", 1]], [["synced", 1]], [0], [["d", [], [], []]], [codec.encode_body(Event(code="x"))]], 1),
        ([[0], [0], [["b", 1]], [["synced", 1]], [0], [["d", [], [], []], ["e", [], [], []]], []], 1),
        ([[0], [0], [["b", 1]], [["synced", 1]], [0], [["d", [1], [5], [[0, 1, 9]]]], []], 1),
        ([[0, 1], [0, 1], [["b", 2]], [["synced", 2]], [0, 0], [["d", [1], [2**63, 2**63], []]], []], 2),
        ([[0, 1], [0, 1], [["b", 2]], [["synced", 2]], [0, 0], [["d", [1, 2], [None, 1, -2**63, -1], []]], []], 2),
        ([[2**63, 2**63], [0, 1], [["b", 2]], [["synced", 2]], [0, 0], [["d", [], [], []]], []], 2),
    ],
)  # fmt: skip
def test_columns_that_would_cost_time_memory_or_sense_are_refused(columns, last):
    with pytest.raises(Refused, match=r"announced|characters|fit together"):
        codec.open_batch(forged(columns, last=last))


def test_sequence_numbers_end_before_arithmetic_does():
    with pytest.raises(Refused, match="impossible range"):
        codec.open_batch(forged([[], [], [], [], [], [], []], first=2**63 - 1, last=2**63 - 1))


def test_nothing_is_unpacked_before_the_envelope_was_checked():
    def stranger(envelope: codec.Envelope) -> None:
        raise Refused(f"nobody knows {envelope.gateway}")

    with pytest.raises(Refused, match="nobody knows b"):
        codec.open_batch(forged([["not", "columns"]]), stranger)


def test_zeros_that_would_cost_seconds_to_unroll_are_refused():
    wide = ["m", list(range(2000)), [0] * 2000, []]
    many = ["m", list(range(100)), [0] * 400_000, []]
    for group, why in ((wide, "metrics"), (many, "values")):
        columns = [[0] * 4000, [0] * 4000, [["b", 4000]], [["synced", 4000]], [0] * 4000, [group], []]
        with pytest.raises(Refused, match=why):
            codec.open_batch(forged(columns, last=4000))


def test_what_stands_beside_the_fields_that_are_known_is_refused():
    envelope = msgspec.msgpack.decode((GOLDEN / "batch.v1.msgpack").read_bytes())

    with pytest.raises(Refused):
        codec.open_batch(msgspec.msgpack.encode([*envelope, "more"]))


def test_a_body_whose_kind_comes_later_is_refused():
    body = msgspec.msgpack.encode({"code": "started", "kind": "event"})
    columns = [[0], [0], [["b", 1]], [["synced", 1]], [-1], [], [body]]

    assert codec.decode_body(body).code == "started"
    with pytest.raises(Refused, match="fit together"):
        codec.open_batch(forged(columns))


def test_an_acknowledgement_without_end_is_refused():
    with pytest.raises(Refused, match="at most"):
        codec.decode_ack(codec.encode_ack(Ack(epoch="e", lane="data", through=1, also=((3, 3),) * 60_000)))
