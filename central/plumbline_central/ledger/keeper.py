"""Moves what has grown old out of ledger.db, once an hour and one block at a time."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from plumbline.clock import Clock, to_us
from plumbline.errors import PlumblineError
from plumbline_central.ledger.log import Ledger

log = logging.getLogger(__name__)

_EVERY_S: Final = 3600.0
_LEAST_REAL_S: Final = 10.0  # a clock at thousands of times real time shall not keep a core busy
_BETWEEN_S: Final = 0.2
"""Real seconds between two blocks: the intake has the disk again."""


class ArchiveKeeper:
    """Archives what is older than `after_s` of the clock's time; 0: never."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        after_s: float,
        *,
        least_real_s: float = _LEAST_REAL_S,
        between_s: float = _BETWEEN_S,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._after = timedelta(seconds=after_s)
        self._least_real_s = least_real_s
        self._between_s = between_s
        self._failures = 0

    async def run(self) -> None:
        """Keep on for ever; a disk that does not take it is said once, and tried again the next hour."""
        while self._after:
            try:
                moved = await self._move_what_is_old()
            except PlumblineError as error:
                level = logging.DEBUG if self._failures else logging.WARNING
                log.log(level, "archive: %s. %s", error, error.hint)
                self._failures += 1
            except Exception:
                log.exception("archiving failed")
                self._failures += 1
            else:
                if moved:
                    log.info("%d blocks of old rows moved to the archive", moved)
                if self._failures:
                    log.warning("archiving works again after %d failures", self._failures)
                self._failures = 0
            await asyncio.gather(self._clock.sleep(_EVERY_S), asyncio.sleep(self._least_real_s))

    async def _move_what_is_old(self) -> int:
        before_us = to_us(self._clock.wall() - self._after)
        moved = 0
        while await asyncio.to_thread(self._ledger.archive_next, before_us) is not None:
            moved += 1
            await asyncio.sleep(self._between_s)
        return moved
