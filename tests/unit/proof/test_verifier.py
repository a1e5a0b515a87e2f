"""The stand-alone program: does it read what the product writes, and does it bear what nobody should write."""

import dataclasses
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumbline import codec
from plumbline.messages import Gap
from plumbline_central.ledger import Ledger
from plumbline_central.proof import merkle
from plumbline_central.proof.export import export, manifest_statement
from plumbline_central.proof.folder import open_proofs
from plumbline_central.registry import Registry

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "deploy/verify/plumbline_verify.py"

RFC_8032 = [  # section 7.1: tests 1, 2, 3
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner, max_size=20),
    max_leaves=30,
)


@given(VALUES)
def test_messagepack_is_byte_for_byte_that_of_the_product(verifier, value):
    raw = msgspec.msgpack.encode(value)

    assert verifier.pack(value) == raw
    assert verifier.unpack(raw) == value


@pytest.mark.parametrize("size", [31, 32, 255, 256, 65_535, 65_536])
def test_long_texts_and_lists_take_the_right_length(verifier, size):
    for value in ("x" * size, b"x" * size, [0] * size, {str(i): i for i in range(size)}):
        raw = msgspec.msgpack.encode(value)

        assert verifier.pack(value) == raw
        assert verifier.unpack(raw) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_damaged(verifier, raw):
    try:
        verifier.unpack(raw)
    except verifier.Damaged:
        return


@pytest.mark.parametrize(
    "raw", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x91" * 5000, b"\xc6\xff\xff\xff\xff"]
)
def test_a_bomb_of_announcements_is_damaged(verifier, raw):
    with pytest.raises(verifier.Damaged):
        verifier.unpack(raw)


@pytest.mark.parametrize(("key", "message", "signature"), RFC_8032)
def test_the_own_ed25519_knows_the_answers_of_rfc_8032(verifier, key, message, signature):
    key, message, signature = map(bytes.fromhex, (key, message, signature))

    assert verifier.ed25519_slow(key, message, signature)
    for at in (0, 31, 32, 63):
        bad = bytearray(signature)
        bad[at] ^= 1
        assert not verifier.ed25519_slow(key, message, bytes(bad))
    assert not verifier.ed25519_slow(key, message + b"x", signature)
    assert not verifier.ed25519_slow(bytes([key[0] ^ 1]) + key[1:], message, signature)


def test_the_own_ed25519_takes_no_second_form_of_a_signature(verifier):
    key, message, signature = map(bytes.fromhex, RFC_8032[1])
    s = int.from_bytes(signature[32:], "little") + verifier._L

    assert not verifier.ed25519_slow(key, message, signature[:32] + s.to_bytes(32, "little"))
    assert not verifier.ed25519_slow(key[:31], message, signature)
    assert not verifier.ed25519_slow(b"\xff" * 32, message, signature)


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_the_own_ed25519_agrees_with_the_library(verifier, message, seed):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()

    assert verifier.ed25519_slow(public, message, private.sign(message))
    assert not verifier.ed25519_slow(public, message + b"!", private.sign(message))


EVENT = b"\x81\xa4kind\xa5event"
FITTING = {
    "at_us": [1, 1],
    "mono_us": [1, 1],
    "boots": [["b", 2]],
    "clocks": [["synced", 2]],
    "order": [0, -1],
    "groups": [["m", [1, 2], [7, None], [[0, 1, 102]]]],
    "others": [EVENT],
}


def signed_as_two(verifier, columns):
    """An envelope around these columns, which says that they are records 1 and 2."""
    packed = zlib.compress(msgspec.msgpack.encode(columns))
    head = bytes(32)
    outer = [1, "a12", "gw-1", "e1", "data", 1, 2, head, head, "ed25519", bytes(64), packed]
    return verifier.open_envelope(msgspec.msgpack.encode(outer))


