#!/usr/bin/env python3
"""Checks a Plumbline evidence file without any part of Plumbline: `python plumbline_verify.py evidence.zip`.

One file, Python 3.9 or newer, standard library only. Written from docs/wire.md and docs/proof.md; shares no code with
the product. With the package `cryptography` installed, signatures are checked some thirty times faster.

Exit code 0: nothing wrong was found. 1: faults, each named. 2: the file cannot be judged at all.
As a module: open_export, records, declared_gaps, check, examine.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

MISSING, ALTERED, INSERTED = "missing", "altered", "inserted"
REORDERED, CUT, DEVICE = "reordered", "tail cut off", "another device"
TAMPERS = (MISSING, ALTERED, INSERTED, REORDERED, CUT, DEVICE)
SEAL, TREE, STAMP = "broken seal", "tree", "stamp"
"""Not what was done, but that something was: a signature of central's, the tree's root, a time stamp does not fit."""

MAX_TOTAL = 256 << 30
MAX_RATIO, SMALL = 200, 1 << 20
"""No member unpacks to more than MAX_RATIO times its size, unless to SMALL: central packs nothing at all."""
MAX_JSON = 8 << 20
MAX_STAMPS = 4096
MAX_STAMP = 64 << 10
MAX_DIGITS = 19
"""Of a number in JSON: what is longer takes long, and is none that is used here."""
MAX_PAYLOAD = 1 << 20
MAX_PLAIN = 8 << 20
MAX_RECORDS = 4096
MAX_METRICS = 1024
MAX_NUMBERS = 1 << 18
"""In the groups of a batch: zeros pack well, and each costs time to unroll."""
MAX_TEXT = 64
"""Characters in a device's name or a boot's id: each record repeats them."""
CLOCKS = {"synced", "unsynced", "unset", "simulated"}
MAX_SEQ = 1 << 53
MAX_DEPTH = 32
MAX_VALUES = 4_000_000
MAX_FAULTS = 200
"""After as many, the examination ends."""
LOOKED_INTO = 64
"""Batches with a wrong signature that are tried under other names, ranges and keys."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
Ranges = list[tuple[int, int]]
LaneKey = tuple[str, str, str]


class Unusable(Exception):
    """The file cannot be judged; the sentence says why."""


class Damaged(Exception):
    """These bytes are no batch."""


class _Enough(Exception):
    """There are as many faults as anybody will read."""


# ---------------------------------------------------------------------------------------------- MessagePack


def pack(value: Any) -> bytes:
    """MessagePack in its shortest form."""
    out = bytearray()
    _pack_into(out, value)
    return bytes(out)


def _pack_int(out: bytearray, n: int) -> None:
    if 0 <= n < 0x80 or -32 <= n < 0:
        out.append(n & 0xFF)
    elif n >= 0:
        if n < 1 << 8:
            out += bytes((0xCC, n))
        elif n < 1 << 16:
            out += bytes((0xCD, n >> 8, n & 0xFF))
        elif n < 1 << 32:
            out += b"\xce" + n.to_bytes(4, "big")
        else:
            out += b"\xcf" + n.to_bytes(8, "big")
    elif n >= -(1 << 7):
        out += b"\xd0" + n.to_bytes(1, "big", signed=True)
    elif n >= -(1 << 15):
        out += b"\xd1" + n.to_bytes(2, "big", signed=True)
    elif n >= -(1 << 31):
        out += b"\xd2" + n.to_bytes(4, "big", signed=True)
    else:
        out += b"\xd3" + n.to_bytes(8, "big", signed=True)


def _pack_length(out: bytearray, n: int, fix: int, fix_limit: int, codes: Sequence[int]) -> None:
    """`codes`: for lengths of 1, 2 and 4 bytes; 0 where there is none."""
    if n < fix_limit:
        out.append(fix | n)
    elif n < 1 << 8 and codes[0]:
        out += bytes((codes[0], n))
    elif n < 1 << 16:
        out.append(codes[1])
        out += n.to_bytes(2, "big")
    else:
        out.append(codes[2])
        out += n.to_bytes(4, "big")


