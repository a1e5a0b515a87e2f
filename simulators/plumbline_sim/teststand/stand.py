"""A site on a test stand: simulated meters and cameras, a real broker, a real gateway, a real central, one clock."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from plumbline.clock import ScaledClock, to_us
from plumbline.errors import ConfigError, Unreachable
from plumbline.messages import Body
from plumbline_sim.camera import CameraServer, SceneSource
from plumbline_sim.demo import broker
from plumbline_sim.demo.central import PLUMBLINE, CentralClient, plumbline, plumbline_json
from plumbline_sim.demo.files import camera_table
from plumbline_sim.demo.stage import sample_project
from plumbline_sim.demo.stored import compare_polls, due_at_central, lacks, stored_bodies
from plumbline_sim.demo.tally import Tally
from plumbline_sim.demo.tree import Child, ProcessTree
from plumbline_sim.meter.encode import says_absence
from plumbline_sim.meter.load import SiteLoad
from plumbline_sim.meter.oplog import Operation, OpLog
from plumbline_sim.meter.server import Fault, MeterServer, SimulatedMeter, Source
from plumbline_sim.meter.trace import TracePlayer, load_map, load_trace
from plumbline_sim.record.messages import Message, read_message
from plumbline_sim.record.player import Player
from plumbline_sim.record.replay import OnAnswer, ReplayServer
from plumbline_sim.record.tape import load_tape
from plumbline_sim.teststand.wishes import MeterWish, SiteWish
from plumbline_sim.tomltext import toml_text

SITE: Final = "stand"
GATEWAY: Final = "stand-gw1"
_DAYS: Final = 60
_LOOK_S: Final = 0.1
_SETTLE_S: Final = 60.0
_GATEWAY_SAYS_READY: Final = "gateway stand-gw1 of site stand reads"


@dataclass(slots=True, kw_only=True)
class Stand:
    """Everything up. Times are simulated unless their name says real."""

    wish: SiteWish
    folder: Path
    clock: ScaledClock
    tree: ProcessTree
    carrier: broker.Broker
    oplog: OpLog
    meters: Mapping[str, SimulatedMeter]
    central: Child
    client: CentralClient
    url: str
    broker_is_up: bool = True
    _edge: Child | None = None

    async def start_gateway(self) -> None:
        """Return when it has begun to read; no effect while it runs."""
        if self._edge is not None and self._edge.running:
            return
        log = self.folder / "logs" / "edge.log"
        begun = _times(log)
        command = [*PLUMBLINE, "edge", "run", str(self.folder / "site.toml")]
        self._edge = await self.tree.start("edge", command, environment=self.clock.to_environment())
        try:
            async with asyncio.timeout(_SETTLE_S):
                while _times(log) == begun:
                    self.tree.check()
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            raise Unreachable(
                f"the gateway does not start:\n{self._edge.last_words()}", hint=f"Its log: {log}"
            ) from None

    async def play(self, seconds: float) -> None:
        """Let so much simulated time pass; return when central has what was read in it, if the broker is up."""
        await self.start_gateway()
        until = self.clock.wall() + timedelta(seconds=seconds)
        while (left_s := (until - self.clock.wall()).total_seconds()) > 0:
            self.tree.check()
            await self.clock.sleep(min(left_s, _LOOK_S * self.clock.speed))
        if self.broker_is_up:
            await self.settle()

    async def settle(self) -> None:
        """Return when central shows all that the meters have answered and the gateway has written until now.

        Raises Unreachable where that takes too long.
        """
        said = {op.device: op.at_us - 0.9e6 * self.wish.every_s for op in self.oplog.operations if op.poll}
        data = self.folder / "central-data"
        try:
            async with asyncio.timeout(_SETTLE_S):
                while await self._not_shown(said):
                    self.tree.check()
                    await asyncio.sleep(_LOOK_S)
                due = await asyncio.to_thread(due_at_central, self.folder / "edge-state" / "outbox.db")
                while await asyncio.to_thread(lacks, data, GATEWAY, due):
                    self.tree.check()
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            late = ", ".join(await self._not_shown(said)) or "the gateway"
            raise Unreachable(
                f"central has not got everything of {late} after {_SETTLE_S:.0f} s",
                hint=f"See {self.folder / 'logs'}: edge.log, central.log.",
            ) from None
        await self.client.until_projected()

    async def _not_shown(self, wanted: Mapping[str, float]) -> list[str]:
        newest: dict[str, int] = {}
        for reading in await self.latest():
            at_us = to_us(datetime.fromisoformat(reading["at"]))
            newest[reading["device"]] = max(at_us, newest.get(reading["device"], 0))
        return [device for device, at_us in wanted.items() if newest.get(device, 0) < at_us]

    async def latest(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.client.get(f"/api/v1/sites/{SITE}/readings/latest")
        return found

    async def series(self, device: str, metric: str) -> list[tuple[datetime, float]]:
        found = await self.client.get(
            f"/api/v1/sites/{SITE}/series", device=device, metric=metric,
            start=self.wish.start.isoformat(), end=(self.clock.wall() + timedelta(days=1)).isoformat(),
        )  # fmt: skip
        return [(datetime.fromisoformat(at), value) for at, value in found["points"]]

    async def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.client.get("/api/v1/alerts", site=SITE, state="all")
        return found

    async def stored(self) -> list[Body]:
        """Every record in central's ledger."""
        return await asyncio.to_thread(stored_bodies, self.folder / "central-data")

    async def count(self) -> Tally:
        """Polls that the meters answered against frames in central's ledger; the gateway is ended for it.

        A later `play` starts it again. Raises ConfigError while the broker is down: nothing could be said then.
        """
        if not self.broker_is_up:
            raise ConfigError(
                "the broker is down: what waits in the outbox is not lost", hint="Call broker_up() first."
            )
        if self._edge is not None:
            await self._edge.end()
        await self.client.until_projected()
        said = [op for op in self.oplog.operations if op.poll and op.outcome == "values"]
        return compare_polls(said, await self.stored())

    async def set_fault(self, device: str, fault: Fault | None, for_s: float | None) -> None:
        meter = self.meters[device]
        meter.fault = fault
        if for_s is not None:
            real_s = for_s / self.clock.speed
            asyncio.get_running_loop().call_later(real_s, lambda: self._mend(meter, fault))

    def _mend(self, meter: SimulatedMeter, fault: Fault | None) -> None:
        if meter.fault is fault:  # and no other has taken its place
            meter.fault = None

    async def broker_down(self) -> None:
        await self.carrier.down()
        self.broker_is_up = False

    async def broker_up(self) -> None:
        await self.carrier.up()
        self.broker_is_up = True


