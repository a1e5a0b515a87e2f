"""F24: batches come twice, out of order, and thirty days late; the ledger holds each record once."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness import paper
from harness.central_file import read_ledger, seqs
from harness.drivers import SITE
from harness.result import Result

from plumbline import chain, codec, signing
from plumbline.clock import SystemClock, to_us
from plumbline.messages import Record
from plumbline.signing import DeviceKey
from plumbline_central.ingest import judge
from plumbline_central.ledger import Arrival, Ledger
from plumbline_central.registry import Gateway

_DAY_US = 86_400_000_000


def run(count: int, seed: int, folder: Path) -> Result:
    """`count` batches of two gateways, a fifth of them again, some cut otherwise, in any order."""
    rng = random.Random(seed)
    keys = {f"gw-{n}": DeviceKey(Ed25519PrivateKey.generate()) for n in range(2)}
    sent: list[tuple[str, bytes]] = []
    said: dict[tuple[str, int], bytes] = {}
    for gateway, key in keys.items():
        sent += _batches(gateway, key, count // 2, rng, said)
    again = rng.choices(sent, k=len(sent) // 5)
    deliveries = [*sent, *again]
    rng.shuffle(deliveries)
    now_us = to_us(SystemClock().wall())

    def enrolled(gateway: str) -> Gateway:
        return Gateway(id=gateway, site=SITE, key=keys[gateway].public, algorithm=signing.ALGORITHM)

    ledger = Ledger.open(folder / "ledger.db")
    statuses: Counter[str] = Counter()
    try:
        for group in _groups(deliveries, 16):
            arrivals = [
                Arrival(received_us=now_us, payload=payload, batch=judge(topic, payload, enrolled))
                for topic, payload in group
            ]
            statuses.update(outcome.status for outcome in ledger.append(arrivals))
    finally:
        ledger.close()
    kept = read_ledger(folder / "ledger.db")
    times = seqs(kept)
    lost = sum(not times[gateway, "e1", "data"][seq] for gateway, seq in said)
    twice = sum(n - 1 for counts in times.values() for n in counts.values())
    changed = sum(one.values.get(28) != int.from_bytes(said[one.key[0], one.seq], "big") for one in kept)
    return Result(
        name="F24 duplicates, any order, 30 days late",
        promise="the store equals the source exactly",
        figures={
            "batches": len(deliveries),
            "records": len(said),
            "lost": lost,
            "duplicate": twice,
            "changed": changed,
            **{f"batches {status}": n for status, n in statuses.items()},
        },
        ok=not (lost or twice or changed) and len(kept) == len(said) and not statuses["refused"],
    )


def _groups(items: list[tuple[str, bytes]], size: int) -> list[list[tuple[str, bytes]]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _batches(
    gateway: str, key: DeviceKey, count: int, rng: random.Random, said: dict[tuple[str, int], bytes]
) -> list[tuple[str, bytes]]:
    """Thirty days, the oldest first; now and then a batch that overlaps the one before, as after a lost answer."""
    since_us = to_us(SystemClock().wall()) - 30 * _DAY_US
    records, bodies, heads = [], [], [chain.start(gateway, "e1", "data")]
    cycles = paper.frames(rng.getrandbits(32), since_us=since_us, every_us=30 * _DAY_US // (count * 5))
    for seq, draft in enumerate(itertools.islice(itertools.chain.from_iterable(cycles), count * 20), 1):
        raw = codec.encode_body(draft.body)
        line = codec.canonical(seq, draft.at_us, draft.boot, draft.mono_us, draft.clock, raw)
        heads.append(chain.link(heads[-1], seq, line))
        records.append(
            Record(
                seq=seq,
                at_us=draft.at_us,
                boot=draft.boot,
                mono_us=draft.mono_us,
                clock=draft.clock,
                body=draft.body,
            )
        )
        bodies.append(raw)
        counter = draft.body.values[draft.body.metrics.index(28)]
        said[gateway, seq] = counter.to_bytes(8, "big")
    batches, first = [], 1
    while first <= len(records):
        last = min(first + rng.randrange(1, 40), len(records))
        begin = max(first - rng.choice((0, 0, 0, 7)), 1)
        payload = codec.pack_batch(
            records[begin - 1 : last],
            bodies[begin - 1 : last],
            site=SITE,
            gateway=gateway,
            epoch="e1",
            lane="data",
            prev=heads[begin - 1],
            head=heads[last],
            algorithm=signing.ALGORITHM,
            sign=key.sign,
        )
        batches.append((f"plumbline/1/{SITE}/{gateway}/up", payload))
        first = last + 1
    return batches
