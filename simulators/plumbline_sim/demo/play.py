"""The demo, from raising the stage to the last count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from plumbline.clock import ScaledClock
from plumbline.messages import Photo
from plumbline.stages import Track
from plumbline_sim.demo import broker, files
from plumbline_sim.demo.central import PLUMBLINE, CentralClient, plumbline, plumbline_json
from plumbline_sim.demo.report import Findings
from plumbline_sim.demo.stage import Stage, first_midnight, raised, sample_project
from plumbline_sim.demo.store import StoreName
from plumbline_sim.demo.store import table as store_table
from plumbline_sim.demo.stored import compare_polls, stored_bodies, stored_readings, until_stopped
from plumbline_sim.demo.tally import compare
from plumbline_sim.demo.tree import Child, ProcessTree

_START: Final = datetime(2026, 3, 1, tzinfo=UTC)
_LEAD_REAL_S: Final = 8.0
_LEAD_COMMANDS: Final = 12.0
"""Real seconds for the services to come up before the works begin, and at least so many times what one command takes:
on a busy machine the works would else be over before the gateway sees any."""
_LOOK_EVERY_S: Final = 0.5
_ACKNOWLEDGE_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person chose."""

    days: int
    speed: float
    seed: int
    track: Track
    port: int
    folder: Path
    supervise: bool
    """Whether the demo itself plays the supervisor who acknowledges alerts."""
    store: StoreName = StoreName.SQLITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How things stand: for the progress bar."""

    day: float
    percent: float | None
    planned: float
    open_alerts: int


@dataclass(slots=True, kw_only=True)
class Running:
    """Everything up: what `perform` and `count` work with."""

    options: Options
    stage: Stage
    tree: ProcessTree
    edge: Child
    central: Child
    client: CentralClient
    broker: str
    url: str


class Play:
    """`async with` brings everything up; leaving the block ends every process and server it started."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Running:
        try:
            return await self._raise()
        except BaseException:
            await self._exits.aclose()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._exits.aclose()

    async def _raise(self) -> Running:
        options, folder = self._options, self._options.folder
        entered = self._exits.enter_async_context
        tree = await entered(ProcessTree(folder / "logs"))
        carrier = await entered(broker.running(tree, folder))
        url = f"http://127.0.0.1:{options.port}"
        site, central, plan = (folder / name for name in ("site.toml", "central.toml", "plan.csv"))
        store = await store_table(options.store, tree, folder)
        files.write_central(
            central,
            broker_port=carrier.port,
            broker_version=carrier.version,
            http_port=options.port,
            store=store,
        )
        if store:
            await plumbline("central", "init", central)
        at_central, loop = ("--config", central), asyncio.get_running_loop()
        before_s = loop.time()
        await plumbline("central", "site", files.SITE, "--zh", "示范工地", "--en", "Demo site", *at_central)
        lead_s = max(_LEAD_REAL_S, _LEAD_COMMANDS * (loop.time() - before_s))
        clock = ScaledClock.starting(_START, options.speed)
        begin = first_midnight(clock, lead_s * options.speed)
        project = sample_project(options.seed, options.track, options.days)
        stage = await entered(raised(project, clock, begin))
        files.write_site(site, stage, broker_port=carrier.port, broker_version=carrier.version)
        files.write_plan(plan, stage)
        key = (await plumbline_json("edge", "check", site))["public_key"]
        await plumbline("central", "enroll", files.GATEWAY, "--site", files.SITE, "--key", key, *at_central)
        await plumbline("central", "plan", files.SITE, plan, "--by", "demo", *at_central)

        time_is = clock.to_environment()
        central_child = await tree.start(
            "central", [*PLUMBLINE, "central", "run", str(central)], environment=time_is
        )
        client = CentralClient(url)
        self._exits.push_async_callback(client.close)
        await client.until_ready(tree)
        edge_child = await tree.start("edge", [*PLUMBLINE, "edge", "run", str(site)], environment=time_is)
        return Running(
            options=options,
            stage=stage,
            tree=tree,
            edge=edge_child,
            central=central_child,
            client=client,
            broker=carrier.kind,
            url=url,
        )


async def perform(running: Running, show: Callable[[Look], None]) -> None:
    """Let the simulated project run to its end; `show` is told twice a second how it stands."""
    stage = running.stage
    while stage.clock.wall() < stage.end:
        running.tree.check()
        alerts = await running.client.get("/api/v1/alerts", site=files.SITE, state="all")
        if running.options.supervise:
            await _acknowledge_old(running, alerts)
        curve = await running.client.get(f"/api/v1/sites/{files.SITE}/progress")
        seen = [point["percent"] for point in curve["actual"] if point["percent"] is not None]
        day = stage.day(stage.clock.wall())
        show(
            Look(
                day=max(day, 0.0),
                percent=seen[-1] if seen else None,
                planned=stage.project.planned_percent(day),
                open_alerts=sum(alert["state"] != "normal" for alert in alerts),
            )
        )
        await asyncio.sleep(_LOOK_EVERY_S)


async def count(running: Running, wall_s: float) -> Findings:
    """End the gateway, wait until central has everything, then compare both sides."""
    await running.edge.end()
    stage, client = running.stage, running.client
    await client.until_projected()
    curve = await client.get(f"/api/v1/sites/{files.SITE}/progress")
    alerts = await client.get("/api/v1/alerts", site=files.SITE, state="all")
    data = running.options.folder / "central-data"
    verdict = await plumbline_json("central", "verify", "--data", data, fine=(0, 1))
    gaps = await plumbline_json("central", "gaps", running.options.folder / "central.toml")
    stored = await asyncio.to_thread(lambda: stored_bodies(data))
    said = [operation for operation in stage.oplog.operations if operation.values]
    answered = until_stopped(said, stored)
    served = [shot.sha256 for shot in stage.camera.oplog.shots]
    photos = [body.source for body in stored if isinstance(body, Photo) and body.source]
    seen = served if served[-1:] == [] or served[-1] in photos else served[:-1]
    return Findings(
        seed=running.options.seed,
        wall_s=wall_s,
        broker=running.broker,
        store=running.options.store,
        records=compare_polls(answered, stored) + compare(seen, photos),
        interrupted=sum(one.poll for one in said)
        - sum(one.poll for one in answered)
        + len(served)
        - len(seen),
        readings=compare(
            (
                (operation.device, metric, steps)
                for operation in answered
                for metric, steps in operation.values
                if steps is not None
            ),
            await asyncio.to_thread(
                lambda: list(stored_readings(running.options.folder / "central.toml", files.SITE))
            ),
        ),
        dropped_declared=sum(gap["declared"] for gap in gaps),
        photos_served=len(served),
        observations=curve["actual"],
        alerts=alerts,
        verify="; ".join([verdict["verify"], *map(str, verdict["faults"]), *verdict["tree"]["findings"]]),
    )


async def _acknowledge_old(running: Running, alerts: list[dict[str, Any]]) -> None:
    """Play the supervisor: look at what has been open for a day, and say so."""
    now = running.stage.clock.wall()
    for alert in alerts:
        raised_at = datetime.fromisoformat(alert["raised_at"])
        if alert["state"] == "unacknowledged" and now - raised_at > _ACKNOWLEDGE_AFTER:
            await running.client.acknowledge(alert["id"], "demo supervisor", "seen; extra crews ordered")
