"""The harness sees what it is there to see: a checker that finds nothing proves nothing."""

from __future__ import annotations

import msgspec
import pytest
from harness import msgpack
from harness.central_file import Kept
from harness.checker import check
from hypothesis import given
from hypothesis import strategies as st

DATA = ("gw", "e", "data")
STATUS = ("gw", "e", "status")
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def frame(seq, counter=None, **other):
    return Kept(
        key=DATA,
        seq=seq,
        at_us=0,
        received_us=0,
        kind="frame",
        device="m1",
        values={28: counter or seq},
        **other,
    )


def body(seq, counter=None):
    said = {"kind": "frame", "device": "m1", "metrics": [28], "values": [counter or seq]}
    return msgspec.msgpack.encode(said)


def gap(first, last):
    said = {"kind": "gap", "lane": "data", "first": first, "last": last, "why": "size"}
    return Kept(key=STATUS, seq=1, at_us=0, received_us=0, kind="gap", body=said)


COMMITTED = {(DATA, seq): body(seq) for seq in range(1, 6)}


@given(plain)
def test_its_own_reader_reads_what_the_product_writes(value):
    assert msgpack.unpack(msgspec.msgpack.encode(value)) == value


@given(st.lists(st.integers(-(2**63), 2**64 - 1) | st.text(max_size=30), max_size=15))
def test_its_own_writer_writes_what_the_product_does(value):
    assert msgpack.pack(value) == msgspec.msgpack.encode(value)


def test_nothing_is_found_where_nothing_is_wrong():
    assert check([frame(seq) for seq in range(1, 6)], COMMITTED).ok


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ("lost", [frame(1), frame(2), frame(3), frame(4)]),
        ("undeclared_holes", [frame(1), frame(2), frame(4), frame(5)]),
        ("duplicate", [*(frame(seq) for seq in range(1, 6)), frame(3)]),
        ("changed", [*(frame(seq) for seq in range(1, 5)), frame(5, counter=77)]),
    ],
)
def test_what_is_wrong_is_found(found, kept):
    verdict = check(kept, COMMITTED)

    assert getattr(verdict, found) == 1
    assert not verdict.ok


def test_what_a_gap_declares_is_not_lost():
    verdict = check([frame(1), frame(4), frame(5), gap(2, 3)], COMMITTED)

    assert verdict.ok
    assert verdict.declared == 2


def test_a_gap_without_an_end_declares_what_is_not_there():
    verdict = check([frame(1), frame(2), gap(3, 0)], COMMITTED)

    assert verdict.ok
    assert verdict.declared == 3


def test_an_answer_that_no_meter_gave_and_one_that_was_altered_are_found(tmp_path):
    log = tmp_path / "oplog.jsonl"
    lines = [
        {"device": "m1", "values": [["energy_import_total", seq], ["voltage_l1", 230]]} for seq in range(1, 4)
    ]
    log.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    kept = [
        Kept(key=DATA, seq=1, at_us=0, received_us=0, kind="frame", device="m1", values={28: 1, 1: 230}),
        Kept(key=DATA, seq=2, at_us=0, received_us=0, kind="frame", device="m1", values={28: 2, 1: 231}),
        Kept(key=DATA, seq=3, at_us=0, received_us=0, kind="frame", device="m1", values={28: 9, 1: 230}),
    ]
    verdict = check(kept, {}, [log], {"energy_import_total": 28, "voltage_l1": 1})

    assert (verdict.changed, verdict.invented, verdict.unread) == (1, 1, 1)
