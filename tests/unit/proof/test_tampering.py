"""The six tampers, each done to an evidence file by somebody without keys, who then makes all fit as far as that goes."""

import json
import random
import zlib
from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.signing import DeviceKey
from plumbline_central.proof.export import export, gateway_statement, manifest_statement
from plumbline_central.proof.heads import Head
from plumbline_central.registry import Gateway


@pytest.fixture
def judge(verifier, evidence, site):
    """The six words that a judgement names, and all its faults; by somebody who knows central's key, or not."""

    def judge(*, known=True, **options):
        with site.proofs() as proofs:
            key = proofs.key.public
        with verifier.open_export(evidence) as opened:
            faults = verifier.check(opened, key=key if known else None, **options)
        return {fault.word for fault in faults} & set(verifier.TAMPERS), faults

    return judge


def test_an_untouched_file_is_ok_also_when_taken_apart_and_put_together(judge, intruder):
    assert judge() == (set(), [])
    intruder.save(manifest=False)
    words, faults = judge(known=False)

    assert words == set()
    assert {fault.word for fault in faults} <= {"broken seal"}  # only the bytes of heads.json differ


def delete_batch(it):
    del it.batches[it.find("gw-1", "data", 11)]
    it.save()


def delete_batch_but_keep_its_leaf(it):
    at = it.find("gw-1", "data", 11)
    del it.batches[at], it.indices[at]
    it.save(leaves=False)


def delete_batch_only(it):
    at = it.find("gw-1", "data", 11)
    del it.batches[at], it.indices[at]
    it.save(leaves=False, manifest=False)


def delete_record(it):
    at = it.find("gw-2", "data", 11)
    columns = it.columns(at)
    without_third(columns)
    it.repack(at, columns, rehash=False)
    it.save()


def delete_record_and_say_so(it):
    at = it.find("gw-2", "data", 11)
    columns = it.columns(at)
    without_third(columns)
    it.repack(at, columns, rehash=False, last=29)
    it.save()


def without_third(columns):
    at_us, mono_us, boots, clocks, order, groups, _ = columns
    for column in (at_us, mono_us):
        column[3] += column.pop(2) if len(column) < 4 else 0
        del column[2]
    boots[0][1] -= 1
    clocks[0][1] -= 1
    del order[2]
    group = groups[0]
    count = len(group[2]) // len(group[1])
    group[2] = [step for i, step in enumerate(group[2]) if i % count != 2]
    group[3] = [[row - (row > 2), at, flaw] for row, at, flaw in group[3] if row != 2]


def delete_batch_and_renumber(it):
    gone = it.find("gw-2", "data", 11)
    del it.batches[gone]
    at = it.find("gw-2", "data", 31)
    header = it.header(at)
    it.write(at, first=11, last=header["last"] - 20)
    it.save()


def alter_value(it):
    at = it.find("gw-1", "data", 11)
    columns = it.columns(at)
    columns[5][0][2][0] += 1
    it.repack(at, columns, rehash=False)
    it.save()


def alter_value_and_the_chain(it):
    at = it.find("gw-1", "data", 11)
    columns = it.columns(at)
    columns[5][0][2][0] += 1
    it.repack(at, columns, rehash=True)
    it.save()


def alter_the_whole_chain_after_it(it):
    starts = [1, 11, 31]
    head = None
    for first in starts:
        at = it.find("gw-2", "data", first)
        columns = it.columns(at)
        columns[5][0][2][0] += 1
        it.repack(at, columns, rehash=True, **({"prev": head} if head else {}))
        head = it.header(at)["head"]
    it.save()


def alter_a_leaf(it):
    it.leaves[4] = bytes(32)
    it.save(leaves=False)


def alter_only_the_packing(it):
    at = it.find("gw-1", "data", 11)
    it.write(at, packed=zlib.compress(msgspec.msgpack.encode(it.columns(at)), 1))
    it.save(leaves=False)


def insert_batch_between(it):
    at = it.find("gw-1", "data", 11)
    it.batches.insert(at, list(it.batches[at]))
    columns = it.columns(at)
    columns[5][0][2][0] += 1
    it.repack(at, columns, rehash=True)
    it.save()