def _times(log: Path) -> int:
    """How often the gateway has said that it reads."""
    return log.read_text(encoding="utf-8", errors="replace").count(_GATEWAY_SAYS_READY) if log.exists() else 0


async def raise_stand(wish: SiteWish, folder: Path, exits: AsyncExitStack) -> Stand:
    """A stand that ends with `exits`. Raises Unreachable with a process's last words where one does not start."""
    tree = await exits.enter_async_context(ProcessTree(folder / "logs"))
    carrier = await exits.enter_async_context(broker.running(tree, folder))
    clock = ScaledClock.starting(wish.start, wish.speed)
    oplog = OpLog()
    meters: dict[str, SimulatedMeter] = {}
    tables: list[tuple[str, dict[str, Any]]] = []
    for meter in wish.meters:
        port = await _raise_meter(meter, wish, clock, oplog, meters, exits)
        tables.append(("[[meters]]", _meter_table(meter, wish, port)))
    for name, track in wish.cameras.items():
        begin = wish.start.astimezone(wish.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        project = sample_project(wish.seed, track, _DAYS)
        camera = await exits.enter_async_context(CameraServer(SceneSource(project, begin=begin), clock=clock))
        tables.append(("[[cameras]]", camera_table(name, camera, project, begin, zone=wish.zone)))

    http_port = broker.free_port()
    _write_files(folder, wish, carrier, http_port, tables)
    central, at_central = folder / "central.toml", ("--config", folder / "central.toml")
    checked, _ = await asyncio.gather(
        plumbline_json("edge", "check", folder / "site.toml"), plumbline("central", "site", SITE, *at_central)
    )
    await plumbline("central", "enroll", GATEWAY, "--site", SITE, "--key", checked["public_key"], *at_central)
    child = await tree.start(
        "central", [*PLUMBLINE, "central", "run", str(central)], environment=clock.to_environment()
    )
    client = CentralClient(f"http://127.0.0.1:{http_port}")
    exits.push_async_callback(client.close)
    await client.until_ready(tree)
    stand = Stand(
        wish=wish, folder=folder, clock=clock, tree=tree, carrier=carrier, oplog=oplog, meters=meters, central=child,
        client=client, url=f"http://127.0.0.1:{http_port}",
    )  # fmt: skip
    await stand.start_gateway()
    return stand


async def _raise_meter(
    meter: MeterWish, wish: SiteWish, clock: ScaledClock, oplog: OpLog, meters: dict[str, SimulatedMeter], exits: AsyncExitStack
) -> int:  # fmt: skip
    """Start what answers for a meter; the port it answers on."""
    if meter.tape is not None:
        tape = load_tape(meter.tape)
        if len(tape.servers) > 1:
            raise ConfigError(
                f"{meter.tape} has {len(tape.servers)} servers", hint="Record one for each meter."
            )
        player = Player(tape, framing="tcp", speed=wish.speed)
        replay = ReplayServer(player, on_answer=_noting(meter, clock, oplog))
        return (await exits.enter_async_context(replay)).port
    simulated = SimulatedMeter(
        name=meter.name, unit=meter.unit, profile=meter.profile, source=_source(meter, wish)
    )
    meters[meter.name] = simulated
    return (await exits.enter_async_context(MeterServer([simulated], clock=clock, oplog=oplog))).port


def _source(meter: MeterWish, wish: SiteWish) -> Source:
    if meter.trace is not None and meter.map is not None:
        recording = load_trace(meter.trace, load_map(meter.map))
        lacking = {register.metric.name for register in meter.profile.registers if not says_absence(register)}
        if mute := sorted(lacking - recording.metrics):
            raise ConfigError(
                f"meter {meter.name}: a {meter.profile.name} has no way to say that it lacks {', '.join(mute)}",
                hint="Give them in the map's [metrics], a constant if need be, or play a float meter.",
            )
        return TracePlayer(recording, begin_s=wish.start.timestamp(), repeat=True)
    assert meter.role is not None
    since = (wish.start - timedelta(days=1)).astimezone(wish.zone).date()
    return SiteLoad(meter.role, seed=wish.seed, since=since, timezone=wish.zone.key)


def _noting(meter: MeterWish, clock: ScaledClock, oplog: OpLog) -> OnAnswer:
    """Notes each recorded answer that is a poll: it covers the profile's probe, and nothing about it is wrong."""
    probe = meter.profile.register(meter.profile.probe)

    def note(request: Message, said: bytes | None) -> None:
        asked = request.pdu
        answer = read_message("tcp", said or b"")
        if len(asked) != 5 or answer.unit != request.unit or answer.transaction != request.transaction:
            return
        start, count = int.from_bytes(asked[1:3]), int.from_bytes(asked[3:5])
        if answer.pdu[:2] == bytes((asked[0], 2 * count & 0xFF)) and len(answer.pdu) == 2 + 2 * count:
            oplog.add(
                Operation(
                    device=meter.name, mono_s=asyncio.get_running_loop().time(), at_us=to_us(clock.wall()),
                    table=str(asked[0]), start=start, count=count, outcome="values",
                    poll=request.unit == meter.unit and start <= probe.address < start + count,
                )
            )  # fmt: skip

    return note


def _meter_table(meter: MeterWish, wish: SiteWish, port: int) -> dict[str, Any]:
    return {
        "name": meter.name, "profile": meter.profile_name, "host": "127.0.0.1", "port": port, "unit": meter.unit,
        "every_s": wish.every_s, "timeout_s": wish.timeout_s,
    }  # fmt: skip


def _write_files(
    folder: Path,
    wish: SiteWish,
    carrier: broker.Broker,
    http_port: int,
    devices: list[tuple[str, dict[str, Any]]],
) -> None:
    broker_table: tuple[str, dict[str, Any]] = (
        "[broker]",
        {"host": "127.0.0.1", "port": carrier.port, "version": carrier.version},
    )
    gateway: dict[str, Any] = {
        "site": SITE, "gateway": GATEWAY, "state_dir": "edge-state", "timezone": wish.zone.key,
        "health_every_s": min(86_400.0, max(60.0, 10 * wish.every_s)),
    }  # fmt: skip
    site: list[tuple[str, dict[str, Any]]] = [("", gateway), broker_table, *devices]
    central: list[tuple[str, dict[str, Any]]] = [
        ("", {"data_dir": "central-data", "stale_after_s": 3 * wish.every_s}),
        broker_table,
        ("[http]", {"host": "127.0.0.1", "port": http_port}),
        ("[alerts]", {"evaluate_every_s": min(86_400.0, max(60.0, wish.speed))}),
        ("[rules]", {"gateway_silent_s": min(3e7, max(900.0, 60 * wish.speed))}),
    ]
    (folder / "site.toml").write_text(toml_text(site), encoding="utf-8")
    (folder / "central.toml").write_text(toml_text(central), encoding="utf-8")
