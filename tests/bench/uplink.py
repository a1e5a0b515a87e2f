"""How fast the uplink drains: prebuilt runs of 500 thirty-value frames, a centre that answers at once.

Prints readings a second with the outbox and the link costing nothing, so what is left is choosing, packing, signing,
and taking answers; and what each level of compression would cost and save.
"""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from types import SimpleNamespace

import machine

from plumbline import chain, codec, ranges, signing
from plumbline.messages import Ack, Frame, Record
from plumbline.topics import GatewayTopics
from plumbline_edge.uplink import Uplink

RECORDS, VALUES, METERS, RUNS = 500, 30, 10, 200
STREAM = ("e1", "data")


class Prebuilt:
    """An outbox of `RUNS` runs; the same rows again and again under other numbers."""

    epoch = "e1"

    def __init__(self) -> None:
        chance = random.Random(1)
        values = [[chance.randrange(200_000) for _ in range(VALUES)] for _ in range(METERS)]
        bodies = []
        for n in range(RECORDS):
            row = values[n % METERS]
            row[:] = [value + round(chance.gauss(0, 3 * 10 ** (i % 4))) for i, value in enumerate(row)]
            bodies.append(
                Frame(device=f"m{n % METERS}", metrics=tuple(range(1, VALUES + 1)), values=tuple(row))
            )
        self._bodies = tuple(bodies)
        self._raw = tuple(map(codec.encode_body, bodies))
        self._runs = {}
        head = chain.start("gw", *STREAM)
        for first in range(1, RUNS * RECORDS, RECORDS):
            self._runs[first] = self._run(first, head)
        self._acked = ()

    def _run(self, first: int, head: bytes) -> SimpleNamespace:
        records = tuple(
            Record(seq=first + n, at_us=(first + n) * 100_000, boot="b", mono_us=(first + n) * 100_000, clock="synced",
                   body=body)
            for n, body in enumerate(self._bodies)
        )  # fmt: skip
        return SimpleNamespace(
            epoch="e1", lane="data", prev=head, head=head, records=records, bodies=self._raw, first=first,
            last=first + RECORDS - 1,
        )  # fmt: skip

    def streams(self):
        return tuple(("e1", lane) for lane in ("status", "data", "photo"))

    def last(self, stream):
        return RUNS * RECORDS if stream == STREAM else 0

    def settled(self, stream):
        return self._acked if stream == STREAM else ()

    async def run_in(self, _stream, first, _last, *, max_records, max_bytes):
        return self._runs[first]

    def acknowledge(self, _stream, acknowledged):
        for one in acknowledged:
            self._acked = ranges.add(self._acked, one)

    async def park(self, *_):
        raise AssertionError


class AtOnce:
    """A link whose far side has stored the batch before it was handed over."""

    connected = True

    def __init__(self) -> None:
        self.uplink: Uplink | None = None
        self.sent_bytes = 0

    async def publish(self, _topic: str, payload: bytes) -> None:
        self.sent_bytes += len(payload)
        last = codec._decode_envelope(payload).last
        self.uplink.acknowledged(codec.encode_ack(Ack(epoch="e1", lane="data", through=last)))


async def drain(outbox: Prebuilt) -> tuple[float, int]:
    link = AtOnce()
    key = signing.DeviceKey(signing.Ed25519PrivateKey.generate())
    link.uplink = uplink = Uplink(outbox, link, GatewayTopics("a12", "gw"), key)
    began = time.perf_counter()
    task = asyncio.create_task(uplink.run())
    await uplink.drained()
    took_s = time.perf_counter() - began
    task.cancel()
    await asyncio.wait([task])
    return took_s, link.sent_bytes


def main() -> None:
    readings = RUNS * RECORDS * VALUES
    took_s, sent = min(asyncio.run(drain(Prebuilt())) for _ in range(3))
    load = f"{RECORDS} records x {VALUES} values a batch, prebuilt rows, instant link"
    machine.say("uplink_drain_readings_per_s", readings / took_s, "1/s", load=load, readings=readings)
    machine.say("uplink_drain_bytes_per_reading", sent / readings, "B", load=load)
    run = Prebuilt()._run(1, b"")
    plain = codec._encode(codec._to_columns(run.records, run.bodies))
    for level in range(1, 7):
        began = time.perf_counter()
        for _ in range(20):
            packed = zlib.compress(plain, level)
        each_ms = (time.perf_counter() - began) / 20 * 1e3
        machine.say(f"zlib_{level}_ms_a_batch", each_ms, "ms", bytes=len(packed))


if __name__ == "__main__":
    main()
