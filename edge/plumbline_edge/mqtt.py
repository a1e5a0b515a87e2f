"""The gateway's link to the broker; the one file of the gateway that imports aiomqtt."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

import aiomqtt

from plumbline.broker import BrokerSettings
from plumbline.errors import Unreachable
from plumbline_edge.outage import Outage

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_PROTOCOLS: Final = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


class MqttLink:
    """Stays connected for as long as `keep` runs; says once when it is lost and once when it is back."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        client_id: str,
        state_topic: str,
        birth: bytes,
        will: bytes,
        subscribe: str,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._birth = birth
        self._will = aiomqtt.Will(topic=state_topic, payload=will, qos=1, retain=True)
        self._subscribe = subscribe
        self._client: aiomqtt.Client | None = None

    async def keep(self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]) -> None:
        """Connect, subscribe and hand over messages for ever; a broker that is away is waited for."""
        broker = Outage(f"broker {self._address}")
        while True:
            try:
                async with self._new_client() as client:
                    await client.subscribe(self._subscribe, qos=1)
                    await client.publish(str(self._will.topic), self._birth, qos=1, retain=True)
                    self._client = client
                    broker.worked()
                    on_connect()
                    async for message in client.messages:
                        if isinstance(message.payload, bytes):
                            on_message(message.payload)
            except (aiomqtt.MqttError, OSError) as error:
                broker.failed(error)
            finally:
                self._client = None
            longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(broker.failures, 10))
            await asyncio.sleep(random.uniform(_FIRST_WAIT_S / 2, longest))

    async def leave(self) -> None:
        """Say the last will oneself, before a clean end."""
        payload = self._will.payload
        if isinstance(payload, bytes):
            await self.publish(str(self._will.topic), payload, retain=True)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Return once the broker says it has it, which proves nothing. Raises Unreachable without a link."""
        if self._client is None:
            raise Unreachable(f"broker {self._address} is away")
        try:
            await self._client.publish(topic, payload, qos=1, retain=retain)
        except (aiomqtt.MqttError, OSError) as error:
            raise Unreachable(f"broker {self._address}: {error}") from None

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def _address(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _new_client(self) -> aiomqtt.Client:
        settings = self._settings
        client = aiomqtt.Client(
            hostname=settings.host,
            port=settings.port,
            identifier=self._client_id,
            protocol=_PROTOCOLS[settings.version],
            username=settings.username,
            password=settings.password(),
            keepalive=settings.keepalive_s,
            will=self._will,
            tls_context=settings.tls(),
        )
        client.pending_calls_threshold = 1000  # its warning per pending call costs a third of the throughput
        return client
