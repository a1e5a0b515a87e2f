"""Brings what the alert book has to say to each channel: in order, until it is taken, refused or too old."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import msgspec

from plumbline.clock import Clock, SystemClock, to_us
from plumbline.errors import PlumblineError, Refused
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.port import Busy, Channel, Digesting
from plumbline_central.schema import Database

log = logging.getLogger(__name__)

DeliveryState = Literal["waiting", "delivered", "parked"]
_DELIVERED_KEPT: Final = 1000
_MOST_TOGETHER: Final = 200
"""Notices in one digest."""
_decode: Final = msgspec.json.Decoder(Notice).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One notice on its way to one channel; `why` is the last answer where it was not taken."""

    id: int
    channel: str
    state: DeliveryState
    attempts: int
    why: str
    notice: Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long a notice is offered; real seconds, not those of a simulated site."""

    first_wait_s: float = 2.0
    longest_wait_s: float = 120.0
    give_up_after: timedelta = timedelta(days=3)

    def wait_s(self, attempts: int) -> float:
        """Before the attempt after this many."""
        return min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempts - 1, 20))


class Deliveries:
    """The delivery table in control.db; the alert book adds to it in the transaction of each change."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def waiting(self, channel: str, limit: int) -> list[Delivery]:
        """The oldest that wait, in order."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT id, attempts, why, notice FROM alert_delivery"
                " WHERE channel = ? AND state = 'waiting' ORDER BY id LIMIT ?",
                (channel, limit),
            ).fetchall()
        return [
            Delivery(
                id=n, channel=channel, state="waiting", attempts=attempts, why=why, notice=_decode(notice)
            )
            for n, attempts, why, notice in rows
        ]

    def begin(self, deliveries: Sequence[Delivery], now_us: int) -> list[Delivery]:
        """Count one attempt of each; those that still wait: reminders are taken back by newer ones.

        All that wait behind them are begun too: they give up as if they had been offered themselves.
        """
        with self._db.write() as db:
            db.execute(
                "UPDATE alert_delivery SET first_try_us = ?"
                " WHERE channel = ? AND state = 'waiting' AND first_try_us IS NULL",
                (now_us, deliveries[0].channel),
            )
            return [
                delivery
                for delivery in deliveries
                if db.execute(
                    "UPDATE alert_delivery SET attempts = attempts + 1 WHERE id = ?", (delivery.id,)
                ).rowcount
            ]

    def give_up(self, channel: str, before_us: int, why: str) -> int:
        """Park what was first offered by then and still waits; how many."""
        with self._db.write() as db:
            return db.execute(
                "UPDATE alert_delivery SET state = 'parked', why = ?"
                " WHERE channel = ? AND state = 'waiting' AND first_try_us <= ?",
                (f"given up: {why}", channel, before_us),
            ).rowcount

    def end(self, deliveries: Sequence[Delivery], state: DeliveryState, why: str) -> None:
        """Keep how the attempt ended, and the newest of those that were delivered."""
        with self._db.write() as db:
            db.executemany(
                "UPDATE alert_delivery SET state = ?, why = ? WHERE id = ?",
                [(state, why, delivery.id) for delivery in deliveries],
            )
            newest = deliveries[-1]
            db.execute(
                "DELETE FROM alert_delivery WHERE channel = ? AND state = 'delivered' AND id < ?",
                (newest.channel, newest.id - _DELIVERED_KEPT),
            )

    def list(self, state: DeliveryState, limit: int = 100, before: int | None = None) -> list[Delivery]:
        """The newest in this state, over all channels; of those with a smaller id than `before`."""
        with self._db.read() as db:
            rows = db.execute(
                "SELECT id, channel, state, attempts, why, notice FROM alert_delivery"
                " WHERE state = ?1 AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?2",
                (state, limit, before),
            ).fetchall()
        return [
            Delivery(id=n, channel=channel, state=kept, attempts=attempts, why=why, notice=_decode(notice))
            for n, channel, kept, attempts, why, notice in rows
        ]


class Deliverer:
    """One task per channel: a receiver that is away delays nobody else's notices."""

    def __init__(
        self,
        deliveries: Deliveries,
        channels: Sequence[Channel],
        *,
        clock: Clock | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._channels = tuple(channels)
        self._clock = clock or SystemClock()
        self._patience = patience or Patience()
        self._fresh = {channel.name: asyncio.Event() for channel in self._channels}
        self._back = {channel.name: asyncio.Event() for channel in self._channels}
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self) -> None:
        """The table has new rows. May be called from any thread, also before and after `run`."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def retry(self, channel: str) -> None:
        """The receiver is known to be back: try now, whatever pause was meant. Call it in the loop."""
        self._back[channel].set()

    def _wake(self) -> None:
        for fresh in self._fresh.values():
            fresh.set()

    async def run(self) -> None:
        """Deliver for ever."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            for channel in self._channels:
                tasks.create_task(self._serve(channel), name=f"deliver {channel.name}")

    async def _serve(self, channel: Channel) -> None:
        fresh = self._fresh[channel.name]
        failures = 0
        while True:
            fresh.clear()
            try:
                limit = _MOST_TOGETHER if isinstance(channel, Digesting) else 1
                deliveries = await asyncio.to_thread(self._deliveries.waiting, channel.name, limit)
                if not deliveries:
                    await fresh.wait()
                    continue
                await self._deliver(channel, deliveries)
            except PlumblineError as error:
                log.log(logging.DEBUG if failures else logging.WARNING, "%s lost: %s", channel.name, error)
                failures += 1
                await self._pause(channel, self._pause_s(error, failures))
            except Exception:
                log.exception("delivery to %s failed", channel.name)
                failures += 1
                await self._pause(channel, self._patience.wait_s(failures))
            else:
                if failures:
                    log.warning("%s back after %d failures", channel.name, failures)
                failures = 0

    async def _deliver(self, channel: Channel, deliveries: Sequence[Delivery]) -> None:
        """One attempt. Raises whatever keeps the notices from being taken: they are offered again."""
        deliveries = await asyncio.to_thread(self._deliveries.begin, deliveries, to_us(self._clock.wall()))
        if not deliveries:
            return
        try:
            await _send(channel, [delivery.notice for delivery in deliveries])
        except Refused as error:
            log.warning("%s parked: %s", _named(deliveries), error)
            await asyncio.to_thread(self._deliveries.end, deliveries, "parked", str(error))
        except Exception as error:
            why = str(error) or type(error).__name__
            await asyncio.to_thread(self._deliveries.end, deliveries, "waiting", why)
            oldest = self._clock.wall() - self._patience.give_up_after
            count = await asyncio.to_thread(self._deliveries.give_up, channel.name, to_us(oldest), why)
            if count:
                log.warning("%s: %d notices given up: %s", channel.name, count, why)
            raise
        else:
            await asyncio.to_thread(self._deliveries.end, deliveries, "delivered", "")

    async def _pause(self, channel: Channel, seconds: float) -> None:
        back = self._back[channel.name]
        back.clear()
        waits = [asyncio.create_task(self._clock.sleep(seconds)), asyncio.create_task(back.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _pause_s(self, error: PlumblineError, failures: int) -> float:
        pause_s = self._patience.wait_s(failures) * random.uniform(0.8, 1.2)
        return max(pause_s, error.after_s) if isinstance(error, Busy) else pause_s


async def _send(channel: Channel, notices: Sequence[Notice]) -> None:
    if len(notices) > 1 and isinstance(channel, Digesting):
        await channel.send_together(notices)
    else:
        await channel.send(notices[0])


def _named(deliveries: Sequence[Delivery]) -> str:
    return f"notice {', '.join(delivery.notice.id for delivery in deliveries)}"