def insert_batch_at_the_end(it):
    at = it.find("gw-2", "data", 31)
    it.batches.append(list(it.batches[at]))
    header = it.header(at)
    it.rehash(len(it.batches) - 1, first=82, last=132, prev=header["head"])
    it.save()


def insert_batch_and_renumber(it):
    first, second = it.find("gw-2", "data", 11), it.find("gw-2", "data", 31)
    it.write(second, first=51, last=101)
    it.batches.insert(second, list(it.batches[first]))
    it.rehash(second, first=31, last=50, prev=it.header(first)["head"])
    it.save()


def insert_record(it):
    at = it.find("gw-2", "data", 11)
    columns = it.columns(at)
    at_us, mono_us, boots, clocks, order, groups, _ = columns
    at_us.insert(2, 1)
    mono_us.insert(2, 1)
    boots[0][1] += 1
    clocks[0][1] += 1
    order.insert(2, 0)
    group = groups[0]
    count = len(group[2]) // len(group[1])
    for metric in reversed(range(len(group[1]))):
        group[2].insert(metric * count + 2, 5)
    it.repack(at, columns, rehash=False)
    it.save()


def insert_leaf(it):
    it.leaves.insert(5, bytes(32))
    it.indices = [index + (index >= 5) for index in it.indices]
    it.save(leaves=False)


def reorder_batches(it):
    one, other = it.find("gw-2", "data", 1), it.find("gw-2", "data", 11)
    it.batches[one], it.batches[other] = it.batches[other], it.batches[one]
    it.save()


def reorder_batches_of_different_lanes(it):
    one, other = it.find("gw-2", "data", 1), it.find("gw-1", "photo", 1)
    it.batches[one], it.batches[other] = it.batches[other], it.batches[one]
    it.batches[one][0], it.batches[other][0] = it.batches[other][0], it.batches[one][0]
    it.save()


def reorder_batches_but_not_their_leaves(it):
    one, other = it.find("gw-2", "data", 1), it.find("gw-2", "data", 11)
    it.batches[one], it.batches[other] = it.batches[other], it.batches[one]
    it.save(leaves=False)


def reorder_numbers(it):
    one, other = it.find("gw-1", "data", 1), it.find("gw-1", "data", 11)
    it.write(one, first=11, last=20)
    it.write(other, first=1, last=10)
    it.save()


def reorder_records(it):
    at = it.find("gw-2", "data", 11)
    columns = it.columns(at)
    at_us = columns[0]
    columns[0] = [at_us[0], 2_000_000, -1_000_000, 2_000_000, *at_us[4:]]
    columns[1] = [columns[1][0], 2_000_000, -1_000_000, 2_000_000, *columns[1][4:]]
    group = columns[5][0]
    count = len(group[2]) // len(group[1])
    for metric in range(len(group[1])):
        column, before = [], 0
        for step in group[2][metric * count : (metric + 1) * count]:
            before += step or 0
            column.append(None if step is None else before)
        column[1], column[2] = column[2], column[1]
        steps, before = [], 0
        for value in column:
            steps.append(None if value is None else value - before)
            before = before if value is None else value
        group[2][metric * count : (metric + 1) * count] = steps
    it.repack(at, columns, rehash=False)
    it.save()


def cut_the_tail(it):
    del it.batches[-3:]
    it.save()


def cut_the_tail_of_one_lane(it):
    del it.batches[it.find("gw-2", "data", 31)]
    it.save()


def cut_the_tail_and_the_newest_head(it):
    del it.batches[-1:]
    del it.heads["heads"][-1], it.heads["consistency"][-1]
    it.manifest["size"] = 14
    it.save()


def cut_the_tail_and_its_mention(it):
    del it.batches[it.find("gw-1", "data", 82)]
    for tail in it.heads["tails"]:
        if tail[:3] == ["gw-1", "e1", "data"]:
            tail[3] = 81
    it.save()


def cut_the_tail_and_mention_another(it):
    del it.batches[it.find("gw-1", "data", 82)]
    end = it.header(it.find("gw-1", "data", 51))["head"]
    for tail in it.heads["tails"]:
        if tail[:3] == ["gw-1", "e1", "data"]:
            tail[3:] = [81, end.hex()]
    it.save()


