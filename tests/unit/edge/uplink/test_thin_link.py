"""The whole uplink on a 64 kbit/s link that loses 30 % and takes 2 s, in virtual time."""

from __future__ import annotations

import asyncio
import random

import pytest

from plumbline import codec, ranges
from plumbline.messages import Ack, Event, Frame, Photo

METERS, VALUES, EVERY_S = 4, 30, 10.0
BYTES_PER_S, LATENCY_S = 8000, 2.0
MINUTES = 10


class ThinLink:
    """Carries bytes one after the other at 64 kbit/s, each batch 2 s later, each answer 2 s later.

    What it loses is gone for good, which is harsher than TCP; with `resends_after_s` it comes so much later each
    time, and everything behind it waits.
    """

    connected = True

    def __init__(self, *, seed: int, loses: float = 0.3, resends_after_s: float | None = None) -> None:
        self.uplink = None
        self.arrived_at: dict[tuple[str, int], float] = {}
        self.sent: list[tuple[str, int]] = []
        self._settled: dict[str, ranges.Ranges] = {}
        self._up_free_at = self._down_free_at = 0.0
        self._random = random.Random(seed)
        self._loses = loses
        self._resends_after_s = resends_after_s

    async def publish(self, _topic: str, payload: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._up_free_at = max(loop.time(), self._up_free_at) + len(payload) / BYTES_PER_S
        batch = codec.open_batch(payload)
        self.sent.append((batch.lane, len(payload)))
        delay_s = self._lost_for()
        if delay_s is not None:
            self._up_free_at += delay_s
            loop.call_at(self._up_free_at + LATENCY_S, self._arrive, batch)

    def _arrive(self, batch) -> None:
        loop = asyncio.get_running_loop()
        for record in batch.records:
            self.arrived_at.setdefault((batch.lane, record.seq), loop.time())
        settled = ranges.add(self._settled.get(batch.lane, ()), (batch.first, batch.last))
        self._settled[batch.lane] = settled
        ack = Ack(epoch=batch.epoch, lane=batch.lane, through=ranges.through(settled), also=settled[-20:])
        delay_s = self._lost_for()
        if delay_s is not None:
            self._down_free_at = max(loop.time(), self._down_free_at) + delay_s
            loop.call_at(self._down_free_at + LATENCY_S, self.uplink.acknowledged, codec.encode_ack(ack))

    def _lost_for(self) -> float | None:
        """Seconds that it comes later for having been lost; None: for ever."""
        delay_s, wait_s = 0.0, self._resends_after_s
        while self._random.random() < self._loses:
            if wait_s is None:
                return None
            delay_s += wait_s
        return delay_s


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


def run_a_site(fakes, link: ThinLink, *, seed: int, days_offline: float, photos: int):
    """Live readings for MINUTES; when each was committed, and the uplink."""
    outbox, chance = a_site(fakes, seed=seed, days_offline=days_offline, photos=photos)
    committed: dict[int, float] = {}
    uplinks = []

    async def scenario() -> None:
        uplink = fakes.uplink(outbox, link)
        uplinks.append(uplink)
        task = asyncio.create_task(uplink.run())
        uplink.reconnected()
        await asyncio.sleep(1)
        committed.update(await live_for(MINUTES, outbox, uplink, chance))
        await asyncio.sleep(120)
        task.cancel()
        await asyncio.wait([task])

    fakes.live(scenario)
    return committed, uplinks[0]


@pytest.mark.parametrize("seed", range(3))
def test_live_readings_keep_up_while_a_backlog_drains_and_photos_yield(fakes, seed):
    link = ThinLink(seed=seed)
    committed, _ = run_a_site(fakes, link, seed=seed, days_offline=0.6, photos=3)
    lag = late(link, committed)
    backlog = sum(seq < min(committed) for lane, seq in link.arrived_at if lane == "data")

    assert lag[int(0.95 * len(lag))] <= 60
    assert backlog > 10 * len(committed)
    assert {lane for lane, _ in link.sent} == {"status", "data"}


@pytest.mark.parametrize("seed", range(3))
def test_where_tcp_makes_good_what_is_lost_no_reading_is_a_minute_late(fakes, seed):
    link = ThinLink(seed=seed, resends_after_s=3.0)
    committed, _ = run_a_site(fakes, link, seed=seed, days_offline=0.6, photos=3)

    assert late(link, committed)[-1] <= 60


def test_without_a_backlog_photos_go_and_hold_readings_up_for_their_own_length_only(fakes):
    link = ThinLink(seed=1, loses=0.0)
    committed, uplink = run_a_site(fakes, link, seed=1, days_offline=0.0, photos=3)
    photo_s = 120_000 / BYTES_PER_S

    assert sum(lane == "photo" for lane, _ in link.sent) == 3
    assert late(link, committed)[-1] <= photo_s + LATENCY_S + 1
    assert uplink.counters["timeouts"] == 0


def test_without_losses_a_thin_link_is_used_well_and_hardly_anything_is_sent_twice(fakes):
    link = ThinLink(seed=1, loses=0.0)
    committed, uplink = run_a_site(fakes, link, seed=1, days_offline=1.0, photos=0)
    lag = late(link, committed)

    assert lag[-1] <= 15
    assert uplink.counters["records_resent"] <= 500
    assert sum(size for _, size in link.sent) >= 0.6 * BYTES_PER_S * MINUTES * 60
