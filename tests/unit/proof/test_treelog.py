import hashlib
from collections.abc import Iterator

import msgspec
import pytest

from plumbline.errors import Refused
from plumbline_central.proof import merkle, treelog
from plumbline_central.proof.folder import MIGRATIONS
from plumbline_central.proof.treelog import BLOCK, TreeLog
from plumbline_central.schema import Database


class PaperLedger:
    """Rows that are made when they are read, however many."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.changed: dict[int, bytes] = {}
        self.read = 0

    def last_id(self) -> int:
        return self.count

    def links(self, after_id: int, limit: int) -> Iterator[tuple]:
        for id_ in range(after_id + 1, min(after_id + limit, self.count) + 1):
            self.read += 1
            payload = self.changed.get(id_, id_.to_bytes(8, "big"))
            lane = ("status", "data", "photo")[id_ % 3]
            yield (id_, id_, "s1", f"gw-{id_ % 5}", "e1", lane, id_, id_ + 1, b"p" * 32, b"h" * 32, payload)


@pytest.fixture
def db(tmp_path):
    opened = Database.open(tmp_path / "proof.db", MIGRATIONS)
    yield opened
    opened.close()


def leaves_of(ledger):
    return [treelog.leaf(row) for row in ledger.links(0, ledger.count)]


def test_a_leaf_holds_all_that_was_signed_and_the_digest_of_the_payload(site):
    with site.proofs() as proofs:
        row = next(proofs.ledger.links(1, 1))
    gateway = site.gateways["gw-1"]
    payload = gateway.pack(1, 10)
    signature = msgspec.msgpack.decode(payload)[10]

    assert msgspec.msgpack.decode(treelog.entry(row)) == [
        "plumbline/1/leaf",
        "a12",
        "gw-1",
        "e1",
        "data",
        1,
        10,
        gateway.heads["data"][0],
        gateway.heads["data"][10],
        signature,
        hashlib.sha256(payload).digest(),
    ]


@pytest.mark.parametrize(
    "size", [1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 777, 5 * BLOCK - 1]
)
def test_the_tree_over_blocks_is_the_tree_over_leaves(db, size):
    ledger = PaperLedger(size)
    tree = TreeLog(db, ledger)
    leaves = leaves_of(ledger)
    root = merkle.root(leaves)

    assert tree.grow() == tree.size == size
    assert tree.root(size) == root
    assert list(tree.leaves(0, size)) == leaves
    assert list(tree.leaves(size // 3, size - size // 4)) == leaves[size // 3 : size - size // 4]
    for at in {0, 1 % size, size // 3, size // 2, size - 1}:
        assert tree.root(at) == merkle.root(leaves[:at])
        assert merkle.includes(leaves[at], at, size, tree.inclusion(at, size), root)
        assert merkle.continues(at, merkle.root(leaves[:at]), size, root, tree.consistency(at, size))


def test_growing_bit_by_bit_gives_the_same_tree_as_at_once(db):
    ledger = PaperLedger(0)
    tree = TreeLog(db, ledger)
    for size in (3, 3, 4000, BLOCK, BLOCK + 5, 9000):
        ledger.count = size
        tree.grow()

        assert tree.root(size) == merkle.root(leaves_of(ledger))


def test_every_lanes_end_is_kept(db):
    ledger = PaperLedger(BLOCK + 20)
    tree = TreeLog(db, ledger)
    tree.grow()
    expected = {}
    for row in ledger.links(0, ledger.count):
        expected[row[3:6]] = (*row[3:6], row[7], row[9])

    assert tree.ends() == (ledger.count, sorted(expected.values()))


def test_a_shorter_ledger_is_refused(db):
    ledger = PaperLedger(10)
    tree = TreeLog(db, ledger)
    tree.grow()
    ledger.count = 9

    with pytest.raises(Refused, match="the ledger was changed: it ends at row 9, though it had 10"):
        tree.grow()


def test_a_changed_row_of_the_newest_block_is_refused_and_nothing_is_kept(db):
    ledger = PaperLedger(BLOCK + 10)
    tree = TreeLog(db, ledger)
    tree.grow()
    ledger.count += 5
    ledger.changed[BLOCK + 3] = b"other"

    with pytest.raises(Refused, match=f"row {BLOCK + 3} is not what it was"):
        tree.grow()
    assert tree.size == BLOCK + 10


def test_a_hole_in_the_ledger_is_refused(db):
    class Holed(PaperLedger):
        def links(self, after_id, limit):
            return (row for row in super().links(after_id, limit) if row[0] != 7)

    with pytest.raises(Refused, match="row 7 is gone"):
        TreeLog(db, Holed(10)).grow()


def test_a_proof_in_a_long_log_reads_no_row_of_the_ledger(db):
    ledger = PaperLedger(30 * BLOCK + 100)
    tree = TreeLog(db, ledger)
    tree.grow()
    ledger.read = 0

    tree.root(ledger.count)
    tree.inclusion(12_345, ledger.count)
    tree.consistency(54_321, ledger.count)

    assert ledger.read == 0
