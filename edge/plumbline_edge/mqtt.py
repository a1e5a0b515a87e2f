"""The gateway's link to the broker; the one file of the gateway that imports aiomqtt."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import aiomqtt

from plumbline.broker import BrokerSettings
from plumbline.errors import Refused, Unreachable
from plumbline_edge.outage import Outage
from plumbline_edge.uplink.pace import reconnect_wait_s

log = logging.getLogger(__name__)

_SILENCE_S: Final = 60.0
_LASTED_S: Final = 5.0
"""A connection that lived for less was no success: the wait before the next goes on growing."""
_PROTOCOLS: Final = {"5": aiomqtt.ProtocolVersion.V5, "3.1.1": aiomqtt.ProtocolVersion.V311}


class MqttLink:
    """Stays connected for as long as `keep` runs; says once when it is lost and once when it is back.

    A way back that is dead without a word (NAT, a one-way cell) is noticed within 90 s: by MQTT's own ping after twice
    the keepalive, by `silence_s` without a sign of life while the broker owes one, and by the kernel.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        client_id: str,
        state_topic: str,
        birth: bytes,
        will: bytes,
        subscribe: str,
        silence_s: float = _SILENCE_S,
        chance: random.Random | None = None,
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._birth = birth
        self._will = aiomqtt.Will(topic=state_topic, payload=will, qos=1, retain=True)
        self._subscribe = subscribe
        self._silence_s = silence_s
        self._chance = random.Random() if chance is None else chance
        self._client: aiomqtt.Client | None = None
        self._owed = 0
        """Messages that the broker has not said it has."""
        self._heard_at = 0.0

    async def keep(self, on_message: Callable[[bytes], None], on_connect: Callable[[], None]) -> None:
        """Connect, subscribe and hand over messages for ever; a broker that is away is waited for."""
        broker = Outage(f"broker {self._address}")
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            connected_at = None
            try:
                async with self._new_client() as client:
                    await client.subscribe(self._subscribe, qos=1)
                    await client.publish(str(self._will.topic), self._birth, qos=1, retain=True)
                    connected_at = self._heard_at = loop.time()
                    self._owed = 0
                    self._client = client
                    broker.worked()
                    on_connect()
                    async with asyncio.TaskGroup() as tasks:
                        watch = tasks.create_task(self._watch(client), name="broker silence")
                        try:
                            await self._hand_over(client, on_message)
                        finally:
                            watch.cancel()
            except* (aiomqtt.MqttError, OSError) as errors:
                broker.failed(errors.exceptions[0])
            finally:
                self._client = None
            lasted = connected_at is not None and loop.time() - connected_at >= _LASTED_S
            failures = 1 if lasted else failures + 1
            await asyncio.sleep(reconnect_wait_s(failures, self._chance))

    async def leave(self) -> None:
        """Say the last will oneself, before a clean end."""
        payload = self._will.payload
        if isinstance(payload, bytes):
            await self.publish(str(self._will.topic), payload, retain=True)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Return once the broker says it has it, which proves nothing.

        Raises Unreachable without a link, and where the broker does not say so for longer than a silence may last.
        """
        client = self._client
        if client is None:
            raise Unreachable(f"broker {self._address} is away")
        loop = asyncio.get_running_loop()
        if not self._owed:
            self._heard_at = loop.time()
        self._owed += 1
        try:
            await client.publish(topic, payload, qos=1, retain=retain, timeout=1.5 * self._silence_s)
            self._heard_at = loop.time()
        except (aiomqtt.MqttError, OSError) as error:
            raise Unreachable(f"broker {self._address}: {error}") from None
        finally:
            if client is self._client:
                self._owed -= 1

    @property
    def connected(self) -> bool:
        return self._client is not None

    def drop(self) -> None:
        """Give the connection up, as if it had broken; `keep` makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            _break(client)

    async def _hand_over(self, client: aiomqtt.Client, on_message: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        async for message in client.messages:
            self._heard_at = loop.time()
            if isinstance(message.payload, bytes):
                on_message(message.payload)

    async def _watch(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._silence_s / 12)
            if client is self._client and self._owed and loop.time() - self._heard_at >= self._silence_s:
                log.debug("broker %s owes an answer for %.0f s: dropped", self._address, self._silence_s)
                self.drop()

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
            socket_options=_socket_options(self._silence_s),
        )
        client.pending_calls_threshold = 1000  # its warning per pending call costs a third of the throughput
        return client


async def greet(settings: BrokerSettings, *, client_id: str, within_s: float = 5.0) -> None:
    """Connect once and leave. Raises Refused where the broker will not have us, Unreachable where it is away.

    `client_id` must be nobody else's: a broker ends the older connection of the same name.
    """
    where = f"{settings.host}:{settings.port}"
    client = aiomqtt.Client(
        hostname=settings.host,
        port=settings.port,
        identifier=client_id,
        protocol=_PROTOCOLS[settings.version],
        username=settings.username,
        password=settings.password(),
        tls_context=settings.tls(),
        timeout=within_s,
    )
    try:
        async with client:
            pass
    except aiomqtt.MqttCodeError as no:
        raise Refused(
            f"broker {where} refused the connection: {no}",
            hint="Check username, password_file and cert_file under [broker], and the broker's own list of users.",
        ) from None
    except (aiomqtt.MqttError, OSError) as away:
        raise Unreachable(
            f"broker {where}: {away}",
            hint="Check that an MQTT broker answers there, with or without TLS as here.",
        ) from None
    finally:
        _break(client)  # it keeps the connection of a broker that accepted it and then said nothing


def _socket_options(silence_s: float) -> list[tuple[int, int, int]]:
    """On Linux what the far side's kernel has not acknowledged for so long breaks the connection."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return []
    return [(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1e3 * silence_s))]


def _break(client: aiomqtt.Client) -> None:
    """Shut the socket down: the reader sees its end at once, where a polite DISCONNECT would wait for a dead peer."""
    wire = client._client.socket()  # noqa: SLF001 - aiomqtt has no word for it
    if isinstance(wire, socket.socket):
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)
