"""Names what was done to the ledger since a tree head: rows missing, altered, inserted, reordered, cut off or swapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from plumbline import codec
from plumbline.errors import Refused
from plumbline_central.ingest import check_signature
from plumbline_central.ledger import LinkRow
from plumbline_central.proof.treelog import Tail, leaf
from plumbline_central.registry import Gateway

Word = Literal["missing", "altered", "inserted", "reordered", "tail cut off", "another device"]
_NAMED: Final = 1_000
_HELD: Final = 200_000
"""Differing rows looked into; a ledger with more is not mended row by row."""

_decode_envelope = msgspec.msgpack.Decoder(codec.Envelope).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it was at the head. `row`: where in the ledger; `seq`: the first record concerned."""

    word: Word
    row: int | None
    why: str
    gateway: str = ""
    epoch: str = ""
    lane: str = ""
    seq: int | None = None

    def __str__(self) -> str:
        where = f"{self.gateway}/{self.epoch}/{self.lane}: record {self.seq}: " if self.gateway else ""
        row = f" (row {self.row})" if self.row is not None else ""
        return f"{where}{self.word}: {self.why}{row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Odd:
    """A row that is not the leaf of the head at its place, without its payload."""

    now: bytes
    row: LinkRow
    envelope: codec.Envelope | None

    @property
    def as_signed(self) -> LinkRow:
        """The row as its payload's envelope would have it."""
        row, e = self.row, self.envelope
        assert e is not None
        return (*row[:2], e.site, e.gateway, e.epoch, e.lane, e.first, e.last, e.prev, e.head, row[10])


