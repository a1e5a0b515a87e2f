"""Tells a channel of the open alerts again: what it kept may be lost, or ends there unless it is repeated."""

from __future__ import annotations

import asyncio
import logging

from plumbline.clock import Clock
from plumbline.errors import PlumblineError
from plumbline_central.alerts.book import AlertBook

log = logging.getLogger(__name__)


class Reminders:
    """For one channel; `due` is set when it has to hear of them at once."""

    def __init__(self, book: AlertBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self.due = asyncio.Event()

    async def run(self, channel: str) -> None:
        """Whenever they are due, for ever."""
        while True:
            await self.due.wait()
            self.due.clear()
            await self._remind(channel)

    async def every(self, channel: str, seconds: float) -> None:
        """At once and then every so many seconds, for ever."""
        while True:
            await self._remind(channel)
            await self._clock.sleep(seconds)

    async def _remind(self, channel: str) -> None:
        try:
            await asyncio.to_thread(self._book.remind, channel, self._clock.wall())
        except PlumblineError as why:
            log.warning("open alerts not repeated to %s: %s", channel, why)