def cut_a_whole_lane(it):
    del it.batches[it.find("gw-9", "status", 1)]
    it.save()


def cut_a_whole_gateway(it):
    it.batches = [batch for batch in it.batches if msgspec.msgpack.decode(batch[1])[2] != "gw-9"]
    it.save()


def swap_device_under_another_name(it):
    del it.batches[it.find("gw-2", "data", 1)]
    it.write(it.find("gw-1", "data", 1), gateway="gw-2", epoch="e2")
    it.save()


def swap_device_and_the_listed_key(it):
    stranger = DeviceKey(Ed25519PrivateKey.generate())
    for at in range(len(it.batches)):
        resign(it, at, "gw-1", stranger)
    for gateway in it.manifest["gateways"]:
        if gateway["id"] == "gw-1":
            gateway["key"] = stranger.public
    it.save()


def resign(it, at, name, key):
    header = it.header(at)
    if header["gateway"] == name:
        statement = msgspec.msgpack.encode(["plumbline/1/batch", *[*header.values()][1:9]])
        it.write(at, signature=key.sign(statement))


TAMPERS = {
    "missing": (
        delete_batch,
        delete_batch_but_keep_its_leaf,
        delete_batch_only,
        delete_record,
        delete_record_and_say_so,
        delete_batch_and_renumber,
    ),
    "altered": (
        alter_value,
        alter_value_and_the_chain,
        alter_the_whole_chain_after_it,
        alter_a_leaf,
        alter_only_the_packing,
    ),
    "inserted": (
        insert_batch_between,
        insert_batch_at_the_end,
        insert_batch_and_renumber,
        insert_record,
        insert_leaf,
    ),
    "reordered": (
        reorder_batches,
        reorder_batches_of_different_lanes,
        reorder_batches_but_not_their_leaves,
        reorder_numbers,
        reorder_records,
    ),
    "tail cut off": (
        cut_the_tail,
        cut_the_tail_of_one_lane,
        cut_the_tail_and_the_newest_head,
        cut_the_tail_and_its_mention,
        cut_the_tail_and_mention_another,
        cut_a_whole_lane,
        cut_a_whole_gateway,
    ),
    "another device": (swap_device_under_another_name, swap_device_and_the_listed_key),
}
CASES = [
    pytest.param(word, tamper, id=tamper.__name__) for word, tampers in TAMPERS.items() for tamper in tampers
]


@pytest.mark.parametrize("known", [True, False], ids=["key-known", "key-from-file"])
@pytest.mark.parametrize(("word", "tamper"), CASES)
def test_each_tampering_is_found_and_named(judge, intruder, word, tamper, known):
    tamper(intruder)
    words, faults = judge(known=known)

    assert words == {word}, [str(fault) for fault in faults]


def test_a_swapped_key_is_named_by_who_knows_the_right_one(judge, intruder, site):
    right = site.gateways["gw-1"].key.public
    swap_device_and_the_listed_key(intruder)
    words, faults = judge(gateway_keys={"gw-1": right})

    assert "another device" in words
    assert any("known from elsewhere" in fault.why and fault.gateway == "gw-1" for fault in faults)


def test_a_record_another_enrolled_gateway_signed_is_named(judge, intruder, site):
    for at in range(len(intruder.batches)):
        if intruder.header(at)["lane"] == "photo":
            resign(intruder, at, "gw-1", site.gateways["gw-2"].key)
    intruder.save()
    words, faults = judge()

    assert words == {"another device"}
    assert any("signed by gw-2" in fault.why and fault.lane == "photo" for fault in faults)


def test_a_fault_names_gateway_epoch_lane_and_record(judge, intruder):
    delete_batch(intruder)
    _, faults = judge()

    assert [(f.gateway, f.epoch, f.lane, f.seq) for f in faults if f.word == "missing"] == [
        ("gw-1", "e1", "data", 11)
    ]
    assert any("records 11 to 20 are not there" in str(fault) for fault in faults)


def test_who_makes_everything_anew_with_an_own_central_key_is_caught_by_who_knows_the_right_one(
    judge, intruder, verifier
):
    delete_batch(intruder)
    forge_central(intruder, verifier)
    unaware, _ = judge(known=False)
    words, faults = judge(known=True)

    assert unaware == set()  # nobody can tell, who knows neither a key nor a head
    assert any(fault.word == "broken seal" and "another key than central's" in fault.why for fault in faults)
    assert words == {"missing"}


