"""Hands what just happened to those who watch; a slow watcher is told to start over and delays nobody."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

_RING: Final = 2000
_WATCHER_QUEUE: Final = 500

RESYNC: Final = "resync"
"""The kind of the event that says: some are missing, load the page's state anew."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One happening; `id` grows. `data` holds only what JSON can say."""

    id: int
    kind: str
    site: str
    data: dict[str, Any]


@dataclass(slots=True, eq=False)
class _Watcher:
    site: str | None
    loop: asyncio.AbstractEventLoop
    waiting: deque[LiveEvent] = field(default_factory=deque)
    fresh: asyncio.Event = field(default_factory=asyncio.Event)


class LiveHub:
    """Kinds: frame {gateway, device, values: {metric: [value, unit, flaw]}, at}, photo, progress, alert, gateway.

    `first_id` should exceed every id an earlier process gave, so that a watcher's last id is never mistaken.
    """

    def __init__(self, *, first_id: int = 1) -> None:
        self._next_id = first_id
        self._ring: deque[LiveEvent] = deque(maxlen=_RING)
        self._watchers: set[_Watcher] = set()
        self._lock = threading.Lock()

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def publish(self, kind: str, site: str, data: dict[str, Any]) -> None:
        """Never blocks; may be called from any thread."""
        with self._lock:
            event = LiveEvent(self._next_id, kind, site, data)
            self._next_id += 1
            self._ring.append(event)
            for watcher in self._watchers:
                if watcher.site in (None, site):
                    _give(watcher, event)

    async def subscribe(
        self, site: str | None = None, after_id: int | None = None
    ) -> AsyncIterator[LiveEvent]:
        """Events of `site`, or of all, from now on; with `after_id`, first those missed since that id.

        Where they are no longer all there, the first event is a `RESYNC`.
        """
        watcher = _Watcher(site, asyncio.get_running_loop())
        with self._lock:
            if after_id is not None:
                watcher.waiting.extend(self._missed(site, after_id))
                watcher.fresh.set()
            self._watchers.add(watcher)
        try:
            while True:
                await watcher.fresh.wait()
                with self._lock:
                    events = tuple(watcher.waiting)
                    watcher.waiting.clear()
                    watcher.fresh.clear()
                for event in events:
                    yield event
        finally:
            with self._lock:
                self._watchers.discard(watcher)

    def _missed(self, site: str | None, after_id: int) -> list[LiveEvent]:
        newest = self._next_id - 1
        oldest = self._ring[0].id if self._ring else self._next_id
        if after_id > newest or after_id < oldest - 1:
            return [LiveEvent(newest, RESYNC, site or "", {})]
        return [event for event in self._ring if event.id > after_id and site in (None, event.site)]


def _give(watcher: _Watcher, event: LiveEvent) -> None:
    if len(watcher.waiting) >= _WATCHER_QUEUE:
        watcher.waiting.clear()
        event = LiveEvent(event.id, RESYNC, event.site, {})
    watcher.waiting.append(event)
    if len(watcher.waiting) == 1:
        try:
            watcher.loop.call_soon_threadsafe(watcher.fresh.set)
        except RuntimeError:  # its loop is closed: it is gone without having said so
            watcher.waiting.clear()
