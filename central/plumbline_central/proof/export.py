"""Writes the evidence file: what was received, with all that is needed to check it without us; docs/proof.md."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from plumbline import signing
from plumbline.clock import to_us
from plumbline.errors import Refused, Unreachable
from plumbline.signing import DeviceKey
from plumbline_central.proof.folder import Proofs
from plumbline_central.proof.heads import Head, make_head
from plumbline_central.proof.treelog import changed, leaf, no_progress
from plumbline_central.registry import Gateway

FORMAT: Final = "plumbline-evidence/1"
_BATCH: Final = struct.Struct(">QQI")
_NO_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same export twice is the same file

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What went into an evidence file."""

    head: Head
    lanes: int
    batches: int


@dataclass(slots=True)
class _Lane:
    first_leaf: int
    last_leaf: int = 0
    first: int = 1 << 62
    last: int = 0
    batches: int = 0
    records: int = 0


@dataclass(slots=True)
class _Lanes:
    found: dict[tuple[str, str, str, str], _Lane] = field(default_factory=dict)

    def count(self, lane: tuple[str, str, str, str], index: int, first: int, last: int) -> None:
        """Batches may overlap: `records` counts a record once for each batch that holds it."""
        counted = self.found.setdefault(lane, _Lane(index))
        counted.last_leaf = index
        counted.first, counted.last = min(counted.first, first), max(counted.last, last)
        counted.batches += 1
        counted.records += last - first + 1


def export(
    proofs: Proofs,
    out: Path,
    now: datetime,
    *,
    site: str | None = None,
    gateway: str | None = None,
    shown: Callable[[int], None] = no_progress,
) -> Written:
    """Write `out`: of one site, of one gateway, or of all. Nothing is left there where it fails.

    Raises Refused for a site or gateway that is not known, and where the ledger is not what its tree says;
    Unreachable where the disk does not take it.
    """
    gateways = _scope(proofs, site, gateway)
    whose = None if site is None and gateway is None else {known.id for known in gateways}
    head = make_head(proofs.tree, proofs.book, proofs.key, now)
    part = out.with_name(out.name + ".part")
    try:
        with zipfile.ZipFile(part, "w") as archive:
            written = _write(archive, proofs, head, gateways, whose, (site, gateway), now, shown)
        part.replace(out)
    except OSError as error:
        raise Unreachable(
            f"{out}: {error.strerror}", hint="Check the folder and the room on the disk."
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return written


def gateway_statement(gateway: Gateway) -> bytes:
    """What central signs of each gateway: whose key is whose."""
    return _encode(("plumbline/1/gateway", gateway.id, gateway.site, gateway.algorithm, gateway.key))


def manifest_statement(manifest: bytes) -> bytes:
    """What central signs of the file as a whole."""
    return _encode(("plumbline/1/manifest", hashlib.sha256(manifest).digest()))


def _scope(proofs: Proofs, site: str | None, gateway: str | None) -> list[Gateway]:
    if site is not None and proofs.registry.site(site) is None:
        raise Refused(
            f"there is no site {site!r}", hint="`plumbline central export` without --site takes all."
        )
    if gateway is None:
        return proofs.registry.gateways(site)
    known = proofs.registry.gateway(gateway)
    if known is None or site not in (None, known.site):
        raise Refused(f"there is no gateway {gateway!r}", hint="`plumbline central export` alone takes all.")
    return [known]


def _write(
    archive: zipfile.ZipFile,
    proofs: Proofs,
    head: Head,
    gateways: list[Gateway],
    whose: set[str] | None,
    scope: tuple[str | None, str | None],
    now: datetime,
    shown: Callable[[int], None],
) -> Written:
    lanes = _Lanes()
    digests: dict[str, str] = {}
    with _entry(archive, "batches.bin", digests) as put:
        for part in _batches(proofs, head.size, whose, lanes, shown):
            put(part)
    with _entry(archive, "leaves.bin", digests) as put:
        for value in proofs.tree.leaves(0, head.size):
            put(value)
    with _entry(archive, "heads.json", digests) as put:
        put(_pretty(_heads(proofs, head)))
    for size, stamp in proofs.book.stamps().items():
        with _entry(archive, f"stamps/head-{size}.tsr", digests) as put:
            put(stamp)
    sites = {known.site for known in gateways}
    manifest = _pretty(
        {
            "format": FORMAT,
            "made_us": to_us(now),
            "scope": {"site": scope[0], "gateway": scope[1]},
            "size": head.size,
            "sites": [
                msgspec.to_builtins(s) for s in proofs.registry.sites() if whose is None or s.id in sites
            ],
            "gateways": [_signed(known, proofs.key) for known in gateways],
            "lanes": [
                dict(zip(("site", "gateway", "epoch", "lane"), lane, strict=True))
                | msgspec.to_builtins(counted)
                for lane, counted in sorted(lanes.found.items())
            ],
            "sha256": digests,
        }
    )
    signature = proofs.key.sign(manifest_statement(manifest)).hex()
    with _entry(archive, "manifest.json", {}) as put:
        put(manifest)
    with _entry(archive, "manifest.sig", {}) as put:
        put(_pretty({"algorithm": signing.ALGORITHM, "key": proofs.key.public, "signature": signature}))
    counts = lanes.found.values()
    return Written(
        head=head,
        lanes=len(counts),
        batches=sum(counted.batches for counted in counts),
    )


def _batches(
    proofs: Proofs, size: int, whose: set[str] | None, lanes: _Lanes, shown: Callable[[int], None]
) -> Iterator[bytes]:
    leaves = proofs.tree.leaves(0, size)
    index = 0
    for row in proofs.ledger.links(0, size):
        id_, received_us, site, gateway, epoch, lane, first, last, _, _, payload = row
        if id_ != index + 1 or leaf(row) != next(leaves):
            raise changed(f"row {index + 1} is not what it was")
        if whose is None or gateway in whose:
            lanes.count((site, gateway, epoch, lane), index, first, last)
            yield _BATCH.pack(index, received_us, len(payload))
            yield payload
        index += 1
        shown(index)
    if index != size:
        raise changed(f"row {index + 1} is gone")


def _heads(proofs: Proofs, newest: Head) -> dict[str, Any]:
    heads = [head for head in proofs.book.all() if head.size <= newest.size]
    return {
        "heads": [head.to_json() for head in heads],
        "tails": [[*lane, last, head.hex()] for *lane, last, head in proofs.book.tails(newest.size)],
        "consistency": [
            {
                "from": old.size,
                "to": new.size,
                "path": [node.hex() for node in proofs.tree.consistency(old.size, new.size)],
            }
            for old, new in pairwise(heads)
        ],
    }


def _signed(gateway: Gateway, key: DeviceKey) -> dict[str, str]:
    return {**msgspec.to_builtins(gateway), "signature": key.sign(gateway_statement(gateway)).hex()}


def _pretty(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


class _Put(Protocol):
    def __call__(self, part: bytes, /) -> None: ...


@contextmanager
def _entry(archive: zipfile.ZipFile, name: str, digests: dict[str, str]) -> Iterator[_Put]:
    """One file of the archive, uncompressed: batches are compressed already, and hashes cannot be."""
    digest = hashlib.sha256()
    with archive.open(zipfile.ZipInfo(name, _NO_DATE), "w", force_zip64=True) as file:

        def put(part: bytes, /) -> None:
            digest.update(part)
            file.write(part)

        yield put
    digests[name] = digest.hexdigest()
