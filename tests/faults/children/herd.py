"""`herd.py FOLDER FIRST COUNT PORT`: that many real outboxes, uplinks and links in one process, each with its own key.

Reads commands: `append` has each keep one poll cycle; `report` prints, as one JSON line, when links came up and how
long each batch waited for central's word since the last report. Before anything it prints the public keys.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from harness import paper
from harness.drivers import SITE
from harness.msgpack import unpack

from plumbline import codec
from plumbline.broker import BrokerSettings
from plumbline.clock import SystemClock, to_us
from plumbline.signing import DeviceKey
from plumbline.topics import GatewayTopics
from plumbline_edge.mqtt import MqttLink
from plumbline_edge.outbox import Limits, Outbox
from plumbline_edge.uplink import Uplink


class One:
    """One gateway without meters."""

    def __init__(self, folder: Path, number: int, port: int) -> None:
        self.name = f"herd-{number}"
        self.folder = folder / self.name
        self.folder.mkdir()
        self.key = DeviceKey.load_or_create(self.folder / "device.key")
        self.topics = GatewayTopics(SITE, self.name)
        self.link = MqttLink(
            BrokerSettings(port=port),
            client_id=self.name,
            state_topic=self.topics.state,
            birth=b"",
            will=b"",
            subscribe=self.topics.ack,
        )
        self.source = paper.frames(number, since_us=to_us(SystemClock().wall()), meters=2)
        self.sent: dict[tuple[str, int], float] = {}
        self.waits: list[float] = []
        self.connects: list[float] = []

    async def run(self) -> None:
        limits = Limits(max_bytes=1 << 20)
        async with Outbox(self.folder / "outbox.db", gateway=self.name, limits=limits) as self.outbox:
            self.uplink = Uplink(self.outbox, self, self.topics, self.key)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.uplink.run())
                tasks.create_task(self.link.keep(self.acknowledged, self.connected_again))

    async def append(self) -> None:
        await self.outbox.append(next(self.source))
        self.uplink.wake()

    @property
    def connected(self) -> bool:
        return self.link.connected

    async def publish(self, topic: str, payload: bytes) -> None:
        if topic == self.topics.up:
            _, _, _, _, lane, _, last = unpack(payload)[:7]
            self.sent[lane, last] = time.monotonic()
        await self.link.publish(topic, payload)

    def connected_again(self) -> None:
        self.connects.append(time.monotonic())
        self.uplink.reconnected()

    def acknowledged(self, payload: bytes) -> None:
        ack = codec.decode_ack(payload)
        now = time.monotonic()
        for lane, last in [key for key in self.sent if key[0] == ack.lane and key[1] <= ack.through]:
            self.waits.append(now - self.sent.pop((lane, last)))
        self.uplink.acknowledged(payload)


async def main(folder: Path, first: int, count: int, port: int) -> None:
    herd = [One(folder, first + n, port) for n in range(count)]
    print(json.dumps({one.name: one.key.public for one in herd}), flush=True)
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    tasks = [asyncio.create_task(one.run()) for one in herd]
    while command := (await commands.readline()).decode().strip():
        if command == "append":
            await asyncio.gather(*(one.append() for one in herd))
            print("{}", flush=True)
        else:
            waiting = [sum(state.waiting for state in await one.outbox.states()) for one in herd]
            print(
                json.dumps(
                    {
                        "connected": sum(one.connected for one in herd),
                        "waiting": sum(waiting),
                        "connects": [at for one in herd for at in one.connects],
                        "waits": [wait for one in herd for wait in one.waits],
                        "ends": {
                            one.name: [one.outbox.epoch, one.outbox.last((one.outbox.epoch, "data"))]
                            for one in herd
                        },
                    }
                ),
                flush=True,
            )
            for one in herd:
                one.waits.clear()
                one.connects.clear()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