def test_columns_that_fit_are_lines(verifier):
    frame, event = verifier.open_lines(signed_as_two(verifier, [*FITTING.values()]))

    assert verifier.unpack(frame.body) == {
        "kind": "frame",
        "device": "m",
        "metrics": [1, 2],
        "values": [7, None],
        "flaws": [[1, 102]],
    }
    assert (event.body, event.at_us, event.boot, event.clock) == (EVENT, 2, "b", "synced")


@pytest.mark.parametrize(
    "misfit",
    [
        {"at_us": [1 << 63, 1 << 63]},
        {"at_us": [0.5, 1]},
        {"at_us": [True, 1]},
        {"at_us": {"a": 1, "b": 2}},
        {"mono_us": [1]},
        {"boots": [[5, 2]]},
        {"boots": [["b", 1]]},
        {"boots": [["b", 1.0], ["c", 1]]},
        {"boots": [["b" * 65, 2]]},
        {"boots": "x"},
        {"clocks": [["sundial", 2]]},
        {"clocks": [[["synced"], 2]]},
        {"clocks": [["synced", 2, "more"]]},
        {"order": [0, 7]},
        {"order": [0, -2]},
        {"order": [0, False]},
        {"order": [-1, -1]},
        {"order": [-1, -1], "groups": []},
        {"groups": [7]},
        {"groups": [{"a": 1, "b": 2, "c": 3, "d": 4}]},
        {"groups": [["m", [1, 2], [7, None], [[0, 1, 102]], "more"]]},
        {"groups": [[7, [1, 2], [7, None], []]]},
        {"groups": [["m" * 65, [1, 2], [7, None], []]]},
        {"groups": [["m", ["1", 2], [7, None], []]]},
        {"groups": [["m", "12", [7, None], []]]},
        {"groups": [["m", [1, 2], [7, 0.5], []]]},
        {"groups": [["m", [1, 2], [7, True], []]]},
        {"groups": [["m", [1, 2], {"a": 1, "b": 2}, []]]},
        {"groups": [["m", [1, 2], [7, None], [[9, 0, 1]]]]},
        {"groups": [["m", [1, 2], [7, None], [[0, 1, "x"]]]]},
        {"groups": [["m", [1, 2], [7, None], 5]]},
        {"order": [0, 0], "others": [], "groups": [["m", [1], [1 << 63, 1 << 63], []]]},
        {"others": []},
        {"others": "x"},
        {"others": [7]},
        {"others": [None]},
        {"others": [b""]},
        {"others": [b"x"]},
        {"others": [b"\x92\xa4kind\xa3gap"]},
        {"others": [b"\x81\xa3why\xa4size"]},
        {"others": [b"\x82\xa3why\xa4size\xa4kind\xa3gap"]},
        {"others": [b"\x81\xa4kind\x07"]},
        {"others": [EVENT + b"x"]},
        {"others": [b"\x82\xa4kind\xa3gap"]},
        {"others": [msgspec.msgpack.encode({"kind": "frame", "device": "m", "metrics": [], "values": []})]},
        {"more": 5},
    ],
)
def test_columns_that_do_not_fit_are_damaged(verifier, misfit):
    with pytest.raises(verifier.Damaged):
        verifier.open_lines(signed_as_two(verifier, [*(FITTING | misfit).values()]))


@pytest.mark.parametrize("columns", [[[]] * 6, [[]] * 8, 5, {}, "columns", dict.fromkeys("abcdefg", 1)])
def test_what_is_no_columns_at_all_is_damaged(verifier, columns):
    with pytest.raises(verifier.Damaged):
        verifier.open_lines(signed_as_two(verifier, columns))


def test_an_envelope_with_something_more_in_it_is_damaged(verifier):
    outer = msgspec.msgpack.decode((ROOT / "tests/golden/wire/batch.v1.msgpack").read_bytes())

    assert verifier.open_envelope(msgspec.msgpack.encode(outer))
    with pytest.raises(verifier.Damaged):
        verifier.open_envelope(msgspec.msgpack.encode([*outer, None]))