def test_who_makes_everything_anew_with_an_own_central_key_is_caught_by_a_kept_head(
    judge, intruder, verifier, site
):
    with site.proofs() as proofs:
        kept = proofs.book.all()[0]
    delete_batch(intruder)
    forge_central(intruder, verifier)
    witnessed = verifier._head_from(kept.to_json())
    _, faults = judge(known=False, heads=[witnessed])

    assert any("kept tree head" in fault.why and fault.word == "tree" for fault in faults)
    assert any("another key than central's" in fault.why for fault in faults)


def test_an_older_file_is_whole_but_a_kept_newer_head_shows_that_its_tail_is_cut(
    judge, evidence, site, verifier, tmp_path, now
):
    gateway = site.gateways["gw-1"]
    gateway.frames(3)
    site.receive(gateway.pack(91, 93))
    with site.proofs() as proofs:
        export(proofs, tmp_path / "newer.zip", now + timedelta(days=2))
        newest = proofs.book.newest()

    assert judge()[0] == set()
    assert judge(heads=[verifier._head_from(newest.to_json())])[0] == {"tail cut off"}


def test_a_kept_older_head_is_confirmed(judge, site, verifier):
    with site.proofs() as proofs:
        kept = [verifier._head_from(head.to_json()) for head in proofs.book.all()]

    assert judge(heads=kept) == (set(), [])


def forge_central(it, verifier):
    """Heads, list of gateways and manifest as a central with another key would have made them."""
    central = DeviceKey(Ed25519PrivateKey.generate())
    it.save()
    tree, roots = verifier.Tree(), {}
    for leaf in it.leaves:
        tree.append(leaf)
        roots[tree.size] = tree.root()
    digest = bytes.fromhex(it.heads["heads"][-1]["tails"])
    for gateway in it.manifest["gateways"]:
        enrolled = Gateway(**{k: v for k, v in gateway.items() if k != "signature"})
        gateway["signature"] = central.sign(gateway_statement(enrolled)).hex()
    made = Head.sign(central, size=len(it.leaves), root=tree.root(), at_us=1, tails=digest)
    it.heads["heads"] = [made.to_json()]
    it.heads["consistency"] = []
    it.manifest["size"] = len(it.leaves)
    it.save()
    it.files["manifest.sig"] = json.dumps(
        {
            "algorithm": "ed25519",
            "key": central.public,
            "signature": central.sign(manifest_statement(it.files["manifest.json"])).hex(),
        }
    ).encode()
    it.save(manifest=False)


@pytest.mark.parametrize("seed", range(80))
def test_whatever_else_is_done_to_batches_is_found_and_given_a_word(judge, intruder, seed):
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 2, 5])):
        meddle(rng, intruder)
    readable = all(is_readable(intruder, payload) for _, payload in intruder.batches)
    intruder.save(leaves=readable and rng.random() < 0.8)
    words, faults = judge(known=rng.random() < 0.5)

    assert words, [str(fault) for fault in faults]


def meddle(rng, it):
    at, other = rng.randrange(len(it.batches)), rng.randrange(len(it.batches))
    deed = rng.choice(["flip", "field", "swap", "drop", "copy"])
    if deed == "flip":
        raw = bytearray(it.batches[at][1])
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        it.batches[at][1] = bytes(raw)
    elif deed == "field" and is_readable(it, it.batches[at][1]):
        name, value = rng.choice(
            [("first", 3), ("last", 90), ("prev", bytes(32)), ("head", bytes(32)), ("site", "b7")]
        )
        it.write(at, **{name: value})
    elif deed in {"swap", "field"}:
        other = (at + 1) % len(it.batches) if other == at else other
        it.batches[at], it.batches[other] = it.batches[other], it.batches[at]
    elif deed == "drop" and len(it.batches) > 2:
        del it.batches[at], it.indices[at]
    else:
        it.batches.insert(other, list(it.batches[at]))
        it.indices = [*range(len(it.batches))]


def is_readable(it, payload):
    try:
        it.verifier.open_envelope(payload)
    except it.verifier.Damaged:
        return False
    return True
