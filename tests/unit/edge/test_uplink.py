"""Everything reaches central exactly once, whatever the link does in between."""

from __future__ import annotations

import asyncio
import random

import pytest

from plumbline import codec, ranges, signing
from plumbline.errors import Unreachable
from plumbline.messages import Ack, Event, Refusal
from plumbline.topics import GatewayTopics
from plumbline_edge.outbox import Draft, Outbox
from plumbline_edge.uplink import Uplink

KEY = signing.DeviceKey(signing.Ed25519PrivateKey.from_private_bytes(bytes(32)))
TOPICS = GatewayTopics("a12", "gw1")


class Central:
    """A link with a centre behind it that stores what arrives and may lose batches, answers, or refuse records."""

    def __init__(self, *, loses: float = 0.0, refuses: set[int] = frozenset(), seed: int = 1) -> None:
        self.connected = True
        self.stored: dict[int, str] = {}
        self.arrivals = 0
        self.uplink: Uplink | None = None
        self._settled: ranges.Ranges = ()
        self._loses = loses
        self._refuses = refuses
        self._random = random.Random(seed)

    async def publish(self, topic: str, payload: bytes) -> None:
        if not self.connected:
            raise Unreachable("away")
        assert topic == TOPICS.up
        if self._random.random() < self._loses:
            return
        batch = codec.open_batch(payload)
        signing.verify(KEY.public, batch.statement, batch.signature)
        self.arrivals += 1
        refused = ()
        if self._refuses & {r.seq for r in batch.records}:
            refused = (Refusal(batch.first, batch.last, "not to be had"),)
        else:
            self.stored |= {r.seq: r.body.text for r in batch.records}
            self._settled = ranges.add(self._settled, (batch.first, batch.last))
        if self._random.random() < self._loses:
            return
        ack = Ack(
            epoch=batch.epoch, lane=batch.lane, through=ranges.through(self._settled),
            also=self._settled, refused=refused,
        )  # fmt: skip
        assert self.uplink is not None
        self.uplink.acknowledged(codec.encode_ack(ack))


def drafts(first: int, last: int) -> list[Draft]:
    return [
        Draft(lane="data", at_us=n, boot="b", mono_us=n, clock="synced", body=Event(code="x", text=str(n)))
        for n in range(first, last + 1)
    ]


async def deliver(outbox: Outbox, central: Central, patience_s: float = 10) -> Uplink:
    uplink = Uplink(outbox, central, TOPICS, KEY, patience_s=patience_s)
    central.uplink = uplink
    task = asyncio.create_task(uplink.run())
    async with asyncio.timeout(20):
        await uplink.drained()
    task.cancel()
    await asyncio.wait([task])
    return uplink


@pytest.fixture
async def outbox(tmp_path):
    async with Outbox(tmp_path / "outbox.db", gateway="gw1") as box:
        yield box


async def test_a_backlog_of_many_batches_arrives_whole(outbox):
    await outbox.append(drafts(1, 3000))
    central = Central()
    await deliver(outbox, central)

    assert central.stored == {n: str(n) for n in range(1, 3001)}
    assert central.arrivals == 6


@pytest.mark.parametrize("seed", range(4))
async def test_lost_batches_and_lost_answers_are_sent_again(outbox, seed):
    await outbox.append(drafts(1, 4000))
    central = Central(loses=0.3, seed=seed)
    await deliver(outbox, central, patience_s=0.01)

    assert central.stored == {n: str(n) for n in range(1, 4001)}


async def test_a_refused_batch_is_parked_and_the_rest_goes_on(outbox):
    await outbox.append(drafts(1, 1500))
    central = Central(refuses={700})
    uplink = await deliver(outbox, central)
    data, _ = await outbox.states()

    assert set(central.stored) == set(range(1, 501)) | set(range(1001, 1501))
    assert await outbox.parked("data") == [(501, 1000)]
    assert data.waiting == 0
    assert uplink.counters["refused"] == 500


async def test_after_a_restart_parked_records_are_not_sent_again(outbox):
    await outbox.append(drafts(1, 600))
    await deliver(outbox, Central(refuses={1}))
    later = Central()
    await outbox.append(drafts(601, 610))
    await deliver(outbox, later)

    assert set(later.stored) == set(range(601, 611))


async def test_without_a_link_nothing_is_lost_and_it_goes_out_when_it_is_back(outbox):
    await outbox.append(drafts(1, 10))
    central = Central()
    central.connected = False
    uplink = Uplink(outbox, central, TOPICS, KEY)
    central.uplink = uplink
    task = asyncio.create_task(uplink.run())
    uplink.wake()
    for _ in range(20):
        await asyncio.sleep(0)
    assert central.stored == {}
    central.connected = True
    uplink.reconnected()
    async with asyncio.timeout(10):
        await uplink.drained()
    task.cancel()
    await asyncio.wait([task])

    assert set(central.stored) == set(range(1, 11))


async def test_an_answer_for_another_epoch_or_for_what_was_never_written_acknowledges_nothing(outbox):
    await outbox.append(drafts(1, 3))
    central = Central(loses=1.0)
    uplink = Uplink(outbox, central, TOPICS, KEY)
    task = asyncio.create_task(uplink.run())
    uplink.acknowledged(codec.encode_ack(Ack(epoch="0" * 16, lane="data", through=3)))
    uplink.acknowledged(codec.encode_ack(Ack(epoch=outbox.epoch, lane="data", through=4)))
    uplink.acknowledged(b"garbage")
    uplink.acknowledged(b"\x81\xa2zz" + b"\x91" * 5000 + b"\xc0")
    async with asyncio.timeout(5):
        while uplink.counters["acks_foreign"] < 2:  # noqa: ASYNC110 - the uplink is watched from outside
            await asyncio.sleep(0)
    data, _ = await outbox.states()
    task.cancel()
    await asyncio.wait([task])

    assert data.acknowledged == 0
