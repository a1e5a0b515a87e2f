"""Central's link to the broker; the one file of central that imports aiomqtt and paho."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from plumbline import topics
from plumbline.codec import MAX_PAYLOAD_BYTES
from plumbline.errors import Unreachable
from plumbline_central.settings import BrokerSettings

log = logging.getLogger(__name__)

_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0
_UNACKNOWLEDGED: Final = 256
"""Messages the broker may hand over before the first is acknowledged: what bounds our memory."""
_SESSION_S: Final = 24 * 3600
_ROOM_FOR_TOPIC: Final = 64 * 1024
_PROTOCOLS: Final = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message; the broker keeps it, and hands it over again after a crash, until `done` is called."""

    topic: str
    payload: bytes
    done: Callable[[], None]


class MqttLink:
    """Stays connected for as long as `keep` runs; says once when it is lost and once when it is back."""

    def __init__(self, settings: BrokerSettings) -> None:
        self._settings = settings
        self._client: aiomqtt.Client | None = None

    @property
    def connected(self) -> bool:
        return self._client is not None

    async def keep(
        self, on_message: Callable[[Delivery], None], on_connect: Callable[[], None] = lambda: None
    ) -> None:
        """Connect, subscribe and hand over messages for ever; a broker that is away is waited for.

        Raises ConfigError where a password or certificate file cannot be read.
        """
        failures = 0
        while True:
            try:
                async with _new_client(self._settings) as client:
                    for topic in (topics.ALL_UP, topics.ALL_STATE):
                        await client.subscribe(topic, qos=1)
                    self._client = client
                    log.log(
                        logging.WARNING if failures else logging.INFO,
                        "broker %s %s",
                        self._address,
                        f"back after {failures} attempts" if failures else "connected",
                    )
                    failures = 0
                    on_connect()
                    async for message in client.messages:
                        on_message(_delivery(client, message))
            except (aiomqtt.MqttError, OSError) as error:
                level = logging.DEBUG if failures else logging.WARNING
                log.log(level, "broker %s away (%s); waiting for it", self._address, error)
                failures += 1
            finally:
                self._client = None
            longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(failures, 10))
            await asyncio.sleep(random.uniform(_FIRST_WAIT_S / 2, longest))

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Return once the broker says it has it (QoS 1) or it is on its way (QoS 0). Raises Unreachable."""
        if self._client is None:
            raise Unreachable(f"broker {self._address} is away")
        try:
            await self._client.publish(topic, payload, qos=qos, retain=retain)
        except (aiomqtt.MqttError, OSError) as error:
            raise Unreachable(f"broker {self._address}: {error}") from None

    @property
    def _address(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"


def _delivery(client: aiomqtt.Client, message: aiomqtt.Message) -> Delivery:
    payload = message.payload if isinstance(message.payload, bytes) else b""

    def done() -> None:
        client._client.ack(message.mid, message.qos)  # noqa: SLF001 - see _new_client

    return Delivery(str(message.topic), payload, done)


def _new_client(settings: BrokerSettings) -> aiomqtt.Client:
    session = (
        {"clean_start": False, "properties": _session()}
        if settings.version == "5"
        else {"clean_session": False}
    )
    client = aiomqtt.Client(
        hostname=settings.host,
        port=settings.port,
        identifier=settings.client_id,
        protocol=_PROTOCOLS[settings.version],
        username=settings.username,
        password=settings.password(),
        keepalive=settings.keepalive_s,
        tls_context=settings.tls(),
        **session,
    )
    # aiomqtt 2 acknowledges before our code sees a message, and has no public switch: what was received but not yet
    # stored at a crash would be gone from the broker (measured). paho below it has the switch.
    client._client.manual_ack_set(True)  # noqa: SLF001
    client.pending_calls_threshold = 1000  # its warning per pending call costs a third of the throughput
    return client


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = _UNACKNOWLEDGED
    properties.SessionExpiryInterval = _SESSION_S
    properties.MaximumPacketSize = MAX_PAYLOAD_BYTES + _ROOM_FOR_TOPIC
    return properties
