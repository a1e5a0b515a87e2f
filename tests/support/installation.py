"""A central of real processes in one folder, with what stands around it: broker, InfluxDB, Alertmanager, receivers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiomqtt
import httpx
from paper_gateway import PaperGateway

from plumbline import codec
from plumbline.topics import GatewayTopics
from plumbline_central.registry import Registry
from plumbline_sim.demo import broker, influxd
from plumbline_sim.demo.tree import Child, ProcessTree
from plumbline_sim.tomltext import toml_text

SECRET = "sixteen bytes or more"
PLUMBLINE = (sys.executable, "-m", "plumbline")
ALERTMANAGER = shutil.which("prometheus-alertmanager")
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
WANTED = {
    "mosquitto": MOSQUITTO,
    "influxdb": shutil.which("influxd"),
    "prometheus-alertmanager": ALERTMANAGER,
}
MISSING = " ".join(name for name, program in WANTED.items() if program is None)
"""What `apt install` must be given."""


async def until(condition: Callable[[], Any], what: str, within_s: float = 30, every_s: float = 0.05) -> Any:
    """What `condition` gives once it is true: another process has no event to wait for."""
    last: Any = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                found = condition()
                last = await found if isinstance(found, Awaitable) else found
                if last:
                    return last
                await asyncio.sleep(every_s)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {within_s:g} s, last seen: {last!r}") from None


class Central:
    """`plumbline central run` on a file of its own; it may be killed and come back. It ends with its tree."""

    def __init__(
        self, folder: Path, tree: ProcessTree, tables: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{(port := broker.free_port())}"
        self.file = folder / "central.toml"
        self.log = folder / "logs" / "central.log"
        self.environment: dict[str, str] = {}
        self.http = httpx.AsyncClient(base_url=f"{self.url}/api/v1", timeout=30, trust_env=False)
        self._tree = tree
        self._child: Child | None = None
        (folder / "secret").write_text(SECRET, encoding="utf-8")
        head = [("", {"data_dir": "data"}), ("[http]", {"host": "127.0.0.1", "port": port})]
        self.file.write_text(toml_text([*head, *((name, dict(table)) for name, table in tables)]))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def command(self, *arguments: object) -> str:
        process = await asyncio.create_subprocess_exec(
            *PLUMBLINE, "central", *map(str, arguments),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=os.environ | self.environment, cwd=self.folder,
        )  # fmt: skip
        said = (await process.communicate())[0].decode()
        assert process.returncode == 0, said
        return said

    def enroll(self, *gateways: PaperGateway) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        registry = Registry.open(self.folder / "data" / "control.db")
        try:
            for one in gateways:
                registry.add_site(one.site)
                registry.enroll(one.name, one.site, one.key.public)
        finally:
            registry.close()

    async def up(self) -> None:
        """Return once it answers and has the broker."""
        begun = len(self._said())
        command = (*PLUMBLINE, "central", "run", str(self.file))
        self._child = await self._tree.start("central", command, environment=self.environment)
        await until(lambda: self._ended() or "connected" in self._said()[begun:], "central at the broker", 60)
        assert not self._ended(), self._said()[begun:]
        await until(self._answers, "central's API")

    async def kill(self) -> None:
        """kill -9."""
        assert self._child is not None
        self._child.process.kill()
        await self._child.process.wait()

    async def get(self, path: str, **query: str) -> Any:
        answer = await self.http.get(path, params=query)
        answer.raise_for_status()
        return answer.json()

    async def post(self, path: str, content: object, *, method: str = "POST", **query: str) -> Any:
        """A dict goes as JSON, a text as CSV."""
        how: dict[str, Any] = {"json": content}
        if isinstance(content, str):
            how = {"content": content.encode(), "headers": {"content-type": "text/csv"}}
        answer = await self.http.request(method, path, params=query, **how)
        assert answer.is_success, (path, answer.text)
        return answer.json()

    def _said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _ended(self) -> bool:
        return self._child is not None and not self._child.running

    async def _answers(self) -> bool:
        try:
            return bool(await self.get("/health"))
        except httpx.TransportError:
            return False


@contextlib.asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[tuple[ProcessTree, int]]:
    """A tree of processes with Mosquitto in it; the broker's port."""
    async with ProcessTree(folder / "logs") as tree, broker.running(tree, folder) as carrier:
        yield tree, carrier.port


async def start_influxd(tree: ProcessTree, folder: Path) -> str:
    return await influxd.start(tree, folder)


async def start_alertmanager(tree: ProcessTree, folder: Path) -> str:
    """The address of a real one that passes nothing on."""
    assert ALERTMANAGER is not None
    config, port = folder / "alertmanager.yml", broker.free_port()
    config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = (
        ALERTMANAGER, f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{port}",
    )  # fmt: skip
    await tree.start("alertmanager", command, environment={})
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:

        async def ready() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/-/ready")).is_success
            return False

        await until(ready, "Alertmanager")
    return url


class Uplink:
    """Sends what paper gateways have as their uplinks do: again, until central says that it keeps it."""

    def __init__(self, client: aiomqtt.Client, *, step: int = 50) -> None:
        self._client = client
        self._step = step
        self._sent: dict[str, int] = {}

    async def send(self, gateway: PaperGateway) -> None:
        """Publish what it has written since the last time; no answer is waited for."""
        first, last = self._sent.get(gateway.name, 0) + 1, len(gateway.lanes["data"])
        await self._publish(gateway, first, last)
        self._sent[gateway.name] = last

    async def until_kept(self, *gateways: PaperGateway) -> None:
        """Return once central has acknowledged everything; what it is silent about is sent again."""
        through = dict.fromkeys((one.name for one in gateways), 0)
        by_topic = {GatewayTopics(one.site, one.name).ack: one.name for one in gateways}
        wanted = {one.name: len(one.lanes["data"]) for one in gateways}
        for topic in by_topic:
            await self._client.subscribe(topic, qos=1)
        acks = aiter(self._client.messages)
        async with asyncio.timeout(40):
            while through != wanted:
                for one in gateways:
                    await self._publish(one, through[one.name] + 1, wanted[one.name])
                with contextlib.suppress(TimeoutError):
                    while through != wanted:
                        message = await asyncio.wait_for(anext(acks), 2)
                        name, ack = by_topic.get(str(message.topic)), codec.decode_ack(message.payload)
                        assert not ack.refused, ack
                        if name is not None:
                            through[name] = max(through[name], ack.through)

    async def _publish(self, gateway: PaperGateway, first: int, last: int) -> None:
        for begin in range(first, last + 1, self._step):
            batch = gateway.pack(begin, min(begin + self._step - 1, last))
            await self._client.publish(gateway.topic, batch, qos=1)
