"""A whole small installation of real processes, and the comparison at its end."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from harness import drivers
from harness.central_file import Key, count_covered, declared, read_ledger
from harness.checker import Verdict, check
from harness.drivers import Gateway, Program
from harness.meters import CODES
from harness.outbox_file import Committed, committed, newest
from plumbline_central.schema import Database
from plumbline_central.stores.sqlite import SqliteTelemetryStore

_ENDS: Final = 5


@dataclass(slots=True, kw_only=True)
class Stack:
    """Broker, central, meters and gateways in one folder; `seen` is what was on the cards at some time."""

    folder: Path
    port: int
    broker: Program
    central: Program
    gateways: list[Gateway]
    seen: Committed = field(default_factory=dict)
    ends: dict[Key, int] = field(default_factory=dict)
    kept: list[Any] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return drivers.ledger(self.folder)

    def oplog(self, gateway: Gateway) -> Path:
        return drivers.oplog(self.folder, gateway.name)

    async def start_gateways(self) -> None:
        """Return when each has had a first answer."""
        before = {gateway.name: drivers.size(self.oplog(gateway)) for gateway in self.gateways}
        for gateway in self.gateways:
            await gateway.start()
        for gateway in self.gateways:
            await drivers.until(
                lambda gateway=gateway: drivers.size(self.oplog(gateway)) > before[gateway.name],
                30,
                f"first answer to {gateway.name}",
            )

    async def look(self, gateway: Gateway) -> None:
        """Note what is on this gateway's card now."""
        if gateway.outbox.exists():
            self.seen |= await asyncio.to_thread(committed, gateway.outbox, self.ends)
            self.ends |= await asyncio.to_thread(newest, gateway.outbox)

    async def drained(self, within_s: float) -> float:
        """Wait until central has, or knows to be gone, all that the gateways had when this was called."""
        for gateway in self.gateways:
            await drivers.until(gateway.outbox.exists, within_s, f"{gateway.name} made no outbox")
            await self.look(gateway)
        wanted = dict(self.ends)
        return await drivers.until(lambda: arrived(self.ledger, wanted), within_s, "everything at central")

    async def projected(self, within_s: float) -> float:
        """Wait until the time-series store has every reading that the ledger has; how long it took."""
        kept = await asyncio.to_thread(read_ledger, self.ledger)
        readings = sum(len(one.values) for one in kept)
        return await drivers.until(
            lambda: self.readings() >= readings, within_s, "the time-series store", 0.2
        )

    def readings(self) -> int:
        """How many the time-series store has."""
        db = Database(self.ledger.with_name("series.db"))
        try:
            return SqliteTelemetryStore(db).count()
        finally:
            db.close()

    @property
    def rows_behind(self) -> int:
        """Ledger rows that the time-series store has not noted yet."""
        cursor = "SELECT ledger_id FROM projection_cursor WHERE name = 'series'"
        return _number(self.ledger, "SELECT max(id) FROM batch") - _number(
            self.ledger.with_name("series.db"), cursor
        )

    async def stop_gateways(self) -> None:
        """Until all that they kept is at central; what still waits on a card is sent after one more start."""
        for _ in range(_ENDS):
            for gateway in self.gateways:
                code = await gateway.program.stop(60)
                if code:
                    raise RuntimeError(f"{gateway.name} ended with {code}, see {gateway.program.log}")
                await self.look(gateway)
            if arrived(self.ledger, self.ends):
                break
            await self.start_gateways()
            await self.drained(120)

    async def finish(self, within_s: float = 60, *, prove: bool = True) -> Verdict:
        """Drain, end everything in order, compare."""
        await self.drained(within_s)
        await self.stop_gateways()
        return await self.finish_stopped(prove=prove)

    async def finish_stopped(self, *, prove: bool = True) -> Verdict:
        """The same where the gateways have ended already."""
        await self.central.stop()
        if prove:
            await self._prove()
        self.kept = await asyncio.to_thread(read_ledger, self.ledger)
        logs = [self.oplog(gateway) for gateway in self.gateways if self.oplog(gateway).exists()]
        return check(self.kept, self.seen, logs, CODES)

    async def _prove(self) -> None:
        """What central exports, the stand-alone verifier finds in order: signatures, chains, tree."""
        evidence = self.folder / "evidence.zip"
        export = (
            "-m",
            "plumbline",
            "central",
            "export",
            "--out",
            evidence,
            "--data",
            self.folder / "central",
        )
        for argv in (export, ("-I", drivers.VERIFIER, evidence)):
            one = Program(argv=(sys.executable, *map(str, argv)), log=self.folder / "evidence.log")
            async with drivers.ended(one):
                process = await one.start()
                if await asyncio.wait_for(process.wait(), 120):
                    raise RuntimeError(f"the evidence is faulty: {one.log.read_text()[-500:]}")


def _number(path: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        row = db.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def arrived(ledger: Path, wanted: Mapping[Key, int]) -> bool:
    if not ledger.exists():
        return False
    there = count_covered(ledger)
    short = [key for key, count in wanted.items() if there.get(key, 0) < count]
    if not short or not any(lane == "status" for _, _, lane in there):
        return not short
    gone = declared(read_ledger(ledger))
    return all(
        there.get(key, 0) + sum((last or wanted[key]) - first + 1 for first, last in gone.get(key, ()))
        >= wanted[key]
        for key in short
    )


@contextlib.asynccontextmanager
async def stack(
    folder: Path,
    seed: int,
    *,
    gateways: int = 2,
    meters: int = 2,
    every_s: float = 0.2,
    central: Program | None = None,
    broker_lines: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    extra: str = "",
    health_every_s: float = 5,
    link_port: int | None = None,
    port: int | None = None,
) -> AsyncIterator[Stack]:
    """Broker and central run, the gateways are ready to start and enrolled. `link_port`: where gateways look for the broker."""
    port = port or drivers.free_port()
    names = [f"gw-{n}" for n in range(gateways)]
    groups = {name: [f"{name}-m{i}" for i in range(meters)] for name in names}
    broker = drivers.broker(folder, port, lines=broker_lines)
    service = central or drivers.central(folder, port)
    async with drivers.ended(broker, service), drivers.meters(folder, groups, seed, env=env) as ports:
        made = [
            Gateway(
                folder=folder / name,
                name=name,
                ports={m: ports[m] for m in groups[name]},
                broker_port=link_port or port,
                every_s=every_s,
                env=env or {},
                extra=extra,
                health_every_s=health_every_s,
            )
            for name in names
        ]
        drivers.enroll(folder, {gateway.name: gateway.key for gateway in made})
        async with drivers.ended(*(gateway.program for gateway in made)):
            await broker.start()
            await drivers.until(lambda: drivers.listens(port), 20, "the broker")
            if central is None:
                await service.start()
            yield Stack(folder=folder, port=port, broker=broker, central=service, gateways=made)
