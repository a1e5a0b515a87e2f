"""Alerts as retained messages: whoever subscribes finds the ones that are open, and only those."""

from __future__ import annotations

from typing import Final

import msgspec

from plumbline import topics
from plumbline_central.alerts.alert import Notice
from plumbline_central.channels.port import Publish


class MqttChannel:
    """One retained JSON message per open alert; the empty message that takes it back when it is at rest."""

    name: Final = "mqtt"

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    async def send(self, notice: Notice) -> None:
        alert = notice.alert
        payload = b""
        if alert.open:
            payload = msgspec.json.encode({"what": notice.what, "at": notice.at, **alert.as_json()})
        await self._publish(topics.alert(alert.site, alert.key), payload, qos=1, retain=True)
