"""Takes what the broker hands over: store a group in one commit, tell the gateways, then let the broker forget it.

A crash anywhere in between costs nothing: the broker, or at the latest the gateway, sends again, and the ledger
stores each record once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Protocol

import msgspec

from plumbline import codec, sense
from plumbline.clock import Clock, to_us
from plumbline.errors import Refused, Unreachable
from plumbline.messages import Ack, GatewayState, Refusal
from plumbline.ranges import Range
from plumbline.topics import GatewayTopics, parse
from plumbline_central.ingest import Senseless, judge
from plumbline_central.ledger import Arrival, DeadLetter, LaneKey, Ledger, Outcome
from plumbline_central.mqtt import Delivery
from plumbline_central.registry import Gateway
from plumbline_central.waiting import Held, Waiting

log = logging.getLogger(__name__)

_GROUP: Final = 200
_GROUP_BYTES: Final = 1 << 20
"""What one commit holds at most; compressed, that is less than a second's work, which bounds how late an answer is."""
_RETRY_S: Final = 5.0
_decode_state = msgspec.json.Decoder(GatewayState).decode


class Post(Protocol):
    """Carries our answers to the gateways."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Return once it is handed over. Raises Unreachable."""
        ...


@dataclass(slots=True)
class _Answer:
    """What one lane is to be told: what is stored of what came, and what of this group never will be."""

    topic: str
    lane: LaneKey
    stored: list[Range] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A group after its commit: the acknowledgements to send, and what the broker may then forget."""

    acks: tuple[tuple[str, bytes], ...]
    group: tuple[Held, ...]


class Receiver:
    """`received` for each message, in the loop; `run` for ever beside it."""

    def __init__(
        self,
        ledger: Ledger,
        enrolled: Callable[[str], Gateway | None],
        post: Post,
        clock: Clock,
        *,
        on_stored: Callable[[], None],
        on_state: Callable[[GatewayState, int], None],
    ) -> None:
        """`on_stored` is called in the loop after each commit; `on_state(state, at_us)` in a worker thread."""
        self._ledger = ledger
        self._enrolled = enrolled
        self._post = post
        self._clock = clock
        self._on_stored = on_stored
        self._on_state = on_state
        self._waiting = Waiting()
        self._arrived = asyncio.Event()
        self._taken: asyncio.Queue[_Taken] = asyncio.Queue(maxsize=4)
        self._disk_failures = 0
        self._refusals: dict[str, str] = {}

    def reconnected(self) -> None:
        """The link is new: the broker hands over again what is not done with, so what waited here would wait twice."""
        self._waiting = Waiting()

    def received(self, delivery: Delivery) -> None:
        self._waiting.add(delivery)
        self._arrived.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store(), name="receive: store")
            tasks.create_task(self._answer(), name="receive: answer")

    async def _store(self) -> None:
        while True:
            group = await self._next_group()
            taken = await self._take_when_disk_allows(group)
            self._on_stored()
            await self._taken.put(taken)

    async def _next_group(self) -> list[Held]:
        """A fair part of what waits, not more than a commit should hold."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.next_group(most=_GROUP, most_bytes=_GROUP_BYTES)

    async def _take_when_disk_allows(self, group: list[Held]) -> _Taken:
        """A full disk stops the intake, not the service: nothing is acknowledged, so nothing is lost."""
        while True:
            try:
                taken = await asyncio.to_thread(self._take, group)
            except Unreachable as why:
                self._disk_failures += 1
                if self._disk_failures == 1:
                    log.error("%s; taking nothing until it does. %s", why, why.hint)  # noqa: TRY400
                await asyncio.sleep(_RETRY_S)
            else:
                if self._disk_failures:
                    log.warning("the ledger takes records again after %d attempts", self._disk_failures)
                    self._disk_failures = 0
                return taken

    def _take(self, group: Sequence[Held]) -> _Taken:
        now_us = to_us(self._clock.wall())
        arrivals: list[Arrival] = []
        dead: list[DeadLetter] = []
        senseless: list[Senseless] = []
        enrolled = cache(self._enrolled)  # who spoke once is not looked up again in the same group
        for held in group:
            delivery = held.delivery
            try:
                if delivery.topic.endswith("/state"):
                    self._note_state(delivery, now_us)
                else:
                    batch = judge(delivery.topic, delivery.payload, enrolled)
                    arrivals.append(Arrival(received_us=now_us, payload=delivery.payload, batch=batch))
            except Refused as why:
                self._say_refused(delivery.topic, why)
                dead.append(_dead(delivery, str(why), now_us))
                if isinstance(why, Senseless):
                    senseless.append(why)
            except Exception as error:  # one message must never end the service
                log.exception("a message on %s could not be judged; kept as a dead letter", delivery.topic)
                dead.append(_dead(delivery, f"could not be judged: {error!r}"[:500], now_us))
        outcomes = self._ledger.append(arrivals, dead)
        acks = tuple(self._acks(arrivals, outcomes, senseless))
        return _Taken(acks, tuple(group))

    def _acks(
        self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome], senseless: Sequence[Senseless]
    ) -> list[tuple[str, bytes]]:
        answers: dict[LaneKey, _Answer] = {}
        for why in senseless:
            batch = why.batch
            _answer_to(batch, answers).refused.append(Refusal(batch.first, batch.last, str(why)))
        for arrival, outcome in zip(arrivals, outcomes, strict=True):
            batch = arrival.batch
            answer = _answer_to(batch, answers)
            if outcome.status == "refused":
                answer.refused.append(Refusal(batch.first, batch.last, outcome.why))
                log.error("%s lane of %s: %s", batch.lane, answer.topic, outcome.why)
            else:
                answer.stored.append((batch.first, batch.last))
        return [(answer.topic, codec.encode_ack(self._ack(answer))) for answer in answers.values()]

    def _ack(self, answer: _Answer) -> Ack:
        _, epoch, lane = answer.lane
        through, also = self._ledger.acknowledged(answer.lane, answer.stored)
        return Ack(epoch=epoch, lane=lane, through=through, also=also, refused=tuple(answer.refused))

    def _note_state(self, delivery: Delivery, now_us: int) -> None:
        if not delivery.payload:
            return  # a retained state was cleared by hand
        whose, _ = parse(delivery.topic)
        try:
            state = _decode_state(delivery.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"no gateway state: {error}") from None
        if not 0 <= state.since_us < sense.LATEST_US:
            raise Refused("its time lies before 1970 or after 2100")
        if (state.site, state.gateway) != (whose.site, whose.gateway):
            raise Refused(f"it speaks for {state.site}/{state.gateway}")
        gateway = self._enrolled(state.gateway)
        if gateway is None or gateway.site != state.site:
            raise Refused(f"gateway {state.gateway!r} is not enrolled at {state.site!r}")
        self._on_state(state, now_us)

    def _say_refused(self, topic: str, why: Refused) -> None:
        """Once per topic and reason: a stranger on the broker must not fill the log."""
        if self._refusals.get(topic) != str(why):
            if len(self._refusals) > 1000:
                self._refusals.clear()
            self._refusals[topic] = str(why)
            log.warning("%s: %s; kept as a dead letter. %s", topic, why, why.hint)

    async def _answer(self) -> None:
        while True:
            taken = await self._taken.get()
            sent = [self._post.publish(topic, payload) for topic, payload in taken.acks]
            for why in await asyncio.gather(*sent, return_exceptions=True):
                if isinstance(why, Unreachable):  # the gateway asks again by sending again
                    log.debug("an acknowledgement was not sent: %s", why)
                elif why is not None:
                    raise why
            for delivery in self._waiting.finish(taken.group):
                delivery.done()


def _answer_to(batch: codec.Batch, answers: dict[LaneKey, _Answer]) -> _Answer:
    """The one answer that the lane of `batch` gets."""
    lane = (batch.gateway, batch.epoch, batch.lane)
    answer = answers.get(lane)
    if answer is None:
        answer = answers[lane] = _Answer(GatewayTopics(batch.site, batch.gateway).ack, lane)
    return answer


def _dead(delivery: Delivery, why: str, now_us: int) -> DeadLetter:
    return DeadLetter(received_us=now_us, topic=delivery.topic, payload=delivery.payload, why=why)
