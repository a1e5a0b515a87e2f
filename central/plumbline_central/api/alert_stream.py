"""The alert stream: every notice once, in order, also over cut lines and restarts of either side."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from plumbline_central.api.depends import ServicesDep
from plumbline_central.api.services import Services

router = APIRouter(tags=["alerts"])

_HEARTBEAT_S: Final = 15.0
_RETRY_MS: Final = 2000
_EXAMPLE: Final = (
    'retry: 2000\n\nid: 12\nevent: alert\ndata: {"what":"raised","at":"2026-03-22T04:00:00Z","id":7}\n\n'
)
_ID: Final = re.compile(r"[0-9]{1,18}")


@router.get(
    "/alerts/stream",
    summary="Follow the alerts",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
            "description": "alert, resync",
        }
    },
)
async def alert_stream(
    services: ServicesDep,
    site: Annotated[str | None, Query(max_length=64)] = None,
    after: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events, one per notice, with the notice's id. `Last-Event-ID`, or else `after`, resumes; `after=0` is all
    that is kept. `resync` says that some are kept no longer: read /alerts anew.
    """
    after_id = int(last_event_id) if last_event_id and _ID.fullmatch(last_event_id) else after
    return StreamingResponse(
        stream(services, site, after_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream(
    services: Services, site: str | None, after_id: int | None, *, heartbeat_s: float = _HEARTBEAT_S
) -> AsyncGenerator[bytes]:
    """The bytes of one consumer's stream; ends when the service stops."""
    feed = services.feed
    changes = services.live.subscribe()
    stopping = asyncio.ensure_future(services.stopping.wait())
    coming = asyncio.ensure_future(anext(changes))
    try:
        await asyncio.sleep(0)  # it listens from here on
        at = await asyncio.to_thread(feed.newest) if after_id is None else after_id
        yield f"retry: {_RETRY_MS}\n\n".encode()
        while True:
            page = await asyncio.to_thread(feed.after, at, site)
            if page.missing:
                yield b"event: resync\ndata: {}\n\n"
            for number, notice in page.notices:
                said = {"what": notice.what, "at": notice.at, **notice.alert.as_json()}
                yield f"id: {number}\nevent: alert\ndata: ".encode() + msgspec.json.encode(said) + b"\n\n"
            if page.through != at:
                at = page.through
                continue
            while True:  # until something happens that may be an alert
                done, _ = await asyncio.wait(
                    (coming, stopping), timeout=heartbeat_s, return_when=asyncio.FIRST_COMPLETED
                )
                if stopping in done:
                    return
                if coming in done:
                    kind = coming.result().kind
                    coming = asyncio.ensure_future(anext(changes))
                    if kind in ("alert", "resync"):
                        break
                else:
                    yield b": still here\n\n"
    finally:
        stopping.cancel()
        coming.cancel()
        await asyncio.gather(stopping, coming, return_exceptions=True)
