"""Gateways that exist only as what they would send: 10 meters of 30 values each, polled once a second."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from plumbline import chain, codec, signing
from plumbline.messages import Frame, Record
from plumbline.metrics import METRICS
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_central.registry import Registry

GATEWAYS: Final = 4
METERS: Final = 10
VALUES: Final = 30
START_US: Final = 1_790_000_000_000_000


@dataclass(frozen=True, slots=True)
class Packing:
    """What `codec.pack_batch` is given for one batch."""

    records: list[Record]
    raws: list[bytes]
    topics: GatewayTopics
    prev: bytes
    head: bytes
    key: DeviceKey

    def pack(self) -> bytes:
        return codec.pack_batch(
            self.records,
            self.raws,
            site=self.topics.site,
            gateway=self.topics.gateway,
            epoch="e1",
            lane="data",
            prev=self.prev,
            head=self.head,
            algorithm=signing.ALGORITHM,
            sign=self.key.sign,
        )


class Site:
    """`count` batches of each gateway; values walk in small steps, like real loads."""

    def __init__(self, seconds_per_batch: int, count: int) -> None:
        self.topics = [GatewayTopics("bench", f"gw-{n}") for n in range(GATEWAYS)]
        self.keys = [DeviceKey(Ed25519PrivateKey.generate()) for _ in self.topics]
        self.per_batch = seconds_per_batch * METERS * VALUES
        self.packings: list[Packing] = []
        random_ = random.Random(7)
        codes = tuple(metric.code for metric in METRICS[:VALUES])
        now = [[random_.randrange(1_000, 100_000) for _ in range(VALUES)] for _ in range(METERS)]
        heads = [chain.start(topics.gateway, "e1", "data") for topics in self.topics]
        for batch in range(count):
            for g, topics in enumerate(self.topics):
                prev, records, raws = heads[g], [], []
                for second in range(batch * seconds_per_batch, (batch + 1) * seconds_per_batch):
                    at_us = START_US + second * 1_000_000
                    for meter in range(METERS):
                        now[meter] = [value + random_.randrange(-20, 21) for value in now[meter]]
                        seq = second * METERS + meter + 1
                        body = Frame(device=f"m{meter}", metrics=codes, values=tuple(now[meter]))
                        raws.append(codec.encode_body(body))
                        line = codec.canonical(seq, at_us + meter, "b" * 32, at_us, "synced", raws[-1])
                        heads[g] = chain.link(heads[g], seq, line)
                        records.append(
                            Record(
                                seq=seq,
                                at_us=at_us + meter,
                                boot="b" * 32,
                                mono_us=at_us,
                                clock="synced",
                                body=body,
                            )
                        )
                self.packings.append(Packing(records, raws, topics, prev, heads[g], self.keys[g]))
        self.batches = [(packing.topics.up, packing.pack()) for packing in self.packings]
        self.readings = len(self.batches) * self.per_batch

    def enroll(self, path: Path) -> Registry:
        """The registry at `path`, which knows these gateways."""
        registry = Registry.open(path)
        registry.add_site("bench")
        for topics, key in zip(self.topics, self.keys, strict=True):
            registry.enroll(topics.gateway, "bench", key.public)
        return registry
