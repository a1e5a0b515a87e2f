"""Alerts over HTTPS to a program of the receiver's; the one file of the channels that imports httpx.

The body is a CloudEvents 1.0 event in JSON, signed after the Standard Webhooks specification: HMAC-SHA256 over
`id.timestamp.body`. docs/alerts.md shows a receiver how to check it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ssl
from pathlib import Path
from typing import Final

import httpx
import msgspec

from plumbline.clock import Clock, SystemClock
from plumbline.errors import ConfigError, Refused, Unreachable
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.port import Busy

_TIMEOUT_S: Final = 10.0
_LONGEST_ANSWER: Final = 300
_LONGEST_PAUSE_S: Final = 3600.0
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_PREFIX: Final = "whsec_"


class WebhookChannel:
    """Posts each notice to one URL; redirects are not followed, so that the secret's word goes nowhere else."""

    def __init__(
        self,
        name: str,
        url: str,
        secret: bytes,
        *,
        timeout_s: float = _TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        self.name: Final = f"webhook:{name}"
        self._url = url
        self._secret = secret
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()
        self._tls: ssl.SSLContext | None = None

    async def send(self, notice: Notice) -> None:
        body = to_event(notice)
        headers = {
            "content-type": "application/cloudevents+json",
            **signature_headers(
                self._secret, f"plumbline-{notice.id}", int(self._clock.wall().timestamp()), body
            ),
        }
        try:
            # httpx limits each read; a receiver that drips must not hold the channel either
            async with asyncio.timeout(self._timeout_s):
                status, retry_after, answer = await self._post(body, headers)
        except TimeoutError:
            raise Unreachable(f"{self.name}: no answer within {self._timeout_s:g} s") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Refused(f"{self.name}: {error}", hint="Correct the url of the webhook.") from None
        except httpx.TransportError as error:
            raise Unreachable(f"{self.name}: {str(error) or type(error).__name__}") from None
        if 200 <= status < 300:
            return
        said = f"{self.name}: answered {status} {answer}".rstrip()
        if status in _TRY_AGAIN and retry_after.isdecimal():
            raise Busy(said, after_s=min(float(retry_after), _LONGEST_PAUSE_S))
        if status >= 500 or status in _TRY_AGAIN:
            raise Unreachable(said)
        raise Refused(said, hint="Look at the receiver; the notice is parked.")

    async def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, str]:
        """Status, Retry-After, and the beginning of the answer."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        async with (
            httpx.AsyncClient(verify=self._tls, timeout=self._timeout_s, follow_redirects=False) as client,
            client.stream("POST", self._url, content=body, headers=headers) as response,
        ):
            answer = b""
            async for chunk in response.aiter_raw():
                answer += chunk
                if len(answer) >= _LONGEST_ANSWER:
                    break
            text = " ".join(answer[:_LONGEST_ANSWER].decode("utf-8", "replace").split())
            return response.status_code, response.headers.get("retry-after", ""), text


def to_event(notice: Notice) -> bytes:
    """The notice as a CloudEvents 1.0 JSON event; the same bytes however often it is sent."""
    alert = notice.alert
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": f"plumbline-{notice.id}",
            "source": f"/plumbline/sites/{alert.site}",
            "type": f"plumbline.alert.{notice.what}",
            "subject": alert.key,
            "time": notice.at,
            "datacontenttype": "application/json",
            "data": alert.as_json(),
        }
    )


def signature_headers(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Standard Webhooks: the receiver computes the same HMAC and refuses what is older than a few minutes."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    mac = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{mac}",
    }


def load_secret(path: Path) -> bytes:
    """The secret kept in a file: `whsec_` and base64, or at least 16 characters taken as they are.

    Raises ConfigError.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}", hint="Put the webhook's secret there.") from None
    secret = text.encode()
    if text.startswith(_PREFIX):
        try:
            secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ConfigError(f"{path}: what follows {_PREFIX} is no base64") from None
    if len(secret) < 16:
        raise ConfigError(
            f"{path}: a secret of {len(secret)} bytes can be guessed",
            hint="openssl rand -base64 32, with whsec_ before it, makes a good one.",
        )
    return secret
