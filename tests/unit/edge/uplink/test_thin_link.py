"""The whole uplink on a 64 kbit/s link that loses 30 % and takes 2 s, in virtual time."""

from __future__ import annotations

import asyncio
import random

import pytest

from plumbline import codec, ranges
from plumbline.messages import Ack, Event, Frame, Photo

METERS, VALUES, EVERY_S = 4, 30, 10.0
MINUTES = 20


class ThinLink:
    """Carries bytes one after the other at `bytes_per_s`, each batch `latency_s` later; loses batches and answers."""

    connected = True

    def __init__(
        self, *, seed: int, loses: float = 0.3, bytes_per_s: float = 8000.0, latency_s: float = 2.0
    ) -> None:
        self.uplink = None
        self.arrived_at: dict[tuple[str, int], float] = {}
        self.sent: list[tuple[str, int]] = []
        self._settled: dict[str, ranges.Ranges] = {}
        self._free_at = 0.0
        self._random = random.Random(seed)
        self._loses = loses
        self._bytes_per_s = bytes_per_s
        self._latency_s = latency_s

    async def publish(self, _topic: str, payload: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._free_at = max(loop.time(), self._free_at) + len(payload) / self._bytes_per_s
        batch = codec.open_batch(payload)
        self.sent.append((batch.lane, len(payload)))
        if self._random.random() >= self._loses:
            loop.call_at(self._free_at + self._latency_s, self._arrive, batch)

    def _arrive(self, batch) -> None:
        loop = asyncio.get_running_loop()
        for record in batch.records:
            self.arrived_at.setdefault((batch.lane, record.seq), loop.time())
        settled = ranges.add(self._settled.get(batch.lane, ()), (batch.first, batch.last))
        self._settled[batch.lane] = settled
        ack = Ack(epoch=batch.epoch, lane=batch.lane, through=ranges.through(settled), also=settled[-20:])
        if self._random.random() >= self._loses:
            loop.call_later(self._latency_s, self.uplink.acknowledged, codec.encode_ack(ack))


def frame(chance: random.Random, device: int) -> Frame:
    values = tuple(chance.randrange(100_000) for _ in range(VALUES))
    return Frame(device=f"m{device}", metrics=tuple(range(1, VALUES + 1)), values=values)


def a_site(fakes, *, seed: int, days_offline: float, photos: int):
    chance = random.Random(seed)
    outbox = fakes.outbox()
    polls = int(days_offline * 86_400 / EVERY_S)
    outbox.append("data", *(frame(chance, n % METERS) for n in range(polls * METERS)))
    outbox.append(
        "photo", *(Photo(camera="c", photo=str(n), jpeg=chance.randbytes(120_000)) for n in range(photos))
    )
    outbox.append("status", *(Event(code="x", text=str(n)) for n in range(20)))
    return outbox, chance


async def live_for(minutes: float, outbox, uplink, chance) -> dict[int, float]:
    """Poll the meters; when each record was committed."""
    loop = asyncio.get_running_loop()
    committed = {}
    for _ in range(int(minutes * 60 / EVERY_S)):
        outbox.append("data", *(frame(chance, device) for device in range(METERS)))
        last = outbox.last((outbox.epoch, "data"))
        committed |= dict.fromkeys(range(last - METERS + 1, last + 1), loop.time())
        uplink.wake()
        await asyncio.sleep(EVERY_S)
    return committed


def late(link: ThinLink, committed: dict[int, float]) -> list[float]:
    never = float("inf")
    return sorted(link.arrived_at.get(("data", seq), never) - at for seq, at in committed.items())


@pytest.mark.parametrize("seed", range(12))
def test_live_readings_keep_up_while_a_backlog_drains_and_photos_yield(fakes, seed):
    outbox, chance = a_site(fakes, seed=seed, days_offline=1.0, photos=3)
    link = ThinLink(seed=seed)
    committed: dict[int, float] = {}

    async def scenario() -> None:
        uplink = fakes.uplink(outbox, link)
        task = asyncio.create_task(uplink.run())
        uplink.reconnected()
        await asyncio.sleep(1)
        committed.update(await live_for(MINUTES, outbox, uplink, chance))
        await asyncio.sleep(60)
        print(seed, uplink.counters, uplink.gauges())
        task.cancel()
        await asyncio.wait([task])

    fakes.live(scenario)
    lag = late(link, committed)
    backlog = sum(seq < min(committed) for lane, seq in link.arrived_at if lane == "data")
    print(
        lag[len(lag) // 2],
        lag[int(0.95 * len(lag))],
        lag[-5:],
        backlog,
        backlog / METERS * EVERY_S / (MINUTES * 60),
        {l for l, _ in link.sent},
    )

    assert lag[int(0.99 * len(lag))] <= 60
    assert backlog > 10 * len(committed)
    assert "photo" not in {lane for lane, _ in link.sent}
