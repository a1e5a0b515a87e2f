"""Fetches one picture from a camera over HTTP, alone or the first of its stream, within fixed bounds of time and memory."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, Final

import httpx

from plumbline_edge.camera.sources.address import checked_address
from plumbline_edge.camera.sources.mixed import boundary_of, first_part
from plumbline_edge.camera.sources.port import (
    MAX_BYTES,
    PhotoRefused,
    PhotoUnreachable,
    password_in,
    repeated,
)

_MAX_REDIRECTS: Final = 2


class HttpSnapshot:
    """A camera that answers GET with one picture; asks without a password first, then as the camera demands.

    Each address a name resolves to is checked before it is connected to, so that a camera's name cannot lead the
    gateway to a link-local or metadata service.
    """

    kind = "http"
    taken_at = None

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        username: str | None = None,
        password_file: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._username = username
        self._password_file = password_file
        self._max_bytes = max_bytes

    async def snapshot(self) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._fetch(_checked_url(self._url))
        except (TimeoutError, httpx.TimeoutException):
            raise PhotoUnreachable(
                f"no whole picture within {self._timeout_s:g} s",
                code="TIMEOUT",
                hint="Check the camera's power and cable, then raise timeout_s if it is only slow.",
            ) from None
        except httpx.ConnectError as error:
            raise PhotoUnreachable(
                f"cannot connect: {error}", code="CONNECT", hint="Check power, cable, address and port."
            ) from None
        except httpx.HTTPError as error:  # a camera that breaks off, or does not speak HTTP
            raise PhotoUnreachable(
                f"the exchange broke: {type(error).__name__}", code="PROTOCOL", hint="Restart the camera."
            ) from None

    async def burst(self, frames: int, every_s: float) -> list[bytes]:
        return await repeated(self.snapshot, frames, every_s)

    async def _fetch(self, url: httpx.URL) -> bytes:
        for _ in range(_MAX_REDIRECTS + 1):
            async with (
                httpx.AsyncClient(verify=_tls(url), trust_env=False, timeout=self._timeout_s) as client,
                contextlib.aclosing(
                    await self._answer(
                        client, client.build_request("GET", await _pinned(url), **_as_named(url))
                    )
                ) as response,
            ):
                if not response.has_redirect_location:
                    return await self._body(response)
                url = _same_place(url, response.headers["location"])
        raise PhotoRefused(f"more than {_MAX_REDIRECTS} redirects", code="REDIRECT", hint=_NAME_THE_PICTURE)

    async def _answer(self, client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
        """The head of the answer. httpx's own `auth` would read a demand's body to its end, which may never come."""
        password = password_in(self._password_file) if self._username is not None else ""
        response = await client.send(request, stream=True)
        if response.status_code != httpx.codes.UNAUTHORIZED or self._username is None:
            return response
        await response.aclose()
        asked = _as_asked(request, response, self._username, password)
        return response if asked is None else await client.send(asked, stream=True)

    async def _body(self, response: httpx.Response) -> bytes:
        _check_status(response.status_code)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise PhotoRefused("a compressed answer", code="UNREADABLE", hint=_NAME_THE_PICTURE)
        declared = response.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise self._too_large()
        body = bytearray()
        boundary = boundary_of(response.headers.get("content-type", ""))
        async for part in response.aiter_raw():
            body += part
            if boundary is not None and (first := first_part(body, boundary)) is not None:
                return first
            if len(body) > self._max_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> PhotoRefused:
        return PhotoRefused(
            f"more than {self._max_bytes} bytes",
            code="TOO_LARGE",
            hint="Set a smaller picture or stronger compression in the camera.",
        )


def _as_asked(
    request: httpx.Request, demand: httpx.Response, username: str, password: str
) -> httpx.Request | None:
    """The request again: with Digest where the camera offers it, else Basic; None where it offers neither."""
    offered = [value.lower() for value in demand.headers.get_list("www-authenticate")]
    if any(value.startswith("digest ") for value in offered):
        flow = httpx.DigestAuth(username, password).auth_flow(request)
        next(flow)  # the request as it was sent already
        try:
            return flow.send(demand)
        except (httpx.ProtocolError, ArithmeticError, LookupError, RuntimeError, ValueError):
            # httpx lets through what its parsing stumbles over
            raise PhotoRefused(
                "the camera asks for the password in a way that cannot be followed",
                code="HTTP_401",
                hint="Choose Digest (MD5 or SHA-256) or Basic in the camera's settings, or update its firmware.",
            ) from None
    if any(value.startswith("basic") for value in offered):
        return next(httpx.BasicAuth(username, password).auth_flow(request))
    return None


_NAME_THE_PICTURE: Final = "Name the address that answers with the picture itself."


def _checked_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise PhotoRefused("not an address", code="ADDRESS", hint=_NAME_THE_PICTURE) from None
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
        raise PhotoRefused(
            f"cannot fetch from {url.scheme or 'no'}://",
            code="ADDRESS",
            hint="Use an http:// or https:// address; the password belongs into password_file.",
        )
    return url


def _same_place(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = url.join(location)
    except httpx.InvalidURL:
        target = httpx.URL()
    if (target.scheme, target.host, target.port, target.userinfo) != (url.scheme, url.host, url.port, b""):
        raise PhotoRefused("redirected to another host", code="REDIRECT", hint=_NAME_THE_PICTURE)
    return target


async def _pinned(url: httpx.URL) -> httpx.URL:
    """`url` with the address that was checked in place of the name, so that nothing can resolve it anew."""
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    return url.copy_with(host=await checked_address(url.host, port))


def _as_named(url: httpx.URL) -> dict[str, Any]:
    return {
        "headers": {
            "host": url.netloc.decode("ascii"), "accept": "image/jpeg, image/png, multipart/x-mixed-replace;q=0.5", "accept-encoding": "identity",
        },
        "extensions": {"sni_hostname": url.host},
    }  # fmt: skip


def _tls(url: httpx.URL) -> ssl.SSLContext:
    if url.scheme == "https":
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; loading the CA list would cost 20 ms


def _check_status(status: int) -> None:
    if status == httpx.codes.OK:
        return
    code, message = f"HTTP_{status}", f"the camera answered HTTP {status}"
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise PhotoUnreachable(message, code=code, hint="Restart the camera.")
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise PhotoRefused(message, code=code, hint="Check username and password_file of this camera.")
    raise PhotoRefused(message, code=code, hint="Check the path in the camera's url.")
