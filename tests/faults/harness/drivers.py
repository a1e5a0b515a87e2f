"""Starts, kills and stops the real programs: broker, central, meters, gateways. Only what it started, by pid."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from harness.meters import PROFILE
from harness.result import CannotRun
from plumbline.signing import DeviceKey
from plumbline_central.registry import Registry
from plumbline_edge.config import load_site

FAULTS: Final = Path(__file__).parents[1]
VERIFIER: Final = FAULTS.parents[1] / "deploy" / "verify" / "plumbline_verify.py"
SITE: Final = "a12"


def mosquitto() -> str:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise CannotRun("no mosquitto: apt-get install mosquitto")
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Children find the harness and whatever copy of the product this process uses."""
    paths = [str(FAULTS), *(path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(extra or {})}


@dataclass(slots=True, kw_only=True)
class Program:
    """One program with its log; `inside` puts it into a network namespace."""

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    inside: Sequence[str] = ()
    process: asyncio.subprocess.Process | None = None

    async def start(
        self, *, pass_fds: Sequence[int] = (), talk: bool = False, limit: int = 1 << 16
    ) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            pipe = asyncio.subprocess.PIPE if talk else None
            self.process = await asyncio.create_subprocess_exec(
                *self.inside,
                *self.argv,
                stdin=pipe or asyncio.subprocess.DEVNULL,
                stdout=pipe or log,
                stderr=log,
                env=environment(self.env),
                pass_fds=pass_fds,
                limit=limit,
            )
        return self.process

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def kill(self) -> None:
        """kill -9; returns when it is gone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def stop(self, within_s: float = 30) -> int:
        """SIGTERM; its exit code. Killed, and -9, where it does not end in time."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.process.wait(), within_s)
        except TimeoutError:
            await self.kill()
            return -9


@contextlib.asynccontextmanager
async def ended(*programs: Program) -> AsyncIterator[None]:
    """Whatever happens in the block, Ctrl-C too, the programs are gone after it."""
    try:
        yield
    finally:
        for program in programs:
            await asyncio.shield(program.kill())


async def until(condition: Callable[[], object], within_s: float, what: str, every_s: float = 0.02) -> float:
    """Wait for another process; how long it took. Raises TimeoutError with `what` in it."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(every_s)
    return time.monotonic() - began


def listens(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def broker(
    folder: Path, port: int, *, host: str = "127.0.0.1", lines: Sequence[str] = (), inside: Sequence[str] = ()
) -> Program:
    """Mosquitto with its default settings, but for `lines`."""
    config = folder / "mosquitto.conf"
    config.write_text("\n".join((f"listener {port} {host}", "allow_anonymous true", *lines)) + "\n")
    return Program(argv=(mosquitto(), "-c", str(config)), log=folder / "broker.log", inside=inside)


def central(
    folder: Path,
    broker_port: int,
    *,
    host: str = "127.0.0.1",
    http_port: int | None = None,
    inside: Sequence[str] = (),
) -> Program:
    """The service as `plumbline central run` starts it, with its page on a free port."""
    file = folder / "central.toml"
    file.write_text(
        f'data_dir = "central"\n[broker]\nhost = "{host}"\nport = {broker_port}\n'
        f'[http]\nhost = "127.0.0.1"\nport = {http_port or free_port()}\n'
    )
    return Program(
        argv=(sys.executable, "-m", "plumbline", "central", "run", str(file)),
        log=folder / "central.log",
        inside=inside,
    )


def ledger(folder: Path) -> Path:
    return folder / "central" / "ledger.db"


def enroll(folder: Path, keys: Mapping[str, str]) -> None:
    """Let gateways speak for the site, before central starts or while it runs."""
    (folder / "central").mkdir(exist_ok=True)
    registry = Registry.open(folder / "central" / "control.db")
    try:
        registry.add_site(SITE)
        for gateway, key in keys.items():
            registry.enroll(gateway, SITE, key)
    finally:
        registry.close()


@contextlib.asynccontextmanager
async def meters(
    folder: Path,
    groups: Mapping[str, Sequence[str]],
    seed: int,
    *,
    host: str = "127.0.0.1",
    inside: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[dict[str, int]]:
    """A process of meters; their ports by name. Group g's operation log is `oplog(folder, g)`."""
    program = Program(
        argv=(
            sys.executable,
            str(FAULTS / "children" / "meters.py"),
            host,
            str(seed),
            *(f"{oplog(folder, group)}={','.join(names)}" for group, names in groups.items()),
        ),
        log=folder / "meters.log",
        inside=inside,
        env=env or {},
    )
    async with ended(program):
        process = await program.start(talk=True)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        if not line:
            raise RuntimeError(f"the meters did not start, see {program.log}")
        yield json.loads(line)


def oplog(folder: Path, group: str) -> Path:
    return folder / f"oplog-{group}.jsonl"


@dataclass(slots=True, kw_only=True)
class Gateway:
    """One gateway in its own folder; started as `plumbline edge run` does once it has checked the file."""

    folder: Path
    name: str
    ports: Mapping[str, int]
    broker_port: int
    every_s: float = 0.2
    broker_host: str = "127.0.0.1"
    meter_host: str = "127.0.0.1"
    broker_extra: str = ""
    extra: str = ""
    """More lines under [broker], and at the end of its site file."""
    inside: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    health_every_s: float = 5
    state_dir: Path | None = None
    command: Sequence[str] = (sys.executable, "-m", "plumbline_edge.app", "FD")
    """FD stands for the descriptor of the checked settings."""
    program: Program = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True, parents=True)
        self.state_dir = self.state_dir or self.folder / "state"
        self.state_dir.mkdir(exist_ok=True)
        self.program = Program(argv=(), log=self.folder / "edge.log", inside=self.inside, env=self.env)
        self.file.write_text(
            f'site = "{SITE}"\ngateway = "{self.name}"\nstate_dir = "{self.state_dir}"\n'
            f"health_every_s = {self.health_every_s}\n"
            f'[broker]\nhost = "{self.broker_host}"\nport = {self.broker_port}\n'
            f"{self.broker_extra}\n"
            + "".join(
                f'[[meters]]\nname = "{name}"\nprofile = "{PROFILE}"\nhost = "{self.meter_host}"\nport = {port}\n'
                f"every_s = {self.every_s}\ntimeout_s = 1\n"
                for name, port in self.ports.items()
            )
            + self.extra
        )

    def move(self, state_dir: Path) -> None:
        """Keep records and key on another card; before the first start."""
        assert self.state_dir is not None
        shutil.copytree(self.state_dir, state_dir)
        self.file.write_text(self.file.read_text().replace(str(self.state_dir), str(state_dir)))
        self.state_dir = state_dir
        os.sync()  # that the copied key outlives what is done to the card next is this harness's business

    @property
    def file(self) -> Path:
        return self.folder / "site.toml"

    @property
    def outbox(self) -> Path:
        assert self.state_dir is not None
        return self.state_dir / "outbox.db"

    @property
    def key(self) -> str:
        assert self.state_dir is not None
        return DeviceKey.load_or_create(self.state_dir / "device.key").public

    async def start(self) -> None:
        descriptor = os.memfd_create("settings", 0)
        try:
            os.write(descriptor, msgspec.json.encode(load_site(self.file)))
            os.lseek(descriptor, 0, os.SEEK_SET)
            self.program.argv = [str(descriptor) if word == "FD" else word for word in self.command]
            await self.program.start(pass_fds=(descriptor,))
        finally:
            os.close(descriptor)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
