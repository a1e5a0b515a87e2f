"""Keeps other websites out of the page: same-origin changes only, small bodies, and headers that forbid the rest."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from plumbline_central.api.errors import PROBLEM, problem

OWN_NAMES: Final = ("127.0.0.1", "localhost", "[::1]", "::1")

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LONGEST_NUMBER: Final = 18
_LARGEST_BODY: Final = 64 * 1024
_LARGEST_TABLE: Final = 4_000_000
"""What a path that ends in /import takes: a planner's table."""


class Guard:
    """ASGI middleware. A browser says where a request comes from; a program that says nothing is no browser."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        answer = None
        if scope["method"] not in _READING:
            answer = _why_not(headers, scope["path"])

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    out.setdefault(name, value)
                out.setdefault("Cache-Control", "no-store")
            await send(message)

        if answer is not None:
            await answer(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)


def is_same_origin(headers: Headers) -> bool:
    """Whether a state-changing request comes from our own page, or from a program that is no browser."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:  # `http://[` is no address
        return False


def _why_not(headers: Headers, path: str) -> JSONResponse | None:
    if not is_same_origin(headers):
        return _problem(403, "this request comes from another website", "Send it from Plumbline's own page.")
    size = headers.get("content-length", "")
    if not size.isdecimal():
        return _problem(411, "the request does not say how long it is", "Send Content-Length.")
    if "transfer-encoding" in headers:
        return _problem(
            411, "the request comes in pieces of unknown number", "Send it whole, with Content-Length."
        )
    most = _LARGEST_TABLE if path.endswith("/import") else _LARGEST_BODY
    if len(size) > _LONGEST_NUMBER or int(size) > most:
        return _problem(413, f"the request has {size} bytes", f"At most {most}.")
    return None


def _problem(status: int, detail: str, hint: str) -> JSONResponse:
    return JSONResponse(problem(status, detail, hint), status, media_type=PROBLEM)
