"""Drains an outbox over a link: status before readings before photos, live before backlog.

A PUBACK proves nothing (brokers lose what they acknowledged): what was sent counts as on its way until central's own
acknowledgement; without one in time it is sent again. Central stores duplicates once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable
from typing import Final

from plumbline import codec, ranges
from plumbline.errors import Refused, Unreachable
from plumbline.messages import Ack, Lane
from plumbline.signing import ALGORITHM, DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_edge.outage import Outage
from plumbline_edge.uplink.budget import Budget
from plumbline_edge.uplink.pace import FIRST_PATIENCE_S, Pace
from plumbline_edge.uplink.ports import Link, Log, Run, Stream
from plumbline_edge.uplink.spent_file import WRITE_EVERY_S, SpentFile
from plumbline_edge.uplink.window import MAX_RECORDS, Choice, Flight, Window

log = logging.getLogger(__name__)

_SPREAD_S: Final = 2.0
"""Gateways that come back together begin with their backlogs within this time; live readings do not wait."""
_ASK_AGAIN_S: Final = 5.0
"""After the card failed, and while today's budget is spent."""
_SAY_AFTER_S: Final = 30.0
"""A batch or an answer lost now and then is nothing to a person; half a minute without any answer is."""
_MOST_PLAIN_BYTES: Final = codec.MAX_PLAIN_BYTES // 2
_ENVELOPE_BYTES: Final = 256
_BELIEVED_AHEAD: Final = 1_000_000
"""An outbox that lost more records than this at its end, a month of them, is less likely than an answer gone wrong."""
_COUNTERS: Final = (
    "batches_sent", "bytes_sent", "records_sent", "records_resent", "acks", "acks_foreign", "refused",
    "timeouts", "reconnects",
)  # fmt: skip