@pytest.mark.parametrize(
    ("metrics", "rows", "groups", "fits"),
    [
        (1024, 2, 1, True),
        (1025, 2, 1, False),
        (1024, 256, 1, True),
        (1024, 128, 2, True),
        (1024, 257, 1, False),
    ],
)
def test_a_batch_has_room_for_1024_metrics_a_group_and_262144_numbers(verifier, metrics, rows, groups, fits):
    count = rows * groups
    columns = FITTING | {
        "at_us": [1] * count,
        "mono_us": [1] * count,
        "boots": [["b", count]],
        "clocks": [["synced", count]],
        "order": [*range(groups)] * rows,
        "groups": [["m", [*range(metrics)], [0] * metrics * rows, []]] * groups,
        "others": [],
    }
    envelope = signed_as_two(verifier, [*columns.values()])

    if fits:
        assert len(verifier.open_lines(envelope)) == count
    else:
        with pytest.raises(verifier.Damaged, match="more than"):
            verifier.open_lines(envelope)


@pytest.mark.parametrize("others", ["x", [7], [b"\x92\xa4kind\xa3gap"], [b"\x92\xa5event\x01"]])
def test_forged_bodies_are_a_fault_and_no_module_function_stumbles(verifier, intruder, capsys, others):
    at = intruder.find("gw-1", "status", 1)
    columns = intruder.columns(at)
    intruder.repack(at, [*columns[:6], others], rehash=False)
    intruder.save()

    assert verifier.main([str(intruder.path)]) == 1
    assert "FAULTY" in capsys.readouterr().out
    with verifier.open_export(intruder.path) as opened:
        assert not any(
            r["lane"] == "status" and r["seq"] == 1 and r["gateway"] == "gw-1"
            for r in verifier.records(opened)
        )
        assert len(list(verifier.declared_gaps(opened))) == 1


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_what_nobody_thought_of_is_a_sentence_and_no_fault(verifier, evidence, capsys, monkeypatch, options):
    def stumble(*_):
        raise AttributeError("no attribute")

    monkeypatch.setattr(verifier, "chain_heads", stumble)

    assert verifier.main([str(evidence), *options]) == 2
    said = capsys.readouterr().out
    why = json.loads(said)["why"] if options else said
    assert "the file is not understood: AttributeError('no attribute')" in why


