"""Alerts to the many services that apprise knows; the one file of central that imports it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from plumbline.clock import Clock, SystemClock
from plumbline.errors import ConfigError, Unreachable
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.port import Busy
from plumbline_central.channels.rate import Bucket
from plumbline_central.channels.wording import Message, Wording

_PER_MINUTE: Final = 20
_MOST_BYTES: Final = 3_000


class AppriseChannel:
    """One address in apprise's form, such as `tgram://…`; what it answers is yes or no, its reasons are in its log."""

    def __init__(
        self,
        name: str,
        url: str,
        wording: Wording,
        *,
        per_minute: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Raises ConfigError for an address that apprise does not know."""
        import apprise  # noqa: PLC0415 - 100 plugins, only for who uses one

        self.name: Final = f"chat:{name}"
        self._wording = wording
        self._clock = clock or SystemClock()
        self._apprise = apprise.Apprise()
        if not self._apprise.add(url):
            raise ConfigError(
                f"chats.{name}: apprise knows no such address",
                hint="Its wiki lists the services and their forms.",
            )
        often = per_minute or _PER_MINUTE
        self._bucket = Bucket.full(capacity=often / 4, per_s=often / 60, now_s=self._now_s())

    async def send(self, notice: Notice) -> None:
        await self._say(self._wording.one(notice))

    async def send_together(self, notices: Sequence[Notice]) -> None:
        await self._say(self._wording.digest(notices))

    async def _say(self, message: Message) -> None:
        self._bucket, wait_s = self._bucket.taken(self._now_s())
        if wait_s:
            raise Busy(f"{self.name}: as many messages as were allowed", after_s=wait_s)
        with _complaints() as said:
            text = message.within(_MOST_BYTES).text
            taken = await asyncio.to_thread(self._apprise.notify, body=text, title=message.title)
        if not taken:
            raise Unreachable(f"{self.name}: {'; '.join(said)[:300] or 'not taken, without a reason'}")

    def _now_s(self) -> float:
        return self._clock.wall().timestamp()


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What apprise logs as a warning meanwhile: the only place where it says why."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener = Listener(logging.WARNING)
    logger = logging.getLogger("apprise")
    logger.addHandler(listener)
    try:
        yield said
    finally:
        logger.removeHandler(listener)