def _pack_into(out: bytearray, value: Any) -> None:
    if value is None:
        out.append(0xC0)
    elif value is True or value is False:
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _pack_int(out, value)
    elif isinstance(value, str):
        raw = value.encode()
        _pack_length(out, len(raw), 0xA0, 32, (0xD9, 0xDA, 0xDB))
        out += raw
    elif isinstance(value, bytes):
        _pack_length(out, len(value), 0, 0, (0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, float):
        out.append(0xCB)
        out += struct.pack(">d", value)
    elif isinstance(value, (list, tuple)):
        _pack_length(out, len(value), 0x90, 16, (0, 0xDC, 0xDD))
        for item in value:
            _pack_into(out, item)
    elif isinstance(value, dict):
        _pack_length(out, len(value), 0x80, 16, (0, 0xDE, 0xDF))
        for key, item in value.items():
            _pack_into(out, key)
            _pack_into(out, item)
    else:
        raise TypeError(f"no MessagePack for {type(value).__name__}")


class _Reader:
    """Takes MessagePack apart, never trusting a length that is longer than what is there."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.at = 0
        self.values_left = MAX_VALUES

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.raw):
            raise Damaged("cut off")
        part = self.raw[self.at : end]
        self.at = end
        return part

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "big", signed=signed)

    def value(self, depth: int = 0) -> Any:
        code = self.number(1)
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 0x100
        if 0xCC <= code <= 0xCF:
            return self.number(1 << (code - 0xCC))
        if 0xD0 <= code <= 0xD3:
            return self.number(1 << (code - 0xD0), signed=True)
        if code < 0x90:
            return self._map(code & 0x0F, depth)
        if code < 0xA0:
            return self._array(code & 0x0F, depth)
        if code < 0xC0:
            return self._text(code & 0x1F)
        return self._rarer(code, depth)

    def _rarer(self, code: int, depth: int) -> Any:
        simple = {0xC0: None, 0xC2: False, 0xC3: True}
        if code in simple:
            return simple[code]
        if 0xC4 <= code <= 0xC6:
            return self.take(self.number(1 << (code - 0xC4)))
        if code == 0xCA:
            return struct.unpack(">f", self.take(4))[0]
        if code == 0xCB:
            return struct.unpack(">d", self.take(8))[0]
        if 0xD9 <= code <= 0xDB:
            return self._text(self.number(1 << (code - 0xD9)))
        if code in (0xDC, 0xDD):
            return self._array(self.number(2 if code == 0xDC else 4), depth)
        if code in (0xDE, 0xDF):
            return self._map(self.number(2 if code == 0xDE else 4), depth)
        raise Damaged(f"a type that is not used here (0x{code:02x})")

    def _text(self, size: int) -> str:
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise Damaged("text that is not UTF-8") from None

    def _room(self, count: int, depth: int) -> None:
        self.values_left -= count
        if depth >= MAX_DEPTH or count > len(self.raw) - self.at or self.values_left < 0:
            raise Damaged("more announced than there is, or than may be")

    def _array(self, count: int, depth: int) -> list[Any]:
        self._room(count, depth)
        raw, at, found = self.raw, self.at, []
        for _ in range(count):  # most of what there is are columns of small numbers
            code = raw[at] if at < len(raw) else 0xC1
            if code < 0x80:
                found.append(code)
                at += 1
            elif code >= 0xE0:
                found.append(code - 0x100)
                at += 1
            elif code == 0xCD and at + 2 < len(raw):
                found.append(raw[at + 1] << 8 | raw[at + 2])
                at += 3
            else:
                self.at = at
                found.append(self.value(depth + 1))
                at = self.at
        self.at = at
        return found

    def _map(self, count: int, depth: int) -> dict[Any, Any]:
        self._room(count, depth)
        found = {}
        for _ in range(count):
            key = self.value(depth + 1)
            if not isinstance(key, str):
                raise Damaged("a key that is no text")
            found[key] = self.value(depth + 1)
        return found


def unpack(raw: bytes) -> Any:
    """The value that `raw` holds, all of it. Raises Damaged."""
    reader = _Reader(raw)
    value = reader.value()
    if reader.at != len(raw):
        raise Damaged("bytes left over")
    return value


# ------------------------------------------------------------------------------------ Ed25519 (RFC 8032, 5.1)

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]


def _add(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(p: _Point) -> _Point:
    a = p[0] * p[0] % _P
    b = p[1] * p[1] % _P
    c = 2 * p[2] * p[2] % _P
    h = a + b
    e = h - (p[0] + p[1]) * (p[0] + p[1]) % _P
    g = a - b
    f = c + g
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _decompress(raw: bytes) -> _Point | None:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    x2 = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(x2, (_P + 3) // 8, _P)
    if (x * x - x2) % _P:
        x = x * _ROOT_OF_MINUS_1 % _P
    if (x * x - x2) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return (x, y, 1, x * y % _P)


def _compress(p: _Point) -> bytes:
    inverse = pow(p[2], _P - 2, _P)
    x, y = p[0] * inverse % _P, p[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE = _decompress(_BASE_Y.to_bytes(32, "little"))


def ed25519_slow(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is good: S·B − H(R, A, M)·A encodes to R."""
    if len(key) != 32 or len(signature) != 64:
        return False
    point = _decompress(key)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= _L or _BASE is None:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    minus = (_P - point[0], point[1], 1, _P - point[3])
    both = _add(_BASE, minus)
    at: _Point = (0, 1, 1, 0)
    for bit in range(max(s.bit_length(), h.bit_length()) - 1, -1, -1):
        at = _double(at)
        one, other = s >> bit & 1, h >> bit & 1
        if one or other:
            at = _add(at, both if one and other else _BASE if one else minus)
    return _compress(at) == signature[:32]


def _fast_or_slow() -> tuple[Callable[[bytes, bytes, bytes], bool], str]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return ed25519_slow, "by this program's own arithmetic"

    def fast(key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    return fast, "with the package cryptography"


ed25519, ED25519_HOW = _fast_or_slow()

# ------------------------------------------------------------------------------------------ batches and chain


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def chain_start(gateway: str, epoch: str, lane: str) -> bytes:
    parts = [text.encode() for text in ("plumbline/1/chain", gateway, epoch, lane)]
    return _sha(*(len(part).to_bytes(2, "big") + part for part in parts))


@dataclass(frozen=True)
class Envelope:
    """The outer part of a batch."""

    site: str
    gateway: str
    epoch: str
    lane: str
    first: int
    last: int
    prev: bytes
    head: bytes
    algorithm: str
    signature: bytes
    packed: bytes

    @property
    def key(self) -> LaneKey:
        return (self.gateway, self.epoch, self.lane)

    def statement(self, **other: Any) -> bytes:
        """What the gateway signed; with `other`, what it would have signed then."""
        said = {
            name: getattr(self, name)
            for name in ("site", "gateway", "epoch", "lane", "first", "last", "prev", "head")
        }
        said.update(other)
        return pack(["plumbline/1/batch", *said.values()])


_SHAPE = (int, str, str, str, str, int, int, bytes, bytes, str, bytes, bytes)


def open_envelope(payload: bytes) -> Envelope:
    """Raises Damaged."""
    if len(payload) > MAX_PAYLOAD:
        raise Damaged("longer than a batch may be")
    outer = unpack(payload)
    if not isinstance(outer, list) or len(outer) != len(_SHAPE):
        raise Damaged("no batch")
    if any(type(part) is not kind for part, kind in zip(outer, _SHAPE)):
        raise Damaged("no batch")
    if outer[0] != 1:
        raise Damaged(f"wire version {outer[0]}")
    envelope = Envelope(*outer[1:])
    if not all(NAME.fullmatch(name) for name in (envelope.site, *envelope.key)):
        raise Damaged("a name that is none")
    if not 1 <= envelope.first <= envelope.last < MAX_SEQ or envelope.last - envelope.first >= MAX_RECORDS:
        raise Damaged("an impossible range")
    if len(envelope.prev) != 32 or len(envelope.head) != 32:
        raise Damaged("heads of the wrong size")
    return envelope


@dataclass(frozen=True)
class Line:
    """One record as it lies in a batch: everything but its number."""

    at_us: int
    boot: str
    mono_us: int
    clock: str
    body: bytes

    def canonical(self, seq: int) -> bytes:
        return pack([seq, self.at_us, self.boot, self.mono_us, self.clock]) + self.body


def open_lines(envelope: Envelope) -> list[Line]:
    """The records, however many there are. Raises Damaged."""
    inflate = zlib.decompressobj()
    try:
        plain = inflate.decompress(envelope.packed, MAX_PLAIN)
    except zlib.error as error:
        raise Damaged(str(error)) from None
    if not inflate.eof or inflate.unused_data:
        raise Damaged("cut off, or too large when unpacked")
    columns = unpack(plain)
    try:
        if not _are(list, [columns, *columns]):
            raise Damaged("no columns")
        at_us, mono_us, boots, clocks, order, groups, others = columns
        count = len(order)
        if count > MAX_RECORDS or not len(at_us) == len(mono_us) == count:
            raise Damaged("columns of different lengths")
        texts = [*(text for text, _ in boots), *(group[0] for group in groups)]
        numbers = [*at_us, *mono_us, *order, *(times for _, times in [*boots, *clocks])]
        if not (_are(int, numbers) and _are(str, texts) and {text for text, _ in clocks} <= CLOCKS):
            raise Damaged("columns of other things than they should be")
        if max(map(len, texts), default=0) > MAX_TEXT:
            raise Damaged(f"a name of more than {MAX_TEXT} characters")
        bodies = _bodies(order, groups, others)
        rows = zip(_summed(at_us), _spread(boots, count), _summed(mono_us), _spread(clocks, count), bodies)
        return [Line(*row) for row in rows]
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        raise Damaged("columns that do not fit together") from None


def _are(kind: type, values: Iterable[Any]) -> bool:
    """Whether each of them is of just this type: a bool is no number here."""
    return set(map(type, values)) <= {kind}


def _summed(steps: list[int]) -> list[int]:
    found, at = [], 0
    for step in steps:
        at += step
        found.append(at)
    if found and not (min(found) >= -(1 << 63) and max(found) < 1 << 63):
        raise Damaged("times beyond 64 bits")
    return found


def _spread(runs: list[Any], count: int) -> list[str]:
    if any(not 1 <= times <= count for _, times in runs) or sum(times for _, times in runs) != count:
        raise Damaged("columns of different lengths")
    return [text for text, times in runs for _ in range(times)]


def _bodies(order: list[int], groups: list[Any], others: list[bytes]) -> list[bytes]:
    if not _are(bytes, others) or not all(map(_is_body, others)):
        raise Damaged("a body that is none")
    if sum(len(steps) for _, _, steps, _ in groups) > MAX_NUMBERS:
        raise Damaged(f"more than {MAX_NUMBERS} numbers")
    counts = [0] * len(groups)
    for at in order:
        if at < -1:
            raise IndexError
        if at >= 0:
            counts[at] += 1
    frames = [iter(_frames(group, count)) for group, count in zip(groups, counts)]
    plain = iter(others)
    bodies = [next(plain, b"") if at == -1 else next(frames[at]) for at in order]
    if b"" in bodies or next(plain, None) is not None:
        raise ValueError
    return bodies


def _is_body(raw: bytes) -> bool:
    """Whether it is a map whose first key is `kind`, all of it, and no frame: those are in the groups."""
    if not (0x80 < raw[0] < 0x90 and raw.startswith(b"\xa4kind", 1)):
        return False
    kind = unpack(raw)["kind"]
    return isinstance(kind, str) and kind != "frame"


def _frames(group: list[Any], count: int) -> list[bytes]:
    device, metrics, steps, flaws = group
    if not (_are(list, [metrics, steps, flaws, *flaws]) and _are(int, metrics)):
        raise TypeError
    if not (_are(int, [n for flaw in flaws for n in flaw]) and set(map(type, steps)) <= {int, type(None)}):
        raise TypeError
    if len(metrics) > MAX_METRICS:
        raise Damaged(f"more than {MAX_METRICS} metrics of one device")
    if len(steps) != len(metrics) * count or not count:
        raise ValueError
    columns = []
    for i in range(len(metrics)):
        at = 0
        column: list[int | None] = []
        for step in steps[i * count : (i + 1) * count]:
            if step is None:
                column.append(None)
            else:
                at += step
                column.append(at)
        columns.append(column)
    bad: list[list[list[int]]] = [[] for _ in range(count)]
    for row, position, flaw in flaws:
        if not (0 <= row < count and 0 <= position < len(metrics)):
            raise ValueError
        bad[row].append([position, flaw])
    frames = []
    for flawed in (False, True):  # what all rows begin with
        begin = bytearray((0x80 | 4 + flawed,))
        for part in ("kind", "frame", "device", device, "metrics", metrics, "values"):
            _pack_into(begin, part)
        _pack_length(begin, len(metrics), 0x90, 16, (0, 0xDC, 0xDD))
        frames.append(begin)
    rows = zip(*columns) if columns else [()] * count
    return [_frame(frames[bool(flawed)], row, flawed) for row, flawed in zip(rows, bad)]


def _frame(begin: bytearray, values: Iterable[int | None], flaws: list[list[int]]) -> bytes:
    body = bytearray(begin)
    for value in values:
        if value is None:
            body.append(0xC0)
        elif 0 <= value < 0x80:
            body.append(value)
        else:
            _pack_int(body, value)
    if flaws:
        _pack_into(body, "flaws")
        _pack_into(body, flaws)
    return bytes(body)


def chain_heads(prev: bytes, first: int, lines: Iterable[Line]) -> list[bytes]:
    """The chain's head before the first record, and after each."""
    heads = [prev]
    for seq, line in enumerate(lines, first):
        heads.append(_sha(heads[-1], seq.to_bytes(8, "big"), _sha(line.canonical(seq))))
    return heads


# ------------------------------------------------------------------------------------- the tree (RFC 9162, 2.1)


def leaf_of(envelope: Envelope, payload: bytes) -> bytes:
    e = envelope
    entry = ["plumbline/1/leaf", e.site, e.gateway, e.epoch, e.lane, e.first, e.last, e.prev, e.head]
    return _sha(b"\x00", pack([*entry, e.signature, _sha(payload)]))


class Tree:
    """The root of a growing list of leaves."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        self.size += 1
        self._peaks.append(leaf)
        size = self.size
        while not size & 1:
            right = self._peaks.pop()
            self._peaks[-1] = _sha(b"\x01", self._peaks[-1], right)
            size >>= 1

    def root(self) -> bytes:
        if not self._peaks:
            return _sha(b"")
        found = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            found = _sha(b"\x01", peak, found)
        return found


def proves_consistency(old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]) -> bool:
    """RFC 9162, 2.1.4.2."""
    if old in (0, new):
        return not path and (old == 0 or old_root == new_root)
    if not path or old > new:
        return False
    nodes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = _sha(b"\x01", node, fr), _sha(b"\x01", node, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = _sha(b"\x01", sr, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (fr, sr) == (old_root, new_root)


# ------------------------------------------------------------------------------------------------- the file


@dataclass(frozen=True)
class Head:
    """Central's signed word: the tree over its first `size` batches."""

    v: int
    size: int
    root: bytes
    at_us: int
    tails: bytes
    algorithm: str
    key: str
    signature: bytes

    @property
    def statement(self) -> bytes:
        return pack(["plumbline/1/head", self.v, self.size, self.root, self.at_us, self.tails])

    @property
    def file(self) -> bytes:
        """The bytes of head-<size>.json, which were time-stamped."""
        raw = {
            name: value.hex() if isinstance(value, bytes) else value for name, value in asdict(self).items()
        }
        return json.dumps(raw, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@dataclass
class Export:
    """An opened evidence file. Close it, or use it in a `with` block."""

    path: str
    archive: zipfile.ZipFile
    manifest: dict[str, Any]
    manifest_raw: bytes
    seal: dict[str, Any]
    heads: list[Head]
    tails: dict[LaneKey, tuple[int, bytes]]
    consistency: list[tuple[int, int, list[bytes]]]
    stamps: dict[int, bytes]

    def __enter__(self) -> Export:  # noqa: PYI034 - Self came with 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.archive.close()

    @property
    def newest(self) -> Head:
        return self.heads[-1]

    @property
    def is_whole(self) -> bool:
        """Whether every batch that central had is in it."""
        scope = self.manifest["scope"]
        return scope["site"] is None and scope["gateway"] is None

    def batches(self) -> Iterator[tuple[int, int, bytes]]:
        """(leaf index, received_us, payload) in the order of the file. Raises Unusable where it breaks off."""
        with self._open("batches.bin") as file:
            while True:
                header = _read(file, 20)
                if not header:
                    return
                if len(header) < 20:
                    raise Unusable("batches.bin breaks off inside a batch")
                index, received_us, size = struct.unpack(">QQI", header)
                if not 0 < size <= MAX_PAYLOAD:
                    raise Unusable(
                        f"batches.bin holds a batch of {size} bytes; 1 to {MAX_PAYLOAD} are allowed"
                    )
                payload = _read(file, size)
                if len(payload) < size:
                    raise Unusable("batches.bin breaks off inside a batch")
                yield index, received_us, payload

    def leaves(self) -> Iterator[bytes]:
        with self._open("leaves.bin") as file:
            while leaf := _read(file, 32):
                if len(leaf) < 32:
                    raise Unusable("leaves.bin breaks off inside a leaf")
                yield leaf

    def digest(self, name: str) -> str:
        """SHA-256 of one of its files."""
        digest = hashlib.sha256()
        with self._open(name) as file:
            while part := _read(file, 1 << 20):
                digest.update(part)
        return digest.hexdigest()

    def _open(self, name: str) -> IO[bytes]:
        try:
            return self.archive.open(name)
        except (KeyError, *_ZIP_ERRORS) as error:
            raise Unusable(f"{name} cannot be read: {error}") from None


_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
)


def _read(file: IO[bytes], count: int) -> bytes:
    try:
        return file.read(count)
    except _ZIP_ERRORS as error:
        raise Unusable(f"the archive is damaged: {error}") from None


_WANTED = {"manifest.json", "manifest.sig", "batches.bin", "leaves.bin", "heads.json"}


def open_export(path: Any) -> Export:
    """Open an evidence file and read all of it but batches and leaves. Raises Unusable."""
    try:
        archive = zipfile.ZipFile(path)
    except _ZIP_ERRORS as error:
        raise Unusable(f"{path} is no evidence file: {error}") from None
    try:
        return _load(str(path), archive)
    except BaseException:
        archive.close()
        raise


def _load(path: str, archive: zipfile.ZipFile) -> Export:
    names = archive.namelist()
    if len(set(names)) != len(names):
        raise Unusable(f"{path} is no evidence file: it holds two files of one name")
    if lacks := _WANTED - set(names):
        raise Unusable(f"{path} is no evidence file: it lacks {', '.join(sorted(lacks))}")
    if len(names) > len(_WANTED) + MAX_STAMPS:
        raise Unusable(f"an evidence file holds at most {MAX_STAMPS} time stamps")
    _check_sizes(archive)
    manifest_raw = _small(archive, "manifest.json", MAX_JSON)
    manifest = _json("manifest.json", manifest_raw)
    _check_manifest(manifest)
    held = _json("heads.json", _small(archive, "heads.json", MAX_JSON))
    try:
        heads = [_head_from(raw) for raw in held["heads"]]
        tails = {
            (_name(gateway), _name(epoch), _name(lane)): (_whole(last), _hex(head, 32))
            for gateway, epoch, lane, last, head in held["tails"]
        }
        proofs = [
            (_whole(p["from"]), _whole(p["to"]), [_hex(n, 32) for n in p["path"]])
            for p in held["consistency"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(f"heads.json is not understood: {error}") from None
    if not heads or any(old.size >= new.size for old, new in zip(heads, heads[1:])):
        raise Unusable("heads.json has no tree heads in ascending order")
    stamps = {}
    for name in names:
        if match := re.fullmatch(r"stamps/head-(0|[1-9][0-9]{0,17})\.tsr", name):
            stamps[int(match[1])] = _small(archive, name, MAX_STAMP)
        elif name not in _WANTED:
            raise Unusable(f"an evidence file holds no {name!r}")
    seal = _json("manifest.sig", _small(archive, "manifest.sig", MAX_STAMP))
    return Export(path, archive, manifest, manifest_raw, seal, heads, tails, proofs, stamps)


def _check_sizes(archive: zipfile.ZipFile) -> None:
    """Nothing unpacks to more than it may, going by sizes that zipfile never reads beyond."""
    entries = archive.infolist()
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unusable("the archive is packed in a way that is not used here")
        if entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
            raise Unusable(f"{entry.filename!r} would unpack to more than {MAX_RATIO} times its size")
    if sum(entry.compress_size for entry in entries) > archive.start_dir:
        raise Unusable("the archive says that it holds more than there is")
    if sum(entry.file_size for entry in entries) > MAX_TOTAL:
        raise Unusable(f"the archive would unpack to more than {MAX_TOTAL >> 30} GiB")


def _small(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if archive.getinfo(name).file_size > limit:
        raise Unusable(f"{name} is larger than {limit} bytes")
    try:
        with archive.open(name) as file:
            return _read(file, limit)
    except _ZIP_ERRORS as error:
        raise Unusable(f"{name} cannot be read: {error}") from None


def _json(name: str, raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw, parse_int=_short_int)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{name} is no JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise Unusable(f"{name} is no JSON object")
    return found


def _short_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _check_manifest(manifest: dict[str, Any]) -> None:
    if manifest.get("format") != "plumbline-evidence/1":
        raise Unusable(
            f"the format is {str(manifest.get('format'))[:60]!r}; this program knows plumbline-evidence/1"
        )
    try:
        scope = manifest["scope"]
        _whole(manifest["size"])
        _ = [scope[part] is None or _name(scope[part]) for part in ("site", "gateway")]
        for gateway in manifest["gateways"]:
            _one_of(("ed25519",), gateway["algorithm"])
            _ = (_name(gateway["id"]), _name(gateway["site"]))
            _ = (_hex(gateway["key"], 32), _hex(gateway["signature"], 64))
        for name, digest in manifest["sha256"].items():
            _one_of((*_WANTED, name if name.startswith("stamps/") else ""), name)
            _hex(digest, 32)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable(f"manifest.json is not understood: {error!r}") from None


def read_head(path: str) -> Head:
    """A tree head that was kept elsewhere. Raises Unusable."""
    try:
        with Path(path).open("rb") as file:
            return _head_from(_json(path, file.read(MAX_STAMP)))
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(f"{path} is no tree head: {error!r}") from None


def _head_from(raw: dict[str, Any]) -> Head:
    return Head(
        v=_whole(raw["v"]),
        size=_whole(raw["size"]),
        root=_hex(raw["root"], 32),
        at_us=_whole(raw["at_us"]),
        tails=_hex(raw["tails"], 32),
        algorithm=str(raw["algorithm"]),
        key=_hex(raw["key"], 32).hex(),
        signature=_hex(raw["signature"], 64),
    )


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{str(value)[:60]!r} is no count")
    return value


def _hex(value: Any, size: int) -> bytes:
    raw = bytes.fromhex(value)
    if len(raw) != size or raw.hex() != value:
        raise ValueError(f"{value[:80]!r} is not {size} bytes in hex")
    return raw


def _one_of(known: Iterable[str], value: Any) -> None:
    if value not in known:
        raise ValueError(f"unknown: {str(value)[:60]!r}")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"{str(value)[:60]!r} is no name")
    return value


# ------------------------------------------------------------------------------------------------- records


def records(export: Export) -> Iterator[dict[str, Any]]:
    """Each record once, in the order central stored them: {site, gateway, epoch, lane, seq, at_us, boot, mono_us, clock,
    kind, body}. `body` has the fields of docs/wire.md without `kind`; those at their default are left out.

    Nothing is checked here but that it can be read; `check` first. Batches that cannot be opened are passed over.
    """
    seen: dict[LaneKey, Ranges] = {}
    for _, _, payload in export.batches():
        try:
            envelope = open_envelope(payload)
            lines = open_lines(envelope)
            bodies = [unpack(line.body) for line in lines]
        except Damaged:
            continue
        have = seen.get(envelope.key, [])
        for seq, (line, body) in enumerate(zip(lines, bodies), envelope.first):
            if not isinstance(body, dict) or any(a <= seq <= b for a, b in have):
                continue
            kind = body.pop("kind", "")
            yield {
                "site": envelope.site,
                "gateway": envelope.gateway,
                "epoch": envelope.epoch,
                "lane": envelope.lane,
                "seq": seq,
                "at_us": line.at_us,
                "boot": line.boot,
                "mono_us": line.mono_us,
                "clock": line.clock,
                "kind": kind,
                "body": body,
            }
        if lines:
            seen[envelope.key] = joined([*have, (envelope.first, envelope.first + len(lines) - 1)])


def declared_gaps(export: Export) -> Iterator[dict[str, Any]]:
    """What the gateways say is gone for good: {site, gateway, epoch, lane, first, last, why, prev, head, by_seq}.

    `epoch` and `lane` are those of the lost records; `last` 0: nobody knows how many there were; `by_seq`: the record
    in the status lane that says so.
    """
    for _, _, payload in export.batches():
        try:
            envelope = open_envelope(payload)
            lines = open_lines(envelope)
        except Damaged:
            continue
        for gap in _gaps_in(envelope, lines):
            yield {"site": envelope.site, "gateway": envelope.gateway, **asdict(gap)}


@dataclass(frozen=True)
class Gap:
    """Records that are gone, as their gateway said."""

    epoch: str
    lane: str
    first: int
    last: int
    why: str
    prev: bytes
    head: bytes
    by_seq: int


_GAP_KIND = b"\xa4kind\xa3gap"


def _gaps_in(envelope: Envelope, lines: list[Line]) -> Iterator[Gap]:
    for seq, line in enumerate(lines, envelope.first):
        if not line.body.startswith(_GAP_KIND, 1):
            continue
        try:
            body = unpack(line.body)
        except Damaged:
            continue
        if not isinstance(body, dict):
            continue
        gap = Gap(
            epoch=body.get("epoch") or envelope.epoch,
            lane=body.get("lane", ""),
            first=body.get("first", 0),
            last=body.get("last", 0),
            why=str(body.get("why", "")),
            prev=body.get("prev", b""),
            head=body.get("head", b""),
            by_seq=seq,
        )
        ints = type(gap.first) is int and type(gap.last) is int
        texts = all(isinstance(name, str) and NAME.fullmatch(name) for name in (gap.epoch, gap.lane))
        heads = isinstance(gap.prev, bytes) and isinstance(gap.head, bytes)
        if ints and texts and heads and gap.first > 0 and (gap.last == 0 or gap.first <= gap.last):
            yield gap


# ------------------------------------------------------------------------------------------------- ranges


def joined(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted, disjoint; what touches becomes one."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return found


def lacking(ranges: Ranges, first: int, last: int) -> Ranges:
    """The parts of first..last that are not in `ranges`, which are joined."""
    found = []
    at = first
    for a, b in ranges:
        if b < at:
            continue
        if a > last:
            break
        if a > at:
            found.append((at, a - 1))
        at = b + 1
    if at <= last:
        found.append((at, last))
    return found


# ------------------------------------------------------------------------------------------------- checking


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `word`: one of TAMPERS, or SEAL, TREE, STAMP; `seq`: the first record concerned."""

    word: str
    why: str
    gateway: str = ""
    epoch: str = ""
    lane: str = ""
    seq: int | None = None

    def __str__(self) -> str:
        where = "/".join(part for part in (self.gateway, self.epoch, self.lane) if part)
        record = "" if self.seq is None else f" record {self.seq}"
        return f"{self.word}: {where}{record}: {self.why}" if where else f"{self.word}: {self.why}"


@dataclass
class Report:
    """What was looked at, and what is wrong with it."""

    batches: int = 0
    records: int = 0
    lanes: int = 0
    leaves: int = 0
    heads: int = 0
    witnessed: int = 0
    stamps_checked: int = 0
    stamps_unchecked: int = 0
    declared_lost: int = 0
    """Records that their gateways say are gone, `damaged` ranges of unknown length not counted."""
    open_ended: int = 0
    """Lanes of which a damaged file took an unknown number of records."""
    outstanding: int = 0
    """Records below a lane's newest that central did not have when the file was made: still on their way."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults


def check(export: Export, **options: Any) -> list[Fault]:
    """The faults that `examine` finds; it takes the same options."""
    return examine(export, **options).faults


def examine(
    export: Export,
    *,
    heads: Sequence[Head] = (),
    key: str | None = None,
    gateway_keys: dict[str, str] | None = None,
    tsa_ca: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check everything. `heads`: tree heads kept elsewhere; `key`, `gateway_keys`: public keys known from elsewhere, in hex.

    Without `key`, that of the first of `heads` is taken; without either, that in the file is believed: then it is proved
    that the file fits together, not who made it.
    Raises Unusable where the file breaks off.
    """
    return _Examination(export, heads, key, gateway_keys or {}, progress).run(tsa_ca)


@dataclass
class _Lane:
    """What is known of one lane. Links are (first, last, prev, head), each signed by the gateway."""

    links: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    unsigned: list[Envelope] = field(default_factory=list)
    posed: Ranges = field(default_factory=list)
    """What batches of other devices pretend to be."""
    moved: list[tuple[Envelope, int]] = field(default_factory=list)
    inside: list[tuple[int, bytes]] = field(default_factory=list)
    """Heads inside of batches, where others begin or end."""
    found: bool = False

    def ends(self) -> Iterator[tuple[int, bytes]]:
        """(seq, the chain's head after it), as each batch and each gap says."""
        for first, last, prev, head in self.links:
            yield first - 1, prev
            yield last, head
        for gap in self.gaps:  # of a damaged file a gateway may know one end only, or neither
            if gap.prev:
                yield gap.first - 1, gap.prev
            if gap.last and gap.head:
                yield gap.last, gap.head
        yield from self.inside


class _Examination:
    def __init__(
        self,
        export: Export,
        witnessed: Sequence[Head],
        key: str | None,
        gateway_keys: dict[str, str],
        progress: Callable[[int], None] | None,
    ) -> None:
        self.export = export
        self.witnessed = witnessed
        self.key = (key or next(head.key for head in [*witnessed, export.newest])).lower()
        self.key_given = key is not None or bool(witnessed)
        self.report = Report(heads=len(export.heads))
        self.progress = progress or (lambda _: None)
        self.lanes: dict[LaneKey, _Lane] = {}
        self.gateway_keys = gateway_keys
        self.gateways: dict[str, tuple[str, bytes]] = {}
        self.bad: list[Envelope] = []
        self.tails_sealed = True
        self.wrong_leaves: list[tuple[bytes, Envelope]] = []
        self.lost_leaves: set[bytes] = set()
        self.holes = 0
        self.first_hole: int | None = None

    def fault(self, word: str, why: str, lane: LaneKey = ("", "", ""), seq: int | None = None) -> None:
        self.report.faults.append(Fault(word, why, *lane, seq))
        if len(self.report.faults) >= MAX_FAULTS:
            raise _Enough

    def named(self) -> bool:
        return any(fault.word in TAMPERS for fault in self.report.faults)

    def lane(self, key: LaneKey) -> _Lane:
        return self.lanes.setdefault(key, _Lane())

    def run(self, tsa_ca: str | None) -> Report:
        try:
            self.look_everywhere(tsa_ca)
        except _Enough:
            self.report.notes.append(f"the examination ended at {MAX_FAULTS} faults; there may be more")
        self.report.lanes = sum(lane.found for lane in self.lanes.values())
        if not self.key_given:
            self.report.notes.append(
                "central's key was taken from the file itself: compare it, or give --key or --head"
            )
        return self.report

    def look_everywhere(self, tsa_ca: str | None) -> None:
        self.check_gateways()
        sealed = self.check_seals()
        rooted = self.walk()
        self.diagnose()
        self.check_overlaps()
        trusted = sealed and rooted
        for key in sorted({*self.lanes, *(lane for lane in self.export.tails if lane[0] in self.gateways)}):
            self.check_lane(key, self.lane(key), trusted=trusted)
        self.check_leaves()
        self.name_the_rest(rooted=rooted)
        self.check_stamps(tsa_ca)

    def check_gateways(self) -> None:
        """Whose key is whose, by the file and by what is known from elsewhere."""
        for gateway in self.export.manifest["gateways"]:
            name = gateway["id"]
            known = self.gateway_keys.get(name, gateway["key"]).lower()
            self.gateways[name] = (gateway["site"], bytes.fromhex(known))
            if known != gateway["key"]:
                self.fault(
                    DEVICE, "its key in the file is not the one that is known from elsewhere", (name, "", "")
                )

    # -- what central signed

    def check_seals(self) -> bool:
        """Heads, gateway list and manifest against central's signatures; lists against their digests."""
        export, before = self.export, len(self.report.faults)
        for head in [*export.heads, *self.witnessed]:
            if head.v != 1 or head.algorithm != "ed25519":
                raise Unusable(f"a tree head of version {head.v}, algorithm {head.algorithm[:40]!r}")
            if head.key != self.key:
                self.fault(SEAL, f"the tree head of {head.size} batches names another key than central's")
            elif not ed25519(bytes.fromhex(self.key), head.statement, head.signature):
                self.fault(SEAL, f"the tree head of {head.size} batches is not as central signed it")
        tails = [[*lane, last, head] for lane, (last, head) in sorted(export.tails.items())]
        if _sha(pack(tails)) != export.newest.tails:
            self.tails_sealed = False
            self.fault(SEAL, "the list of the lanes' ends is not the one under the newest tree head")
        self.check_manifest()
        for name, digest in self.export.manifest["sha256"].items():
            if export.digest(name) != digest:
                self.fault(SEAL, f"{name} is not the file that the manifest lists")
        return len(self.report.faults) == before

    def check_manifest(self) -> None:
        seal = self.export.seal
        try:
            sealer, signature = str(seal["key"]), bytes.fromhex(seal["signature"])
            sealer_raw = bytes.fromhex(sealer)
        except (KeyError, TypeError, ValueError) as error:
            raise Unusable(f"manifest.sig is not understood: {error!r}") from None
        statement = pack(["plumbline/1/manifest", _sha(self.export.manifest_raw)])
        if sealer != self.key:
            self.fault(SEAL, "the manifest names another key than central's")
        elif not ed25519(sealer_raw, statement, signature):
            self.fault(SEAL, "the manifest is not as central signed it")
        if self.export.manifest["size"] != self.export.newest.size:
            self.fault(SEAL, "the manifest speaks of another number of batches than the newest tree head")
        for gateway in self.export.manifest["gateways"]:
            said = [gateway[part] for part in ("id", "site", "algorithm", "key")]
            enrolment, by = pack(["plumbline/1/gateway", *said]), bytes.fromhex(gateway["signature"])
            if not any(ed25519(key, enrolment, by) for key in {bytes.fromhex(self.key), sealer_raw}):
                self.fault(DEVICE, "central did not sign that this key is its", (gateway["id"], "", ""))

    # -- batches and leaves, in one pass

    def walk(self) -> bool:
        """Look at every batch; whether the leaves lead to the roots that were signed."""
        export, tree = self.export, Tree()
        wanted = {head.size: head.root for head in [*export.heads, *self.witnessed]}
        roots: dict[int, bytes] = {0: tree.root()}
        leaves = export.leaves()
        before = -1

        def advance(until: int) -> bytes | None:
            leaf = None
            while tree.size < until:
                leaf = next(leaves, None)
                if leaf is None:
                    return None
                tree.append(leaf)
                if tree.size in wanted:
                    roots[tree.size] = tree.root()
            return leaf

        for index, _, payload in export.batches():
            if index <= before:
                self.fault(REORDERED, f"the batch of leaf {index} stands after that of leaf {before}")
                leaf = None
            else:
                self.skipped(before + 1, index)
                leaf = advance(index + 1)
                before = index
            self.look_at(payload, leaf)
            self.report.batches += 1
            self.progress(self.report.batches)
        advance(1 << 62)
        self.skipped(before + 1, tree.size)
        self.report.leaves = tree.size
        return self.check_roots(tree.size, roots)

    def skipped(self, start: int, stop: int) -> None:
        if stop > start:
            self.holes += stop - start
            self.first_hole = start if self.first_hole is None else self.first_hole

    def look_at(self, payload: bytes, leaf: bytes | None) -> None:
        try:
            envelope = open_envelope(payload)
        except Damaged as why:
            self.fault(ALTERED, f"batch {self.report.batches + 1} of the file cannot be opened: {why}")
            return
        lane = self.lane(envelope.key)
        lane.found = True
        own = leaf_of(envelope, payload)
        try:
            lines: list[Line] | None = open_lines(envelope)
        except Damaged as why:
            lines, damage = None, str(why)
        if not self.is_signed(envelope):
            self.bad.append(replace(envelope, packed=b""))  # there may be many
            if leaf is not None and leaf != own:
                self.lost_leaves.add(leaf)
            return
        lane.links.append((envelope.first, envelope.last, envelope.prev, envelope.head))
        count = envelope.last - envelope.first + 1
        if lines is None:
            self.fault(ALTERED, f"the batch cannot be opened: {damage}", envelope.key, envelope.first)
        elif len(lines) != count or chain_heads(envelope.prev, envelope.first, lines)[-1] != envelope.head:
            self.fault(*_content_fault(envelope, lines), envelope.key, envelope.first)
        else:
            for gap in _gaps_in(envelope, lines):
                self.lane((envelope.gateway, gap.epoch, gap.lane)).gaps.append(gap)
            if leaf != own:
                self.wrong_leaves.append((own, envelope))
                if leaf is not None:
                    self.lost_leaves.add(leaf)

    def is_signed(self, envelope: Envelope) -> bool:
        known = self.gateways.get(envelope.gateway)
        if known is None or known[0] != envelope.site or envelope.algorithm != "ed25519":
            return False
        return ed25519(known[1], envelope.statement(), envelope.signature)

    def check_roots(self, size: int, roots: dict[int, bytes]) -> bool:
        export, newest = self.export, self.export.newest
        before = len(self.report.faults)
        if size != newest.size:
            self.fault(TREE, f"the file has {size} leaves; the newest tree head is over {newest.size}")
        for head in export.heads:
            if head.size <= size and roots[head.size] != head.root:
                self.fault(TREE, f"the first {head.size} leaves do not lead to the root that central signed")
        by_size = {head.size: head for head in export.heads}
        for old, new, path in export.consistency:
            if old not in by_size or new not in by_size:
                self.fault(
                    TREE, f"a proof between tree heads of {old} and {new} batches, which are not there"
                )
            elif not proves_consistency(old, by_size[old].root, new, by_size[new].root, path):
                self.fault(
                    TREE, f"nothing proves that the tree head of {new} batches goes on from that of {old}"
                )
        if [(a.size, b.size) for a, b in zip(export.heads, export.heads[1:])] != [
            p[:2] for p in export.consistency
        ]:
            self.fault(TREE, "the proofs do not join the tree heads one by one")
        for head in self.witnessed:
            self.report.witnessed += 1
            if head.size > newest.size or head.size > size:
                self.fault(
                    CUT,
                    f"a kept tree head is over {head.size} batches; the file ends at {min(size, newest.size)}",
                )
            elif roots[head.size] != head.root:
                self.fault(TREE, f"the first {head.size} batches are not those of the kept tree head")
        return len(self.report.faults) == before

    # -- batches whose signature does not fit: what were they?

    def diagnose(self) -> None:
        firsts: dict[LaneKey, list[int]] = {}
        for envelope in self.bad[: 50 * LOOKED_INTO]:
            firsts.setdefault(envelope.key, []).append(envelope.first)
        for key, lane in self.lanes.items():
            firsts.setdefault(key, []).extend(first for first, *_ in lane.links[:LOOKED_INTO])
        for number, envelope in enumerate(self.bad):
            lane = self.lane(envelope.key)
            if envelope.gateway not in self.gateways:
                self.fault(DEVICE, "the file lists no such gateway", envelope.key, envelope.first)
            elif number >= LOOKED_INTO or not self.recognise(envelope, lane, firsts[envelope.key]):
                lane.unsigned.append(envelope)

    def recognise(self, e: Envelope, lane: _Lane, firsts: list[int]) -> bool:
        """Whether the signature is good for something else than what the batch says; that is then named."""
        epochs = {(gateway, epoch) for gateway, epoch, _ in [*self.export.tails, *self.lanes]}
        for name, (site, key) in self.gateways.items():
            if name != e.gateway and ed25519(key, e.statement(), e.signature):
                lane.posed.append((e.first, e.last))
                self.fault(DEVICE, f"signed by {name}", e.key, e.first)
                return True
            for gateway, epoch in epochs:
                other = gateway == name and (name, epoch) != (e.gateway, e.epoch)
                if other and ed25519(key, e.statement(site=site, gateway=name, epoch=epoch), e.signature):
                    lane.posed.append((e.first, e.last))
                    self.lane((name, epoch, e.lane)).links.append((e.first, e.last, e.prev, e.head))
                    self.fault(DEVICE, f"signed by {name} (epoch {epoch}) as its own", e.key, e.first)
                    return True
        site, key = self.gateways[e.gateway]
        count = e.last - e.first + 1
        for by in range(1, 17):
            for last, word, did in (
                (e.last - by, INSERTED, "put into"),
                (e.last + by, MISSING, "taken out of"),
            ):
                if last >= e.first and ed25519(key, e.statement(site=site, last=last), e.signature):
                    lane.links.append((e.first, last, e.prev, e.head))
                    self.fault(
                        word, f"{by} records were {did} a batch signed as {e.first} to {last}", e.key, e.first
                    )
                    return True
        top = max(
            [
                e.last,
                *(last for _, last, _, _ in lane.links),
                *(bad.last for bad in self.bad if bad.key == e.key),
            ]
        )
        tail = self.export.tails.get(e.key, (0, b""))[0]
        nearby = [e.first + tail - top, *(e.first + by for by in range(-16, 17))]
        for first in dict.fromkeys([*nearby, *sorted(firsts, key=lambda f: abs(f - e.first))[:LOOKED_INTO]]):
            if first < 1 or first == e.first:
                continue
            if ed25519(key, e.statement(site=site, first=first, last=first + count - 1), e.signature):
                lane.links.append((first, first + count - 1, e.prev, e.head))
                lane.moved.append((e, first))
                return True
        return False

    # -- lane by lane

    def check_overlaps(self) -> None:
        """Note what a batch says of the chain where another one, or a gap, begins or ends inside it."""
        wanted: dict[LaneKey, list[int]] = {}
        for key, lane in self.lanes.items():
            reach, ends = 0, sorted({seq for seq, _ in lane.ends()})
            inside: set[int] = set()
            for first, last, _, _ in sorted(lane.links):
                if first <= reach or lane.gaps:
                    for number in range(
                        bisect_left(ends, min(first - 1, reach)), bisect_right(ends, max(last, reach))
                    ):
                        inside.add(ends[number])
                reach = max(reach, last)
            if inside:
                wanted[key] = sorted(inside)
        if not wanted:
            return
        for _, _, payload in self.export.batches():
            try:
                envelope = open_envelope(payload)
                spots = wanted.get(envelope.key, [])
                spots = spots[bisect_left(spots, envelope.first) : bisect_left(spots, envelope.last)]
                if not spots or not self.is_signed(envelope):
                    continue
                heads = chain_heads(envelope.prev, envelope.first, open_lines(envelope))
            except Damaged:
                continue
            if heads[-1] == envelope.head:
                self.lane(envelope.key).inside += [(seq, heads[seq - envelope.first + 1]) for seq in spots]

    def check_lane(self, key: LaneKey, lane: _Lane, *, trusted: bool) -> None:
        heads: dict[int, bytes] = {0: chain_start(*key)}
        for seq, head in lane.ends():
            if heads.setdefault(seq, head) != head:
                self.fault(ALTERED, "what comes next goes on from another chain", key, seq)
                break
        signed = joined((first, last) for first, last, _, _ in lane.links)
        declared = joined((gap.first, gap.last) for gap in lane.gaps if gap.last)
        unknown_from = min((gap.first for gap in lane.gaps if not gap.last), default=0)
        have = joined([*signed, *declared])
        self.report.records += sum(last - first + 1 for first, last in signed)
        self.report.declared_lost += sum(b - a + 1 for r in declared for a, b in lacking(signed, *r))
        self.report.open_ended += bool(unknown_from)
        last, head = self.export.tails.get(key, (0, b""))
        claimed = [*have, *lane.posed, *self.claims(key, lane, have, last)]
        self.check_holes(key, joined(claimed), last, unknown_from, trusted=trusted)
        if self.tails_sealed and signed and signed[-1][1] > last:  # a gap may be told before what follows it
            self.fault(INSERTED, f"central knew of records up to {last} only", key, last + 1)
        elif self.tails_sealed and last in heads and head and heads[last] != head:
            self.fault(ALTERED, "the chain's end is not the one that central signed", key, last)
        own = {f.word for f in self.report.faults if (f.gateway, f.epoch, f.lane) == key}
        if not own & {MISSING, INSERTED, CUT}:
            for envelope, first in lane.moved:
                self.fault(REORDERED, f"signed as records from {first} on", key, envelope.first)

    def claims(self, key: LaneKey, lane: _Lane, have: Ranges, last: int) -> Ranges:
        """Name the batches that the gateway did not sign; what those that replaced others stand for."""
        claimed: Ranges = []
        for envelope in lane.unsigned:
            whose = lacking(have, envelope.first, envelope.last)
            if not whose or (self.tails_sealed and envelope.first > last):
                self.fault(INSERTED, "a batch that the gateway did not sign", key, envelope.first)
            else:
                claimed += whose
                why = f"records to {envelope.last} are not as the gateway signed them"
                self.fault(ALTERED, why, key, envelope.first)
        return claimed

    def check_holes(self, key: LaneKey, have: Ranges, last: int, unknown_from: int, *, trusted: bool) -> None:
        top = have[-1][1] if have else 0
        for first, to in lacking(have, 1, top):
            if unknown_from and first >= unknown_from:
                continue
            if trusted:
                self.report.outstanding += to - first + 1
            else:
                self.fault(
                    MISSING, f"records {first} to {to} are not there, and no gap is declared", key, first
                )
        if top < last:
            self.fault(CUT, f"the lane ends at {top}; central had it up to {last}", key, top + 1)

    def check_leaves(self) -> None:
        """Signed batches that are not what their leaf says: in each other's place, or packed anew."""
        for own, envelope in self.wrong_leaves:
            if own in self.lost_leaves:
                self.fault(
                    REORDERED, "the batch stands at another batch's leaf", envelope.key, envelope.first
                )
        for own, envelope in self.wrong_leaves:
            if own not in self.lost_leaves:
                self.fault(
                    ALTERED,
                    "the batch is not, byte for byte, the one in its leaf",
                    envelope.key,
                    envelope.first,
                )
                return

    def name_the_rest(self, *, rooted: bool) -> None:
        """What the tree alone shows, where no lane has shown it."""
        if self.named():
            return
        size, leaves = self.export.newest.size, self.report.leaves
        if leaves < size:
            self.fault(
                CUT if self.export.is_whole else MISSING,
                f"the batches of {size - leaves} leaves are not there",
            )
        elif leaves > size:
            self.fault(INSERTED, f"{leaves - size} leaves more than central signed")
        elif self.export.is_whole and self.holes:
            self.fault(MISSING, f"{self.holes} batches, the first of them that of leaf {self.first_hole}")
        elif not rooted:
            whole = self.export.is_whole and not self.report.outstanding
            why = "every batch is there as it was signed, but not in the order central received them"
            self.fault(REORDERED, why) if whole else self.fault(ALTERED, "leaves were changed")

    # -- time stamps

    def check_stamps(self, tsa_ca: str | None) -> None:
        heads = {head.size: head for head in self.export.heads}
        can = tsa_ca is not None and shutil.which("openssl") is not None
        for size, response in self.export.stamps.items():
            head = heads.get(size)
            if head is None:
                self.fault(STAMP, f"there is no tree head of {size} batches for the time stamp")
            elif _sha(head.file) not in response:
                self.fault(STAMP, f"the time stamp of the tree head of {size} batches is of something else")
            elif not can:
                self.report.stamps_unchecked += 1
            elif why := _openssl_doubts(head.file, response, str(tsa_ca)):
                self.fault(STAMP, f"the time stamp of the tree head of {size} batches: {why}")
            else:
                self.report.stamps_checked += 1
        if self.report.stamps_unchecked:
            lacks = "openssl is not installed" if tsa_ca else "no --tsa-ca was given"
            self.report.notes.append(f"who made the time stamps was not checked: {lacks}")


def _content_fault(envelope: Envelope, lines: list[Line]) -> tuple[str, str]:
    """What was done inside a batch whose outside is as it was signed."""
    count = envelope.last - envelope.first + 1
    if len(lines) != count:
        word = MISSING if len(lines) < count else INSERTED
        return word, f"the batch has {len(lines)} records; {count} were signed"
    for order in (lambda line: line.mono_us, lambda line: line.at_us):
        if chain_heads(envelope.prev, envelope.first, sorted(lines, key=order))[-1] == envelope.head:
            return REORDERED, "the batch's records were signed in the order of their times"
    return ALTERED, f"records to {envelope.last} do not lead to the head that was signed"


def _openssl_doubts(data: bytes, response: bytes, ca: str) -> str:
    """What openssl has against a time stamp; empty: nothing."""
    with tempfile.TemporaryDirectory() as folder:
        of, by = Path(folder, "data"), Path(folder, "stamp")
        of.write_bytes(data)
        by.write_bytes(response)
        command = ["openssl", "ts", "-verify", "-data", str(of), "-in", str(by), "-CAfile", ca]
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["openssl does not say why"]
    return "" if done.returncode == 0 else lines[-1]


# ------------------------------------------------------------------------------------------------- the command


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing wrong was found; 1: faults; 2: the file cannot be judged."""
    options = _options(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack letters that a forger used
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        keys = _gateway_keys(options.gateway_key)
        _ = options.key and _hex(options.key.lower(), 32)
        with open_export(options.file) as export:
            report = examine(
                export,
                heads=[read_head(path) for path in options.head],
                key=options.key,
                gateway_keys=keys,
                tsa_ca=options.tsa_ca,
                progress=_progress if sys.stderr.isatty() else None,
            )
            _say(export, report, as_json=options.json)
    except Unusable as why:
        return _unusable(str(why), as_json=options.json)
    except Exception as error:  # noqa: BLE001 - a traceback would end with 1, which means faults
        return _unusable(f"the file is not understood: {error!r}"[:300], as_json=options.json)
    return 0 if report.ok else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Checks a Plumbline evidence file without any part of Plumbline."
    )
    parser.add_argument("file", metavar="evidence.zip")
    parser.add_argument(
        "--head", action="append", default=[], metavar="HEAD.json", help="a tree head kept elsewhere"
    )
    parser.add_argument("--key", metavar="HEX", help="central's public key, known from elsewhere")
    parser.add_argument(
        "--gateway-key", action="append", default=[], metavar="NAME=HEX", help="a gateway's, likewise"
    )
    parser.add_argument("--tsa-ca", metavar="CA.pem", help="certificates of the time-stamp authority")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON document")
    return parser.parse_args(arguments)


def _gateway_keys(given: Iterable[str]) -> dict[str, str]:
    keys = {}
    for text in given:
        name, _, key = text.partition("=")
        keys[_name(name)] = _hex(key.strip().lower(), 32).hex()
    return keys


def _progress(batches: int) -> None:
    if batches % 500 == 0:
        print(f"\r{batches} batches", end="", file=sys.stderr, flush=True)


def _say(export: Export, report: Report, *, as_json: bool) -> None:
    checked = {k: v for k, v in asdict(report).items() if k not in ("faults", "notes")}
    if as_json:
        word = "ok" if report.ok else "faulty"
        faults = [asdict(fault) for fault in report.faults]
        print(json.dumps({"verify": word, "checked": checked, "faults": faults, "notes": report.notes}))
        return
    scope = export.manifest["scope"]
    of = (
        f"gateway {scope['gateway']}"
        if scope["gateway"]
        else f"site {scope['site']}"
        if scope["site"]
        else "everything"
    )
    print(f"{export.path}: {of}, {report.batches} batches, {report.records} records in {report.lanes} lanes")
    print(f"signatures and chains: each batch and each record, {ED25519_HOW}")
    print(
        f"declared lost by their gateways: {report.declared_lost} records, and {report.open_ended} open ends"
    )
    print(f"not yet received when the file was made: {report.outstanding} records below a lane's newest")
    print(
        f"tree: {report.leaves} leaves, {report.heads} signed heads, {report.witnessed} heads kept elsewhere"
    )
    print(f"newest head: root {export.newest.root.hex()}, central's key {export.newest.key}")
    print(f"time stamps: {report.stamps_checked} checked, {report.stamps_unchecked} not checked")
    for note in report.notes:
        print(f"note: {note}")
    for fault in report.faults:
        print(f"  {fault}")
    print("ok" if report.ok else "FAULTY")


def _unusable(why: str, *, as_json: bool) -> int:
    print(json.dumps({"verify": "unusable", "why": why}) if as_json else f"cannot be judged: {why}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
