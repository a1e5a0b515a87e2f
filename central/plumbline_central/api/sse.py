"""The event stream: what just happened, to whoever watches, with ids to go on from after a cut line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from plumbline.clock import Clock, ScaledClock
from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.services import Services
from plumbline_central.live import LiveEvent

router = APIRouter(tags=["live"])

_HEARTBEAT_S: Final = 15.0
"""Real seconds: proxies and watchers take longer silence for a cut line."""
_RETRY_MS: Final = 2000
_EXAMPLE: Final = 'retry: 2000\n\nid: 12\nevent: frame\ndata: {"site": "a12", "device": "crane"}\n\n'
_ID: Final = re.compile(r"[0-9]{1,18}")


@router.get(
    "/events",
    summary="Follow what happens",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
            "description": "frame, photo, progress, alert, gateway, resync, clock",
        }
    },
)
async def events(
    services: ServicesDep,
    site: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[int | None, Query(ge=0)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events of `site`, or of all. `Last-Event-ID`, or else `after`, resumes; `resync` says: load anew."""
    after_id = int(last_event_id) if last_event_id and _ID.fullmatch(last_event_id) else after
    return StreamingResponse(
        stream(services, site, after_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream(
    services: Services, site: str | None, after_id: int | None, *, heartbeat_s: float = _HEARTBEAT_S
) -> AsyncGenerator[bytes]:
    """The bytes of one watcher's stream; ends when the service stops."""
    happenings = services.live.subscribe(site, after_id)
    stopping = asyncio.ensure_future(services.stopping.wait())
    coming = asyncio.ensure_future(anext(happenings))
    try:
        await asyncio.sleep(0)  # it listens from here on; the watcher may load its state now
        yield f"retry: {_RETRY_MS}\n\n".encode() + _clock(services.clock)
        while True:
            done, _ = await asyncio.wait(
                (coming, stopping), timeout=heartbeat_s, return_when=asyncio.FIRST_COMPLETED
            )
            if stopping in done:
                return
            if coming in done:
                event = coming.result()
                coming = asyncio.ensure_future(anext(happenings))
                yield _event(event)
            else:
                yield _clock(services.clock)
    finally:
        stopping.cancel()
        coming.cancel()
        await asyncio.gather(stopping, coming, return_exceptions=True)


def clock_rate(clock: Clock) -> float:
    """How many of the clock's seconds pass in a real one."""
    return clock.speed if isinstance(clock, ScaledClock) else 1.0


def _event(event: LiveEvent) -> bytes:
    said = json.dumps({"site": event.site, **event.data}, ensure_ascii=False)
    return f"id: {event.id}\nevent: {event.kind}\ndata: {said}\n\n".encode()


def _clock(clock: Clock) -> bytes:
    said = json.dumps({"now": clock.wall().isoformat(), "rate": clock_rate(clock)})
    return f"event: clock\ndata: {said}\n\n".encode()
