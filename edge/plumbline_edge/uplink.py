"""Sends each lane in order until central itself says that it keeps the records.

A PUBACK proves nothing (brokers lose what they acknowledged): what was sent counts as on its way until central's
own acknowledgement; after a silence it is sent again. Central stores duplicates once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, field
from typing import Final, Protocol

from plumbline import codec, ranges
from plumbline.errors import Refused, Unreachable
from plumbline.messages import Lane
from plumbline.ranges import Ranges
from plumbline.signing import ALGORITHM, DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_edge.outbox import LANES, Outbox, Run

log = logging.getLogger(__name__)

_WINDOW: Final = 4
"""Batches of one lane on their way at a time."""
_MAX_RECORDS: Final[dict[Lane, int]] = {"data": 500, "photo": 4}
_MAX_BYTES: Final = 512 * 1024
_FIRST_PATIENCE_S: Final = 10.0
_LONGEST_PATIENCE_S: Final = 300.0


class Link(Protocol):
    """Something that carries a payload towards central."""

    @property
    def connected(self) -> bool: ...

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return once it is handed over. Raises Unreachable."""
        ...


@dataclass(slots=True)
class _LaneSender:
    """Where one lane stands: what is settled, what was sent since, and until when an answer is waited for."""

    lane: Lane
    patience_s: float
    settled: Ranges = ()
    sent: int = 0
    ways: list[tuple[int, int]] = field(default_factory=list)
    """Batches on their way, (first, last)."""
    deadline: float | None = None
    """In the loop's time; None while nothing is on its way."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def start_over(self) -> None:
        self.sent = ranges.through(self.settled)
        self.ways.clear()
        self.deadline = None

    def expect_answer(self) -> None:
        """Patience begins anew: with the first batch on its way, and with each answer while others are."""
        patience_s = self.patience_s * random.uniform(0.8, 1.2)
        self.deadline = asyncio.get_running_loop().time() + patience_s if self.ways else None


class Uplink:
    """Drains an outbox over a link; `run` for ever, `wake` after each commit, `acknowledged` for each answer."""

    def __init__(
        self,
        outbox: Outbox,
        link: Link,
        topics: GatewayTopics,
        key: DeviceKey,
        *,
        patience_s: float = _FIRST_PATIENCE_S,
    ) -> None:
        self._outbox = outbox
        self._link = link
        self._topics = topics
        self._key = key
        self._patience_s = patience_s
        self._lanes = {lane: _LaneSender(lane, patience_s) for lane in LANES}
        self._acks: asyncio.Queue[bytes] = asyncio.Queue()
        self._settled = asyncio.Event()
        self.counters = dict.fromkeys(
            (
                "batches_sent",
                "bytes_sent",
                "records_sent",
                "records_resent",
                "acks",
                "acks_foreign",
                "refused",
            ),
            0,
        )

    async def run(self) -> None:
        for state in await self._outbox.states():
            sender = self._lanes[state.lane]
            sender.settled = ((1, state.acknowledged),) if state.acknowledged else ()
            for first, last in await self._outbox.parked(state.lane):
                sender.settled = ranges.add(sender.settled, (first, last))
            sender.start_over()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._take_acks(), name="uplink acknowledgements")
            for sender in self._lanes.values():
                tasks.create_task(self._send(sender), name=f"uplink {sender.lane}")

    def wake(self) -> None:
        """There is something new in the outbox."""
        for sender in self._lanes.values():
            sender.wake.set()

    async def drained(self) -> None:
        """Return when central has acknowledged, or refused, everything there is."""
        self._settled.clear()
        while any(state.waiting for state in await self._outbox.states()):
            await self._settled.wait()
            self._settled.clear()

    def reconnected(self) -> None:
        """The link is new: what was on its way may be gone."""
        for sender in self._lanes.values():
            sender.start_over()
            sender.wake.set()

    def acknowledged(self, payload: bytes) -> None:
        """An answer from central, as it came."""
        self._acks.put_nowait(payload)

    async def _send(self, sender: _LaneSender) -> None:
        """Fill the window whenever there is news; without an answer in time, send again from what is settled."""
        while True:
            sender.wake.clear()
            try:
                await self._fill_window(sender)
            except Unreachable as why:
                log.debug("%s lane: %s", sender.lane, why)
                sender.start_over()
            try:
                async with asyncio.timeout_at(sender.deadline):
                    await sender.wake.wait()
            except TimeoutError:
                self._lose_patience(sender)

    async def _fill_window(self, sender: _LaneSender) -> None:
        while len(sender.ways) < _WINDOW and self._link.connected:
            run = await self._next_run(sender)
            if run is None:
                return
            payload = codec.pack_batch(
                run.records,
                run.bodies,
                site=self._topics.site,
                gateway=self._topics.gateway,
                epoch=self._outbox.epoch,
                lane=run.lane,
                prev=run.prev,
                head=run.head,
                algorithm=ALGORITHM,
                sign=self._key.sign,
            )
            sender.ways.append((run.first, run.last))
            sender.sent = run.last
            if sender.deadline is None:
                sender.expect_answer()
            await self._link.publish(self._topics.up, payload)
            self.counters["batches_sent"] += 1
            self.counters["bytes_sent"] += len(payload)
            self.counters["records_sent"] += len(run.records)

    async def _next_run(self, sender: _LaneSender) -> Run | None:
        """The next records that are not settled; parked and already acknowledged islands are passed over."""
        after = max(sender.sent, ranges.through(sender.settled))
        for first, last in sender.settled:
            if first <= after + 1 <= last:
                after = last
        if after >= self._outbox.last[sender.lane]:
            return None
        limit = _MAX_RECORDS[sender.lane]
        return await self._outbox.run_after(sender.lane, after, max_records=limit, max_bytes=_MAX_BYTES)

    def _lose_patience(self, sender: _LaneSender) -> None:
        log.warning(
            "%s lane: central has not acknowledged %d..%d; sending again (is it running, and this gateway enrolled?)",
            sender.lane,
            sender.ways[0][0],
            sender.ways[-1][1],
        )
        self.counters["records_resent"] += sum(last - first + 1 for first, last in sender.ways)
        sender.patience_s = min(2 * sender.patience_s, _LONGEST_PATIENCE_S)
        sender.start_over()

    async def _take_acks(self) -> None:
        while True:
            payload = await self._acks.get()
            try:
                await self._take_ack(payload)
            except Refused as why:
                log.warning("an acknowledgement is unreadable: %s", why)

    async def _take_ack(self, payload: bytes) -> None:
        ack = codec.decode_ack(payload)
        written = self._outbox.last[ack.lane]
        said = [ack.through, *(last for _, last in ack.also), *(refusal.last for refusal in ack.refused)]
        if ack.epoch != self._outbox.epoch or max(said) > written:
            self.counters["acks_foreign"] += 1
            return
        self.counters["acks"] += 1
        sender = self._lanes[ack.lane]
        before = sender.settled
        settled = ranges.add(before, (1, ack.through)) if ack.through > 0 else before
        for first, last in ack.also:
            settled = ranges.add(settled, (first, last))
        for refusal in ack.refused:
            settled = ranges.add(settled, (refusal.first, refusal.last))
            self.counters["refused"] += refusal.last - refusal.first + 1
            log.error(
                "central refuses %s records %d..%d: %s", ack.lane, refusal.first, refusal.last, refusal.why
            )
            await self._outbox.park(ack.lane, refusal.first, refusal.last, refusal.why)
        if ranges.through(settled) > ranges.through(before):
            self._outbox.acknowledge(ack.lane, ranges.through(settled))
        sender.settled = settled
        sender.ways = [way for way in sender.ways if ranges.missing(settled, way)]
        sender.patience_s = self._patience_s
        sender.expect_answer()
        sender.wake.set()
        self._settled.set()
