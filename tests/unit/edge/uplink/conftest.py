"""An outbox and a centre in memory, and a loop whose hours pass in no time."""

from __future__ import annotations

import asyncio
import random
import selectors
from dataclasses import dataclass

import pytest

from plumbline import chain, codec, ranges, signing
from plumbline.errors import Unreachable
from plumbline.messages import Ack, Event, Record, Refusal
from plumbline.topics import GatewayTopics
from plumbline_edge.uplink import Uplink

KEY = signing.DeviceKey(signing.Ed25519PrivateKey.from_private_bytes(bytes(32)))
TOPICS = GatewayTopics("a12", "gw1")
EPOCH = "e1"
LANES = ("status", "data", "photo")


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeRun:
    epoch: str
    lane: str
    prev: bytes
    head: bytes
    records: tuple
    bodies: tuple

    @property
    def first(self) -> int:
        return self.records[0].seq

    @property
    def last(self) -> int:
        return self.records[-1].seq


class FakeOutbox:
    """Keeps records in lists; can evict, and can have a card that fails."""

    def __init__(self, *, epoch: str = EPOCH) -> None:
        self.epoch = epoch
        self.rows: dict[tuple[str, str], list] = {(epoch, lane): [] for lane in LANES}
        self.heads = {stream: [chain.start("gw1", *stream)] for stream in self.rows}
        self.gone: dict[tuple[str, str], ranges.Ranges] = {}
        self.acked: dict[tuple[str, str], ranges.Ranges] = {}
        self.parked: list[tuple] = []
        self.asked = 0
        self.fails = False
        self.ahead = None

    def append(self, lane: str, *bodies, epoch: str | None = None, at_us: int = 0) -> None:
        stream = (epoch or self.epoch, lane)
        rows = self.rows.setdefault(stream, [])
        heads = self.heads.setdefault(stream, [chain.start("gw1", *stream)])
        for body in bodies:
            seq = len(rows) + 1
            raw = codec.encode_body(body)
            record = Record(seq=seq, at_us=at_us, boot="b", mono_us=seq, clock="synced", body=body)
            rows.append((record, raw))
            heads.append(chain.link(heads[-1], seq, codec.canonical(seq, at_us, "b", seq, "synced", raw)))

    def write(self, lane: str, count: int, *, epoch: str | None = None) -> None:
        """`count` events more."""
        start = len(self.rows.get((epoch or self.epoch, lane), ())) + 1
        events = (Event(code="x", text=str(n)) for n in range(start, start + count))
        self.append(lane, *events, epoch=epoch)

    def evict(self, lane: str, first: int, last: int) -> None:
        stream = (self.epoch, lane)
        self.gone[stream] = ranges.add(self.gone.get(stream, ()), (first, last))

    def streams(self):
        old = [s for s in self.rows if s[0] != self.epoch and not self._is_done(s)]
        return (*((self.epoch, lane) for lane in LANES), *old)

    def last(self, stream) -> int:
        return len(self.rows[stream])

    def settled(self, stream) -> ranges.Ranges:
        some = self.acked.get(stream, ())
        for one in self.gone.get(stream, ()):
            some = ranges.add(some, one)
        for parked, first, last, _ in self.parked:
            if parked == stream:
                some = ranges.add(some, (first, last))
        return some

    def contradicted(self, stream, seq) -> None:
        self.ahead = (stream, seq)

    async def run_in(self, stream, first, last, *, max_records, max_bytes):
        self.asked += 1
        if self.fails:
            raise Unreachable("the card is gone")
        present = ranges.missing(self.gone.get(stream, ()), (first, min(last, self.last(stream))))
        if not present:
            return None
        first, last = present[0]
        rows = self.rows[stream][first - 1 : min(last, first + max_records - 1)]
        size, count = 0, 0
        for _, raw in rows:
            size += len(raw)
            if count and size > max_bytes:
                break
            count += 1
        heads = self.heads[stream]
        return FakeRun(
            epoch=stream[0], lane=stream[1], prev=heads[first - 1], head=heads[first - 1 + count],
            records=tuple(record for record, _ in rows[:count]), bodies=tuple(raw for _, raw in rows[:count]),
        )  # fmt: skip

    def acknowledge(self, stream, acknowledged) -> None:
        for one in acknowledged:
            self.acked[stream] = ranges.add(self.acked.get(stream, ()), one)

    async def park(self, stream, first, last, why) -> None:
        if self.fails:
            raise Unreachable("the card is gone")
        self.parked.append((stream, first, last, why))

    def _is_done(self, stream) -> bool:
        return not ranges.missing(self.settled(stream), (1, self.last(stream)))


class FakeCentral:
    """A link with a centre behind it that stores what arrives and may lose batches, answers, or refuse records."""

    def __init__(self, *, loses: float = 0.0, refuses=frozenset(), seed: int = 1) -> None:
        self.connected = True
        self.away = False
        """Takes batches and answers nothing."""
        self.stored: dict[tuple[str, str], dict[int, str]] = {}
        self.batches: list[tuple[str, int, int]] = []
        self.uplink: Uplink | None = None
        self._settled: dict[tuple[str, str], ranges.Ranges] = {}
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
        self.batches.append((batch.lane, batch.first, batch.last))
        if self.away:
            return
        stream, refused = (batch.epoch, batch.lane), ()
        if self._refuses & {r.seq for r in batch.records}:
            refused = (Refusal(batch.first, batch.last, "not to be had"),)
        else:
            texts = {r.seq: getattr(r.body, "text", "") for r in batch.records}
            self.stored.setdefault(stream, {}).update(texts)
            self._settled[stream] = ranges.add(self._settled.get(stream, ()), (batch.first, batch.last))
        if self._random.random() < self._loses:
            return
        settled = self._settled.get(stream, ())
        through = ranges.through(settled)
        also = tuple(one for one in settled if one[0] > through)
        ack = Ack(epoch=batch.epoch, lane=batch.lane, through=through, also=also, refused=refused)
        assert self.uplink is not None
        self.uplink.acknowledged(codec.encode_ack(ack))


class _NoWait(selectors.SelectSelector):
    """Waits for nothing: what would have been waited for is added to the loop's clock."""

    waited_s = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.waited_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Hours pass in no time; what is given to a thread is done at once. Good for code without sockets."""

    def __init__(self) -> None:
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    def time(self) -> float:
        return self._no_wait.waited_s

    def run_in_executor(self, _executor, work, *args):
        done = self.create_future()
        done.set_result(work(*args))
        return done


class Fakes:
    """What the tests build with; a class, since conftest files cannot be imported."""

    outbox = FakeOutbox
    central = FakeCentral
    key = KEY
    topics = TOPICS
    epoch = EPOCH

    @staticmethod
    def uplink(outbox, central, **options) -> Uplink:
        options.setdefault("chance", random.Random(7))
        uplink = Uplink(outbox, central, TOPICS, KEY, **options)
        central.uplink = uplink
        return uplink

    @staticmethod
    def live(scenario) -> None:
        """Run `scenario()` in virtual time."""
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(scenario())


@pytest.fixture(scope="session")
def fakes() -> type[Fakes]:
    return Fakes