def test_letters_that_the_terminal_lacks_are_no_traceback(evidence):
    write(evidence, 证据=b"")
    done = subprocess.run(
        [sys.executable, PROGRAM, evidence],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert (done.returncode, done.stderr) == (2, b"")
    assert done.stdout.startswith(b"cannot be judged: an evidence file holds no ")


@settings(max_examples=300)
@given(st.binary(max_size=40), st.integers(0, 2000))
def test_any_columns_are_lines_with_a_chain_or_damaged(verifier, noise, at):
    payload = bytearray((ROOT / "tests/golden/wire/batch.v1.msgpack").read_bytes())
    envelope = verifier.open_envelope(bytes(payload))
    plain = bytearray(zlib.decompress(envelope.packed))
    plain[at % len(plain) : at % len(plain) + len(noise)] = noise
    spoilt = dataclasses.replace(envelope, packed=zlib.compress(bytes(plain)))
    try:
        lines = verifier.open_lines(spoilt)
    except verifier.Damaged:
        return
    assert len(verifier.chain_heads(spoilt.prev, spoilt.first, lines)) == len(lines) + 1


def test_the_golden_batches_lead_to_their_heads(verifier):
    for name in ("batch.v1.msgpack", "status.v1.msgpack"):
        payload = (ROOT / "tests/golden/wire" / name).read_bytes()
        envelope = verifier.open_envelope(payload)
        lines = verifier.open_lines(envelope)
        opened = codec.open_batch(payload)

        assert verifier.chain_heads(envelope.prev, envelope.first, lines)[-1] == envelope.head
        assert envelope.statement() == opened.statement
        assert [line.at_us for line in lines] == [record.at_us for record in opened.records]


@given(st.integers(0, 300), st.data())
def test_tree_and_proofs_agree_with_the_product(verifier, size, data):
    leaves = [merkle.leaf_hash(i.to_bytes(2, "big")) for i in range(size)]
    old = data.draw(st.integers(0, size))
    tree, before = verifier.Tree(), verifier.Tree()
    for leaf in leaves:
        tree.append(leaf)
    for leaf in leaves[:old]:
        before.append(leaf)
    path = merkle.consistency(old, size, lambda a, b: merkle.root(leaves[a:b]))

    assert tree.root() == merkle.root(leaves)
    assert verifier.proves_consistency(old, before.root(), size, tree.root(), path)
    assert not verifier.proves_consistency(old, before.root(), size, tree.root(), [*path, bytes(32)])


def test_every_record_comes_out_once_and_as_it_was_recorded(verifier, evidence, site):
    with verifier.open_export(evidence) as opened:
        found = list(verifier.records(opened))
    expected = {
        (name, lane, record.seq): record
        for name, gateway in site.gateways.items()
        for lane, records in gateway.lanes.items()
        for record in records
    }
    for record in found:
        original = expected.pop((record["gateway"], record["lane"], record["seq"]))
        body = msgspec.msgpack.decode(codec.encode_body(original.body))
        assert record["kind"] == body.pop("kind")
        assert record["body"] == body
        assert (record["at_us"], record["boot"]) == (original.at_us, original.boot)
        assert (record["mono_us"], record["clock"]) == (original.mono_us, original.clock)
    never_sent = {("gw-2", "status", 1), ("gw-2", "photo", 1), ("gw-9", "photo", 1)}
    assert set(expected) == never_sent | {("gw-1", "data", seq) for seq in range(21, 31)}


def test_declared_gaps_are_told_and_bridge_the_chain(verifier, evidence):
    with verifier.open_export(evidence) as opened:
        report = verifier.examine(opened)
        (gap,) = verifier.declared_gaps(opened)

    assert report.ok
    assert (report.declared_lost, report.outstanding) == (10, 0)
    assert (gap["gateway"], gap["lane"], gap["first"], gap["last"], gap["why"]) == (
        "gw-1",
        "data",
        21,
        30,
        "size",
    )


def test_a_gap_may_arrive_before_anything_of_its_lane_does(verifier, site, now, tmp_path):
    new = site.enroll(type(site.gateways["gw-1"])("gw-5", epoch="e5"))
    new.frames(50)
    new.gap(1, 40)
    site.receive(new.pack(1, 1, lane="status"))
    one = site.gateways["gw-1"]
    one.frames(30)
    one.gap(82, 111)
    site.receive(one.pack(3, 3, lane="status"))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened)

    assert report.faults == []
    assert report.declared_lost == 10 + 40 + 30


def test_a_gap_whose_heads_do_not_fit_the_chain_is_a_fault(verifier, site, now, tmp_path):
    two = site.gateways["gw-2"]
    two.record(Gap(lane="data", first=31, last=40, why="size", prev=b"x" * 32, head=b"y" * 32), lane="status")
    site.receive(two.pack(1, 2, lane="status"))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        (fault,) = verifier.check(opened)

    assert (fault.word, fault.gateway, fault.lane, fault.seq) == ("altered", "gw-2", "data", 30)


def test_after_a_damaged_outbox_everything_from_there_on_may_be_lost(verifier, site, now, tmp_path):
    two = site.gateways["gw-2"]
    site.receive(two.pack(1, 1, lane="status"))
    two.frames(20)
    site.receive(two.pack(95, 99))
    later = type(two)("gw-2", epoch="e3", key=two.key)
    later.record(Gap(lane="data", first=82, last=0, why="damaged", epoch="e2"), lane="status")
    site.receive(later.pack(1, 1, lane="status"))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened)

    assert report.faults == []
    assert (report.open_ended, report.outstanding) == (1, 0)


