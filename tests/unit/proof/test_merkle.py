"""The known answers are those of the certificate-transparency reference tests (merkle_tree_test.cc), as RFC 6962 defines."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbline_central.proof import merkle

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
INCLUSION = [  # (index counted from 0, size, path)
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY = [
    (1, 1, []),
    (
        1,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]


def defined_root(leaves):
    """MTH of RFC 9162, 2.1.1, word for word."""
    if not leaves:
        return merkle.EMPTY
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(defined_root(leaves[:k]), defined_root(leaves[k:]))


def defined_path(m, leaves):
    """PATH of RFC 9162, 2.1.3.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*defined_path(m, leaves[:k]), defined_root(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined_root(leaves[:k])]


def defined_proof(m, leaves, known=True):
    """SUBPROOF of RFC 9162, 2.1.4.1, word for word."""
    if m == len(leaves):
        return [] if known else [defined_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*defined_proof(m, leaves[:k], known), defined_root(leaves[k:])]
    return [*defined_proof(m - k, leaves[k:], False), defined_root(leaves[:k])]


def some_leaves(count):
    return [merkle.leaf_hash(i.to_bytes(4, "big")) for i in range(count)]


def stretch_of(leaves):
    return lambda start, stop: merkle.root(leaves[start:stop])


@pytest.mark.parametrize("size", range(9))
def test_the_reference_roots_come_out(size):
    frontier = merkle.Frontier()
    frontier.extend(LEAVES[:size])

    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size]
    assert frontier.root().hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_the_reference_inclusion_proofs_come_out(index, size, path):
    made = merkle.inclusion(index, size, stretch_of(LEAVES))

    assert [node.hex() for node in made] == path


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_the_reference_consistency_proofs_come_out(old, new, path):
    made = merkle.consistency(old, new, stretch_of(LEAVES))

    assert [node.hex() for node in made] == path


@pytest.mark.parametrize("size", range(1, 72))
def test_every_root_and_proof_up_to_71_leaves_is_the_defined_one_and_verifies(size):
    leaves = some_leaves(size)
    root = defined_root(leaves)
    frontier = merkle.Frontier()
    frontier.extend(leaves)

    assert merkle.root(leaves) == frontier.root() == root
    for m in range(size):
        path = merkle.inclusion(m, size, stretch_of(leaves))
        assert path == defined_path(m, leaves)
        assert merkle.includes(leaves[m], m, size, path, root)
        assert not merkle.includes(leaves[m], (m + 1) % size, size, path, root) or size == 1
        proof = merkle.consistency(m + 1, size, stretch_of(leaves))
        assert proof == defined_proof(m + 1, leaves)
        assert merkle.continues(m + 1, defined_root(leaves[: m + 1]), size, root, proof)


@given(st.integers(72, 3000), st.integers(0, 1 << 30))
def test_bigger_trees_agree_with_the_definition_too(size, seed):
    rng = random.Random(seed)
    leaves = [rng.randbytes(32) for _ in range(size)]
    old, index = rng.randrange(size + 1), rng.randrange(size)
    root = defined_root(leaves)
    path = merkle.inclusion(index, size, stretch_of(leaves))
    proof = merkle.consistency(old, size, stretch_of(leaves))

    assert merkle.root(leaves) == root
    assert path == defined_path(index, leaves)
    assert merkle.includes(leaves[index], index, size, path, root)
    assert proof == (defined_proof(old, leaves) if old else [])
    assert merkle.continues(old, defined_root(leaves[:old]), size, root, proof)


@given(st.integers(2, 70), st.data())
def test_a_proof_changed_in_any_way_no_longer_verifies(size, data):
    leaves = some_leaves(size)
    root = merkle.root(leaves)
    old = data.draw(st.integers(1, size - 1))
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(index, size, stretch_of(leaves))
    proof = merkle.consistency(old, size, stretch_of(leaves))
    old_root = merkle.root(leaves[:old])

    for whole, holds in (
        (path, lambda nodes: merkle.includes(leaves[index], index, size, nodes, root)),
        (proof, lambda nodes: merkle.continues(old, old_root, size, root, nodes)),
    ):
        at = data.draw(st.integers(0, len(whole) - 1))
        flipped = bytes([whole[at][0] ^ 1]) + whole[at][1:]
        assert not holds([*whole[:at], flipped, *whole[at + 1 :]])
        assert not holds(whole[:at] + whole[at + 1 :])
        assert not holds([*whole, whole[at]])
    assert not merkle.continues(old, merkle.leaf_hash(b"other"), size, root, proof)
    assert not merkle.includes(merkle.leaf_hash(b"other"), index, size, path, root)


def test_a_proof_for_a_place_outside_the_tree_is_no_proof():
    with pytest.raises(ValueError, match="is not in a tree of 3"):
        merkle.inclusion(3, 3, stretch_of(some_leaves(3)))
    with pytest.raises(ValueError, match="does not go on"):
        merkle.consistency(4, 3, stretch_of(some_leaves(3)))

    assert not merkle.includes(merkle.leaf_hash(b""), 1, 1, [], merkle.leaf_hash(b""))
    assert not merkle.continues(2, merkle.EMPTY, 1, merkle.EMPTY, [])
