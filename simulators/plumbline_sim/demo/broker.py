"""A broker for the demo: Mosquitto where it is installed, else amqtt inside this process."""

from __future__ import annotations

import asyncio
import getpass
import logging
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from plumbline.errors import Unreachable
from plumbline_sim.demo.tree import Child, ProcessTree


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker(Protocol):
    """A broker on loopback; `version` is the newest MQTT it speaks. It may go down and come up on the same port."""

    kind: Literal["mosquitto", "amqtt"]
    port: int
    version: Literal["5", "3.1.1"]

    async def up(self) -> None:
        """Listen. Raises Unreachable where it does not start."""
        ...

    async def down(self) -> None:
        """Drop every client and listen no more."""
        ...


class Mosquitto:
    """The real one, as a process of the tree."""

    kind: Literal["mosquitto", "amqtt"] = "mosquitto"
    version: Literal["5", "3.1.1"] = "5"

    def __init__(self, program: str, tree: ProcessTree, folder: Path, port: int) -> None:
        self.port = port
        self._program = program
        self._tree = tree
        self._config = folder / "mosquitto.conf"
        self._process: Child | None = None

    async def up(self) -> None:
        """See Broker.up."""
        lines = (
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "log_type warning",
            f"user {getpass.getuser()}",  # a change of user would undo that it ends when the demo is killed
        )
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [self._program, "-c", str(self._config)]
        self._process = await self._tree.start("mosquitto", command, environment={})
        await _until_listening(self.port)

    async def down(self) -> None:
        """See Broker.down."""
        if self._process is not None and self._process.running:
            await self._process.end()


class Amqtt:
    """Runs inside this process; speaks MQTT 3.1.1 and forgets everything when it goes down."""

    kind: Literal["mosquitto", "amqtt"] = "amqtt"
    version: Literal["5", "3.1.1"] = "3.1.1"

    def __init__(self, port: int) -> None:
        self.port = port
        self._broker: Any = None

    async def up(self) -> None:
        """See Broker.up."""
        from amqtt.broker import Broker as Engine  # noqa: PLC0415 - half a second, and only without Mosquitto

        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        self._broker = Engine(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await self._broker.start()

    async def down(self) -> None:
        """See Broker.down."""
        if self._broker is not None:
            await self._broker.shutdown()
            self._broker = None


@asynccontextmanager
async def running(tree: ProcessTree, folder: Path) -> AsyncIterator[Broker]:
    """A broker for as long as the block runs. Raises Unreachable where it does not start."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    port = free_port()
    broker: Broker = Amqtt(port) if program is None else Mosquitto(program, tree, folder, port)
    await broker.up()
    try:
        yield broker
    finally:
        if program is None:  # Mosquitto ends with the tree, after its clients
            await broker.down()


async def _until_listening(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise Unreachable("mosquitto did not start", hint="See its log in the demo's logs folder.")
