"""Tree heads: central's signed word on how much it keeps and what it is, each shown to go on from the one before."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

import msgspec

from plumbline import signing
from plumbline.clock import Clock, from_us, to_us
from plumbline.errors import PlumblineError, Refused
from plumbline.signing import DeviceKey
from plumbline_central.ledger import Ledger
from plumbline_central.proof import merkle
from plumbline_central.proof.compare import Finding, compare
from plumbline_central.proof.treelog import Tail, TreeLog, changed, no_progress
from plumbline_central.registry import Gateway
from plumbline_central.schema import Database, Migrations

log = logging.getLogger(__name__)

VERSION: Final = 1
MIGRATIONS: Final[Migrations] = (
    (
        "head_1",
        """
        CREATE TABLE tree_head (
            size INTEGER PRIMARY KEY, head TEXT NOT NULL, tails BLOB NOT NULL,
            nonce TEXT, -- of the time-stamp request last written
            stamp BLOB -- the response kept
        );
        """,
    ),
)
_LEAST_REAL_S: Final = 0.25  # a clock at thousands of times real time shall not keep a core busy
_LOOK_AGAIN_S: Final = 600.0  # the wall clock may be set while we wait for midnight

_encode = msgspec.msgpack.Encoder().encode
_decode_tails = msgspec.msgpack.Decoder(list[Tail]).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The tree over the ledger's first `size` rows, signed by central; docs/proof.md tells its bytes."""

    size: int
    root: bytes
    at_us: int
    tails: bytes
    """SHA-256 over every lane's end; see `tails_digest`."""
    key: str
    signature: bytes
    algorithm: str = signing.ALGORITHM
    v: int = VERSION

    @classmethod
    def sign(cls, key: DeviceKey, *, size: int, root: bytes, at_us: int, tails: bytes) -> Self:
        statement = head_statement(VERSION, size, root, at_us, tails)
        return cls(
            size=size, root=root, at_us=at_us, tails=tails, key=key.public, signature=key.sign(statement)
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises Refused for anything that is no head."""
        try:
            raw = json.loads(text)
            return cls(
                v=int(raw["v"]),
                size=int(raw["size"]),
                root=bytes.fromhex(raw["root"]),
                at_us=int(raw["at_us"]),
                tails=bytes.fromhex(raw["tails"]),
                algorithm=str(raw["algorithm"]),
                key=str(raw["key"]),
                signature=bytes.fromhex(raw["signature"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refused(f"no tree head: {error!r}") from None

    def to_json(self) -> dict[str, Any]:
        return {
            "v": self.v,
            "size": self.size,
            "root": self.root.hex(),
            "at_us": self.at_us,
            "tails": self.tails.hex(),
            "algorithm": self.algorithm,
            "key": self.key,
            "signature": self.signature.hex(),
        }

    @property
    def file(self) -> bytes:
        """The bytes of head-<size>.json, which are what is time-stamped."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":")).encode() + b"\n"

    def check_signature(self, key: str) -> None:
        """Raises Refused unless `key` signed this head."""
        if self.v != VERSION or self.algorithm != signing.ALGORITHM or self.key != key:
            raise Refused(f"the head of {self.size} rows was not signed by this central's key")
        statement = head_statement(self.v, self.size, self.root, self.at_us, self.tails)
        try:
            signing.verify(key, statement, self.signature)
        except Refused:
            raise Refused(f"the head of {self.size} rows is not what was signed by central's key") from None


def head_statement(v: int, size: int, root: bytes, at_us: int, tails: bytes) -> bytes:
    """The bytes that central signs."""
    return _encode(("plumbline/1/head", v, size, root, at_us, tails))


def tails_digest(tails: Sequence[Tail]) -> bytes:
    """SHA-256 over MessagePack [[gateway, epoch, lane, last, head], …], sorted."""
    return hashlib.sha256(_encode(sorted(tails))).digest()


class HeadBook:
    """The heads made so far, in proof.db, with every lane's end and the time stamp of each."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def newest(self) -> Head | None:
        with self._db.read() as db:
            found = db.execute("SELECT head FROM tree_head ORDER BY size DESC LIMIT 1").fetchone()
        return Head.from_json(found[0]) if found else None

    def all(self) -> list[Head]:
        """Oldest first."""
        with self._db.read() as db:
            rows = db.execute("SELECT head FROM tree_head ORDER BY size").fetchall()
        return [Head.from_json(text) for (text,) in rows]

    def tails(self, size: int) -> list[Tail]:
        """Every lane's end at the head of `size` rows."""
        with self._db.read() as db:
            (raw,) = db.execute("SELECT tails FROM tree_head WHERE size = ?", (size,)).fetchone()
        return _decode_tails(raw)

    def keep(self, head: Head, tails: Sequence[Tail]) -> Head:
        """What is kept from now on: `head`, or the one of the same size that another process made meanwhile."""
        with self._db.write() as db:
            db.execute(
                "INSERT OR IGNORE INTO tree_head (size, head, tails) VALUES (?, ?, ?)",
                (head.size, head.file.decode(), _encode(sorted(tails))),
            )
            (kept,) = db.execute("SELECT head FROM tree_head WHERE size = ?", (head.size,)).fetchone()
        return Head.from_json(kept)

    def nonce(self, size: int) -> int | None:
        """That of the time-stamp request last written for this head."""
        with self._db.read() as db:
            found = db.execute("SELECT nonce FROM tree_head WHERE size = ?", (size,)).fetchone()
        return int(found[0]) if found and found[0] is not None else None

    def keep_nonce(self, size: int, nonce: int | None) -> None:
        with self._db.write() as db:
            text = None if nonce is None else str(nonce)  # up to 64 bits without sign: text
            db.execute("UPDATE tree_head SET nonce = ? WHERE size = ?", (text, size))

    def stamps(self) -> dict[int, bytes]:
        """Time-stamp responses by the size of their head."""
        with self._db.read() as db:
            return dict(db.execute("SELECT size, stamp FROM tree_head WHERE stamp IS NOT NULL ORDER BY size"))

    def keep_stamp(self, size: int, response: bytes) -> None:
        with self._db.write() as db:
            db.execute("UPDATE tree_head SET stamp = ? WHERE size = ?", (response, size))


def make_head(
    tree: TreeLog,
    book: HeadBook,
    key: DeviceKey,
    now: datetime,
    shown: Callable[[int], None] = no_progress,
) -> Head:
    """The head over all rows there are, kept; the newest again where nothing came since.

    Raises Refused where it does not go on from the newest head: the ledger was changed, and nothing is kept.
    """
    before = book.newest()
    if before is not None:
        before.check_signature(key.public)
    tree.grow(shown)
    size, tails = tree.ends()
    root = tree.root(size)
    if before is not None:
        if size < before.size or not merkle.continues(
            before.size, before.root, size, root, tree.consistency(before.size, size)
        ):
            raise changed(f"its {size} rows do not go on from the head of {before.size}")
        if size == before.size:
            return before
    head = Head.sign(key, size=size, root=root, at_us=to_us(now), tails=tails_digest(tails))
    return book.keep(head, tails)


def check(
    ledger: Ledger,
    tree: TreeLog,
    book: HeadBook,
    gateways: Sequence[Gateway],
    key: str,
    shown: Callable[[int], None] = no_progress,
) -> list[Finding]:
    """Whether the ledger still contains the tree of the newest head: every row read again. Empty where it does.

    `key`: central's public key. Raises Refused where the head itself, or the leaves kept beside the ledger, are not
    what was signed: then there is nothing to compare with.
    """
    newest = book.newest()
    if newest is None:
        return []
    newest.check_signature(key)
    tails = book.tails(newest.size)
    if tails_digest(tails) != newest.tails:
        raise Refused("the lanes' ends kept with the newest head are not those that were signed")
    frontier = merkle.Frontier()
    frontier.extend(tree.leaves(0, newest.size))
    if frontier.root() != newest.root:
        raise Refused(
            "the leaves in proof.db do not lead to the newest head: proof.db was changed",
            hint="Compare an export with a head kept elsewhere: plumbline_verify.py --head.",
        )
    with ledger.snapshot():  # a service may be writing
        rows = ledger.links(0, 1 << 62)
        return compare(tree.leaves(0, newest.size), rows, tails, gateways, shown)


class DailyHeads:
    """Makes a head in the first minutes of each UTC day, and at the start where the day has none yet."""

    def __init__(
        self,
        tree: TreeLog,
        book: HeadBook,
        key: DeviceKey,
        clock: Clock,
        *,
        least_real_s: float = _LEAST_REAL_S,
    ) -> None:
        self._tree = tree
        self._book = book
        self._key = key
        self._clock = clock
        self._least_real_s = least_real_s
        self._done: datetime | None = None

    async def run(self) -> None:
        """Make heads for ever; what goes wrong is said loudly, and tried again the next day."""
        while True:
            today = self._clock.wall().replace(hour=0, minute=0, second=0, microsecond=0)
            if self._done != today:
                self._done = today
                await self._make(today)
            left_s = (today + timedelta(days=1, seconds=1) - self._clock.wall()).total_seconds()
            wait_s = min(max(left_s, 1.0), _LOOK_AGAIN_S)
            await asyncio.gather(self._clock.sleep(wait_s), asyncio.sleep(self._least_real_s))

    async def _make(self, today: datetime) -> None:
        try:
            newest = await asyncio.to_thread(self._book.newest)
            if newest is not None and from_us(newest.at_us) >= today:
                return
            head = await asyncio.to_thread(make_head, self._tree, self._book, self._key, self._clock.wall())
        except Refused as why:
            log.critical("no tree head: %s. %s", why, why.hint)
        except PlumblineError as why:
            log.warning("no tree head today: %s", why)
        except Exception:
            log.exception("no tree head today")
        else:
            log.info("tree head: %d rows, root %s", head.size, head.root.hex())
