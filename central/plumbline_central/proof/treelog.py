"""The Merkle tree over central's ledger: one leaf for each of its rows.

Leaf hashes are kept in blocks of 4,096 with their root, so that a head or a proof costs some hundred hashes, not the
reading of the ledger. What is kept here is only ever compared with the ledger, never believed instead of it:
`plumbline_central.proof.heads.check` reads every row again.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from plumbline import codec
from plumbline.errors import Refused
from plumbline_central.ledger import LinkRow
from plumbline_central.proof import merkle
from plumbline_central.schema import Database, Migrations

MIGRATIONS: Final[Migrations] = (
    (
        "tree_1",
        """
        CREATE TABLE leaf_block (
            number INTEGER PRIMARY KEY, count INTEGER NOT NULL, root BLOB NOT NULL, leaves BLOB NOT NULL
        );
        CREATE TABLE lane_tail (
            gateway TEXT NOT NULL, epoch TEXT NOT NULL, lane TEXT NOT NULL, last INTEGER NOT NULL,
            head BLOB NOT NULL, PRIMARY KEY (gateway, epoch, lane)
        ) WITHOUT ROWID;
        """,
    ),
)
BLOCK: Final = 4096

Tail = tuple[str, str, str, int, bytes]
"""(gateway, epoch, lane, last, head): the newest record of a lane and the chain's head after it."""

_encode = msgspec.msgpack.Encoder().encode
_decode_envelope = msgspec.msgpack.Decoder(codec.Envelope).decode


class Source(Protocol):
    """The ledger, as far as its tree needs it: rows numbered 1, 2, 3 … without holes."""

    def last_id(self) -> int: ...

    def links(self, after_id: int, limit: int) -> Iterator[LinkRow]: ...


def entry(row: LinkRow) -> bytes:
    """The bytes under a row's leaf. A payload that is no batch any more has no signature."""
    _, _, site, gateway, epoch, lane, first, last, prev, head, payload = row
    try:
        signature = _decode_envelope(payload).signature
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        signature = b""
    digest = hashlib.sha256(payload).digest()
    return _encode(
        ("plumbline/1/leaf", site, gateway, epoch, lane, first, last, prev, head, signature, digest)
    )


def leaf(row: LinkRow) -> bytes:
    return merkle.leaf_hash(entry(row))


def no_progress(_: int) -> None:
    """For who does not watch."""


