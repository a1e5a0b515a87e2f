"""How long tree heads and proofs take over a ledger of a million batches: `python tests/bench/proof.py [ROWS]`."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline.signing import DeviceKey
from plumbline_central.ledger import LinkRow
from plumbline_central.proof.folder import MIGRATIONS
from plumbline_central.proof.heads import HeadBook, make_head
from plumbline_central.proof.treelog import TreeLog
from plumbline_central.schema import Database

_BATCH = (1, "a12", "gw-1", "e1", "data", 1, 1, b"p" * 32, b"h" * 32, "ed25519", b"s" * 64, b"x" * 1200)


class PaperLedger:
    """Rows of 1.3 KB that are made when they are read: the disk is another bench's."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._payload = msgspec.msgpack.encode(_BATCH)

    def last_id(self) -> int:
        return self.count

    def links(self, after_id: int, limit: int) -> Iterator[LinkRow]:
        for id_ in range(after_id + 1, min(after_id + limit, self.count) + 1):
            payload = self._payload[:-8] + id_.to_bytes(8, "big")
            lane = (f"gw-{id_ % 500}", "e1", "data")
            yield (id_, id_, "a12", *lane, id_, id_, b"p" * 32, b"h" * 32, payload)


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = Database.open(Path(folder) / "proof.db", MIGRATIONS)
        ledger = PaperLedger(rows)
        tree, book = TreeLog(db, ledger), HeadBook(db)
        key = DeviceKey(Ed25519PrivateKey.generate())

        def head() -> None:
            make_head(tree, book, key, datetime(2026, 11, 24, tzinfo=UTC))

        print_time("leaves from nothing", rows, tree.grow)
        print_time("head", rows, head)
        ledger.count += 5_000
        print_time("head after 5,000 more", rows, head)
        print_time("inclusion proof", rows, lambda: tree.inclusion(rows // 3, rows))
        print_time("consistency proof", rows, lambda: tree.consistency(rows * 3 // 4, rows))
        db.close()
        size = (Path(folder) / "proof.db").stat().st_size
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"bench": "proof", "what": "proof.db", "rows": rows, "bytes": size, "rss_mib": rss}))


def print_time(what: str, rows: int, do: Callable[[], Any]) -> None:
    before = time.perf_counter()
    do()
    took = time.perf_counter() - before
    print(json.dumps({"bench": "proof", "what": what, "rows": rows, "seconds": round(took, 4)}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
