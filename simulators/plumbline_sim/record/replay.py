"""A recording behind a TCP port or on a pseudo terminal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import Final, Self

from plumbline_sim.record.messages import Cutter, Framing, Message
from plumbline_sim.record.player import Player
from plumbline_sim.record.wires import Wire, listening

_PAUSE_S: Final[dict[Framing, float]] = {"tcp": 1.0, "rtu": 0.05}
"""After that, what has begun is taken for a whole request: no master pauses so long within one."""

OnAnswer = Callable[[Message, bytes | None], None]


class ReplayServer:
    """One player on one TCP port; `async with` listens, `port` is then the real one (0 asks for a free one).

    `on_answer` is told each request and what goes back. Raises ConfigError where the port is taken.
    """

    def __init__(
        self, player: Player, *, host: str = "127.0.0.1", port: int = 0, on_answer: OnAnswer | None = None
    ) -> None:
        self.player = player
        self.host = host
        self.port = port
        self._on_answer = on_answer

    async def __aenter__(self) -> Self:
        self._listening = listening(self.host, self.port, self._serve)
        self.port = await self._listening.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listening.__aexit__(kind, error, trace)

    async def _serve(self, wire: Wire) -> None:
        await answer_on(wire, self.player, self._on_answer)


async def answer_on(wire: Wire, player: Player, on_answer: OnAnswer | None = None) -> None:
    """Answer every request that comes on a wire, until it ends."""
    loop = asyncio.get_running_loop()
    sending: set[asyncio.Task[None]] = set()
    try:
        async with contextlib.aclosing(_requests(wire, player)) as requests:
            async for request in requests:
                delay_s, said = player.answer(request.raw, loop.time())
                if on_answer is not None:
                    on_answer(request, said)
                if said is not None:
                    task = loop.create_task(_send_later(wire, delay_s, said))
                    sending.add(task)
                    task.add_done_callback(sending.discard)
    finally:
        for task in sending:
            task.cancel()


async def _requests(wire: Wire, player: Player) -> AsyncGenerator[Message, None]:
    """What a master asks, message by message, until the wire ends."""
    cutter = Cutter(player.framing, "request")
    while True:
        over = False
        try:
            async with asyncio.timeout(_PAUSE_S[player.framing] if cutter.begun else None):
                data = await wire.read()
        except TimeoutError:
            over = True
        else:
            if not data:
                return
            for request in cutter.feed(data):
                yield request
        if (over or player.is_whole(cutter.begun)) and (rest := cutter.rest()) is not None:
            yield rest


async def _send_later(wire: Wire, delay_s: float, data: bytes) -> None:
    await asyncio.sleep(delay_s)
    with contextlib.suppress(OSError):  # the master hung up
        await wire.send(data)