class Uplink:
    """`run` for ever, `wake` after each commit, `acknowledged` for each answer, `reconnected` for each new link."""

    def __init__(
        self,
        outbox: Log,
        link: Link,
        topics: GatewayTopics,
        key: DeviceKey,
        *,
        patience_s: float = FIRST_PATIENCE_S,
        budget: Budget | None = None,
        spent_file: SpentFile | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._outbox = outbox
        self._link = link
        self._topics = topics
        self._key = key
        self._budget = budget
        self._spent_file = spent_file
        self._chance = random.Random() if chance is None else chance
        self._pace = Pace(first_s=patience_s)
        self._plain_share: dict[Lane, float] = {"status": 3.0, "data": 5.0, "photo": 1.0}
        """How many bytes of bodies make one byte of payload."""
        self._windows: dict[Stream, Window] = {}
        self._refusals: list[tuple[Stream, int, int, str]] = []
        self._sessions = 0
        self._backlog_from = 0.0
        self._ask_outbox_from = 0.0
        self._write_from: float | None = None
        self._budget_waits = False
        self._heard_at = float("-inf")
        self._central = Outage("central's acknowledgements")
        self._card = Outage("the card under the outbox")
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self.counters = dict.fromkeys(_COUNTERS, 0)

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._wake.set()

    def reconnected(self) -> None:
        """The link is new: what was on its way may be gone."""
        self._windows = {
            stream: Window(stream[1], last=self._outbox.last(stream)) for stream in self._outbox.streams()
        }
        self._pace.reconnected()
        if self._sessions:
            self.counters["reconnects"] += 1
            self._backlog_from = asyncio.get_running_loop().time() + self._chance.uniform(0, _SPREAD_S)
        self._sessions += 1
        self._wake.set()

    def acknowledged(self, payload: bytes) -> None:
        """An answer from central, as it came."""
        try:
            ack = codec.decode_ack(payload)
        except Refused as why:
            log.warning("an acknowledgement is unreadable: %s", why)
            return
        stream = (ack.epoch, ack.lane)
        if not self._is_known(stream) or not _makes_sense(ack, self._outbox.last(stream)):
            self.counters["acks_foreign"] += 1
            ahead = max(ack.through, *(end for _, end in ack.also), 0)
            if stream[0] == self._outbox.epoch and 0 < ahead - self._outbox.last(stream) <= _BELIEVED_AHEAD:
                self._outbox.contradicted(stream, ahead)
            return
        self.counters["acks"] += 1
        self._central.worked()
        self._heard_at = now = asyncio.get_running_loop().time()
        self._take(stream, ack)
        window = self._window(stream)
        arrived = window.settle(self._outbox.settled(stream))
        if arrived:
            newest = max(arrived, key=lambda flight: flight.sent_at)
            self._pace.answered(now, newest)
            window.hurry(newest, now + self._pace.out_of_order_s)
        self._settled.set()
        self._wake.set()

    async def drained(self) -> None:
        """Return when central has acknowledged, or refused, everything there is."""
        while any(
            ranges.missing(self._outbox.settled(stream), (1, self._outbox.last(stream)))
            for stream in self._outbox.streams()
        ):
            self._settled.clear()
            await self._settled.wait()

    def gauges(self) -> dict[str, float]:
        """Batches on their way, the smoothed time to an answer, the size of a batch, and what is left of the budget."""
        gauges = {
            "in_flight": float(sum(len(window.flights) for window in self._windows.values())),
            "rtt_ms": round(1e3 * (self._pace.smoothed_s or 0.0), 1),
            "batch_bytes_max": float(self._pace.batch_bytes),
        }
        if self._budget is not None:
            gauges |= self._budget.gauges()
            gauges["budget_waiting"] = float(self._budget_waits)
        return gauges

    async def run(self) -> None:
        """Send for ever. Raises nothing of the link's or the card's: both are waited for."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as handing_over:
                while True:
                    self._wake.clear()
                    self._expire(loop.time())
                    await self._or_later(self._park_refused())
                    await self._or_later(self._fill(handing_over))
                    await self._remember_spent(loop.time())
                    try:
                        async with asyncio.timeout_at(self._next_look(loop.time())):
                            await self._wake.wait()
                    except TimeoutError:
                        pass
        finally:
            if self._budget is not None and self._spent_file is not None and self._budget.limited:
                self._spent_file.write(self._budget.spent())

    async def _or_later(self, work: Awaitable[None]) -> None:
        """A card that cannot be written may still be read, so each is tried for itself."""
        try:
            await work
        except Unreachable as why:
            self._card.failed(why)
            self._ask_outbox_from = asyncio.get_running_loop().time() + _ASK_AGAIN_S

    async def _fill(self, handing_over: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while self._link.connected and loop.time() >= self._ask_outbox_from:
            chosen = self._choose(loop.time())
            if chosen is None:
                return
            stream, choice = chosen
            session = self._sessions
            payload, run = await self._pack(stream, choice)
            self._card.worked()
            if session != self._sessions or payload is None or run is None:
                continue
            self._on_its_way(stream, choice, run, len(payload))
            handing_over.create_task(self._hand_over(payload), name="uplink batch")

    def _choose(self, now: float) -> tuple[Stream, Choice] | None:
        """The most urgent thing that may be sent now; notes whether something waits for tomorrow's budget."""
        on_the_way = sum(flight.size for window in self._windows.values() for flight in window.flights)
        room = on_the_way < self._pace.backlog_bytes
        self._budget_waits = False
        backlog: tuple[Stream, Choice] | None = None
        photo: tuple[Stream, Choice] | None = None
        others_wait = False
        photo_flies = any(w.flights for w in self._windows.values() if w.lane == "photo")
        for stream in self._outbox.streams():
            lane = stream[1]
            window = self._window(stream)
            offers = window.offers(now, self._outbox.last(stream), self._outbox.settled(stream))
            if lane == "photo":
                photo_choice = offers.live or offers.backlog
                if photo is None and photo_choice is not None and self._allows(lane, live=False):
                    photo = (stream, photo_choice)
                continue
            if offers.live is not None and self._allows(lane, live=True):
                return stream, offers.live
            others_wait = others_wait or offers.waiting
            if offers.backlog is None or backlog is not None or not self._allows(lane, live=False):
                continue
            if room or all(flight.live for flight in window.flights):
                backlog = (stream, offers.backlog)
        if now < self._backlog_from:
            return None
        if backlog is not None:
            return backlog
        return photo if room and not others_wait and not photo_flies else None

    def _allows(self, lane: Lane, *, live: bool) -> bool:
        allowed = self._budget is None or self._budget.allows(lane, live=live)
        self._budget_waits = self._budget_waits or not allowed
        return allowed

    async def _pack(self, stream: Stream, choice: Choice) -> tuple[bytes | None, Run | None]:
        """A batch of the range's first records; nothing where the log has none there, or none that can be sent."""
        lane = stream[1]
        max_bytes = min(_MOST_PLAIN_BYTES, round(self._pace.batch_bytes * self._plain_share[lane]))
        max_records = MAX_RECORDS[lane]
        while True:
            run = await self._outbox.run_in(
                stream, choice.first, choice.last, max_records=max_records, max_bytes=max_bytes
            )
            window = self._window(stream)
            if run is None:
                window.pass_over(choice.first, choice.last)
                self._settled.set()
                return None, None
            if run.first > choice.first:
                window.pass_over(choice.first, run.first - 1)
            if not ranges.missing(self._outbox.settled(stream), (run.first, run.last)):
                return None, None  # acknowledged meanwhile
            payload = self._payload(run)
            if len(payload) <= codec.MAX_PAYLOAD_BYTES:
                self._learn_share(lane, sum(map(len, run.bodies)), len(payload))
                return payload, run
            if len(run.records) == 1:
                self._refuse(stream, run.first, run.last, f"{len(payload)} bytes, more than a batch may have")
                return None, None
            max_records = len(run.records) // 2

    def _payload(self, run: Run) -> bytes:
        return codec.pack_batch(
            run.records,
            run.bodies,
            site=self._topics.site,
            gateway=self._topics.gateway,
            epoch=run.epoch,
            lane=run.lane,
            prev=run.prev,
            head=run.head,
            algorithm=ALGORITHM,
            sign=self._key.sign,
        )

    def _learn_share(self, lane: Lane, plain: int, size: int) -> None:
        share = plain / max(1, size - _ENVELOPE_BYTES)
        self._plain_share[lane] += (min(20.0, max(1.0, share)) - self._plain_share[lane]) / 4

    def _on_its_way(self, stream: Stream, choice: Choice, run: Run, size: int) -> None:
        flying = [flight.size for window in self._windows.values() for flight in window.flights]
        crowded = any(map(self._pace.is_large, (*flying, size)))
        patience_s = self._pace.patience_s(choice.attempt, sum(flying) + size if crowded else 0)
        now = asyncio.get_running_loop().time()
        flight = Flight(
            first=run.first,
            last=run.last,
            live=choice.live,
            attempt=choice.attempt,
            size=size,
            sent_at=now,
            deadline=now + patience_s * self._chance.uniform(1.0, 1.25),
            first_sent_at=now if choice.since is None else choice.since,
            crowded=crowded,
        )
        self._window(stream).sent(flight)
        self.counters["batches_sent"] += 1
        self.counters["bytes_sent"] += size
        self.counters["records_sent"] += len(run.records)
        if choice.attempt > 1:
            self.counters["records_resent"] += len(run.records)
        if self._budget is not None:
            self._budget.spend(size)
            if self._write_from is None and self._spent_file is not None and self._budget.limited:
                self._write_from = now + WRITE_EVERY_S

    async def _hand_over(self, payload: bytes) -> None:
        try:
            await self._link.publish(self._topics.up, payload)
        except Unreachable as why:  # it counts as on its way until its patience ends or the link is new
            log.debug("a batch was not handed over: %s", why)

    def _expire(self, now: float) -> None:
        if not self._link.connected:
            return
        for (_, lane), window in self._windows.items():
            for flight in window.expire(now):
                self.counters["timeouts"] += 1
                heard = self._heard_at >= flight.sent_at
                self._pace.timed_out(now, flight, heard=heard)
                if now - max(self._heard_at, flight.first_sent_at) >= _SAY_AFTER_S:
                    self._central.failed(
                        Unreachable(
                            f"none for {lane} {flight.first}..{flight.last}, sending again"
                            " (is it running, and this gateway enrolled?)"
                        )
                    )

    def _next_look(self, now: float) -> float | None:
        """When something is due though nobody wakes us; None: never."""
        due = [self._write_from] if self._write_from is not None else []
        if self._link.connected:
            due += [flight.deadline for window in self._windows.values() for flight in window.flights]
            due += [at for at in (self._backlog_from, self._ask_outbox_from) if at > now]
            if self._budget_waits:
                due.append(now + _ASK_AGAIN_S)
        return min(due, default=None)

    def _take(self, stream: Stream, ack: Ack) -> None:
        """Tell the log what central has, and note what it will never take."""
        has = ranges.union(((1, ack.through),) if ack.through else (), ack.also)
        # refused and had at once: what central has under these numbers is not what we have
        has = ranges.subtract(has, ranges.union(tuple((r.first, r.last) for r in ack.refused)))
        if has:
            self._outbox.acknowledge(stream, has)
        for refusal in ack.refused:
            log.error(
                "central refuses %s records %d..%d: %s", ack.lane, refusal.first, refusal.last, refusal.why
            )
            self._refuse(stream, refusal.first, refusal.last, refusal.why)

    def _refuse(self, stream: Stream, first: int, last: int, why: str) -> None:
        self.counters["refused"] += last - first + 1
        self._window(stream).pass_over(first, last)
        self._refusals.append((stream, first, last, why))
        self._wake.set()

    async def _park_refused(self) -> None:
        while self._refusals:
            stream, first, last, why = self._refusals[0]
            await self._outbox.park(stream, first, last, why)
            self._refusals.pop(0)
            self._settled.set()

    async def _remember_spent(self, now: float) -> None:
        if self._write_from is None or now < self._write_from or self._spent_file is None:
            return
        self._write_from = None
        if self._budget is not None:
            await asyncio.to_thread(self._spent_file.write, self._budget.spent())

    def _is_known(self, stream: Stream) -> bool:
        return stream in self._windows or stream in self._outbox.streams()

    def _window(self, stream: Stream) -> Window:
        window = self._windows.get(stream)
        if window is None:
            window = self._windows[stream] = Window(stream[1], last=self._outbox.last(stream))
        return window


def _makes_sense(ack: Ack, last: int) -> bool:
    """It speaks of nothing that was never written."""
    parts = (*ack.also, *((refusal.first, refusal.last) for refusal in ack.refused))
    return 0 <= ack.through <= last and all(1 <= start <= end <= last for start, end in parts)