@pytest.mark.parametrize("known", [(), ("prev",), ("head",)])
@pytest.mark.parametrize("lane_goes_on", [True, False])
def test_a_damaged_file_may_know_how_many_are_gone_but_not_the_heads(
    verifier, site, now, tmp_path, known, lane_goes_on
):
    two = site.gateways["gw-2"]
    site.receive(two.pack(1, 1, lane="status"))
    two.frames(20)
    if lane_goes_on:
        site.receive(two.pack(95, 101))
    heads = {"prev": two.heads["data"][81], "head": two.heads["data"][94]}
    later = type(two)("gw-2", epoch="e3", key=two.key)
    ends = {name: heads[name] for name in known}
    later.record(Gap(lane="data", first=82, last=94, why="damaged", epoch="e2", **ends), lane="status")
    site.receive(later.pack(1, 1, lane="status"))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened)

    assert report.faults == []
    assert report.declared_lost == 10 + 13


@pytest.mark.parametrize("last", [94, 0])
def test_the_one_head_that_a_damaged_file_knows_still_has_to_fit(verifier, site, now, tmp_path, last):
    two = site.gateways["gw-2"]
    site.receive(two.pack(1, 1, lane="status"))
    later = type(two)("gw-2", epoch="e3", key=two.key)
    later.record(
        Gap(lane="data", first=82, last=last, why="damaged", epoch="e2", prev=b"x" * 32), lane="status"
    )
    site.receive(later.pack(1, 1, lane="status"))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        (fault,) = verifier.check(opened)

    assert (fault.word, fault.gateway, fault.lane, fault.seq) == ("altered", "gw-2", "data", 81)


def test_gaps_may_overlap_and_repeat_each_other(verifier, site, now, tmp_path):
    one = site.gateways["gw-1"]
    one.frames(60)
    for first, last in ((82, 90), (85, 100), (82, 90), (82, 120), (15, 35)):
        one.gap(first, last)
    site.receive(one.pack(121, 141), one.pack(3, 7, lane="status"))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened)

    assert report.faults == []
    assert report.declared_lost == 10 + 39


def test_records_still_on_their_way_are_counted_and_are_no_fault(verifier, site, now, tmp_path):
    two = site.gateways["gw-2"]
    two.frames(20)
    site.receive(two.pack(95, 99))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened)

    assert report.faults == []
    assert report.outstanding == 13


def test_two_signed_stories_in_overlapping_batches_are_a_fault(verifier, site, now, tmp_path):
    two = site.gateways["gw-2"]
    twin = type(two)("gw-2", epoch="e2", key=two.key)
    twin.frames(40, device="other")
    head = twin.heads["data"]
    site.meddle(
        "INSERT INTO batch VALUES (15, 1, 'a12', 'gw-2', 'e2', 'data', 25, 40, ?, ?, ?, '[]')",
        head[24],
        head[40],
        twin.pack(25, 40),
    )
    with site.proofs() as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        faults = verifier.check(opened)

    assert {(f.word, f.gateway, f.lane) for f in faults} == {("altered", "gw-2", "data")}


@pytest.mark.parametrize(
    ("scope", "gateways", "batches"),
    [
        ({"site": "a12"}, {"gw-1", "gw-2"}, 12),
        ({"gateway": "gw-9"}, {"gw-9"}, 3),
        ({}, {"gw-1", "gw-2", "gw-9"}, 15),
    ],
)
def test_a_part_can_be_exported_and_is_proved_against_the_whole_tree(
    verifier, evidence, site, now, tmp_path, scope, gateways, batches
):
    with site.proofs() as proofs:
        export(proofs, tmp_path / "part.zip", now, **scope)
    with verifier.open_export(tmp_path / "part.zip") as opened:
        report = verifier.examine(opened)
        found = {record["gateway"] for record in verifier.records(opened)}

    assert report.faults == []
    assert found == gateways
    assert (report.batches, report.leaves) == (batches, 15)