class TreeLog:
    """The tree in proof.db. Usable from any thread, and from several processes."""

    def __init__(self, db: Database, source: Source) -> None:
        self._db = db
        self._source = source

    @property
    def size(self) -> int:
        """How many of the ledger's rows have their leaf here."""
        with self._db.read() as db:
            return _size(db)

    def grow(self, shown: Callable[[int], None] = no_progress) -> int:
        """Add a leaf for every row that came since; the new size. The newest block is read again on the way.

        Raises Refused where the ledger is no longer what it was: a person must look into that.
        """
        last = self._source.last_id()
        size = self.size
        if last < size:
            raise changed(f"it ends at row {last}, though it had {size}")
        while size < last:
            with self._db.write() as db:
                size = self._fill_block(db, _size(db), last)
            shown(size)
        return size

    def root(self, size: int) -> bytes:
        """The root over the first `size` rows."""
        return self._stretch(0, size) if size else merkle.EMPTY

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """That row `index` + 1 is among the first `size`."""
        return merkle.inclusion(index, size, self._stretch)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """That the first `old` rows are still the first of `new`."""
        return merkle.consistency(old, new, self._stretch)

    def leaves(self, start: int, stop: int) -> Iterator[bytes]:
        """Leaf hashes start..stop−1, a block at a time."""
        for number in range(start // BLOCK, -(-stop // BLOCK)):
            block = self._leaves(number)
            at = number * BLOCK
            for i in range(max(start - at, 0), min(stop - at, BLOCK)):
                yield block[i * merkle.SIZE : (i + 1) * merkle.SIZE]

    def ends(self) -> tuple[int, list[Tail]]:
        """The size, and every lane's end at that size, sorted; of one moment, though others may be growing the tree."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT gateway, epoch, lane, last, head, (SELECT number * ? + count FROM leaf_block"
                " ORDER BY number DESC LIMIT 1) FROM lane_tail ORDER BY 1, 2, 3",
                (BLOCK,),
            ).fetchall()
        return (rows[0][5] if rows else 0), [row[:5] for row in rows]

    def _fill_block(self, db: sqlite3.Connection, size: int, last: int) -> int:
        number, have = divmod(size, BLOCK)
        kept = _kept(db, number)[: have * merkle.SIZE]
        stop = min(last, (number + 1) * BLOCK)
        leaves = bytearray()
        tails: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        expected = number * BLOCK
        for row in self._source.links(expected, stop - expected):
            expected += 1
            if row[0] != expected:
                raise changed(f"row {expected} is gone")
            leaves += leaf(row)
            lane = (row[3], row[4], row[5])
            if row[7] > tails.get(lane, (0, b""))[0]:
                tails[lane] = (row[7], row[9])
        if expected != stop:
            raise changed(f"row {expected + 1} is gone")
        if not leaves.startswith(kept):
            raise changed(f"row {number * BLOCK + _first_difference(kept, leaves) + 1} is not what it was")
        whole = [bytes(leaves[i : i + merkle.SIZE]) for i in range(0, len(leaves), merkle.SIZE)]
        db.execute(
            "INSERT INTO leaf_block VALUES (?, ?, ?, ?) ON CONFLICT (number) DO UPDATE"
            " SET count = excluded.count, root = excluded.root, leaves = excluded.leaves",
            (number, len(whole), merkle.root(whole), bytes(leaves)),
        )
        db.executemany(
            "INSERT INTO lane_tail VALUES (?, ?, ?, ?, ?) ON CONFLICT (gateway, epoch, lane) DO UPDATE"
            " SET last = excluded.last, head = excluded.head WHERE excluded.last > lane_tail.last",
            [(*lane, *tail) for lane, tail in tails.items()],
        )
        return stop

    def _stretch(self, start: int, stop: int) -> bytes:
        """The root over rows start+1..stop: inside one block, or from the first of a block on."""
        number = start // BLOCK
        if stop <= (number + 1) * BLOCK:
            return self._part(number, start % BLOCK, stop - number * BLOCK)
        assert start % BLOCK == 0
        full = stop // BLOCK
        with self._db.read() as db:
            roots = [
                root
                for (root,) in db.execute(
                    "SELECT root FROM leaf_block WHERE number >= ? AND number < ? ORDER BY number",
                    (number, full),
                )
            ]
        if stop % BLOCK:
            roots.append(self._part(full, 0, stop % BLOCK))
        return merkle.root(roots)

    def _part(self, number: int, start: int, stop: int) -> bytes:
        if (start, stop) == (0, BLOCK):
            with self._db.read() as db:
                (root,) = db.execute("SELECT root FROM leaf_block WHERE number = ?", (number,)).fetchone()
            return bytes(root)
        block = self._leaves(number)
        return merkle.root([block[i * merkle.SIZE : (i + 1) * merkle.SIZE] for i in range(start, stop)])

    def _leaves(self, number: int) -> bytes:
        with self._db.read() as db:
            return _kept(db, number)


def changed(how: str) -> Refused:
    return Refused(
        f"the ledger was changed: {how}",
        hint="Stop the service, keep a copy of the data folder, and run `plumbline central head --check`.",
    )


def _size(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT number, count FROM leaf_block ORDER BY number DESC LIMIT 1").fetchone()
    return int(found[0]) * BLOCK + int(found[1]) if found else 0


def _kept(db: sqlite3.Connection, number: int) -> bytes:
    found = db.execute("SELECT leaves FROM leaf_block WHERE number = ?", (number,)).fetchone()
    return bytes(found[0]) if found else b""


def _first_difference(kept: bytes, now: bytes | bytearray) -> int:
    size = merkle.SIZE
    return next(i // size for i in range(0, len(kept), size) if kept[i : i + size] != now[i : i + size])
