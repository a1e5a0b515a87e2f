"""The hash chain that ties each record of a lane to all before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

ALGORITHM: Final = "sha256"
SIZE: Final = 32
_DOMAIN: Final = b"plumbline/1/chain"


def start(gateway: str, epoch: str, lane: str) -> bytes:
    """The head of an empty lane: H(domain, gateway, epoch, lane), each part preceded by its length."""
    parts = (_DOMAIN, gateway.encode(), epoch.encode(), lane.encode())
    return hashlib.sha256(b"".join(len(part).to_bytes(2, "big") + part for part in parts)).digest()


def link(previous: bytes, seq: int, record: bytes) -> bytes:
    """The head after the record with bytes `record`: H(previous, seq, H(record))."""
    return follow(previous, seq, (record,))


def follow(previous: bytes, first: int, records: Iterable[bytes]) -> bytes:
    """The head after all of `records`, numbered from `first`."""
    sha256 = hashlib.sha256
    head = previous
    for seq, record in enumerate(records, first):
        head = sha256(head + seq.to_bytes(8, "big") + sha256(record).digest()).digest()
    return head
