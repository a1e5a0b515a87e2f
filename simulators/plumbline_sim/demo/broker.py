"""A broker for the demo: Mosquitto where it is installed, else amqtt inside this process."""

from __future__ import annotations

import asyncio
import getpass
import logging
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plumbline.errors import Unreachable
from plumbline_sim.demo.tree import ProcessTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A broker that listens on loopback, and the newest MQTT it speaks."""

    kind: Literal["mosquitto", "amqtt"]
    port: int
    version: Literal["5", "3.1.1"]


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running(tree: ProcessTree, folder: Path) -> AsyncIterator[Broker]:
    """A broker for as long as the block runs. Raises Unreachable where it does not start."""
    port = free_port()
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        async with _amqtt(port):
            yield Broker(kind="amqtt", port=port, version="3.1.1")
        return
    config = folder / "mosquitto.conf"
    lines = (
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "log_type warning",
        f"user {getpass.getuser()}",  # a change of user would undo that it ends when the demo is killed
    )
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    await tree.start("mosquitto", [program, "-c", str(config)], environment={})
    await _until_listening(port)
    yield Broker(kind="mosquitto", port=port, version="5")


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


@asynccontextmanager
async def _amqtt(port: int) -> AsyncIterator[None]:
    from amqtt.broker import Broker as Amqtt  # noqa: PLC0415 - half a second, and only without Mosquitto

    logging.getLogger("amqtt").setLevel(logging.ERROR)
    logging.getLogger("transitions").setLevel(logging.ERROR)
    broker = Amqtt(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield
    finally:
        await broker.shutdown()
