"""Alerts over HTTPS to a program of the receiver's.

The body is a CloudEvents 1.0 event in JSON, signed after the Standard Webhooks specification: HMAC-SHA256 over
`id.timestamp.body`. docs/alerts.md shows a receiver how to check it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from pathlib import Path
from typing import Final

import msgspec

from plumbline.clock import Clock, SystemClock
from plumbline.errors import ConfigError
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.http import Poster

_TIMEOUT_S: Final = 10.0
_LONGEST_ANSWER: Final = 300
_PREFIX: Final = "whsec_"


class WebhookChannel:
    """Posts each notice to one URL."""

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
        self._clock = clock or SystemClock()
        self._poster = Poster(self.name, timeout_s=timeout_s, longest_answer=_LONGEST_ANSWER)

    async def send(self, notice: Notice) -> None:
        body = to_event(notice)
        headers = {
            "content-type": "application/cloudevents+json",
            **signature_headers(
                self._secret, f"plumbline-{notice.id}", int(self._clock.wall().timestamp()), body
            ),
        }
        self._poster.judge(await self._poster.post(self._url, body, headers))


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
