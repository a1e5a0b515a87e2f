"""One POST to a receiver, told apart by what it means; the one file of the channels that imports httpx."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from plumbline.errors import Refused, Unreachable
from plumbline_central.channels.port import Busy

_LONGEST_PAUSE_S: Final = 3600.0
_TRY_AGAIN: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said: HTTP status, its Retry-After or "", and the beginning of its body."""

    status: int
    retry_after: str
    body: bytes

    @property
    def words(self) -> str:
        """The body on one line."""
        return " ".join(self.body.decode("utf-8", "replace").split())


class Poster:
    """Posts to one receiver; redirects are not followed, so that no secret goes anywhere else."""

    def __init__(self, name: str, *, timeout_s: float, longest_answer: int) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._longest_answer = longest_answer
        self._tls: ssl.SSLContext | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, auth: tuple[str, str] | None = None
    ) -> Answer:
        """The answer, whatever its status. Raises Unreachable where there is none, Refused for an address that is none."""
        try:
            # httpx limits each read; a receiver that drips must not hold the channel either
            async with asyncio.timeout(self._timeout_s):
                return await self._post(url, body, headers, auth)
        except TimeoutError:
            raise Unreachable(f"{self._name}: no answer within {self._timeout_s:g} s") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Refused(f"{self._name}: {error}", hint="Correct its address.") from None
        except httpx.TransportError as error:
            raise Unreachable(f"{self._name}: {str(error) or type(error).__name__}") from None

    def judge(self, answer: Answer) -> None:
        """Return for 2xx. Raises Busy or Unreachable for what is worth another try, Refused for all else."""
        if 200 <= answer.status < 300:
            return
        said = f"{self._name}: answered {answer.status} {answer.words}".rstrip()
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            if answer.retry_after.isdecimal():
                raise Busy(said, after_s=min(float(answer.retry_after), _LONGEST_PAUSE_S))
            raise Unreachable(said)
        raise Refused(said, hint="Look at the receiver; the notice is parked.")

    async def _post(
        self, url: str, body: bytes, headers: Mapping[str, str], auth: tuple[str, str] | None
    ) -> Answer:
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        async with (
            httpx.AsyncClient(
                verify=self._tls, timeout=self._timeout_s, follow_redirects=False, auth=auth
            ) as client,
            client.stream("POST", url, content=body, headers=dict(headers)) as response,
        ):
            answer = b""
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) >= self._longest_answer:
                    break
            return Answer(
                status=response.status_code,
                retry_after=response.headers.get("retry-after", ""),
                body=answer[: self._longest_answer],
            )