def test_an_operator_who_leaves_a_batch_out_and_signs_that_is_named_where_all_was_exported(
    verifier, intruder, evidence, site
):
    at = intruder.find("gw-1", "data", 11)
    del intruder.batches[at], intruder.indices[at]
    intruder.save(leaves=False)
    with site.proofs() as proofs:
        signature = proofs.key.sign(manifest_statement(intruder.files["manifest.json"])).hex()
        seal = {"algorithm": "ed25519", "key": proofs.key.public, "signature": signature}
    write(evidence, **{"manifest.sig": json.dumps(seal).encode()})
    with verifier.open_export(evidence) as opened:
        faults = verifier.check(opened)

    assert [(fault.word, fault.why) for fault in faults] == [
        ("missing", "1 batches, the first of them that of leaf 5")
    ]


def test_a_centre_that_has_received_nothing_yet_has_evidence_of_that(verifier, now, tmp_path):
    Ledger.open(tmp_path / "ledger.db").close()
    Registry.open(tmp_path / "control.db").close()
    with open_proofs(tmp_path) as proofs:
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        assert verifier.check(opened) == []
        assert list(verifier.records(opened)) == []


def test_the_same_export_is_the_same_file(site, now, tmp_path):
    with site.proofs() as proofs:
        export(proofs, tmp_path / "one.zip", now)
        export(proofs, tmp_path / "two.zip", now)

    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_time_stamps_go_with_the_file_and_are_said_to_be_unchecked_without_certificates(
    verifier, evidence, site, now, tmp_path
):
    with site.proofs() as proofs:
        head = proofs.book.newest()
        proofs.book.keep_stamp(head.size, b"..." + hashlib.sha256(head.file).digest() + b"...")
        proofs.book.keep_stamp(14, b"of something else")
        export(proofs, tmp_path / "e.zip", now)
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened)

    assert [fault.word for fault in report.faults] == ["stamp"]
    assert report.stamps_unchecked == 1
    assert any("no --tsa-ca was given" in note for note in report.notes)


def run(*arguments):
    done = subprocess.run(
        [sys.executable, "-I", PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_the_program_runs_alone_and_says_what_it_checked(evidence, site, tmp_path):
    with site.proofs() as proofs:
        key, kept = proofs.key.public, proofs.book.all()[0]
    (tmp_path / "head.json").write_bytes(kept.file)
    gateway = f"gw-1={site.gateways['gw-1'].key.public}"
    code, said = run(evidence, "--key", key, "--head", tmp_path / "head.json", "--gateway-key", gateway)

    assert code == 0
    assert "15 batches, 246 records in 6 lanes" in said
    assert "1 heads kept elsewhere" in said
    assert said.endswith("ok\n")
    code, said = run(evidence, "--key", "00" * 32, "--json")
    assert code == 1
    assert {fault["word"] for fault in json.loads(said)["faults"]} == {"broken seal"}


@pytest.mark.parametrize(
    "options",
    [["--key", "xyz"], ["--gateway-key", "gw-1"], ["--gateway-key", "gw-1=00"], ["--head", "nowhere.json"]],
)
def test_an_option_that_makes_no_sense_is_a_sentence(verifier, evidence, capsys, options):
    assert verifier.main([str(evidence), *options]) == 2
    assert capsys.readouterr().out.startswith("cannot be judged: ")


def test_the_program_stands_alone(verifier):
    text = PROGRAM.read_text(encoding="utf-8")
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))

    assert imported - sys.stdlib_module_names == {"cryptography"}


