"""What somebody without any key can do to an evidence file, consistently: indices, leaves, digests and counts follow."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
import zlib

import msgspec

ORDER = ("batches.bin", "leaves.bin", "heads.json", "manifest.json", "manifest.sig")
HEADER = (
    "v",
    "site",
    "gateway",
    "epoch",
    "lane",
    "first",
    "last",
    "prev",
    "head",
    "algorithm",
    "signature",
    "packed",
)


class Intruder:
    """The file taken apart. `batches` are [received_us, payload]; `leaves` follow them when it is put together again."""

    def __init__(self, path, verifier):
        self.path = path
        self.verifier = verifier
        with zipfile.ZipFile(path) as archive:
            self.files = {name: archive.read(name) for name in archive.namelist()}
        self.manifest = json.loads(self.files["manifest.json"])
        self.heads = json.loads(self.files["heads.json"])
        self.indices, self.batches = [], []
        raw, at = self.files["batches.bin"], 0
        while at < len(raw):
            index, received_us, size = struct.unpack_from(">QQI", raw, at)
            self.indices.append(index)
            self.batches.append([received_us, raw[at + 20 : at + 20 + size]])
            at += 20 + size
        leaves = self.files["leaves.bin"]
        self.leaves = [leaves[i : i + 32] for i in range(0, len(leaves), 32)]

    def find(self, gateway, lane, first):
        """Where the batch is that begins with this record."""
        for at, (_, payload) in enumerate(self.batches):
            outer = msgspec.msgpack.decode(payload)
            if (outer[2], outer[4], outer[5]) == (gateway, lane, first):
                return at
        raise AssertionError("no such batch")

    def header(self, at):
        return dict(zip(HEADER, msgspec.msgpack.decode(self.batches[at][1]), strict=True))

    def write(self, at, **changes):
        """Put another batch there, with these fields changed."""
        self.batches[at][1] = msgspec.msgpack.encode([*(self.header(at) | changes).values()])

    def columns(self, at):
        return msgspec.msgpack.decode(zlib.decompress(self.header(at)["packed"]))

    def repack(self, at, columns, *, rehash, **changes):
        """Other records in the batch; `rehash`: with a head that fits them."""
        self.write(at, packed=zlib.compress(msgspec.msgpack.encode(columns)), **changes)
        if rehash:
            self.rehash(at)

    def rehash(self, at, **changes):
        self.write(at, **changes)
        envelope = self.verifier.open_envelope(self.batches[at][1])
        lines = self.verifier.open_lines(envelope)
        heads = self.verifier.chain_heads(envelope.prev, envelope.first, lines)
        self.write(at, head=heads[-1])

    def save(self, *, leaves=True, manifest=True):
        """Put it together so that all fits, as far as that goes without keys."""
        if leaves:
            self.indices = list(range(len(self.batches)))
            self.leaves = [
                self.verifier.leaf_of(self.verifier.open_envelope(payload), payload)
                for _, payload in self.batches
            ]
        self.files["leaves.bin"] = b"".join(self.leaves)
        self.files["batches.bin"] = b"".join(
            struct.pack(">QQI", index, received_us, len(payload)) + payload
            for index, (received_us, payload) in zip(self.indices, self.batches, strict=True)
        )
        self.files["heads.json"] = json.dumps(self.heads).encode()
        if manifest:
            self.manifest["sha256"] = {
                name: hashlib.sha256(self.files[name]).hexdigest() for name in self.manifest["sha256"]
            }
            self.files["manifest.json"] = json.dumps(self.manifest).encode()
        with zipfile.ZipFile(self.path, "w") as archive:
            for name, content in self.files.items():
                archive.writestr(name, content)
