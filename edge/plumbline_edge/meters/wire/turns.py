"""Who has a wire: one at a time, by one owner task."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True, order=True)
class _Turn:
    at_latest_s: float
    number: int
    work: Callable[[], Awaitable[Any]] = field(compare=False)
    done: asyncio.Future[Any] = field(compare=False)


class Turns:
    """Work that waits for one wire. The owner task begins with the first turn and ends with `stop`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[_Turn] = []
        self._numbers = 0
        self._more = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None

    def take(self, work: Callable[[], Awaitable[T]], *, may_wait_s: float = 0.0) -> asyncio.Future[T]:
        """What `work` returns or raises once it had the wire to itself; first come, first served.

        It lets those pass that come up to `may_wait_s` later, no others: on a wire that is always busy it has its turn.
        """
        loop = asyncio.get_running_loop()
        if self._owner is None or self._owner.done():
            self._owner = loop.create_task(self._own(), name=f"bus {self._name}")
        done: asyncio.Future[T] = loop.create_future()
        self._numbers += 1
        heapq.heappush(self._waiting, _Turn(loop.time() + may_wait_s, self._numbers, work, done))
        self._more.set()
        return done

    async def _own(self) -> None:
        while True:
            while self._waiting:
                turn = heapq.heappop(self._waiting)
                if turn.done.cancelled():
                    continue
                try:
                    result = await turn.work()
                except asyncio.CancelledError:
                    turn.done.cancel()
                    raise
                except Exception as error:  # noqa: BLE001 - whoever queued the work is told
                    if not turn.done.done():
                        turn.done.set_exception(error)
                else:
                    if not turn.done.done():
                        turn.done.set_result(result)
            self._more.clear()
            await self._more.wait()

    async def stop(self) -> None:
        """Cancel whoever has the wire and whoever waits for it."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.cancel()
            await asyncio.wait([owner])
        while self._waiting:
            heapq.heappop(self._waiting).done.cancel()