def test_without_the_library_the_same_is_found(verifier, evidence, monkeypatch):
    monkeypatch.setattr(verifier, "ed25519", verifier.ed25519_slow)
    with verifier.open_export(evidence) as opened:
        assert verifier.check(opened) == []


def write(path, **changes):
    """The evidence file with some of its files replaced."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files |= changes
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(name, content)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"nonsense" * 1000, b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(100)],
)
def test_a_file_that_is_no_evidence_is_a_sentence(verifier, tmp_path, capsys, content):
    (tmp_path / "x.zip").write_bytes(content)

    assert verifier.main([str(tmp_path / "x.zip")]) == 2
    assert capsys.readouterr().out.startswith("cannot be judged: ")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", b"[" * 100_000),
        ("manifest.json", b"{}"),
        ("manifest.json", b"\xff"),
        ("manifest.json", b'{"format": "plumbline-evidence/1"}'),
        ("manifest.json", None),
        ("manifest.json", b" " * (65 << 20)),
        ("manifest.sig", b"{}"),
        ("heads.json", b"{}"),
        ("heads.json", b'{"heads": [], "tails": [], "consistency": []}'),
        ("heads.json", b'{"heads": [1], "tails": [], "consistency": []}'),
        ("heads.json", b'{"heads": "x", "tails": 5, "consistency": null}'),
        ("leaves.bin", b"x"),
        ("batches.bin", b"x"),
        ("batches.bin", bytes(19) + b"\xff" * 50),
        ("batches.bin", bytes(16) + b"\xff\xff\xff\xff"),
        ("other", b""),
        ("stamps/head-9.tsr", bytes(2 << 20)),
    ],
)
def test_a_nonsense_part_is_a_sentence(verifier, evidence, capsys, name, content):
    write(evidence, **{name: content})

    assert verifier.main([str(evidence)]) == 2
    assert capsys.readouterr().out.startswith("cannot be judged: ")


LONG_LIST = json.dumps([*range(1_000_000, 2_000_000)]).encode()  # 9 MB


def no_batches(count):
    """batches.bin with as many batches of one byte, which are none."""
    return b"".join(struct.pack(">QQIB", i, 0, 1, i % 251) for i in range(count))


def test_a_bomb_of_leaves_is_a_fault_and_takes_no_memory(verifier, evidence, capsys):
    write(evidence, **{"leaves.bin": random.Random(1).randbytes(32 * 200_000)})

    assert verifier.main([str(evidence)]) == 1
    assert len(capsys.readouterr().out) < 60_000


def test_the_examination_ends_at_so_many_faults_and_says_so(verifier, evidence, monkeypatch):
    write(evidence, **{"batches.bin": no_batches(20_000)})
    with verifier.open_export(evidence) as opened:
        report = verifier.examine(opened)

    assert len(report.faults) == verifier.MAX_FAULTS
    assert report.batches < verifier.MAX_FAULTS
    assert f"the examination ended at {verifier.MAX_FAULTS} faults; there may be more" in report.notes


def test_what_is_kept_of_an_unsigned_batch_is_small(verifier, intruder):
    at = intruder.find("gw-1", "data", 11)
    intruder.write(at, signature=bytes(64))
    intruder.save()
    with verifier.open_export(intruder.path) as opened:
        examination = verifier._Examination(opened, (), None, {}, None)
        report = examination.run(None)

    assert "altered" in {fault.word for fault in report.faults}
    assert [len(envelope.packed) for envelope in examination.bad] == [0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"batches.bin": bytes(20 * 20_000)}, "a batch of 0 bytes"),
        ({"batches.bin": bytes(20 * 1_000_000)}, "'batches.bin' would unpack to more than 200 times"),
        ({"leaves.bin": bytes(32 * 200_000)}, "'leaves.bin' would unpack to more than 200 times"),
        ({"heads.json": LONG_LIST}, "heads.json is larger than 8388608"),
        ({"manifest.json": LONG_LIST}, "manifest.json is larger than 8388608"),
        ({"manifest.json": b'{"format": ' + b"7" * 4000 + b"}"}, "a number of 4000 digits"),
        ({"manifest.sig": b" " * 65_537}, "manifest.sig is larger than 65536"),
        ({"stamps/head-14.tsr": bytes(65_537)}, "stamps/head-14.tsr is larger than 65536"),
        ({f"stamps/head-{i}.tsr": b"x" for i in range(1, 4098)}, "at most 4096 time stamps"),
        ({"stamps/head-01.tsr": b"x"}, "holds no 'stamps/head-01.tsr'"),
        ({"stamps/head-1\u0664.tsr": b"x"}, "holds no 'stamps/head-1"),
        ({"stamps/head-00.tsr": b"x"}, "holds no 'stamps/head-00.tsr'"),
    ],
)
def test_a_bomb_is_a_sentence(verifier, evidence, capsys, change, why):
    write(evidence, **change)

    assert verifier.main([str(evidence)]) == 2
    said = capsys.readouterr().out
    assert said.startswith("cannot be judged: ")
    assert why in said


def test_two_files_of_one_name_are_a_sentence(verifier, evidence, capsys):
    with zipfile.ZipFile(evidence, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("heads.json", archive.read("heads.json"))

    assert verifier.main([str(evidence)]) == 2
    assert "two files of one name" in capsys.readouterr().out


def test_a_member_that_claims_more_bytes_than_the_file_has_is_a_sentence(verifier, evidence, capsys):
    write(evidence, **{"batches.bin": bytes(20 << 20)})
    raw = bytearray(evidence.read_bytes())
    at = raw.index(b"batches.bin", raw.index(b"PK\x01\x02")) - 46
    raw[at + 20 : at + 24] = (20 << 20).to_bytes(4, "little")  # packed, it says, as large as unpacked
    evidence.write_bytes(bytes(raw))

    assert verifier.main([str(evidence)]) == 2
    assert "holds more than there is" in capsys.readouterr().out


def test_an_archive_that_is_too_large_as_a_whole_is_a_sentence(verifier, evidence, capsys, monkeypatch):
    monkeypatch.setattr(verifier, "MAX_TOTAL", evidence.stat().st_size // 2)

    assert verifier.main([str(evidence)]) == 2
    assert "would unpack to more than" in capsys.readouterr().out


@pytest.mark.parametrize("seed", range(60))
def test_flipped_and_cut_bytes_never_end_in_a_traceback(verifier, evidence, capsys, seed):
    rng = random.Random(seed)
    if seed % 2:
        with zipfile.ZipFile(evidence) as archive:
            name = rng.choice(archive.namelist())
            raw = bytearray(archive.read(name))
        spoil(rng, raw)
        write(evidence, **{name: bytes(raw)})
        allowed = {1, 2}
    else:
        raw = bytearray(evidence.read_bytes())
        spoil(rng, raw)
        evidence.write_bytes(bytes(raw))
        allowed = {0, 1, 2}  # a zip has bytes that say nothing, as its dates
    code = verifier.main([str(evidence)])
    said = capsys.readouterr().out

    assert code in allowed
    assert said.strip()


def spoil(rng, raw):
    for _ in range(rng.choice([1, 1, 3, 30])):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        del raw[rng.randrange(len(raw)) :]
        raw += b"\x00"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_is_asked_about_stamps_where_certificates_are_given(verifier, evidence, site, now, tmp_path):
    with site.proofs() as proofs:
        head = proofs.book.newest()
        proofs.book.keep_stamp(head.size, b"." + hashlib.sha256(head.file).digest())
        export(proofs, tmp_path / "e.zip", now)
    (tmp_path / "ca.pem").write_text("none")
    with verifier.open_export(tmp_path / "e.zip") as opened:
        report = verifier.examine(opened, tsa_ca=str(tmp_path / "ca.pem"))

    assert [fault.word for fault in report.faults] == ["stamp"]
