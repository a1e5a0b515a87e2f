"""The link notices a broker that has fallen silent, and comes back."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from plumbline.broker import BrokerSettings
from plumbline.errors import Unreachable
from plumbline_edge.mqtt import MqttLink


class TinyBroker:
    """As much of MQTT 3.1.1 as a gateway needs; answers nothing from when it is `deaf`."""

    def __init__(self) -> None:
        self.deaf = False
        self.connections = 0
        self.published = 0

    @asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()

    async def _serve(self, reader, writer) -> None:
        self.connections += 1
        try:
            while True:
                kind, body = await self._packet(reader)
                if kind >> 4 == 1:
                    writer.write(b"\x20\x02\x00\x00")  # CONNACK
                elif kind >> 4 == 8:
                    writer.write(b"\x90\x03" + body[:2] + b"\x01")  # SUBACK
                elif kind >> 4 == 3:
                    self.published += 1
                    length = int.from_bytes(body[:2])
                    if not self.deaf:
                        writer.write(b"\x40\x02" + body[2 + length : 4 + length])  # PUBACK
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _packet(reader) -> tuple[int, bytes]:
        kind = (await reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            byte = (await reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return kind, await reader.readexactly(length)


def link_to(port: int, *, silence_s: float) -> MqttLink:
    return MqttLink(
        BrokerSettings(port=port, version="3.1.1"),
        client_id="gw1", state_topic="s", birth=b"b", will=b"w", subscribe="a", silence_s=silence_s,
        chance=random.Random(1),
    )  # fmt: skip


@asynccontextmanager
async def kept(link: MqttLink):
    """The link's connections as a queue."""
    came: asyncio.Queue[None] = asyncio.Queue()
    task = asyncio.create_task(link.keep(lambda _: None, lambda: came.put_nowait(None)))
    try:
        yield came
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_broker_that_owes_an_answer_for_too_long_is_dropped_and_met_again(caplog):
    broker = TinyBroker()
    async with broker.serving() as port, asyncio.timeout(20):
        link = link_to(port, silence_s=0.3)
        async with kept(link) as came:
            await came.get()
            broker.deaf = True
            with pytest.raises(Unreachable):
                await link.publish("t", b"x")
            broker.deaf = False
            await came.get()
            await link.publish("t", b"x")

    assert broker.connections == 2
    assert [
        record.message.split(":")[-1].split(" after")[0]
        for record in caplog.records
        if "broker" in record.message
    ][-1].endswith("back")


async def test_a_quiet_connection_that_owes_nothing_is_left_alone():
    broker = TinyBroker()
    async with broker.serving() as port, asyncio.timeout(20):
        link = link_to(port, silence_s=0.1)
        async with kept(link) as came:
            await came.get()
            await link.publish("t", b"x")
            await asyncio.sleep(0.4)  # four silences
            await link.publish("t", b"y")

    assert broker.connections == 1
    assert broker.published == 3


async def test_without_a_link_publishing_is_refused_at_once():
    with pytest.raises(Unreachable):
        await link_to(1, silence_s=60).publish("t", b"x")