@dataclass(slots=True)
class _Seen:
    """What one walk over leaves and rows leaves to be explained."""

    kept: dict[bytes, list[int]] = field(default_factory=dict)
    """Leaves of the head that are not at their row: their rows."""
    odd: list[tuple[_Odd, bool]] = field(default_factory=list)
    """The rows that are there instead; True: as its envelope would have it, the row is the leaf of the head."""
    holes: set[int] = field(default_factory=set)
    last: int = 0
    overflow: bool = False
    tails: dict[tuple[str, str, str], int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def differs(self, expected: bytes, at: int) -> None:
        if len(self.kept) < _HELD:
            self.kept.setdefault(expected, []).append(at)
        else:
            self.overflow = True


def compare(
    kept: Iterable[bytes],
    rows: Iterable[LinkRow],
    tails: Sequence[Tail],
    gateways: Sequence[Gateway],
    shown: Callable[[int], None],
) -> list[Finding]:
    """What differs between the leaves under a head and the ledger's rows now; nothing where they are the same.

    Rows after those of the head are only asked for their signature. `tails`: every lane's end at the head.
    """
    keys = {gateway.id: gateway for gateway in gateways}
    seen = _walk(iter(kept), rows, keys, shown)
    lost = {spot: value for value, spots in seen.kept.items() for spot in spots}
    strangers: list[tuple[_Odd, bool]] = []
    moved: list[LinkRow] = []
    for odd, is_only_refiled in seen.odd:
        if seen.kept.get(odd.now):
            del lost[seen.kept[odd.now].pop()]
            moved.append(odd.row)
        else:
            strangers.append((odd, is_only_refiled))
    findings = seen.findings
    for odd, is_only_refiled in strangers:
        replaces = lost.pop(odd.row[0], None) is not None
        findings.append(_refiled(odd) if is_only_refiled else _stranger(odd, keys, replaces=replaces))
    findings += _lost(lost, seen, tails)
    if not findings:
        findings += [_of(row, "reordered", "it stood elsewhere when the head was made") for row in moved[:2]]
    if seen.overflow:
        findings.append(Finding(word="altered", row=None, why=f"more than {_HELD} rows differ"))
    return findings[:_NAMED]


def _walk(
    kept: Iterator[bytes], rows: Iterable[LinkRow], keys: dict[str, Gateway], shown: Callable[[int], None]
) -> _Seen:
    seen = _Seen()
    for row in rows:
        for hole in range(seen.last + 1, row[0]):
            skipped = next(kept, None)
            if skipped is None:
                break
            seen.differs(skipped, hole)
            seen.holes.add(hole)
        seen.last = row[0]
        lane = (row[3], row[4], row[5])
        seen.tails[lane] = max(seen.tails.get(lane, 0), row[7])
        expected = next(kept, None)
        now = leaf(row)
        if now != expected:
            odd = _Odd(now=now, row=(*row[:10], b""), envelope=_envelope(row))
            if expected is None and now not in seen.kept:
                seen.findings += _doubts_of_new(odd, keys)
            elif len(seen.odd) < _HELD:
                refiled = odd.envelope is not None and leaf((*odd.as_signed[:10], row[10])) == expected
                seen.odd.append((odd, refiled))
            if expected is not None:
                seen.differs(expected, row[0])
        if row[0] % 4096 == 0:
            shown(row[0])
    for at, skipped in enumerate(kept, seen.last + 1):
        seen.differs(skipped, at)
    return seen


def _doubts_of_new(odd: _Odd, keys: dict[str, Gateway]) -> Iterator[Finding]:
    """A row that came after the head is well if the gateway it is filed under signed it."""
    if odd.envelope is not None and odd.as_signed[:10] != odd.row[:10]:
        yield _refiled(odd)
    elif odd.envelope is None or _signer(odd.envelope, keys) != odd.row[3]:
        yield _stranger(odd, keys, replaces=False)


def _refiled(odd: _Odd) -> Finding:
    row, signed = odd.row, odd.as_signed
    word: Word = "altered" if row[2:4] == signed[2:4] else "another device"
    return _of(signed, word, f"it is filed under {'/'.join(row[2:6])} as records {row[6]} to {row[7]}")


def _stranger(odd: _Odd, keys: dict[str, Gateway], *, replaces: bool) -> Finding:
    """A row that was not there at the head: in the place of one that was, or beside them."""
    whose = _signer(odd.envelope, keys) if odd.envelope is not None else None
    if whose is not None and whose != odd.row[3]:
        return _of(odd.row, "another device", f"its batch was signed by {whose}")
    if replaces:
        return _of(odd.row, "altered", "it is not the batch that was here when the head was made")
    if whose is None:
        return _of(odd.row, "inserted", "its signature is not that of the enrolled gateway")
    return _of(odd.row, "inserted", "it was not here when the head was made")


def _lost(lost: dict[int, bytes], seen: _Seen, tails: Sequence[Tail]) -> Iterator[Finding]:
    short = [tail for tail in tails if seen.tails.get(tail[:3], 0) < tail[3]]
    cut = [row for row in lost if row > seen.last]
    for gateway, epoch, lane, last, _ in short:
        has = seen.tails.get((gateway, epoch, lane), 0)
        yield Finding(
            word="tail cut off",
            row=None,
            why=f"the lane ends at {has}; it had {last} records when the head was made",
            gateway=gateway,
            epoch=epoch,
            lane=lane,
            seq=has + 1,
        )
    if cut and not short:
        yield Finding(word="tail cut off", row=min(cut), why=f"rows {min(cut)} to {max(cut)} are gone")
    for row in sorted(set(lost) - set(cut))[:_NAMED]:
        if not short or row in seen.holes:
            yield Finding(word="missing", row=row, why="the row that was here when the head was made is gone")


def _envelope(row: LinkRow) -> codec.Envelope | None:
    try:
        return msgspec.structs.replace(_decode_envelope(row[10]), packed=b"")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _signer(envelope: codec.Envelope, keys: dict[str, Gateway]) -> str | None:
    """Which enrolled gateway's key fits the signature, the named one's first."""
    named = [keys[envelope.gateway]] if envelope.gateway in keys else []
    for gateway in [*named, *keys.values()]:
        try:
            check_signature(envelope, gateway)
        except Refused:
            continue
        return gateway.id
    return None


def _of(row: LinkRow, word: Word, why: str) -> Finding:
    return Finding(word=word, row=row[0], why=why, gateway=row[3], epoch=row[4], lane=row[5], seq=row[6])
